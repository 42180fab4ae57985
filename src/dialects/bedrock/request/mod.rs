//! How is a conversation asked for through Converse?
//!
//! Model and streaming are told by the path; what only some models understand goes into `additionalModelRequestFields`.
//! Source: Converse in Amazon Bedrock's API reference.
//!
//! # Invariants
//! - Turns alternate: neighbours of the same role become one, and a turn without content is none.
//! - Blank texts are left out, since Bedrock refuses them; cache marks stay where they were.
//! - A signature goes to models of its maker only.

mod settings;
mod turns;

use serde::Serialize;

use super::super::claude::Claude;
use super::super::meeting::Target;
use crate::chat::{Loss, Losses, Request, ToolChoice};
use settings::{Additional, Inference, OutputConfig, Tier};
use turns::{Block, Turn};

/// Writes a request for a provider.
#[must_use]
pub fn write(request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    let model = Model::of(target.model);
    let mut conversation = turns::write(request, model, &mut losses);
    let tool_config = tools(request, &conversation.messages, model, &mut losses);
    let settings = settings::write(
        request,
        &settings::About {
            target,
            model,
            forced: tool_config.as_ref().is_some_and(ToolConfig::forces),
            unthought: turns::answers_without_thought(&conversation.messages),
        },
        &mut losses,
    );
    let words = settings::output_in_words(request, model);
    conversation
        .system
        .extend(words.map(|words| Block::Text(words.into())));
    let body = Body {
        messages: conversation.messages,
        system: conversation.system,
        inference_config: settings.inference,
        tool_config,
        output_config: settings.output,
        service_tier: settings.tier,
        additional_model_request_fields: settings.additional,
    };
    // Texts and schemas always serialise.
    (serde_json::to_vec(&body).unwrap_or_default(), losses)
}

/// What matters about a model.
#[derive(Clone, Copy, Debug)]
struct Model {
    claude: Option<Claude>,
    nova: bool,
}

impl Model {
    fn of(model: &str) -> Self {
        Self {
            claude: Claude::of(model),
            nova: model.contains("nova"),
        }
    }

    /// Whether it takes cache marks in messages.
    const fn caches(self) -> bool {
        self.claude.is_some() || self.nova
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference_config: Option<Inference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Tier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<Additional>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    tools: Vec<ToolEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

impl ToolConfig<'_> {
    const fn forces(&self) -> bool {
        matches!(self.tool_choice, Some(Choice::Any {} | Choice::Tool { .. }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolEntry<'a> {
    ToolSpec(ToolSpec<'a>),
    CachePoint(turns::CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSpec<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: InputSchema<'a>,
}

#[derive(Serialize)]
struct InputSchema<'a> {
    json: Schema<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'a> {
    Given(&'a serde_json::Value),
    /// What stands for a tool without arguments: Bedrock demands a schema.
    None(AnyObject),
}

#[derive(Serialize)]
struct AnyObject {
    r#type: &'static str,
}

const ANY_OBJECT: AnyObject = AnyObject { r#type: "object" };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'a> {
    Auto {},
    Any {},
    Tool { name: &'a str },
}

/// The tools; also those that only the history names, because Bedrock refuses calls and results without tools.
fn tools<'a>(
    request: &'a Request,
    messages: &[Turn<'a>],
    model: Model,
    losses: &mut Losses,
) -> Option<ToolConfig<'a>> {
    losses.add_if(
        request.parallel_tools == Some(false),
        "parallel_tool_calls",
        Loss::Hint,
    );
    let (names, tool_choice) = match &request.tool_choice {
        None => (None, None),
        Some(ToolChoice::Auto) => (None, Some(Choice::Auto {})),
        Some(ToolChoice::Required) => (None, Some(Choice::Any {})),
        Some(ToolChoice::Named(name)) => (None, Some(Choice::Tool { name })),
        Some(ToolChoice::Among { names, required }) => {
            let choice = if *required {
                Choice::Any {}
            } else {
                Choice::Auto {}
            };
            (Some(names), Some(choice))
        }
        Some(ToolChoice::None) => {
            let mut tools = history(messages);
            if tools.is_empty() {
                return None;
            }
            // Why: the history needs tools, and Bedrock cannot be told not to call any.
            losses.add("tool_choice", Loss::Hint);
            return Some(ToolConfig {
                tools: tools.drain(..).map(ToolEntry::ToolSpec).collect(),
                tool_choice: None,
            });
        }
    };
    let offered = |name: &String| names.is_none_or(|names| names.contains(name));
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(|tool| offered(&tool.name)) {
        losses.add_if(tool.strict == Some(true), "strict", Loss::Hint);
        let description = tool.description.as_deref();
        tools.push(ToolEntry::ToolSpec(ToolSpec {
            name: &tool.name,
            description: description.filter(|text| !text.trim().is_empty()),
            input_schema: InputSchema {
                json: if tool.schema.is_null() {
                    Schema::None(ANY_OBJECT)
                } else {
                    Schema::Given(&tool.schema)
                },
            },
        }));
        if tool.cache && model.claude.is_some() {
            tools.push(ToolEntry::CachePoint(turns::CACHE_POINT));
        } else {
            losses.add_if(tool.cache, "cache_control", Loss::Hint);
        }
    }
    if !tools.is_empty() {
        return Some(ToolConfig { tools, tool_choice });
    }
    let tools: Vec<_> = history(messages)
        .into_iter()
        .map(ToolEntry::ToolSpec)
        .collect();
    (!tools.is_empty()).then_some(ToolConfig {
        tools,
        tool_choice: None,
    })
}

/// A tool for every name that the history calls.
fn history<'a>(messages: &[Turn<'a>]) -> Vec<ToolSpec<'a>> {
    let mut names: Vec<&str> = messages.iter().flat_map(turns::called).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| ToolSpec {
            name,
            description: None,
            input_schema: InputSchema {
                json: Schema::None(ANY_OBJECT),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests;
