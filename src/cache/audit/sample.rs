//! Which hits are asked afresh?
//!
//! Every hit has a known chance of being audited, and the chance is recorded: dividing by it makes up for hits that were looked at less often, so that the estimate is of all hits and not of the looked at ones.
//! Chances differ, since hits close to the threshold and hits of young entries are wrong more often: looking there finds wrong entries sooner.
//! A workflow with few hits gets its first ones of a day audited whatever the share, and later ones with a falling chance.
//!
//! # Invariants
//! - A hit's chance depends on what came before and on the hit, never on this draw; that alone keeps the estimate unbiased.
//! - A chance is within `share / 4 ..= 1`, so no audited hit speaks for more than four times its share; a share of zero audits nothing.
//!
//! Similarities are cosines, instants seconds since 1970.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, RngExt};

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// How far below the share a hit's chance may fall.
///
/// Larger lets one audited hit speak for so many that a single wrong one swings the estimate; smaller makes the emphasis moot.
const FLOOR: f64 = 4.0;

/// The least share above zero; a quarter of it is still a chance that an estimate takes.
const SHARE: f64 = 1e-6;

/// Hits over which the mean importance is learnt.
const MEMORY: f64 = 64.0;

/// How a workflow's hits are sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Share of the hits that is audited, 0 or 1e-6..=1. Default 0.03.
    pub share: f64,
    /// Audits that a workflow gets a day even if it has few hits. Default 5.
    pub least: u32,
    /// How much likelier a hit at the threshold is audited than one at similarity 1, ≥ 1. Default 3.
    pub close: f64,
    /// How much likelier a hit of a new entry is audited than one of an old one, ≥ 1. Default 2.
    pub young: f64,
    /// Age from which on an entry is old, seconds. Default one day.
    pub old_after: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            share: 0.03,
            least: 5,
            close: 3.0,
            young: 2.0,
            old_after: 86_400,
        }
    }
}

/// A number of [`Sampling`] that cannot be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplingError {
    /// The share.
    #[error("the audited share must be 0, or between 0.000001 and 1")]
    Share,
    /// An emphasis.
    #[error("the emphasis on close and on young hits must be between 1 and 100")]
    Emphasis,
}

/// What is known of a hit when it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// When it was served, seconds since 1970.
    pub at: i64,
    /// How similar the question was to the stored one.
    pub similarity: f64,
    /// From which similarity on the entry is served.
    pub threshold: f64,
    /// The entry's age, seconds.
    pub entry_age: u64,
}

/// How a draw came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The chance that this hit had, `0..=1`; to be recorded.
    pub probability: f64,
    /// Whether it is to be audited.
    pub taken: bool,
}

/// Draws the hits of one workflow; shared by all workers.
#[derive(Debug)]
pub struct Sampler {
    how: Sampling,
    /// The day (upper half) and its hits up to now (lower half). Guards nothing: a lost update shifts the chance of later hits, which is recorded as it was.
    today: AtomicU64,
    /// The mean importance of late, as bits. Guards nothing, likewise.
    mean: AtomicU64,
}

impl Default for Sampler {
    /// A sampler of the usual shares.
    fn default() -> Self {
        Self {
            how: Sampling::default(),
            today: AtomicU64::new(0),
            mean: AtomicU64::new(1.0_f64.to_bits()),
        }
    }
}

impl Sampler {
    /// A sampler that has seen nothing.
    ///
    /// # Errors
    /// If a number is out of its range.
    pub fn new(how: Sampling) -> Result<Self, SamplingError> {
        let off = how.share.to_bits() == 0.0_f64.to_bits();
        if !(off || (SHARE..=1.0).contains(&how.share)) {
            return Err(SamplingError::Share);
        }
        let fine = |emphasis: f64| (1.0..=100.0).contains(&emphasis);
        if !(fine(how.close) && fine(how.young)) {
            return Err(SamplingError::Emphasis);
        }
        Ok(Self {
            how,
            ..Self::default()
        })
    }

    /// Draws one hit.
    pub fn draw(&self, hit: &Hit, rng: &mut impl Rng) -> Draw {
        let before = self.count(hit.at);
        let mean = f64::from_bits(self.mean.load(Ordering::Relaxed));
        let importance = self.how.importance(hit);
        let learnt = mean + (importance - mean) / MEMORY;
        self.mean.store(learnt.to_bits(), Ordering::Relaxed);
        let probability = self.how.probability(importance / mean, before);
        Draw {
            probability,
            taken: rng.random::<f64>() < probability,
        }
    }

    /// Counts a hit and tells how many came before it that day.
    ///
    /// A clock that was set back goes on with the day that it had reached.
    fn count(&self, at: i64) -> u32 {
        let day = u32::try_from(at.div_euclid(DAY)).unwrap_or(0);
        let seen = self.today.load(Ordering::Relaxed);
        if u64::from(day) > seen >> 32 {
            self.today
                .store(u64::from(day) << 32 | 1, Ordering::Relaxed);
            return 0;
        }
        // The lower half: hits of the day.
        let hits = u32::try_from(seen & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        if hits < u32::MAX {
            self.today.fetch_add(1, Ordering::Relaxed);
        }
        hits
    }
}

impl Sampling {
    /// How much this hit is worth looking at, from 1 on.
    fn importance(&self, hit: &Hit) -> f64 {
        let room = 1.0 - hit.threshold;
        let above = (hit.similarity - hit.threshold) / room;
        // What cannot be compared is looked at as what is close.
        let far = if room > 0.0 && above.is_finite() {
            above.clamp(0.0, 1.0)
        } else {
            0.0
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "ages of entries are far below 2^52"
        )]
        let old = if self.old_after == 0 {
            1.0
        } else {
            (hit.entry_age as f64 / self.old_after as f64).min(1.0)
        };
        (1.0 + (self.close - 1.0) * (1.0 - far)) * (1.0 + (self.young - 1.0) * (1.0 - old))
    }

    /// The chance of a hit of so much importance, in units of the mean, after so many others that day.
    fn probability(&self, importance: f64, before: u32) -> f64 {
        if self.share <= 0.0 {
            return 0.0;
        }
        let by_share = self.share * importance.max(1.0 / FLOOR);
        let by_need = f64::from(self.least) / (f64::from(before) + 1.0);
        by_share.max(by_need).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn hit(at: i64, similarity: f64, entry_age: u64) -> Hit {
        Hit {
            at,
            similarity,
            threshold: 0.9,
            entry_age,
        }
    }

    #[test]
    fn importance_grows_towards_the_threshold_and_the_young() {
        let how = Sampling::default();
        for (similarity, age, expected) in [
            (1.0, 86_400, 1.0),
            (0.95, 1_000_000, 2.0),
            (0.9, 86_400, 3.0),
            (0.9, 0, 6.0),
            (1.0, 43_200, 1.5),
            (f64::NAN, 86_400, 3.0),
            (7.0, 86_400, 1.0),
        ] {
            let found = how.importance(&hit(0, similarity, age));
            assert!(
                (found - expected).abs() < 1e-9,
                "{similarity} {age}: {found}"
            );
        }
    }

    #[test]
    fn the_first_hits_of_a_day_are_all_audited() {
        let sampler = Sampler::new(Sampling::default()).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        for day in 1..4 {
            let taken = (0..5)
                .filter(|_| sampler.draw(&hit(day * DAY, 0.95, 0), &mut rng).taken)
                .count();
            assert_eq!(taken, 5, "day {day}");
        }
        // The clock is set back: the day goes on.
        assert!(sampler.draw(&hit(DAY, 0.95, 0), &mut rng).probability < 1.0);
    }

    #[test]
    fn the_share_is_met_whatever_the_hits_are_like() {
        let sampling = Sampling {
            least: 0,
            ..Sampling::default()
        };
        for (similarity, age) in [(0.9, 0), (1.0, 1_000_000)] {
            let sampler = Sampler::new(sampling).unwrap();
            let mut rng = StdRng::seed_from_u64(7);
            let taken = (0..100_000)
                .filter(|_| sampler.draw(&hit(0, similarity, age), &mut rng).taken)
                .count();
            assert!((2_800..3_300).contains(&taken), "{taken}");
        }
    }

    #[test]
    fn the_minimum_costs_little_where_hits_are_many() {
        let sampler = Sampler::new(Sampling::default()).unwrap();
        let mut rng = StdRng::seed_from_u64(8);
        let expected: f64 = (0..10_000)
            .map(|_| sampler.draw(&hit(0, 1.0, 1_000_000), &mut rng).probability)
            .sum();
        assert!((300.0..340.0).contains(&expected), "{expected}");
    }

    #[test]
    fn nothing_is_audited_at_a_share_of_zero_and_all_at_one() {
        for (share, expected) in [(0.0, 0), (1.0, 500)] {
            let sampling = Sampling {
                share,
                close: 1.0,
                young: 1.0,
                ..Sampling::default()
            };
            let sampler = Sampler::new(sampling).unwrap();
            let mut rng = StdRng::seed_from_u64(2);
            let taken = (0..500)
                .filter(|_| sampler.draw(&hit(0, 0.95, 0), &mut rng).taken)
                .count();
            assert_eq!(taken, expected);
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let with = |share, close| {
            let sampling = Sampling {
                share,
                close,
                ..Sampling::default()
            };
            Sampler::new(sampling).err()
        };
        assert_eq!(with(1.1, 1.0), Some(SamplingError::Share));
        assert_eq!(with(f64::NAN, 1.0), Some(SamplingError::Share));
        assert_eq!(with(1e-9, 1.0), Some(SamplingError::Share));
        assert_eq!(with(0.1, 0.5), Some(SamplingError::Emphasis));
        assert_eq!(with(0.1, f64::INFINITY), Some(SamplingError::Emphasis));
    }
}
