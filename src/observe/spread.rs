//! How long did what a histogram counted take? Means and percentiles out of bucket counts.
//!
//! # Invariants
//! - A percentile lies inside the bucket that holds it, as if its durations were spread evenly; beyond the last bound it is that bound.
//! - What was counted less of than before, as after a reset, counts as nothing.

/// The counts of a histogram at one instant, or between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Upper bounds of the buckets, µs, ascending; the last bucket has none.
    bounds_us: &'static [u64],
    /// One count a bucket; none where nothing was ever counted.
    counts: Vec<u64>,
    /// The sum of all durations, µs.
    sum_us: u64,
}

impl Spread {
    /// The counts of the buckets with these bounds, one more than there are bounds.
    #[must_use]
    pub const fn new(bounds_us: &'static [u64], counts: Vec<u64>, sum_us: u64) -> Self {
        Self {
            bounds_us,
            counts,
            sum_us,
        }
    }

    /// Adds the counts of another one with the same bounds.
    pub fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_us += other.sum_us;
    }

    /// What was counted since an earlier instant.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before);
        Self {
            bounds_us: self.bounds_us,
            counts: counts.map(|(now, then)| now.saturating_sub(then)).collect(),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }

    /// How many durations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The mean, µs; none where there are none.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum_us as f64 / count as f64)
    }

    /// The duration that a part `part`, 0..=1, does not exceed, µs; none where there are none.
    #[must_use]
    pub fn quantile_us(&self, part: f64) -> Option<f64> {
        let all = self.count();
        if all == 0 {
            return None;
        }
        let rank = part.clamp(0.0, 1.0) * all as f64;
        let mut below = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            let upto = below + count;
            if count > 0 && upto as f64 >= rank {
                let low = match bucket {
                    0 => 0.0,
                    bucket => self.bounds_us[bucket - 1] as f64,
                };
                let Some(&high) = self.bounds_us.get(bucket) else {
                    return Some(low);
                };
                let inside = ((rank - below as f64) / count as f64).max(0.0);
                return Some(low + inside * (high as f64 - low));
            }
            below = upto;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(counts: &[u64], sum_us: u64) -> Spread {
        Spread::new(&[10, 20, 40], counts.to_vec(), sum_us)
    }

    #[test]
    fn percentiles_lie_inside_their_bucket() {
        for (counts, part, expected) in [
            (&[0, 0, 0, 0][..], 0.5, None),
            (&[4, 0, 0, 0], 0.5, Some(5.0)),
            (&[0, 4, 0, 0], 0.0, Some(10.0)),
            (&[0, 4, 0, 0], 0.25, Some(12.5)),
            (&[0, 4, 0, 0], 1.0, Some(20.0)),
            (&[1, 1, 2, 0], 0.5, Some(20.0)),
            (&[1, 1, 2, 0], 0.75, Some(30.0)),
            (&[0, 0, 0, 3], 0.5, Some(40.0)),
            (&[2, 0, 0, 2], 0.95, Some(40.0)),
        ] {
            assert_eq!(spread(counts, 0).quantile_us(part), expected, "{counts:?}");
        }
    }

    #[test]
    fn what_was_counted_between_two_instants_is_the_difference() {
        let (then, now) = (spread(&[1, 0, 2, 0], 70), spread(&[3, 0, 2, 1], 170));
        assert_eq!(now.since(&then), spread(&[2, 0, 0, 1], 100));
        assert_eq!(now.since(&Spread::default()), now);
        assert_eq!(then.since(&now), spread(&[0, 0, 0, 0], 0));
        assert_eq!(now.since(&then).mean_us(), Some(100.0 / 3.0));
        assert_eq!(then.since(&now).mean_us(), None);
        let mut both = Spread::default();
        both.add(&then);
        both.add(&now);
        assert_eq!(both, spread(&[4, 0, 4, 1], 240));
    }
}
