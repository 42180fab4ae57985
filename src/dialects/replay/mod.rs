//! An answer that one client got, told again to another.
//!
//! What is kept is what the first client got, byte for byte. [`examine()`] says whether it may be kept at all, [`retell()`] tells it as the next client wants it,
//! and [`pieces()`] cuts a stream at its events for whoever wants to pace it.
//!
//! # Invariants
//! - In the same words and the same manner an answer is told byte for byte, but for the usage at the end of a stream, which each client asks for itself.
//! - In other words it is the same answer: text, thoughts, tool calls, why it stopped, what was used.
//! - What is cut short, filtered, refused, broken or empty is never taken for an answer.

mod completions;
mod examine;
mod pieces;
mod read;
mod retell;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use examine::{Examined, examine};
pub use pieces::pieces;
pub use read::{Flaw, is_readable};
pub use retell::retell;

use super::format::Format;

/// In which manner an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// At once.
    Whole,
    /// As server-sent events.
    Stream,
    /// As a list that grows: Gemini's `streamGenerateContent` without `alt=sse`.
    Listed,
}

/// What a client got, in its dialect.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Its format.
    pub format: Format,
    /// The manner.
    pub form: Form,
    /// All of it.
    pub bytes: &'a Bytes,
}
