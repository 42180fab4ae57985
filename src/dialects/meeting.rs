//! What must every dialect offer, so that two of them can meet in [`chat`](crate::chat)?
//!
//! A dialect of conversations has, in files of these names:
//!
//! - `request`: `read(&[u8]) -> Result<Request, Malformed>` and `write(&Request, &Target) -> (Vec<u8>, Losses)`;
//! - `answer`: `read(&[u8]) -> Result<Answer, Malformed>` and `write(&Answer, &Frame) -> Vec<u8>`;
//! - `events`: a `Reader` with `read(&mut self, name, data, &mut Vec<Event>) -> Result<Mark, Malformed>` and `beside(&self) -> Usage`,
//!   and a `Writer` with `write(&mut self, &Event, &mut Vec<u8>)` and `end(&mut self, &mut Vec<u8>)`.
//!
//! Dialects that only providers speak need no `request::read`, `answer::write` and `Writer`.
//!
//! # Invariants
//! - Writing never fails: what cannot be expressed is a loss, told in [`Losses`](crate::chat::Losses).
//! - Reading what another implementation wrote never panics, and takes time and memory in proportion to its length.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::failure::Failure;
use super::seen::Usage;
use super::shape::Excess;
use crate::chat::Event;

/// Why bytes are not what their dialect says, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub Cow<'static, str>);

impl Malformed {
    /// Bytes that break the dialect in this way.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string().into())
    }
}

impl From<Excess> for Malformed {
    fn from(excess: Excess) -> Self {
        Self(excess.to_string().into())
    }
}

/// Whether a field of a request asks for anything: nothing, false and the empty do not.
pub(super) fn asks(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// For whom a request is written.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The model, in the provider's words.
    pub model: &'a str,
    /// What is written where the dialect demands a bound on output tokens and the client gave none.
    pub default_max_tokens: u32,
    /// The most output tokens that the model takes, if the operator knows; more are asked for as this many.
    pub most_max_tokens: Option<u32>,
}

impl Target<'_> {
    /// The bound to write for what the client asked, if any.
    #[must_use]
    pub fn max_tokens(&self, asked: Option<u32>) -> Option<u32> {
        match (asked, self.most_max_tokens) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, _) => asked,
        }
    }
}

/// What an answer needs besides what the provider said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// An id for an answer whose provider gave none: hexadecimal digits, to which a dialect adds its prefix.
    pub id: String,
    /// The model's name as the client asked for it, for dialects that must name it before the provider does.
    pub model: String,
    /// Unix time, seconds.
    pub created: u64,
    /// Whether a stream ends with its usage, where the client decides that.
    pub usage_asked: bool,
    /// Input tokens, estimated, for dialects that tell them before the provider does.
    pub input_estimate: u64,
}

/// What an event of a provider's stream was, besides the events read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One of many.
    More,
    /// The end marker, or the last event of a dialect without one.
    Done,
    /// An error object: its data is what the provider says.
    Error,
}

/// Reads a provider's stream, event by event.
pub trait ReadEvents: fmt::Debug {
    /// Reads one event: its name, where the dialect gives one, and its data.
    ///
    /// # Errors
    /// [`Malformed`]; the event is skipped then, and nothing of it is in `out`.
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<Mark, Malformed>;

    /// What was used so far besides what events tell: sound, pictures, the class of service.
    fn beside(&self) -> Usage;
}

/// Writes a stream for a client, event by event.
pub trait WriteEvents: fmt::Debug {
    /// Writes what an event means.
    fn write(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Writes what a complete stream ends with. Called once, after the last event.
    fn end(&mut self, out: &mut Vec<u8>);

    /// Writes the event that ends a stream which breaks off here; nothing where the dialect's error event needs to know nothing of the stream.
    fn fail(&mut self, _failure: Failure, _message: &str, _out: &mut Vec<u8>) {}

    /// Another writer in the same state, for another attempt to go on with.
    fn duplicate(&self) -> Box<dyn WriteEvents>;
}
