//! Does `replay` of a recording tell both answers?
//!
//! # Invariants
//! - The recording is written and read as a file, with seed 6; the file is taken away again.

use std::path::PathBuf;

use scoring::tuning::Tuning;

use super::proof::{LOGGED, log};
use crate::command::{Replay, replay};
use crate::policy::Kind;
use crate::trace;

/// A file that is taken away when dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("trimtab-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_recording_is_replayed_in_its_own_world_and_judged() {
    let file = File::new("recording.jsonl");
    let json = File::new("report.json");
    let page = File::new("report.html");
    let mut lines = Vec::new();
    let recorded = log(Kind::Static, LOGGED, 6, &Tuning::default());
    trace::write(&mut lines, &recorded).unwrap();
    std::fs::write(&file.0, lines).unwrap();
    let options = Replay {
        trace: vec![file.0.clone()],
        seed: 6,
        policy: vec![
            "static".to_owned(),
            "round-robin".to_owned(),
            "p2c-peak-ewma".to_owned(),
        ],
        json: Some(json.0.clone()),
        html: Some(page.0.clone()),
        quiet: true,
        ..Replay::default()
    };
    let said = replay(&options, &Tuning::default()).unwrap();
    assert!(said.holds);
    assert!(said.text.starts_with("recorded@"), "{}", said.text);
    let (_, production) = said.text.split_once("from production: ").unwrap();
    assert!(!production.contains("p2c"), "{production}");

    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&json.0).unwrap()).unwrap();
    let policies = report["production"]["policies"].as_array().unwrap();
    let names: Vec<_> = policies
        .iter()
        .map(|it| it["policy"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["adaptive", "static", "round-robin"]);
    let own = &policies[1]["estimate"];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let logged = number(&own["logged_ms"]);
    let simulated = number(&own["simulated_ms"]);
    let robust = number(&own["doubly_robust"]["mean_ms"]);
    assert!((simulated / logged - 1.0).abs() < 0.05, "{own}");
    assert!((robust / logged - 1.0).abs() < 0.02, "{own}");
    assert!(
        production.contains(&format!("{robust:.1} ±")),
        "{production}"
    );
    let page = std::fs::read_to_string(&page.0).unwrap();
    assert!(page.contains("\"production\":{") && page.contains("productionSection()"));
}

#[test]
fn a_named_scenario_or_a_warp_is_what_was_asked_for() {
    let file = File::new("named.jsonl");
    let mut lines = Vec::new();
    let recorded = log(Kind::Static, LOGGED, 6, &Tuning::default());
    trace::write(&mut lines, &recorded).unwrap();
    std::fs::write(&file.0, lines).unwrap();
    let options = Replay {
        scenario: vec!["s10-dead".to_owned()],
        trace: vec![file.0.clone()],
        policy: vec!["static".to_owned()],
        quiet: true,
        ..Replay::default()
    };
    let said = replay(&options, &Tuning::default()).unwrap();
    assert!(said.text.starts_with("s10-dead@"), "{}", said.text);
    assert!(!said.text.contains("from production"));
}
