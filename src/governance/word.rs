//! How do an amount of money and the window it belongs to change together?
//!
//! They share one word: twelve bits of [`Tag`] and 52 of [`Nano`].
//!
//! # Invariants
//! - A change is seen whole or not at all, and none is lost.
//! - The word guards nothing but its own bits unless whoever uses it says so.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Nano;

/// Bits of the amount.
const AMOUNT_BITS: u32 = 52;

/// Which of an account's windows a reservation belongs to.
///
/// Windows last a minute at least, so a tag comes again after 68 hours at the earliest, when no attempt of then is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag(u16);

impl Tag {
    /// How many there are.
    const COUNT: u16 = 1 << (u64::BITS - AMOUNT_BITS);

    /// The tag of the next window.
    pub(super) const fn next(self) -> Self {
        Self((self.0 + 1) % Self::COUNT)
    }

    /// Whether it is of an earlier window than the other, as far as tags can tell.
    pub(super) const fn is_before(self, other: Self) -> bool {
        let ahead = other.0.wrapping_sub(self.0) % Self::COUNT;
        0 < ahead && ahead < Self::COUNT / 2
    }
}

/// A tag and an amount.
#[derive(Debug, Default)]
pub(super) struct Word(AtomicU64);

impl Word {
    pub(super) fn load(&self) -> (Tag, Nano) {
        // Partner: the release in `change`; see `slices.rs`.
        unpack(self.0.load(Ordering::Acquire))
    }

    /// Replaces both by what `next` makes of them, and returns the new ones; if it makes nothing of them, an error with the present ones.
    pub(super) fn change(
        &self,
        next: impl Fn(Tag, Nano) -> Option<(Tag, Nano)>,
    ) -> Result<(Tag, Nano), (Tag, Nano)> {
        let after = |bits| {
            let (tag, amount) = unpack(bits);
            next(tag, amount).map(pack)
        };
        // Why: not bounded, since no money may be lost, and whoever comes first makes progress.
        // Partner: itself, so that what one thread did before its change is seen by who changes the word next.
        let changed = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, after);
        match changed {
            Ok(before) => Ok(after(before).map_or(unpack(before), unpack)),
            Err(present) => Err(unpack(present)),
        }
    }
}

fn pack((tag, amount): (Tag, Nano)) -> u64 {
    u64::from(tag.0) << AMOUNT_BITS | amount.get()
}

fn unpack(bits: u64) -> (Tag, Nano) {
    let amount = bits & Nano::MAX.get();
    (Tag((bits >> AMOUNT_BITS) as u16), Nano::new(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_round() {
        let last = Tag(Tag::COUNT - 1);
        assert_eq!(last.next(), Tag(0));
        for (one, other, expected) in [
            (0, 0, false),
            (0, 1, true),
            (1, 0, false),
            (4_095, 0, true),
            (0, 4_095, false),
            (4_000, 10, true),
        ] {
            assert_eq!(Tag(one).is_before(Tag(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_word_holds_both_to_the_last_bit() {
        let word = Word::default();
        let both = (Tag(Tag::COUNT - 1), Nano::MAX);
        assert_eq!(word.change(|_, _| Some(both)), Ok(both));
        assert_eq!(word.load(), both);
        assert_eq!(word.change(|_, _| None), Err(both));
    }
}
