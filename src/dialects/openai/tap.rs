//! Watches a stream pass: what may go on to the client, and what it says about content, usage and the end.
//!
//! # Invariants
//! - What goes on is the provider's own bytes; events are dropped whole or not at all.
//! - Dropped are: events that are not JSON, `ping` events (they break the official Node client), the usage chunk that only the gateway asked for,
//!   and whatever follows the end marker.

use bytes::{Bytes, BytesMut};

use super::response::{self, Usage};
use super::splice::UsageChunk;
use super::template::Template;
use crate::stream::sse::{self, Event, Splitter, TooLarge};

/// The end marker's event, as the gateway writes it when a provider has forgotten it.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";

/// The end marker.
const DONE: &[u8] = b"[DONE]";

/// A watched stream.
#[derive(Debug)]
pub struct Tap {
    splitter: Splitter,
    usage_chunk: UsageChunk,
    /// The last usage that was reported.
    pub usage: Usage,
    /// Events with content so far: about as many tokens.
    pub content_events: u32,
    /// A finish reason has been seen.
    pub finished: bool,
    /// The end marker has been seen.
    pub done: bool,
    /// Events that were not JSON and were dropped.
    pub bad_events: u32,
    template: Template,
}

/// What came of a piece of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// What goes on to the client.
    pub bytes: Bytes,
    /// Whether there was content in it.
    pub content: bool,
    /// The provider's error object, if there was one; it is in `bytes` too, as the last event.
    pub error: Option<Bytes>,
}

enum Fate {
    Keep,
    Drop,
    Error,
}

impl Tap {
    /// A tap on a stream that has not begun.
    #[must_use]
    pub fn new(usage_chunk: UsageChunk) -> Self {
        Self {
            splitter: Splitter::default(),
            usage_chunk,
            usage: Usage::default(),
            content_events: 0,
            finished: false,
            done: false,
            bad_events: 0,
            template: Template::default(),
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`TooLarge`] when an event does not end within its bound.
    pub fn pass(&mut self, chunk: Bytes) -> Result<Passed, TooLarge> {
        let run = self.splitter.push(chunk)?;
        Ok(self.judge(run))
    }

    /// Takes what is left when the stream has ended: a last event without its blank line still counts.
    pub fn rest(&mut self) -> Passed {
        let rest = self.splitter.rest();
        if rest.trim_ascii().is_empty() {
            return Passed::default();
        }
        let mut whole = BytesMut::from(&rest[..]);
        whole.extend_from_slice(b"\n\n");
        self.judge(whole.freeze())
    }

    /// Output tokens: as reported, else as counted.
    #[must_use]
    pub fn output_tokens(&self) -> u32 {
        self.usage.output.unwrap_or(self.content_events)
    }

    fn judge(&mut self, run: Bytes) -> Passed {
        let content_before = self.content_events;
        let mut error = None;
        // Only from the first dropped event on is anything copied.
        let mut kept: Option<BytesMut> = None;
        let mut at = 0;
        for event in sse::events(&run) {
            let end = at + event.raw.len();
            match self.fate(&event) {
                Fate::Keep => {
                    if let Some(kept) = &mut kept {
                        kept.extend_from_slice(event.raw);
                    }
                }
                Fate::Drop => {
                    kept.get_or_insert_with(|| BytesMut::from(&run[..at]));
                }
                Fate::Error => {
                    if let Some(kept) = &mut kept {
                        kept.extend_from_slice(event.raw);
                    } else {
                        kept = Some(BytesMut::from(&run[..end]));
                    }
                    error = Some(Bytes::from(event.joined()));
                    break;
                }
            }
            at = end;
        }
        Passed {
            bytes: kept.map_or(run, BytesMut::freeze),
            content: self.content_events > content_before,
            error,
        }
    }

    fn fate(&mut self, event: &Event<'_>) -> Fate {
        if self.done {
            return Fate::Drop;
        }
        let joined;
        let data = match event.data {
            None => return Fate::Keep,
            Some(data) if event.data_lines == 1 => data,
            Some(_) => {
                joined = event.joined();
                joined.as_slice()
            }
        };
        if data.trim_ascii() == DONE {
            self.done = true;
            return Fate::Keep;
        }
        if event.raw.starts_with(b"event: ping") || event.raw.starts_with(b"event:ping") {
            return Fate::Drop;
        }
        let seen = match self.template.recognise(data) {
            Some(seen) => seen,
            None => match response::read(data) {
                Ok(seen) => {
                    self.template.remember(data, seen);
                    seen
                }
                Err(_) => {
                    self.bad_events += 1;
                    return Fate::Drop;
                }
            },
        };
        if seen.error {
            return Fate::Error;
        }
        self.content_events += u32::from(seen.content);
        self.finished |= seen.finished;
        if let Some(usage) = seen.usage {
            self.usage = usage;
            if seen.choices == 0 && self.usage_chunk == UsageChunk::Injected {
                return Fate::Drop;
            }
        }
        Fate::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    const WORD: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"w\"}}]}\n\n";
    const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const USAGE: &str =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    const END: &str = "data: [DONE]\n\n";

    fn pass_all(tap: &mut Tap, text: &str) -> Passed {
        tap.pass(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn an_untouched_run_is_not_copied() {
        let mut tap = Tap::new(UsageChunk::Expected);
        let run = Bytes::from([ROLE, WORD, STOP, USAGE, END].concat());
        let passed = tap.pass(run.clone()).unwrap();
        assert_eq!(passed.bytes.as_ptr(), run.as_ptr());
        assert!(passed.content && tap.finished && tap.done);
        assert_eq!(tap.output_tokens(), 2);
    }

    #[test]
    fn what_the_client_must_not_see_is_dropped() {
        let mut tap = Tap::new(UsageChunk::Injected);
        let run = [
            ROLE,
            "data: {bad\n\n",
            WORD,
            "event: ping\ndata: {}\n\n",
            STOP,
            USAGE,
            END,
            WORD,
        ];
        let passed = pass_all(&mut tap, &run.concat());
        assert_eq!(passed.bytes, [ROLE, WORD, STOP, END].concat());
        assert_eq!((tap.bad_events, tap.usage.output), (1, Some(2)));
    }

    #[test]
    fn an_error_ends_the_run() {
        let mut tap = Tap::new(UsageChunk::Expected);
        let error = "data: {\"error\":{\"message\":\"boom\"}}\n\n";
        let passed = pass_all(&mut tap, &[WORD, error, WORD].concat());
        assert_eq!(passed.bytes, [WORD, error].concat());
        assert_eq!(passed.error.unwrap(), "{\"error\":{\"message\":\"boom\"}}");
    }

    #[test]
    fn a_last_event_without_blank_line_counts() {
        let mut tap = Tap::new(UsageChunk::Expected);
        assert!(pass_all(&mut tap, END.trim_end()).bytes.is_empty());
        assert_eq!(tap.rest().bytes, END);
        assert!(tap.done);
    }

    #[test]
    fn comments_pass() {
        let mut tap = Tap::new(UsageChunk::Expected);
        let passed = pass_all(&mut tap, ": keep-alive\n\n");
        assert_eq!(passed.bytes, ": keep-alive\n\n");
        assert!(!passed.content);
    }
}
