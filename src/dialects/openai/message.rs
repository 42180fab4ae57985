//! What are the pieces of a message that requests, answers and streams have in common?
//!
//! # Invariants
//! - A vendor's extras of an unexpected shape are absent, never an error.
//! - The text of a tool call's arguments is kept byte for byte, even of a vendor that writes an object where OpenAI writes a string.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::meeting::Malformed;
use super::thoughts;
use crate::chat::{Maker, Part, Signature};

/// Reads a JSON object; a list, which would be read as an object's fields in their order, is refused.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Malformed> {
    match json.trim_ascii_start().first() {
        Some(b'{') => Ok(serde_json::from_slice(json)?),
        Some(_) => Err(Malformed::new("a JSON object is expected")),
        None => Err(Malformed::new("there is no JSON object")),
    }
}

/// What a message says: nothing, a text, or parts.
#[derive(Debug, Default)]
pub(super) enum Content {
    #[default]
    Empty,
    Text(String),
    Parts(Vec<RawPart>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("content as a text or a list of parts")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Empty)
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element()? {
            parts.push(part);
        }
        Ok(Content::Parts(parts))
    }
}

impl Content {
    /// What a model says: words, thoughts and refusals; other parts are not a model's.
    pub(super) fn spoken(self) -> Vec<Part> {
        let parts = match self {
            Self::Empty => Vec::new(),
            Self::Text(text) => return said(text).into_iter().collect(),
            Self::Parts(parts) => parts,
        };
        let spoken = parts
            .into_iter()
            .filter_map(|part| match part.kind.as_str() {
                "text" | "output_text" => said(part.text?),
                "refusal" => Some(Part::Refusal(part.refusal?)),
                "thinking" => Some(Part::Thinking {
                    text: part.thinking.words(),
                    signature: None,
                }),
                _ => None,
            });
        spoken.collect()
    }

    /// All its words as one text.
    pub(super) fn words(self) -> String {
        let parts = self.spoken().into_iter();
        let texts = parts.filter_map(|part| match part {
            Part::Text { text, .. } => Some(text),
            _ => None,
        });
        texts.collect()
    }
}

fn said(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

/// One part of a message's content.
#[derive(Debug, Deserialize)]
pub(super) struct RawPart {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
    #[serde(default)]
    pub(super) image_url: Option<RawImage>,
    #[serde(default)]
    pub(super) input_audio: Option<Box<RawAudio>>,
    #[serde(default)]
    pub(super) file: Option<Box<RawFile>>,
    /// Mistral's thoughts, which are parts again.
    #[serde(default)]
    pub(super) thinking: Content,
    /// A mark that Anthropic's users put here when they speak to a gateway.
    #[serde(default)]
    pub(super) cache_control: Option<IgnoredAny>,
}

/// A picture: OpenAI's object, or the bare URL that some clients send.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawImage {
    Bare(String),
    Object {
        url: String,
        #[serde(default)]
        detail: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct RawAudio {
    pub(super) data: String,
    #[serde(default)]
    pub(super) format: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) file_data: Option<String>,
    #[serde(default)]
    pub(super) file_id: Option<String>,
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// A tool call, whole or a delta of one.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawCall {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<RawFunction>,
    #[serde(default)]
    pub(super) custom: Option<RawCustom>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) extra_content: Extra,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawFunction {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Arguments,
}

/// A call of a tool that takes free text.
#[derive(Debug, Deserialize)]
pub(super) struct RawCustom {
    pub(super) name: String,
    #[serde(default)]
    pub(super) input: String,
}

/// JSON text; empty if nothing was written.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) String);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get())
                .map(Self)
                .map_err(serde::de::Error::custom),
            Some(b'n') => Ok(Self::default()),
            _ => Ok(Self(raw.get().to_owned())),
        }
    }
}

/// What has no place of its own in the dialect: Google's signatures, and what this gateway puts there itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Extra {
    #[serde(default)]
    google: Option<Google>,
    #[serde(default)]
    trimtab: Option<Carried>,
}

#[derive(Debug, Deserialize)]
struct Google {
    #[serde(default)]
    thought_signature: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Carried {
    #[serde(default)]
    signature: Option<String>,
}

impl Extra {
    /// What a tool call was signed with.
    pub(super) fn of_call(&self) -> Option<Signature> {
        let google = self.google.as_ref();
        let own = google.and_then(|google| google.thought_signature.as_deref());
        let own = own.map(|text| Signature::read(text, Maker::Google));
        own.or_else(|| {
            self.carried()
                .map(|text| Signature::read(text, Maker::OpenAi))
        })
    }

    /// What this gateway has put there.
    pub(super) fn carried(&self) -> Option<&str> {
        self.trimtab.as_ref()?.signature.as_deref()
    }
}

/// Reads a value that may have any shape; one of another shape counts as absent.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    let value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    Ok(value.unwrap_or_default())
}

/// An id for a call to which none was given: unlike those of other answers, and short enough for OpenAI, which takes 40 bytes.
pub(super) fn mint_call_id(answer: &str, index: usize) -> String {
    let kept = |letter: &char| letter.is_ascii_alphanumeric();
    let tail: Vec<char> = answer.chars().rev().filter(kept).take(24).collect();
    if tail.is_empty() {
        return format!("call_{index}");
    }
    let tail: String = tail.into_iter().rev().collect();
    format!("call_{tail}_{index}")
}

/// A tool call to write, whole or a delta of one; what is absent is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct WrittenCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: WrittenFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<WrittenExtra>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct WrittenFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

impl<'a> WrittenCall<'a> {
    /// A whole call; clients cannot parse empty arguments, so they are written as an empty object.
    pub(super) fn whole(id: &'a str, name: &'a str, arguments: &'a str) -> Self {
        let blank = arguments.trim_ascii().is_empty();
        Self {
            id: Some(id),
            kind: Some("function"),
            function: WrittenFunction {
                name: Some(name),
                arguments: if blank { "{}" } else { arguments },
            },
            ..Self::default()
        }
    }
}

/// What has no place of its own, written.
#[derive(Debug, Serialize)]
pub(super) enum WrittenExtra {
    /// Google's, in its own words.
    #[serde(rename = "google")]
    Google {
        /// What a tool call was signed with.
        thought_signature: String,
    },
    /// This gateway's.
    #[serde(rename = "trimtab")]
    Trimtab {
        /// What a tool call or thoughts were signed with.
        signature: String,
    },
}

impl WrittenExtra {
    /// What a tool call was signed with, for a client to send back.
    pub(super) fn of_call(signature: &Signature) -> Self {
        match signature.maker {
            Maker::Google => Self::Google {
                thought_signature: signature.written(Maker::Google),
            },
            _ => Self::Trimtab {
                signature: thoughts::written(signature),
            },
        }
    }
}
