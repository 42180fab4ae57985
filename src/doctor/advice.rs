//! What is to be done about a call that went wrong?
//!
//! # Invariants
//! - Every failure has a line that says what to do.

use super::facts::Facts;

/// Models that are listed where one was not found.
const LISTED: usize = 12;

/// How a call went wrong.
#[derive(Clone, Debug)]
pub(super) enum Trouble<'a> {
    /// Nobody answers at the address.
    Unreachable,
    /// The connection was lost, or the answer took too long.
    Lost,
    /// The gateway refused with this status and code.
    Refused {
        status: u16,
        code: Option<&'a str>,
        path: &'a str,
    },
    /// The stream ended without its end.
    Cut,
    /// The stream holds an error.
    Failed,
    /// The stream is whole, but nothing was in it.
    Empty,
}

/// Says what to do.
pub(super) fn advice(trouble: &Trouble<'_>, facts: &Facts, models: &[String]) -> String {
    match trouble {
        Trouble::Unreachable => format!(
            "nothing answers at {}: start the gateway with `trimtab serve --config {}`, or say where it is with --url",
            facts.base, facts.config
        ),
        Trouble::Lost => "the gateway did not answer to the end: look at its log".to_owned(),
        Trouble::Refused { status, code, path } => refused(*status, *code, path, facts, models),
        Trouble::Cut => {
            "the stream ended without its end marker: look at the gateway's log for the route above"
                .to_owned()
        }
        Trouble::Failed => {
            "the provider failed within the stream: look at the gateway's log for the route above"
                .to_owned()
        }
        Trouble::Empty => {
            "the answer has no content: ask for another model with --model".to_owned()
        }
    }
}

fn refused(
    status: u16,
    code: Option<&str>,
    path: &str,
    facts: &Facts,
    models: &[String],
) -> String {
    let no_path = matches!(
        code,
        Some("unknown_url" | "method_not_allowed" | "unsupported")
    );
    match status {
        401 | 403 => token(facts),
        404 if !no_path => format!(
            "there is no model {:?}; {}",
            facts.model(),
            choices(models)
        ),
        404 | 405 | 501 => {
            format!("this gateway does not serve {path} for this model: take a newer version, a model of another provider, or another client")
        }
        400 | 422 => "the request was refused as it is: try another model with --model".to_owned(),
        402 => "the budget is used up".to_owned(),
        426 => "the gateway does not speak WebSocket; plain HTTP is to be used".to_owned(),
        429 => "every route is at its rate limit: wait, or add keys or routes".to_owned(),
        500..=599 => "no provider could answer: check the keys and addresses of its routes, and look at the gateway's log".to_owned(),
        _ => "this is not an answer of the gateway: check the address".to_owned(),
    }
}

fn token(facts: &Facts) -> String {
    match (&facts.variable, &facts.token) {
        (Some(variable), None) => format!(
            "the gateway asks for a token: set {variable} to the `token` under [server] of its configuration"
        ),
        (Some(variable), Some(_)) => format!(
            "the token in {variable} is not the `token` under [server] of the running gateway's configuration"
        ),
        (None, _) => "the gateway asks for a token, but its configuration here has none: name the right file with --config".to_owned(),
    }
}

fn choices(models: &[String]) -> String {
    if models.is_empty() {
        return "name one with --model".to_owned();
    }
    let mut listed = models
        .iter()
        .take(LISTED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if models.len() > LISTED {
        listed.push_str(", …");
    }
    format!("choose with --model among {listed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_follows_from_what_happened() {
        let facts = Facts::example();
        let models = ["a".to_owned(), "b".to_owned()];
        let refused = |status, code| Trouble::Refused {
            status,
            code,
            path: "/v1/messages",
        };
        for (trouble, says) in [
            (Trouble::Unreachable, "trimtab serve --config config.toml"),
            (refused(401, None), "set TRIMTAB_TOKEN"),
            (refused(404, Some("model_not_found")), "among a, b"),
            (
                refused(404, Some("unknown_url")),
                "does not serve /v1/messages",
            ),
            (refused(501, None), "does not serve /v1/messages"),
            (refused(429, None), "rate limit"),
            (refused(503, None), "no provider could answer"),
            (refused(302, None), "not an answer of the gateway"),
            (Trouble::Cut, "end marker"),
        ] {
            let said = advice(&trouble, &facts, &models);
            assert!(said.contains(says), "{said}");
        }
    }
}
