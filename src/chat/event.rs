//! What happens in a stream, step by step?
//!
//! # Invariants
//! - A stream is [`Event::Start`], then content, then [`Event::Finish`]; [`Event::Usage`] may come at any time, the last one counts.
//! - Content of one kind is contiguous: where a dialect marks the end of a block, the writer infers it from what follows.
//! - A tool call's arguments come after its start and carry its index, which counts calls from 0.

use super::answer::{Answer, Stop};
use super::part::{Part, Signature};
use super::usage::Usage;

/// One step of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The provider has begun to answer.
    Start {
        /// The provider's id of the answer; empty if it gave none.
        id: String,
        /// The model that answers, in the provider's words.
        model: String,
    },
    /// Words.
    Text(String),
    /// Thoughts, or their summary.
    Thinking(String),
    /// What the provider signed the thoughts before with; with no thoughts before, they are withheld.
    Signed(Signature),
    /// Thoughts that only the provider can read.
    Redacted(Signature),
    /// Words of refusal.
    Refusal(String),
    /// A tool call begins.
    ToolStart {
        /// Its place among the answer's tool calls, from 0.
        index: u32,
        /// What its result refers to.
        id: String,
        /// The tool's name.
        name: String,
        /// What the provider signed the call with.
        signature: Option<Signature>,
    },
    /// A piece of a tool call's arguments.
    ToolArguments {
        /// The call's place.
        index: u32,
        /// The piece, JSON text.
        json: String,
    },
    /// What was used so far, all of it.
    Usage(Usage),
    /// The answer is complete.
    Finish {
        /// Why the model stopped.
        stop: Stop,
        /// The text that ended the answer, where the dialect tells it.
        stop_text: Option<String>,
    },
}

impl Event {
    /// Whether the user can see it or a tool can use it.
    #[must_use]
    pub const fn is_content(&self) -> bool {
        !matches!(
            self,
            Self::Start { .. } | Self::Usage(_) | Self::Finish { .. } | Self::Signed(_)
        )
    }
}

/// The answer that a stream adds up to.
#[must_use]
pub fn fold(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    for event in events {
        match event {
            Event::Start { id, model } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
            }
            Event::Text(more) => match answer.parts.last_mut() {
                Some(Part::Text { text, .. }) => text.push_str(more),
                _ => answer.parts.push(Part::text(more.as_str())),
            },
            Event::Thinking(more) => match answer.parts.last_mut() {
                Some(Part::Thinking {
                    text,
                    signature: None,
                }) => text.push_str(more),
                _ => answer.parts.push(Part::Thinking {
                    text: more.clone(),
                    signature: None,
                }),
            },
            Event::Signed(by) => match answer.parts.last_mut() {
                Some(Part::Thinking { signature, .. }) if signature.is_none() => {
                    *signature = Some(by.clone());
                }
                _ => answer.parts.push(Part::Thinking {
                    text: String::new(),
                    signature: Some(by.clone()),
                }),
            },
            Event::Redacted(by) => answer.parts.push(Part::Redacted(by.clone())),
            Event::Refusal(more) => match answer.parts.last_mut() {
                Some(Part::Refusal(text)) => text.push_str(more),
                _ => answer.parts.push(Part::Refusal(more.clone())),
            },
            Event::ToolStart {
                index,
                id,
                name,
                signature,
            } => {
                calls.push((*index, answer.parts.len()));
                answer.parts.push(Part::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                });
            }
            Event::ToolArguments { index, json } => {
                let place = calls.iter().rev().find(|(of, _)| of == index);
                if let Some(Part::ToolCall { arguments, .. }) =
                    place.and_then(|(_, at)| answer.parts.get_mut(*at))
                {
                    arguments.push_str(json);
                }
            }
            Event::Usage(usage) => answer.usage = Some(*usage),
            Event::Finish { stop, stop_text } => {
                answer.stop = *stop;
                answer.stop_text.clone_from(stop_text);
            }
        }
    }
    answer
}
