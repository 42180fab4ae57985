//! What does a provider's refusal mean for its route, and for the client?
//!
//! Status first, then the error object's `code`, `type` and words: the same 429 can be our own quota (feeds the ceiling),
//! the provider's capacity (hurts health) or an unpaid bill (holds the key).
//! Sources: OpenAI's error codes, Azure's 429 texts, and the table of attempt outcomes in `scoring`'s README.
//!
//! # Invariants
//! - What is the client's own fault never hurts a route.

use std::borrow::Cow;

use http::StatusCode;
use scoring::outcome::Outcome;
use serde::Deserialize;

use super::error::Failure;

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it does to the route.
    pub outcome: Outcome,
    /// What the client is told if no other route answers.
    pub failure: Failure,
    /// What else can be done about it.
    pub remedy: Remedy,
}

/// What else can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// What the outcome says.
    None,
    /// The prompt is too long for this model: a model with a larger context may take it.
    LargerContext,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    error: Option<Object<'a>>,
}

#[derive(Default, Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    code: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    #[serde(borrow)]
    Words(Cow<'a, str>),
    Other(serde::de::IgnoredAny),
}

impl Text<'_> {
    fn lower(text: Option<&Self>) -> String {
        match text {
            Some(Self::Words(words)) => words.to_ascii_lowercase(),
            _ => String::new(),
        }
    }
}

/// Codes and types that mean the bill or the key, not the moment. Source: OpenAI error codes, Anthropic spend limits.
const KEY_WORDS: &[&str] = &[
    "insufficient_quota",
    "billing",
    "spend_limit",
    "invalid_api_key",
    "account_deactivated",
    "access_terminated",
];

/// Words by which providers say that they, and not we, are at their limit. Source: Azure and Anthropic error texts.
const CAPACITY_WORDS: &[&str] = &[
    "high demand",
    "overloaded",
    "temporarily unable",
    "at capacity",
    "no capacity",
    "currently unavailable",
];

/// Codes that mean that this route does not serve the model.
const UNSUPPORTED_WORDS: &[&str] = &["model_not_found", "deploymentnotfound", "unsupported_model"];

/// Judges a response that is not a success; `body` may be cut short.
#[must_use]
pub fn refusal(status: StatusCode, body: &[u8]) -> Verdict {
    let object = serde_json::from_slice::<Body<'_>>(body)
        .ok()
        .and_then(|body| body.error)
        .unwrap_or_default();
    let code = Text::lower(object.code.as_ref());
    let kind = Text::lower(object.kind.as_ref());
    let message = Text::lower(object.message.as_ref());
    let says = |words: &[&str]| {
        words
            .iter()
            .any(|word| code.contains(word) || kind.contains(word))
    };
    match status.as_u16() {
        401..=403 => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        429 if says(KEY_WORDS) => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        429 if CAPACITY_WORDS.iter().any(|word| message.contains(word)) => {
            plain(Outcome::Overloaded, Failure::Overloaded)
        }
        429 => plain(Outcome::RateLimited, Failure::RateLimited),
        404 => plain(Outcome::Unsupported, Failure::Upstream),
        400 if says(UNSUPPORTED_WORDS) => plain(Outcome::Unsupported, Failure::Upstream),
        400 | 413 | 422 if too_long(&code, &message) => Verdict {
            remedy: Remedy::LargerContext,
            ..plain(Outcome::Rejected, Failure::BadRequest)
        },
        408 => plain(Outcome::TimedOut, Failure::Timeout),
        400..=499 => plain(Outcome::Rejected, Failure::BadRequest),
        503 | 529 => plain(Outcome::Overloaded, Failure::Overloaded),
        504 => plain(Outcome::ServerError, Failure::Timeout),
        _ => plain(Outcome::ServerError, Failure::Upstream),
    }
}

/// Judges an error object that came with status 200, in a stream or in a whole answer.
#[must_use]
pub fn error_in_success(body: &[u8]) -> Verdict {
    let object = serde_json::from_slice::<Body<'_>>(body)
        .ok()
        .and_then(|body| body.error)
        .unwrap_or_default();
    let words = format!(
        "{} {} {}",
        Text::lower(object.code.as_ref()),
        Text::lower(object.kind.as_ref()),
        Text::lower(object.message.as_ref())
    );
    let status =
        if KEY_WORDS.iter().any(|word| words.contains(word)) || words.contains("rate_limit") {
            StatusCode::TOO_MANY_REQUESTS
        } else if words.contains("overloaded") || CAPACITY_WORDS.iter().any(|w| words.contains(w)) {
            StatusCode::SERVICE_UNAVAILABLE
        } else if words.contains("invalid_request")
            || words.contains("context_length")
            || words.contains("content_policy")
            || words.contains("content_filter")
        {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
    refusal(status, body)
}

fn too_long(code: &str, message: &str) -> bool {
    code.contains("context_length_exceeded")
        || message.contains("maximum context length")
        || message.contains("prompt is too long")
}

const fn plain(outcome: Outcome, failure: Failure) -> Verdict {
    Verdict {
        outcome,
        failure,
        remedy: Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let check = |status: u16, body: &str, outcome: Outcome| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                refusal(status, body.as_bytes()).outcome,
                outcome,
                "{status} {body}"
            );
        };
        let error = |code: &str, message: &str| {
            format!(r#"{{"error":{{"message":"{message}","type":"t","code":"{code}"}}}}"#)
        };
        check(
            429,
            &error("rate_limit_exceeded", "Rate limit reached"),
            Outcome::RateLimited,
        );
        check(
            429,
            &error("insufficient_quota", "You exceeded"),
            Outcome::KeyRejected,
        );
        check(
            429,
            &error("429", "The system is experiencing high demand"),
            Outcome::Overloaded,
        );
        check(429, "not json", Outcome::RateLimited);
        check(401, "", Outcome::KeyRejected);
        check(404, &error("model_not_found", "no"), Outcome::Unsupported);
        check(
            400,
            &error("context_length_exceeded", "too long"),
            Outcome::Rejected,
        );
        check(
            400,
            &error("content_policy_violation", "no"),
            Outcome::Rejected,
        );
        check(
            400,
            r#"{"error":{"code":400,"message":"x"}}"#,
            Outcome::Rejected,
        );
        check(500, "<html>", Outcome::ServerError);
        check(502, "", Outcome::ServerError);
        check(503, "", Outcome::Overloaded);
        check(529, "", Outcome::Overloaded);
        check(302, "", Outcome::ServerError);
        let long = refusal(
            StatusCode::BAD_REQUEST,
            error("context_length_exceeded", "x").as_bytes(),
        );
        assert_eq!(long.remedy, Remedy::LargerContext);
        let inside = error_in_success(error("server_error", "boom").as_bytes());
        assert_eq!(inside.outcome, Outcome::ServerError);
    }
}
