//! How long did requests take?
//!
//! A histogram whose buckets grow by 2 % holds any number of latencies in a fixed space and gives percentiles within 1 %; the last seconds, few enough to be sorted, are exact.
//!
//! # Invariants
//! - Merging two histograms equals having added all to one.

use scoring::time::Span;

/// Ratio of a bucket's upper to its lower bound.
const GROWTH: f64 = 1.02;

/// Lower bound of the first bucket, in µs; what is faster counts there.
const LEAST_US: f64 = 100.0;

/// Buckets: up to 100 µs × 1.02^700, which is 105 s; what is slower counts in the last.
const BUCKETS: usize = 700;

/// Latencies in buckets.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: Box::new([0; BUCKETS]),
            count: 0,
        }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, latency: Span) {
        let ratio = (latency.as_micros() as f64 / LEAST_US).max(1.0);
        let bucket = (ratio.ln() / GROWTH.ln()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, others) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *mine += others;
        }
        self.count += other.count;
    }

    /// The latency that `share` of all did not exceed; `None` when there are none.
    pub(super) fn percentile(&self, share: f64) -> Option<Span> {
        let rank = rank(self.count, share)?;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen > rank
        })?;
        let middle = LEAST_US * GROWTH.powf(bucket as f64 + 0.5);
        Some(Span::from_micros(middle.round() as u64))
    }
}

/// The latency that `share` of `latencies` did not exceed; sorts them.
pub(super) fn percentile(latencies: &mut [Span], share: f64) -> Option<Span> {
    latencies.sort_unstable();
    let rank = rank(latencies.len() as u64, share)?;
    latencies.get(rank as usize).copied()
}

/// Zero-based rank of a percentile among `count`: the nearest one.
fn rank(count: u64, share: f64) -> Option<u64> {
    let last = count.checked_sub(1)?;
    let above = (count as f64 * share).ceil() as u64;
    Some(above.saturating_sub(1).min(last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.5), None);
        (1..=1_000).for_each(|millis| latencies.add(Span::from_millis(millis)));
        for (share, expected) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let seen = latencies.percentile(share).unwrap().as_millis_f64();
            assert!((seen / expected - 1.0).abs() < 0.011, "{share}: {seen} ms");
        }
    }

    #[test]
    fn the_extremes_are_kept() {
        let mut latencies = Latencies::default();
        latencies.add(Span::ZERO);
        latencies.add(Span::from_secs(100_000));
        assert!(latencies.percentile(0.0).unwrap() < Span::from_millis(1));
        assert!(latencies.percentile(1.0).unwrap() > Span::from_secs(100));
    }

    #[test]
    fn merging_equals_adding() {
        let (mut one, mut two, mut all) = (
            Latencies::default(),
            Latencies::default(),
            Latencies::default(),
        );
        for millis in 1..500 {
            let half = if millis % 3 == 0 { &mut one } else { &mut two };
            half.add(Span::from_millis(millis));
            all.add(Span::from_millis(millis));
        }
        one.merge(&two);
        assert_eq!((one.count, &one.buckets), (all.count, &all.buckets));
    }

    #[test]
    fn the_rank_is_the_nearest() {
        let spans =
            |list: &[u64]| -> Vec<Span> { list.iter().copied().map(Span::from_millis).collect() };
        assert_eq!(percentile(&mut spans(&[]), 0.5), None);
        assert_eq!(
            percentile(&mut spans(&[3, 1, 2]), 0.5),
            Some(Span::from_millis(2))
        );
        assert_eq!(
            percentile(&mut spans(&[3, 1, 2]), 0.95),
            Some(Span::from_millis(3))
        );
    }
}
