//! Which vectors are already known?
//!
//! A text's vector never changes, so it is remembered until others need the room.
//! What is remembered does not tell the text: it is found by a keyed digest, and the key is drawn at start by whoever makes the memo.
//!
//! # Invariants
//! - A vector is given only for the very text, and by the very embedder, that it was made of.
//! - Memory is bounded: the least used vectors make room.

use std::sync::Arc;

use aws_lc_rs::hmac;
use moka::sync::Cache;

/// What a vector costs beside its numbers, in bytes: its key, its counts and its places in the cache's lists.
const ENTRY_BYTES: usize = 200;

/// Vectors by text, within a bound of bytes.
#[derive(Debug)]
pub struct Memo {
    key: hmac::Key,
    vectors: Cache<Mark, Arc<[f32]>>,
}

/// What a text of an embedder is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark([u8; 32]);

impl Memo {
    /// Nothing remembered yet, and at most so many bytes ever; of 384 numbers a vector, 17 MB are ten thousand texts.
    ///
    /// The key is 32 random bytes: who knows it can tell whether a text is remembered.
    #[must_use]
    pub fn new(key: &[u8; 32], bytes: u64) -> Self {
        let weigh = |_: &Mark, vector: &Arc<[f32]>| {
            u32::try_from(size_of_val::<[f32]>(vector) + ENTRY_BYTES).unwrap_or(u32::MAX)
        };
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            vectors: Cache::builder().max_capacity(bytes).weigher(weigh).build(),
        }
    }

    /// What the text is found by, among those of this embedder.
    #[must_use]
    pub fn mark(&self, embedder: &str, text: &str) -> Mark {
        let mut context = hmac::Context::with_key(&self.key);
        // The length keeps one embedder's name from running into another's text.
        context.update(&(embedder.len() as u64).to_le_bytes());
        context.update(embedder.as_bytes());
        context.update(text.as_bytes());
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        Mark(mark)
    }

    /// The vector, if it is remembered.
    #[must_use]
    pub fn get(&self, mark: Mark) -> Option<Arc<[f32]>> {
        self.vectors.get(&mark)
    }

    /// Remembers the vector.
    pub fn put(&self, mark: Mark, vector: Arc<[f32]>) {
        self.vectors.insert(mark, vector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(number: f32) -> Arc<[f32]> {
        Arc::from([number; 100])
    }

    #[test]
    fn a_vector_is_found_by_its_text_and_its_embedder() {
        let memo = Memo::new(&[7; 32], 1 << 20);
        memo.put(memo.mark("a@1", "text"), vector(1.0));
        assert_eq!(memo.get(memo.mark("a@1", "text")), Some(vector(1.0)));
        for (embedder, text) in [
            ("a@1", "texts"),
            ("a@2", "text"),
            ("a@1t", "ext"),
            ("", "a@1text"),
        ] {
            assert_eq!(
                memo.get(memo.mark(embedder, text)),
                None,
                "{embedder} {text}"
            );
        }
    }

    #[test]
    fn a_mark_depends_on_the_key() {
        let marks = [[7; 32], [8; 32]].map(|key| Memo::new(&key, 1 << 20).mark("a", "text"));
        assert_ne!(marks[0], marks[1]);
    }

    #[test]
    fn the_memo_stays_within_its_bytes() {
        let memo = Memo::new(&[7; 32], 6_000);
        for text in 0..100 {
            memo.put(memo.mark("a", &text.to_string()), vector(1.0));
        }
        memo.vectors.run_pending_tasks();
        let held = memo.vectors.entry_count();
        assert!((1..=10).contains(&held), "{held} vectors of 600 bytes");
    }
}
