//! Which share of all hits is wrong, judging by those that were audited?
//!
//! Each audited hit counts for as many as its chance says it stands for: one in twenty stands for twenty (Hájek's ratio of Horvitz–Thompson sums).
//! The interval is Clopper's and Pearson's at the sample's effective size, which is what remains of the count when weights differ (Korn and Graubard), and never more than Kish's.
//! Unsure verdicts are in no share; the interval's low end counts them as right and its high end as wrong.
//!
//! # Invariants
//! - `0 <= low <= share <= high <= 1`, whatever was recorded.
//! - Sums are all that is kept: tallies of days add up to that of the week, in any order up to rounding.

use serde::{Deserialize, Serialize};

use super::compare::Verdict;
use super::interval::interval;

/// The least chance that a hit may have had.
///
/// Less, which no sampler gives, would let one damaged record outweigh all others, and its square overflow.
pub(super) const LEAST: f64 = 1e-7;

/// Sums over hits of one verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Audited hits.
    pub count: u64,
    /// The hits that they stand for.
    pub weight: f64,
    /// The sum of the squares of the weights.
    pub square: f64,
}

/// What was audited in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Hits whose answer was right.
    pub same: Sums,
    /// Hits whose answer was wrong.
    pub different: Sums,
    /// Hits of which it cannot be told.
    pub unsure: Sums,
}

/// How good the comparison itself is, where that was measured on answers judged by hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Share of the wrong answers that it calls different, 0..=1.
    pub sensitivity: f64,
    /// Share of the right answers that it calls the same, 0..=1.
    pub specificity: f64,
}

/// An estimate of the share of wrong hits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Audited hits with a verdict of same or different.
    pub settled: u64,
    /// The share of wrong hits, 0..=1; none if nothing was settled.
    pub share: Option<f64>,
    /// The low end of the 95 % interval.
    pub low: f64,
    /// Its high end.
    pub high: f64,
    /// The unsure share of what was audited, 0..=1.
    pub unsure: f64,
    /// Whether the comparison's own error is taken off.
    pub corrected: bool,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            weight: self.weight + other.weight,
            square: self.square + other.square,
        }
    }

    /// The size of an equally weighted sample that would say as much about how many of these are `wrong`.
    fn effective(self, wrong: Self) -> f64 {
        if self.weight <= 0.0 {
            return 0.0;
        }
        let kish = self.weight * self.weight / self.square;
        let share = wrong.share_of(self);
        let spread = wrong.square * (1.0 - share) * (1.0 - share)
            + (self.square - wrong.square).max(0.0) * share * share;
        let variance = spread / (self.weight * self.weight);
        let by_variance = share * (1.0 - share) / variance;
        if by_variance.is_finite() && by_variance > 0.0 {
            kish.min(by_variance)
        } else {
            kish
        }
    }

    fn share_of(self, all: Self) -> f64 {
        if all.weight > 0.0 {
            (self.weight / all.weight).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// The interval of the share that these have in `all`.
    fn interval(self, all: Self) -> (f64, f64) {
        let size = all.effective(self);
        interval(self.share_of(all) * size, size)
    }
}

impl Tally {
    /// Counts an audited hit that had this chance of being audited; a chance below 1e-7 or above 1 counts nothing.
    pub fn add(&mut self, verdict: Verdict, probability: f64) {
        if !(LEAST..=1.0).contains(&probability) {
            return;
        }
        let weight = 1.0 / probability;
        let one = Sums {
            count: 1,
            weight,
            square: weight * weight,
        };
        let sums = match verdict {
            Verdict::Same => &mut self.same,
            Verdict::Different => &mut self.different,
            Verdict::Unsure => &mut self.unsure,
        };
        *sums = sums.plus(one);
    }

    /// Both tallies in one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            same: self.same.plus(other.same),
            different: self.different.plus(other.different),
            unsure: self.unsure.plus(other.unsure),
        }
    }

    /// Audited hits.
    #[must_use]
    pub const fn audited(&self) -> u64 {
        self.same
            .count
            .saturating_add(self.different.count)
            .saturating_add(self.unsure.count)
    }

    /// What is settled, and how many counts it is worth.
    pub(super) fn settled(&self) -> (f64, f64) {
        let settled = self.same.plus(self.different);
        let share = self.different.share_of(settled);
        (share, settled.effective(self.different))
    }

    /// The share of wrong hits with its 95 % interval; with the comparison's error taken off (Rogan and Gladen) if it is known.
    #[must_use]
    pub fn estimate(&self, accuracy: Option<Accuracy>) -> Estimate {
        let settled = self.same.plus(self.different);
        let all = settled.plus(self.unsure);
        let (low, _) = self.different.interval(all);
        let (_, high) = self.different.plus(self.unsure).interval(all);
        let share = (settled.count > 0).then(|| self.different.share_of(settled));
        let accuracy = accuracy.filter(Accuracy::is_usable);
        let taken_off = |seen: f64| accuracy.map_or(seen, |accuracy| accuracy.true_share(seen));
        let share = share.map(taken_off);
        Estimate {
            settled: settled.count,
            share,
            low: share.unwrap_or(1.0).min(taken_off(low)),
            high: share.unwrap_or(0.0).max(taken_off(high)),
            unsure: self.unsure.share_of(all),
            corrected: accuracy.is_some(),
        }
    }
}

impl Accuracy {
    /// Whether the comparison tells right from wrong at all, so that its error can be taken off.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        share(self.sensitivity)
            && share(self.specificity)
            && self.sensitivity + self.specificity > 1.0
    }

    /// The true share behind a seen one.
    fn true_share(&self, seen: f64) -> f64 {
        let better = self.sensitivity + self.specificity - 1.0;
        ((seen + self.specificity - 1.0) / better).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(entries: &[(Verdict, f64, u32)]) -> Tally {
        let mut tally = Tally::default();
        for &(verdict, probability, times) in entries {
            for _ in 0..times {
                tally.add(verdict, probability);
            }
        }
        tally
    }

    #[test]
    fn equal_weights_are_clopper_and_pearson() {
        let found =
            tally(&[(Verdict::Same, 0.1, 297), (Verdict::Different, 0.1, 3)]).estimate(None);
        assert_eq!(found.settled, 300);
        assert!((found.share.unwrap() - 0.01).abs() < 1e-12);
        assert!((found.low - 0.002_067).abs() < 2e-5 && (found.high - 0.028_941).abs() < 2e-5);
    }

    #[test]
    fn a_hit_counts_for_those_it_stands_for() {
        let found =
            tally(&[(Verdict::Same, 0.05, 10), (Verdict::Different, 0.5, 10)]).estimate(None);
        assert!((found.share.unwrap() - 20.0 / 220.0).abs() < 1e-12);
    }

    #[test]
    fn unsure_widens_both_ways_and_moves_nothing() {
        let sure = tally(&[(Verdict::Same, 0.1, 90), (Verdict::Different, 0.1, 10)]);
        let with = sure.plus(tally(&[(Verdict::Unsure, 0.1, 20)]));
        let (sure, with) = (sure.estimate(None), with.estimate(None));
        assert_eq!(sure.share, with.share);
        assert!(with.low < sure.low && with.high > sure.high);
        assert!((with.unsure - 20.0 / 120.0).abs() < 1e-12);
        let only = tally(&[(Verdict::Unsure, 0.1, 20)]).estimate(None);
        assert_eq!((only.share, only.settled), (None, 0));
        assert!(only.low <= 0.0 && only.high >= 1.0);
    }

    #[test]
    fn nothing_audited_is_nothing_known() {
        let found = Tally::default().estimate(None);
        assert_eq!(found.share, None);
        assert!(found.low <= 0.0 && found.high >= 1.0);
        let broken = [0.0, -1.0, 1e-300, f64::NAN, 1.5, f64::INFINITY];
        let broken = broken.map(|probability| (Verdict::Same, probability, 1));
        assert_eq!(tally(&broken), Tally::default());
    }

    #[test]
    fn a_known_error_is_taken_off() {
        let seen = tally(&[(Verdict::Same, 1.0, 922), (Verdict::Different, 1.0, 78)]);
        let accuracy = |sensitivity, specificity| {
            Some(Accuracy {
                sensitivity,
                specificity,
            })
        };
        let found = seen.estimate(accuracy(0.9, 0.95));
        assert!(found.corrected);
        assert!((found.share.unwrap() - 0.028 / 0.85).abs() < 1e-9);
        assert!(found.low < 0.028 / 0.85 && found.high > 0.028 / 0.85);
        // No better than a coin, or no number: nothing can be taken off.
        for useless in [
            accuracy(0.5, 0.5),
            accuracy(f64::NAN, 1.0),
            accuracy(1.2, 0.9),
        ] {
            assert!(!seen.estimate(useless).corrected);
        }
        // More is explained by the error than was seen.
        assert_eq!(seen.estimate(accuracy(1.0, 0.9)).share, Some(0.0));
    }
}
