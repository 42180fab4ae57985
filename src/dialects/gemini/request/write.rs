//! How is a request written for Gemini?
//!
//! # Invariants
//! - Whatever is left out or changed is in the losses.

use serde::Serialize;
use serde_json::Value;

use super::super::super::meeting::Target;
use super::thinking::{self, Model};
use super::turns::{Composer, System, Turn};
use crate::chat::{Loss, Losses, OutputFormat, Request, Tool, ToolChoice};

/// Most texts that may end an answer.
const MOST_STOPS: usize = 5;

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut composer = Composer::new(Model::named(target.model));
    for message in &request.messages {
        composer.message(message);
    }
    let mut losses = std::mem::take(&mut composer.losses);
    let (system_instruction, contents) = composer.finish();
    note_losses(request, &mut losses);
    let tools: Vec<_> = request.tools.iter().map(WrittenFunction::from).collect();
    let choice = request.tool_choice.as_ref().filter(|_| !tools.is_empty());
    let written = WrittenRequest {
        contents,
        system_instruction,
        tool_config: choice.map(|choice| WrittenToolConfig {
            function_calling_config: WrittenCalling::from(choice),
        }),
        tools: (!tools.is_empty()).then_some([WrittenTools {
            function_declarations: tools,
        }]),
        generation_config: config(request, target, &mut losses),
        service_tier: request
            .service_tier
            .as_deref()
            .and_then(|tier| service_tier(tier, &mut losses)),
    };
    (serde_json::to_vec(&written).unwrap_or_default(), losses)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRequest<'a> {
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[WrittenTools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<WrittenToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<WrittenConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenTools<'a> {
    function_declarations: Vec<WrittenFunction<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

impl<'a> From<&'a Tool> for WrittenFunction<'a> {
    fn from(tool: &'a Tool) -> Self {
        Self {
            name: &tool.name,
            description: tool.description.as_deref(),
            parameters_json_schema: Some(&tool.schema).filter(|schema| !schema.is_null()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenToolConfig<'a> {
    function_calling_config: WrittenCalling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenCalling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_function_names: &'a [String],
}

impl<'a> From<&'a ToolChoice> for WrittenCalling<'a> {
    fn from(choice: &'a ToolChoice) -> Self {
        let (mode, names): (_, &[String]) = match choice {
            ToolChoice::Auto => ("AUTO", &[]),
            ToolChoice::None => ("NONE", &[]),
            ToolChoice::Required => ("ANY", &[]),
            ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
            ToolChoice::Among {
                names,
                required: true,
            } => ("ANY", names),
            ToolChoice::Among {
                names,
                required: false,
            } => ("VALIDATED", names),
        };
        Self {
            mode,
            allowed_function_names: names,
        }
    }
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<thinking::Written>,
}

fn config<'a>(
    request: &'a Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Option<WrittenConfig<'a>> {
    let sampling = &request.sampling;
    let seed = sampling.seed.map(i32::try_from);
    losses.add_if(matches!(seed, Some(Err(_))), "seed", Loss::Hint);
    let stops = request.stop.len().min(MOST_STOPS);
    losses.add_if(request.stop.len() > stops, "stop", Loss::Meaning);
    let model = Model::named(target.model);
    let config = WrittenConfig {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        max_output_tokens: target.max_tokens(request.max_tokens),
        stop_sequences: request.stop.get(..stops).unwrap_or_default(),
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        seed: seed.and_then(Result::ok),
        response_mime_type: request.format.is_some().then_some("application/json"),
        response_json_schema: match &request.format {
            Some(OutputFormat::Schema { schema, .. }) => Some(schema),
            _ => None,
        },
        thinking_config: request
            .reasoning
            .and_then(|asked| thinking::write(asked, model, losses)),
    };
    (config != WrittenConfig::default()).then_some(config)
}

/// Notes what this dialect cannot say at all.
fn note_losses(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    let several = sampling.choices.is_some_and(|choices| choices > 1);
    // The answer comes back with one choice and without probabilities, so that Gemini's own fields for them would not help.
    losses.add_if(several, "n", Loss::Meaning);
    losses.add_if(sampling.logprobs.is_some(), "logprobs", Loss::Meaning);
    let alone = request.parallel_tools == Some(false);
    losses.add_if(alone, "parallel_tool_calls", Loss::Hint);
    losses.add_if(request.user.is_some(), "user", Loss::Hint);
    losses.add_if(request.cache_key.is_some(), "prompt_cache_key", Loss::Hint);
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    losses.add_if(strict, "strict", Loss::Hint);
    let cached = request.tools.iter().any(|tool| tool.cache);
    losses.add_if(cached, "cache_control", Loss::Hint);
    losses.add_unknown(&request.unknown);
}

/// The tier in Google's words; the usual one is what none means.
fn service_tier(tier: &str, losses: &mut Losses) -> Option<&'static str> {
    match tier.to_ascii_lowercase().as_str() {
        "auto" | "default" | "standard" | "standard_only" => None,
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        _ => {
            losses.add("service_tier", Loss::Hint);
            None
        }
    }
}
