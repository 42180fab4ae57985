//! How several threads change one packed word without a lock.
//!
//! The only compare-and-swap loop of the crate: read the word, compute the next one by a pure function, publish it if nobody was faster, else again.
//! Whatever must change together lives in one [`Word`]; what does not fit does not change together, and its readers tolerate that.
//!
//! # Invariants
//! - An update is atomic: the result of any set of concurrent updates equals some serial order of them.
//! - The function given to [`Word::update`] may run several times and must be pure.
//! - The loop is bounded by [`MAX_TRIES`]; an update given up is reported, never silent.

use crate::atomics::{AtomicU64, Ordering};

/// Tries before an update is given up.
///
/// Sixteen threads hammering one word lost 5·10⁻⁴ of their updates with a bound of 8; at 64 a loss means that something else is broken.
/// Larger would let a livelock look like a slow request.
pub(crate) const MAX_TRIES: usize = 64;

/// One 64-bit word that several threads update by pure functions.
///
/// It guards nothing but its own bits: no other memory is published through it, so every access is relaxed.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

/// What an update replaced, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swap {
    /// The word before the update.
    pub(crate) before: u64,
    /// The word after the update; equal to `before` if nothing had to change.
    pub(crate) after: u64,
}

impl Word {
    /// A word holding `bits`.
    pub(crate) fn new(bits: u64) -> Self {
        Self(AtomicU64::new(bits))
    }

    /// The present value.
    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Publishes `bits` whatever was there; only for words with a single writer.
    pub(crate) fn store(&self, bits: u64) {
        self.0.store(bits, Ordering::Relaxed);
    }

    /// Adds `amount`, wrapping; returns the word before.
    pub(crate) fn fetch_add(&self, amount: u64) -> u64 {
        self.0.fetch_add(amount, Ordering::Relaxed)
    }

    /// Subtracts `amount`, wrapping; returns the word before.
    pub(crate) fn fetch_sub(&self, amount: u64) -> u64 {
        self.0.fetch_sub(amount, Ordering::Relaxed)
    }

    /// Puts `bits` there and returns what was there.
    pub(crate) fn swap(&self, bits: u64) -> u64 {
        self.0.swap(bits, Ordering::Relaxed)
    }

    /// Replaces the word by `next(word)`; `None` if [`MAX_TRIES`] other writers came first.
    ///
    /// A `next` that returns its argument writes nothing, so the line stays shared.
    pub(crate) fn update(&self, mut next: impl FnMut(u64) -> u64) -> Option<Swap> {
        let mut before = self.load();
        for _ in 0..MAX_TRIES {
            let after = next(before);
            if after == before {
                return Some(Swap { before, after });
            }
            match self
                .0
                .compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(Swap { before, after }),
                Err(current) => before = current,
            }
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_update_reports_both_sides() {
        let word = Word::new(3);
        assert_eq!(
            word.update(|w| w * 2),
            Some(Swap {
                before: 3,
                after: 6
            })
        );
        assert_eq!(word.load(), 6);
    }

    #[test]
    fn concurrent_updates_all_count() {
        const EACH: u64 = 20_000;
        let word = Word::new(0);
        let dropped = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        if word.update(|w| w + 1).is_none() {
                            dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(word.load() + dropped.into_inner(), 4 * EACH);
    }
}
