//! Are there better constants, and would they still be better tomorrow?
//!
//! One half of the seeds and of each recorded trace is searched (`race`); on the other half every change must show what it bought, or it is put back (`judge`); what is left must beat the constants as they are on seeds that no choice was made by.
//! The objective is the mean over cells of the cost above the clairvoyant's and of what missed bars cost (`loss`).
//! No run is cut short to save time: faults come late and ceilings are learned slowly, so that half a run asks another question; early rungs run fewer cells instead.
//!
//! # Invariants
//! - No seed and no part of a trace that was searched is reported on.
//! - What is found is a function of commit, scenarios, traces, constants, effort and seed.

mod arena;
mod judge;
mod loss;
mod race;
mod ranges;
mod space;
mod told;
mod track;
mod written;

use std::sync::atomic::{AtomicU64, AtomicUsize};

use scoring::tuning::Tuning;

use crate::scenario::Scenario;
use crate::suite::Progress;
use crate::trace::{Half, Trace, half};

use arena::{Arena, Cell, Field, Group, Meter};
use race::Plan;
use space::Space;
use track::Track;

pub use judge::{Bought, Change, Flip, Found, Gain, Part, Row, Seeds, Versus};
pub use ranges::{SEARCHED, Scale, Searched};
pub use told::{json, text};
pub use written::section;

/// The first seed that is held out: that of `replay`, so that what `replay` shows was never searched.
const HELD_OUT_SEED: u64 = 101;
/// The first seed that no choice is made by.
const UNSEEN_SEED: u64 = 201;
/// Most seeds of a half; fewer than lie between two first seeds.
const MOST_SEEDS: usize = 100;
/// Fewest seeds of a half: with one, nothing tells a gain from chance.
const FEWEST_SEEDS: usize = 2;

/// What is searched on, from where, and for how long.
#[derive(Clone, Debug)]
pub struct Search {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// Recorded traffic by name, whole: every scenario is also run on each.
    pub traces: Vec<(String, Trace)>,
    /// The constants as they are.
    pub base: Tuning,
    /// How much is run.
    pub effort: Effort,
    /// Seed of what is tried.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
}

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Runs that the search may take.
    pub runs: usize,
    /// Cells that a candidate is judged by at the most; seeds are added until there are so many.
    pub cells: usize,
}

impl Effort {
    /// A first look: about three minutes on two cores.
    pub const SMALL: Self = Self {
        runs: 1_000,
        cells: 76,
    };
    /// About ten minutes on two cores.
    pub const MEDIUM: Self = Self {
        runs: 4_500,
        cells: 114,
    };
    /// About an hour on two cores.
    pub const LARGE: Self = Self {
        runs: 40_000,
        cells: 228,
    };
}

impl Search {
    /// Searches, and judges what is found.
    #[must_use]
    pub fn run(&self, progress: &dyn Progress) -> Found {
        let (searched, held_out) = (self.halves(Half::First), self.halves(Half::Second));
        let groups = self.groups();
        let seeds = self
            .effort
            .cells
            .div_ceil(groups.len().max(1))
            .clamp(FEWEST_SEEDS, MOST_SEEDS);
        let count = groups.len() * seeds;
        let candidates = self.candidates(count);
        let (done, requests) = (AtomicUsize::new(0), AtomicU64::new(0));
        let field = |traces| Field {
            scenarios: &self.scenarios,
            traces,
            threads: self.threads,
            meter: Meter {
                progress,
                done: &done,
                requests: &requests,
                of: race::price(candidates, count) + count * (judge::CELLS + 2),
            },
        };
        let cells = |first: u64| -> Vec<Cell> {
            let seeds = (first..).take(seeds);
            seeds
                .flat_map(|seed| groups.iter().map(move |&group| Cell { group, seed }))
                .collect()
        };
        let space = Space::new(&self.base);
        let course = Track::new(Arena::new(field(&searched), cells(1)), &space, self.seed);
        let plan = Plan {
            candidates,
            seed: self.seed,
        };
        let (best, origin) = race::search(&course, &space.home(), plan);
        let training = course.versus((&origin.point, &best.point));
        let trial = judge::Trial {
            space: &space,
            held_out: || Arena::new(field(&held_out), cells(HELD_OUT_SEED)),
            unseen: || Arena::new(field(&held_out), cells(UNSEEN_SEED)),
        };
        let mut found = trial.judge(&best.point, training);
        found.seeds = Seeds::new([1, HELD_OUT_SEED, UNSEEN_SEED], seeds);
        found.candidates = candidates * race::RACES + 1;
        found.runs = done.into_inner();
        found.requests = requests.into_inner();
        found
    }

    fn halves(&self, which: Half) -> Vec<(String, Trace)> {
        let traces = self.traces.iter();
        traces
            .map(|(name, trace)| (name.clone(), half(trace, which)))
            .collect()
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        for scenario in 0..self.scenarios.len() {
            let traces = (0..self.traces.len()).map(Some);
            groups.extend(
                [None]
                    .into_iter()
                    .chain(traces)
                    .map(|trace| Group { scenario, trace }),
            );
        }
        groups
    }

    /// As many candidates a race as the effort pays for.
    fn candidates(&self, cells: usize) -> usize {
        let mut candidates = 1;
        while race::price(candidates + 1, cells) <= self.effort.runs
            && candidates < self.effort.runs
        {
            candidates += 1;
        }
        candidates
    }
}

#[cfg(test)]
mod tests;
