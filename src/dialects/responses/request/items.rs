//! What was said so far, in the items of `input`?
//!
//! Items that follow each other and are all the model's (reasoning, words, calls) are one turn, and so are the results of several calls.
//!
//! # Invariants
//! - An item or part that is not understood is named as lost, and with it the request's meaning.
//! - The text of a call's arguments is kept byte for byte.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::super::meeting::Malformed;
use super::super::item;
use super::super::names::{Names, wrap_input};
use super::tools::note;
use crate::chat::{Media, Message, Part, Role, Source};

/// Most bytes of remembered items that a request may bring in: without a bound, a short list of references to a long item would.
const MAX_RECALLED: usize = 8 * 1024 * 1024;

/// `input`: a text or items.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`input` must be a text or a list of items")]
pub(super) enum RawInput {
    Text(String),
    Items(Vec<RawItem>),
}

/// An item of whatever type.
#[derive(Debug, Deserialize)]
pub(super) struct RawItem {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    content: Option<RawContent>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    call_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    input: Value,
    #[serde(default)]
    output: Option<RawContent>,
    #[serde(default)]
    summary: Option<RawContent>,
    #[serde(default)]
    encrypted_content: Option<String>,
}

/// A text or parts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in super::super) enum RawContent {
    Text(String),
    Parts(Vec<RawPart>),
    Other(IgnoredAny),
}

/// A part of whatever type.
#[derive(Debug, Deserialize)]
pub(in super::super) struct RawPart {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    image_url: Option<RawUrl>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    file_id: Option<String>,
    #[serde(default)]
    file_data: Option<String>,
    #[serde(default)]
    file_url: Option<String>,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    input_audio: Option<RawAudio>,
}

/// A URL, bare as this dialect has it or in an object as chat completions do.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawUrl {
    Bare(String),
    Object { url: String },
}

#[derive(Debug, Deserialize)]
struct RawAudio {
    data: String,
    #[serde(default)]
    format: String,
}

/// Words, unless there are none.
fn said(text: String) -> Vec<Part> {
    let said = (!text.is_empty()).then(|| Part::text(text));
    said.into_iter().collect()
}

/// A conversation while its items are read; what cannot be carried is noted in `unknown`.
pub(super) struct Turns<'a> {
    pub(super) messages: Vec<Message>,
    /// The names of the tools that were called, by the call's id.
    called: HashMap<String, String>,
    names: &'a Names,
    recall: &'a dyn Fn(&str) -> Option<Bytes>,
    /// Bytes of remembered items that were brought in.
    recalled: usize,
    unknown: &'a mut Vec<&'static str>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        names: &'a Names,
        recall: &'a dyn Fn(&str) -> Option<Bytes>,
        unknown: &'a mut Vec<&'static str>,
    ) -> Self {
        Self {
            messages: Vec::new(),
            called: HashMap::new(),
            names,
            recall,
            recalled: 0,
            unknown,
        }
    }

    pub(super) fn take_all(
        &mut self,
        instructions: Option<String>,
        input: RawInput,
    ) -> Result<(), Malformed> {
        if let Some(text) = instructions {
            self.say(Role::System, said(text));
        }
        match input {
            RawInput::Text(text) => self.say(Role::User, said(text)),
            RawInput::Items(items) => {
                for item in items {
                    let item = self.recalled(item);
                    self.take(item)?;
                }
            }
        }
        Ok(())
    }

    /// The item that is meant, if it stands by its id alone and is remembered.
    fn recalled(&mut self, item: RawItem) -> RawItem {
        let refers = match item.kind.as_deref() {
            Some("item_reference") => true,
            None => item.role.is_none(),
            Some(_) => false,
        };
        let id = item.id.as_deref().filter(|_| refers);
        let Some(json) = id.and_then(|id| (self.recall)(id)) else {
            return item;
        };
        self.recalled = self.recalled.saturating_add(json.len());
        if self.recalled > MAX_RECALLED {
            return item;
        }
        serde_json::from_slice(&json).unwrap_or(item)
    }

    fn take(&mut self, item: RawItem) -> Result<(), Malformed> {
        match item.kind.as_deref() {
            Some("message") => self.message(item)?,
            None if item.role.is_some() => self.message(item)?,
            Some("function_call" | "custom_tool_call") => self.call(item)?,
            Some("function_call_output" | "custom_tool_call_output") => self.result(item)?,
            Some("reasoning") => self.reasoning(item),
            // Why only a hint: what came of them stands in the model's words behind them.
            Some(
                "web_search_call"
                | "file_search_call"
                | "code_interpreter_call"
                | "image_generation_call"
                | "mcp_list_tools"
                | "mcp_call",
            ) => note(self.unknown, "hosted tool calls"),
            Some("item_reference") => note(self.unknown, "item_reference"),
            None if item.id.is_some() => note(self.unknown, "item_reference"),
            _ => note(self.unknown, "input item"),
        }
        Ok(())
    }

    fn message(&mut self, item: RawItem) -> Result<(), Malformed> {
        let role = match item.role.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            _ => return Err(Malformed::new("a message's role is missing or unknown")),
        };
        let parts = self.parts(item.content);
        self.say(role, parts);
        Ok(())
    }

    fn call(&mut self, item: RawItem) -> Result<(), Malformed> {
        let name = item.name.unwrap_or_default();
        let id = item.call_id.unwrap_or_default();
        if name.is_empty() || id.is_empty() {
            return Err(Malformed::new("a call needs `name` and `call_id`"));
        }
        let name = self
            .names
            .seen(item.namespace.as_deref(), &name)
            .into_owned();
        let arguments = match item.kind.as_deref() {
            Some("custom_tool_call") => wrap_input(item.input.as_str().unwrap_or_default()),
            _ => match item.arguments {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            },
        };
        self.called.insert(id.clone(), name.clone());
        let before = self.messages.last_mut();
        let before = before.filter(|last| last.role == Role::Assistant);
        let call = Part::ToolCall {
            id,
            name,
            arguments,
            signature: before.and_then(|last| item::of_call(&mut last.parts)),
        };
        self.say(Role::Assistant, vec![call]);
        Ok(())
    }

    fn result(&mut self, item: RawItem) -> Result<(), Malformed> {
        let id = item.call_id.unwrap_or_default();
        if id.is_empty() {
            return Err(Malformed::new("a call's output needs `call_id`"));
        }
        let content = self.parts(item.output);
        let result = Part::ToolResult {
            name: self.called.get(&id).cloned().unwrap_or_default(),
            id,
            content,
            is_error: false,
            cache: false,
        };
        match self.messages.last_mut() {
            Some(last) if matches!(last.parts.last(), Some(Part::ToolResult { .. })) => {
                last.parts.push(result);
            }
            _ => self.say(Role::User, vec![result]),
        }
        Ok(())
    }

    fn reasoning(&mut self, item: RawItem) {
        let text = thought(item.summary, item.content);
        let id = item.id.unwrap_or_default();
        let thoughts = item::thoughts(&id, text, item.encrypted_content.as_deref());
        self.say(Role::Assistant, thoughts.into_iter().collect());
    }

    fn parts(&mut self, content: Option<RawContent>) -> Vec<Part> {
        match content {
            None => Vec::new(),
            Some(RawContent::Text(text)) => said(text),
            Some(RawContent::Parts(parts)) => {
                let read = parts.into_iter().filter_map(|part| part.read(self.unknown));
                read.collect()
            }
            Some(RawContent::Other(_)) => {
                note(self.unknown, "content part");
                Vec::new()
            }
        }
    }

    /// Adds to the model's turn that is going on, or begins another turn.
    fn say(&mut self, role: Role, mut parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if role == Role::Assistant && last.role == role => {
                last.parts.append(&mut parts);
            }
            _ => self.messages.push(Message { role, parts }),
        }
    }
}

/// The words of a reasoning: its summary, or else itself.
pub(in super::super) fn thought(
    summary: Option<RawContent>,
    content: Option<RawContent>,
) -> String {
    let words = |content: Option<RawContent>| match content {
        Some(RawContent::Text(text)) => text,
        Some(RawContent::Parts(parts)) => {
            let texts = parts.into_iter().filter_map(|part| part.text);
            texts.collect::<Vec<_>>().join("\n\n")
        }
        _ => String::new(),
    };
    let summary = words(summary);
    if summary.is_empty() {
        return words(content);
    }
    summary
}

impl RawPart {
    /// What it means; what has no meaning here is noted.
    pub(in super::super) fn read(self, unknown: &mut Vec<&'static str>) -> Option<Part> {
        let read = match self.kind.as_str() {
            "input_text" | "output_text" | "text" | "summary_text" => {
                let text = self.text.unwrap_or_default();
                return said(text).pop();
            }
            "refusal" => return self.refusal.map(Part::Refusal),
            "input_image" | "computer_screenshot" => self.image(),
            "input_file" => self.file(),
            "input_audio" => self.input_audio.map(RawAudio::read),
            _ => None,
        };
        if read.is_none() {
            note(unknown, "content part");
        }
        read
    }

    fn image(self) -> Option<Part> {
        let (source, mime) = match self.image_url {
            Some(RawUrl::Bare(url) | RawUrl::Object { url }) => located(url),
            None => (Source::File(self.file_id?), String::new()),
        };
        Some(Part::Image(Media {
            source,
            mime,
            name: String::new(),
            detail: self.detail.unwrap_or_default(),
            cache: false,
        }))
    }

    fn file(self) -> Option<Part> {
        let (source, mime) = if let Some(data) = self.file_data {
            match located(data) {
                // Why: some clients send the base64 itself instead of a data URL.
                (Source::Url(data), _) => (Source::Base64(data), String::new()),
                read => read,
            }
        } else if let Some(url) = self.file_url {
            located(url)
        } else {
            (Source::File(self.file_id?), String::new())
        };
        Some(Part::Document(Media {
            source,
            mime,
            name: self.filename.unwrap_or_default(),
            detail: String::new(),
            cache: false,
        }))
    }
}

impl RawAudio {
    fn read(self) -> Part {
        let mime = match self.format.as_str() {
            "" => String::new(),
            "mp3" => "audio/mpeg".to_owned(),
            format => format!("audio/{format}"),
        };
        Part::Audio(Media {
            source: Source::Base64(self.data),
            mime,
            name: String::new(),
            detail: String::new(),
            cache: false,
        })
    }
}

/// Where a URL's bytes are, and their MIME type if it tells.
fn located(url: String) -> (Source, String) {
    let data = url.strip_prefix("data:").and_then(|rest| {
        let (head, data) = rest.split_once(',')?;
        let head = head.strip_suffix(";base64")?;
        let mime = head.split(';').next().unwrap_or_default();
        Some((Source::Base64(data.to_owned()), mime.to_owned()))
    });
    data.unwrap_or_else(|| (Source::Url(url), String::new()))
}
