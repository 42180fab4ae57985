//! Is there anything left of this minute's allowance?
//!
//! An allowance of so many in a minute refills continuously and holds a minute's worth at most.
//! One instant is kept, up to which it is spent (the generic cell rate algorithm): what is spent moves it ahead, the passing of time is no write at all.
//! The limit is the caller's and may change from one call to the next.
//! What is known beforehand is [spent](Refill::spend) if there is enough; what is known afterwards is [charged](Refill::charge), into debt if need be.
//!
//! # Invariants
//! - What is refused spends nothing.
//! - The wait that a refusal tells is exact to a microsecond: after it the same is not refused, unless others were faster.
//! - More than a minute's worth at once passes when the allowance is whole, never sooner, and is never refused for ever.
//! - An amount costs its share of a minute, less than a nanosecond too little.

use crate::cell::Word;
use crate::time::{Span, Time};

/// What an allowance is for, nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// An allowance that refills continuously; all who share it share this word.
#[derive(Debug)]
pub struct Refill {
    /// When it will be whole again, nanoseconds.
    whole_at: Word,
}

impl Default for Refill {
    fn default() -> Self {
        Self {
            whole_at: Word::new(0),
        }
    }
}

impl Refill {
    /// Spends `amount`, if that much is left.
    ///
    /// # Errors
    /// How long to wait until it is; nothing is spent then.
    pub fn spend(&self, amount: u64, per_minute: u32, now: Time) -> Result<(), Span> {
        let cost = cost(amount, per_minute);
        let before = self.change(|whole_at| match missing(whole_at, cost, now) {
            0 => whole_at.max(nanos(now)).saturating_add(cost),
            _ => whole_at,
        });
        match missing(before, cost, now) {
            0 => Ok(()),
            missing => Err(Span::from_micros(missing.div_ceil(1_000))),
        }
    }

    /// How long to wait until `amount` is left; zero if it is.
    #[must_use]
    pub fn wait(&self, amount: u64, per_minute: u32, now: Time) -> Span {
        let missing = missing(self.whole_at.load(), cost(amount, per_minute), now);
        Span::from_micros(missing.div_ceil(1_000))
    }

    /// Spends `amount` whatever is left.
    pub fn charge(&self, amount: u64, per_minute: u32, now: Time) {
        let cost = cost(amount, per_minute);
        self.change(|whole_at| whole_at.max(nanos(now)).saturating_add(cost));
    }

    /// Gives back what was spent and was not used.
    ///
    /// The allowance is as whole as if it had not been spent, or more so where it would have been whole in between; by no more than `amount`, and never more than whole.
    pub fn give_back(&self, amount: u64, per_minute: u32) {
        let cost = cost(amount, per_minute);
        self.change(|whole_at| whole_at.saturating_sub(cost));
    }

    /// Replaces the word and returns what it was before.
    fn change(&self, next: impl Fn(u64) -> u64) -> u64 {
        // Why: no charge may be lost, and whoever comes first makes progress.
        loop {
            if let Some(swap) = self.whole_at.update(&next) {
                return swap.before;
            }
        }
    }
}

/// An instant in nanoseconds, so that one token of a large limit is not rounded away.
fn nanos(now: Time) -> u64 {
    now.as_micros().saturating_mul(1_000)
}

/// An amount's share of a minute, nanoseconds.
fn cost(amount: u64, per_minute: u32) -> u64 {
    let share = u128::from(amount) * u128::from(MINUTE) / u128::from(per_minute.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// How long it takes to refill what is missing, nanoseconds.
fn missing(whole_at: u64, cost: u64, now: Time) -> u64 {
    let now = nanos(now);
    let after = whole_at.max(now).saturating_add(cost.min(MINUTE));
    after.saturating_sub(now.saturating_add(MINUTE))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_minute_has_so_many() {
        let refill = Refill::default();
        for _ in 0..6 {
            assert_eq!(refill.spend(1, 6, at(100)), Ok(()));
        }
        assert_eq!(refill.spend(1, 6, at(100)), Err(Span::from_secs(10)));
        assert_eq!(refill.spend(2, 6, at(100)), Err(Span::from_secs(20)));
        assert_eq!(refill.spend(1, 6, at(110)), Ok(()));
        assert_eq!(refill.spend(1, 6, at(110)), Err(Span::from_secs(10)));
        refill.give_back(1, 6);
        assert_eq!(refill.spend(1, 6, at(110)), Ok(()));
    }

    #[test]
    fn more_than_a_minutes_worth_waits_for_all_of_it() {
        let refill = Refill::default();
        assert_eq!(refill.spend(1, 60, at(100)), Ok(()));
        assert_eq!(refill.spend(600, 60, at(100)), Err(Span::from_secs(1)));
        assert_eq!(refill.spend(600, 60, at(101)), Ok(()));
        // Ten minutes' worth is spent: the next waits until one of it is back.
        assert_eq!(refill.spend(1, 60, at(101)), Err(Span::from_secs(541)));
    }

    #[test]
    fn a_charge_goes_into_debt() {
        let refill = Refill::default();
        refill.charge(90, 60, at(100));
        assert_eq!(refill.wait(1, 60, at(100)), Span::from_secs(31));
        assert_eq!(refill.wait(1, 60, at(130)), Span::from_secs(1));
        assert_eq!(refill.wait(1, 60, at(131)), Span::ZERO);
    }

    /// The plain bucket, in units of a minute's share so that nothing is rounded.
    #[derive(Debug)]
    struct Bucket {
        /// What is left, units × nanoseconds of a minute; negative in debt.
        left: i128,
        at: u64,
    }

    impl Bucket {
        fn refill(&mut self, per_minute: u32, now: u64) {
            let most = i128::from(per_minute) * i128::from(MINUTE);
            let passed = i128::from(now - self.at) * i128::from(per_minute);
            self.left = (self.left + passed).min(most);
            self.at = now;
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Spend(u64),
        Charge(u64),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1_u64..500).prop_map(Step::Spend),
            1 => (1_u64..500).prop_map(Step::Charge),
            3 => (1_u64..60_000_000).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_bucket(per_minute in 1_u32..2_000, steps in prop::collection::vec(step(), 1..200)) {
            let refill = Refill::default();
            let mut now = 120_000_000;
            let most = i128::from(per_minute) * i128::from(MINUTE);
            let mut twin = Bucket { left: most, at: now * 1_000 };
            // Why: each amount may be counted short by less than a nanosecond, and waits are told in microseconds.
            let slack = i128::from(per_minute) * 1_200;
            for step in steps {
                twin.refill(per_minute, now * 1_000);
                let time = Time::from_micros(now);
                match step {
                    Step::Pass(micros) => now += micros,
                    Step::Charge(amount) => {
                        refill.charge(amount, per_minute, time);
                        twin.left -= i128::from(amount) * i128::from(MINUTE);
                    }
                    Step::Spend(amount) => {
                        let cost = i128::from(amount) * i128::from(MINUTE);
                        let need = cost.min(most);
                        match refill.spend(amount, per_minute, time) {
                            Ok(()) => {
                                prop_assert!(twin.left + slack >= need, "{twin:?} {amount}");
                                twin.left -= cost;
                            }
                            Err(wait) => {
                                prop_assert!(twin.left < need + slack, "{twin:?} {amount}");
                                let short = Span::from_micros(wait.as_micros() - 1);
                                prop_assert!(refill.wait(amount, per_minute, time.plus(short)) > Span::ZERO);
                                prop_assert_eq!(refill.wait(amount, per_minute, time.plus(wait)), Span::ZERO);
                            }
                        }
                    }
                }
            }
        }

        #[test]
        fn what_is_given_back_at_once_was_never_spent(
            per_minute in 1_u32..1_000_000, held in 0_u64..1_000_000, amount in 0_u64..1_000_000,
        ) {
            let refill = Refill::default();
            refill.charge(held, per_minute, at(100));
            let before = refill.wait(1, per_minute, at(100));
            refill.charge(amount, per_minute, at(100));
            refill.give_back(amount, per_minute);
            prop_assert_eq!(refill.wait(1, per_minute, at(100)), before);
        }
    }
}
