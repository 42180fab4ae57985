//! What do the blocks of a client's message say?
//!
//! A block's type is looked at first, so that blocks that are new may hold whatever they like.
//!
//! # Invariants
//! - A block that has no meaning in `chat` is named in `unknown`; one that is known but malformed is an error.
//! - Blocks nest once: in a tool's result.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::super::meeting::Malformed;
use crate::chat::{Maker, Media, Part, Signature, Source};

/// Reads contents; what cannot be carried is added to `unknown`.
pub(super) struct Contents<'u> {
    pub(super) unknown: &'u mut Vec<&'static str>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// A block of any known kind.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    text: Option<String>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    title: Option<String>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
    id: String,
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    tool_use_id: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    cache_control: Option<Mark>,
}

/// A cache mark.
#[derive(Deserialize)]
pub(super) struct Mark {
    #[serde(default)]
    ttl: Option<String>,
}

/// A wish for citations; in an answer that comes back they are a list.
#[derive(Deserialize)]
struct Citations {
    enabled: bool,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    file_id: String,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl Contents<'_> {
    /// Names what cannot be carried.
    pub(super) fn note(&mut self, what: &'static str) {
        if !self.unknown.contains(&what) {
            self.unknown.push(what);
        }
    }

    /// Whether there is a cache mark; how long it is to hold has no meaning elsewhere.
    pub(super) fn marked(&mut self, mark: Option<&Mark>) -> bool {
        let hour = mark.and_then(|mark| mark.ttl.as_deref());
        if hour.is_some_and(|ttl| ttl != "5m") {
            self.note("cache_control.ttl");
        }
        mark.is_some()
    }

    /// A text or a list of blocks.
    pub(super) fn read(&mut self, raw: &RawValue) -> Result<Vec<Part>, Malformed> {
        let mut parts = Vec::new();
        // What a provider signed a call with stands before the call, which has no place for it.
        let mut of_call = None;
        for raw in blocks(raw)? {
            let raw = match raw {
                Piece::Words(text) => {
                    parts.push(Part::text(text));
                    continue;
                }
                Piece::Block(raw) => raw,
            };
            let kind: Kind = serde_json::from_str(raw.get())?;
            let Some(mut part) = self.block(&kind.kind, raw)? else {
                continue;
            };
            if let Part::ToolCall { signature, .. } = &mut part {
                *signature = of_call.take();
            }
            parts.extend(of_call.take().map(alone));
            match part {
                Part::Redacted(signature) if signature.maker == Maker::Google => {
                    of_call = Some(signature);
                }
                part => parts.push(part),
            }
        }
        parts.extend(of_call.map(alone));
        Ok(parts)
    }

    fn block(&mut self, kind: &str, raw: &RawValue) -> Result<Option<Part>, Malformed> {
        if !matches!(
            kind,
            "text"
                | "image"
                | "document"
                | "thinking"
                | "redacted_thinking"
                | "tool_use"
                | "tool_result"
        ) {
            self.note("content block");
            return Ok(None);
        }
        let block: Block<'_> = serde_json::from_str(raw.get())?;
        let cache = self.marked(block.cache_control.as_ref());
        let want = |text: Option<String>, field: &str| {
            text.ok_or_else(|| Malformed::new(format!("a {kind} block without {field}")))
        };
        Ok(Some(match kind {
            "text" => Part::Text {
                text: want(block.text, "text")?,
                cache,
            },
            "image" => return Ok(self.media(block, kind, cache)?.map(Part::Image)),
            "document" => return Ok(self.media(block, kind, cache)?.map(Part::Document)),
            "tool_result" => Part::ToolResult {
                id: block.tool_use_id,
                name: String::new(),
                content: match block.content {
                    Some(inner) => self.nested(inner)?,
                    None => Vec::new(),
                },
                is_error: block.is_error.unwrap_or(false),
                cache,
            },
            // Only parts that a user writes have a place for the mark.
            _ if cache => {
                self.note("cache_control");
                return Self::said(kind, block).map(Some);
            }
            _ => return Self::said(kind, block).map(Some),
        }))
    }

    /// What only a model says.
    fn said(kind: &str, block: Block<'_>) -> Result<Part, Malformed> {
        Ok(match kind {
            "thinking" => {
                let signature = block.signature.filter(|text| !text.is_empty());
                Part::Thinking {
                    text: block.thinking.unwrap_or_default(),
                    signature: signature.map(|text| Signature::read(&text, Maker::Anthropic)),
                }
            }
            "redacted_thinking" => {
                let data = block.data.unwrap_or_default();
                Part::Redacted(Signature::read(&data, Maker::Anthropic))
            }
            _ => {
                let input = block.input.map(RawValue::get).unwrap_or_default();
                if !input.is_empty() && !input.starts_with('{') {
                    return Err(Malformed::new("a tool_use block's input must be an object"));
                }
                Part::ToolCall {
                    id: block.id,
                    name: block.name,
                    arguments: input.to_owned(),
                    signature: None,
                }
            }
        })
    }

    /// A tool's result: texts, images and documents.
    fn nested(&mut self, inner: &RawValue) -> Result<Vec<Part>, Malformed> {
        let mut parts = Vec::new();
        for piece in blocks(inner)? {
            match piece {
                Piece::Words(text) => parts.push(Part::text(text)),
                Piece::Block(raw) => {
                    let kind: Kind = serde_json::from_str(raw.get())?;
                    if matches!(kind.kind.as_str(), "text" | "image" | "document") {
                        parts.extend(self.block(&kind.kind, raw)?);
                    } else {
                        self.note("content block");
                    }
                }
            }
        }
        Ok(parts)
    }

    fn media(
        &mut self,
        block: Block<'_>,
        kind: &str,
        cache: bool,
    ) -> Result<Option<Media>, Malformed> {
        let wish = block.citations.map(RawValue::get).unwrap_or_default();
        if serde_json::from_str(wish).is_ok_and(|wish: Citations| wish.enabled) {
            self.note("citations");
        }
        if block.context.is_some() {
            self.note("document.context");
        }
        let source = block
            .source
            .ok_or_else(|| Malformed::new(format!("a {kind} block without source")))?;
        let place: Place<'_> = serde_json::from_str(source.get())?;
        let (source, mime) = match place.kind.as_str() {
            "base64" => (Source::Base64(place.data), place.media_type),
            "url" => (Source::Url(place.url), String::new()),
            "file" => (Source::File(place.file_id), String::new()),
            "text" => (Source::Text(place.data), "text/plain".to_owned()),
            "content" => (
                Source::Text(self.text_of(place.content)?),
                "text/plain".to_owned(),
            ),
            _ => {
                self.note("content block");
                return Ok(None);
            }
        };
        Ok(Some(Media {
            source,
            mime,
            name: block.title.unwrap_or_default(),
            detail: String::new(),
            cache,
        }))
    }

    /// The texts of a document that the client has cut up itself.
    fn text_of(&mut self, content: Option<&RawValue>) -> Result<String, Malformed> {
        let mut texts = Vec::new();
        for piece in content.map(blocks).transpose()?.unwrap_or_default() {
            match piece {
                Piece::Words(text) => texts.push(text),
                Piece::Block(raw) => {
                    let block: Block<'_> = serde_json::from_str(raw.get())?;
                    match block.text {
                        Some(text) => texts.push(text),
                        None => self.note("content block"),
                    }
                }
            }
        }
        Ok(texts.join("\n"))
    }
}

/// A signature that belonged to no call.
fn alone(signature: Signature) -> Part {
    Part::Thinking {
        text: String::new(),
        signature: Some(signature),
    }
}

/// A piece of contents.
enum Piece<'a> {
    Words(String),
    Block(&'a RawValue),
}

fn blocks(raw: &RawValue) -> Result<Vec<Piece<'_>>, Malformed> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => vec![Piece::Words(serde_json::from_str(text)?)],
        Some(b'[') => {
            let blocks: Vec<&RawValue> = serde_json::from_str(text)?;
            blocks.into_iter().map(Piece::Block).collect()
        }
        _ => return Err(Malformed::new("content must be a text or a list of blocks")),
    })
}
