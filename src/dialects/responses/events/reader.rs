//! What does a provider's stream of a response say?
//!
//! # Invariants
//! - What a vendor leaves out of the deltas is taken from the items, and what it leaves out of the items from the last event; nothing is told twice.
//! - Of one reasoning either the summary is told or the reasoning itself: whichever comes first.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::super::meeting::{Malformed, Mark};
use super::super::super::seen;
use super::super::answer::{RawItem, RawResponse};
use super::super::names::wrap_input;
use crate::chat::{Event, Part, Stop};

/// What stands around a custom tool's input in the arguments of the function that stands for it.
const INPUT: (&str, &str) = ("{\"input\":\"", "\"}");

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    /// The calls by their `output_index`.
    calls: HashMap<u64, Call>,
    next_call: u32,
    /// Whether the message that goes on has said anything.
    said: bool,
    thought: Thought,
    /// Whether anything was told.
    told: bool,
    /// In which class it was served, once that is told.
    service: Option<seen::Service>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    custom: bool,
    /// Whether any of its arguments came.
    argued: bool,
    done: bool,
}

/// What of the reasoning that goes on was told.
#[derive(Debug, Default)]
struct Thought {
    /// Which events tell it: the kind of the first.
    source: Option<Source>,
    /// Whether a new part of the summary begins.
    apart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Summary,
    Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEvent {
    #[serde(rename = "type")]
    kind: Option<String>,
    response: Option<RawResponse>,
    item: Option<RawItem>,
    output_index: Option<u64>,
    delta: Value,
    error: Value,
}

impl Reader {
    /// Reads one event of this name, if it has one.
    ///
    /// # Errors
    /// [`Malformed`] when its data is not an event's.
    pub fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(Mark::More);
        }
        let raw: RawEvent = serde_json::from_slice(data)?;
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let kind = raw.kind.as_deref().or(name).unwrap_or_default();
        let place = raw.output_index.unwrap_or_default();
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(raw.response.as_ref(), out);
            }
            "response.completed" | "response.incomplete" => {
                let incomplete = kind == "response.incomplete";
                self.finish(raw.response.unwrap_or_default(), incomplete, out);
                return Ok(Mark::Done);
            }
            "response.failed" | "error" => return Ok(Mark::Error),
            "" if !raw.error.is_null() => return Ok(Mark::Error),
            "response.output_item.added" => {
                if let Some(item) = raw.item {
                    self.added(place, &item, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = raw.item {
                    self.done(place, item, out);
                }
            }
            "response.reasoning_summary_part.added" => self.thought.apart = true,
            _ => {
                if let Some(delta) = raw.delta.as_str().filter(|delta| !delta.is_empty()) {
                    self.delta(kind, place, delta, out);
                }
            }
        }
        Ok(Mark::More)
    }

    fn start(&mut self, response: Option<&RawResponse>, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = response.and_then(|response| response.id.clone());
        let model = response.and_then(|response| response.model.clone());
        out.push(Event::Start {
            id: id.unwrap_or_default(),
            model: model.unwrap_or_default(),
        });
    }

    fn tell(&mut self, event: Event, out: &mut Vec<Event>) {
        self.start(None, out);
        self.told = true;
        out.push(event);
    }

    fn delta(&mut self, kind: &str, place: u64, delta: &str, out: &mut Vec<Event>) {
        match kind {
            "response.output_text.delta" => {
                self.said = true;
                self.tell(Event::Text(delta.to_owned()), out);
            }
            "response.refusal.delta" => {
                self.said = true;
                self.tell(Event::Refusal(delta.to_owned()), out);
            }
            "response.reasoning_summary_text.delta" => self.think(Source::Summary, delta, out),
            "response.reasoning_text.delta" => self.think(Source::Text, delta, out),
            "response.function_call_arguments.delta" => {
                self.argue(place, delta.to_owned(), out);
            }
            "response.custom_tool_call_input.delta" => {
                let first = self.calls.get(&place).is_some_and(|call| !call.argued);
                let begin = if first { INPUT.0 } else { "" };
                self.argue(place, format!("{begin}{}", escaped(delta)), out);
            }
            _ => {}
        }
    }

    fn think(&mut self, source: Source, delta: &str, out: &mut Vec<Event>) {
        let begun = self.thought.source.is_some();
        if *self.thought.source.get_or_insert(source) != source {
            return;
        }
        let apart = std::mem::take(&mut self.thought.apart);
        if apart && begun {
            self.tell(Event::Thinking("\n\n".to_owned()), out);
        }
        self.tell(Event::Thinking(delta.to_owned()), out);
    }

    fn argue(&mut self, place: u64, json: String, out: &mut Vec<Event>) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| !call.done) else {
            return;
        };
        call.argued = true;
        let index = call.index;
        self.tell(Event::ToolArguments { index, json }, out);
    }

    fn added(&mut self, place: u64, item: &RawItem, out: &mut Vec<Event>) {
        match item.kind.as_str() {
            "message" => self.said = false,
            "reasoning" => self.thought = Thought::default(),
            "function_call" | "custom_tool_call" => self.call(place, item, out),
            _ => {}
        }
    }

    fn call(&mut self, place: u64, item: &RawItem, out: &mut Vec<Event>) {
        let index = self.next_call;
        self.next_call = index.saturating_add(1);
        let call = Call {
            index,
            custom: item.kind == "custom_tool_call",
            argued: false,
            done: false,
        };
        self.calls.insert(place, call);
        let id = item.call_id.as_ref().or(item.id.as_ref());
        let start = Event::ToolStart {
            index,
            id: id.cloned().unwrap_or_default(),
            name: item.name.clone().unwrap_or_default(),
            signature: None,
        };
        self.tell(start, out);
    }

    /// An item is whole: what was not told of it is told now.
    fn done(&mut self, place: u64, item: RawItem, out: &mut Vec<Event>) {
        match item.kind.as_str() {
            "message" if !std::mem::take(&mut self.said) => self.whole(item, out),
            "reasoning" => {
                let thought = std::mem::take(&mut self.thought);
                let mut parts = Vec::new();
                item.read(&mut parts);
                for part in parts {
                    match part {
                        Part::Thinking { signature, .. } if thought.source.is_some() => {
                            if let Some(signature) = signature {
                                self.tell(Event::Signed(signature), out);
                            }
                        }
                        part => self.part(part, out),
                    }
                }
            }
            "function_call" | "custom_tool_call" => self.call_done(place, &item, out),
            _ => {}
        }
    }

    fn call_done(&mut self, place: u64, item: &RawItem, out: &mut Vec<Event>) {
        if !self.calls.contains_key(&place) {
            self.call(place, item, out);
        }
        let Some(call) = self.calls.get(&place).filter(|call| !call.done) else {
            return;
        };
        let rest = match (call.argued, call.custom) {
            (true, true) => INPUT.1.to_owned(),
            (true, false) => String::new(),
            (false, true) => wrap_input(item.input.as_str().unwrap_or_default()),
            (false, false) => item.arguments(),
        };
        if !rest.is_empty() {
            self.argue(place, rest, out);
        }
        if let Some(call) = self.calls.get_mut(&place) {
            call.done = true;
        }
    }

    /// An item of which nothing was told.
    fn whole(&mut self, item: RawItem, out: &mut Vec<Event>) {
        let mut parts = Vec::new();
        item.read(&mut parts);
        for part in parts {
            self.part(part, out);
        }
    }

    fn part(&mut self, part: Part, out: &mut Vec<Event>) {
        match part {
            Part::Text { text, .. } => self.tell(Event::Text(text), out),
            Part::Refusal(text) => self.tell(Event::Refusal(text), out),
            Part::Redacted(by) => self.tell(Event::Redacted(by), out),
            Part::Thinking { text, signature } => {
                if !text.is_empty() {
                    self.tell(Event::Thinking(text), out);
                }
                if let Some(by) = signature {
                    self.tell(Event::Signed(by), out);
                }
            }
            Part::ToolCall {
                id,
                name,
                arguments,
                ..
            } => {
                let index = self.next_call;
                self.next_call = index.saturating_add(1);
                let start = Event::ToolStart {
                    index,
                    id,
                    name,
                    signature: None,
                };
                self.tell(start, out);
                if !arguments.is_empty() {
                    let json = arguments;
                    self.tell(Event::ToolArguments { index, json }, out);
                }
            }
            Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult { .. } => {}
        }
    }

    /// What was used so far besides what events tell.
    #[must_use]
    pub fn beside(&self) -> seen::Usage {
        seen::Usage {
            service: self.service,
            ..seen::Usage::default()
        }
    }

    /// The last event: usage, why it stopped, and the whole answer if nothing was told of it.
    fn finish(&mut self, response: RawResponse, incomplete: bool, out: &mut Vec<Event>) {
        self.start(Some(&response), out);
        let otherwise = if incomplete { Stop::Length } else { Stop::End };
        let usage = response.usage();
        let tier = response.service_tier.as_deref();
        self.service = tier.and_then(seen::Service::named);
        // Why an error is taken as an end: vendors leave out the output, and the event itself says that it is complete.
        let answer = response.read().unwrap_or_default();
        let mut stop = match answer.stop {
            Stop::End => otherwise,
            stop => stop,
        };
        if !self.told {
            for part in answer.parts {
                self.part(part, out);
            }
        }
        if stop == Stop::End && self.next_call > 0 {
            stop = Stop::Tools;
        }
        out.extend(usage.map(Event::Usage));
        out.push(Event::Finish {
            stop,
            stop_text: None,
        });
    }
}

/// A text as it stands within a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.strip_prefix('"');
    let inner = inner.and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}
