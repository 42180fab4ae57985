//! How is a provider that speaks Anthropic's dialect asked?
//!
//! # Invariants
//! - `max_tokens` is always there.
//! - Where the model thinks, nothing is written that is refused beside it: `temperature`, `top_k`, a tool that must be called.
//! - At most [`MOST_MARKS`] cache marks are written, the last ones, which reach furthest.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::super::claude::Claude;
use super::super::super::meeting::Target;
use super::super::super::schema;
use super::super::block::{Block, Mark};
use super::thinking::{Plan, Thinking};
use super::turns::{self, Turn};
use crate::chat::{self, Loss, Losses, OutputFormat, Part, Request, Sampling, ToolChoice};

/// What a model is told where it must write JSON and no schema says which.
const WRITE_JSON: &str = "Answer with a single valid JSON object and nothing else.";

/// Cache marks in a request, at most. Source: Anthropic, "Prompt caching".
const MOST_MARKS: usize = 4;

/// The least `top_p` that is taken beside thinking. Source: Anthropic, "Extended thinking".
const LEAST_TOP_P: f64 = 0.95;

/// Writes a request.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    let (mut system, mut messages) = turns::turns(&request.messages, &mut losses);
    let follows = Claude::of(target.model).is_none_or(Claude::follows_schemas);
    let words: Option<Cow<'_, str>> = match &request.format {
        Some(OutputFormat::Json) => Some(WRITE_JSON.into()),
        Some(OutputFormat::Schema { schema, .. }) if !follows => {
            Some(schema::in_words(schema).into())
        }
        _ => None,
    };
    losses.add_if(words.is_some(), "response_format", Loss::Hint);
    let told = words.is_some();
    system.extend(words.map(Block::text));
    let plan = Plan::of(request, &messages, target, &mut losses);
    let mut tools = tools(request, &mut losses);
    limit_marks(&mut tools, &mut system, &mut messages, &mut losses);
    let [temperature, top_p] = drawn(&request.sampling, target.model, &plan, &mut losses);
    let top_k = top_k(&request.sampling, target.model, &plan, &mut losses);
    let written = Written {
        model: target.model,
        max_tokens: plan.max_tokens,
        system,
        tool_choice: choice(request, &tools, &plan, &mut losses),
        tools,
        messages,
        output_config: OutputConfig::of(request.format.as_ref().filter(|_| !told), plan.effort),
        thinking: plan.thinking,
        stop_sequences: stop(&request.stop, &mut losses),
        temperature,
        top_p,
        top_k,
        metadata: user(request.user.as_deref(), &mut losses),
        service_tier: tier(request.service_tier.as_deref(), &mut losses),
        stream: request.stream.then_some(true),
    };
    losses.add_if(request.cache_key.is_some(), "prompt_cache_key", Loss::Hint);
    (serde_json::to_vec(&written).unwrap_or_default(), losses)
}

#[derive(Serialize)]
struct Written<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    JsonSchema { schema: Value },
}

impl OutputConfig {
    fn of(format: Option<&OutputFormat>, effort: Option<&'static str>) -> Option<Self> {
        let format = match format {
            Some(OutputFormat::Schema { schema, .. }) => Some(Format::JsonSchema {
                schema: schema::for_anthropic(schema),
            }),
            Some(OutputFormat::Json) | None => None,
        };
        (effort.is_some() || format.is_some()).then_some(Self { effort, format })
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Cow<'a, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Mark>,
}

/// The tools: those that may be called, or, where there are none, those that were; a history of calls is refused without them.
fn tools<'a>(request: &'a Request, losses: &mut Losses) -> Vec<Tool<'a>> {
    let allowed = |name: &String| match &request.tool_choice {
        Some(ToolChoice::Among { names, .. }) => names.contains(name),
        _ => true,
    };
    let bare = || Cow::Owned(json!({"type": "object", "properties": {}}));
    if request.tools.is_empty() {
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let names: BTreeSet<&str> = parts
            .filter_map(|part| match part {
                Part::ToolCall { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let tools = names.into_iter().map(|name| Tool {
            name,
            description: None,
            input_schema: bare(),
            strict: None,
            cache_control: None,
        });
        return tools.collect();
    }
    let tools = request.tools.iter().filter(|tool| allowed(&tool.name));
    let tools = tools.map(|tool| Tool {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: match &tool.schema {
            Value::Object(fields) if fields.contains_key("type") => Cow::Borrowed(&tool.schema),
            Value::Object(fields) => {
                let mut fields = fields.clone();
                fields.insert("type".to_owned(), "object".into());
                Cow::Owned(Value::Object(fields))
            }
            _ if tool.strict == Some(true) => Cow::Owned(schema::for_anthropic(&bare())),
            _ => bare(),
        },
        strict: strict(tool, losses),
        cache_control: Mark::of(tool.cache),
    });
    tools.collect()
}

/// Whether a tool's arguments must follow its schema exactly; Anthropic refuses that of some schemas that other vendors take.
fn strict(tool: &chat::Tool, losses: &mut Losses) -> Option<bool> {
    let asked = tool.strict == Some(true);
    let follows = asked && schema::anthropic_follows(&tool.schema);
    losses.add_if(asked && !follows, "strict", Loss::Hint);
    follows.then_some(true)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Choice<'a> {
    Auto {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

fn choice<'a>(
    request: &'a Request,
    tools: &[Tool<'_>],
    plan: &Plan,
    losses: &mut Losses,
) -> Option<Choice<'a>> {
    if tools.is_empty() {
        return None;
    }
    if request.tools.is_empty() {
        return Some(Choice::None);
    }
    let disable_parallel_tool_use = request.parallel_tools.map(|parallel| !parallel);
    let auto = Choice::Auto {
        disable_parallel_tool_use,
    };
    let forced = match request.tool_choice.as_ref() {
        None if disable_parallel_tool_use.is_none() => return None,
        Some(ToolChoice::None) => return Some(Choice::None),
        Some(ToolChoice::Required | ToolChoice::Among { required: true, .. }) => Choice::Any {
            disable_parallel_tool_use,
        },
        Some(ToolChoice::Named(name)) => Choice::Tool {
            name,
            disable_parallel_tool_use,
        },
        None | Some(ToolChoice::Auto | ToolChoice::Among { .. }) => return Some(auto),
    };
    losses.add_if(plan.thinks, "tool_choice", Loss::Hint);
    Some(if plan.thinks { auto } else { forced })
}

/// Takes the earliest cache marks away that are too many.
fn limit_marks<'a>(
    tools: &mut [Tool<'_>],
    system: &mut [Block<'a>],
    turns: &mut [Turn<'a>],
    losses: &mut Losses,
) {
    let tools = tools.iter_mut().map(|tool| &mut tool.cache_control);
    let blocks = system.iter_mut();
    let blocks = blocks.chain(turns.iter_mut().flat_map(|turn| &mut turn.content));
    let marks = tools.chain(blocks.filter_map(Block::mark));
    let mut marks: Vec<_> = marks.filter(|mark| mark.is_some()).collect();
    let surplus = marks.len().saturating_sub(MOST_MARKS);
    losses.add_if(surplus > 0, "cache_control", Loss::Hint);
    for mark in marks.iter_mut().take(surplus) {
        **mark = None;
    }
}

/// `temperature` and `top_p`, as far as the model takes them.
fn drawn(sampling: &Sampling, model: &str, plan: &Plan, losses: &mut Losses) -> [Option<f64>; 2] {
    let claude = Claude::of(model);
    let refused = claude.is_some_and(Claude::rejects_sampling);
    let mut keep = |value: Option<f64>, name: &'static str, fits: bool| {
        losses.add_if(value.is_some() && !fits, name, Loss::Hint);
        value.filter(|_| fits)
    };
    let temperature = keep(
        sampling.temperature,
        "temperature",
        !refused && !plan.thinks,
    );
    let one = temperature.is_some() && claude.is_some_and(Claude::takes_one_of_two);
    let high = !plan.thinks || sampling.top_p.is_some_and(|top_p| top_p >= LEAST_TOP_P);
    let top_p = keep(sampling.top_p, "top_p", !refused && !one && high);
    let hot = temperature.is_some_and(|temperature| temperature > 1.0);
    losses.add_if(hot, "temperature", Loss::Hint);
    losses.add_if(sampling.seed.is_some(), "seed", Loss::Hint);
    for (penalty, name) in [
        (sampling.frequency_penalty, "frequency_penalty"),
        (sampling.presence_penalty, "presence_penalty"),
    ] {
        losses.add_if(penalty.is_some_and(|it| it != 0.0), name, Loss::Hint);
    }
    losses.add_if(sampling.logprobs.is_some(), "logprobs", Loss::Meaning);
    losses.add_if(sampling.choices.is_some_and(|n| n > 1), "n", Loss::Meaning);
    [temperature.map(|it| it.clamp(0.0, 1.0)), top_p]
}

fn top_k(sampling: &Sampling, model: &str, plan: &Plan, losses: &mut Losses) -> Option<u32> {
    let refused = plan.thinks || Claude::of(model).is_some_and(Claude::rejects_sampling);
    losses.add_if(sampling.top_k.is_some() && refused, "top_k", Loss::Hint);
    sampling.top_k.filter(|_| !refused)
}

/// The texts that end an answer; Anthropic refuses those that are only space.
fn stop<'a>(texts: &'a [String], losses: &mut Losses) -> Vec<&'a str> {
    let kept = texts.iter().filter(|text| !text.trim().is_empty());
    let kept: Vec<&str> = kept.map(String::as_str).collect();
    losses.add_if(kept.len() < texts.len(), "stop", Loss::Hint);
    kept
}

/// The end user's name; Anthropic refuses addresses.
fn user<'a>(user: Option<&'a str>, losses: &mut Losses) -> Option<Metadata<'a>> {
    let address = user.is_some_and(|user| user.contains('@'));
    losses.add_if(address, "user", Loss::Hint);
    let user = user.filter(|user| !address && !user.is_empty());
    user.map(|user_id| Metadata { user_id })
}

/// The tier in Anthropic's words; `default` is OpenAI's for what Anthropic calls `standard_only`.
fn tier(tier: Option<&str>, losses: &mut Losses) -> Option<&'static str> {
    match tier? {
        "auto" => Some("auto"),
        "standard_only" | "standard" | "default" => Some("standard_only"),
        _ => {
            losses.add("service_tier", Loss::Hint);
            None
        }
    }
}
