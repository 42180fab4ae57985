//! How are the turns of a conversation written for Converse?
//!
//! # Invariants
//! - A tool call's arguments are the client's text, byte for byte, if that is a JSON object.
//! - An id that Bedrock would refuse is replaced by the same one wherever it stands.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::media::{self, Audio, Document, Image, Names};
use super::Model;
use crate::chat::{
    Loss, Losses, Maker, Media, Message, Part, Request, Role, SYSTEM_PLACE, Signature,
};

/// System blocks and turns.
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Turn<'a>>,
}

/// One turn.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// One block of a turn or of the system's instructions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(Cow<'a, str>),
    Image(Image<'a>),
    Document(Document<'a>),
    Audio(Audio<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'a> {
    tool_use_id: Cow<'a, str>,
    name: &'a str,
    input: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult<'a> {
    tool_use_id: Cow<'a, str>,
    content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

/// Up to here the prompt is to be cached.
#[derive(Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
}

/// The only kind of cache mark.
pub(super) const CACHE_POINT: CachePoint = CachePoint { r#type: "default" };

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

/// Writes the turns of a request.
pub(super) fn write<'a>(
    request: &'a Request,
    model: Model,
    losses: &mut Losses,
) -> Conversation<'a> {
    let mut writer = Writer {
        model,
        losses,
        names: Names::default(),
    };
    let mut out = Conversation {
        system: Vec::new(),
        messages: Vec::new(),
    };
    for Message { role, parts } in &request.messages {
        let role = match role {
            Role::System | Role::Developer => {
                let moved = !out.messages.is_empty();
                writer.losses.add_if(moved, SYSTEM_PLACE, Loss::Hint);
                writer.blocks(parts, &mut out.system);
                continue;
            }
            Role::User => USER,
            Role::Assistant => ASSISTANT,
        };
        match out.messages.last_mut() {
            Some(turn) if turn.role == role => writer.blocks(parts, &mut turn.content),
            _ => {
                let mut content = Vec::new();
                writer.blocks(parts, &mut content);
                if !content.is_empty() {
                    out.messages.push(Turn { role, content });
                }
            }
        }
    }
    out
}

/// The names of the tools that a turn calls.
pub(super) fn called<'a>(turn: &Turn<'a>) -> impl Iterator<Item = &'a str> {
    turn.content.iter().filter_map(|block| match block {
        Block::ToolUse(call) => Some(call.name),
        _ => None,
    })
}

/// Whether the last turn answers tool calls before which no thoughts stand: a Claude that thinks within a budget refuses to go on from there.
pub(super) fn answers_without_thought(turns: &[Turn<'_>]) -> bool {
    let [.., before, last] = turns else {
        return false;
    };
    let answers = last.content.iter();
    let mut answers = answers.filter(|block| matches!(block, Block::ToolResult(_)));
    let thought = matches!(before.content.first(), Some(Block::ReasoningContent(_)));
    answers.next().is_some() && !thought
}

struct Writer<'l> {
    model: Model,
    losses: &'l mut Losses,
    names: Names,
}

impl Writer<'_> {
    fn blocks<'a>(&mut self, parts: &'a [Part], out: &mut Vec<Block<'a>>) {
        for part in parts {
            let cache = match part {
                Part::Text { cache, .. } | Part::ToolResult { cache, .. } => *cache,
                Part::Image(media) | Part::Document(media) | Part::Audio(media) => media.cache,
                _ => false,
            };
            out.extend(self.block(part));
            if cache {
                self.mark(out);
            }
        }
    }

    /// A cache mark, unless nothing stands before it or a mark already does.
    fn mark(&mut self, out: &mut Vec<Block<'_>>) {
        if !self.model.caches() {
            self.losses.add("cache_control", Loss::Hint);
        } else if !matches!(out.last(), None | Some(Block::CachePoint(_))) {
            out.push(Block::CachePoint(CACHE_POINT));
        }
    }

    fn block<'a>(&mut self, part: &'a Part) -> Option<Block<'a>> {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => words(text),
            Part::Image(media) => {
                let detailed = !matches!(media.detail.as_str(), "" | "auto");
                self.losses.add_if(detailed, "detail", Loss::Hint);
                self.medium("image", media::image(media).map(Block::Image))
            }
            Part::Document(media) => self.document(media),
            Part::Audio(media) => {
                let audio = media::audio(media).filter(|_| self.model.claude.is_none());
                self.medium("audio", audio.map(Block::Audio))
            }
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                let signed = signature.is_some();
                self.losses.add_if(signed, "thought_signature", Loss::Hint);
                Some(Block::ToolUse(ToolUse {
                    tool_use_id: allowed_id(id),
                    name,
                    input: input(arguments),
                }))
            }
            Part::ToolResult {
                id,
                content,
                is_error,
                ..
            } => {
                let mut inside = Vec::new();
                for part in content {
                    inside.extend(self.block(part).filter(is_result));
                }
                Some(Block::ToolResult(ToolResult {
                    tool_use_id: allowed_id(id),
                    content: inside,
                    status: is_error.then_some("error"),
                }))
            }
            Part::Thinking { text, signature } => match signature {
                Some(by) if self.made(by) => {
                    Some(Block::ReasoningContent(Reasoning::ReasoningText {
                        text,
                        signature: &by.text,
                    }))
                }
                _ => self.lost("thinking"),
            },
            Part::Redacted(by) if self.made(by) => Some(Block::ReasoningContent(
                Reasoning::RedactedContent(&by.text),
            )),
            Part::Redacted(_) => self.lost("thinking"),
        }
    }

    fn document<'a>(&mut self, media: &'a Media) -> Option<Block<'a>> {
        let document = self.names.document(media).map(Block::Document);
        self.medium("document", document)
    }

    /// Whether the model's maker has signed this.
    fn made(&self, by: &Signature) -> bool {
        by.maker == Maker::Anthropic && self.model.claude.is_some()
    }

    fn lost<'a>(&mut self, what: &'static str) -> Option<Block<'a>> {
        self.losses.add(what, Loss::Hint);
        None
    }

    fn medium<'a>(&mut self, what: &'static str, block: Option<Block<'a>>) -> Option<Block<'a>> {
        self.losses.add_if(block.is_none(), what, Loss::Meaning);
        block
    }
}

fn words(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(text.into()))
}

/// What may stand in a tool's result.
const fn is_result(block: &Block<'_>) -> bool {
    matches!(block, Block::Text(_) | Block::Image(_) | Block::Document(_))
}

/// Arguments as they are if they are a JSON object; else an object that holds them.
fn input(arguments: &str) -> Box<RawValue> {
    let text = arguments.trim();
    if text.is_empty() {
        return RawValue::from_string("{}".to_owned()).unwrap_or_default();
    }
    match RawValue::from_string(text.to_owned()) {
        Ok(raw) if text.starts_with('{') => raw,
        _ => {
            #[derive(Serialize)]
            struct Wrapped<'a> {
                arguments: &'a str,
            }
            serde_json::value::to_raw_value(&Wrapped { arguments }).unwrap_or_default()
        }
    }
}

/// The id of a call: at most 64 letters, digits, `_` and `-`, or else a digest of it.
///
/// Source: ToolUseBlock in Amazon Bedrock's API reference.
fn allowed_id(id: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if (1..=64).contains(&id.len()) && id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, id.as_bytes());
    let mut out = String::from("call_");
    for byte in digest.as_ref().iter().take(16) {
        for half in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(u32::from(half), 16));
        }
    }
    Cow::Owned(out)
}
