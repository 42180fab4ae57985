//! The same seed gives the same bytes, however many cores there are.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use scoring::tuning::Tuning;
use sim::policy::Kind;
use sim::report;
use sim::scenario::{Scenario, read};
use sim::suite::{Fit, Suite};

/// Two minutes of everything: limits, faults, replicas, prefixes, a closed loop.
const BUSY: &str = r#"
question = "Is it the same every time?"
duration = "2m"
warmup = "10s"
replicas = 2

[[traffic]]
rate = 40.0
arrivals = { gamma = 3.0 }
conversations = 20

[[traffic]]
clients = 5
think = "1s"
class = "embedding"

[[routes]]
name = "a"
cache_ttl = "1m"
limits = { dialect = "open-ai", tpm_share = 0.4 }

[[routes]]
name = "b"
slowdown = { from_share = 1.0 }
limits = { dialect = "silent", rpm_share = 0.4 }

[[routes]]
name = "c"

[[faults]]
on = ["c"]
from = "30s"
until = "60s"
kind = "silence"
probability = 0.3

[[faults]]
on = ["a"]
from = "70s"
until = "100s"
kind = "cut-9"
probability = 0.2
latency_factor = 2.0
"#;

fn busy() -> Scenario {
    read("busy", BUSY).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn suite(threads: usize, seeds: Vec<u64>) -> Suite {
    Suite {
        scenarios: vec![busy()],
        traces: Vec::new(),
        synthetic: true,
        fit: Fit::Rate,
        policies: Kind::ALL.to_vec(),
        subject: Kind::Adaptive,
        seeds,
        tuning: Tuning::default(),
        plotted: vec![Kind::Adaptive, Kind::P2cPeakEwma],
        threads,
        whole: true,
    }
}

#[test]
fn the_same_seeds_give_the_same_bytes_on_any_number_of_threads() {
    let one = suite(1, vec![7, 8]).run(&());
    let four = suite(4, vec![7, 8]).run(&());
    assert_eq!(report::json(&one), report::json(&four));
    assert_eq!(report::html(&one).unwrap(), report::html(&four).unwrap());
    let other = suite(1, vec![9, 8]).run(&());
    assert_ne!(report::json(&one), report::json(&other));
}

#[test]
fn every_request_is_accounted_for() {
    let report = suite(2, vec![7]).run(&());
    for standing in &report.scenarios[0].policies {
        let series = standing.series.as_ref();
        let Some(series) = series else { continue };
        let arrived: u32 = series.arrived.iter().sum();
        let picked: u32 = series.routes.iter().flat_map(|it| &it.picks).sum();
        let shed: u32 = series.shed.iter().sum();
        assert!(
            picked + shed <= arrived && picked + shed + 2 >= arrived,
            "{}: {arrived} came, {picked} were sent and {shed} refused",
            standing.policy
        );
    }
}

#[test]
fn our_own_decisions_reconstruct() {
    let report = suite(2, vec![7, 8, 9]).run(&());
    let ours = &report.scenarios[0].policies[0];
    let unexplained = &ours.metrics["unexplained"];
    assert!(unexplained.mean <= 0.0, "{unexplained:?}");
}
