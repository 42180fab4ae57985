//! What holds, what would hold if the file were read now, and shall it be?
//!
//! # Invariants
//! - No secret is told; values are as the file writes them.
//! - Nothing here changes the file.

use serde_json::{Value, json};

use crate::config::{self, Change, Config, Setting};
use crate::observe::reloads::Reloads;
use crate::proxy::Shared;

/// What holds, key by key.
pub(super) fn show(shared: &Shared) -> String {
    let serving = shared.serving.load();
    let reloads = &shared.lasting.reloads;
    let metrics = shared.metrics();
    let last = reloads.last();
    let (ok, refused) = metrics.reloads();
    let told = |setting: &Setting| {
        let source = if setting.is_written {
            "file"
        } else {
            "default"
        };
        json!({"path": setting.path, "value": setting.value, "source": source})
    };
    let settings: Vec<Value> = serving.config.settings.iter().map(told).collect();
    json!({
        "file": reloads.file().map(|file| file.display().to_string()),
        "version": env!("CARGO_PKG_VERSION"),
        "reloads": {
            "ok": ok,
            "refused": refused,
            "last_us": last.as_ref().map(|it| it.at_us),
            "last_error": last.and_then(|it| it.problem),
        },
        "settings": settings,
    })
    .to_string()
}

/// What the file says otherwise than what holds, and what is wrong with it.
pub(super) fn pending(reloads: &Reloads, running: &Config) -> Value {
    let Some(file) = reloads.file() else {
        return json!({"changed": [], "problems": []});
    };
    match config::load(file) {
        Err(report) => {
            let mut told: Value = serde_json::from_str(&report.json()).unwrap_or_default();
            json!({"changed": [], "problems": told["problems"].take()})
        }
        Ok(read) => {
            let told = |change: &Change| json!({"path": change.path, "running": change.before, "file": change.after});
            let changed = config::changes(&running.settings, &read.settings);
            let changed: Vec<Value> = changed.iter().map(told).collect();
            json!({"changed": changed, "problems": []})
        }
    }
}

/// Has the file read anew.
pub(super) fn reload(shared: &Shared) -> String {
    let reloads = &shared.lasting.reloads;
    let asked = reloads.file().is_some();
    if asked {
        reloads.want();
    }
    json!({"asked": asked}).to_string()
}
