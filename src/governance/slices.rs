//! What was spent when, so that it can be forgotten in time?
//!
//! A rolling length is cut into slices of equal width; what is settled goes to the present slice's cell, and a cell is emptied when its slice has been over for the whole length.
//! Slices are counted from 1970 on by their width, so those of before a restart are the same as after it.
//! Another design would keep each amount with its instant: exact, but without bound.
//!
//! # Invariants
//! - What was added is handed out once, the length after it was added at the earliest and a slice later at the latest, unless the turn is late.
//! - The present slice never moves backwards.
//! - A cell is empty before its slice becomes the present one, so what is new is never taken for old.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::config::{Nano, Window};

/// Slices that a length is cut into at most: what is spent counts for at most a 32nd of the length too long, and two seconds where that is more.
const MOST: i64 = 32;

/// What was spent in each slice of a rolling length.
#[derive(Debug)]
pub(super) struct Slices {
    /// How long a slice is, seconds.
    width: i64,
    /// The present slice, counted from 1970.
    number: AtomicI64,
    /// Nano-dollars by the slice's number modulo their count: those of a whole length and the present one.
    cells: Box<[AtomicU64]>,
    /// Held by who moves the slices on: two at once could empty a cell that is in use again. Nobody who asks for money takes it.
    moving: Mutex<()>,
}

impl Slices {
    pub(super) fn new(seconds: i64, now: i64) -> Self {
        let width = (seconds + MOST - 1) / MOST;
        let count = (seconds + width - 1) / width + 1;
        Self {
            width,
            number: AtomicI64::new(now.div_euclid(width)),
            cells: (0..count).map(|_| AtomicU64::new(0)).collect(),
            moving: Mutex::new(()),
        }
    }

    fn count(&self) -> i64 {
        self.cells.len() as i64
    }

    fn cell(&self, number: i64) -> &AtomicU64 {
        &self.cells[number.rem_euclid(self.count()) as usize]
    }

    fn number(&self) -> i64 {
        // Partner: the release in `advance`, after which the present cell is empty.
        self.number.load(Ordering::Acquire)
    }

    /// Adds to the present slice what its account's word holds already.
    pub(super) fn add(&self, amount: Nano) {
        if amount > Nano::ZERO {
            // Partner: the swap in `advance`, so that nothing is taken off the word before it is in it.
            self.cell(self.number())
                .fetch_add(amount.get(), Ordering::Release);
        }
    }

    /// Adds to the slice that holds an instant; whether it still counts.
    pub(super) fn add_at(&self, at: i64, amount: Nano) -> bool {
        let (number, present) = (at.div_euclid(self.width), self.number());
        let counts = present - self.count() < number && number <= present;
        if counts {
            self.cell(number).fetch_add(amount.get(), Ordering::Relaxed);
        }
        counts
    }

    /// Replaces a part of what was added to the slice that holds an instant; whether it still counts.
    pub(super) fn replace_at(&self, at: i64, part: Nano, by: Nano) -> bool {
        let (number, present) = (at.div_euclid(self.width), self.number());
        let counts = present - self.count() < number && number <= present;
        if counts {
            let replaced = |sum: u64| Some(Nano::new(sum).less(part).plus(by).get());
            // Why: it never refuses.
            let _ = self
                .cell(number)
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, replaced);
        }
        counts
    }

    /// Makes the slice that holds `now` the present one, unless a later one is, and hands out what no longer counts.
    pub(super) fn advance(&self, now: i64, expire: impl Fn(Nano)) {
        let target = now.div_euclid(self.width);
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = self.number();
        // Why: after a whole length every cell is empty; whole rounds more change none.
        let rounds = (target - number) / self.count() - 1;
        number += rounds.max(0) * self.count();
        while number < target {
            number += 1;
            // Partner: the addition in `add`.
            let expired = self.cell(number).swap(0, Ordering::Acquire);
            if expired > 0 {
                expire(Nano::new(expired));
            }
            // Partner: the load in `number`.
            self.number.store(number, Ordering::Release);
        }
    }

    /// The present slice.
    pub(super) fn current(&self) -> Window {
        let start = self.number() * self.width;
        Window {
            start,
            end: start + self.width,
        }
    }

    /// The stretch that counts: the length, and the present slice.
    pub(super) fn window(&self) -> Window {
        let end = self.current().end;
        Window {
            start: end - self.count() * self.width,
            end,
        }
    }

    /// When so many of the oldest slices no longer count that they held `missing`; when none of them does if all hold less.
    pub(super) fn expires(&self, missing: Nano) -> i64 {
        let present = self.number();
        let mut sum = Nano::ZERO;
        for ahead in 1..self.count() {
            let cell = self.cell(present + ahead).load(Ordering::Relaxed);
            sum = sum.plus(Nano::new(cell));
            if sum >= missing {
                return (present + ahead) * self.width;
            }
        }
        (present + self.count()) * self.width
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn expired(slices: &Slices, now: i64) -> u64 {
        let sum = Cell::new(0);
        slices.advance(now, |amount| sum.set(sum.get() + amount.get()));
        sum.get()
    }

    #[test]
    fn a_length_is_covered() {
        for (seconds, width, count) in [
            (60, 2, 31),
            (300, 10, 31),
            (3_600, 113, 33),
            (86_400, 2_700, 33),
        ] {
            let slices = Slices::new(seconds, 0);
            assert_eq!((slices.width, slices.count()), (width, count), "{seconds}");
            assert!((count - 1) * width >= seconds);
        }
    }

    #[test]
    fn money_is_handed_out_once_and_not_before_the_length_is_over() {
        let slices = Slices::new(60, 1_000);
        slices.add(Nano::new(7));
        assert_eq!(expired(&slices, 1_031), 0);
        slices.add(Nano::new(5));
        assert_eq!(slices.expires(Nano::new(7)), 1_062);
        assert_eq!(slices.expires(Nano::new(8)), 1_092);
        assert_eq!(expired(&slices, 1_061), 0);
        assert_eq!(expired(&slices, 1_062), 7);
        assert_eq!(expired(&slices, 1_091), 0);
        assert_eq!(expired(&slices, 1_092), 5);
        assert_eq!(expired(&slices, 1_000_000), 0);
    }

    #[test]
    fn leaps_of_the_clock_end_every_slice_once() {
        for leap in [
            60,
            61,
            62,
            63,
            64,
            100,
            123,
            124,
            125,
            126,
            5_000,
            1_000_000_000,
        ] {
            let slices = Slices::new(60, 1_000);
            slices.add(Nano::new(7));
            let due = slices.window().end + 60;
            assert_eq!(due, 1_062);
            let expected = if 1_000 + leap >= due { 7 } else { 0 };
            assert_eq!(expired(&slices, 1_000 + leap), expected, "{leap}");
            let present = slices.current();
            assert!(present.holds(1_000 + leap));
            // Set back: nothing moves.
            assert_eq!(expired(&slices, 0), 0);
            assert_eq!(slices.current(), present);
        }
    }

    #[test]
    fn what_is_known_from_before_expires_as_if_it_had_been_added_then() {
        let slices = Slices::new(60, 1_000);
        assert!(slices.add_at(970, Nano::new(7)));
        assert!(
            !slices.add_at(930, Nano::new(9)),
            "it was over for a minute"
        );
        assert!(!slices.add_at(1_002, Nano::new(9)), "it is to come");
        assert_eq!(expired(&slices, 1_031), 0);
        assert_eq!(expired(&slices, 1_032), 7);
    }
}
