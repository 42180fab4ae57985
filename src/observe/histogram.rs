//! A histogram that any thread may add to without a lock.
//!
//! Prometheus' own client keeps its buckets behind a mutex; on the request path that is a lock, so the buckets are atomics here.
//!
//! # Invariants
//! - Adding is two relaxed additions; a scrape may see one without the other, which a next scrape corrects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use scoring::time::Span;

use super::spread::Spread;

/// Upper bounds of request durations, µs: 1 ms to 10 min, about a factor of two to three apart.
const REQUEST_US: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    40_000_000,
    80_000_000,
    160_000_000,
    320_000_000,
    600_000_000,
];

/// Upper bounds of the gateway's own time, µs: 10 µs to 100 ms.
const OVERHEAD_US: &[u64] = &[
    10, 20, 30, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 10_000, 100_000,
];

/// A histogram of durations; clones share their counts.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds_us: &'static [u64],
    /// One count a bucket and one for what exceeds the last bound. Statistics; they guard nothing.
    counts: Box<[AtomicU64]>,
    /// Sum of all durations, µs. A statistic; it guards nothing.
    sum_us: AtomicU64,
}

impl Histogram {
    /// A histogram of request durations.
    #[must_use]
    pub fn of_requests() -> Self {
        Self::new(REQUEST_US)
    }

    /// A histogram of the gateway's own time.
    #[must_use]
    pub fn of_overhead() -> Self {
        Self::new(OVERHEAD_US)
    }

    fn new(bounds_us: &'static [u64]) -> Self {
        Self(Arc::new(Buckets {
            bounds_us,
            counts: (0..=bounds_us.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_us: AtomicU64::new(0),
        }))
    }

    /// Adds one duration.
    pub fn observe(&self, span: Span) {
        let micros = span.as_micros();
        let bucket = self.0.bounds_us.partition_point(|bound| *bound < micros);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was added so far, at one instant.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let counts = self.0.counts.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        Spread::new(
            self.0.bounds_us,
            counts.collect(),
            self.0.sum_us.load(Ordering::Relaxed),
        )
    }

    /// How many durations were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts: Vec<u64> = self
            .0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let bounds = self
            .0
            .bounds_us
            .iter()
            .map(|bound| *bound as f64 / 1e6)
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = self.0.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_inclusive() {
        let histogram = Histogram::of_overhead();
        for micros in [10, 11, 1_000_000] {
            histogram.observe(Span::from_micros(micros));
        }
        let at = |bucket: usize| histogram.0.counts[bucket].load(Ordering::Relaxed);
        assert_eq!((at(0), at(1), at(OVERHEAD_US.len())), (1, 1, 1));
        assert_eq!(histogram.count(), 3);
    }
}
