//! What does a client ask in Gemini's dialect?
//!
//! # Invariants
//! - Every field that Google documents is read, or named in `unknown`.
//! - Model turns in a row are one message: Google's chat helpers keep each event of a stream as a turn.

use serde::Deserialize;
use serde_json::Value;

use super::super::super::meeting::Malformed;
use super::super::ids::Ids;
use super::super::part::Content;
use super::super::wire::{self, Glance, OneOrMany};
use super::schema::from_open_api;
use super::thinking::RawThinking;
use crate::chat::{
    Message, OutputFormat, Part, Reasoning, Request, Role, Sampling, Tool, ToolChoice,
};

/// Reads a request's body; model and streaming stand in the path.
///
/// # Errors
/// [`Malformed`] when it is not a request of this dialect.
pub fn read(body: &[u8]) -> Result<Request, Malformed> {
    let raw: RawRequest = wire::object(body)?;
    if raw.contents.0.is_empty() {
        return Err(Malformed::new("`contents` must not be empty"));
    }
    let mut unknown = raw.unknown();
    let mut request = Request::default();
    if let Some(instruction) = raw.system_instruction {
        let parts = parts_of(instruction, &mut Ids::default(), &mut unknown);
        push(&mut request.messages, Role::System, parts);
    }
    let mut ids = Ids::default();
    for content in raw.contents.0 {
        let role = role(content.role.as_deref())?;
        if role == Role::Assistant && !follows_model(&request.messages) {
            ids.forget_open();
        }
        let parts = parts_of(content, &mut ids, &mut unknown);
        push(&mut request.messages, role, parts);
    }
    for tool in raw.tools.0 {
        tool.read(&mut request.tools, &mut unknown);
    }
    if let Some(config) = raw.tool_config {
        config.note_unknown(&mut unknown);
        request.tool_choice = config.function_calling_config.map(ToolChoice::from);
    }
    if let Some(config) = raw.generation_config {
        config.read(&mut request, &mut unknown);
    }
    request.service_tier = raw
        .service_tier
        .filter(|tier| !tier.is_empty() && !tier.eq_ignore_ascii_case("unspecified"));
    request.unknown = unknown;
    Ok(request)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest {
    #[serde(default)]
    contents: OneOrMany<Content>,
    #[serde(alias = "system_instruction")]
    system_instruction: Option<Content>,
    #[serde(default)]
    tools: OneOrMany<RawTool>,
    #[serde(alias = "tool_config")]
    tool_config: Option<RawToolConfig>,
    #[serde(alias = "generation_config")]
    generation_config: Option<RawConfig>,
    #[serde(alias = "service_tier")]
    service_tier: Option<String>,
    #[serde(default, alias = "safety_settings")]
    safety_settings: Glance,
    #[serde(default, alias = "cached_content")]
    cached_content: Glance,
    #[serde(default)]
    labels: Glance,
    #[serde(default, alias = "model_armor_config")]
    model_armor_config: Glance,
    #[serde(default, alias = "continuation_token")]
    continuation_token: Glance,
    #[serde(default)]
    store: Glance,
}

impl RawRequest {
    fn unknown(&self) -> Vec<&'static str> {
        named([
            (self.safety_settings, "safetySettings"),
            (self.cached_content, "cachedContent"),
            (self.labels, "labels"),
            (self.model_armor_config, "modelArmorConfig"),
            (self.continuation_token, "continuationToken"),
            (self.store, "store"),
        ])
    }
}

/// The names of what holds something.
fn named<const N: usize>(glances: [(Glance, &'static str); N]) -> Vec<&'static str> {
    let filled = glances.into_iter().filter(|(glance, _)| glance.filled);
    filled.map(|(_, name)| name).collect()
}

fn role(name: Option<&str>) -> Result<Role, Malformed> {
    match name {
        None | Some("" | "user" | "function" | "tool") => Ok(Role::User),
        Some("model" | "assistant") => Ok(Role::Assistant),
        Some("system") => Ok(Role::System),
        Some(_) => Err(Malformed::new("`role` must be user or model")),
    }
}

fn follows_model(messages: &[Message]) -> bool {
    messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant)
}

fn parts_of(content: Content, ids: &mut Ids, unknown: &mut Vec<&'static str>) -> Vec<Part> {
    let mut parts = Vec::new();
    for part in content.parts.0 {
        part.read(ids, &mut parts, unknown);
    }
    parts
}

/// Appends a turn; pieces of a model's turn are put together again.
fn push(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    if parts.is_empty() {
        return;
    }
    if role != Role::Assistant {
        messages.push(Message { role, parts });
        return;
    }
    if !follows_model(messages) {
        let parts = Vec::with_capacity(parts.len());
        messages.push(Message { role, parts });
    }
    if let Some(last) = messages.last_mut() {
        for part in parts {
            join(&mut last.parts, part);
        }
    }
}

fn join(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => text.push_str(&more),
        (
            Some(Part::Thinking {
                text,
                signature: signature @ None,
            }),
            Part::Thinking {
                text: more,
                signature: signed,
            },
        ) => {
            text.push_str(&more);
            *signature = signed;
        }
        (_, part) => parts.push(part),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTool {
    #[serde(default, alias = "function_declarations")]
    function_declarations: OneOrMany<RawFunction>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFunction {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    #[serde(alias = "parameters_json_schema")]
    parameters_json_schema: Option<Value>,
}

/// Tools that Google's own servers carry out.
const HOSTED: &[&str] = &[
    "googleSearch",
    "google_search",
    "googleSearchRetrieval",
    "google_search_retrieval",
    "codeExecution",
    "code_execution",
    "urlContext",
    "url_context",
    "computerUse",
    "computer_use",
    "fileSearch",
    "file_search",
    "googleMaps",
    "google_maps",
    "enterpriseWebSearch",
    "enterprise_web_search",
    "parallelAiSearch",
    "parallel_ai_search",
    "mcpServers",
    "mcp_servers",
    "retrieval",
];

/// What they are reported as, in every dialect.
const HOSTED_TOOLS: &str = "hosted tools";

impl RawTool {
    fn read(self, tools: &mut Vec<Tool>, unknown: &mut Vec<&'static str>) {
        for function in self.function_declarations.0 {
            let converted = function.parameters.map(from_open_api);
            let schema = function.parameters_json_schema.or(converted);
            tools.push(Tool {
                name: function.name,
                description: function.description.filter(|words| !words.is_empty()),
                schema: schema.unwrap_or(Value::Null),
                strict: None,
                cache: false,
            });
        }
        let asked = |key: &&str| self.others.get(*key).is_some_and(|tool| !tool.is_null());
        if HOSTED.iter().any(asked) && !unknown.contains(&HOSTED_TOOLS) {
            unknown.push(HOSTED_TOOLS);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawToolConfig {
    #[serde(alias = "function_calling_config")]
    function_calling_config: Option<RawCalling>,
    #[serde(default, alias = "retrieval_config")]
    retrieval_config: Glance,
    #[serde(default, alias = "include_server_side_tool_invocations")]
    include_server_side_tool_invocations: Glance,
}

impl RawToolConfig {
    fn note_unknown(&self, unknown: &mut Vec<&'static str>) {
        unknown.extend(named([
            (self.retrieval_config, "retrievalConfig"),
            (
                self.include_server_side_tool_invocations,
                "includeServerSideToolInvocations",
            ),
        ]));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCalling {
    mode: Option<String>,
    #[serde(alias = "allowed_function_names")]
    allowed_function_names: Option<Vec<String>>,
}

impl From<RawCalling> for ToolChoice {
    fn from(raw: RawCalling) -> Self {
        let mut names = raw.allowed_function_names.unwrap_or_default();
        let mode = raw.mode.unwrap_or_default().to_ascii_uppercase();
        let required = mode == "ANY";
        match (mode.as_str(), names.len()) {
            ("NONE", _) => Self::None,
            ("ANY", 0) => Self::Required,
            (_, 0) => Self::Auto,
            ("ANY", 1) => Self::Named(names.remove(0)),
            _ => Self::Among { names, required },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfig {
    #[serde(default, deserialize_with = "wire::number")]
    temperature: Option<f64>,
    #[serde(default, alias = "top_p", deserialize_with = "wire::number")]
    top_p: Option<f64>,
    #[serde(default, alias = "top_k", deserialize_with = "wire::number")]
    top_k: Option<f64>,
    #[serde(
        default,
        alias = "max_output_tokens",
        deserialize_with = "wire::number"
    )]
    max_output_tokens: Option<f64>,
    #[serde(default, alias = "candidate_count", deserialize_with = "wire::number")]
    candidate_count: Option<f64>,
    #[serde(default, alias = "presence_penalty", deserialize_with = "wire::number")]
    presence_penalty: Option<f64>,
    #[serde(
        default,
        alias = "frequency_penalty",
        deserialize_with = "wire::number"
    )]
    frequency_penalty: Option<f64>,
    #[serde(default, deserialize_with = "wire::number")]
    seed: Option<f64>,
    #[serde(default, deserialize_with = "wire::number")]
    logprobs: Option<f64>,
    #[serde(alias = "response_logprobs")]
    response_logprobs: Option<bool>,
    #[serde(alias = "stop_sequences")]
    stop_sequences: Option<Vec<String>>,
    #[serde(alias = "response_mime_type")]
    response_mime_type: Option<String>,
    #[serde(alias = "response_schema")]
    response_schema: Option<Value>,
    #[serde(alias = "response_json_schema", alias = "_responseJsonSchema")]
    response_json_schema: Option<Value>,
    #[serde(alias = "response_modalities")]
    response_modalities: Option<Vec<String>>,
    #[serde(alias = "thinking_config")]
    thinking_config: Option<RawThinking>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// Settings without a meaning here: what a client writes, and what it is reported as.
const OTHER_SETTINGS: &[(&str, &str, &str)] = &[
    ("mediaResolution", "media_resolution", "mediaResolution"),
    ("speechConfig", "speech_config", "speechConfig"),
    ("imageConfig", "image_config", "imageConfig"),
    ("audioTimestamp", "audio_timestamp", "audioTimestamp"),
    (
        "audioTranscriptionConfig",
        "audio_transcription_config",
        "audioTranscriptionConfig",
    ),
    ("routingConfig", "routing_config", "routingConfig"),
    (
        "modelSelectionConfig",
        "model_selection_config",
        "modelSelectionConfig",
    ),
    (
        "enableAffectiveDialog",
        "enable_affective_dialog",
        "enableAffectiveDialog",
    ),
    (
        "enableEnhancedCivicAnswers",
        "enable_enhanced_civic_answers",
        "enableEnhancedCivicAnswers",
    ),
];

impl RawConfig {
    fn read(self, request: &mut Request, unknown: &mut Vec<&'static str>) {
        for (camel, snake, name) in OTHER_SETTINGS {
            let set = [camel, snake].into_iter().any(|key| {
                let value = self.others.get(*key);
                value.is_some_and(|value| !value.is_null() && *value != Value::Bool(false))
            });
            if set {
                unknown.push(name);
            }
        }
        let modalities = self.response_modalities.unwrap_or_default();
        if modalities
            .iter()
            .any(|kind| !kind.eq_ignore_ascii_case("text"))
        {
            unknown.push("responseModalities");
        }
        let mime = self.response_mime_type.unwrap_or_default();
        if !matches!(mime.as_str(), "" | "text/plain" | "application/json") {
            unknown.push("responseMimeType");
        }
        let converted = self.response_schema.map(from_open_api);
        let schema = self.response_json_schema.or(converted);
        request.format = match schema.filter(|schema| !schema.is_null()) {
            Some(schema) => Some(OutputFormat::Schema {
                name: "answer".to_owned(),
                description: None,
                schema,
                strict: None,
            }),
            None => (mime == "application/json").then_some(OutputFormat::Json),
        };
        request.max_tokens = whole(self.max_output_tokens).filter(|most| *most > 0);
        request.stop = self.stop_sequences.unwrap_or_default();
        request.reasoning = self.thinking_config.map(Reasoning::from);
        let told = self.response_logprobs == Some(true);
        request.sampling = Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: whole(self.top_k).filter(|top| *top > 0),
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed.map(|seed| seed as i64),
            choices: whole(self.candidate_count),
            logprobs: told.then(|| whole(self.logprobs).unwrap_or(0)),
        };
    }
}

/// A count; what is none saturates.
fn whole(number: Option<f64>) -> Option<u32> {
    number.map(|number| number as u32)
}
