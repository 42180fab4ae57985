//! What does a client ask in Anthropic's words?
//!
//! # Invariants
//! - What is known but has no meaning in `chat` is named in the request's `unknown`.
//! - Thinking that is switched off is off, whatever effort is wished for beside it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::super::meeting::Malformed;
use super::content::{Contents, Mark};
use crate::chat::{
    Effort, Message, OutputFormat, Reasoning, Request, Role, Sampling, Tool, ToolChoice,
};

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    messages: Vec<Turn<'a>>,
    #[serde(borrow, default)]
    system: Option<&'a RawValue>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    top_k: Option<u32>,
    #[serde(default)]
    stop_sequences: Option<Vec<String>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    tools: Option<Vec<AskedTool>>,
    #[serde(default)]
    tool_choice: Option<Choice>,
    #[serde(default)]
    thinking: Option<Thinking>,
    #[serde(default)]
    output_config: Option<OutputConfig>,
    #[serde(default)]
    output_format: Option<Format>,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    service_tier: Option<String>,
    // What follows has no meaning elsewhere.
    #[serde(default)]
    cache_control: Option<IgnoredAny>,
    #[serde(default)]
    container: Option<IgnoredAny>,
    #[serde(default)]
    context_management: Option<IgnoredAny>,
    #[serde(default)]
    diagnostics: Option<IgnoredAny>,
    #[serde(default)]
    fallbacks: Option<IgnoredAny>,
    #[serde(default)]
    inference_geo: Option<IgnoredAny>,
    #[serde(default)]
    mcp_servers: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    safeguards: Option<IgnoredAny>,
    #[serde(default)]
    speed: Option<IgnoredAny>,
    #[serde(default)]
    user_profile_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    role: String,
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(default)]
    output_config: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct AskedTool {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Value,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(default)]
    defer_loading: Option<bool>,
    #[serde(default)]
    input_examples: Option<IgnoredAny>,
    #[serde(default)]
    cache_control: Option<Mark>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    budget_tokens: Option<u32>,
    #[serde(default)]
    display: Option<String>,
}

#[derive(Deserialize)]
struct OutputConfig {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    task_budget: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    schema: Value,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    user_id: Option<String>,
}

/// Reads a request.
///
/// # Errors
/// [`Malformed`], in words for the client.
pub fn read(body: &[u8]) -> Result<Request, Malformed> {
    let asked: Asked<'_> = serde_json::from_slice(body)?;
    let mut unknown = asked.uncarried();
    let mut contents = Contents {
        unknown: &mut unknown,
    };
    let messages = messages(asked.system, asked.messages, &mut contents)?;
    let mut tools = Vec::new();
    for tool in asked.tools.unwrap_or_default() {
        tools.extend(tool.read(&mut contents));
    }
    let parallel = asked.tool_choice.as_ref();
    let parallel = parallel.and_then(|choice| choice.disable_parallel_tool_use);
    let tool_choice = asked.tool_choice.map(Choice::read).transpose()?;
    let config = asked.output_config;
    let effort = config.as_ref().and_then(|config| config.effort.as_deref());
    let reasoning = reasoning(asked.thinking, effort, &mut contents);
    if config.as_ref().is_some_and(|it| it.task_budget.is_some()) {
        contents.note("task_budget");
    }
    let format = config.and_then(|config| config.format);
    let format = format.or(asked.output_format);
    let format = format.and_then(|format| format.read(&mut contents));
    Ok(Request {
        messages,
        tools,
        tool_choice,
        parallel_tools: parallel.map(|disabled| !disabled),
        max_tokens: asked.max_tokens,
        sampling: Sampling {
            temperature: asked.temperature,
            top_p: asked.top_p,
            top_k: asked.top_k,
            ..Sampling::default()
        },
        stop: asked.stop_sequences.unwrap_or_default(),
        format,
        reasoning,
        user: asked.metadata.and_then(|metadata| metadata.user_id),
        cache_key: None,
        service_tier: asked.service_tier,
        stream: asked.stream.unwrap_or(false),
        unknown,
    })
}

impl Asked<'_> {
    /// What was asked for and cannot be carried.
    fn uncarried(&self) -> Vec<&'static str> {
        let servers = self.mcp_servers.as_ref();
        let fields = [
            ("cache_control", self.cache_control.is_some()),
            ("container", self.container.is_some()),
            ("context_management", self.context_management.is_some()),
            ("diagnostics", self.diagnostics.is_some()),
            ("fallbacks", self.fallbacks.is_some()),
            ("inference_geo", self.inference_geo.is_some()),
            ("mcp_servers", servers.is_some_and(|list| !list.is_empty())),
            ("safeguards", self.safeguards.is_some()),
            ("speed", self.speed.is_some()),
            ("user_profile_id", self.user_profile_id.is_some()),
        ];
        let asked = fields.into_iter().filter(|(_, asked)| *asked);
        asked.map(|(name, _)| name).collect()
    }
}

fn messages(
    system: Option<&RawValue>,
    turns: Vec<Turn<'_>>,
    contents: &mut Contents<'_>,
) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::with_capacity(turns.len() + 1);
    let role = Role::System;
    if let Some(system) = system {
        let parts = contents.read(system);
        let parts = parts.map_err(|why| Malformed::new(format!("system: {why}")))?;
        messages.push(Message { role, parts });
    }
    for (at, turn) in turns.into_iter().enumerate() {
        let role = match turn.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => {
                let why = format!("messages.{at}: the role is unknown");
                return Err(Malformed::new(why));
            }
        };
        if turn.output_config.is_some() {
            contents.note("messages.output_config");
        }
        let parts = contents.read(turn.content);
        let parts = parts.map_err(|why| Malformed::new(format!("messages.{at}: {why}")))?;
        messages.push(Message { role, parts });
    }
    Ok(messages)
}

impl AskedTool {
    /// The tool, if it is the client's own.
    fn read(self, contents: &mut Contents<'_>) -> Option<Tool> {
        if !matches!(self.kind.as_deref(), None | Some("custom")) {
            contents.note("hosted tools");
            return None;
        }
        if self.defer_loading == Some(true) {
            contents.note("defer_loading");
        }
        if self.input_examples.is_some() {
            contents.note("input_examples");
        }
        Some(Tool {
            name: self.name,
            description: self.description,
            schema: self.input_schema,
            strict: self.strict,
            cache: contents.marked(self.cache_control.as_ref()),
        })
    }
}

impl Choice {
    fn read(self) -> Result<ToolChoice, Malformed> {
        Ok(match (self.kind.as_str(), self.name) {
            ("auto", _) => ToolChoice::Auto,
            ("none", _) => ToolChoice::None,
            ("any", _) => ToolChoice::Required,
            ("tool", Some(name)) => ToolChoice::Named(name),
            ("tool", None) => return Err(Malformed::new("tool_choice: a tool without a name")),
            _ => return Err(Malformed::new("tool_choice: the type is unknown")),
        })
    }
}

impl Format {
    fn read(self, contents: &mut Contents<'_>) -> Option<OutputFormat> {
        if self.kind != "json_schema" {
            contents.note("output_config.format");
            return None;
        }
        Some(OutputFormat::Schema {
            name: "answer".to_owned(),
            description: None,
            schema: self.schema,
            strict: Some(true),
        })
    }
}

fn reasoning(
    thinking: Option<Thinking>,
    effort: Option<&str>,
    contents: &mut Contents<'_>,
) -> Option<Reasoning> {
    let known = effort.and_then(Effort::named);
    if effort.is_some() && known.is_none() {
        contents.note("output_config.effort");
    }
    let mut reasoning = Reasoning {
        effort: known,
        ..Reasoning::default()
    };
    let Some(thinking) = thinking else {
        // Without thinking, effort is about words and calls, and elsewhere it is the only measure there is.
        return known.map(|_| reasoning);
    };
    match thinking.kind.as_str() {
        "disabled" | "between_tools" => {
            if known.is_some() {
                contents.note("output_config.effort");
            }
            return Some(Reasoning {
                effort: None,
                budget: Some(0),
                shown: None,
            });
        }
        "enabled" => reasoning.budget = thinking.budget_tokens,
        // The model decides how much, within the effort.
        _ => {}
    }
    // Thoughts are shown unless the client says otherwise.
    reasoning.shown = Some(thinking.display.as_deref() != Some("omitted"));
    Some(reasoning)
}
