//! Whose window is over?
//!
//! The control task keeps every account by when its window, or slice, ends, the soonest on top: while none is over, asking costs one comparison, however many there are.
//!
//! # Invariants
//! - An account is turned once for each time that it is due, however far the clock has leapt; set back, the clock turns none.
//! - An account that is gone is forgotten when it is due, or [swept](Turns::sweep).

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};

use crate::config::Schedule;

use super::account::Account;

/// How long to leave an account alone that is still due after its turn, seconds.
///
/// It happens beyond the end of the calendar only, and must not turn for ever.
const STUCK: i64 = 60;

/// Accounts, by when their windows end.
#[derive(Debug, Default)]
pub struct Turns {
    heap: BinaryHeap<Reverse<Due>>,
}

/// An account and when its window ends.
#[derive(Debug)]
struct Due {
    /// Seconds since 1970.
    at: i64,
    account: Weak<Account>,
    schedule: Schedule,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl Turns {
    /// Turns this account from now on; once is enough.
    pub fn add(&mut self, account: &Arc<Account>, schedule: Schedule) {
        self.heap.push(Reverse(Due {
            at: account.due(),
            account: Arc::downgrade(account),
            schedule,
        }));
    }

    /// When the next one is due, seconds since 1970; none if there is none.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Turns every account that is due at `now`, seconds since 1970; how many there were.
    pub fn turn(&mut self, now: i64) -> usize {
        let (mut turned, now) = (0, now.min(i64::MAX - STUCK));
        while let Some(mut top) = self.heap.peek_mut() {
            if top.0.at > now {
                break;
            }
            let Some(account) = top.0.account.upgrade() else {
                std::collections::binary_heap::PeekMut::pop(top);
                continue;
            };
            let due = account.turn(&top.0.schedule, now);
            top.0.at = if due > now { due } else { now + STUCK };
            turned += 1;
        }
        turned
    }

    /// Forgets the accounts that are gone.
    pub fn sweep(&mut self) {
        self.heap
            .retain(|Reverse(due)| due.account.strong_count() > 0);
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{Nano, Style};

    fn schedule(length: &str, style: Style) -> Schedule {
        Schedule {
            length: length.parse().unwrap(),
            style,
        }
    }

    fn aligned(length: &str) -> Schedule {
        schedule(length, Style::Aligned(TimeZone::UTC))
    }

    fn spend(account: &Account) {
        account.reserve(Nano::new(1), Nano::new(1)).unwrap();
    }

    fn left(account: &Account) -> u64 {
        account.left(Nano::new(1)).get()
    }

    #[test]
    fn each_is_turned_when_it_is_due_and_no_sooner() {
        let mut turns = Turns::default();
        let lengths = ["1h", "1m", "5m", "1d"].map(aligned);
        let accounts = lengths.clone().map(|it| Arc::new(Account::new(&it, 0)));
        for (account, schedule) in accounts.iter().zip(lengths) {
            turns.add(account, schedule);
            spend(account);
        }
        for (now, turned, open) in [
            (59, 0, [0, 0, 0, 0]),
            (60, 1, [0, 1, 0, 0]),
            (61, 0, [0, 1, 0, 0]),
            (300, 2, [0, 1, 1, 0]),
            // Set back: none.
            (10, 0, [0, 1, 1, 0]),
            // A leap: once each.
            (3 * 86_400 + 5, 4, [1, 1, 1, 1]),
            (3 * 86_400 + 59, 0, [1, 1, 1, 1]),
        ] {
            assert_eq!(turns.turn(now), turned, "{now}");
            assert_eq!(accounts.each_ref().map(|it| left(it)), open, "{now}");
        }
        assert_eq!(turns.due(), Some(3 * 86_400 + 60));
    }

    #[test]
    fn a_rolling_one_is_due_at_each_slice() {
        let (mut turns, rolling) = (Turns::default(), schedule("1m", Style::Rolling));
        let account = Arc::new(Account::new(&rolling, 0));
        turns.add(&account, rolling);
        let tag = account.reserve(Nano::new(1), Nano::new(1)).unwrap();
        account.settle(tag, Nano::new(1), Nano::new(1));
        for now in (2..62).step_by(2) {
            assert_eq!((turns.turn(now), left(&account)), (1, 0), "{now}");
        }
        assert_eq!((turns.turn(62), left(&account)), (1, 1));
    }

    #[test]
    fn accounts_that_are_gone_are_forgotten() {
        let mut turns = Turns::default();
        let minute = aligned("1m");
        let kept = Arc::new(Account::new(&minute, 0));
        turns.add(&kept, minute.clone());
        turns.add(&Arc::new(Account::new(&minute, 0)), minute.clone());
        turns.add(&Arc::new(Account::new(&minute, 0)), minute);
        turns.sweep();
        assert_eq!(turns.len(), 1);
        turns.add(&Arc::new(Account::new(&aligned("1m"), 0)), aligned("1m"));
        assert_eq!((turns.turn(60), turns.len()), (1, 1));
    }

    #[test]
    fn the_end_of_the_calendar_ends() {
        let (mut turns, minute) = (Turns::default(), aligned("1m"));
        let account = Arc::new(Account::new(&minute, 0));
        turns.add(&account, minute);
        assert_eq!(turns.turn(i64::MAX), 1);
        assert_eq!(turns.turn(i64::MAX), 0);
    }
}
