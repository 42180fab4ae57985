//! What the routes of one provider and region share: an error rate, and one probe at a time while several of them fail.
//!
//! # Invariants
//! - A parent never opens or closes a child; it lends its error rate as a prior and thins out probes.

use crate::cell::Word;
use crate::ewma;
use crate::rules::{Rules, ticks};
use crate::time::Tick;

/// The shared statistics of the routes of one provider and region.
#[derive(Debug)]
pub struct Parent {
    /// Slowly decayed counts of every child's attempts.
    errors: Word,
    /// `[last_trip:28 | until:28 | claimed:1]`
    trips: Word,
}

/// Bits of each tick in `trips`.
const BITS: u32 = 28;
/// Mask of [`BITS`].
const MASK: u64 = (1 << BITS) - 1;

fn before(left: u64, right: u64) -> bool {
    let ahead = right.wrapping_sub(left) & MASK;
    ahead != 0 && ahead < 1 << (BITS - 1)
}

fn tripped(word: u64, now: Tick) -> bool {
    let until = word >> 1 & MASK;
    until != 0 && before(now.index() & MASK, until)
}

impl Default for Parent {
    fn default() -> Self {
        Self::new()
    }
}

impl Parent {
    /// A parent of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            errors: Word::new(0),
            trips: Word::new(0),
        }
    }

    /// Its error rate at `now`; 0..=1.
    pub(crate) fn rate(&self, now: Tick, rules: &Rules) -> f32 {
        let counts = ewma::read(self.errors.load(), now, &rules.slow);
        counts.rate(
            rules.tuning.error.parent_prior,
            rules.tuning.error.base_rate,
        )
    }

    /// Adds one attempt of a child; `None` if the update was given up.
    pub(crate) fn record(
        &self,
        now: Tick,
        attempts: f32,
        failures: f32,
        rules: &Rules,
    ) -> Option<()> {
        self.errors
            .update(|word| ewma::add(word, now, attempts, failures, &rules.slow))
            .map(|_| ())
    }

    /// Notes that a child's circuit tripped; the second within the window trips the parent.
    pub(crate) fn child_tripped(&self, now: Tick, rules: &Rules) {
        let circuit = &rules.tuning.circuit;
        let at = (now.index() & MASK).max(1);
        self.trips.update(|word| {
            let last = word >> (BITS + 1);
            let recent = last != 0
                && at.wrapping_sub(last) & MASK <= u64::from(ticks(circuit.parent_window));
            let until = if recent {
                (at + u64::from(ticks(circuit.parent_hold))) & MASK
            } else {
                word >> 1 & MASK
            };
            at << (BITS + 1) | until << 1 | (word & 1)
        });
    }

    /// Notes that a child is coming back: the parent's own trip is over, and its error rate weighs less.
    ///
    /// Why: the parent of one child would hold against it what it just disproved; siblings that still fail are soon counted again.
    pub(crate) fn child_recovered(&self, keep: f32) {
        self.trips.update(|word| word >> (BITS + 1) << (BITS + 1));
        self.errors.update(|word| ewma::scale(word, keep));
    }

    /// Whether a child may probe now; while tripped, this claims the only place.
    pub(crate) fn claim(&self, now: Tick) -> bool {
        if !tripped(self.trips.load(), now) {
            return true;
        }
        self.trips
            .update(|word| word | 1)
            .is_some_and(|swap| swap.before & 1 == 0)
    }

    /// Gives the place back.
    pub(crate) fn release(&self) {
        self.trips.update(|word| word & !1);
    }

    /// Whether several children tripped together a short time ago.
    pub(crate) fn is_tripped(&self, now: Tick) -> bool {
        tripped(self.trips.load(), now)
    }

    /// Brings idle words up to `now`.
    pub(crate) fn sweep(&self, now: Tick, rules: &Rules) {
        self.errors
            .update(|word| ewma::refresh(word, now, &rules.slow));
        self.trips.update(|word| {
            let until = word >> 1 & MASK;
            if until != 0 && !tripped(word, now) {
                0
            } else {
                word
            }
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::tuning::Tuning;

    fn tick(seconds: f64) -> Tick {
        Tick::from_index((seconds * 1e6 / 16_384.0) as u64 + 100)
    }

    #[test]
    fn two_trips_close_together_leave_one_probe() {
        let rules = Rules::new(&Tuning::default());
        let parent = Parent::new();
        parent.child_tripped(tick(1.0), &rules);
        assert!(parent.claim(tick(1.1)) && parent.claim(tick(1.1)));
        parent.child_tripped(tick(2.0), &rules);
        assert!(parent.is_tripped(tick(2.1)));
        assert!(parent.claim(tick(2.1)));
        assert!(!parent.claim(tick(2.1)));
        parent.release();
        assert!(parent.claim(tick(2.1)));
        parent.child_recovered(0.05);
        assert!(!parent.is_tripped(tick(2.2)));
    }

    #[test]
    fn trips_far_apart_are_a_coincidence() {
        let rules = Rules::new(&Tuning::default());
        let parent = Parent::new();
        parent.child_tripped(tick(1.0), &rules);
        parent.child_tripped(tick(4.0), &rules);
        assert!(!parent.is_tripped(tick(4.1)));
    }

    #[test]
    fn the_trip_ends_by_itself() {
        let rules = Rules::new(&Tuning::default());
        let parent = Parent::new();
        parent.child_tripped(tick(1.0), &rules);
        parent.child_tripped(tick(1.5), &rules);
        assert!(parent.is_tripped(tick(20.0)));
        assert!(!parent.is_tripped(tick(40.0)));
    }
}
