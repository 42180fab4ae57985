//! What does the response object look like, whole or at the beginning and the end of its stream?
//!
//! # Invariants
//! - It has the fields that openai-python's and openai-node's types demand, in every state.

use serde::Serialize;

use super::super::meeting::Frame;
use super::item::{Item, Nothing};
use super::tokens::WrittenUsage;
use crate::chat::{Answer, Stop, Usage};

/// How far a response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

impl Status {
    /// How a stop is told.
    pub(super) const fn of(stop: Stop) -> Self {
        match stop {
            Stop::Length | Stop::Filtered => Self::Incomplete,
            Stop::End | Stop::Text | Stop::Tools | Stop::Paused => Self::Completed,
        }
    }

    /// The name of the event that tells it.
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::InProgress => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete => "response.incomplete",
            Self::Failed => "response.failed",
        }
    }
}

/// A response.
#[derive(Debug, Serialize)]
pub(super) struct Response<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: Status,
    background: bool,
    error: Option<Failed<'a>>,
    incomplete_details: Option<Incomplete>,
    instructions: Option<()>,
    max_output_tokens: Option<u32>,
    model: &'a str,
    output: &'a [Item],
    parallel_tool_calls: bool,
    previous_response_id: Option<()>,
    reasoning: Reasoning,
    service_tier: &'a str,
    store: bool,
    temperature: Option<f64>,
    text: Text,
    tool_choice: &'static str,
    tools: Nothing,
    top_p: Option<f64>,
    truncation: &'static str,
    usage: Option<WrittenUsage>,
    user: Option<()>,
    metadata: Empty,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    reason: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct Reasoning {
    effort: Option<()>,
    summary: Option<()>,
}

#[derive(Debug, Serialize)]
struct Text {
    format: Format,
}

#[derive(Debug, Serialize)]
struct Format {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// An empty object.
#[derive(Debug, Serialize)]
struct Empty {}

impl<'a> Response<'a> {
    /// A response that has begun.
    pub(super) fn begun(id: &'a str, model: &'a str, created: u64) -> Self {
        Self {
            id,
            object: "response",
            created_at: created,
            status: Status::InProgress,
            background: false,
            error: None,
            incomplete_details: None,
            instructions: None,
            max_output_tokens: None,
            model,
            output: &[],
            parallel_tool_calls: true,
            previous_response_id: None,
            reasoning: Reasoning::default(),
            service_tier: "default",
            store: false,
            temperature: None,
            text: Text {
                format: Format { kind: "text" },
            },
            tool_choice: "auto",
            tools: Nothing,
            top_p: None,
            truncation: "disabled",
            usage: None,
            user: None,
            metadata: Empty {},
        }
    }

    /// A response that has failed.
    pub(super) fn failed(id: &'a str, code: &'a str, message: &'a str) -> Self {
        Self {
            status: Status::Failed,
            error: Some(Failed { code, message }),
            ..Self::begun(id, "", 0)
        }
    }

    /// The same, broken off with an error.
    pub(super) fn broken(self, code: &'a str, message: &'a str, output: &'a [Item]) -> Self {
        Self {
            status: Status::Failed,
            error: Some(Failed { code, message }),
            output,
            ..self
        }
    }

    /// The same, ended.
    pub(super) fn ended(self, stop: Stop, output: &'a [Item], usage: Option<&Usage>) -> Self {
        let reason = match stop {
            Stop::Length => Some("max_output_tokens"),
            Stop::Filtered => Some("content_filter"),
            _ => None,
        };
        Self {
            status: Status::of(stop),
            incomplete_details: reason.map(|reason| Incomplete { reason }),
            output,
            usage: usage.map(WrittenUsage::from),
            ..self
        }
    }

    /// The same, served at this tier.
    pub(super) const fn at_tier(self, service_tier: &'a str) -> Self {
        Self {
            service_tier,
            ..self
        }
    }
}

/// The id of a response: the provider's own if it speaks this dialect, else made of the frame's.
pub(super) fn id(provider: &str, frame: &Frame) -> String {
    if provider.starts_with("resp_") {
        return provider.to_owned();
    }
    format!("resp_{}", frame.id)
}

/// The model's name: the provider's, or the client's if it gave none.
pub(super) fn model<'a>(provider: &'a str, frame: &'a Frame) -> &'a str {
    if provider.is_empty() {
        &frame.model
    } else {
        provider
    }
}

/// When it was made, Unix seconds.
pub(super) const fn created(answer: &Answer, frame: &Frame) -> u64 {
    if answer.created == 0 {
        frame.created
    } else {
        answer.created
    }
}
