//! How does a provider's stream become the client's: as it is, or through `chat`?
//!
//! # Invariants
//! - Both ways tell the same things about content, usage and the end.

use bytes::Bytes;

use super::bridge::Bridge;
use super::failure::Failure;
use super::format::Format;
use super::gemini::array;
use super::responses;
use super::tap::{Passed, Progress, Tap, Watch};
use crate::stream::sse::TooLarge;

/// Why a stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// An event does not end within its bound.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Bytes that are no frame of the provider's binary stream.
    #[error("the provider's stream is damaged")]
    Damaged,
    /// The answer begun anew is not the one that the client has the beginning of.
    #[error("another route's answer differs from what was already sent")]
    Diverged,
}

/// A stream on its way from the provider's dialect to the client's.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the usual way is the large one, and a box would be an allocation for each stream"
)]
pub enum Passage {
    /// Both speak the same dialect.
    Same(Tap),
    /// They meet in `chat`.
    Other(Box<Bridge>),
    /// Either, for a client that wants a list instead of events.
    Listed(Box<Listed>),
}

/// A stream whose events become the elements of a list.
#[derive(Debug)]
pub struct Listed {
    inner: Passage,
    writer: array::Writer,
    ended: bool,
}

impl Listed {
    fn passed(&mut self, passed: Passed) -> Passed {
        let mut out = Vec::with_capacity(passed.bytes.len() + 8);
        self.writer.write(&passed.bytes, &mut out);
        if self.inner.progress().done {
            self.end(&mut out);
        }
        Passed {
            bytes: Bytes::from(out),
            ..passed
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.ended, true) {
            self.writer.end(out);
        }
    }
}

impl Passage {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`Unfit`], when the stream cannot go on.
    pub fn pass(&mut self, chunk: Bytes) -> Result<Passed, Unfit> {
        match self {
            Self::Same(tap) => Ok(tap.pass(chunk)?),
            Self::Other(bridge) => bridge.pass(chunk),
            Self::Listed(listed) => {
                let passed = listed.inner.pass(chunk)?;
                Ok(listed.passed(passed))
            }
        }
    }

    /// Takes what is left when the stream has ended.
    ///
    /// # Errors
    /// [`Unfit`], when it cannot be the end of this stream.
    pub fn rest(&mut self) -> Result<Passed, Unfit> {
        match self {
            Self::Same(tap) => Ok(tap.rest()),
            Self::Other(bridge) => bridge.rest(),
            Self::Listed(listed) => {
                let passed = listed.inner.rest()?;
                Ok(listed.passed(passed))
            }
        }
    }

    /// What the stream has told so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        match self {
            Self::Same(tap) => &tap.progress,
            Self::Other(bridge) => &bridge.progress,
            Self::Listed(listed) => listed.inner.progress(),
        }
    }

    /// Output tokens of the client's answer so far, whoever made them.
    #[must_use]
    pub fn answer_tokens(&self) -> u32 {
        match self {
            Self::Other(bridge) => bridge.answer_tokens(),
            _ => self.progress().output_tokens(),
        }
    }

    /// What the client still needs when the answer is complete but the provider's end marker did not come.
    pub fn close(&mut self) -> Bytes {
        match self {
            Self::Same(tap) => Bytes::from_static(tap.closing()),
            Self::Other(bridge) => bridge.close(),
            Self::Listed(listed) => {
                let mut out = Vec::new();
                let last = listed.inner.close();
                listed.writer.write(&last, &mut out);
                listed.end(&mut out);
                Bytes::from(out)
            }
        }
    }

    /// The same stream as a list.
    #[must_use]
    pub fn listed(self) -> Self {
        Self::Listed(Box::new(Listed {
            inner: self,
            writer: array::Writer::default(),
            ended: false,
        }))
    }

    /// The error as the last event of a stream that breaks off here; the client speaks `client`.
    pub fn broken(
        &mut self,
        client: Format,
        failure: Failure,
        message: &str,
        request_id: &str,
    ) -> Bytes {
        match self {
            Self::Same(tap) => match tap.watch() {
                // A client that follows the response's life takes its end from nobody else.
                Watch::Responses(watch) => {
                    let (id, number) = (watch.id(), watch.next_sequence_number());
                    responses::error::event(failure, message, id.unwrap_or(request_id), number)
                }
                _ => client.error_event(failure, message, request_id),
            },
            Self::Other(bridge) => bridge.broken(failure, message),
            Self::Listed(listed) => {
                let event = listed.inner.broken(client, failure, message, request_id);
                let mut out = Vec::new();
                listed.writer.write(&event, &mut out);
                Bytes::from(out)
            }
        }
    }

    /// The `Content-Type` that the client expects.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Listed(_) => array::Writer::CONTENT_TYPE,
            _ => "text/event-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::dialects::responses::watch::Watch as ResponsesWatch;

    #[test]
    fn a_broken_response_ends_under_the_id_and_number_that_it_began_with() {
        let watch = Watch::Responses(ResponsesWatch::new());
        let mut passage = Passage::Same(Tap::new(watch));
        let begun = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"},\"sequence_number\":0}\n\n";
        let _ = passage.pass(Bytes::from_static(begun.as_bytes())).unwrap();
        let last = passage.broken(Format::Responses, Failure::Upstream, "m", "req_1");
        let last = String::from_utf8_lossy(&last).into_owned();
        assert!(
            last.starts_with("event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,\"response\":{\"id\":\"resp_1\","),
            "{last}"
        );
    }
}
