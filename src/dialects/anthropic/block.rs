//! How are the pieces of a message written, in a request, an answer and a stream?
//!
//! # Invariants
//! - A call's input is a JSON object in the model's own words: it is checked and never written anew.
//! - A call's id is made of the letters that Anthropic takes; the same id always becomes the same.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::{Maker, Signature};

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Input<'a>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
}

/// The wish that the prompt be cached up to here.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Mark {
    Ephemeral,
}

impl Mark {
    /// The mark, if it is wished for.
    pub(super) fn of(cache: bool) -> Option<Self> {
        cache.then_some(Self::Ephemeral)
    }
}

/// Where an image's or a document's bytes are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    File { file_id: &'a str },
    Text { media_type: &'a str, data: &'a str },
}

/// A call's arguments.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'a> {
    /// None, or none yet.
    Empty {},
    /// The model's own text of an object.
    Object(&'a RawValue),
    /// What is no object, wrapped in the way that Anthropic's guide to fine-grained tool streaming proposes.
    Broken {
        #[serde(rename = "INVALID_JSON")]
        text: &'a str,
    },
}

impl<'a> Input<'a> {
    /// The arguments of this text.
    pub(super) fn of(arguments: &'a str) -> Self {
        let text = arguments.trim_ascii();
        if matches!(text, "" | "null") {
            return Self::Empty {};
        }
        match serde_json::from_str::<&RawValue>(text) {
            Ok(object) if text.starts_with('{') => Self::Object(object),
            _ => Self::Broken { text: arguments },
        }
    }
}

impl<'a> Block<'a> {
    /// Words without a mark.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: None,
        }
    }

    /// A call whose arguments are whole.
    pub(super) fn call(id: &'a str, name: &'a str, arguments: &'a str) -> Self {
        Self::ToolUse {
            id: call_id(id),
            name,
            input: Input::of(arguments),
        }
    }

    /// Thoughts as a client keeps them: whoever signed them.
    pub(super) fn thinking(text: &'a str, signature: Option<&Signature>) -> Self {
        let signature = signature.map(|by| by.written(Maker::Anthropic));
        Self::Thinking {
            thinking: text,
            signature: Cow::Owned(signature.unwrap_or_default()),
        }
    }

    /// What only its maker can read, as a client keeps it.
    ///
    /// A call has no place for a signature: it travels in such a block before the call, and finds its way back in `request::read`.
    pub(super) fn redacted(signature: &Signature) -> Self {
        Self::RedactedThinking {
            data: Cow::Owned(signature.written(Maker::Anthropic)),
        }
    }

    /// Where the block has its cache mark, if it can have one.
    pub(super) fn mark(&mut self) -> Option<&mut Option<Mark>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::ToolUse { .. } | Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }
}

/// A call's id in the letters that Anthropic takes (`^[a-zA-Z0-9_-]+$`).
pub(super) fn call_id(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    let mut written = String::from("call_");
    for byte in id.bytes() {
        if plain(byte) {
            written.push(char::from(byte));
        } else {
            written.push('_');
            let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
            written.extend([digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_an_object_in_its_own_words() {
        let check = |arguments: &str, written: &str| {
            let input = serde_json::to_string(&Input::of(arguments)).unwrap();
            assert_eq!(input, written, "{arguments}");
        };
        check("", "{}");
        check(" null ", "{}");
        check(r#" {"b": 1.0,"a":1e2} "#, r#"{"b": 1.0,"a":1e2}"#);
        check(r#"{"a":"#, r#"{"INVALID_JSON":"{\"a\":"}"#);
        check("[1]", r#"{"INVALID_JSON":"[1]"}"#);
        check("{} x", r#"{"INVALID_JSON":"{} x"}"#);
        let deep = "[".repeat(100_000);
        assert!(matches!(Input::of(&deep), Input::Broken { .. }));
    }

    #[test]
    fn ids_keep_apart() {
        assert_eq!(call_id("toolu_01-A"), "toolu_01-A");
        assert_eq!(call_id("call.1"), "call_call_2e1");
        assert_eq!(call_id(""), "call_");
        let odd = ["a.b", "a:b", "a b", "aéb"].map(call_id);
        for (at, id) in odd.iter().enumerate() {
            assert!(!odd[..at].contains(id), "{id}");
            assert_eq!(call_id(id), *id);
        }
    }
}
