//! How much of the room has each scope?
//!
//! Answers are pushed out by their age, whoever's they are: without a bound, whoever asks most would push out everybody else's.
//!
//! # Invariants
//! - While others hold anything, a scope adds nothing beyond its share: what it can push out of the others' leaves them the rest of the room.
//! - What is held is counted once, and no more when it is gone: scopes that hold nothing are not remembered.

use std::sync::atomic::{AtomicU64, Ordering};

use moka::ops::compute::Op;
use moka::sync::Cache;

use super::scope::Scope;

/// What is left of a share after it was trimmed, in eighths: so that not every answer beyond it costs a look at all that are kept.
const TRIMMED: u64 = 7;

/// What each scope holds.
#[derive(Debug)]
pub(super) struct Shares {
    /// Bytes by scope. Not bounded by itself: a scope that is in it has an answer, whose bytes are.
    of: Cache<Scope, u64>,
    /// Guards nothing: a moment's sum of all of them.
    all: AtomicU64,
    /// What one scope may hold beside others, bytes.
    most: u64,
}

impl Shares {
    /// Nothing is held yet; one scope may hold this share, 0 to 1, of so many bytes.
    pub(super) fn new(bytes: u64, share: f64) -> Self {
        Self {
            of: Cache::builder().build(),
            all: AtomicU64::new(0),
            most: (bytes as f64 * share.clamp(0.0, 1.0)) as u64,
        }
    }

    /// A scope holds so many bytes more.
    pub(super) fn takes(&self, scope: Scope, bytes: u64) {
        self.all.fetch_add(bytes, Ordering::Relaxed);
        self.of.entry(scope).and_upsert_with(|held| {
            let held = held.map_or(0, moka::Entry::into_value);
            held.saturating_add(bytes)
        });
    }

    /// A scope holds so many bytes less.
    pub(super) fn gives(&self, scope: Scope, bytes: u64) {
        self.all.fetch_sub(bytes, Ordering::Relaxed);
        self.of.entry(scope).and_compute_with(|held| {
            let left = held
                .map_or(0, moka::Entry::into_value)
                .saturating_sub(bytes);
            if left == 0 { Op::Remove } else { Op::Put(left) }
        });
    }

    /// Bytes that a scope holds.
    pub(super) fn held(&self, scope: Scope) -> u64 {
        self.of.get(&scope).unwrap_or(0)
    }

    /// Whether a scope may hold so many bytes more.
    pub(super) fn has_room(&self, scope: Scope, bytes: u64) -> bool {
        let held = self.held(scope);
        held.saturating_add(bytes) <= self.most || self.all.load(Ordering::Relaxed) <= held
    }

    /// Bytes that a scope has to give up before it may add again.
    pub(super) fn surplus(&self, scope: Scope) -> u64 {
        if self.has_room(scope, self.most / 8) {
            return 0;
        }
        self.held(scope).saturating_sub(self.most / 8 * TRIMMED)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn scope(number: u8) -> Scope {
        Scope::kept([number; 16])
    }

    #[test]
    fn alone_a_scope_has_all_the_room_and_beside_others_its_share() {
        let shares = Shares::new(800, 0.5);
        shares.takes(scope(1), 700);
        assert!(shares.has_room(scope(1), 100) && shares.surplus(scope(1)) == 0);
        shares.takes(scope(2), 1);
        assert!(!shares.has_room(scope(1), 1));
        assert_eq!(shares.surplus(scope(1)), 350, "seven eighths of 400 stay");
        assert!(shares.has_room(scope(2), 399) && !shares.has_room(scope(2), 400));
        shares.gives(scope(2), 1);
        assert!(shares.has_room(scope(1), 1), "it is alone again");
    }

    /// Against a plain map.
    #[test]
    fn what_is_held_is_counted() {
        let seed = 20_261_127;
        let mut rng = StdRng::seed_from_u64(seed);
        let shares = Shares::new(1_000, 0.5);
        let mut plain: HashMap<u8, Vec<u64>> = HashMap::new();
        for step in 0..20_000 {
            let who = rng.random_range(0..20);
            let held = plain.entry(who).or_default();
            if rng.random_bool(0.5) {
                let bytes = rng.random_range(1..100);
                held.push(bytes);
                shares.takes(scope(who), bytes);
            } else if let Some(bytes) = held.pop() {
                shares.gives(scope(who), bytes);
            }
            let sum: u64 = held.iter().sum();
            assert_eq!(shares.held(scope(who)), sum, "seed {seed}, step {step}");
        }
        let all: u64 = plain.values().flatten().sum();
        assert_eq!(shares.all.load(Ordering::Relaxed), all);
        shares.of.run_pending_tasks();
        let holding = plain.values().filter(|it| !it.is_empty()).count() as u64;
        assert_eq!(shares.of.entry_count(), holding);
    }
}
