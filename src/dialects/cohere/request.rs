//! How is a conversation asked for from Cohere?
//!
//! # Invariants
//! - What Cohere's ranges do not hold is moved to their edge and told as lost.
//! - A signature is sent to nobody: Cohere signs nothing.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::super::meeting::Target;
use crate::chat::{
    Effort, Loss, Losses, Media, Message, OutputFormat, Part, Reasoning, Request, Role, Sampling,
    Source, Tool, ToolChoice,
};

/// How many texts may end an answer.
const MOST_STOPS: usize = 5;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(flatten)]
    drawing: Drawing,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
}

#[derive(Default, Serialize)]
struct Drawing {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a Value>,
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_budget: Option<u32>,
}

#[derive(Serialize)]
struct Function<'a> {
    r#type: &'static str,
    function: Description<'a>,
}

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, Value>,
}

#[derive(Default, Serialize)]
struct Turn<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    tool_plan: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl Turn<'_> {
    fn is_empty(&self) -> bool {
        self.content.is_empty() && self.tool_calls.is_empty() && self.tool_call_id.is_none()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    let mut messages = Vec::new();
    for message in &request.messages {
        turns(message, &mut messages, &mut losses);
    }
    let (tools, tool_choice) = tools(request, &mut losses);
    let stops = request.stop.get(..MOST_STOPS).unwrap_or(&request.stop);
    losses.add_if(request.stop.len() > MOST_STOPS, "stop", Loss::Hint);
    lost(request, &mut losses);
    let body = Body {
        model: target.model,
        messages,
        stream: request.stream,
        tools,
        tool_choice,
        max_tokens: target.max_tokens(request.max_tokens),
        stop_sequences: stops,
        drawing: drawing(&request.sampling, &mut losses),
        response_format: request.format.as_ref().map(format),
        thinking: request.reasoning.and_then(thinking),
    };
    // Texts and schemas always serialise.
    (serde_json::to_vec(&body).unwrap_or_default(), losses)
}

/// Writes a message: each tool's result is a turn of its own.
fn turns<'a>(message: &'a Message, out: &mut Vec<Turn<'a>>, losses: &mut Losses) {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let calls = |part: &Part| matches!(part, Part::ToolCall { .. });
    let calls = message.parts.iter().any(calls);
    let mut turn = Turn {
        role,
        ..Turn::default()
    };
    for part in &message.parts {
        match part {
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                losses.add_if(signature.is_some(), "thought_signature", Loss::Hint);
                turn.tool_calls.push(Call {
                    id,
                    r#type: "function",
                    function: Called {
                        name,
                        arguments: if arguments.is_empty() {
                            "{}"
                        } else {
                            arguments
                        },
                    },
                });
            }
            Part::ToolResult {
                id,
                content,
                is_error,
                cache,
                ..
            } => {
                losses.add_if(*is_error, "is_error", Loss::Hint);
                losses.add_if(*cache, "cache_control", Loss::Hint);
                out.push(result(id, content, losses));
            }
            // Only a plan for tools has a place in the history.
            Part::Thinking {
                text,
                signature: None,
            } if calls => turn.tool_plan.push_str(text),
            Part::Thinking { .. } | Part::Redacted(_) => losses.add("thinking", Loss::Hint),
            other => turn.content.extend(block(other, losses)),
        }
    }
    if !turn.is_empty() {
        out.push(turn);
    }
}

fn result<'a>(id: &'a str, content: &'a [Part], losses: &mut Losses) -> Turn<'a> {
    let mut turn = Turn {
        role: "tool",
        tool_call_id: Some(id),
        ..Turn::default()
    };
    for part in content {
        match block(part, losses) {
            Some(Block::ImageUrl { .. }) => losses.add("image", Loss::Meaning),
            block => turn.content.extend(block),
        }
    }
    if turn.content.is_empty() {
        turn.content.push(Block::Text { text: "" });
    }
    turn
}

fn block<'a>(part: &'a Part, losses: &mut Losses) -> Option<Block<'a>> {
    match part {
        Part::Text { text, cache } => {
            losses.add_if(*cache, "cache_control", Loss::Hint);
            (!text.is_empty()).then_some(Block::Text { text })
        }
        Part::Refusal(text) => (!text.is_empty()).then_some(Block::Text { text }),
        Part::Image(media) => {
            losses.add_if(media.cache, "cache_control", Loss::Hint);
            let url = url(media);
            losses.add_if(url.is_none(), "image", Loss::Meaning);
            url.map(|url| Block::ImageUrl {
                image_url: ImageUrl {
                    url,
                    detail: &media.detail,
                },
            })
        }
        Part::Document(media) => {
            losses.add_if(media.cache, "cache_control", Loss::Hint);
            if let Source::Text(text) = &media.source {
                return Some(Block::Text { text });
            }
            losses.add("document", Loss::Meaning);
            None
        }
        Part::Audio(_) => {
            losses.add("audio", Loss::Meaning);
            None
        }
        Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::Redacted(_) => None,
    }
}

fn url(media: &Media) -> Option<Cow<'_, str>> {
    match &media.source {
        Source::Url(url) => Some(Cow::Borrowed(url)),
        Source::Base64(bytes) => {
            let mime = if media.mime.is_empty() {
                "image/png"
            } else {
                &media.mime
            };
            Some(Cow::Owned(format!("data:{mime};base64,{bytes}")))
        }
        Source::File(_) | Source::Text(_) => None,
    }
}

/// The tools on offer; naming some is offering no others.
fn tools<'a>(
    request: &'a Request,
    losses: &mut Losses,
) -> (Vec<Function<'a>>, Option<&'static str>) {
    let one;
    let (names, choice) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => (None, None),
        Some(ToolChoice::None) => (None, Some("NONE")),
        Some(ToolChoice::Required) => (None, Some("REQUIRED")),
        Some(ToolChoice::Named(name)) => {
            one = std::slice::from_ref(name);
            (Some(one), Some("REQUIRED"))
        }
        Some(ToolChoice::Among { names, required }) => {
            (Some(names.as_slice()), required.then_some("REQUIRED"))
        }
    };
    let offered = |tool: &&Tool| names.is_none_or(|names| names.contains(&tool.name));
    let tools: Vec<_> = request
        .tools
        .iter()
        .filter(offered)
        .map(|tool| {
            losses.add_if(tool.cache, "cache_control", Loss::Hint);
            losses.add_if(tool.strict == Some(true), "strict", Loss::Hint);
            Function {
                r#type: "function",
                function: Description {
                    name: &tool.name,
                    description: tool.description.as_deref(),
                    parameters: if tool.schema.is_null() {
                        Cow::Owned(serde_json::json!({"type": "object", "properties": {}}))
                    } else {
                        Cow::Borrowed(&tool.schema)
                    },
                },
            }
        })
        .collect();
    let choice = choice.filter(|_| !tools.is_empty());
    (tools, choice)
}

fn drawing(sampling: &Sampling, losses: &mut Losses) -> Drawing {
    let mut within = |given: Option<f64>, least: f64, most: f64, name: &'static str| {
        given.map(|value| {
            losses.add_if(!(least..=most).contains(&value), name, Loss::Hint);
            value.clamp(least, most)
        })
    };
    let penalty = (0.0, 1.0);
    let drawing = Drawing {
        temperature: sampling.temperature,
        // Why no loss for 1: it is what clients send to say nothing, and Cohere's range ends just below.
        p: within(sampling.top_p.map(|p| p.min(0.99)), 0.01, 0.99, "top_p"),
        k: sampling.top_k.map(|k| k.min(500)),
        frequency_penalty: within(
            sampling.frequency_penalty,
            penalty.0,
            penalty.1,
            "frequency_penalty",
        ),
        presence_penalty: within(
            sampling.presence_penalty,
            penalty.0,
            penalty.1,
            "presence_penalty",
        ),
        seed: sampling.seed.and_then(|seed| u64::try_from(seed).ok()),
    };
    let negative = sampling.seed.is_some_and(|seed| seed < 0);
    losses.add_if(negative, "seed", Loss::Hint);
    let many = sampling.top_k.is_some_and(|k| k > 500);
    losses.add_if(many, "top_k", Loss::Hint);
    drawing
}

fn format(format: &OutputFormat) -> Format<'_> {
    Format {
        r#type: "json_object",
        json_schema: match format {
            OutputFormat::Json => None,
            OutputFormat::Schema { schema, .. } => Some(schema),
        },
    }
}

fn thinking(reasoning: Reasoning) -> Option<Thinking> {
    let budget = reasoning
        .budget
        .or_else(|| reasoning.effort.map(Effort::budget))?;
    Some(if budget == 0 {
        Thinking {
            r#type: "disabled",
            token_budget: None,
        }
    } else {
        Thinking {
            r#type: "enabled",
            token_budget: Some(budget),
        }
    })
}

/// What Cohere has no word for.
fn lost(request: &Request, losses: &mut Losses) {
    let hints = [
        (request.parallel_tools == Some(false), "parallel_tool_calls"),
        (request.user.is_some(), "user"),
        (request.cache_key.is_some(), "prompt_cache_key"),
        (
            request
                .service_tier
                .as_deref()
                .is_some_and(|tier| tier != "auto"),
            "service_tier",
        ),
    ];
    for (present, name) in hints {
        losses.add_if(present, name, Loss::Hint);
    }
    let several = request.sampling.choices.is_some_and(|choices| choices > 1);
    losses.add_if(several, "n", Loss::Meaning);
    let told = request.sampling.logprobs.is_some();
    losses.add_if(told, "logprobs", Loss::Meaning);
}

#[cfg(test)]
#[path = "request/tests.rs"]
mod tests;
