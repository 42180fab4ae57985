//! What housekeeping looks at for the watch, and what it notes of reloads.
//!
//! # Invariants
//! - Nothing here can fail, and nothing that is served depends on it.

use std::path::Path;

use scoring::time::Time;
use serde_json::{Map, Value, json};

use crate::observe::events::{Event, Kind};
use crate::observe::watch::Scene;
use crate::proxy::{Serving, Shared};

use super::{ReloadError, unix_us};

/// Characters of a problem that an event tells; the log has all of it.
const TOLD: usize = 500;

/// Looks at what there is to see.
pub(super) fn look(shared: &Shared, serving: &Serving, now: Time) {
    let lasting = &shared.lasting;
    let scene = Scene {
        routing: &serving.routing,
        registry: &lasting.registry,
        metrics: &lasting.metrics,
        budget: &shared.budget,
        events: &lasting.events,
        threshold: serving.config.tuning.circuit.threshold,
    };
    lasting.watch.look(&scene, now, unix_us());
}

/// Notes what came of a configuration that was read anew.
pub(super) fn reloaded(shared: &Shared, file: &Path, taken: &Result<(), ReloadError>) {
    let name = file.display().to_string();
    let metrics = shared.metrics();
    let (what, result, problem) = match taken {
        Ok(()) => {
            metrics.reloaded(unix_us());
            tracing::info!(file = %name, "configuration taken over");
            (format!("configuration taken over from {name}"), "ok", None)
        }
        Err(problem) => {
            metrics.reload_refused();
            tracing::error!(file = %name, "configuration refused, the old one stays:\n{problem}");
            let problem: String = problem.to_string().chars().take(TOLD).collect();
            let first = problem.lines().next().unwrap_or_default();
            let what = format!("configuration {name} refused, the old one stays: {first}");
            (what, "refused", Some(problem))
        }
    };
    let serving = shared.serving.load();
    let (ok, refused) = metrics.reloads();
    let evidence = json!({
        "file": name,
        "result": result,
        "problem": problem,
        "models": serving.config.models.len(),
        "providers": serving.config.providers.len(),
        "reloads_ok": ok,
        "reloads_refused": refused,
    });
    shared.lasting.events.note(Event {
        id: 0,
        at_us: unix_us(),
        kind: Kind::Config,
        route: None,
        what: what.into(),
        evidence: match evidence {
            Value::Object(evidence) => evidence,
            _ => Map::new(),
        },
    });
}
