//! What did the gateway itself tell a client, that it may mean by an id alone later?
//!
//! A response that was translated is kept by no provider; its items are remembered here, the latest in the place of older ones.
//!
//! # Invariants
//! - Looking up and remembering never lock.
//! - At most [`SLOTS`] items of at most [`MOST_BYTES`] each are held.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;

use crate::dialects::responses::recall;

/// Items remembered: some minutes of a busy team's conversations.
const SLOTS: usize = 8_192;

/// Longest item, bytes: thoughts and words are shorter; a longer one has to be sent again.
const MOST_BYTES: usize = 32 * 1024;

struct Kept {
    id: Box<str>,
    json: Bytes,
}

/// The items, by the hash of their ids.
pub struct Recollections {
    slots: Box<[ArcSwapOption<Kept>]>,
    hasher: RandomState,
}

impl std::fmt::Debug for Recollections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recollections").finish_non_exhaustive()
    }
}

impl Default for Recollections {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| ArcSwapOption::empty()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Recollections {
    /// Remembers the items of a response, or of the event that ended its stream.
    pub fn remember(&self, json: &[u8]) {
        for item in recall::items(json) {
            if item.json.len() > MOST_BYTES {
                continue;
            }
            let kept = Kept {
                id: item.id.as_ref().into(),
                json: Bytes::copy_from_slice(item.json.as_bytes()),
            };
            self.slot(&item.id).store(Some(Arc::new(kept)));
        }
    }

    /// The JSON of an item.
    #[must_use]
    pub fn recall(&self, id: &str) -> Option<Bytes> {
        let kept = self.slot(id).load();
        let kept = kept.as_ref().filter(|kept| *kept.id == *id)?;
        Some(kept.json.clone())
    }

    fn slot(&self, id: &str) -> &ArcSwapOption<Kept> {
        let place = self.hasher.hash_one(id) as usize % SLOTS;
        &self.slots[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_recalled_by_their_ids() {
        let memory = Recollections::default();
        memory.remember(br#"{"output":[{"id":"msg_1","type":"message"},{"type":"x"}]}"#);
        assert_eq!(
            memory.recall("msg_1").unwrap(),
            r#"{"id":"msg_1","type":"message"}"#
        );
        assert!(memory.recall("msg_2").is_none());
        let long = format!(
            r#"{{"output":[{{"id":"msg_3","text":"{}"}}]}}"#,
            "x".repeat(MOST_BYTES)
        );
        memory.remember(long.as_bytes());
        assert!(memory.recall("msg_3").is_none());
    }
}
