//! What does a client ask for in the Responses dialect?
//!
//! # Invariants
//! - Fields without a meaning in `chat` are named in [`Request::unknown`] if they ask for anything.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::super::super::meeting::{Malformed, asks};
use super::super::names::Names;
use super::items::{RawInput, Turns};
use super::tools::{self, RawChoice, RawTool, note};
use crate::chat::{Effort, OutputFormat, Reasoning, Request, Sampling};

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is not a request for a response.
pub fn read(body: &[u8]) -> Result<Request, Malformed> {
    read_recalling(body, &|_| None)
}

/// Reads a client's request in which items of earlier responses may stand by their ids alone.
///
/// `recall` gives the JSON of an item, as [`recall::items`](super::super::recall::items) found it; one that is not recalled is lost.
///
/// # Errors
/// [`Malformed`] when it is not a request for a response.
pub fn read_recalling(
    body: &[u8],
    recall: &dyn Fn(&str) -> Option<Bytes>,
) -> Result<Request, Malformed> {
    let raw: RawRequest = serde_json::from_slice(body)?;
    let mut unknown = raw.uncarried();
    let raw_tools = raw.tools.unwrap_or_default();
    let names = Names::of(&raw_tools);
    let input = raw.input.unwrap_or(RawInput::Items(Vec::new()));
    let instructions = match raw.instructions {
        Some(Value::String(text)) => Some(text),
        None | Some(Value::Null) => None,
        Some(_) => return Err(Malformed::new("`instructions` must be a string")),
    };
    let mut turns = Turns::new(&names, recall, &mut unknown);
    turns.take_all(instructions, input)?;
    let messages = turns.messages;
    let tools = tools::read(raw_tools, &names, &mut unknown)?;
    let tool_choice = match raw.tool_choice {
        Some(choice) => choice.read(&names, &mut unknown)?,
        None => None,
    };
    let (format, verbose) = raw.text.unwrap_or_default().read()?;
    if verbose {
        note(&mut unknown, "text.verbosity");
    }
    let reasoning = raw.reasoning.unwrap_or_default().read(&mut unknown);
    let logprobs = included(&raw.include, &mut unknown).then_some(0);
    Ok(Request {
        messages,
        tools,
        tool_choice,
        parallel_tools: raw.parallel_tool_calls,
        max_tokens: raw.max_output_tokens,
        sampling: Sampling {
            temperature: raw.temperature,
            top_p: raw.top_p,
            logprobs: raw.top_logprobs.filter(|top| *top > 0).or(logprobs),
            ..Sampling::default()
        },
        stop: Vec::new(),
        format,
        reasoning,
        user: raw.safety_identifier.or(raw.user),
        cache_key: raw.prompt_cache_key,
        service_tier: raw.service_tier,
        stream: raw.stream.unwrap_or_default(),
        unknown,
    })
}

#[derive(Deserialize)]
struct RawRequest {
    #[serde(default)]
    instructions: Option<Value>,
    #[serde(default)]
    input: Option<RawInput>,
    #[serde(default)]
    tools: Option<Vec<RawTool>>,
    #[serde(default)]
    tool_choice: Option<RawChoice>,
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    #[serde(default)]
    max_output_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    top_logprobs: Option<u32>,
    #[serde(default)]
    text: Option<RawText>,
    #[serde(default)]
    reasoning: Option<RawReasoning>,
    #[serde(default)]
    include: Option<Vec<String>>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    safety_identifier: Option<String>,
    #[serde(default)]
    prompt_cache_key: Option<String>,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    background: Value,
    #[serde(default)]
    client_metadata: Value,
    #[serde(default)]
    context_management: Value,
    #[serde(default)]
    conversation: Value,
    #[serde(default)]
    max_tool_calls: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    moderation: Value,
    #[serde(default)]
    previous_response_id: Value,
    #[serde(default)]
    prompt: Value,
    #[serde(default)]
    prompt_cache_options: Value,
    #[serde(default)]
    prompt_cache_retention: Value,
    #[serde(default)]
    store: Value,
    #[serde(default)]
    truncation: Value,
}

impl RawRequest {
    /// The fields that ask for something and have no meaning in `chat`.
    fn uncarried(&self) -> Vec<&'static str> {
        let truncates = asks(&self.truncation) && self.truncation != "disabled";
        let fields = [
            ("background", asks(&self.background)),
            ("client_metadata", asks(&self.client_metadata)),
            ("context_management", asks(&self.context_management)),
            ("conversation", asks(&self.conversation)),
            ("max_tool_calls", asks(&self.max_tool_calls)),
            ("metadata", asks(&self.metadata)),
            ("moderation", asks(&self.moderation)),
            ("previous_response_id", asks(&self.previous_response_id)),
            ("prompt", asks(&self.prompt)),
            ("prompt_cache_options", asks(&self.prompt_cache_options)),
            ("prompt_cache_retention", asks(&self.prompt_cache_retention)),
            ("store", asks(&self.store)),
            ("truncation", truncates),
        ];
        let asked = fields.into_iter().filter(|(_, asked)| *asked);
        asked.map(|(name, _)| name).collect()
    }
}

/// Whether the log probabilities are asked for; what else is asked for beyond the dialect's own affairs is noted.
fn included(include: &Option<Vec<String>>, unknown: &mut Vec<&'static str>) -> bool {
    let mut logprobs = false;
    for what in include.iter().flatten() {
        match what.as_str() {
            "message.output_text.logprobs" => logprobs = true,
            // It comes without being asked for.
            "reasoning.encrypted_content" => {}
            _ => note(unknown, "include"),
        }
    }
    logprobs
}

#[derive(Default, Deserialize)]
struct RawText {
    #[serde(default)]
    format: Option<RawFormat>,
    #[serde(default)]
    verbosity: Option<String>,
}

#[derive(Deserialize)]
struct RawFormat {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    strict: Option<bool>,
}

impl RawText {
    /// The format, and whether something else than the usual verbosity is asked for.
    fn read(self) -> Result<(Option<OutputFormat>, bool), Malformed> {
        let verbose = self
            .verbosity
            .is_some_and(|verbosity| verbosity != "medium");
        let Some(format) = self.format else {
            return Ok((None, verbose));
        };
        let format = match format.kind.as_str() {
            "text" => None,
            "json_object" => Some(OutputFormat::Json),
            "json_schema" => Some(OutputFormat::Schema {
                name: format.name.unwrap_or_else(|| "answer".to_owned()),
                description: format.description,
                schema: format.schema,
                strict: format.strict,
            }),
            _ => {
                return Err(Malformed::new(
                    "`text.format.type` must be text, json_object or json_schema",
                ));
            }
        };
        Ok((format, verbose))
    }
}

#[derive(Default, Deserialize)]
struct RawReasoning {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    generate_summary: Option<String>,
    #[serde(default)]
    mode: Option<String>,
}

impl RawReasoning {
    fn read(self, unknown: &mut Vec<&'static str>) -> Option<Reasoning> {
        let effort = self.effort.as_deref().and_then(Effort::named);
        if self.effort.is_some() && effort.is_none() {
            note(unknown, "reasoning.effort");
        }
        if self.mode.is_some_and(|mode| mode != "standard") {
            note(unknown, "reasoning.mode");
        }
        let read = Reasoning {
            effort,
            budget: None,
            shown: self.summary.or(self.generate_summary).map(|_| true),
        };
        (read != Reasoning::default()).then_some(read)
    }
}
