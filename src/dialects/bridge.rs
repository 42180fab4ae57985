//! Carries a stream from one dialect into another, event by event.
//!
//! # Invariants
//! - An event that cannot be read is dropped and counted; it never ends the stream.
//! - What the client gets is a whole stream of its own dialect, or one that ends with its dialect's error event.
//! - Nothing is held back but what the two dialects' orders demand.

use bytes::Bytes;

use super::bedrock::frames::Frames;
use super::classify;
use super::convert;
use super::failure::Failure;
use super::format::Format;
use super::joint::{Joint, Resumption, Transcript};
use super::meeting::{Mark, ReadEvents, WriteEvents};
use super::passage::Unfit;
use super::seen::{Seen, Usage};
use super::tap::{Passed, Progress};
use super::words;
use crate::chat::Event;
use crate::stream::sse::{self, Splitter};

/// Room for what one step comes to that is kept for the next, bytes: more than any event but those that repeat a whole answer.
const ROOM: usize = 16 * 1024;

/// How a provider cuts its stream into events.
#[derive(Debug)]
pub enum Inlet {
    /// Server-sent events.
    Sse(Splitter),
    /// Amazon's binary event stream.
    Amazon(Frames),
}

/// A stream on its way between two dialects.
#[derive(Debug)]
pub struct Bridge {
    inlet: Inlet,
    reader: Box<dyn ReadEvents>,
    writer: Box<dyn WriteEvents>,
    /// The provider's format and the client's, for errors.
    provider: Format,
    client: Format,
    request_id: String,
    /// What the stream has told so far.
    pub progress: Progress,
    /// What the client has, kept where the stream may be taken up by another route.
    transcript: Option<Transcript>,
    joint: Joint,
    /// Room for the events of one step, kept to be used again.
    events: Vec<Event>,
    /// Room for what they come to, likewise.
    room: Vec<u8>,
}

impl Bridge {
    /// A bridge whose stream has not begun.
    #[must_use]
    pub fn new(
        (inlet, reader): (Inlet, Box<dyn ReadEvents>),
        writer: Box<dyn WriteEvents>,
        (provider, client): (Format, Format),
        request_id: &str,
    ) -> Self {
        Self {
            inlet,
            reader,
            writer,
            provider,
            client,
            request_id: request_id.to_owned(),
            progress: Progress::default(),
            transcript: None,
            joint: Joint::default(),
            events: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Keeps what the client gets from here on, so that another route can take the stream up.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.transcript = Some(Transcript::default());
        self
    }

    /// What the client has, if all of it is text and another route could take it up.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        self.transcript.as_ref()?.said(self.client)
    }

    /// Output tokens of the whole answer so far, what went before a joint included.
    #[must_use]
    pub fn answer_tokens(&self) -> u32 {
        self.joint.answer_tokens(self.progress.output_tokens())
    }

    /// A bridge that goes on where this one broke off, over another stream.
    #[must_use]
    pub fn resumed(&self, provider: Format, how: Resumption) -> Self {
        let (inlet, reader) = convert::source(provider);
        let said = self.said().unwrap_or_default();
        let before = self.transcript.as_ref().map_or(0, Transcript::pieces);
        Self {
            inlet,
            reader,
            writer: self.writer.duplicate(),
            provider,
            client: self.client,
            request_id: self.request_id.clone(),
            progress: Progress::default(),
            transcript: self.transcript.clone(),
            joint: Joint::new(said, before, how),
            events: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`Unfit`], when the stream cannot go on.
    pub fn pass(&mut self, chunk: Bytes) -> Result<Passed, Unfit> {
        let mut crossing = self.crossing();
        match &mut self.inlet {
            Inlet::Sse(splitter) => {
                let run = splitter.push(chunk)?;
                self.cross_run(&run, &mut crossing)?;
            }
            Inlet::Amazon(frames) => {
                let frames = frames.push(chunk).map_err(|_| Unfit::Damaged)?;
                for frame in frames {
                    if crossing.error.is_some() {
                        break;
                    }
                    self.cross(Some(frame.event.as_bytes()), &frame.payload, &mut crossing)?;
                }
            }
        }
        Ok(self.passed(crossing))
    }

    /// Takes what is left when the stream has ended: a last event without its blank line still counts.
    ///
    /// # Errors
    /// [`Unfit`], when it cannot be the end of this stream.
    pub fn rest(&mut self) -> Result<Passed, Unfit> {
        let mut crossing = self.crossing();
        match &mut self.inlet {
            Inlet::Sse(splitter) => {
                let rest = splitter.rest();
                self.cross_run(&rest, &mut crossing)?;
            }
            // What came with the last whole frames may be no frame.
            Inlet::Amazon(frames) => drop(frames.push(Bytes::new()).map_err(|_| Unfit::Damaged)?),
        }
        Ok(self.passed(crossing))
    }

    /// Ends a stream whose answer is complete but whose end marker did not come.
    pub fn close(&mut self) -> Bytes {
        let mut out = Vec::new();
        if !self.progress.done {
            self.progress.done = true;
            self.writer.end(&mut out);
        }
        Bytes::from(out)
    }

    fn crossing(&mut self) -> Crossing {
        Crossing {
            out: std::mem::take(&mut self.room),
            ..Crossing::default()
        }
    }

    /// What has come over, copied to its size, so that the room need not grow anew with each event.
    fn passed(&mut self, crossing: Crossing) -> Passed {
        let Crossing {
            mut out,
            content,
            error,
        } = crossing;
        let bytes = if out.capacity() > ROOM {
            Bytes::from(out)
        } else {
            let bytes = Bytes::copy_from_slice(&out);
            out.clear();
            self.room = out;
            bytes
        };
        Passed {
            bytes,
            content,
            error,
        }
    }

    fn cross_run(&mut self, run: &[u8], crossing: &mut Crossing) -> Result<(), Unfit> {
        for event in sse::events(run) {
            if crossing.error.is_some() {
                break;
            }
            let name = event.name();
            match event.data {
                None => {}
                Some(data) if event.data_lines == 1 => self.cross(name, data, crossing)?,
                Some(_) => self.cross(name, &event.joined(), crossing)?,
            }
        }
        Ok(())
    }

    fn cross(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        crossing: &mut Crossing,
    ) -> Result<(), Unfit> {
        if self.progress.done {
            return Ok(());
        }
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let read = self.reader.read(name, data, &mut events);
        let Ok(mark) = read else {
            self.progress.bad_events += 1;
            self.events = events;
            return Ok(());
        };
        for event in events.drain(..) {
            self.carry(event, crossing)?;
        }
        self.events = events;
        match mark {
            Mark::More => {}
            // A stream that ends before the answer does is broken, whatever its marker says.
            Mark::Done if !self.progress.finished => {}
            Mark::Done => {
                self.progress.done = true;
                self.writer.end(&mut crossing.out);
            }
            Mark::Error => {
                let error = words::error_in_stream(self.provider, data);
                if self.transcript.is_none() {
                    let told = self.told(&error);
                    crossing.out.extend_from_slice(&told);
                }
                crossing.error = Some(error);
            }
        }
        Ok(())
    }

    fn carry(&mut self, event: Event, crossing: &mut Crossing) -> Result<(), Unfit> {
        let content = event.is_content();
        crossing.content |= content;
        self.progress.refused |= matches!(event, Event::Refusal(_));
        self.progress.note(&Seen {
            content,
            finished: matches!(event, Event::Finish { .. }),
            usage: match event {
                Event::Usage(usage) => {
                    let beside = self.reader.beside();
                    Some(Usage::from(usage).after(beside).apart())
                }
                _ => None,
            },
            ..Seen::default()
        });
        if self.joint.is_open() {
            self.give(&event, crossing);
            return Ok(());
        }
        let mut joined = Vec::new();
        self.joint.pass(event, &mut joined)?;
        for event in &joined {
            self.give(event, crossing);
        }
        Ok(())
    }

    fn give(&mut self, event: &Event, crossing: &mut Crossing) {
        if let Some(transcript) = &mut self.transcript {
            transcript.note(event);
        }
        self.writer.write(event, &mut crossing.out);
    }

    /// A provider's error, in the client's words.
    fn told(&mut self, data: &[u8]) -> Bytes {
        let failure = classify::error_in_success(data).failure;
        let message = words::message_in(data)
            .unwrap_or_else(|| "the provider broke the stream off".to_owned());
        self.broken(failure, &message)
    }

    /// The error as the last event of a stream that breaks off here.
    pub fn broken(&mut self, failure: Failure, message: &str) -> Bytes {
        let mut out = Vec::new();
        self.writer.fail(failure, message, &mut out);
        if out.is_empty() {
            return self.client.error_event(failure, message, &self.request_id);
        }
        Bytes::from(out)
    }
}

/// What has come over in one step.
#[derive(Default)]
struct Crossing {
    out: Vec<u8>,
    content: bool,
    error: Option<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::super::meeting::Frame;
    use super::super::seen::Service;
    use super::*;

    /// A frame of Amazon's stream with these headers.
    fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let size = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let total = 16 + headers.len() + payload.len();
        let mut out = [size(total), size(headers.len())].concat();
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    /// What breaks in the last bytes that came is told when the stream ends, since there is no next call.
    #[test]
    fn a_stream_that_ends_broken_is_unfit() {
        let mut headers = Vec::new();
        for (name, value) in [(":message-type", "event"), (":event-type", "messageStart")] {
            headers.push(u8::try_from(name.len()).unwrap());
            headers.extend_from_slice(name.as_bytes());
            headers.extend_from_slice(&[7, 0, u8::try_from(value.len()).unwrap()]);
            headers.extend_from_slice(value.as_bytes());
        }
        let good = frame(&headers, br#"{"role":"assistant"}"#);
        let told = Frame {
            id: "a".to_owned(),
            model: "m".to_owned(),
            created: 7,
            usage_asked: true,
            input_estimate: 3,
        };
        let mut bridge = convert::bridge((Format::Converse, Format::Chat), &told, "r", b"{}");
        let bytes = [&*good, &frame(b"", b"{}")].concat();
        assert!(bridge.pass(Bytes::from(bytes)).is_ok());
        assert_eq!(bridge.rest().unwrap_err(), Unfit::Damaged);
        let mut bridge = convert::bridge((Format::Converse, Format::Chat), &told, "r", b"{}");
        assert!(bridge.pass(Bytes::from(good)).is_ok());
        assert!(bridge.rest().is_ok());
    }

    const CHAT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"w\"},\"finish_reason\":\"stop\"}],\"service_tier\":\"flex\"}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":90,\"completion_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":40,\"cache_write_tokens\":5,\"audio_tokens\":30},\
        \"completion_tokens_details\":{\"reasoning_tokens\":2,\"audio_tokens\":4}}}\n\ndata: [DONE]\n\n";
    const MESSAGES: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":4,\
        \"cache_creation_input_tokens\":7,\"cache_creation\":{\"ephemeral_5m_input_tokens\":5,\"ephemeral_1h_input_tokens\":2},\"output_tokens\":1,\"service_tier\":\"priority\"}}}\n\n\
        data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9,\"server_tool_use\":{\"web_search_requests\":1}}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    const GENERATE: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"w\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":90,\
        \"cachedContentTokenCount\":10,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2,\"totalTokenCount\":97,\"promptTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":60}],\
        \"trafficType\":\"ON_DEMAND_FLEX\"}}\n\n";
    const RESPONSES: &str = "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"output\":[],\"service_tier\":\"priority\",\
        \"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":3}}}}\n\n";
    const COHERE: &str = "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":8,\"output_tokens\":2},\"cached_tokens\":3}}}\n\n";

    /// Streams, and what was billed for them.
    fn billed() -> [(Format, &'static str, Usage); 5] {
        let none = Usage::default();
        [
            (
                Format::Chat,
                CHAT,
                Usage {
                    input: Some(90),
                    cached: Some(40),
                    cache_write: Some(5),
                    audio_input: Some(30),
                    output: Some(9),
                    reasoning: Some(2),
                    audio_output: Some(4),
                    service: Some(Service::Flex),
                    ..none
                },
            ),
            (
                Format::Messages,
                MESSAGES,
                Usage {
                    input: Some(14),
                    cached: Some(4),
                    cache_write: Some(5),
                    cache_write_1h: Some(2),
                    output: Some(9),
                    queries: Some(1),
                    service: Some(Service::Priority),
                    ..none
                },
            ),
            (
                Format::Generate,
                GENERATE,
                Usage {
                    input: Some(90),
                    cached: Some(10),
                    audio_input: Some(60),
                    output: Some(7),
                    reasoning: Some(2),
                    service: Some(Service::Flex),
                    ..none
                },
            ),
            (
                Format::Responses,
                RESPONSES,
                Usage {
                    input: Some(9),
                    cached: Some(4),
                    output: Some(5),
                    reasoning: Some(3),
                    service: Some(Service::Priority),
                    ..none
                },
            ),
            (
                Format::CohereChat,
                COHERE,
                Usage {
                    input: Some(8),
                    cached: Some(3),
                    output: Some(2),
                    ..none
                },
            ),
        ]
    }

    /// Whatever two dialects meet, what was billed is told as where there is only one.
    #[test]
    fn a_bridge_tells_whatever_is_billed() {
        for (provider, stream, expected) in billed() {
            let client = if provider == Format::Chat {
                Format::Messages
            } else {
                Format::Chat
            };
            let frame = Frame::default();
            let mut bridge = convert::bridge((provider, client), &frame, "r", b"{}");
            bridge.pass(Bytes::from_static(stream.as_bytes())).unwrap();
            assert!(bridge.progress.finished, "{provider:?}");
            assert_eq!(bridge.progress.bad_events, 0, "{provider:?}");
            assert_eq!(bridge.progress.usage, expected, "{provider:?}");
        }
    }
}
