//! What does an event of a `streamGenerateContent?alt=sse` mean, and may the client see it?
//!
//! # Invariants
//! - Every event that can be understood goes on: there is nothing here that only the gateway asked for.

use super::super::tap::Look;
use super::response;
use crate::stream::sse::Event;

/// Watches generated content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch;

impl Watch {
    /// A stream has no end marker, so nothing can be missing.
    pub const CLOSING: &'static [u8] = b"";

    /// Understands one event.
    pub fn look(&mut self, _event: &Event<'_>, data: &[u8]) -> Look {
        response::read(data).map_or(Look::Bad, Look::Keep)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::super::tap::{Tap, Watch as AnyWatch};
    use super::*;

    const WORD: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"w\"}]}}],\"usageMetadata\":{\"promptTokenCount\":4}}\r\n\r\n";
    const END: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":2}}\r\n\r\n";
    const ERROR: &str =
        "data: {\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n";

    #[test]
    fn a_stream_passes_as_it_is() {
        let mut tap = Tap::new(AnyWatch::Gemini(Watch));
        let run = Bytes::from([WORD, END].concat());
        let passed = tap.pass(run.clone()).unwrap();
        assert_eq!(passed.bytes, run);
        assert!(passed.content && tap.progress.finished && !tap.progress.done);
        assert_eq!(tap.progress.output_tokens(), 2);
        assert_eq!(tap.progress.usage.input, Some(4));
        assert!(tap.closing().is_empty());
    }

    #[test]
    fn an_error_ends_it_and_nonsense_is_dropped() {
        let mut tap = Tap::new(AnyWatch::Gemini(Watch));
        let run = [WORD, "data: {bad\n\n", ERROR, WORD].concat();
        let passed = tap.pass(Bytes::from(run)).unwrap();
        assert_eq!(passed.bytes, [WORD, ERROR].concat());
        assert!(passed.error.is_some() && !tap.progress.finished);
        assert_eq!(tap.progress.bad_events, 1);
    }
}
