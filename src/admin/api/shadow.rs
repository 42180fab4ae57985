//! What would the constants that are tried beside the live ones have made of the traffic?
//!
//! # Invariants
//! - A difference is told with its interval or not at all: then with the reason.

use scoring::shadow::{Estimate, Refusal, Report};
use scoring::tuning::{Tuning, constants};
use serde_json::{Value, json};

use crate::proxy::Shared;
use crate::routing::Model;

/// What the shadow has found out, model by model; an empty list where there is none.
pub(super) fn show(shared: &Shared) -> String {
    let serving = shared.serving.load();
    let config = &serving.config;
    let Some(shadow) = &config.shadow else {
        return json!({ "sample": null, "constants": [], "data": [] }).to_string();
    };
    let models = serving.routing.models.iter().filter_map(model);
    json!({
        "sample": plain(shadow.sample.into()),
        "constants": changes(&config.tuning, &shadow.tuning),
        "data": models.collect::<Vec<_>>(),
    })
    .to_string()
}

/// The constants that differ; spans in seconds.
fn changes(live: &Tuning, shadow: &Tuning) -> Vec<Value> {
    let differs = constants().iter().filter_map(|it| {
        let (of_live, of_shadow) = ((it.get)(live), (it.get)(shadow));
        let differs = of_live.to_bits() != of_shadow.to_bits();
        differs
            .then(|| json!({"name": it.name, "live": plain(of_live), "shadow": plain(of_shadow)}))
    });
    differs.collect()
}

/// A number that is kept in single precision, as it was written.
fn plain(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}

fn model(model: &Model) -> Option<Value> {
    let report = model.tally.as_ref()?.report();
    let shares = model.targets.iter().zip(&report.routes);
    let routes: Vec<Value> = shares
        .map(|(target, share)| {
            json!({
                "route": target.identity.to_string(),
                "live_share": share.live,
                "shadow_share": share.shadow,
            })
        })
        .collect();
    let Report {
        sampled,
        live_refused,
        shadow_refused,
        left_out,
        clipped,
        clipped_share,
        agreement,
        unsupported,
        effective,
        ..
    } = report;
    Some(json!({
        "model": model.name,
        "sampled": sampled,
        "live_refused": live_refused,
        "shadow_refused": shadow_refused,
        "left_out": left_out,
        "agreement": (sampled > 0).then_some(agreement),
        "unsupported": (sampled > 0).then_some(unsupported),
        "clipped": clipped,
        "clipped_share": clipped_share,
        "effective": effective,
        "estimates": {
            "success_rate": told(&report.success_rate),
            "cost_ms": told(&report.cost_ms),
            "ttft_ms": told(&report.ttft_ms),
        },
        "routes": routes,
    }))
}

fn told(estimate: &Result<Estimate, Refusal>) -> Value {
    match estimate {
        Ok(it) => json!({
            "requests": it.requests,
            "effective": it.effective,
            "live": it.live,
            "shadow": it.shadow,
            "difference": it.difference,
            "low": it.low,
            "high": it.high,
        }),
        Err(refusal) => json!({ "refused": refusal.to_string() }),
    }
}
