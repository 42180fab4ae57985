//! From cells to a report: means with their confidence, bars, and who beat whom.
//!
//! # Invariants
//! - A bar whose metric is missing falls short: what cannot be told was not reached.

use std::collections::BTreeMap;

use scoring::time::Span;

use super::Suite;
use super::cells::{Group, Role, roles};
use crate::measure::{Measured, Values};
use crate::policy::Kind;
use crate::report::{Estimate, Outcome, Report, Standing, Verdict};
use crate::scenario::{Bar, Scenario};

/// Most that the mean regret over the pack may be (G15).
const REGRET_MEAN: f64 = 0.03;
/// Most that the worst scenario's may be (G15).
const REGRET_WORST: f64 = 0.05;
/// Least share of cells in which no baseline is cheaper (G15).
const BEATEN: f64 = 0.9;
/// Most by which any baseline may be cheaper in any scenario (G15).
const BEHIND: f64 = 0.01;
/// Standard errors by which a baseline must be cheaper in a cell to count as cheaper: the luckiest of sixteen is further ahead once in three.
const SURE: f64 = 2.0;

/// Student's t, two-sided 95 %, by degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The report of what was run.
pub(super) fn report(suite: &Suite, groups: &[Group]) -> Report {
    let scenarios: Vec<Outcome> = groups.iter().map(|group| outcome(suite, group)).collect();
    let pack = if suite.whole {
        pack(suite, &scenarios)
    } else {
        Vec::new()
    };
    let holds = scenarios
        .iter()
        .flat_map(|it| &it.bars)
        .chain(&pack)
        .all(|it| it.holds);
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seeds: suite.seeds.clone(),
        subject: suite.subject.name().to_owned(),
        scenarios,
        pack,
        holds,
        production: None,
    }
}

fn outcome(suite: &Suite, group: &Group) -> Outcome {
    let scenario = &suite.scenarios[group.scenario];
    let roles = roles(suite);
    let place = |role: Role| roles.iter().position(|it| *it == role);
    let reference = |cells: &[Measured], role: Role, metric: &str| {
        place(role).and_then(|at| cells[at].values.get(metric).copied())
    };
    let mut policies = Vec::new();
    for (at, kind) in suite.policies.iter().enumerate() {
        let mut seeds: Vec<Values> = Vec::new();
        for cells in &group.cells {
            let mut values = cells[at].values.clone();
            let ratio = |own: &str, role, other: &str| {
                let reference = reference(cells, role, other).filter(|it| *it > 0.0)?;
                Some(cells[at].values.get(own)? / reference)
            };
            let oracle = |kind| Role::Policy(kind);
            let regrets = [
                (
                    "regret",
                    ratio("cost_ms", oracle(Kind::OracleWeighted), "cost_ms").map(|it| it - 1.0),
                ),
                (
                    "regret_free",
                    ratio("cost_raw_ms", oracle(Kind::Oracle), "cost_raw_ms").map(|it| it - 1.0),
                ),
                ("p99_healthy", ratio("p99", Role::Healthy, "p99")),
            ];
            values.extend(
                regrets
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            seeds.push(values);
        }
        policies.push(Standing {
            policy: kind.name().to_owned(),
            metrics: estimates(&seeds),
            series: group.cells[0][at].series.clone(),
        });
    }
    let subject = policies.iter().find(|it| it.policy == suite.subject.name());
    let bars = scenario
        .bars
        .iter()
        .map(|bar| verdict(bar, subject))
        .collect();
    Outcome {
        name: name(suite, scenario, group.trace),
        question: scenario.question.clone(),
        policies,
        bars,
        incident: scenario.incident.map(|(from, until)| seconds(from, until)),
    }
}

fn name(suite: &Suite, scenario: &Scenario, trace: Option<usize>) -> String {
    match trace {
        None => scenario.name.clone(),
        Some(trace) => format!("{}@{}", scenario.name, suite.traces[trace].0),
    }
}

fn seconds(from: Span, until: Span) -> (f64, f64) {
    (from.as_secs_f64(), until.as_secs_f64())
}

/// Each metric over the seeds in which it could be told.
fn estimates(seeds: &[Values]) -> BTreeMap<String, Estimate> {
    let mut gathered: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for values in seeds {
        for (name, value) in values {
            gathered.entry(name).or_default().push(*value);
        }
    }
    let named = gathered.into_iter();
    named
        .map(|(name, values)| (name.to_owned(), estimate(values)))
        .collect()
}

/// The mean of `values` and half of its confidence interval.
pub(crate) fn estimate(values: Vec<f64>) -> Estimate {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let half = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
        let freedom = values.len() - 1;
        let t = STUDENT.get(freedom - 1).copied().unwrap_or(1.96);
        t * (squares / freedom as f64 / count).sqrt()
    });
    Estimate {
        mean,
        half,
        seeds: values,
    }
}

fn verdict(bar: &Bar, subject: Option<&Standing>) -> Verdict {
    let value = subject
        .and_then(|it| it.metrics.get(&bar.metric))
        .map(|it| it.mean);
    let holds = value.is_some_and(|value| {
        bar.at_least.is_none_or(|least| value >= least)
            && bar.at_most.is_none_or(|most| value <= most)
    });
    Verdict {
        goal: bar.goal.clone(),
        metric: bar.metric.clone(),
        at_least: bar.at_least,
        at_most: bar.at_most,
        value,
        holds,
        note: String::new(),
    }
}

/// The goals over the whole pack.
fn pack(suite: &Suite, outcomes: &[Outcome]) -> Vec<Verdict> {
    let subject = suite.subject.name();
    let of = |outcome: &Outcome, policy: &str, metric: &str| {
        let standing = outcome.policies.iter().find(|it| it.policy == policy)?;
        standing.metrics.get(metric).cloned()
    };
    let regrets: Vec<(f64, &str)> = outcomes
        .iter()
        .filter_map(|it| Some((of(it, subject, "regret")?.mean, it.name.as_str())))
        .collect();
    let mean = regrets.iter().map(|it| it.0).sum::<f64>() / regrets.len().max(1) as f64;
    let worst = regrets.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    let mut rivalry = Rivalry::default();
    for outcome in outcomes {
        rivalry.add(suite, outcome);
    }
    let unexplained = outcomes
        .iter()
        .filter_map(|it| Some((of(it, subject, "unexplained")?.mean, it.name.as_str())));
    let unexplained = unexplained.max_by(|a, b| a.0.total_cmp(&b.0));
    let at_most = |goal: &str, metric: &str, most: f64, found: Option<(f64, &str)>| Verdict {
        goal: goal.to_owned(),
        metric: metric.to_owned(),
        at_most: Some(most),
        at_least: None,
        value: found.map(|it| it.0),
        holds: found.is_some_and(|it| it.0 <= most),
        note: found.map(|it| it.1.to_owned()).unwrap_or_default(),
    };
    let mut list = vec![
        at_most(
            "G15",
            "mean regret",
            REGRET_MEAN,
            (!regrets.is_empty()).then_some((mean, "")),
        ),
        at_most("G15", "worst regret", REGRET_WORST, worst),
    ];
    if rivalry.cells > 0.0 {
        let share = rivalry.won / rivalry.cells;
        list.push(Verdict {
            goal: "G15".to_owned(),
            metric: "cells in which no baseline is cheaper".to_owned(),
            at_least: Some(BEATEN),
            at_most: None,
            value: Some(share),
            holds: share >= BEATEN,
            note: rivalry.lost.join(", "),
        });
        let (behind, whom) = rivalry.behind.clone();
        list.push(at_most(
            "G15",
            "behind the best baseline",
            BEHIND,
            Some((behind, whom.as_str())),
        ));
    }
    list.push(at_most("G16", "unexplained decisions", 0.0, unexplained));
    list
}

/// The subject against every baseline.
#[derive(Default)]
struct Rivalry {
    cells: f64,
    won: f64,
    /// Where cells were lost, and to whom.
    lost: Vec<String>,
    /// The worst scenario: by which part a baseline is cheaper there, and its name.
    behind: (f64, String),
}

impl Rivalry {
    fn add(&mut self, suite: &Suite, outcome: &Outcome) {
        let cost = |kind: &Kind, metric: &str| {
            let standing = outcome
                .policies
                .iter()
                .find(|it| it.policy == kind.name())?;
            standing.metrics.get(metric)
        };
        let Some(own) = cost(&suite.subject, "cost_ms") else {
            return;
        };
        let error = cost(&suite.subject, "cost_error_ms");
        let rivals: Vec<_> = suite
            .policies
            .iter()
            .filter(|kind| **kind != suite.subject && !kind.is_oracle())
            .filter_map(|kind| Some((kind.name(), cost(kind, "cost_ms")?)))
            .collect();
        let mut losses: BTreeMap<&str, usize> = BTreeMap::new();
        for (seed, own) in own.seeds.iter().enumerate() {
            let seed_cost = |it: &Estimate| it.seeds.get(seed).copied().unwrap_or(f64::MAX);
            let best = rivals
                .iter()
                .min_by(|a, b| seed_cost(a.1).total_cmp(&seed_cost(b.1)));
            let Some((name, best)) = best else { continue };
            self.cells += 1.0;
            let chance = error.map_or(0.0, |it| it.seeds.get(seed).copied().unwrap_or(0.0));
            if *own <= seed_cost(best) + SURE * chance {
                self.won += 1.0;
            } else {
                *losses.entry(name).or_default() += 1;
            }
        }
        self.lost.extend(
            losses
                .iter()
                .map(|(name, times)| format!("{} {times}× to {name}", outcome.name)),
        );
        let best = rivals.iter().min_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
        if let Some((name, best)) = best {
            let behind = own.mean / best.mean - 1.0;
            if behind > self.behind.0 {
                self.behind = (behind, format!("{} to {name}", outcome.name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_comes_with_its_confidence() {
        let it = estimate(vec![1.0, 2.0, 3.0]);
        assert!((it.mean - 2.0).abs() < 1e-12);
        // s = 1, n = 3: 4.303 / √3.
        assert!((it.half.unwrap() - 2.484).abs() < 1e-3);
        assert_eq!(estimate(vec![5.0]).half, None);
    }

    #[test]
    fn a_bar_without_its_metric_falls_short() {
        let bar = Bar {
            goal: "G0".to_owned(),
            metric: "success".to_owned(),
            at_least: Some(0.5),
            at_most: None,
        };
        assert!(!verdict(&bar, None).holds);
        let mut standing = Standing::default();
        let values = Values::from([("success", 0.75)]);
        standing.metrics = estimates(&[values]);
        assert!(verdict(&bar, Some(&standing)).holds);
    }
}
