//! What may exploration cost? It saves up a part of what the best candidates cost, and pays by it.
//!
//! # Invariants
//! - What exploration is charged never exceeds `explore` of what the best candidates cost, and one µs a pick.

use crate::cell::Word;
use crate::tuning::DrawTuning;

use super::Credit;

/// Cost saved up for exploration, in µs; at most about `explore_cap` of the best cost that was seen.
#[derive(Debug)]
pub(super) struct Account(Word);

impl Default for Account {
    fn default() -> Self {
        Self(Word::new(0))
    }
}

impl Account {
    /// Earns the exploration's share of one pick, whose best candidate costs `best_ms`.
    pub(super) fn earn(&self, best_ms: f32, draw: &DrawTuning) {
        let most = micros(best_ms * draw.explore_cap);
        if draw.explore > 0.0 && self.0.load() < most {
            self.0.fetch_add(micros(best_ms * draw.explore).max(1));
        }
    }

    /// Whether an exploration of at least `best_ms` could be paid for.
    pub(super) fn can_explore(&self, best_ms: f32, credit: Credit, draw: &DrawTuning) -> bool {
        draw.explore > 0.0 && self.affords(best_ms, (best_ms, credit), draw)
    }

    /// Whether an exploration at `price_ms` could be paid for, where the best candidate costs `best_ms`.
    pub(super) fn affords(
        &self,
        price_ms: f32,
        (best_ms, credit): (f32, Credit),
        draw: &DrawTuning,
    ) -> bool {
        let saved = self.0.load();
        let saved = match credit {
            Credit::ToCome if saved < micros(best_ms * draw.explore_cap) => {
                saved + micros(best_ms * draw.explore).max(1)
            }
            _ => saved,
        };
        saved >= micros(price_ms)
    }

    /// Pays for one exploration; false if another was faster.
    pub(super) fn pay(&self, price_ms: f32) -> bool {
        let price = micros(price_ms);
        let paid = self
            .0
            .update(|held| if held >= price { held - price } else { held });
        paid.is_some_and(|swap| swap.before != swap.after)
    }

    /// Holds from now on what another holds.
    pub(super) fn copy(&self, other: &Self) {
        self.0.store(other.0.load());
    }
}

/// Milliseconds in whole µs; at most 10¹², so that sums stay far from wrapping.
fn micros(ms: f32) -> u64 {
    ((ms * 1e3) as u64).min(1_000_000_000_000)
}
