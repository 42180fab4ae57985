//! How is a stream written for a client that speaks OpenAI's dialect?
//!
//! # Invariants
//! - The first chunk has the role, every chunk the full envelope, and every delta of a call its index.
//! - A call's id and name stand in its first delta only: SDKs add up what is repeated.
//! - Usage is told once, in its own chunk before the end marker, and only if the client asked.
//! - The end marker comes only after a finish.

use serde::Serialize;

use super::super::super::meeting::Frame;
use super::super::answer::{finish_reason, name};
use super::super::message::{WrittenCall, WrittenExtra, WrittenFunction};
use super::super::thoughts::{self, Kind};
use super::super::tokens::WrittenUsage;
use crate::chat::{Event, Usage};

/// Writes a stream, event by event.
#[derive(Clone, Debug)]
pub struct Writer {
    frame: Frame,
    id: String,
    model: String,
    opened: bool,
    finished: bool,
    usage: Option<Usage>,
    /// Bytes of thoughts since the last signature.
    unsigned: usize,
    called: bool,
    /// Calls that have no arguments yet.
    bare: Vec<u32>,
}

impl Writer {
    /// A writer of a stream that has not begun.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            frame,
            opened: false,
            finished: false,
            usage: None,
            unsigned: 0,
            called: false,
            bare: Vec::new(),
        }
    }

    /// Writes what an event says.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => self.open(id, model, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            _ if self.finished => {}
            _ => {
                self.open("", "", out);
                self.go_on(event, out);
            }
        }
    }

    /// Writes what is due when the provider's stream has ended: nothing if it was not complete.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.finished {
            return;
        }
        if let Some(usage) = self.usage.take().filter(|_| self.frame.usage_asked) {
            let chunk = self.chunk(&[], Some(Some(WrittenUsage::from(&usage))));
            event(&chunk, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn open(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if self.opened {
            return;
        }
        self.opened = true;
        self.id = name(id, "chatcmpl-", &self.frame);
        let named = if model.is_empty() {
            &self.frame.model
        } else {
            model
        };
        self.model = named.to_owned();
        let delta = Delta {
            role: Some("assistant"),
            content: Some(""),
            ..Delta::default()
        };
        self.send(delta, None, out);
    }

    fn go_on(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut delta = Delta::default();
        match event {
            Event::Text(text) => delta.content = Some(text),
            Event::Refusal(words) => delta.refusal = Some(words),
            Event::Thinking(text) => {
                self.unsigned += text.len();
                delta.reasoning_content = Some(text);
            }
            Event::Signed(by) | Event::Redacted(by) => {
                let signed = matches!(event, Event::Signed(_));
                let kind = if signed { Kind::Signed } else { Kind::Redacted };
                let count = std::mem::take(&mut self.unsigned);
                let signature = thoughts::line(count, kind, by);
                delta.extra_content = Some(WrittenExtra::Trimtab { signature });
            }
            Event::ToolStart {
                index,
                id,
                name,
                signature,
            } => {
                self.called = true;
                self.bare.push(*index);
                let mut call = WrittenCall::whole(id, name, "");
                call.index = Some(*index);
                call.function.arguments = "";
                call.extra_content = signature.as_ref().map(WrittenExtra::of_call);
                delta.tool_calls = Some([call]);
            }
            Event::ToolArguments { json, .. } if json.trim_ascii().is_empty() => return,
            Event::ToolArguments { index, json } => {
                self.bare.retain(|bare| bare != index);
                delta.tool_calls = Some([arguments(*index, json)]);
            }
            Event::Finish { stop, .. } => {
                return self.finish(finish_reason(*stop, self.called), out);
            }
            Event::Start { .. } | Event::Usage(_) => return,
        }
        self.send(delta, None, out);
    }

    fn finish(&mut self, reason: &'static str, out: &mut Vec<u8>) {
        for index in std::mem::take(&mut self.bare) {
            let delta = Delta {
                tool_calls: Some([arguments(index, "{}")]),
                ..Delta::default()
            };
            self.send(delta, None, out);
        }
        self.finished = true;
        self.send(Delta::default(), Some(reason), out);
    }

    fn send(&self, delta: Delta<'_>, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        };
        let usage = self.frame.usage_asked.then_some(None);
        event(&self.chunk(&[choice], usage), out);
    }

    fn chunk<'a>(
        &'a self,
        choices: &'a [Choice<'a>],
        usage: Option<Option<WrittenUsage>>,
    ) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.frame.created,
            model: &self.model,
            choices,
            usage,
        }
    }
}

/// A piece of a call's arguments.
fn arguments(index: u32, json: &str) -> WrittenCall<'_> {
    WrittenCall {
        index: Some(index),
        function: WrittenFunction {
            name: None,
            arguments: json,
        },
        ..WrittenCall::default()
    }
}

/// Writes data as an event of a stream.
pub(in super::super) fn event<T: Serialize>(data: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    // Strings and numbers always serialise, and memory takes whatever is written.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// Null where it was asked for but is not due yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WrittenUsage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[WrittenCall<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<WrittenExtra>,
}
