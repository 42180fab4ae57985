//! What does an event of a response's stream look like?
//!
//! # Invariants
//! - An event is one line of data, named by its own `type`.
//! - [`Steps`] numbers the events of a stream from 0 without a gap.

use serde::Serialize;

use super::super::item::{Content, Item, Nothing};
use super::super::object::Response;

/// Writes the events of a stream.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Steps {
    next: u64,
}

/// What an event tells of: an item, or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) id: &'a str,
    pub(super) place: usize,
    pub(super) part: Part,
}

/// Which part of an item.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// None: the item itself.
    Whole,
    /// A message's, by its index.
    Content(usize),
    /// A reasoning's summary, which has but one.
    Summary,
}

/// Words, by the field that they stand in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words<'a> {
    Delta(&'a str),
    TextDelta(&'a str),
    Text(&'a str),
    SummaryText(&'a str),
    Refusal(&'a str),
    Arguments(&'a str),
    Input(&'a str),
}

impl Steps {
    /// Steps of a stream of which the events before this number were written.
    pub(in super::super) const fn from(next: u64) -> Self {
        Self { next }
    }

    /// The number of the next event.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// An event about the whole response.
    pub(in super::super) fn response(
        &mut self,
        kind: &'static str,
        response: &Response<'_>,
        out: &mut Vec<u8>,
    ) {
        self.put(kind, out, |step| step.response = Some(response));
    }

    /// An event about an item that begins or is done.
    pub(super) fn item(
        &mut self,
        kind: &'static str,
        place: usize,
        item: &Item,
        out: &mut Vec<u8>,
    ) {
        self.put(kind, out, |step| {
            step.output_index = Some(place);
            step.item = Some(item);
        });
    }

    /// An event about a part that begins or is done.
    pub(super) fn part(
        &mut self,
        kind: &'static str,
        at: At<'_>,
        part: &Content,
        out: &mut Vec<u8>,
    ) {
        self.put(kind, out, |step| {
            step.place(at);
            step.part = Some(part);
        });
    }

    /// An event that adds words, or repeats them all.
    pub(super) fn words(
        &mut self,
        kind: &'static str,
        at: At<'_>,
        words: Words<'_>,
        out: &mut Vec<u8>,
    ) {
        self.put(kind, out, |step| {
            step.place(at);
            match words {
                Words::Delta(delta) => step.delta = Some(delta),
                Words::TextDelta(delta) => {
                    step.delta = Some(delta);
                    step.logprobs = Some(Nothing);
                }
                Words::Text(text) => {
                    step.text = Some(text);
                    step.logprobs = Some(Nothing);
                }
                Words::SummaryText(text) => step.text = Some(text),
                Words::Refusal(refusal) => step.refusal = Some(refusal),
                Words::Arguments(arguments) => step.arguments = Some(arguments),
                Words::Input(input) => step.input = Some(input),
            }
        });
    }

    fn put<'a>(&mut self, kind: &'static str, out: &mut Vec<u8>, fill: impl FnOnce(&mut Step<'a>)) {
        let mut step = Step {
            kind,
            sequence_number: self.next,
            ..Step::default()
        };
        self.next = self.next.saturating_add(1);
        fill(&mut step);
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        // Strings and numbers always serialise, and a vector takes any bytes.
        let _ = serde_json::to_writer(&mut *out, &step);
        out.extend_from_slice(b"\n\n");
    }
}

/// One event; what does not belong to its type is absent.
#[derive(Debug, Default, Serialize)]
struct Step<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Nothing>,
}

impl<'a> Step<'a> {
    const fn place(&mut self, at: At<'a>) {
        self.item_id = Some(at.id);
        self.output_index = Some(at.place);
        match at.part {
            Part::Whole => {}
            Part::Content(index) => self.content_index = Some(index),
            Part::Summary => self.summary_index = Some(0),
        }
    }
}
