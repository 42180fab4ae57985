//! How is a provider that speaks OpenAI's dialect asked?
//!
//! `max_tokens` bounds the answer, as all vendors understand it, except for OpenAI's reasoning models, which refuse it
//! and take `max_completion_tokens`. `prompt_cache_key` and `allowed_tools` go to OpenAI's own models only; to others only
//! the allowed tools are named. `reasoning_effort` is kept from OpenAI's models that do not reason, since they refuse it.
//!
//! # Invariants
//! - A stream is always asked to end with its usage.
//! - Whatever the answer could not carry back, such as several choices, is a loss of meaning and not asked for.

use serde::Serialize;
use serde_json::Value;

use super::super::super::family::Family;
use super::super::super::meeting::Target;
use super::super::super::{schema, settings};
use super::script::{self, WrittenMessage};
use crate::chat::{Loss, Losses, OutputFormat, Request, Tool, ToolChoice};

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    let family = Family::of(target.model);
    losses.add_unknown(&request.unknown);
    let sampling = &request.sampling;
    losses.add_if(sampling.top_k.is_some(), "top_k", Loss::Hint);
    losses.add_if(sampling.choices.is_some_and(|n| n > 1), "n", Loss::Meaning);
    losses.add_if(sampling.logprobs.is_some(), "logprobs", Loss::Meaning);
    let drawn = settings::Drawn::of(request, target.model, &mut losses);
    let tools = tools(request, family, &mut losses);
    let most = target.max_tokens(request.max_tokens);
    let (max_completion_tokens, max_tokens) = match family {
        Family::Reasoning => (most, None),
        Family::Plain | Family::Other => (None, most),
    };
    let cache_key = request.cache_key.as_deref();
    losses.add_if(
        cache_key.is_some() && !family.is_openai(),
        "prompt_cache_key",
        Loss::Hint,
    );
    let written = WrittenRequest {
        model: target.model,
        messages: script::write(request, target.model, &mut losses),
        max_completion_tokens,
        max_tokens,
        drawn,
        seed: sampling.seed,
        stop: &request.stop,
        parallel_tool_calls: request.parallel_tools.filter(|_| !tools.is_empty()),
        tool_choice: choice(request, family).filter(|_| !tools.is_empty()),
        tools,
        response_format: request
            .format
            .as_ref()
            .map(|format| WrittenFormat::of(format, &mut losses)),
        reasoning_effort: settings::effort(request, family, &mut losses),
        user: settings::user(request, &mut losses),
        prompt_cache_key: cache_key.filter(|_| family.is_openai()),
        service_tier: settings::tier(request, &mut losses),
        stream: request.stream.then_some(true),
        stream_options: request.stream.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    (serde_json::to_vec(&written).unwrap_or_default(), losses)
}

#[derive(Serialize)]
struct WrittenRequest<'a> {
    model: &'a str,
    messages: Vec<WrittenMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(flatten)]
    drawn: settings::Drawn,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WrittenChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<WrittenFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WrittenTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: WrittenFunction<'a>,
}

#[derive(Serialize)]
struct WrittenFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Parameters<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// A tool's schema; some vendors demand one of a tool without arguments too.
#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'a> {
    Schema(&'a Value),
    None {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: Empty,
    },
}

#[derive(Serialize)]
struct Empty {}

fn tools<'a>(request: &'a Request, family: Family, losses: &mut Losses) -> Vec<WrittenTool<'a>> {
    let marked = request.tools.iter().any(|tool| tool.cache);
    losses.add_if(marked, "cache_control", Loss::Hint);
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Among { names, .. }) if !family.is_openai() => Some(names),
        _ => None,
    };
    let tools = request.tools.iter();
    let named = tools.filter(|tool| allowed.is_none_or(|names| names.contains(&tool.name)));
    named.map(|tool| WrittenTool::of(tool, losses)).collect()
}

impl<'a> WrittenTool<'a> {
    fn of(tool: &'a Tool, losses: &mut Losses) -> Self {
        Self {
            kind: "function",
            function: WrittenFunction {
                name: &tool.name,
                description: tool.description.as_deref(),
                parameters: if tool.schema.is_null() {
                    Parameters::None {
                        kind: "object",
                        properties: Empty {},
                    }
                } else {
                    Parameters::Schema(&tool.schema)
                },
                strict: schema::openai_strict(tool.strict, &tool.schema, losses)
                    .filter(|strict| *strict),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenChoice<'a> {
    Word(&'static str),
    Named(Named<'a>),
    Among {
        #[serde(rename = "type")]
        kind: &'static str,
        allowed_tools: Allowed<'a>,
    },
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Name<'a>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Allowed<'a> {
    mode: &'static str,
    tools: Vec<Named<'a>>,
}

fn choice<'a>(request: &'a Request, family: Family) -> Option<WrittenChoice<'a>> {
    let named = |name: &'a String| Named {
        kind: "function",
        function: Name { name },
    };
    let mode = |required: &bool| if *required { "required" } else { "auto" };
    Some(match request.tool_choice.as_ref()? {
        ToolChoice::Auto => WrittenChoice::Word("auto"),
        ToolChoice::None => WrittenChoice::Word("none"),
        ToolChoice::Required => WrittenChoice::Word("required"),
        ToolChoice::Named(name) => WrittenChoice::Named(named(name)),
        ToolChoice::Among { names, required } if family.is_openai() => WrittenChoice::Among {
            kind: "allowed_tools",
            allowed_tools: Allowed {
                mode: mode(required),
                tools: names.iter().map(named).collect(),
            },
        },
        ToolChoice::Among { required, .. } => WrittenChoice::Word(mode(required)),
    })
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WrittenFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: WrittenSchema<'a> },
}

#[derive(Serialize)]
struct WrittenSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> WrittenFormat<'a> {
    fn of(format: &'a OutputFormat, losses: &mut Losses) -> Self {
        match format {
            OutputFormat::Json => Self::JsonObject,
            OutputFormat::Schema {
                name,
                description,
                schema,
                strict: asked,
            } => Self::JsonSchema {
                json_schema: WrittenSchema {
                    name,
                    description: description.as_deref(),
                    schema,
                    strict: schema::openai_strict(*asked, schema, losses),
                },
            },
        }
    }
}
