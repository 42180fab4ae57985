//! Which account made the response that a client names by its id?
//!
//! Providers keep responses, and only the account that made one can continue, read or delete it.
//! A fixed table of words remembers the latest makers: an id's hash chooses a slot, and a newer id takes an older one's place.
//!
//! # Invariants
//! - Remembering and recalling neither lock nor allocate.
//! - What was forgotten, or was never known, is `None`; a false maker has a chance of 2⁻⁴⁰ a slot.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots: at 100 responses a second an id is remembered for some ten minutes, in half a mebibyte.
const SLOTS: usize = 1 << 16;

/// Slots that an id may be in.
const WAYS: usize = 4;

/// Bits of the maker in a word; the rest is the id's tag.
const MAKER_BITS: u32 = 24;

const MAKER_MASK: u64 = (1 << MAKER_BITS) - 1;

/// A maker, as the table knows it: stable over reloads, since it is a hash of the account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker(u32);

/// The table.
pub struct Makers {
    /// Statistics of a kind: a word is whole, and no two need agree.
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl std::fmt::Debug for Makers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Makers").finish_non_exhaustive()
    }
}

impl Default for Makers {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Makers {
    /// The maker of this provider's name and key's name.
    #[must_use]
    pub fn maker(&self, provider: &str, key: &str) -> Maker {
        let hash = self.hash(&(provider, key)) & MAKER_MASK;
        // 0 is an empty slot.
        Maker(u32::try_from(hash).unwrap_or(1).max(1))
    }

    /// Remembers who made `id`.
    pub fn remember(&self, id: &[u8], maker: Maker) {
        let (first, tag) = self.place(id);
        let ways = (0..WAYS).map(|way| &self.slots[(first + way) % SLOTS]);
        let word = tag | u64::from(maker.0);
        for slot in ways {
            let known = slot.load(Ordering::Relaxed);
            if known == 0 || known & !MAKER_MASK == tag {
                slot.store(word, Ordering::Relaxed);
                return;
            }
        }
        // Why the way that the tag names: it is as good as any, and differs from id to id.
        let way = (tag >> MAKER_BITS) as usize % WAYS;
        self.slots[(first + way) % SLOTS].store(word, Ordering::Relaxed);
    }

    /// Who made `id`, if it is remembered.
    #[must_use]
    pub fn recall(&self, id: &[u8]) -> Option<Maker> {
        let (first, tag) = self.place(id);
        (0..WAYS)
            .map(|way| self.slots[(first + way) % SLOTS].load(Ordering::Relaxed))
            .find(|word| word & !MAKER_MASK == tag && word & MAKER_MASK != 0)
            .map(|word| Maker((word & MAKER_MASK) as u32))
    }

    fn place(&self, id: &[u8]) -> (usize, u64) {
        let hash = self.hash(id);
        // The tag is the high bits, the place the low ones; an all-zero tag would look like an empty slot.
        (
            hash as usize % SLOTS,
            (hash & !MAKER_MASK).max(1 << MAKER_BITS),
        )
    }

    fn hash(&self, of: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_remembered_and_at_last_forgotten() {
        let makers = Makers::default();
        let (a, b) = (makers.maker("p", "a"), makers.maker("p", "b"));
        assert_ne!(a, b);
        assert_eq!(makers.recall(b"resp_1"), None);
        makers.remember(b"resp_1", a);
        makers.remember(b"resp_2", b);
        makers.remember(b"resp_1", a);
        assert_eq!(makers.recall(b"resp_1"), Some(a));
        assert_eq!(makers.recall(b"resp_2"), Some(b));
        makers.remember(b"resp_1", b);
        assert_eq!(makers.recall(b"resp_1"), Some(b));
        for number in 0..10 * SLOTS {
            makers.remember(format!("other_{number}").as_bytes(), a);
        }
        let wrong = makers.recall(b"resp_1");
        assert!(wrong.is_none() || wrong == Some(b));
    }
}
