//! Which prefix blocks a provider still has in its cache.
//!
//! # Invariants
//! - Only leading blocks count: a block behind a missing one must be computed anew.

use std::collections::HashMap;

use scoring::time::{Span, Time};

use crate::trace::BLOCK_TOKENS;

/// The prefix cache of one route.
#[derive(Debug)]
pub(super) struct Cache {
    ttl: Span,
    used: HashMap<u64, Time>,
}

impl Cache {
    /// An empty cache that keeps a block for `ttl` after its last use.
    pub(super) fn new(ttl: Span) -> Self {
        Self {
            ttl,
            used: HashMap::new(),
        }
    }

    /// Input tokens of these blocks that need no computing at `now`.
    pub(super) fn cached(&self, blocks: &[u64], now: Time) -> u32 {
        let fresh = |block: &&u64| {
            self.used
                .get(block)
                .is_some_and(|used| now.since(*used) <= self.ttl)
        };
        let leading = blocks.iter().take_while(fresh).count();
        u32::try_from(leading)
            .unwrap_or(u32::MAX)
            .saturating_mul(BLOCK_TOKENS)
    }

    /// Notes that these blocks were computed or read at `now`.
    pub(super) fn remember(&mut self, blocks: &[u64], now: Time) {
        for block in blocks {
            self.used.insert(*block, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_blocks_count_while_they_are_fresh() {
        let at = |secs: u64| Time::from_micros(secs * 1_000_000);
        let mut cache = Cache::new(Span::from_secs(300));
        cache.remember(&[1, 2], at(1));
        assert_eq!(cache.cached(&[1, 2, 3], at(2)), 1_024);
        assert_eq!(cache.cached(&[3, 1, 2], at(2)), 0);
        assert_eq!(cache.cached(&[1, 2], at(302)), 0);
    }
}
