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

use super::super::super::meeting::Target;
use super::family::Family;
use super::script::{self, WrittenMessage};
use crate::chat::{Effort, Loss, Losses, OutputFormat, Request, Tool, ToolChoice};

/// Most characters of `user`, by OpenAI's own error message.
const LONGEST_USER: usize = 64;

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
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        frequency_penalty: sampling.frequency_penalty,
        presence_penalty: sampling.presence_penalty,
        seed: sampling.seed,
        stop: &request.stop,
        parallel_tool_calls: request.parallel_tools.filter(|_| !tools.is_empty()),
        tool_choice: choice(request, family).filter(|_| !tools.is_empty()),
        tools,
        response_format: request.format.as_ref().map(WrittenFormat::from),
        reasoning_effort: effort(request, family, &mut losses),
        user: user(request, &mut losses),
        prompt_cache_key: cache_key.filter(|_| family.is_openai()),
        service_tier: tier(request, &mut losses),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
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
    named.map(WrittenTool::from).collect()
}

impl<'a> From<&'a Tool> for WrittenTool<'a> {
    fn from(tool: &'a Tool) -> Self {
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
                strict: tool.strict.filter(|strict| *strict),
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

impl<'a> From<&'a OutputFormat> for WrittenFormat<'a> {
    fn from(format: &'a OutputFormat) -> Self {
        match format {
            OutputFormat::Json => Self::JsonObject,
            OutputFormat::Schema {
                name,
                description,
                schema,
                strict,
            } => Self::JsonSchema {
                json_schema: WrittenSchema {
                    name,
                    description: description.as_deref(),
                    schema,
                    strict: *strict,
                },
            },
        }
    }
}

/// The effort in words that the model takes.
///
/// OpenAI's reasoning models differ in whether they take `none`; thinking that is switched off becomes `low`, which all take.
/// Of vendors, all that know the field know `low` to `high`; thinking that is switched off is their default, and not mentioned.
fn effort(request: &Request, family: Family, losses: &mut Losses) -> Option<&'static str> {
    let reasoning = request.reasoning?;
    let asked = reasoning
        .effort
        .or(reasoning.budget.map(Effort::of_budget))?;
    let off = reasoning.effort.is_none() && asked == Effort::None;
    let written = match family {
        Family::Plain => {
            losses.add_if(asked != Effort::None, "thinking", Loss::Hint);
            return None;
        }
        Family::Reasoning if off => {
            losses.add("thinking", Loss::Hint);
            Effort::Low
        }
        Family::Other if off => return None,
        Family::Other if asked == Effort::Minimal => Effort::Low,
        Family::Other => asked.min(Effort::High),
        Family::Reasoning => asked,
    };
    Some(written.name())
}

/// The end user's name; OpenAI refuses a longer one, such as Claude Code's.
fn user<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    let user = request.user.as_deref()?;
    let fits = user.chars().count() <= LONGEST_USER;
    losses.add_if(!fits, "user", Loss::Hint);
    fits.then_some(user)
}

/// The tier in OpenAI's words; `standard_only` is Anthropic's for what OpenAI calls `default`.
fn tier<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    match request.service_tier.as_deref()? {
        "standard_only" | "standard" => Some("default"),
        tier @ ("auto" | "default" | "flex" | "scale" | "priority" | "fast") => Some(tier),
        _ => {
            losses.add("service_tier", Loss::Hint);
            None
        }
    }
}
