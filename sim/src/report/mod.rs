//! Who did better, where and why: what a replay tells, as data, as a table and as a page.
//!
//! # Invariants
//! - A report is a function of what was run: no date, no machine, no path in it.
//! - Metrics are absent where they do not apply, never zero.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::counterfactual::Production;
use crate::measure::Series;

mod ablation;
mod choice;
mod figure;
mod grid;
mod json;
mod packed;
mod page;
mod regret;
mod table;
mod verdict;

pub use ablation::variants;
pub use json::json;
pub use page::{Unwritable, html};
pub use regret::markdown;
pub use table::{Width, table};

/// Everything that one replay found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The program's version.
    pub version: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The policy whose bars are checked.
    pub subject: String,
    /// Each scenario, in the order run.
    pub scenarios: Vec<Outcome>,
    /// Goals over the whole pack.
    pub pack: Vec<Verdict>,
    /// Whether every bar holds.
    pub holds: bool,
    /// What a recording tells of the policies, where one was replayed in its own world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub production: Option<Production>,
}

/// One scenario's part.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The scenario's name; with the trace's after `@` if one replaced its traffic.
    pub name: String,
    /// The question that it answers.
    pub question: String,
    /// Each policy.
    pub policies: Vec<Standing>,
    /// Its bars.
    pub bars: Vec<Verdict>,
    /// When something is wrong, in seconds from the beginning.
    pub incident: Option<(f64, f64)>,
}

/// One policy in one scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Standing {
    /// The policy's name.
    pub policy: String,
    /// Each metric over the seeds.
    pub metrics: BTreeMap<String, Estimate>,
    /// What happened over time with the first seed; only where plots want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
}

/// A mean over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval (Student's t); absent with one seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half: Option<f64>,
    /// Each seed's value, in the order of [`Report::seeds`].
    pub seeds: Vec<f64>,
}

/// A variant of the subject over everything that was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Variant {
    /// What is different.
    pub name: String,
    /// Mean regret over the scenarios.
    pub regret_mean: f64,
    /// The worst scenario's.
    pub regret_worst: f64,
    /// Mean share of first attempts answered while something is wrong.
    pub first_attempt: f64,
    /// Mean deviation from the weights in health.
    pub share_deviation: f64,
    /// Bars that fall short.
    pub missed: usize,
    /// Bars in all.
    pub bars: usize,
}

/// A bar and how it came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// The goal it belongs to.
    pub goal: String,
    /// The metric.
    pub metric: String,
    /// Least value.
    pub at_least: Option<f64>,
    /// Largest value.
    pub at_most: Option<f64>,
    /// What came out; absent if the run could not tell, which is a failure.
    pub value: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
    /// Where it was worst, or whom it lost to; empty if nothing is to be said.
    pub note: String,
}
