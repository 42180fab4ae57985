//! Runs every policy through every scenario with every seed, spread over the cores, and says who did better.
//!
//! A cell is one policy in one scenario with one seed; cells of one scenario and seed share the trace.
//!
//! # Invariants
//! - The report does not depend on how many cores there are or which was faster.
//! - Every policy of a cell's group meets the same requests and the same noise.

mod ablate;
mod cells;
mod judge;

pub use ablate::ablate;

pub(crate) use cells::one;

use scoring::time::Span;
use scoring::tuning::Tuning;

use crate::policy::Kind;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::trace::{Request, Trace, Warp};

/// What is to be run.
#[derive(Debug)]
pub struct Suite {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// Recorded traffic, each with a name: every scenario is also run on each, its own traffic replaced.
    pub traces: Vec<(String, Trace)>,
    /// How traces meet a scenario's rate.
    pub fit: Fit,
    /// Whether the scenarios' own traffic is run too.
    pub synthetic: bool,
    /// The policies, the subject among them.
    pub policies: Vec<Kind>,
    /// The policy whose bars are checked.
    pub subject: Kind,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The subject's constants.
    pub tuning: Tuning,
    /// Policies that are also recorded over time, with the first seed.
    pub plotted: Vec<Kind>,
    /// Worker threads.
    pub threads: usize,
    /// Whether the goals over the whole pack are judged.
    pub whole: bool,
}

/// How a trace meets a scenario's rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// Superposed or thinned to the rate.
    Rate,
    /// As told, whatever the rate.
    Given(Warp),
}

/// Told of progress; called from several threads.
pub trait Progress: Sync {
    /// So many of all cells are done, and so many requests simulated.
    fn done(&self, cells: usize, of: usize, requests: u64);
}

/// Nobody is told.
impl Progress for () {
    fn done(&self, _: usize, _: usize, _: u64) {}
}

impl Suite {
    /// Runs everything.
    #[must_use]
    pub fn run(&self, progress: &impl Progress) -> Report {
        let results = cells::run(self, progress);
        judge::report(self, &results)
    }
}

/// `trace` for a run of `scenario`: fitted to its rate or as told, and repeated to the end; clients wait as long as the scenario's do.
pub(crate) fn fit_trace(trace: &Trace, scenario: &Scenario, fit: Fit, seed: u64) -> Trace {
    let duration = scenario.duration;
    let rate: f64 = scenario.traffic.iter().map(|it| it.rate).sum();
    let deadline = scenario.traffic.iter().find_map(|it| it.deadline);
    let Some(last) = trace.requests.last() else {
        return trace.clone();
    };
    let length = last.at.plus(Span::from_millis(1));
    let own = trace.requests.len() as f64 / length.as_secs_f64().max(1e-3);
    let warp = match fit {
        Fit::Given(warp) => warp,
        Fit::Rate => Warp {
            speed: 1.0,
            scale: if rate > 0.0 { rate / own } else { 1.0 },
        },
    };
    let length = length.mul_f64(1.0 / warp.speed);
    let scaled = crate::trace::warp(trace, &warp, seed);
    let mut fitted = Trace {
        requests: Vec::new(),
        ..scaled.clone()
    };
    let mut shift = Span::ZERO;
    while shift < duration && !scaled.requests.is_empty() {
        for request in &scaled.requests {
            let at = request.at.plus(shift);
            if at < duration {
                fitted.requests.push(Request {
                    at,
                    deadline: request.deadline.or(deadline),
                    ..*request
                });
            }
        }
        shift = shift.plus(length);
    }
    fitted
}
