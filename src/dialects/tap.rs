//! Watches a stream pass whose dialect is the client's own: what may go on, and what it says about content, usage and the end.
//!
//! What an event means is a dialect's affair, told by its [`Watch`]; everything else is here.
//!
//! # Invariants
//! - What goes on is the provider's own bytes; events are dropped whole or not at all.
//! - Dropped are events that are not JSON, what the dialect's watch finds unfit for the client, and whatever follows the end marker.

use bytes::{Bytes, BytesMut};

use super::anthropic::watch::Watch as AnthropicWatch;
use super::format::Format;
use super::gemini::watch::Watch as GeminiWatch;
use super::openai::media;
use super::openai::watch::Watch as ChatWatch;
use super::responses::watch::Watch as ResponsesWatch;
use super::seen::{Seen, Usage};
use super::words;
use crate::stream::sse::{self, Event, Splitter, TooLarge};

/// How a dialect's events are understood.
#[derive(Debug)]
pub enum Watch {
    /// OpenAI's chat completions and completions.
    Chat(ChatWatch),
    /// OpenAI's images, speech and transcripts.
    Media(media::Watch),
    /// Anthropic's messages.
    Messages(AnthropicWatch),
    /// OpenAI's responses.
    Responses(ResponsesWatch),
    /// Gemini's generated content.
    Gemini(GeminiWatch),
}

impl Watch {
    fn look(&mut self, event: &Event<'_>, data: &[u8]) -> Look {
        match self {
            Self::Chat(watch) => watch.look(event, data),
            Self::Media(watch) => watch.look(data),
            Self::Messages(watch) => watch.look(event, data),
            Self::Responses(watch) => watch.look(event, data),
            Self::Gemini(watch) => watch.look(event, data),
        }
    }

    /// An error event's data, as an object of any known shape.
    fn error(&self, data: &[u8]) -> Bytes {
        let format = match self {
            Self::Responses(_) => Format::Responses,
            _ => Format::Chat,
        };
        words::error_in_stream(format, data)
    }

    /// What a client expects as the end of a stream that ended without its end marker.
    const fn closing(&self) -> &'static [u8] {
        match self {
            Self::Chat(_) => ChatWatch::CLOSING,
            Self::Media(_) => b"",
            Self::Messages(_) => AnthropicWatch::CLOSING,
            Self::Responses(_) => ResponsesWatch::CLOSING,
            Self::Gemini(_) => GeminiWatch::CLOSING,
        }
    }
}

/// What a watch has found in an event.
#[derive(Clone, Copy, Debug)]
pub enum Look {
    /// It goes on.
    Keep(Seen),
    /// The client must not see it.
    Drop(Seen),
    /// It cannot be understood, and is dropped.
    Bad,
}

/// What a stream has told so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The usage reported so far.
    pub usage: Usage,
    /// Events with content so far: about as many tokens.
    pub content_events: u32,
    /// The answer is complete.
    pub finished: bool,
    /// The end marker has been seen.
    pub done: bool,
    /// Events that could not be understood and were dropped.
    pub bad_events: u32,
    /// The model has refused, which the client's dialect may not be able to say.
    pub refused: bool,
}

impl Progress {
    /// Output tokens: as reported, else as counted. Until the answer is complete the report may be that of its beginning.
    #[must_use]
    pub fn output_tokens(&self) -> u32 {
        match self.usage.output {
            Some(reported) if self.finished => reported,
            reported => reported.unwrap_or(0).max(self.content_events),
        }
    }

    /// Takes note of an event.
    pub fn note(&mut self, seen: &Seen) {
        self.content_events += u32::from(seen.content);
        self.finished |= seen.finished;
        self.done |= seen.done;
        if let Some(usage) = seen.usage {
            self.usage = usage.after(self.usage);
        }
        self.usage.service = seen.service.or(self.usage.service);
    }
}

/// A watched stream.
#[derive(Debug)]
pub struct Tap {
    splitter: Splitter,
    watch: Watch,
    /// What the stream has told so far.
    pub progress: Progress,
}

/// What came of a piece of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// What goes on to the client.
    pub bytes: Bytes,
    /// Whether there was content in it.
    pub content: bool,
    /// The provider's error object, if there was one; the client's view of it is in `bytes` too, as the last event.
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
    pub fn new(watch: Watch) -> Self {
        Self {
            splitter: Splitter::default(),
            watch,
            progress: Progress::default(),
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

    /// How the stream's events are understood, for what a dialect remembers of them.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What a client expects as the end of a stream that ended without its end marker.
    #[must_use]
    pub const fn closing(&self) -> &'static [u8] {
        self.watch.closing()
    }

    fn judge(&mut self, run: Bytes) -> Passed {
        let content_before = self.progress.content_events;
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
                    error = Some(self.watch.error(&event.joined()));
                    break;
                }
            }
            at = end;
        }
        Passed {
            bytes: kept.map_or(run, BytesMut::freeze),
            content: self.progress.content_events > content_before,
            error,
        }
    }

    fn fate(&mut self, event: &Event<'_>) -> Fate {
        if self.progress.done {
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
        let (seen, fate) = match self.watch.look(event, data) {
            Look::Bad => {
                self.progress.bad_events += 1;
                return Fate::Drop;
            }
            Look::Keep(seen) if seen.error => return Fate::Error,
            Look::Keep(seen) => (seen, Fate::Keep),
            Look::Drop(seen) => (seen, Fate::Drop),
        };
        self.progress.note(&seen);
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::super::openai::splice::UsageChunk;
    use super::super::seen::Service;
    use super::*;

    fn tap(chunk: UsageChunk) -> Tap {
        Tap::new(Watch::Chat(ChatWatch::new(chunk)))
    }

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
        let mut tap = tap(UsageChunk::Expected);
        let run = Bytes::from([ROLE, WORD, STOP, USAGE, END].concat());
        let passed = tap.pass(run.clone()).unwrap();
        assert_eq!(passed.bytes.as_ptr(), run.as_ptr());
        assert!(passed.content && tap.progress.finished && tap.progress.done);
        assert_eq!(tap.progress.output_tokens(), 2);
    }

    #[test]
    fn what_the_client_must_not_see_is_dropped() {
        let mut tap = tap(UsageChunk::Injected);
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
        assert_eq!(
            (tap.progress.bad_events, tap.progress.usage.output),
            (1, Some(2))
        );
    }

    #[test]
    fn an_error_ends_the_run() {
        let mut tap = tap(UsageChunk::Expected);
        let error = "data: {\"error\":{\"message\":\"boom\"}}\n\n";
        let passed = pass_all(&mut tap, &[WORD, error, WORD].concat());
        assert_eq!(passed.bytes, [WORD, error].concat());
        assert_eq!(passed.error.unwrap(), "{\"error\":{\"message\":\"boom\"}}");
    }

    #[test]
    fn a_last_event_without_blank_line_counts() {
        let mut tap = tap(UsageChunk::Expected);
        assert!(pass_all(&mut tap, END.trim_end()).bytes.is_empty());
        assert_eq!(tap.rest().bytes, END);
        assert!(tap.progress.done);
    }

    #[test]
    fn comments_pass() {
        let mut tap = tap(UsageChunk::Expected);
        let passed = pass_all(&mut tap, ": keep-alive\n\n");
        assert_eq!(passed.bytes, ": keep-alive\n\n");
        assert!(!passed.content);
    }

    #[test]
    fn the_class_of_service_is_known_before_the_usage() {
        let mut tap = tap(UsageChunk::Expected);
        let word = WORD.replace("{\"choices\"", "{\"service_tier\":\"priority\",\"choices\"");
        pass_all(
            &mut tap,
            &[word.as_str(), &word.replace("\"w\"", "\"v\"")].concat(),
        );
        assert_eq!(tap.progress.content_events, 2);
        assert_eq!(tap.progress.usage.service, Some(Service::Priority));
        pass_all(&mut tap, &[STOP, USAGE, END].concat());
        assert_eq!(tap.progress.usage.service, Some(Service::Priority));
    }
}
