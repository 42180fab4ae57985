//! What is kept of an answer?
//!
//! # Invariants
//! - An entry never changes after it was made.

use std::sync::Arc;

use bytes::Bytes;

use super::scope::Key;
use super::semantic::guards::Features;
use crate::config::Nano;

/// In whose words and how an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Manner {
    /// The number of the endpoint whose words they are, as the gateway counts endpoints.
    pub endpoint: u8,
    /// Whether it is a stream.
    pub streamed: bool,
    /// What else a dialect lets its client choose of how it is told, as the gateway counts it.
    pub variety: u8,
}

/// An answer that is kept.
#[derive(Debug)]
pub struct Entry {
    /// What it is called in explanations, in the audit and when it is evicted; never 0.
    pub id: u64,
    /// What it is found by.
    pub key: Key,
    /// How it is told.
    pub manner: Manner,
    /// What it is said to be.
    pub content_type: Box<str>,
    /// The answer, as its first client got it.
    pub bytes: Bytes,
    /// When it was complete, milliseconds since 1970.
    pub stored_ms: i64,
    /// Until when it is served, milliseconds since 1970.
    pub expires_ms: i64,
    /// The request that it was the answer to.
    pub request: Box<str>,
    /// Number of the virtual key whose request it was; 0 for nobody's.
    pub author: u32,
    /// The model or workflow that was asked.
    pub model: Arc<str>,
    /// What the client tagged it with.
    pub tags: Box<[Box<str>]>,
    /// What it did cost, as far as that is known.
    pub cost: Nano,
    /// Tokens that were used for it, input and output.
    pub tokens: (u32, u32),
    /// What was asked, where the semantic layer may answer with it.
    pub question: Option<Question>,
}

/// A question that others may mean as well.
#[derive(Debug)]
pub struct Question {
    /// What must be the same: everything that was asked but these words.
    pub partition: Key,
    /// The words.
    pub text: Box<str>,
    /// What of them must match.
    pub features: Features,
    /// What they mean, of unit length.
    pub vector: Arc<[f32]>,
}

impl Entry {
    /// Room that everything but the answer itself takes, bytes: the entry, some 350, and its places in three maps, as much for each.
    pub(super) const AROUND: usize = 1_408;

    /// About how much memory it takes, bytes.
    #[must_use]
    pub fn weight(&self) -> u32 {
        let question = self.question.as_ref();
        let question = question.map_or(0, |it| 4 * it.text.len() + 5 * it.vector.len());
        let tags: usize = self.tags.iter().map(|tag| tag.len()).sum();
        u32::try_from(Self::AROUND + self.bytes.len() + question + tags).unwrap_or(u32::MAX)
    }

    /// How old it is, whole seconds.
    #[must_use]
    pub fn age_s(&self, now_ms: i64) -> u64 {
        u64::try_from(now_ms.saturating_sub(self.stored_ms) / 1_000).unwrap_or(0)
    }

    /// Whether it may be served to somebody who takes nothing older than `max_age_s`.
    ///
    /// One from the future is not: a clock that was set back would make it last for ever.
    #[must_use]
    pub fn is_fresh(&self, now_ms: i64, max_age_s: Option<u64>) -> bool {
        let from_the_future = self.stored_ms > now_ms.saturating_add(Self::SKEW_MS);
        let is_young = max_age_s.is_none_or(|most| self.age_s(now_ms) <= most);
        now_ms < self.expires_ms && !from_the_future && is_young
    }

    /// Clocks that differ by no more are taken for the same, ms.
    const SKEW_MS: i64 = 5_000;

    /// The id as it is written.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.id)
    }
}

/// An entry's id as it is written: 16 hex digits.
#[must_use]
pub fn name(id: u64) -> String {
    format!("{id:016x}")
}

/// The id that is written so.
#[must_use]
pub fn named(text: &str) -> Option<u64> {
    let whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| whole)
}
