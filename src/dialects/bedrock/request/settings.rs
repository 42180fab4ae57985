//! How are sampling, thinking and the answer's form written for Converse?
//!
//! # Invariants
//! - What a model is known to reject is not sent, and told as lost.
//! - A budget for thinking is less than the bound on output tokens.

use std::borrow::Cow;

use serde::Serialize;

use super::super::super::claude::Claude;
use super::super::super::meeting::Target;
use super::super::super::schema;
use super::Model;
use crate::chat::{Effort, Loss, Losses, OutputFormat, Reasoning, Request};

/// What settings depend on besides the request.
pub(super) struct About<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) model: Model,
    /// A tool must be called.
    pub(super) forced: bool,
    /// The last turn answers calls that were made without thinking.
    pub(super) unthought: bool,
}

/// The settings of a request.
pub(super) struct Settings<'a> {
    pub(super) inference: Option<Inference<'a>>,
    pub(super) output: Option<OutputConfig<'a>>,
    pub(super) tier: Option<Tier<'a>>,
    pub(super) additional: Option<Additional>,
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'a> {
    text_format: TextFormat<'a>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    schema: String,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Tier<'a> {
    r#type: &'a str,
}

/// What only some models understand.
#[derive(Default, PartialEq, Serialize)]
pub(super) struct Additional {
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<EffortConfig>,
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    nova: Option<NovaInference>,
}

#[derive(PartialEq, Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

#[derive(PartialEq, Serialize)]
struct EffortConfig {
    effort: &'static str,
}

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaInference {
    top_k: u32,
}

/// Writes the settings of a request.
pub(super) fn write<'a>(
    request: &'a Request,
    about: &About<'_>,
    losses: &mut Losses,
) -> Settings<'a> {
    let mut additional = Additional::default();
    if let Some(reasoning) = request.reasoning {
        let max = about.target.max_tokens(request.max_tokens);
        think(reasoning, max, about, &mut additional, losses);
    }
    let inference = inference(request, about, &mut additional, losses);
    lost(request, losses);
    Settings {
        inference: (inference != Inference::default()).then_some(inference),
        output: output(request, about.model, losses),
        tier: tier(request, losses),
        additional: (additional != Additional::default()).then_some(additional),
    }
}

/// The least budget that Claude takes.
const LEAST_BUDGET: u32 = 1_024;

fn think(
    reasoning: Reasoning,
    max: Option<u32>,
    about: &About<'_>,
    additional: &mut Additional,
    losses: &mut Losses,
) {
    if reasoning.budget == Some(0) || reasoning.effort == Some(Effort::None) {
        return;
    }
    let mut refuse = || losses.add("reasoning", Loss::Hint);
    let Some(claude) = about.model.claude.filter(|claude| claude.thinks()) else {
        return refuse();
    };
    // A tool that must be called leaves no room for thought.
    if about.forced {
        return refuse();
    }
    if claude.adapts() {
        additional.thinking = Some(Thinking {
            r#type: "adaptive",
            budget_tokens: None,
            display: reasoning
                .shown
                .map(|shown| if shown { "summarized" } else { "omitted" }),
        });
        let effort = reasoning
            .effort
            .or_else(|| reasoning.budget.map(Effort::of_budget));
        additional.output_config = effort.map(|effort| EffortConfig {
            effort: claude.effort(effort),
        });
        return;
    }
    let effort = reasoning.effort.unwrap_or(Effort::Medium);
    let budget = reasoning.budget.unwrap_or(effort.budget());
    let most = max.map_or(u32::MAX, |max| max.saturating_sub(1));
    if about.unthought || most < LEAST_BUDGET {
        return refuse();
    }
    additional.thinking = Some(Thinking {
        r#type: "enabled",
        budget_tokens: Some(budget.clamp(LEAST_BUDGET, most)),
        display: None,
    });
}

fn inference<'a>(
    request: &'a Request,
    about: &About<'_>,
    additional: &mut Additional,
    losses: &mut Losses,
) -> Inference<'a> {
    let sampling = &request.sampling;
    let claude = about.model.claude;
    // A thinking Claude takes none of them, and later ones never do.
    let plain =
        additional.thinking.is_none() && !claude.is_some_and(|claude| claude.rejects_sampling());
    let mut kept = |given: Option<f64>, keep: bool, name: &'static str| {
        losses.add_if(given.is_some() && !keep, name, Loss::Hint);
        given.filter(|_| keep)
    };
    let temperature = kept(sampling.temperature, plain, "temperature");
    let one = claude.is_some_and(|claude| claude.takes_one_of_two()) && temperature.is_some();
    let top_p = kept(sampling.top_p, plain && !one, "top_p");
    // Bedrock's range ends at 1, OpenAI's at 2.
    losses.add_if(
        temperature.is_some_and(|value| value > 1.0),
        "temperature",
        Loss::Hint,
    );
    match sampling.top_k {
        Some(top_k) if claude.is_some() && plain => additional.top_k = Some(top_k),
        Some(top_k) if about.model.nova => additional.nova = Some(NovaInference { top_k }),
        top_k => losses.add_if(top_k.is_some(), "top_k", Loss::Hint),
    }
    let stop = request.stop.iter().map(String::as_str);
    Inference {
        max_tokens: about.target.max_tokens(request.max_tokens),
        temperature: temperature.map(|value| value.clamp(0.0, 1.0)),
        top_p,
        stop_sequences: stop.filter(|text| !text.trim().is_empty()).collect(),
    }
}

/// Whether a model can be held to a schema; of most that are not Claudes it is not known.
fn follows(model: Model) -> bool {
    model.claude.is_none_or(Claude::follows_schemas)
}

/// What a model is told of the answer's schema where it cannot be held to it.
pub(super) fn output_in_words(request: &Request, model: Model) -> Option<String> {
    match request.format.as_ref()? {
        OutputFormat::Schema { schema, .. } if !follows(model) => Some(schema::in_words(schema)),
        _ => None,
    }
}

fn output<'a>(request: &'a Request, model: Model, losses: &mut Losses) -> Option<OutputConfig<'a>> {
    match request.format.as_ref()? {
        OutputFormat::Schema { .. } if !follows(model) => {
            losses.add("response_format", Loss::Hint);
            None
        }
        // Clients of this mode ask for JSON in words too, or OpenAI refuses them.
        OutputFormat::Json => {
            losses.add("response_format", Loss::Hint);
            None
        }
        OutputFormat::Schema {
            name,
            description,
            schema,
            ..
        } => Some(OutputConfig {
            text_format: TextFormat {
                r#type: "json_schema",
                structure: Structure {
                    json_schema: JsonSchema {
                        schema: match model.claude {
                            Some(_) => schema::for_anthropic(schema).to_string(),
                            None => schema.to_string(),
                        },
                        name: Cow::Borrowed(name),
                        description: description.as_deref(),
                    },
                },
            },
        }),
    }
}

fn tier<'a>(request: &'a Request, losses: &mut Losses) -> Option<Tier<'a>> {
    let tier = request.service_tier.as_deref()?;
    match tier {
        "auto" => None,
        "default" | "flex" | "priority" | "reserved" => Some(Tier { r#type: tier }),
        _ => {
            losses.add("service_tier", Loss::Hint);
            None
        }
    }
}

/// What Converse has no word for.
fn lost(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    let hints = [
        (sampling.frequency_penalty.is_some(), "frequency_penalty"),
        (sampling.presence_penalty.is_some(), "presence_penalty"),
        (sampling.seed.is_some(), "seed"),
        (request.user.is_some(), "user"),
        (request.cache_key.is_some(), "prompt_cache_key"),
    ];
    for (present, name) in hints {
        losses.add_if(present, name, Loss::Hint);
    }
    let several = sampling.choices.is_some_and(|choices| choices > 1);
    losses.add_if(several, "n", Loss::Meaning);
    losses.add_if(sampling.logprobs.is_some(), "logprobs", Loss::Meaning);
}
