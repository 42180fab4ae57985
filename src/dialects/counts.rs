//! What do OpenAI's two formats have in common when they count tokens?
//!
//! Chat completions and responses name their totals differently, and the parts alike: what was read from and written to the cache is part of the input, reasoning part of the output.
//!
//! # Invariants
//! - Counts that no honest provider sends (negative, above [`ABSURD_TOKENS`](super::seen::ABSURD_TOKENS), no numbers) are absent.
//! - A part is never larger than its total.

use serde::Serialize;
use serde_json::Value;

use super::seen;
use crate::chat::Usage;

/// A number of tokens, if it is an honest one.
pub(super) fn count(value: &Value) -> Option<u64> {
    seen::honest(value.as_f64()?)
}

/// The part of this name among a total's details, if it is told honestly.
pub(super) fn part(details: &Value, name: &str) -> Option<u64> {
    details.get(name).and_then(count)
}

/// The input of which this much is told to be cached already, and written to the cache by its details.
pub(super) fn input(total: u64, cached: Option<u64>, details: &Value) -> Usage {
    let cache_read = cached.unwrap_or_default().min(total);
    let written = part(details, "cache_write_tokens").unwrap_or_default();
    let cache_write = written.min(total - cache_read);
    Usage {
        input: total - cache_read - cache_write,
        cache_read,
        cache_write,
        ..Usage::default()
    }
}

/// The parts of the input, as OpenAI writes them.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

/// The parts of the output, as OpenAI writes them.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OutputDetails {
    reasoning_tokens: u64,
}

impl From<&Usage> for InputDetails {
    fn from(usage: &Usage) -> Self {
        Self {
            cached_tokens: usage.cache_read,
            cache_write_tokens: usage.cache_write.saturating_add(usage.cache_write_1h),
        }
    }
}

impl From<&Usage> for OutputDetails {
    fn from(usage: &Usage) -> Self {
        Self {
            reasoning_tokens: usage.reasoning,
        }
    }
}
