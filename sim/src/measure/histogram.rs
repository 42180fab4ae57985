//! Quantiles of ratios and times: buckets that grow by one percent.
//!
//! A fixed table instead of a library's histogram: the report must be the same to the byte, and one percent is what a plot can show.
//!
//! # Invariants
//! - A quantile is within one percent of the true one, for values of 0.001 to 10⁷; others are counted at the ends.

/// Growth from one bucket to the next.
const GROWTH: f64 = 1.01;
/// The least value told apart.
const LEAST: f64 = 1e-3;
/// Buckets: ln(10^10) / ln(1.01).
const BUCKETS: usize = 2_315;

/// Counts of values.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }

    /// Counts a value.
    pub(crate) fn add(&mut self, value: f64) {
        let bucket = ((value / LEAST).ln() / GROWTH.ln()).max(0.0) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
    }

    /// The value below which a part `share` (0..=1) of the values lies; `None` without values.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        Some(LEAST * GROWTH.powf(bucket.unwrap_or(BUCKETS - 1) as f64 + 0.5))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if self.total > 0 {
            self.counts.fill(0);
            self.total = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_percent() {
        let mut histogram = Histogram::new();
        for value in 1..=10_000 {
            histogram.add(f64::from(value) / 100.0);
        }
        for (share, exact) in [(0.5, 50.0), (0.99, 99.0), (0.999, 99.9)] {
            let found = histogram.quantile(share).unwrap();
            assert!((found / exact - 1.0).abs() < 0.011, "{share}: {found}");
        }
        histogram.clear();
        assert_eq!(histogram.quantile(0.5), None);
    }
}
