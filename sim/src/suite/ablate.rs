//! What does each part of the scoring buy? The subject again, with one part at a time put back or taken out.
//!
//! # Invariants
//! - Every variant runs on the same scenarios, traces and seeds.

use scoring::time::Span;
use scoring::tuning::Tuning;

use super::{Progress, Suite};
use crate::policy::Kind;
use crate::report::{Report, Variant};

/// One part put back or taken out.
#[derive(Clone, Copy)]
struct Ablation {
    name: &'static str,
    apply: fn(&mut Tuning),
}

/// The parts, in the order in which they are shown.
const ABLATIONS: &[Ablation] = &[
    Ablation {
        name: "as it is",
        apply: |_| {},
    },
    Ablation {
        name: "no doubt: tapered by the rate of the last minutes alone",
        apply: |it| it.circuit.doubt_most = 1,
    },
    Ablation {
        name: "failures priced as counted, chance included",
        apply: |it| it.error.benefit = 0.0,
    },
    Ablation {
        name: "ceilings used to the last unit",
        apply: |it| it.cost.full_from = 1.0,
    },
    Ablation {
        name: "dearer from 70 % of a ceiling on",
        apply: |it| it.cost.busy_from = 0.7,
    },
    Ablation {
        name: "a band with a sharp edge",
        apply: |it| it.draw.edge = 0.0,
    },
    Ablation {
        name: "three probes, back from a tenth",
        apply: |it| {
            it.circuit.probes = 3;
            it.circuit.ramp_start = 0.1;
        },
    },
    Ablation {
        name: "probes every 18 s however scarce the traffic",
        apply: |it| it.circuit.open_longest = Span::from_secs(18),
    },
    Ablation {
        name: "no taper by the rate of the last minutes",
        apply: |it| it.draw.taper_from = 1.0,
    },
    Ablation {
        name: "no circuit: cost and taper alone",
        apply: |it| {
            it.circuit.threshold = 15.0;
            it.circuit.quiet_attempts = 0.0;
        },
    },
    Ablation {
        name: "no exploration",
        apply: |it| it.draw.explore = 0.0,
    },
    Ablation {
        name: "no dead zone about the drift",
        apply: |it| it.latency.dead_zone = 0.0,
    },
    Ablation {
        name: "drift of 20 s",
        apply: |it| it.latency.tau_drift = Span::from_secs(20),
    },
    Ablation {
        name: "a band of 5 %",
        apply: |it| it.draw.band = 0.05,
    },
];

/// Runs every variant of the subject; `progress` is told of each anew.
#[must_use]
pub fn ablate(suite: Suite, progress: &impl Progress) -> Vec<Variant> {
    let base = suite.tuning;
    let mut suite = Suite {
        policies: vec![suite.subject, Kind::Oracle, Kind::OracleWeighted],
        plotted: Vec::new(),
        ..suite
    };
    let variant = |ablation: &Ablation| {
        suite.tuning = base;
        (ablation.apply)(&mut suite.tuning);
        summed(ablation.name, &suite.run(progress))
    };
    ABLATIONS.iter().map(variant).collect()
}

/// A variant in a few numbers.
fn summed(name: &str, report: &Report) -> Variant {
    let values = |metric: &str| -> Vec<f64> {
        let subject = report.scenarios.iter().filter_map(|it| {
            let standing = it.policies.iter().find(|it| it.policy == report.subject)?;
            standing.metrics.get(metric).map(|it| it.mean)
        });
        subject.collect()
    };
    let mean = |list: Vec<f64>| list.iter().sum::<f64>() / list.len().max(1) as f64;
    let regrets = values("regret");
    let bars = || report.scenarios.iter().flat_map(|it| &it.bars);
    Variant {
        name: name.to_owned(),
        regret_worst: regrets.iter().copied().fold(0.0, f64::max),
        regret_mean: mean(regrets),
        first_attempt: mean(values("first_attempt_incident")),
        share_deviation: mean(values("share_deviation")),
        missed: bars().filter(|bar| !bar.holds).count(),
        bars: bars().count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_a_valid_tuning_of_its_own() {
        let mut seen = Vec::new();
        for ablation in ABLATIONS {
            let mut tuning = Tuning::default();
            (ablation.apply)(&mut tuning);
            assert_eq!(tuning.check(), Ok(()), "{}", ablation.name);
            assert!(!seen.contains(&tuning), "{}", ablation.name);
            seen.push(tuning);
        }
    }
}
