//! Which policies and metrics are shown, and in which order.
//!
//! # Invariants
//! - Ours comes first and what cheats comes last; an oracle never wins.
//! - A metric that a bar names is shown before any other but the cost.

use crate::measure::{Better, METRICS};

use super::{Outcome, Report, Standing, figure};

/// What the names of the policies that read the truth begin with.
const ORACLE: &str = "oracle";

/// What is told of every scenario as far as it applies and there is room, the most telling first.
/// The second of a pair stands in where the first is absent.
const TELLING: &[(&str, Option<&str>)] = &[
    ("success", None),
    ("first_attempt_incident", Some("first_attempt")),
    ("p99", None),
    ("attempts", None),
    ("refused_learned", Some("refused")),
    ("shed", None),
    ("detect_s", None),
    ("recover_half_s", None),
    ("utilisation", None),
    ("goodput", None),
    ("load_cv", None),
];

/// What a policy is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The product's own.
    Subject,
    /// What a user would otherwise have.
    Baseline,
    /// One that reads the truth.
    Oracle,
}

/// What the policy of this name is.
pub(super) fn kind(report: &Report, policy: &str) -> Kind {
    if policy == report.subject {
        Kind::Subject
    } else if policy.starts_with(ORACLE) {
        Kind::Oracle
    } else {
        Kind::Baseline
    }
}

/// The policies of one scenario in the order shown.
pub(super) fn standings<'a>(report: &Report, outcome: &'a Outcome) -> Vec<&'a Standing> {
    let mut list: Vec<&Standing> = outcome.policies.iter().collect();
    list.sort_by_key(|it| kind(report, &it.policy));
    list
}

/// The names of all policies in the order shown.
pub(super) fn policies(report: &Report) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for standing in report.scenarios.iter().flat_map(|it| &it.policies) {
        if !names.contains(&standing.policy.as_str()) {
            names.push(&standing.policy);
        }
    }
    names.sort_by_key(|name| kind(report, name));
    names
}

/// The metrics of a scenario that tell something, the most telling first.
pub(super) fn telling(outcome: &Outcome) -> Vec<&'static str> {
    let mut names = vec!["cost_ms", "regret"];
    names.extend(
        METRICS
            .iter()
            .map(|metric| metric.name)
            .filter(|name| barred(outcome, name)),
    );
    names.extend(TELLING.iter().filter_map(|(name, stand_in)| {
        let wanted = [Some(*name), *stand_in].into_iter().flatten();
        wanted.into_iter().find(|name| speaks(outcome, name))
    }));
    let mut told = Vec::new();
    for name in names {
        let applies = if barred(outcome, name) {
            present(outcome, name)
        } else {
            speaks(outcome, name)
        };
        if applies && !told.contains(&name) {
            told.push(name);
        }
    }
    told
}

/// Every metric that some policy of the scenario has, in the order of [`METRICS`].
pub(super) fn every(outcome: &Outcome) -> Vec<&'static str> {
    in_order(|name| present(outcome, name))
}

/// The metrics that `wanted` picks, in the order of [`METRICS`].
pub(super) fn in_order(wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let names = METRICS.iter().map(|metric| metric.name);
    names.filter(|name| wanted(name)).collect()
}

/// The best of the printed `values`, told with `None` for those that do not compete; nothing if all are equal.
pub(super) fn best(name: &str, values: &[Option<f64>]) -> Option<String> {
    let better = figure::metric(name)?.better;
    let first = |a: &f64, b: &f64| match better {
        Better::Less => a.total_cmp(b),
        Better::More => b.total_cmp(a),
    };
    let finite = values.iter().flatten().filter(|value| value.is_finite());
    let best = figure::value(name, *finite.clone().min_by(|a, b| first(a, b))?);
    let worst = figure::value(name, *finite.max_by(|a, b| first(a, b))?);
    (best != worst).then_some(best)
}

fn barred(outcome: &Outcome, name: &str) -> bool {
    outcome.bars.iter().any(|bar| bar.metric == name)
}

fn present(outcome: &Outcome, name: &str) -> bool {
    let mut policies = outcome.policies.iter();
    policies.any(|it| it.metrics.contains_key(name))
}

/// Whether some policy has another value than zero.
fn speaks(outcome: &Outcome, name: &str) -> bool {
    let mut values = outcome
        .policies
        .iter()
        .filter_map(|it| it.metrics.get(name));
    values.any(|it| it.mean != 0.0)
}
