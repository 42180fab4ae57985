//! The mock's own endpoints: read and clear the ledger, change faults at run time, see how providers stand.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /mock/attempts?since=SEQ` | the attempts after number SEQ, oldest first, as a JSON array |
//! | `GET /mock/totals` | what all attempts that have ended came to, by provider, path and end, as a JSON array |
//! | `GET /mock/request?seq=SEQ` | the request of attempt SEQ: method, target, headers and body |
//! | `DELETE /mock/attempts` | forgets the attempts and how often counted faults struck |
//! | `POST /mock/faults` | sets or clears a provider's fault or latency factor; see [`Change`] |
//! | `GET /mock/state` | age, number of attempts, and each provider's faults and load |
//!
//! # Invariants
//! - A change is made whole or refused whole.

use hyper::{Method, Response};
use serde::{Deserialize, Deserializer, Serialize};

use super::answer::Answer;
use super::catalogue::Fault;
use super::ledger::Attempt;
use super::refusals::{self, JSON, Reply};
use super::state::State;
use super::tongue::Voice;

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
    let parameter = |name: &str| {
        let mut pairs = query.unwrap_or("").split('&');
        pairs.find_map(|pair| pair.strip_prefix(name))
    };
    match (name, method) {
        ("attempts", &Method::GET) => match parameter("since=").unwrap_or("0").parse() {
            Ok(since) => attempts(state, since),
            Err(_) => bad("`since` is not a number".to_owned()),
        },
        ("request", &Method::GET) => parameter("seq=")
            .and_then(|seq| request(state, seq.parse().ok()?))
            .unwrap_or_else(|| bad("no request of that `seq` is kept".to_owned())),
        ("attempts", &Method::DELETE) => {
            state.forget();
            refusals::response(200, JSON, "{}")
        }
        ("faults", &Method::POST) => match serde_json::from_slice(body) {
            Ok(change) => apply(state, &change).map_or_else(bad, |()| standing(state)),
            Err(error) => bad(error.to_string()),
        },
        ("state", &Method::GET) => standing(state),
        ("totals", &Method::GET) => list(state.ledger.borrow().totals()),
        _ => Reply::new(405, "invalid_request_error", "", "The method does not fit.")
            .response(Voice::default()),
    }
}

fn attempts(state: &State, since: u64) -> Response<Answer> {
    let ledger = state.ledger.borrow();
    let attempts: Vec<&Attempt> = ledger.since(since).collect();
    list(&attempts)
}

fn list<T: Serialize>(list: &[T]) -> Response<Answer> {
    match serde_json::to_vec(list) {
        Ok(body) => refusals::response(200, JSON, body),
        Err(error) => {
            Reply::new(500, "server_error", "", error.to_string()).response(Voice::default())
        }
    }
}

/// The request of an attempt, while it is kept.
fn request(state: &State, seq: u64) -> Option<Response<Answer>> {
    let ledger = state.ledger.borrow();
    let attempt = ledger.since(seq.checked_sub(1)?).next()?;
    let request = attempt.received.as_ref().filter(|_| attempt.seq == seq)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = request.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| [name.as_str().to_owned(), text(value.as_bytes())])
        .collect();
    let body = serde_json::json!({
        "seq": seq,
        "method": request.method.as_str(),
        "target": request.target,
        "headers": headers,
        "body": text(&request.body),
    });
    Some(refusals::response(200, JSON, body.to_string()))
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
    Reply::new(400, "invalid_request_error", "", problem).response(Voice::default())
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Fault>>, D::Error> {
    Option::deserialize(from).map(Some)
}
