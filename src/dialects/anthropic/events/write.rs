//! How is a stream written for a client that speaks Anthropic's dialect?
//!
//! Other dialects name a call's place with every piece, so that calls may come interleaved; here one block is open at a time.
//! A call that begins while another is open waits until that one's arguments are a whole object, or until something else follows.
//!
//! # Invariants
//! - One index runs over all blocks, a block is closed before another opens, and every event has its name.
//! - Usage stands in the first event and in the last but one, which is written at the end: usage may come after the finish.
//! - A stream without a finish gets no end.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::super::meeting::Frame;
use super::super::answer;
use super::super::block::{Block, Input, call_id};
use super::super::stop::{self, Called};
use super::super::usage::Written;
use super::super::watch::Watch;
use super::whole::Whole;
use crate::chat::{Event, Maker, Signature, Stop, Usage};

/// Writes the stream of a message.
#[derive(Clone, Debug)]
pub struct Writer {
    frame: Frame,
    started: bool,
    /// The index of the open block, or else of the next.
    next: u64,
    open: Open,
    /// Calls that have begun and wait for the open one to end, by their place.
    waiting: BTreeMap<u32, Call>,
    called: Called,
    usage: Option<Usage>,
    /// Pieces of content so far: about as many tokens.
    pieces: u64,
    finish: Option<(Stop, Option<String>)>,
}

/// The block that is open.
#[derive(Clone, Copy, Debug)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call { place: u32, whole: Whole },
}

/// A call that waits, with the arguments that have come.
#[derive(Clone, Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    signature: Option<Signature>,
}

impl Writer {
    /// A writer of a stream that has not begun.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            started: false,
            next: 0,
            open: Open::Nothing,
            waiting: BTreeMap::new(),
            called: Called::No,
            usage: None,
            pieces: 0,
            finish: None,
        }
    }

    /// Writes what an event means.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => self.start(id, model, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            _ if self.finish.is_some() => {}
            _ => {
                self.start("", "", out);
                self.pieces += u64::from(event.is_content());
                self.go_on(event, out);
            }
        }
    }

    /// Writes the end of a complete stream; nothing if it is not complete.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let Some((stop, stop_text)) = self.finish.take() else {
            return;
        };
        let estimate = Usage {
            input: self.frame.input_estimate,
            output: self.pieces,
            ..Usage::default()
        };
        let delta = Ending {
            stop_reason: stop::write(stop, self.called),
            stop_sequence: stop_text.as_deref().filter(|_| stop == Stop::Text),
        };
        let usage = self.usage.unwrap_or(estimate).into();
        send(&Sent::MessageDelta { delta, usage }, out);
        out.extend_from_slice(Watch::CLOSING);
    }

    fn start(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let usage = Usage {
            input: self.frame.input_estimate,
            ..Usage::default()
        };
        let message = Opening {
            id: answer::id(id, &self.frame),
            kind: "message",
            role: "assistant",
            model: answer::model(model, &self.frame),
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: usage.into(),
        };
        send(&Sent::MessageStart { message }, out);
    }

    fn go_on(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) | Event::Refusal(text) if !text.is_empty() => {
                if !matches!(self.open, Open::Text) {
                    self.open(Open::Text, Block::text(""), out);
                }
                self.delta(Piece::Text { text }, out);
            }
            Event::Thinking(thinking) if !thinking.is_empty() => {
                self.think(out);
                self.delta(Piece::Thinking { thinking }, out);
            }
            Event::Signed(by) => {
                self.think(out);
                let signature = &by.written(Maker::Anthropic);
                self.delta(Piece::Signature { signature }, out);
                // Thoughts that follow are signed on their own.
                self.close(out);
            }
            Event::Redacted(signature) => {
                self.open(Open::Nothing, Block::redacted(signature), out);
                self.stop_block(out);
            }
            Event::ToolStart {
                index,
                id,
                name,
                signature,
            } => {
                let call = Call {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                };
                self.called = Called::Yes;
                match self.open {
                    Open::Call { place, .. } if place == *index => {}
                    Open::Call { whole, .. } if !whole.is_done() => {
                        self.waiting.entry(*index).or_insert(call);
                    }
                    _ => self.call(*index, call, out),
                }
            }
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Finish { stop, stop_text } => {
                self.close(out);
                self.finish = Some((*stop, stop_text.clone()));
            }
            Event::Text(_) | Event::Refusal(_) | Event::Thinking(_) => {}
            Event::Start { .. } | Event::Usage(_) => {}
        }
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thinking) {
            self.open(Open::Thinking, Block::thinking("", None), out);
        }
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        match &mut self.open {
            Open::Call { place, whole } if *place == index => {
                // Space after a whole object is left out with whatever else cannot belong to it.
                if whole.is_done() || json.is_empty() {
                    return;
                }
                whole.take(json);
                self.delta(Piece::Input { partial_json: json }, out);
                self.catch_up(out);
            }
            _ => {
                if let Some(call) = self.waiting.get_mut(&index) {
                    call.arguments.push_str(json);
                }
            }
        }
    }

    /// Begins the calls that waited, as far as those before them are whole.
    fn catch_up(&mut self, out: &mut Vec<u8>) {
        while let Open::Call { whole, .. } = self.open
            && whole.is_done()
            && let Some((place, call)) = self.waiting.pop_first()
        {
            self.call(place, call, out);
        }
    }

    /// Begins a call, after what is open has been closed.
    fn call(&mut self, place: u32, call: Call, out: &mut Vec<u8>) {
        if let Some(signature) = &call.signature {
            self.begin(Open::Nothing, Block::redacted(signature), out);
            self.stop_block(out);
        }
        let mut whole = Whole::default();
        whole.take(&call.arguments);
        let block = Block::ToolUse {
            id: call_id(&call.id),
            name: &call.name,
            input: Input::Empty {},
        };
        self.begin(Open::Call { place, whole }, block, out);
        if !call.arguments.is_empty() {
            let partial_json = &call.arguments;
            self.delta(Piece::Input { partial_json }, out);
        }
    }

    /// Opens a block that is no call: no call waits any longer.
    fn open(&mut self, kind: Open, block: Block<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.begin(kind, block, out);
    }

    fn begin(&mut self, kind: Open, content_block: Block<'_>, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Nothing) {
            self.stop_block(out);
        }
        let index = self.next;
        send(
            &Sent::ContentBlockStart {
                index,
                content_block,
            },
            out,
        );
        self.open = kind;
    }

    /// Ends the open block, and writes the calls that waited for it.
    fn close(&mut self, out: &mut Vec<u8>) {
        while let Some((place, call)) = self.waiting.pop_first() {
            self.call(place, call, out);
        }
        if !matches!(self.open, Open::Nothing) {
            self.stop_block(out);
        }
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        send(&Sent::ContentBlockStop { index: self.next }, out);
        self.next += 1;
        self.open = Open::Nothing;
    }

    fn delta(&self, delta: Piece<'_>, out: &mut Vec<u8>) {
        let index = self.next;
        send(&Sent::ContentBlockDelta { index, delta }, out);
    }
}

/// An event, as written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Sent<'a> {
    MessageStart {
        message: Opening<'a>,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block<'a>,
    },
    ContentBlockDelta {
        index: u64,
        delta: Piece<'a>,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Ending<'a>,
        usage: Written,
    },
}

impl Sent<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
        }
    }
}

#[derive(Serialize)]
struct Opening<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: Written,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
}

#[derive(Serialize)]
struct Ending<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

fn send(event: &Sent<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.name().as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Strings and numbers always serialise, and memory takes whatever is written.
    let _ = serde_json::to_writer(&mut *out, event);
    out.extend_from_slice(b"\n\n");
}
