//! How many labels of which similarity does a namespace have?
//!
//! Similarities are counted in steps of 0.01, whose edges are the thresholds that a namespace may have.
//! Counts add up, so those of several replicas could be merged.
//!
//! # Invariants
//! - Memory is fixed.
//! - A similarity at or above an edge is counted at or above it: the comparison is the one by which hits are served.

use serde::{Deserialize, Serialize};

use super::bound::Stratum;

/// The lowest edge: below it two texts rarely mean the same, by any embedder.
pub(super) const FIRST: f32 = 0.70;

/// The highest edge.
pub(super) const LAST: f32 = 0.99;

/// Steps of 0.01 from [`FIRST`] to 1.
pub(super) const BINS: usize = 30;

/// One step's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bin {
    /// Questions whose neighbour was this near.
    seen: u32,
    /// Of them, those labelled.
    labels: u32,
    /// Of them, those whose answers differ.
    wrong: u32,
}

/// The counts of a stretch of traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bins([Bin; BINS]);

/// The similarity at which a step begins.
pub(super) fn edge(step: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let hundredths = (70 + step) as f32;
    hundredths / 100.0
}

/// The step that a similarity belongs to, if it is not below all.
pub(super) fn step(similarity: f32) -> Option<usize> {
    (0..BINS).rev().find(|step| similarity >= edge(*step))
}

impl Bins {
    pub(super) fn see(&mut self, similarity: f32) {
        if let Some(step) = step(similarity) {
            let bin = &mut self.0[step];
            bin.seen = bin.seen.saturating_add(1);
        }
    }

    /// Counts a label; `wrong` is 1 if the answers differ, else 0.
    pub(super) fn label(&mut self, similarity: f32, wrong: u32) {
        if let Some(step) = step(similarity) {
            let bin = &mut self.0[step];
            bin.labels = bin.labels.saturating_add(1);
            bin.wrong = bin.wrong.saturating_add(wrong);
        }
    }

    pub(super) fn labels(&self) -> u32 {
        self.0
            .iter()
            .fold(0, |sum, bin| sum.saturating_add(bin.labels))
    }

    /// Both stretches' counts, a stratum a step.
    ///
    /// A step weighs what was seen of it; where labels came and nobody said what was seen, the labels themselves.
    pub(super) fn strata(&self, before: &Self) -> [Stratum; BINS] {
        std::array::from_fn(|step| {
            let (a, b) = (&self.0[step], &before.0[step]);
            let labels = f64::from(a.labels) + f64::from(b.labels);
            let seen = f64::from(a.seen) + f64::from(b.seen);
            Stratum {
                weight: seen.max(labels),
                labels,
                wrong: f64::from(a.wrong) + f64::from(b.wrong),
            }
        })
    }
}
