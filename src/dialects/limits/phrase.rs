//! Where does prose name a quota?
//!
//! Refusals say "tokens per min", "input tokens per minute" or "requests per day" amid names that a customer chose.
//! A quota is those words together; numbers are then read right before or shortly after them.
//!
//! # Invariants
//! - Only the first [`SEARCHED`] bytes are looked at, each a bounded number of times.

use memchr::memmem;
use scoring::time::Span;

use super::reading::{Counted, count};
use crate::dialects::retry_after::SEARCHED;

/// A minute, the usual quota window.
pub(super) const MINUTE: Span = Span::from_secs(60);

/// A day, the window of the larger quotas.
pub(super) const DAY: Span = Span::from_secs(86_400);

/// Bytes after a quota in which its numbers stand: the longest seen message needs 90.
const NEARBY: usize = 256;

/// Windows by the word after "per"; `min` also begins "minute".
const WINDOWS: [(&[u8], Span); 4] = [
    (b"min", MINUTE),
    (b"day", DAY),
    (b"hour", Span::from_secs(3_600)),
    (b"sec", Span::from_secs(1)),
];

/// Counteds by the words before "per"; a longer name comes before the one that it ends with.
const DIMENSIONS: [(&[u8], Counted); 5] = [
    (b"input tokens", Counted::InputTokens),
    (b"output tokens", Counted::OutputTokens),
    (b"tokens", Counted::Tokens),
    (b"tokens_usage_based", Counted::Tokens),
    (b"requests", Counted::Requests),
];

/// A quota named in prose, and the text around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota<'a> {
    /// What is limited.
    pub(super) counted: Counted,
    /// Per which time.
    pub(super) window: Span,
    /// The text up to its name.
    pub(super) before: &'a [u8],
    /// The text from its window on, at most [`NEARBY`] bytes.
    pub(super) after: &'a [u8],
}

/// The quotas named in `text`, in order.
pub(super) fn quotas(text: &[u8]) -> impl Iterator<Item = Quota<'_>> {
    let text = &text[..text.len().min(SEARCHED)];
    memmem::find_iter(text, b" per ").filter_map(|at| {
        let (name, after) = (&text[..at], &text[at + 5..]);
        let window = WINDOWS.iter().find(|(word, _)| after.starts_with(word));
        let counted = DIMENSIONS.iter().find(|(words, _)| ends(name, words));
        let (words, counted) = counted?;
        Some(Quota {
            counted: *counted,
            window: window?.1,
            before: &name[..name.len() - words.len()],
            after: &after[..after.len().min(NEARBY)],
        })
    })
}

/// Whether `text` ends with these whole words.
fn ends(text: &[u8], words: &[u8]) -> bool {
    text.strip_suffix(words).is_some_and(|before| {
        before
            .last()
            .is_none_or(|byte| !byte.is_ascii_alphanumeric())
    })
}

/// The number after a label, as in "Limit 5,000" or "Limit: 3 / min".
pub(super) fn labelled(text: &[u8], label: &[u8]) -> Option<f64> {
    let rest = &text[memmem::find(text, label)? + label.len()..];
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    leading(rest.trim_ascii_start())
}

/// The number that `text` begins with.
fn leading(text: &[u8]) -> Option<f64> {
    let end = text.iter().position(|&byte| !in_number(byte));
    let number = &text[..end.unwrap_or(text.len())];
    count(number.strip_suffix(b",").unwrap_or(number))
}

/// The number that `text` ends with, blanks aside.
pub(super) fn trailing(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii_end();
    let start = text.iter().rposition(|&byte| !in_number(byte));
    count(&text[start.map_or(0, |at| at + 1)..])
}

/// Whether the byte may stand in a count.
fn in_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b','
}
