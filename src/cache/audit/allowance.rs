//! May a drawn hit be audited now, or would that cost too much?
//!
//! Drawing comes first and this second: a hit that was drawn and is refused here is counted as skipped, and since the refusal does not look at the hit, those that are let through still stand for all, as far as the late hits of a day are like its early ones.
//!
//! # Invariants
//! - What is let through in a day costs at most the budget, plus by how much answers turned out dearer than expected.
//! - A clock that is set back gives nothing back.
//!
//! Money is whole nano-dollars, instants seconds since 1970.

use serde::{Deserialize, Serialize};

use super::sample::DAY;

/// How much may be audited, over all workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Audits begun in one minute by the clock. Default 30.
    pub per_minute: u32,
    /// Nano-dollars that audits may cost in a day, UTC. Default one dollar.
    pub per_day: u64,
}

impl Default for Spending {
    fn default() -> Self {
        Self {
            per_minute: 30,
            per_day: 1_000_000_000,
        }
    }
}

/// Why a drawn hit was not audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Too many in this minute.
    Rate,
    /// The day's money is spent.
    Budget,
    /// The question could not be asked afresh, or no answer came.
    Failed,
    /// The record of it could not be written.
    Unwritten,
}

/// Money that is held for an audit; to be given to [`Allowance::settle`], else it counts as spent.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Held {
    day: i64,
    nano: u64,
}

/// What was audited in this minute and spent on this day.
#[derive(Debug)]
pub struct Allowance {
    limits: Spending,
    minute: i64,
    begun: u32,
    day: i64,
    spent: u64,
}

impl Allowance {
    /// An allowance of which nothing is used.
    #[must_use]
    pub const fn new(limits: Spending) -> Self {
        Self {
            limits,
            minute: i64::MIN,
            begun: 0,
            day: i64::MIN,
            spent: 0,
        }
    }

    /// Holds what an audit is expected to cost.
    ///
    /// # Errors
    /// [`Skip::Rate`] or [`Skip::Budget`]; nothing is held then.
    pub fn ask(&mut self, now: i64, expected: u64) -> Result<Held, Skip> {
        let (minute, day) = (now.div_euclid(60), now.div_euclid(DAY));
        if minute > self.minute {
            (self.minute, self.begun) = (minute, 0);
        }
        if day > self.day {
            (self.day, self.spent) = (day, 0);
        }
        if self.begun >= self.limits.per_minute {
            return Err(Skip::Rate);
        }
        let after = self.spent.saturating_add(expected);
        if after > self.limits.per_day || self.spent >= self.limits.per_day {
            return Err(Skip::Budget);
        }
        self.begun += 1;
        self.spent = after;
        Ok(Held {
            day: self.day,
            nano: expected,
        })
    }

    /// Replaces what was held by what it did cost; that of an earlier day changes nothing.
    pub const fn settle(&mut self, held: Held, actual: u64) {
        if held.day == self.day {
            self.spent = self.spent.saturating_sub(held.nano).saturating_add(actual);
        }
    }

    /// Nano-dollars spent and held on the day last asked for.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_days_have_their_limits() {
        let mut allowance = Allowance::new(Spending {
            per_minute: 2,
            per_day: 100,
        });
        let held = allowance.ask(60, 40).unwrap();
        let late = allowance.ask(61, 40).unwrap();
        assert_eq!(allowance.ask(119, 0), Err(Skip::Rate));
        assert_eq!(allowance.ask(120, 40), Err(Skip::Budget));
        allowance.settle(held, 10);
        assert_eq!(allowance.spent(), 50);
        assert!(allowance.ask(121, 50).is_ok());
        assert_eq!(allowance.ask(180, 0), Err(Skip::Budget), "all is spent");
        // The clock is set back by an hour, then goes on to the next day.
        assert_eq!(allowance.ask(-3_600, 1), Err(Skip::Budget));
        let next = allowance.ask(DAY, 60).unwrap();
        allowance.settle(late, 1_000);
        assert_eq!(allowance.spent(), 60, "yesterday's answer is yesterday's");
        allowance.settle(next, u64::MAX);
        assert_eq!(allowance.ask(DAY + 60, 1), Err(Skip::Budget));
    }

    #[test]
    fn no_budget_audits_nothing() {
        let mut allowance = Allowance::new(Spending {
            per_minute: 9,
            per_day: 0,
        });
        assert_eq!(allowance.ask(0, 0), Err(Skip::Budget));
    }
}
