//! Which tools may the model call, in the Responses dialect?
//!
//! # Invariants
//! - Tools that the provider runs exist nowhere else: they are named as lost, by their type.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::super::meeting::Malformed;
use super::super::names::Names;
use crate::chat::{Tool, ToolChoice};

/// A tool as clients write it.
#[derive(Debug, Default, Deserialize)]
pub(in super::super) struct RawTool {
    #[serde(default, rename = "type")]
    pub(in super::super) kind: String,
    #[serde(default)]
    pub(in super::super) name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(default)]
    format: Option<RawFormat>,
    /// The members of a namespace.
    #[serde(default)]
    pub(in super::super) tools: Vec<Self>,
}

/// What a custom tool's input must look like.
#[derive(Debug, Deserialize)]
struct RawFormat {
    #[serde(default)]
    syntax: Option<String>,
    #[serde(default)]
    definition: Option<String>,
}

/// The tools, as plain functions.
pub(super) fn read(
    raw: Vec<RawTool>,
    names: &Names,
    unknown: &mut Vec<&'static str>,
) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::with_capacity(raw.len());
    for tool in raw {
        match tool.kind.as_str() {
            "function" | "custom" => tools.push(tool.read(None, names)?),
            "namespace" => {
                for member in tool.tools {
                    tools.push(member.read(Some(&tool.name), names)?);
                }
            }
            hosted => note(unknown, hosted_name(hosted)),
        }
    }
    Ok(tools)
}

/// Adds a name that is not yet there.
pub(super) fn note(unknown: &mut Vec<&'static str>, name: &'static str) {
    if !unknown.contains(&name) {
        unknown.push(name);
    }
}

/// The name under which a tool that the provider runs is lost; the first three are offered by default and can be done without.
fn hosted_name(kind: &str) -> &'static str {
    match kind {
        "web_search" | "web_search_preview" | "web_search_2025_08_26" => "web_search",
        "image_generation" => "image_generation",
        "tool_search" => "tool_search",
        "file_search" => "file_search",
        "code_interpreter" => "code_interpreter",
        "mcp" => "mcp",
        "computer" | "computer_use" | "computer_use_preview" => "computer_use",
        "local_shell" => "local_shell",
        "shell" => "shell",
        "apply_patch" => "apply_patch",
        _ => "hosted tools",
    }
}

impl RawTool {
    fn read(self, namespace: Option<&str>, names: &Names) -> Result<Tool, Malformed> {
        if self.name.is_empty() {
            return Err(Malformed::new("a tool needs a `name`"));
        }
        let name = names.seen(namespace, &self.name).into_owned();
        if self.kind == "custom" {
            return Ok(self.read_custom(name));
        }
        let schema = match &self.parameters {
            Some(raw) => serde_json::from_str(raw.get())?,
            None => Value::Null,
        };
        Ok(Tool {
            name,
            description: self.description,
            schema,
            strict: self.strict,
            cache: false,
        })
    }

    /// A custom tool as a function of one text; its grammar can only be asked for in words.
    fn read_custom(self, name: String) -> Tool {
        let mut description = self.description.unwrap_or_default();
        let format = self.format.as_ref();
        if let Some(definition) = format.and_then(|format| format.definition.as_deref()) {
            let syntax = format.and_then(|format| format.syntax.as_deref());
            let syntax = syntax.unwrap_or("formal");
            if !description.is_empty() {
                description.push_str("\n\n");
            }
            description.push_str("`input` must follow this ");
            description.push_str(syntax);
            description.push_str(" grammar:\n");
            description.push_str(definition);
        }
        Tool {
            name,
            description: (!description.is_empty()).then_some(description),
            schema: serde_json::json!({
                "type": "object",
                "properties": {"input": {"type": "string", "description": "The tool's input, as plain text."}},
                "required": ["input"],
                "additionalProperties": false,
            }),
            strict: None,
            cache: false,
        }
    }
}

/// `tool_choice`: a word or an object.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`tool_choice` must be a word or an object")]
pub(super) enum RawChoice {
    Word(String),
    Object(Box<RawChosen>),
}

#[derive(Debug, Deserialize)]
pub(super) struct RawChosen {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    tools: Vec<Self>,
}

impl RawChoice {
    pub(super) fn read(
        self,
        names: &Names,
        unknown: &mut Vec<&'static str>,
    ) -> Result<Option<ToolChoice>, Malformed> {
        let choice = match self {
            Self::Word(word) => match word.as_str() {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                "required" => ToolChoice::Required,
                _ => {
                    return Err(Malformed::new(
                        "`tool_choice` must be auto, none, required or an object",
                    ));
                }
            },
            Self::Object(chosen) => match chosen.kind.as_str() {
                "function" | "custom" => ToolChoice::Named(chosen.seen(names)),
                "allowed_tools" => chosen.among(names, unknown),
                _ => {
                    note(unknown, "tool_choice");
                    return Ok(None);
                }
            },
        };
        Ok(Some(choice))
    }
}

impl RawChosen {
    fn seen(&self, names: &Names) -> String {
        let namespace = self.namespace.as_deref();
        names.seen(namespace, &self.name).into_owned()
    }

    fn among(self, names: &Names, unknown: &mut Vec<&'static str>) -> ToolChoice {
        let mut allowed = Vec::with_capacity(self.tools.len());
        for tool in &self.tools {
            match tool.kind.as_str() {
                "function" | "custom" => allowed.push(tool.seen(names)),
                "namespace" => {
                    let mut members: Vec<String> =
                        names.within(&tool.name).map(str::to_owned).collect();
                    members.sort_unstable();
                    allowed.append(&mut members);
                }
                hosted => note(unknown, hosted_name(hosted)),
            }
        }
        ToolChoice::Among {
            names: allowed,
            required: self.mode == "required",
        }
    }
}
