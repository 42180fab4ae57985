//! How is a provider asked in the Responses dialect?
//!
//! Nothing is stored there and nothing is referred to: the whole conversation is sent, and reasoning comes back encrypted for the next turn.
//!
//! # Invariants
//! - A function without `strict` is not strict, as in every other dialect; this one's own default would be.

use serde::Serialize;
use serde_json::Value;

use super::super::super::family::Family;
use super::super::super::meeting::Target;
use super::super::super::{schema, settings};
use super::turns::{self, WrittenItem};
use crate::chat::{Loss, Losses, OutputFormat, Request, Tool, ToolChoice};

/// The least that the API takes as `max_output_tokens`. Source: its error text, "Expected a value >= 16".
const LEAST_TOKENS: u32 = 16;

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    note_sampling(request, &mut losses);
    let input = turns::write(&request.messages, &mut losses);
    let replays = input
        .iter()
        .any(|item| matches!(item, WrittenItem::Reasoning { .. }));
    let family = Family::of(target.model);
    let reasoning = WrittenReasoning::of(request, family, &mut losses);
    let thinks = reasoning.is_some_and(|reasoning| reasoning.effort != Some("none"));
    // A model that does not think refuses to encrypt what it thought.
    let encrypts = thinks || (replays && family != Family::Plain);
    let drawn = settings::Drawn::of(request, target.model, &mut losses);
    let choice = request.tool_choice.as_ref();
    let choice = choice.filter(|_| !request.tools.is_empty());
    let asked = target.max_tokens(request.max_tokens);
    losses.add_if(
        asked.is_some_and(|most| most < LEAST_TOKENS),
        "max_tokens",
        Loss::Hint,
    );
    let written = Written {
        model: target.model,
        input,
        store: false,
        stream: request.stream.then_some(true),
        max_output_tokens: asked.map(|most| most.max(LEAST_TOKENS)),
        temperature: drawn.temperature,
        top_p: drawn.top_p,
        tools: tools(&request.tools, &mut losses),
        tool_choice: choice.map(WrittenChoice::from),
        parallel_tool_calls: request.parallel_tools.filter(|_| !request.tools.is_empty()),
        text: request
            .format
            .as_ref()
            .map(|format| WrittenText::of(format, &mut losses)),
        reasoning,
        include: encrypts.then_some(["reasoning.encrypted_content"]),
        user: settings::user(request, &mut losses),
        prompt_cache_key: request.cache_key.as_deref(),
        service_tier: settings::tier(request, &mut losses),
    };
    // Strings, numbers and JSON values always serialise.
    (serde_json::to_vec(&written).unwrap_or_default(), losses)
}

/// Notes what this dialect has no field for.
fn note_sampling(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    losses.add_if(sampling.top_k.is_some(), "top_k", Loss::Hint);
    losses.add_if(
        sampling.frequency_penalty.is_some_and(|by| by != 0.0),
        "frequency_penalty",
        Loss::Hint,
    );
    losses.add_if(
        sampling.presence_penalty.is_some_and(|by| by != 0.0),
        "presence_penalty",
        Loss::Hint,
    );
    losses.add_if(sampling.seed.is_some(), "seed", Loss::Hint);
    losses.add_if(sampling.choices.is_some_and(|n| n > 1), "n", Loss::Meaning);
    losses.add_if(sampling.logprobs.is_some(), "logprobs", Loss::Meaning);
    losses.add_if(!request.stop.is_empty(), "stop", Loss::Meaning);
}

#[derive(Serialize)]
struct Written<'a> {
    model: &'a str,
    input: Vec<WrittenItem<'a>>,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WrittenChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<WrittenText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<WrittenReasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: WrittenSchema<'a>,
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenSchema<'a> {
    Given(&'a Value),
    Empty {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: Properties,
    },
}

/// No properties.
#[derive(Serialize)]
struct Properties {}

fn tools<'a>(tools: &'a [Tool], losses: &mut Losses) -> Vec<WrittenTool<'a>> {
    let marked = tools.iter().any(|tool| tool.cache);
    losses.add_if(marked, "cache_control", Loss::Hint);
    let written = tools.iter().map(|tool| WrittenTool {
        kind: "function",
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: match &tool.schema {
            Value::Null => WrittenSchema::Empty {
                kind: "object",
                properties: Properties {},
            },
            schema => WrittenSchema::Given(schema),
        },
        strict: schema::openai_strict(tool.strict, &tool.schema, losses).unwrap_or(false),
    });
    written.collect()
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenChoice<'a> {
    Word(&'static str),
    Named(WrittenName<'a>),
    Among {
        #[serde(rename = "type")]
        kind: &'static str,
        mode: &'static str,
        tools: Vec<WrittenName<'a>>,
    },
}

#[derive(Serialize)]
struct WrittenName<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
}

impl<'a> From<&'a ToolChoice> for WrittenChoice<'a> {
    fn from(choice: &'a ToolChoice) -> Self {
        let named = |name: &'a String| WrittenName {
            kind: "function",
            name,
        };
        match choice {
            ToolChoice::Auto => Self::Word("auto"),
            ToolChoice::None => Self::Word("none"),
            ToolChoice::Required => Self::Word("required"),
            ToolChoice::Named(name) => Self::Named(named(name)),
            ToolChoice::Among { names, required } => Self::Among {
                kind: "allowed_tools",
                mode: if *required { "required" } else { "auto" },
                tools: names.iter().map(named).collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct WrittenText<'a> {
    format: WrittenFormat<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WrittenFormat<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

impl<'a> WrittenText<'a> {
    fn of(format: &'a OutputFormat, losses: &mut Losses) -> Self {
        let format = match format {
            OutputFormat::Json => WrittenFormat::JsonObject,
            OutputFormat::Schema {
                name,
                description,
                schema,
                strict: asked,
            } => WrittenFormat::JsonSchema {
                name,
                description: description.as_deref(),
                schema,
                strict: schema::openai_strict(*asked, schema, losses),
            },
        };
        Self { format }
    }
}

#[derive(Clone, Copy, Serialize)]
struct WrittenReasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

impl WrittenReasoning {
    fn of(request: &Request, family: Family, losses: &mut Losses) -> Option<Self> {
        let asked = request.reasoning?;
        let effort = settings::effort(request, family, losses);
        (family != Family::Plain).then_some(Self {
            effort,
            summary: (asked.shown == Some(true)).then_some("auto"),
        })
    }
}
