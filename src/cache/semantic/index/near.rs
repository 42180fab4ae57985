//! Which few of the entries seen so far are the nearest?
//!
//! # Invariants
//! - At most [`MOST`], the most similar first, equal ones in the order of their ids, none below what was asked for.

use std::ops::Deref;

/// Entries that one question returns at most: the first is nearly always the one served, the others are there when a guard refuses it.
pub const MOST: usize = 8;

/// An entry and how near it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Near {
    /// The entry's id.
    pub id: u64,
    /// The cosine, -1 to 1.
    pub similarity: f32,
}

/// The nearest entries, as a slice of [`Near`].
#[derive(Clone, Debug)]
pub struct Nearest {
    least: f32,
    len: usize,
    held: [Near; MOST],
}

impl Nearest {
    /// None yet, and none below `least`.
    pub fn new(least: f32) -> Self {
        Self {
            least,
            len: 0,
            held: [Near::default(); MOST],
        }
    }

    /// What the next entry must reach to be of interest.
    #[inline(always)]
    pub(super) fn least(&self) -> f32 {
        if self.len < MOST {
            self.least
        } else {
            self.held[MOST - 1].similarity.max(self.least)
        }
    }

    /// Takes an entry in, if it is near enough; whether [`Nearest::least`] may have risen.
    #[inline(always)]
    pub fn offer(&mut self, near: Near) -> bool {
        if near.similarity < self.least() {
            return false;
        }
        self.place(near)
    }

    fn place(&mut self, near: Near) -> bool {
        let before = |held: &Near| {
            held.similarity > near.similarity
                || (held.similarity >= near.similarity && held.id < near.id)
        };
        let place = self.held[..self.len].partition_point(before);
        if place == MOST {
            return false;
        }
        self.len = (self.len + 1).min(MOST);
        self.held[place..self.len].rotate_right(1);
        self.held[place] = near;
        self.len == MOST
    }
}

impl Deref for Nearest {
    type Target = [Near];

    fn deref(&self) -> &[Near] {
        &self.held[..self.len]
    }
}
