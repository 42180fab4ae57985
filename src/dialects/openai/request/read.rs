//! What does a client ask for in OpenAI's dialect?
//!
//! Read is what the official SDKs can send, legacy functions included, and the vendors' extras that their users send through a gateway:
//! `top_k`, `thinking` (Anthropic's, DeepSeek's), `reasoning` (OpenRouter's), `cache_control`.
//!
//! # Invariants
//! - Fields without a meaning in `chat` are named in [`Request::unknown`] if they ask for anything.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::super::meeting::{Malformed, asks};
use super::super::message::{lenient, object};
use super::turns::{self, RawMessage};
use crate::chat::{Effort, OutputFormat, Reasoning, Request, Sampling, Tool, ToolChoice};

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is not a request for a chat completion.
pub fn read(body: &[u8]) -> Result<Request, Malformed> {
    let mut raw: RawRequest = object(body)?;
    let mut unknown = raw.uncarried();
    let messages = turns::read(std::mem::take(&mut raw.messages), &mut unknown)?;
    let reasoning = raw.reasoning(&mut unknown);
    let sampling = raw.sampling();
    let format = raw.response_format.map(RawFormat::read).transpose()?;
    let choice = raw.tool_choice.or(raw.function_call);
    let tools = tools(
        raw.tools.unwrap_or_default(),
        raw.functions.unwrap_or_default(),
        &mut unknown,
    )?;
    Ok(Request {
        messages,
        tools,
        tool_choice: choice.map(RawChoice::read).transpose()?,
        parallel_tools: raw.parallel_tool_calls,
        max_tokens: raw.max_completion_tokens.or(raw.max_tokens),
        sampling,
        stop: raw.stop.map(RawStop::read).unwrap_or_default(),
        format: format.flatten(),
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
    messages: Vec<RawMessage>,
    #[serde(default)]
    tools: Option<Vec<RawTool>>,
    #[serde(default)]
    functions: Option<Vec<RawFunction>>,
    #[serde(default)]
    tool_choice: Option<RawChoice>,
    #[serde(default)]
    function_call: Option<RawChoice>,
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    /// Minus one means none.
    #[serde(default)]
    top_k: Option<i64>,
    #[serde(default)]
    frequency_penalty: Option<f64>,
    #[serde(default)]
    presence_penalty: Option<f64>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    logprobs: Option<bool>,
    #[serde(default)]
    top_logprobs: Option<u32>,
    #[serde(default)]
    stop: Option<RawStop>,
    #[serde(default)]
    response_format: Option<RawFormat>,
    #[serde(default)]
    reasoning_effort: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning: Option<RawReasoning>,
    #[serde(default, deserialize_with = "lenient")]
    thinking: Option<RawThinking>,
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
    audio: Value,
    #[serde(default)]
    logit_bias: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    min_p: Value,
    #[serde(default)]
    modalities: Value,
    #[serde(default)]
    prediction: Value,
    #[serde(default)]
    prompt_cache_retention: Value,
    #[serde(default)]
    repetition_penalty: Value,
    #[serde(default)]
    store: Value,
    #[serde(default)]
    verbosity: Value,
    #[serde(default)]
    web_search_options: Value,
}

impl RawRequest {
    /// The fields that ask for something and have no meaning in `chat`.
    fn uncarried(&self) -> Vec<&'static str> {
        let only_text = |value: &Value| {
            let list = value.as_array();
            list.is_some_and(|list| list.iter().all(|item| item == "text"))
        };
        let searches = !self.web_search_options.is_null();
        let fields = [
            ("audio", asks(&self.audio)),
            ("logit_bias", asks(&self.logit_bias)),
            ("metadata", asks(&self.metadata)),
            ("min_p", asks(&self.min_p)),
            (
                "modalities",
                asks(&self.modalities) && !only_text(&self.modalities),
            ),
            ("prediction", asks(&self.prediction)),
            ("prompt_cache_retention", asks(&self.prompt_cache_retention)),
            ("repetition_penalty", asks(&self.repetition_penalty)),
            ("store", asks(&self.store)),
            ("verbosity", asks(&self.verbosity)),
            ("web_search_options", searches),
        ];
        let asked = fields.into_iter().filter(|(_, asked)| *asked);
        asked.map(|(name, _)| name).collect()
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self
                .top_k
                .and_then(|top| u32::try_from(top).ok())
                .filter(|top| *top > 0),
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            choices: choices_of(self.n),
            logprobs: (self.logprobs == Some(true)).then(|| self.top_logprobs.unwrap_or_default()),
        }
    }

    /// What is said about thinking, in whichever field.
    fn reasoning(&self, unknown: &mut Vec<&'static str>) -> Option<Reasoning> {
        let mut read = Reasoning::default();
        if let Some(thinking) = &self.thinking {
            match thinking.kind.as_str() {
                "disabled" => read.budget = Some(0),
                _ => read.budget = thinking.budget_tokens,
            }
        }
        if let Some(reasoning) = &self.reasoning {
            read.budget = reasoning.max_tokens.or(read.budget);
            read.shown = reasoning.exclude.map(|hidden| !hidden);
            if reasoning.enabled == Some(false) {
                read.budget = Some(0);
            }
        }
        let nested = self.reasoning.as_ref();
        let nested = nested.and_then(|reasoning| reasoning.effort.as_deref());
        if let Some(name) = self.reasoning_effort.as_deref().or(nested) {
            read.effort = Effort::named(name);
            if read.effort.is_none() {
                unknown.push("reasoning_effort");
            }
        }
        (read != Reasoning::default()).then_some(read)
    }
}

/// How many answers are asked for; one is what everyone gives.
pub(in super::super) fn choices_of(n: Option<u32>) -> Option<u32> {
    n.filter(|n| *n != 1)
}

#[derive(Default, Deserialize)]
struct RawReasoning {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    exclude: Option<bool>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Default, Deserialize)]
struct RawThinking {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    budget_tokens: Option<u32>,
}

/// One text that ends the answer, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in super::super) enum RawStop {
    One(String),
    Many(Vec<String>),
}

impl RawStop {
    pub(in super::super) fn read(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Deserialize)]
struct RawTool {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    function: Option<RawFunction>,
    #[serde(default)]
    cache_control: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawFunction {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(default)]
    cache_control: Option<IgnoredAny>,
}

impl RawFunction {
    fn read(self) -> Tool {
        Tool {
            name: self.name,
            description: self.description,
            schema: self.parameters,
            strict: self.strict,
            cache: self.cache_control.is_some(),
        }
    }
}

fn tools(
    tools: Vec<RawTool>,
    functions: Vec<RawFunction>,
    unknown: &mut Vec<&'static str>,
) -> Result<Vec<Tool>, Malformed> {
    let mut read = Vec::with_capacity(tools.len() + functions.len());
    for tool in tools {
        match tool.kind.as_deref() {
            None | Some("function") => {
                let function = tool.function.map(RawFunction::read);
                let mut function = function
                    .ok_or_else(|| Malformed::new("a tool of type function needs `function`"))?;
                function.cache |= tool.cache_control.is_some();
                read.push(function);
            }
            // Why not only by its kind: tools that the provider runs, or that take free text, exist nowhere else.
            Some(_) => unknown.push("hosted tools"),
        }
    }
    read.extend(functions.into_iter().map(RawFunction::read));
    Ok(read)
}

/// `tool_choice` or `function_call`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawChoice {
    Word(String),
    Object(Box<RawChosen>),
}

#[derive(Deserialize)]
struct RawChosen {
    #[serde(default)]
    function: Option<RawNamed>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    allowed_tools: Option<RawAllowed>,
}

#[derive(Deserialize)]
struct RawNamed {
    name: String,
}

#[derive(Deserialize)]
struct RawAllowed {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    tools: Vec<RawAllowedTool>,
}

#[derive(Deserialize)]
struct RawAllowedTool {
    #[serde(default)]
    function: Option<RawNamed>,
    #[serde(default)]
    name: Option<String>,
}

impl RawChoice {
    fn read(self) -> Result<ToolChoice, Malformed> {
        let chosen = match self {
            Self::Word(word) => {
                return match word.as_str() {
                    "auto" => Ok(ToolChoice::Auto),
                    "none" => Ok(ToolChoice::None),
                    "required" | "any" => Ok(ToolChoice::Required),
                    _ => Err(Malformed::new(
                        "`tool_choice` must be auto, none, required or an object",
                    )),
                };
            }
            Self::Object(chosen) => chosen,
        };
        if let Some(allowed) = chosen.allowed_tools {
            let tools = allowed.tools.into_iter();
            let names = tools.filter_map(|tool| tool.function.map(|of| of.name).or(tool.name));
            return Ok(ToolChoice::Among {
                names: names.collect(),
                required: allowed.mode == "required",
            });
        }
        let name = chosen.function.map(|function| function.name);
        name.or(chosen.name)
            .map(ToolChoice::Named)
            .ok_or_else(|| Malformed::new("`tool_choice` names no function"))
    }
}

#[derive(Deserialize)]
struct RawFormat {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    json_schema: Option<RawSchema>,
}

#[derive(Deserialize)]
struct RawSchema {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    strict: Option<bool>,
}

impl RawFormat {
    /// `None` is plain text.
    fn read(self) -> Result<Option<OutputFormat>, Malformed> {
        match (self.kind.as_str(), self.json_schema) {
            ("text", _) => Ok(None),
            ("json_object", _) => Ok(Some(OutputFormat::Json)),
            ("json_schema", Some(schema)) => Ok(Some(OutputFormat::Schema {
                name: schema.name.unwrap_or_else(|| "answer".to_owned()),
                description: schema.description,
                schema: schema.schema,
                strict: schema.strict,
            })),
            _ => Err(Malformed::new(
                "`response_format` must be text, json_object, or json_schema with its schema",
            )),
        }
    }
}
