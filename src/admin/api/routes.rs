//! Which routes are there, and what does each take and give?
//!
//! # Invariants
//! - A path and a method name one route.
//! - What stands here is what the OpenAPI document says.

use std::sync::OnceLock;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::config::{Config, Kind};
use crate::observe::reloads::Reloads;
use crate::proxy::Shared;
use crate::store::requests::Records;

use super::ask::{Ask, Form, LONGEST_PAGE, Param};
use super::cache::{self, Counter};
use super::call::{Desk, Reply};
use super::refusal::Refusal;
use super::seen::{self, View};
use super::steer::{self, Wheel};
use super::{history, ledger, records, setting, shadow, standing, tenants};

/// One thing that can be asked.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// The path, with `{name}` for a parameter.
    pub(super) path: String,
    /// What it is called in the documentation.
    pub(super) operation: String,
    pub(super) about: String,
    pub(super) query: Vec<Param>,
    pub(super) takes: Takes,
    pub(super) status: StatusCode,
    pub(super) gives: Gives,
    /// What it may be refused with, beside what every route may.
    pub(super) refuses: &'static [u16],
    /// Of what kind of tenant.
    pub(super) kind: Option<Kind>,
    pub(super) run: Run,
}

/// Does what is asked, on a thread that may block.
pub(super) type Handler = fn(&Desk, &Ask) -> Result<Reply, Refusal>;

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    /// A thread that may block; there is a ledger.
    Office(Handler),
    /// A thread that may block; with or without a ledger.
    Cache(fn(&Counter, &Ask) -> Result<Reply, Refusal>),
    /// A thread that may block; about the configuration's file.
    File(fn(&Reloads, &Config) -> Value),
    /// A thread that may block; where requests are kept.
    Records(fn(&Records, &Ask) -> Result<Reply, Refusal>),
    /// A thread that may block; with or without a ledger.
    Steer(fn(&Wheel, &Ask) -> Result<Reply, Refusal>),
    /// The control thread, at once.
    Plain(fn(&Shared) -> String),
    /// A thread that may block; of what is seen.
    Seen(fn(&View, &Ask) -> Result<Reply, Refusal>),
    /// The control thread, as it happens.
    Live,
}

/// What stands in the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    /// A tenant with its name.
    Whole,
    /// A tenant's document.
    Document,
    /// Some keys of a tenant's document; null removes one.
    Patch,
    /// `grace_seconds`.
    Grace,
    /// `amount`.
    Amount,
    /// `seconds`, if it ends by itself, and `reason`.
    Drain,
    /// `seconds` and `reason`.
    Pin,
    /// `reason`.
    Reason,
    /// `limit`, null to take it away, and `reason`.
    Limit,
}

/// What stands in the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Nothing,
    Tenants,
    Tenant,
    KeyWithSecret,
    Budgets,
    Usage,
    Ledger,
    Adjusted,
    Audit,
    Verified,
    Standings,
    /// Any object.
    Object,
    /// Events as they happen.
    Events,
}

impl Takes {
    /// Whether a body is read.
    pub(super) const fn is_something(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

pub(super) const LIMIT: Param = Param {
    name: "limit",
    about: "Rows of a page; 100 by default.",
    form: Form::Number(1, LONGEST_PAGE as i64),
};

const AFTER_NAME: Param = Param {
    name: "after",
    about: "The `next` of the page before: the last name on it.",
    form: Form::Text,
};

pub(super) const AFTER: Param = Param {
    name: "after",
    about: "The `next` of the page before.",
    form: Form::Number(0, i64::MAX),
};

pub(super) const FROM: Param = Param {
    name: "from",
    about: "The first instant, or a day of UTC.",
    form: Form::When,
};

pub(super) const TO: Param = Param {
    name: "to",
    about: "The first instant after it, or a day of UTC.",
    form: Form::When,
};

/// All of them.
pub(super) fn routes() -> &'static [Route] {
    static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        let mut routes: Vec<Route> = Kind::ALL.into_iter().flat_map(of_tenants).collect();
        routes.extend(of_keys());
        routes.extend(of_money());
        routes.extend(of_the_ledger());
        routes.extend(of_the_cache());
        routes.extend(records::routes());
        routes.extend(seen::routes());
        routes.extend(steer::routes());
        routes.extend(of_the_rest());
        routes
    })
}

/// A route that is asked by GET and takes nothing.
pub(super) fn asked(path: &str, operation: &str, gives: Gives, run: Run) -> Route {
    Route {
        method: Method::GET,
        path: path.to_owned(),
        operation: operation.to_owned(),
        about: String::new(),
        query: Vec::new(),
        takes: Takes::Nothing,
        status: StatusCode::OK,
        gives,
        refuses: &[],
        kind: None,
        run,
    }
}

fn of_tenants(kind: Kind) -> Vec<Route> {
    let all = of_all(kind).into_iter();
    all.chain(of_one(kind)).collect()
}

/// A route about tenants of a kind; `ONE` in its text is their word.
fn about(kind: Kind, (verb, path): (&str, &str), about: &str, run: Handler) -> Route {
    let word = kind.word();
    Route {
        about: about.replace("ONE", word),
        kind: Some(kind),
        ..asked(
            path,
            &format!("{verb}_{word}"),
            Gives::Tenant,
            Run::Office(run),
        )
    }
}

fn of_all(kind: Kind) -> [Route; 2] {
    let all = format!("/api/{}", kind.table());
    let gives = match kind {
        Kind::Key => Gives::KeyWithSecret,
        Kind::Customer | Kind::Team => Gives::Tenant,
    };
    let list = "Lists every ONE by name, from the file and made here.";
    let create = match kind {
        Kind::Key => "Makes a ONE. Its secret is in this answer and in no other.",
        Kind::Customer | Kind::Team => "Makes a ONE.",
    };
    [
        Route {
            query: vec![LIMIT, AFTER_NAME],
            gives: Gives::Tenants,
            ..about(kind, ("list", &all), list, tenants::list)
        },
        Route {
            method: Method::POST,
            takes: Takes::Whole,
            status: StatusCode::CREATED,
            gives,
            refuses: &[409],
            ..about(kind, ("create", &all), create, tenants::create)
        },
    ]
}

fn of_one(kind: Kind) -> [Route; 4] {
    let one = format!("/api/{}/{{name}}", kind.table());
    let replace = "Says anew all that is said of a ONE; what is left out takes its default.";
    let amend = "Says some of it anew: a JSON merge patch, in which null removes a key.";
    let delete = "Deletes a ONE that was made here.";
    let removal = [
        ("cascade", "Deletes whoever belongs to it, too."),
        (
            "hidden",
            "Deletes the one that was made and that the file's hides.",
        ),
    ];
    let flag = |(name, about)| Param {
        name,
        about,
        form: Form::Flag,
    };
    [
        Route {
            refuses: &[404],
            ..about(kind, ("get", &one), "Shows a ONE.", tenants::show)
        },
        Route {
            method: Method::PUT,
            takes: Takes::Document,
            refuses: &[404, 409],
            ..about(kind, ("replace", &one), replace, tenants::replace)
        },
        Route {
            method: Method::PATCH,
            takes: Takes::Patch,
            refuses: &[404, 409],
            ..about(kind, ("amend", &one), amend, tenants::amend)
        },
        Route {
            method: Method::DELETE,
            query: removal.map(flag).to_vec(),
            status: StatusCode::NO_CONTENT,
            gives: Gives::Nothing,
            refuses: &[404, 409],
            ..about(kind, ("delete", &one), delete, tenants::delete)
        },
    ]
}

fn of_keys() -> Vec<Route> {
    let route = |verb: &str, about: &str, gives, run| Route {
        method: Method::POST,
        about: about.to_owned(),
        refuses: &[404, 409],
        kind: Some(Kind::Key),
        ..asked(
            &format!("/api/keys/{{name}}/{verb}"),
            &format!("{verb}_key"),
            gives,
            Run::Office(run),
        )
    };
    vec![
        Route {
            takes: Takes::Grace,
            ..route(
                "rotate",
                "Gives a key another secret, in this answer only; the one before is taken for `grace_seconds` more.",
                Gives::KeyWithSecret,
                tenants::rotate,
            )
        },
        route(
            "revoke",
            "Ends a key for ever.",
            Gives::Tenant,
            tenants::revoke,
        ),
    ]
}

fn of_money() -> Vec<Route> {
    let payers = Form::Choice(&["customer", "team", "key", "key_provider", "provider"]);
    vec![
        Route {
            about: "Shows how every budget stands.".to_owned(),
            query: vec![
                Param { name: "tier", about: "Only those of this tier.", form: payers },
                Param { name: "name", about: "Only those of this customer, team, key or provider.", form: Form::Text },
                LIMIT,
                AFTER,
            ],
            ..asked("/api/budgets", "list_budgets", Gives::Budgets, Run::Office(standing::budgets))
        },
        Route {
            about: "Sums what was used, the dearest group first; the last 30 days unless told otherwise.".to_owned(),
            query: vec![
                Param { name: "group", about: "By what: one to four of `customer`, `team`, `key`, `provider`, `model`, `route`, `day` and `tag:NAME`, between commas.", form: Form::Text },
                FROM,
                TO,
                LIMIT,
                AFTER,
            ],
            ..asked("/api/usage", "sum_usage", Gives::Usage, Run::Office(history::usage))
        },
    ]
}

fn of_the_ledger() -> Vec<Route> {
    let states = Form::Choice(&["open", "settled", "in_doubt", "adjusted"]);
    vec![
        Route {
            about: "Exports the ledger: pages of JSON, or everything as CSV.".to_owned(),
            query: vec![
                FROM,
                TO,
                Param { name: "state", about: "Only those in this state.", form: states },
                Param { name: "key", about: "Only those of this key.", form: Form::Text },
                Param { name: "format", about: "`json` (the default), or `csv`: everything after `after`, as it is read; one page where `limit` is given.", form: Form::Choice(&["json", "csv"]) },
                LIMIT,
                AFTER,
            ],
            ..asked("/api/ledger", "export_ledger", Gives::Ledger, Run::Office(ledger::export))
        },
        Route {
            about: "Lists what is in doubt: it was in flight when the process ended, and stays charged as reserved.".to_owned(),
            query: vec![LIMIT, AFTER],
            ..asked("/api/ledger/doubt", "list_doubt", Gives::Ledger, Run::Office(ledger::doubt))
        },
        Route {
            method: Method::POST,
            about: "Says what an attempt did cost.".to_owned(),
            takes: Takes::Amount,
            status: StatusCode::ACCEPTED,
            refuses: &[404, 409],
            ..asked("/api/ledger/{id}/adjust", "adjust_entry", Gives::Adjusted, Run::Office(ledger::adjust))
        },
    ]
}

const NAMED: [Param; 5] = [
    Param {
        name: "request",
        about: "Id of the request that was answered.",
        form: Form::Text,
    },
    Param {
        name: "key",
        about: "Name of the virtual key whose requests were answered.",
        form: Form::Text,
    },
    Param {
        name: "tag",
        about: "A tag of `x-trimtab-cache-tags`.",
        form: Form::Text,
    },
    Param {
        name: "model",
        about: "The model that was asked for, or `workflows/NAME`.",
        form: Form::Text,
    },
    Param {
        name: "all",
        about: "Everything.",
        form: Form::Flag,
    },
];

fn of_the_cache() -> Vec<Route> {
    vec![
        Route {
            about: "Says what is kept of answers.".to_owned(),
            ..asked("/api/cache", "show_cache", Gives::Object, Run::Cache(cache::show))
        },
        Route {
            about: "Says how often semantic hits are wrong, by model and workflow, and from which similarity on they are served.".to_owned(),
            ..asked("/api/cache/audit", "show_cache_audit", Gives::Object, Run::Cache(cache::audit))
        },
        Route {
            method: Method::DELETE,
            about: "Forgets the answers that one of the parameters names.".to_owned(),
            query: NAMED.to_vec(),
            ..asked("/api/cache/entries", "forget_answers", Gives::Object, Run::Cache(cache::forget))
        },
        Route {
            method: Method::DELETE,
            about: "Forgets one answer, by its id as `x-trimtab-explain` tells it.".to_owned(),
            ..asked("/api/cache/entries/{id}", "forget_answer", Gives::Object, Run::Cache(cache::forget_one))
        },
    ]
}

fn of_the_rest() -> Vec<Route> {
    vec![
        Route {
            about: "Lists who changed what, oldest first.".to_owned(),
            query: vec![LIMIT, AFTER],
            ..asked("/api/audit", "list_audit", Gives::Audit, Run::Office(history::audit))
        },
        Route {
            about: "Says whether the audit log is what was written.".to_owned(),
            ..asked("/api/audit/verify", "verify_audit", Gives::Verified, Run::Office(history::verify))
        },
        Route {
            about: "Says who is live and from where, what was made and is hidden by the file, and what is refused and why.".to_owned(),
            query: vec![LIMIT, AFTER],
            ..asked("/api/config/diff", "diff_config", Gives::Standings, Run::Office(standing::diff))
        },
        Route {
            about: "Shows every setting, written or left to its default; credentials are not told.".to_owned(),
            ..asked("/api/config", "show_config", Gives::Object, Run::Plain(setting::show))
        },
        Route {
            about: "Reads the configuration's file, and says what it says otherwise than what holds, or what is wrong with it.".to_owned(),
            ..asked("/api/config/pending", "show_pending_config", Gives::Object, Run::File(setting::pending))
        },
        Route {
            method: Method::POST,
            about: "Has the configuration's file read anew; `/api/config` tells how that went.".to_owned(),
            status: StatusCode::ACCEPTED,
            ..asked("/api/config/reload", "reload_config", Gives::Object, Run::Plain(setting::reload))
        },
        Route {
            about: "Shows the state of every route.".to_owned(),
            ..asked("/api/routes", "list_routes", Gives::Object, Run::Plain(super::super::routes))
        },
        Route {
            about: "Says how the constants of `[scoring.shadow]` would have decided a sample of the requests, and estimates what they would have made of them.".to_owned(),
            ..asked("/api/shadow", "show_shadow", Gives::Object, Run::Plain(shadow::show))
        },
        Route {
            about: "This document.".to_owned(),
            ..asked("/api/openapi.json", "get_openapi", Gives::Object, Run::Plain(super::openapi::text))
        },
    ]
}

/// The routes of a path, and the parameters in it as they stand there; none if there is no such path.
pub(super) fn at(path: &str) -> (Vec<&'static Route>, Vec<&str>) {
    let mut found = Vec::new();
    let mut parameters = Vec::new();
    for route in routes() {
        if let Some(here) = matched(&route.path, path) {
            found.push(route);
            parameters = here;
        }
    }
    (found, parameters)
}

/// The parameters of a path that a pattern matches.
fn matched<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut parameters = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            if part.is_empty() {
                return None;
            }
            parameters.push(part);
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_method_name_one_route() {
        let all = routes();
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                let same = one.method == other.method && matched(&one.path, &other.path).is_some();
                assert!(!same, "{} {}", one.method, one.path);
                assert_ne!(one.operation, other.operation);
            }
            assert!(!one.about.is_empty(), "{}", one.path);
        }
        let of = |path| at(path).0.len();
        assert_eq!(
            (of("/api/keys"), of("/api/keys/a"), of("/api/keys/a/rotate")),
            (2, 4, 1)
        );
        assert_eq!(
            (
                of("/api/keys/"),
                of("/api/key"),
                of("/api/keys/a/b"),
                of("/api")
            ),
            (0, 0, 0, 0)
        );
        assert_eq!(at("/api/ledger/%2F/adjust").1, ["%2F"]);
    }
}
