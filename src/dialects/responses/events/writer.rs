//! How is a stream told to a client that speaks the Responses dialect?
//!
//! Clients keep an account of every item and part, so each is opened, filled and closed, and the last event repeats them all.
//! Usage may come after the end of the answer: the last event is written in [`Writer::end`].
//!
//! # Invariants
//! - No delta comes before its item and part are added, and none after they are done.
//! - The items of the last event are those that were done, in their order.
//! - At most [`MAX_KEPT`] bytes are kept to be repeated.

use super::super::super::failure::Failure;
use super::super::super::meeting::Frame;
use super::super::error;
use super::super::item::{
    Call, Content, Ids, Item, ItemStatus, encrypted, encrypted_under, redacted,
};
use super::super::names::Names;
use super::super::object::{self, Response, Status};
use super::step::{At, Part, Steps, Words};
use crate::chat::{Event, Signature, Stop, Usage};

/// Most bytes of an answer that are kept for the events that repeat it; more are relayed, but not repeated.
pub const MAX_KEPT: usize = 32 * 1024 * 1024;

const ITEM_ADDED: &str = "response.output_item.added";
const ITEM_DONE: &str = "response.output_item.done";

/// Writes a stream.
#[derive(Clone, Debug)]
pub struct Writer {
    frame: Frame,
    names: Names,
    id: String,
    model: String,
    ids: Ids,
    steps: Steps,
    /// The items by their places; those that are still open are absent.
    items: Vec<Option<Item>>,
    open: Option<Open>,
    calls: Vec<OpenCall>,
    kept: usize,
    usage: Option<Usage>,
    stop: Option<Stop>,
    ended: bool,
}

/// A message or a reasoning that goes on.
#[derive(Clone, Debug)]
struct Open {
    place: usize,
    id: String,
    /// A message's parts, or a reasoning's summary, which has but one.
    content: Vec<Content>,
    kind: Kind,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Reasoning,
}

/// A call whose arguments are not complete.
#[derive(Clone, Debug)]
struct OpenCall {
    index: u32,
    place: usize,
    id: String,
    call_id: String,
    seen: String,
    arguments: String,
    custom: bool,
}

impl Open {
    /// Where its last part is.
    fn at(&self) -> At<'_> {
        At {
            id: &self.id,
            place: self.place,
            part: match self.kind {
                Kind::Message => Part::Content(self.content.len().saturating_sub(1)),
                Kind::Reasoning => Part::Summary,
            },
        }
    }
}

impl OpenCall {
    fn at(&self) -> At<'_> {
        At {
            id: &self.id,
            place: self.place,
            part: Part::Whole,
        }
    }
}

impl Writer {
    /// A writer of a stream that has not begun.
    #[must_use]
    pub fn new(frame: Frame, names: Names) -> Self {
        let id = object::id("", &frame);
        Self {
            ids: Ids::of_response(&id),
            id,
            model: String::new(),
            frame,
            names,
            steps: Steps::default(),
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            kept: 0,
            usage: None,
            stop: None,
            ended: false,
        }
    }

    /// The response's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `sequence_number` of what comes next.
    #[must_use]
    pub const fn next_sequence_number(&self) -> u64 {
        self.steps.next()
    }

    /// Writes what an event comes to; after the end of the answer only its usage counts.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Usage(usage) => self.usage = Some(*usage),
            _ if self.ended || self.stop.is_some() => {}
            Event::Start { id, model } => self.start(id, model, out),
            content => {
                self.begin(out);
                self.content(content, out);
            }
        }
    }

    fn content(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(more) => self.say(Content::text(String::new()), more, out),
            Event::Refusal(more) => {
                let refusal = String::new();
                self.say(Content::Refusal { refusal }, more, out);
            }
            Event::Thinking(more) => {
                let text = String::new();
                self.say(Content::SummaryText { text }, more, out);
            }
            Event::Signed(by) => self.sign(by, encrypted(by), out),
            Event::Redacted(by) => {
                self.close(ItemStatus::Completed, None, out);
                self.sign(by, redacted(by), out);
            }
            Event::ToolStart {
                index,
                id,
                name,
                signature,
            } => {
                // A call has no place for it: it goes before the call, and finds its way back.
                if let Some(by) = signature {
                    self.close(ItemStatus::Completed, None, out);
                    self.sign(by, redacted(by), out);
                }
                self.call(*index, id, name, out);
            }
            Event::ToolArguments { index, json } => self.argue(*index, json, out),
            Event::Finish { stop, .. } => {
                let status = match Status::of(*stop) {
                    Status::Incomplete => ItemStatus::Incomplete,
                    _ => ItemStatus::Completed,
                };
                self.close(status, None, out);
                for call in std::mem::take(&mut self.calls) {
                    self.called(call, out);
                }
                self.stop = Some(*stop);
            }
            Event::Start { .. } | Event::Usage(_) => {}
        }
    }

    /// Writes the last event: the whole response, or that it broke off before its end.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let Some(stop) = self.stop else {
            let why = "the provider's stream ended before the answer was complete";
            self.fail(Failure::Upstream, why, out);
            return;
        };
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let output: Vec<Item> = self.items.drain(..).flatten().collect();
        let response = response(&self.id, &self.model, &self.frame);
        let response = response.ended(stop, &output, self.usage.as_ref());
        self.steps
            .response(Status::of(stop).event(), &response, out);
    }

    /// Writes that the response has failed, as its last event; the transfer is broken off after it.
    pub fn fail(&mut self, failure: Failure, message: &str, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.begin(out);
        self.ended = true;
        let output: Vec<Item> = self.items.drain(..).flatten().collect();
        let response = response(&self.id, &self.model, &self.frame);
        let response = response.broken(error::code(failure), message, &output);
        self.steps.response(Status::Failed.event(), &response, out);
    }

    fn start(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if self.steps.next() > 0 {
            return;
        }
        self.id = object::id(id, &self.frame);
        self.ids = Ids::of_response(&self.id);
        model.clone_into(&mut self.model);
        self.begin(out);
    }

    /// The first two events, unless they were written.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.steps.next() > 0 {
            return;
        }
        let response = response(&self.id, &self.model, &self.frame);
        for kind in ["response.created", Status::InProgress.event()] {
            self.steps.response(kind, &response, out);
        }
    }

    /// Opens a message or a reasoning, unless one goes on.
    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) -> Open {
        if let Some(open) = self.open.take_if(|open| open.kind == kind) {
            return open;
        }
        self.close(ItemStatus::Completed, None, out);
        self.close_whole_calls(out);
        let place = self.items.len();
        let (id, item) = match kind {
            Kind::Message => {
                let id = self.ids.of_item("msg", place);
                let item = Item::message(id.clone(), ItemStatus::InProgress, Vec::new());
                (id, item)
            }
            Kind::Reasoning => {
                let id = self.ids.of_item("rs", place);
                let item = Item::reasoning(id.clone(), Vec::new(), None);
                (id, item)
            }
        };
        self.items.push(None);
        self.steps.item(ITEM_ADDED, place, &item, out);
        Open {
            place,
            id,
            content: Vec::new(),
            kind,
        }
    }

    /// Adds words to a part of the same kind as `empty`, which is opened first if need be.
    fn say(&mut self, empty: Content, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        let kind = match empty {
            Content::SummaryText { .. } => Kind::Reasoning,
            _ => Kind::Message,
        };
        let mut open = self.open(kind, out);
        let last = open.content.last();
        if last.is_none_or(|last| std::mem::discriminant(last) != std::mem::discriminant(&empty)) {
            self.part_done(&open, out);
            let name = match empty {
                Content::SummaryText { .. } => "response.reasoning_summary_part.added",
                _ => "response.content_part.added",
            };
            open.content.push(empty);
            if let Some(part) = open.content.last() {
                self.steps.part(name, open.at(), part, out);
            }
        }
        let (name, words) = match open.content.last() {
            Some(Content::OutputText { .. }) => {
                ("response.output_text.delta", Words::TextDelta(more))
            }
            Some(Content::Refusal { .. }) => ("response.refusal.delta", Words::Delta(more)),
            _ => ("response.reasoning_summary_text.delta", Words::Delta(more)),
        };
        self.steps.words(name, open.at(), words, out);
        if let Some(last) = open.content.last_mut() {
            keep(&mut self.kept, last.words_mut(), more);
        }
        self.open = Some(open);
    }

    /// The last part of what goes on is whole, if there is one.
    fn part_done(&mut self, open: &Open, out: &mut Vec<u8>) {
        let Some(part) = open.content.last() else {
            return;
        };
        let (words_name, words, part_name) = match part {
            Content::OutputText { text, .. } => (
                "response.output_text.done",
                Words::Text(text),
                "response.content_part.done",
            ),
            Content::Refusal { refusal } => (
                "response.refusal.done",
                Words::Refusal(refusal),
                "response.content_part.done",
            ),
            Content::SummaryText { text } => (
                "response.reasoning_summary_text.done",
                Words::SummaryText(text),
                "response.reasoning_summary_part.done",
            ),
        };
        self.steps.words(words_name, open.at(), words, out);
        self.steps.part(part_name, open.at(), part, out);
    }

    /// The reasoning that goes on, or else withheld thoughts, are signed.
    fn sign(&mut self, by: &Signature, text: String, out: &mut Vec<u8>) {
        let open = self.open(Kind::Reasoning, out);
        let text = encrypted_under(&open.id, by).unwrap_or(text);
        self.open = Some(open);
        self.close(ItemStatus::Completed, Some(text), out);
    }

    /// Closes the message or the reasoning that goes on.
    fn close(&mut self, status: ItemStatus, signed: Option<String>, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else {
            return;
        };
        self.part_done(&open, out);
        let item = match open.kind {
            Kind::Message => Item::message(open.id, status, open.content),
            Kind::Reasoning => Item::reasoning(open.id, open.content, signed),
        };
        self.done(open.place, item, out);
    }

    /// An item is whole.
    fn done(&mut self, place: usize, item: Item, out: &mut Vec<u8>) {
        self.steps.item(ITEM_DONE, place, &item, out);
        if let Some(slot) = self.items.get_mut(place) {
            *slot = Some(item);
        }
    }

    fn call(&mut self, index: u32, call_id: &str, seen: &str, out: &mut Vec<u8>) {
        self.close(ItemStatus::Completed, None, out);
        self.close_whole_calls(out);
        let place = self.items.len();
        let item = Item::calling(&self.ids, place, (call_id, seen), &self.names);
        self.items.push(None);
        self.steps.item(ITEM_ADDED, place, &item, out);
        self.calls.push(OpenCall {
            index,
            place,
            id: item.id().to_owned(),
            call_id: call_id.to_owned(),
            seen: seen.to_owned(),
            arguments: String::new(),
            custom: matches!(item, Item::CustomToolCall { .. }),
        });
    }

    /// Adds to a call's arguments; a custom tool's input is told when it is whole, since its pieces are JSON.
    fn argue(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        let mut calls = self.calls.iter_mut().rev();
        let Some(call) = calls.find(|call| call.index == index) else {
            return;
        };
        keep(&mut self.kept, &mut call.arguments, json);
        if !call.custom && !json.is_empty() {
            let name = "response.function_call_arguments.delta";
            self.steps.words(name, call.at(), Words::Delta(json), out);
        }
    }

    /// Closes the calls whose arguments are whole: those of another may still come.
    fn close_whole_calls(&mut self, out: &mut Vec<u8>) {
        let is_whole = |call: &OpenCall| {
            serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok()
        };
        let calls = std::mem::take(&mut self.calls);
        let (whole, open): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_whole);
        self.calls = open;
        for call in whole {
            self.called(call, out);
        }
    }

    /// A call is whole.
    fn called(&mut self, mut call: OpenCall, out: &mut Vec<u8>) {
        if call.arguments.is_empty() && !call.custom {
            call.arguments.push_str("{}");
            let name = "response.function_call_arguments.delta";
            self.steps.words(name, call.at(), Words::Delta("{}"), out);
        }
        let made = Call {
            call_id: &call.call_id,
            seen: &call.seen,
            arguments: &call.arguments,
        };
        let item = Item::call(&self.ids, call.place, made, &self.names);
        match &item {
            Item::CustomToolCall { input, .. } => {
                let name = "response.custom_tool_call_input.delta";
                self.steps.words(name, call.at(), Words::Delta(input), out);
                let name = "response.custom_tool_call_input.done";
                self.steps.words(name, call.at(), Words::Input(input), out);
            }
            Item::FunctionCall { arguments, .. } => {
                let name = "response.function_call_arguments.done";
                let words = Words::Arguments(arguments);
                self.steps.words(name, call.at(), words, out);
            }
            Item::Message { .. } | Item::Reasoning { .. } => {}
        }
        self.done(call.place, item, out);
    }
}

/// The response as it has begun.
fn response<'a>(id: &'a str, model: &'a str, frame: &'a Frame) -> Response<'a> {
    Response::begun(id, object::model(model, frame), frame.created)
}

/// Keeps a text to be repeated, within the bound.
fn keep(kept: &mut usize, text: &mut String, more: &str) {
    let all = kept.saturating_add(more.len());
    if all <= MAX_KEPT {
        text.push_str(more);
        *kept = all;
    }
}
