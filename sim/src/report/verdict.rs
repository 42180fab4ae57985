//! Did every bar hold, and by how much did those miss that did not?
//!
//! # Invariants
//! - A bar whose value could not be told counts as missed and says so.
//! - The verdict is one line.

use serde::Serialize;

use super::{Report, Verdict, figure};

/// A bar in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Bar<'a> {
    /// The goal it belongs to.
    pub(super) goal: &'a str,
    /// The scenario; absent for a goal over the whole pack.
    pub(super) scenario: Option<&'a str>,
    /// The metric.
    pub(super) metric: &'a str,
    /// What is asked, as `≥ 0.993`.
    pub(super) bar: String,
    /// What came out, or `no value`.
    pub(super) value: String,
    /// Whether it holds.
    pub(super) holds: bool,
    /// Where it was worst, or whom it lost to.
    pub(super) note: &'a str,
    /// Why it does not hold, as `0.991 < 0.993`; empty if it does.
    #[serde(skip)]
    pub(super) miss: String,
}

/// How many bars there are and hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    /// Those that hold.
    pub(super) held: usize,
    /// All.
    pub(super) all: usize,
}

/// Every bar: the scenarios' in their order, then the pack's.
pub(super) fn bars(report: &Report) -> Vec<Bar<'_>> {
    let scenarios = report.scenarios.iter().flat_map(|outcome| {
        let name = Some(outcome.name.as_str());
        outcome.bars.iter().map(move |it| in_words(it, name))
    });
    let pack = report.pack.iter().map(|it| in_words(it, None));
    scenarios.chain(pack).collect()
}

/// One bar in words.
pub(super) fn in_words<'a>(verdict: &'a Verdict, scenario: Option<&'a str>) -> Bar<'a> {
    let low = verdict.at_least.map(|bound| format!("≥ {bound}"));
    let high = verdict.at_most.map(|bound| format!("≤ {bound}"));
    let bounds: Vec<String> = low.into_iter().chain(high).collect();
    Bar {
        goal: &verdict.goal,
        scenario,
        metric: &verdict.metric,
        bar: bounds.join(", "),
        value: told(verdict),
        holds: verdict.holds,
        note: &verdict.note,
        miss: missed(verdict),
    }
}

/// How many bars there are and hold.
pub(super) fn count(report: &Report) -> Count {
    let bars = report.scenarios.iter().flat_map(|it| &it.bars);
    let bars: Vec<&Verdict> = bars.chain(&report.pack).collect();
    Count {
        held: bars.iter().filter(|it| it.holds).count(),
        all: bars.len(),
    }
}

/// The verdict, without its line's end.
pub(super) fn line(report: &Report) -> String {
    let missed: Vec<String> = bars(report)
        .iter()
        .filter(|bar| !bar.holds)
        .map(|bar| {
            let place = bar.scenario.unwrap_or("the pack");
            format!("{} {} in {place} ({})", bar.goal, bar.metric, bar.miss)
        })
        .collect();
    let words = short(report);
    if missed.is_empty() {
        format!("verdict: {words}")
    } else {
        format!("verdict: {words}; missed: {}", missed.join(", "))
    }
}

/// The verdict in a few words: `71 of 74 bars hold`.
pub(super) fn short(report: &Report) -> String {
    match count(report) {
        Count { all: 0, .. } => "no bars were set".to_owned(),
        Count { held, all } if held == all => format!("all {all} bars hold"),
        Count { held, all } => format!("{held} of {all} bars hold"),
    }
}

fn told(verdict: &Verdict) -> String {
    let Some(value) = verdict.value else {
        return "no value".to_owned();
    };
    match broken_bound(verdict, value) {
        Some((_, bound)) => figure::beside(&verdict.metric, value, bound),
        None => figure::value(&verdict.metric, value),
    }
}

fn missed(verdict: &Verdict) -> String {
    if verdict.holds {
        return String::new();
    }
    let told = told(verdict);
    let bound = verdict.value.and_then(|value| broken_bound(verdict, value));
    match bound {
        Some((sign, bound)) => format!("{told} {sign} {bound}"),
        None if verdict.note.is_empty() => told,
        None => format!("{told}; {}", verdict.note),
    }
}

/// The bound that `value` breaks, and how.
fn broken_bound(verdict: &Verdict, value: f64) -> Option<(&'static str, f64)> {
    let low = verdict.at_least.filter(|bound| value < *bound);
    let high = verdict.at_most.filter(|bound| value > *bound);
    low.map(|bound| ("<", bound))
        .or(high.map(|bound| (">", bound)))
}
