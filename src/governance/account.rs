//! How much of one budget is spent, and may this much more be?
//!
//! All the money that counts is in one word: what is spent and what is reserved, together, beside a [`Tag`] that tells the window that they belong to.
//! So reserving is one comparison and one addition that nobody can come between, and a window that begins anew takes nothing with it.
//!
//! An aligned budget turns its window: another tag and no money; what was reserved in the window before is settled there, that is, nowhere.
//! A rolling one keeps what was settled in [`Slices`] as well, each of which is taken off the word when the length has passed.
//! Windows are turned by the control task; whoever asks for money neither looks at the time nor waits.
//!
//! # Invariants
//! - While nothing is settled at more than was reserved, the money in the word never exceeds the limit, whatever comes between.
//! - Windows move forward only: a clock that is set back opens nothing again, one that is set forward opens once.
//! - In any stretch of a rolling budget's length no more than its limit is spent; it is kept for up to a slice longer.
//! - A reservation counts until it is settled or its window ends.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Nano, Schedule, Style, Window};

use super::slices::Slices;
use super::word::{Tag, Word};

/// One budget's money; it is shared by all who spend it.
#[derive(Debug)]
pub struct Account {
    /// What is spent and reserved in this window; it decides.
    money: Word,
    /// What of it is reserved; a statistic that may be a moment behind.
    reserved: Word,
    /// How often more was spent than had been reserved; a statistic.
    overruns: AtomicU64,
    turns: Turns,
}

/// How windows follow each other.
#[derive(Debug)]
enum Turns {
    /// All at once, at the calendar's boundaries; the window in one word.
    Whole(AtomicU64),
    /// Slice by slice.
    Sliced(Slices),
}

/// What an account looks like at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The stretch of time that counts.
    pub window: Window,
    /// The most that may be spent in it.
    pub limit: Nano,
    /// What was spent in it.
    pub spent: Nano,
    /// What is reserved and not yet settled.
    pub reserved: Nano,
    /// How often more was spent than had been reserved, since the start.
    pub overruns: u64,
    /// When something can be spent again, seconds since 1970; none while something is left.
    pub opens_at: Option<i64>,
}

impl Account {
    /// An account of which nothing is spent.
    #[must_use]
    pub fn new(schedule: &Schedule, now: i64) -> Self {
        let turns = match schedule.style {
            Style::Aligned(_) => Turns::Whole(AtomicU64::new(pack(schedule.window_at(now)))),
            Style::Rolling => Turns::Sliced(Slices::new(schedule.seconds(), now)),
        };
        Self {
            money: Word::default(),
            reserved: Word::default(),
            overruns: AtomicU64::new(0),
            turns,
        }
    }

    /// Reserves `amount` if no more than `limit` is spent and reserved then; [`Nano::MAX`] is no limit.
    ///
    /// # Errors
    /// What is left of the limit; nothing is reserved then.
    pub fn reserve(&self, amount: Nano, limit: Nano) -> Result<Tag, Nano> {
        let more = |tag, committed: Nano| {
            fits(committed, amount, limit).then(|| (tag, committed.plus(amount)))
        };
        match self.money.change(more) {
            Ok((tag, _)) => {
                self.count_reserved(tag, amount);
                Ok(tag)
            }
            Err((_, committed)) => Err(limit.less(committed)),
        }
    }

    /// Replaces what was reserved by what was spent, which may be more: the truth wins over the limit.
    ///
    /// Where the window has ended in between, nothing changes: the money belonged to that window.
    pub fn settle(&self, tag: Tag, reserved: Nano, actual: Nano) {
        let _ = self.money.change(|present, committed| {
            (present == tag).then(|| (present, committed.less(reserved).plus(actual)))
        });
        let _ = self.reserved.change(|present, sum| {
            (present == tag && reserved > Nano::ZERO).then(|| (present, sum.less(reserved)))
        });
        if actual > reserved {
            self.overruns.fetch_add(1, Ordering::Relaxed);
        }
        if let Turns::Sliced(slices) = &self.turns {
            slices.add(actual);
        }
    }

    /// Adds to the statistic, whose window is turned by whoever comes first.
    fn count_reserved(&self, tag: Tag, amount: Nano) {
        let _ = self.reserved.change(|present, sum| {
            if present == tag {
                Some((tag, sum.plus(amount)))
            } else {
                present.is_before(tag).then_some((tag, amount))
            }
        });
    }

    /// Whether `amount` could be reserved now.
    pub(super) fn affords(&self, amount: Nano, limit: Nano) -> bool {
        fits(self.money.load().1, amount, limit)
    }

    /// What is left of a limit.
    #[must_use]
    pub fn left(&self, limit: Nano) -> Nano {
        limit.less(self.money.load().1)
    }

    /// Ends the windows that are over at `now`, and returns when the next one will be.
    ///
    /// Only the control task calls it.
    pub fn turn(&self, schedule: &Schedule, now: i64) -> i64 {
        match &self.turns {
            Turns::Whole(window) if now < unpack(window.load(Ordering::Relaxed)).end => {}
            Turns::Whole(_) => self.roll(schedule.window_at(now)),
            Turns::Sliced(slices) => slices.advance(now, |expired| self.take_off(expired)),
        }
        self.due()
    }

    /// When its window, or its slice, ends; seconds since 1970.
    #[must_use]
    pub fn due(&self) -> i64 {
        match &self.turns {
            Turns::Whole(window) => unpack(window.load(Ordering::Relaxed)).end,
            Turns::Sliced(slices) => slices.current().end,
        }
    }

    /// When the window, or the slice of a rolling one, that is charged now began; seconds since 1970.
    #[must_use]
    pub fn began(&self) -> i64 {
        match &self.turns {
            Turns::Whole(window) => unpack(window.load(Ordering::Relaxed)).start,
            Turns::Sliced(slices) => slices.current().start,
        }
    }

    /// What is settled now counts from the beginning of which window, or slice, if what was reserved was to count from `reserved`; seconds since 1970.
    ///
    /// Aligned windows keep what was reserved in them; a rolling budget counts money from when it was spent.
    pub(super) fn settles_in(&self, reserved: i64) -> i64 {
        match &self.turns {
            Turns::Whole(_) => reserved,
            Turns::Sliced(_) => self.began(),
        }
    }

    /// Begins `window`, if it does not begin before the present one ends.
    fn roll(&self, window: Window) {
        let Turns::Whole(present) = &self.turns else {
            return;
        };
        let later = |bits| (window.start >= unpack(bits).end).then(|| pack(window));
        let turned = present.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        if turned.is_ok()
            && let Ok((tag, _)) = self.money.change(|tag, _| Some((tag.next(), Nano::ZERO)))
        {
            self.count_reserved(tag, Nano::ZERO);
        }
    }

    /// Takes what was spent so long ago that it no longer counts off the word.
    fn take_off(&self, expired: Nano) {
        let _ = self
            .money
            .change(|tag, committed| Some((tag, committed.less(expired))));
    }

    /// Adds what is known to have been spent in `window`, before anybody asks for money.
    ///
    /// What lies wholly before the present window no longer counts; a later window than the present one, known from before the clock was set back, becomes the present one.
    pub fn restore(&self, window: Window, spent: Nano) {
        let counts = match &self.turns {
            Turns::Whole(present) => {
                self.roll(window);
                unpack(present.load(Ordering::Relaxed)).start < window.end
            }
            Turns::Sliced(slices) => {
                let last = window.end - 1;
                slices.advance(last, |expired| self.take_off(expired));
                slices.add_at(last, spent)
            }
        };
        if counts {
            let _ = self
                .money
                .change(|tag, committed| Some((tag, committed.plus(spent))));
        }
    }

    /// Replaces what was charged in the window, or the slice of a rolling one, that began at `start` by another amount, if that still counts.
    pub fn adjust(&self, start: i64, charged: Nano, amount: Nano) {
        let (tag, _) = self.money.load();
        let counts = match &self.turns {
            Turns::Whole(present) => unpack(present.load(Ordering::Relaxed)).start == start,
            Turns::Sliced(slices) => slices.replace_at(start, charged, amount),
        };
        if counts {
            // Where the window has ended in between, it is over with what it held.
            let _ = self.money.change(|present, committed| {
                (present == tag).then(|| (present, committed.less(charged).plus(amount)))
            });
        }
    }

    /// When `amount` can be reserved, if all that is reserved is spent: seconds since 1970; none if it exceeds the limit itself.
    #[must_use]
    pub fn opens_at(&self, amount: Nano, limit: Nano) -> Option<i64> {
        if amount > limit {
            return None;
        }
        let missing = self.money.load().1.plus(amount).less(limit);
        Some(match &self.turns {
            Turns::Whole(_) => self.due(),
            Turns::Sliced(slices) => slices.expires(missing),
        })
    }

    /// What it looks like now; spent and reserved add up to what decides.
    #[must_use]
    pub fn view(&self, limit: Nano) -> View {
        let (tag, committed) = self.money.load();
        let (counted, reserved) = self.reserved.load();
        let reserved = if counted == tag {
            reserved.min(committed)
        } else {
            Nano::ZERO
        };
        let window = match &self.turns {
            Turns::Whole(window) => unpack(window.load(Ordering::Relaxed)),
            Turns::Sliced(slices) => slices.window(),
        };
        let is_spent = committed >= limit;
        let opens_at = is_spent
            .then(|| self.opens_at(Nano::new(1), limit))
            .flatten();
        View {
            window,
            limit,
            spent: committed.less(reserved),
            reserved,
            overruns: self.overruns.load(Ordering::Relaxed),
            opens_at,
        }
    }
}

/// Whether an amount may be added to what counts already.
fn fits(committed: Nano, amount: Nano, limit: Nano) -> bool {
    committed.get() + amount.get() <= limit.get() || limit == Nano::MAX
}

/// Bits of a window's length in seconds, 34 years; the other 34 are its start, up to the year 2514.
const LENGTH_BITS: u32 = 30;

/// A window in one word, so that nobody sees the start of one and the end of another.
fn pack(window: Window) -> u64 {
    let start = window.start.clamp(0, (1 << (64 - LENGTH_BITS)) - 1);
    let length = (window.end - start).clamp(1, (1 << LENGTH_BITS) - 1);
    (start as u64) << LENGTH_BITS | length as u64
}

fn unpack(bits: u64) -> Window {
    let start = (bits >> LENGTH_BITS) as i64;
    let length = (bits & ((1 << LENGTH_BITS) - 1)) as i64;
    Window {
        start,
        end: start + length,
    }
}

#[cfg(test)]
mod tests;
