//! Which value stands at a percentile?
//!
//! Every sample is kept and sorted once: a run has at most some millions, and no bucket rounds the tail.
//!
//! # Invariants
//! - A percentile is a value that was measured (nearest rank), never an interpolation.

use std::time::Duration;

/// What a rank may exceed a whole number by and still be it, so that 99.9 % of 1,000 is the 999th.
const RANK_SLACK: f64 = 1e-6;

/// Durations in ns, unsorted until asked.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    nanos: Vec<u64>,
}

impl Samples {
    /// Room for `expected` samples, so that a measured loop does not grow it.
    #[must_use]
    pub fn with_capacity(expected: usize) -> Self {
        Self {
            nanos: Vec::with_capacity(expected),
        }
    }

    /// Adds one duration; more than 584 years saturate.
    pub fn push(&mut self, sample: Duration) {
        self.nanos
            .push(u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds one duration in ns.
    pub fn push_nanos(&mut self, nanos: u64) {
        self.nanos.push(nanos);
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nanos.is_empty()
    }

    /// The value at `percent` (0..=100) by nearest rank, in ns; zero if there is none.
    #[must_use]
    pub fn percentile_nanos(&mut self, percent: f64) -> u64 {
        self.nanos.sort_unstable();
        let share = percent * self.nanos.len() as f64 / 100.0;
        let rank = (share - RANK_SLACK).ceil() as usize;
        let last = self.nanos.len().saturating_sub(1);
        self.nanos
            .get(rank.saturating_sub(1).min(last))
            .copied()
            .unwrap_or_default()
    }

    /// The value at `percent` (0..=100) in µs.
    #[must_use]
    pub fn percentile_us(&mut self, percent: f64) -> f64 {
        self.percentile_nanos(percent) as f64 / 1e3
    }
}

/// The middle of the values, or the mean of the two middle ones; NaN if there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (upper, last) = (sorted.len() / 2, sorted.len().saturating_sub(1));
    let middle = [last / 2, upper].map(|at| sorted.get(at).copied().unwrap_or(f64::NAN));
    middle[0].midpoint(middle[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut samples = Samples::default();
        (1..=1_000)
            .rev()
            .for_each(|value| samples.push_nanos(value));
        let at = |percent, samples: &mut Samples| samples.percentile_nanos(percent);
        assert_eq!(at(50.0, &mut samples), 500);
        assert_eq!(at(99.0, &mut samples), 990);
        assert_eq!(at(99.9, &mut samples), 999);
        assert_eq!(at(100.0, &mut samples), 1_000);
        assert_eq!(Samples::default().percentile_nanos(50.0), 0);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0]).to_bits(), 2.5_f64.to_bits());
        assert!(median(&[]).is_nan());
    }
}
