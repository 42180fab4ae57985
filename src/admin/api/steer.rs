//! What do operators do with routes: drain, pin, release, limit?
//!
//! Each is written into the audit log where one is kept, done, and noted among the events.
//!
//! # Invariants
//! - The audit log has it first: what cannot be written down is not done.
//! - Where no ledger is kept, it is done and noted all the same.

use std::sync::Arc;

use http::Method;
use scoring::ceiling::Dimension;
use scoring::route::{Route, Until};
use scoring::time::{Span, Time};
use serde_json::{Map, Value, json};

use crate::clock;
use crate::config::{Config, nearest};
use crate::governance::office::{Asked, Deed, Office};
use crate::observe::events::{Event, Events, Kind};
use crate::observe::explain;
use crate::routing::Registry;

use super::super::told;
use super::ask::Ask;
use super::call::Reply;
use super::refusal::Refusal;
use super::routes::{self, Gives, Run, Takes, asked};

/// Longest pin, seconds: a day; longer is a matter of the configuration.
pub(super) const LONGEST_PIN: u64 = 86_400;

/// Longest drain that ends by itself, seconds: a year.
pub(super) const LONGEST_DRAIN: u64 = 365 * 86_400;

/// Longest reason, characters.
pub(super) const LONGEST_REASON: usize = 500;

/// What a handler works with.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    pub(super) registry: Arc<Registry>,
    pub(super) events: Arc<Events>,
    /// None where no ledger is kept.
    pub(super) office: Option<Arc<Office>>,
    pub(super) config: Arc<Config>,
    pub(super) who: &'static str,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
enum Act {
    Drain(Option<u64>),
    Undrain,
    Pin(u64),
    Unpin,
    Release,
    Limit(Dimension, Option<u32>),
}

impl Act {
    /// What is done, as a word of the past.
    const fn verb(self) -> &'static str {
        match self {
            Self::Drain(_) => "drained",
            Self::Undrain => "undrained",
            Self::Pin(_) => "pinned",
            Self::Unpin => "unpinned",
            Self::Release => "released",
            Self::Limit(_, Some(_)) => "limited",
            Self::Limit(_, None) => "unlimited",
        }
    }

    /// The numbers that belong to it.
    fn numbers(self) -> Map<String, Value> {
        let told = match self {
            Self::Drain(seconds) => json!({ "seconds": seconds }),
            Self::Pin(seconds) => json!({ "seconds": seconds }),
            Self::Limit(dimension, limit) => {
                json!({ "dimension": dimension.name(), "limit": limit })
            }
            Self::Undrain | Self::Unpin | Self::Release => json!({}),
        };
        match told {
            Value::Object(numbers) => numbers,
            _ => Map::new(),
        }
    }

    fn apply(self, route: &Route, now: Time) {
        let ahead = |seconds| now.plus(Span::from_secs(seconds));
        match self {
            Self::Drain(None) => route.drain(Until::Undone),
            Self::Drain(Some(seconds)) => route.drain(Until::At(ahead(seconds))),
            Self::Undrain => route.undrain(),
            Self::Pin(seconds) => route.pin(ahead(seconds)),
            Self::Unpin => route.unpin(),
            Self::Release => route.release(now),
            Self::Limit(dimension, limit) => route.overrule(dimension, limit, now),
        }
    }
}

pub(super) fn drain(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    let body = Body::of(ask, &["seconds", "reason"])?;
    let seconds = body.whole("seconds", LONGEST_DRAIN)?;
    wheel.steer(ask, Act::Drain(seconds), body.reason)
}

pub(super) fn undrain(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    wheel.steer(ask, Act::Undrain, None)
}

pub(super) fn pin(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    let body = Body::of(ask, &["seconds", "reason"])?;
    let seconds = body.whole("seconds", LONGEST_PIN)?;
    let seconds = seconds.ok_or_else(|| misfit("seconds", LONGEST_PIN))?;
    wheel.steer(ask, Act::Pin(seconds), body.reason)
}

pub(super) fn unpin(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    wheel.steer(ask, Act::Unpin, None)
}

pub(super) fn release(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    let body = Body::of(ask, &["reason"])?;
    wheel.steer(ask, Act::Release, body.reason)
}

pub(super) fn limit(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    let dimension = dimension(ask)?;
    let body = Body::of(ask, &["limit", "reason"])?;
    if !ask.body.contains_key("limit") {
        return Err(misfit("limit", u32::MAX.into()));
    }
    let limit = body.whole("limit", u32::MAX.into())?;
    let limit = limit.and_then(|limit| u32::try_from(limit).ok());
    wheel.steer(ask, Act::Limit(dimension, limit), body.reason)
}

pub(super) fn unlimit(wheel: &Wheel, ask: &Ask) -> Result<Reply, Refusal> {
    wheel.steer(ask, Act::Limit(dimension(ask)?, None), None)
}

/// The dimension that the path names.
fn dimension(ask: &Ask) -> Result<Dimension, Refusal> {
    let name = ask.path.get(1).map_or("", String::as_str);
    let found = Dimension::ALL.into_iter().find(|it| it.name() == name);
    found.ok_or_else(|| {
        let names = Dimension::ALL.map(Dimension::name).join(", ");
        let message = format!("{name:?} is no dimension of a ceiling; they are {names}");
        Refusal::invalid("dimension", message)
    })
}

/// What stands in a body.
struct Body<'a> {
    keys: &'a Map<String, Value>,
    reason: Option<&'a str>,
}

impl<'a> Body<'a> {
    fn of(ask: &'a Ask, known: &[&str]) -> Result<Self, Refusal> {
        let keys = &ask.body;
        if let Some(other) = keys.keys().find(|key| !known.contains(&key.as_str())) {
            let message = format!("there is no key {other:?}; they are {}", known.join(", "));
            return Err(Refusal::invalid(other, message));
        }
        let reason = match keys.get("reason") {
            None | Some(Value::Null) => None,
            Some(reason) => {
                let short = |it: &&str| it.chars().count() <= LONGEST_REASON;
                let reason = reason.as_str().filter(short).ok_or_else(|| {
                    let message =
                        format!("`reason` is a text of at most {LONGEST_REASON} characters");
                    Refusal::invalid("reason", message)
                })?;
                Some(reason).filter(|reason| !reason.is_empty())
            }
        };
        Ok(Self { keys, reason })
    }

    /// A whole number from 1 on; none where it is left out or null.
    fn whole(&self, name: &str, most: u64) -> Result<Option<u64>, Refusal> {
        match self.keys.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(number) => number
                .as_u64()
                .filter(|number| (1..=most).contains(number))
                .map(Some)
                .ok_or_else(|| misfit(name, most)),
        }
    }
}

fn misfit(name: &str, most: u64) -> Refusal {
    Refusal::invalid(name, format!("`{name}` is a whole number from 1 to {most}"))
}

impl Wheel {
    /// Writes down what is to be done, does it, and notes it; gives the route as it is then.
    fn steer(&self, ask: &Ask, act: Act, reason: Option<&str>) -> Result<Reply, Refusal> {
        let name = ask.name();
        let now = clock::now();
        let shown = |route: &Route| explain::route(&route.view(now), now)["steering"].take();
        let before = self.registry.with(name, |_, route| shown(route));
        let before = before.ok_or_else(|| self.unknown(name))?;
        let mut evidence = act.numbers();
        if let Some(reason) = reason {
            evidence.insert("reason".to_owned(), reason.into());
        }
        let at = clock::unix_micros();
        if let Some(office) = &self.office {
            let asked = Asked {
                config: &self.config,
                who: self.who,
                at,
            };
            let deed = Deed {
                what: format!("route {name} {}", act.verb()),
                before: Some(before.to_string()),
                after: Some(Value::from(evidence.clone()).to_string()),
            };
            office.witness(&asked, deed)?;
        }
        let done = self.registry.with(name, |identity, route| {
            act.apply(route, now);
            told(identity, route, now)
        });
        let done = done.ok_or_else(|| self.unknown(name))?;
        tracing::info!(
            route = name,
            who = self.who,
            reason,
            "a route was {}",
            act.verb()
        );
        evidence.insert("who".to_owned(), self.who.into());
        self.events.note(Event {
            id: 0,
            at_us: u64::try_from(at).unwrap_or_default(),
            kind: Kind::Operator,
            route: Some(name.into()),
            what: format!("An operator has {} this route.", act.verb()).into(),
            evidence,
        });
        Ok(Reply::Json(done))
    }

    /// What to say of a route that is not there.
    fn unknown(&self, name: &str) -> Refusal {
        let all = self.registry.all();
        let names: Vec<String> = all.iter().map(|(it, _)| it.to_string()).collect();
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "GET /api/routes lists them".to_owned(),
        };
        let message = format!("there is no route {name:?}; {help}");
        Refusal {
            param: Some("route".to_owned()),
            ..Refusal::new(http::StatusCode::NOT_FOUND, "not_found", message)
        }
    }
}

/// What is documented of it.
pub(super) fn routes() -> Vec<routes::Route> {
    let steered = |verb: &str, path: &str, about: &str, run| routes::Route {
        about: about.to_owned(),
        refuses: &[404],
        ..asked(
            &format!("/api/routes/{{route}}/{path}"),
            &format!("{verb}_route"),
            Gives::Object,
            Run::Steer(run),
        )
    };
    let changed = |takes, route: routes::Route| routes::Route {
        method: Method::POST,
        takes,
        ..route
    };
    let undone = |route: routes::Route| routes::Route {
        method: Method::DELETE,
        ..route
    };
    vec![
        changed(
            Takes::Drain,
            steered(
                "drain",
                "drain",
                "Sends no new attempt to a route, until that is undone or for so many `seconds`.",
                drain,
            ),
        ),
        undone(steered("undrain", "drain", "Ends a drain.", undrain)),
        changed(
            Takes::Pin,
            steered(
                "pin",
                "pin",
                "Sends every request to a route that it may serve, as long as it is closed and has room.",
                pin,
            ),
        ),
        undone(steered("unpin", "pin", "Ends a pin.", unpin)),
        changed(
            Takes::Reason,
            steered(
                "release",
                "release",
                "Ends whatever holds a route now, but for a drain: a wait, an open circuit, a rejected key.",
                release,
            ),
        ),
        routes::Route {
            method: Method::PUT,
            ..changed(
                Takes::Limit,
                steered(
                    "limit",
                    "ceilings/{dimension}",
                    "Puts a limit before everything told, read or learned: `requests`, `tokens`, `input_tokens` or `output_tokens` a minute, or `concurrency`.",
                    limit,
                ),
            )
        },
        undone(steered(
            "unlimit",
            "ceilings/{dimension}",
            "Takes an operator's limit away; what was known before is in force again.",
            unlimit,
        )),
    ]
}
