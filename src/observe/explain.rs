//! Decisions and states as JSON, for the client or operator that asked.
//!
//! # Invariants
//! - Built only on request, never on the ordinary path.
//! - A decision's terms are the very numbers that it was made with.

use scoring::ceiling::Dimension;
use scoring::cost::Terms;
use scoring::latency::Class;
use scoring::outcome::Outcome;
use scoring::route::{RouteView, Steering};
use scoring::select::{Decision, Explanation};
use scoring::time::Time;
use serde_json::{Map, Value, json};

/// A decision with every candidate's gate, terms and propensity; `routes` are the candidates' names in the pool's order.
#[must_use]
pub fn decision<'a>(
    decision: &Decision,
    explanation: &Explanation,
    routes: impl Fn(usize) -> &'a str,
) -> Value {
    let candidates: Vec<Value> = explanation
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "route": routes(candidate.index),
                "gate": lower(&candidate.gate),
                "state": candidate.state.name(),
                "terms_ms": terms(&candidate.cost),
                "cost_ms": candidate.cost.total(),
                "failure": candidate.failure,
                "utilisation": candidate.utilisation,
                "score": candidate.score,
                "weight": candidate.weight,
                "ramp": candidate.ramp,
                "taper": candidate.taper,
                "in_band": candidate.in_band,
                "p": candidate.propensity,
            })
        })
        .collect();
    let picked = match decision {
        Decision::Picked(pick) => json!({
            "route": routes(pick.index),
            "mode": lower(&pick.mode),
            "p": pick.propensity,
            "score": pick.score,
        }),
        Decision::Shed {
            retry_after,
            reason,
        } => json!({"shed": lower(reason), "retry_after_ms": retry_after.as_millis_f64()}),
        Decision::Exhausted => json!({"exhausted": true}),
    };
    json!({
        "picked": picked,
        "expected_output": explanation.expected_output,
        "alternative_ms": explanation.alternative_ms,
        "band_ratio": explanation.band_ratio,
        "candidates": candidates,
    })
}

/// The state of a route, as seen at `now`.
#[must_use]
pub fn route(view: &RouteView, now: Time) -> Value {
    let outcomes: Map<String, Value> = Outcome::ALL
        .iter()
        .zip(view.outcomes)
        .map(|(outcome, count)| (outcome.name().to_owned(), count.into()))
        .collect();
    let latency: Map<String, Value> = Class::ALL
        .iter()
        .zip(&view.classes)
        .filter(|(_, class)| class.measured)
        .map(|(class, view)| {
            let shown = json!({
                "first_ms": view.model.first_ms,
                "per_input_us": view.model.per_input_us,
                "per_output_us": view.model.per_output_us,
                "drift": view.drift,
                "against_baseline": view.against_baseline,
                "degraded": view.degraded,
                "expected_output": view.expected_output,
            });
            (class.name().to_owned(), shown)
        })
        .collect();
    let ceilings: Vec<Value> = view
        .ceilings
        .ceilings
        .iter()
        .flatten()
        .map(|ceiling| {
            json!({
                "dimension": ceiling.dimension.name(),
                "source": ceiling.source.name(),
                "limit": ceiling.limit,
                "headroom": ceiling.headroom,
                "utilisation": ceiling.utilisation,
            })
        })
        .collect();
    json!({
        "state": view.state.name(),
        "wait_ms": view.wait.map(scoring::time::Span::as_millis_f64),
        "share": view.share,
        "failure": view.failure,
        "error_fast": view.error_fast,
        "error_slow": view.error_slow,
        "inflight": view.inflight,
        "dispatched": view.dispatched,
        "outcomes": outcomes,
        "tokens_in": view.tokens_in,
        "tokens_out": view.tokens_out,
        "latency": latency,
        "ceilings": ceilings,
        "hold": view.ceilings.hold.map(|(until, reason)| json!({
            "reason": reason.name(),
            "left_ms": until.since(now).as_millis_f64(),
        })),
        "steering": steering(&view.steering, now),
    })
}

/// What operators have done with a route; an end that is null is when it is undone.
fn steering(steering: &Steering, now: Time) -> Value {
    let left = |until: Option<Time>| json!({ "left_ms": until.map(|until| until.since(now).as_millis_f64()) });
    let limits: Map<String, Value> = Dimension::ALL
        .iter()
        .zip(steering.overrides)
        .filter_map(|(dimension, limit)| Some((dimension.name().to_owned(), limit?.into())))
        .collect();
    json!({
        "drained": steering.drained.map(|until| left(until.instant())),
        "pinned": steering.pinned_until.map(|until| left(Some(until))),
        "limits": limits,
    })
}

fn terms(terms: &Terms) -> Value {
    json!({
        "latency": terms.model_ms,
        "drift": terms.drift_ms,
        "utilisation": terms.utilisation_ms,
        "failure": terms.failure_ms,
        "price": terms.price_ms,
        "affinity": terms.affinity_ms,
    })
}

/// A variant's name in lower case.
fn lower(variant: &impl std::fmt::Debug) -> String {
    format!("{variant:?}").to_ascii_lowercase()
}
