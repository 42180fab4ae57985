//! Following sessions finds more of their prompts kept, and costs nobody anything.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use scoring::tuning::Tuning;
use sim::policy::Kind;
use sim::scenario::read;
use sim::suite::{Fit, Suite};

/// Seeds that no constant was chosen by.
const SEEDS: [u64; 2] = [901, 902];

/// Four equal routes that keep prompts for five minutes; one is slow for a while.
const TALKS: &str = r#"
question = "Do sessions find their prompts kept, and leave a route that is slow?"
duration = "12m"
warmup = "2m"
incident = ["6m", "8m"]

[[traffic]]
rate = 20.0
lengths = "mooncake"
conversations = 200

[[routes]]
name = "a"
cache_ttl = "5m"

[[routes]]
name = "b"
cache_ttl = "5m"

[[routes]]
name = "c"
cache_ttl = "5m"

[[routes]]
name = "d"
cache_ttl = "5m"

[[faults]]
on = ["b"]
from = "6m"
until = "8m"
latency_factor = 3.0
"#;

/// The metrics' means of the product's own policy, when so much of what is saved counts.
fn measured(text: &str, affinity: f32) -> impl Fn(&str) -> f64 {
    let mut tuning = Tuning::default();
    tuning.cost.affinity = affinity;
    let suite = Suite {
        scenarios: vec![read("talks", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))],
        traces: Vec::new(),
        synthetic: true,
        fit: Fit::Rate,
        policies: vec![Kind::Adaptive, Kind::Oracle, Kind::OracleWeighted],
        subject: Kind::Adaptive,
        seeds: SEEDS.to_vec(),
        tuning,
        plotted: Vec::new(),
        threads: 1,
        whole: true,
    };
    let report = suite.run(&());
    let of_policy = report.scenarios[0].policies.iter();
    let own = of_policy.clone().find(|it| it.policy == report.subject);
    let metrics = own.unwrap().metrics.clone();
    move |name| metrics.get(name).unwrap().mean
}

#[test]
fn sessions_find_more_of_their_prompts_kept() {
    let (with, without) = (measured(TALKS, 1.0), measured(TALKS, 0.0));
    let told = |name: &str| format!("{name}: {} with, {} without", with(name), without(name));
    assert!(with("kept") > 1.5 * without("kept"), "{}", told("kept"));
    assert!(
        with("first_ms") < 0.95 * without("first_ms"),
        "{}",
        told("first_ms")
    );
    assert!(with("cost_ms") < without("cost_ms"), "{}", told("cost_ms"));
    assert!(with("regret") < without("regret"), "{}", told("regret"));
    assert!(with("success") >= without("success"), "{}", told("success"));
    assert!(
        with("share_deviation") < without("share_deviation") + 0.02,
        "{}",
        told("share_deviation")
    );
}

/// Where routes keep nothing, following buys nothing and must cost next to nothing.
#[test]
fn sessions_cost_nothing_where_nothing_is_kept() {
    let bare = TALKS.replace("cache_ttl = \"5m\"\n", "");
    let (with, without) = (measured(&bare, 1.0), measured(&bare, 0.0));
    let told = |name: &str| format!("{name}: {} with, {} without", with(name), without(name));
    assert!(
        with("cost_ms") < 1.01 * without("cost_ms"),
        "{}",
        told("cost_ms")
    );
    assert!(with("success") >= without("success"), "{}", told("success"));
}
