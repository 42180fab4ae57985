//! Policies that were recorded, and others that were estimated from what was recorded and then really run.
//!
//! # Invariants
//! - The truth is the mean of runs in the very world that was recorded, over the same requests, with other noise.

use scoring::tuning::Tuning;

use super::super::estimate::{summed, terms};
use super::super::{Estimate, Fitted, Refusal, recorded, world};
use super::tape::recording;
use crate::measure::Watch;
use crate::policy::Kind;
use crate::scenario::{Scenario, read};
use crate::suite;
use crate::trace::{Trace, synthetic};

/// Three routes, one of which is slow for one minute, and one fails now and then.
pub(super) const WORLD: &str = "
question = 'Is it found?'
duration = '4m'
[retry]
same_route = 0
[[traffic]]
rate = 8.0
[[routes]]
name = 'a'
ttft = '400ms'
tpot = '10ms'
[[routes]]
name = 'b'
ttft = '600ms'
tpot = '15ms'
[[routes]]
name = 'c'
ttft = '900ms'
tpot = '20ms'
[[faults]]
on = ['b']
from = '90s'
until = '150s'
latency_factor = 2.5
[[faults]]
on = ['c']
kind = '503'
probability = 0.02
";

/// Shares with which most is recorded here.
pub(super) const LOGGED: [f32; 3] = [0.5, 0.3, 0.2];
/// Shares of a policy that is to be judged: more of what was seldom chosen.
const WANTED: [f32; 3] = [0.2, 0.4, 0.4];
/// Seeds of a proof: 1 to 20.
const SEEDS: u64 = 20;
/// How many of them must be judged.
const LEAST_JUDGED: f64 = 17.0;
/// Part of those that the interval must cover.
const COVERED: f64 = 0.9;

fn weighted(weights: [f32; 3]) -> Scenario {
    scenario(WORLD, weights)
}

/// The scenario of that text with these weights.
pub(super) fn scenario(text: &str, weights: [f32; 3]) -> Scenario {
    let mut scenario = read("world", text).unwrap();
    for (route, weight) in scenario.routes.iter_mut().zip(weights) {
        route.weight = weight;
    }
    scenario
}

fn requests(seed: u64) -> Trace {
    let scenario = weighted(LOGGED);
    synthetic(&scenario.traffic, scenario.duration, seed)
}

/// What `kind` recorded on the requests of `seed`.
pub(super) fn log(kind: Kind, weights: [f32; 3], seed: u64, tuning: &Tuning) -> Trace {
    recording(kind, &weighted(weights), (&requests(seed), seed), tuning)
}

/// The world behind a recording, for a policy with the weights `wanted`.
fn fitted(recorded: &Trace, wanted: [f32; 3]) -> Fitted {
    let mut fitted = world(recorded).unwrap();
    for route in &mut fitted.scenario.routes {
        let place = ["a", "b", "c"].iter().position(|it| *it == route.name);
        route.weight = wanted[place.unwrap()];
    }
    fitted
}

/// What `kind` really costs on the requests of `seed`.
fn truth((kind, weights, tuning): (Kind, [f32; 3], &Tuning), seed: u64) -> f64 {
    const RUNS: u64 = 8;
    let scenario = weighted(weights);
    let requests = requests(seed);
    let cost = |run: u64| {
        let run = (&requests, 1_000 * seed + run);
        suite::one(kind, &scenario, run, tuning, Watch::Numbers).values["cost_raw_ms"]
    };
    (1..=RUNS).map(cost).sum::<f64>() / RUNS as f64
}

/// A recorded policy and one that is judged by the recording.
struct Proof {
    logged: (Kind, Tuning),
    judged: (Kind, [f32; 3], Tuning),
}

impl Proof {
    fn estimate(&self, seed: u64) -> Result<Estimate, Refusal> {
        let (kind, tuning) = &self.logged;
        let fitted = fitted(&log(*kind, LOGGED, seed, tuning), self.judged.1);
        recorded(&fitted, self.judged.0, &self.judged.2, seed)
    }

    fn truth(&self, seed: u64) -> f64 {
        let (kind, weights, tuning) = &self.judged;
        truth((*kind, *weights, tuning), seed)
    }

    /// Whether both intervals cover the truth in nine of ten seeds, and the doubly robust one is the tighter.
    ///
    /// A recording of a policy that learns may turn out too thin; that may be said of few.
    fn holds(&self) {
        let (mut judged, mut robust, mut ips) = (0.0, 0.0, 0.0);
        for seed in 1..=SEEDS {
            let Ok(estimate) = self.estimate(seed) else {
                continue;
            };
            let truth = self.truth(seed);
            judged += 1.0;
            robust += f64::from(u8::from(estimate.doubly_robust.covers(truth)));
            ips += f64::from(u8::from(estimate.ips.covers(truth)));
            let told = format!("seed {seed}: {truth:.1} {estimate:?}");
            // Far enough apart that an estimate of the recorded policy would be found out.
            assert!(!estimate.ips.covers(estimate.logged_ms), "{told}");
            let half = estimate.doubly_robust.half_ms();
            assert!(half < 0.6 * estimate.ips.half_ms(), "{told}");
            assert!(half < 0.06 * truth, "{told}");
        }
        assert!(judged >= LEAST_JUDGED, "{judged} of {SEEDS} seeds");
        assert!(
            robust >= COVERED * judged && ips >= COVERED * judged,
            "of {judged} seeds doubly robust covers {robust}, IPS {ips}"
        );
    }
}

#[test]
fn other_weights_are_judged_by_a_recording_of_weights() {
    Proof {
        logged: (Kind::Static, Tuning::default()),
        judged: (Kind::Static, WANTED, Tuning::default()),
    }
    .holds();
}

/// Without exploration, which the recording spares it: what it would have gone to find out, others' choices tell.
#[test]
fn our_policy_is_judged_by_a_recording_of_weights() {
    let mut tuning = Tuning::default();
    tuning.draw.explore = 0.0;
    Proof {
        logged: (Kind::Static, Tuning::default()),
        judged: (Kind::Adaptive, [1.0; 3], tuning),
    }
    .holds();
}

#[test]
fn what_exploring_costs_is_not_seen_but_is_little() {
    let proof = Proof {
        logged: (Kind::Static, Tuning::default()),
        judged: (Kind::Adaptive, [1.0; 3], Tuning::default()),
    };
    let off = |seed| proof.estimate(seed).unwrap().doubly_robust.mean_ms / proof.truth(seed) - 1.0;
    let offs: Vec<f64> = (1..=6).map(off).collect();
    let mean = offs.iter().sum::<f64>() / 6.0;
    assert!(mean.abs() < 0.015, "{offs:?}");
}

#[test]
fn weights_are_judged_by_a_recording_of_our_policy_with_a_wide_band() {
    let mut wide = Tuning::default();
    wide.draw.band = 10.0;
    Proof {
        logged: (Kind::Adaptive, wide),
        judged: (Kind::Static, WANTED, Tuning::default()),
    }
    .holds();
}

#[test]
fn a_recording_of_a_policy_says_of_it_what_it_cost() {
    let trace = log(Kind::Adaptive, LOGGED, 3, &Tuning::default());
    let fitted = fitted(&trace, LOGGED);
    let it = recorded(&fitted, Kind::Adaptive, &Tuning::default(), 3).unwrap();
    assert!(it.effective > 0.9 * it.judged as f64, "{it:?}");
    assert!(it.ips.covers(it.logged_ms), "{it:?}");
    assert!(
        (it.doubly_robust.mean_ms / it.logged_ms - 1.0).abs() < 0.02,
        "{it:?}"
    );
}

#[test]
fn what_was_hardly_ever_chosen_is_refused() {
    let refusal = |weights| {
        let trace = log(Kind::Static, weights, 5, &Tuning::default());
        recorded(&fitted(&trace, WANTED), Kind::Static, &Tuning::default(), 5).unwrap_err()
    };
    match refusal([0.99, 0.005, 0.005]) {
        Refusal::NeverChosen {
            route,
            mass,
            logged,
        } => {
            assert!(
                route != "a" && (mass - 40.0).abs() < 0.1 && logged < 20,
                "{logged}"
            );
        }
        other => panic!("{other}"),
    }
    match refusal([0.97, 0.015, 0.015]) {
        Refusal::Thin {
            route, effective, ..
        } => {
            assert!(
                route != "a" && (50.0..100.0).contains(&effective),
                "{effective}"
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn choices_that_were_certain_support_no_others() {
    let mut curious = Tuning::default();
    curious.draw.explore = 0.05;
    let trace = log(Kind::Adaptive, LOGGED, 5, &curious);
    let refused = recorded(&fitted(&trace, WANTED), Kind::Static, &Tuning::default(), 5);
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Forced { mass, .. } if *mass > 30.0),
        "{refused}"
    );
    assert!(refused.to_string().contains("turn exploration up"));
}

#[test]
fn chances_that_are_wrong_are_found_out_and_would_have_misled() {
    let mut trace = log(Kind::Static, LOGGED, 7, &Tuning::default());
    for seen in &mut trace.seen {
        seen.p_select = seen.p_select.map(|_| 1.0 / 3.0);
    }
    let wrong = fitted(&trace, WANTED);
    match recorded(&wrong, Kind::Static, &Tuning::default(), 7).unwrap_err() {
        Refusal::WrongChances { route, times } => {
            assert!(route == "a" && (times - 1.5).abs() < 0.1, "{route} {times}");
        }
        other => panic!("{other}"),
    }
    let truth = truth((Kind::Static, WANTED, &Tuning::default()), 7);
    let (terms, support) = terms(&wrong, Kind::Static, &Tuning::default(), 7).unwrap();
    let misled = summed(&wrong, Kind::Static, &terms, &support);
    assert!(!misled.ips.covers(truth), "{misled:?} {truth}");
    // The world is right, and one of the two is enough.
    assert!(
        (misled.doubly_robust.mean_ms / truth - 1.0).abs() < 0.02,
        "{misled:?} {truth}"
    );
}

#[test]
fn a_world_that_is_wrong_is_put_right_by_the_recording() {
    let mut wrong = fitted(&log(Kind::Static, LOGGED, 9, &Tuning::default()), WANTED);
    for route in &mut wrong.scenario.routes {
        for pace in &mut route.pace {
            pace.tpot_us *= 1.5;
        }
    }
    let truth = truth((Kind::Static, WANTED, &Tuning::default()), 9);
    let it = recorded(&wrong, Kind::Static, &Tuning::default(), 9).unwrap();
    assert!(it.direct_ms > 1.2 * truth, "{it:?} {truth}");
    assert!(it.doubly_robust.covers(truth), "{it:?} {truth}");
}

#[test]
fn a_policy_whose_chances_are_not_known_is_refused() {
    let fitted = fitted(&log(Kind::Static, LOGGED, 2, &Tuning::default()), LOGGED);
    let refused = recorded(&fitted, Kind::LeastOutstanding, &Tuning::default(), 2);
    let policy = "least-outstanding";
    assert_eq!(refused, Err(Refusal::Unknown { policy }));
    for kind in [Kind::RoundRobin, Kind::LitellmShuffle, Kind::EpsilonGreedy] {
        assert!(
            recorded(&fitted, kind, &Tuning::default(), 2).is_ok(),
            "{kind:?}"
        );
    }
}
