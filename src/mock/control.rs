//! The mock's own endpoints: read and clear the ledger, change faults at run time, see how providers stand.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /mock/attempts?since=SEQ` | the attempts after number SEQ, oldest first, as a JSON array |
//! | `DELETE /mock/attempts` | forgets the attempts and how often counted faults struck |
//! | `POST /mock/faults` | sets or clears a provider's fault or latency factor; see [`Change`] |
//! | `GET /mock/state` | age, number of attempts, and each provider's faults and load |
//!
//! # Invariants
//! - A change is made whole or refused whole.

use hyper::{Method, Response};
use serde::{Deserialize, Deserializer};

use super::answer::Answer;
use super::catalogue::Fault;
use super::ledger::Attempt;
use super::refusals::{self, JSON, Reply};
use super::state::State;

/// The largest latency factor an operator may set.
const LARGEST_FACTOR: f64 = 1e4;

/// A change of a provider's behaviour.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    provider: String,
    /// Absent: unchanged; null: cleared; a name: set.
    #[serde(default, deserialize_with = "present")]
    fault: Option<Option<Fault>>,
    /// How often the fault strikes one tag; absent: without end.
    times: Option<u32>,
    /// Factor on latency; absent: unchanged.
    latency_factor: Option<f64>,
}

/// Answers a request to one of the mock's own endpoints.
pub(super) fn respond(
    state: &State,
    method: &Method,
    name: &str,
    query: Option<&str>,
    body: &[u8],
) -> Response<Answer> {
    match (name, method) {
        ("attempts", &Method::GET) => {
            let since =
                query.and_then(|it| it.split('&').find_map(|pair| pair.strip_prefix("since=")));
            match since.unwrap_or("0").parse() {
                Ok(since) => attempts(state, since),
                Err(_) => bad("`since` is not a number".to_owned()),
            }
        }
        ("attempts", &Method::DELETE) => {
            state.forget();
            refusals::response(200, JSON, "{}")
        }
        ("faults", &Method::POST) => match serde_json::from_slice(body) {
            Ok(change) => apply(state, &change).map_or_else(bad, |()| standing(state)),
            Err(error) => bad(error.to_string()),
        },
        ("state", &Method::GET) => standing(state),
        _ => Reply::new(405, "invalid_request_error", "", "The method does not fit.").response(),
    }
}

fn attempts(state: &State, since: u64) -> Response<Answer> {
    let ledger = state.ledger.borrow();
    let attempts: Vec<&Attempt> = ledger.since(since).collect();
    match serde_json::to_vec(&attempts) {
        Ok(body) => refusals::response(200, JSON, body),
        Err(error) => Reply::new(500, "server_error", "", error.to_string()).response(),
    }
}

fn apply(state: &State, change: &Change) -> Result<(), String> {
    let index = state
        .find(&change.provider)
        .ok_or_else(|| format!("there is no provider `{}`", change.provider))?;
    if let Some(factor) = change.latency_factor
        && !(0.0..=LARGEST_FACTOR).contains(&factor)
    {
        return Err(format!(
            "`latency_factor` is {factor}: allowed are 0 to {LARGEST_FACTOR}"
        ));
    }
    let mut faults = state.providers[index].faults.borrow_mut();
    if let Some(fault) = change.fault {
        faults.set(fault, change.times);
    }
    if let Some(factor) = change.latency_factor {
        faults.set_factor(factor);
    }
    Ok(())
}

fn standing(state: &State) -> Response<Answer> {
    let providers: serde_json::Map<String, serde_json::Value> = state
        .providers
        .iter()
        .map(|provider| {
            let faults = provider.faults.borrow();
            let standing = serde_json::json!({
                "fault": faults.operator(),
                "latency_factor": faults.operator_factor(),
                "in_flight": provider.in_flight.get(),
            });
            (provider.name.to_string(), standing)
        })
        .collect();
    let body = serde_json::json!({
        "age_us": state.age().as_micros(),
        "attempts": state.ledger.borrow().last(),
        "providers": providers,
    });
    refusals::response(200, JSON, body.to_string())
}

fn bad(problem: String) -> Response<Answer> {
    Reply::new(400, "invalid_request_error", "", problem).response()
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Fault>>, D::Error> {
    Option::deserialize(from).map(Some)
}
