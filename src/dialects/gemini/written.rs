//! How are parts written?
//!
//! # Invariants
//! - Arguments and answers of tools are objects on one line, whatever they were.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{self, WrittenBlob, WrittenFile};
use super::signature::{self, SKIPPED, SKIPPED_IN_BASE64};
use crate::chat::Signature;

/// A part as it is written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<WrittenBlob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<WrittenFile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<WrittenCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<WrittenResponse<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    args: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct WrittenResponse<'a> {
    name: &'a str,
    response: Box<RawValue>,
}

impl<'a> WrittenPart<'a> {
    /// Words.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Thoughts, and what they were signed with.
    pub(super) fn thought(text: &'a str, signature: Option<&'a Signature>) -> Self {
        Self {
            thought: Some(true),
            thought_signature: signature.map(signature::write),
            ..Self::text(text)
        }
    }

    /// A signature on nothing, where Google puts those of answers without shown thoughts.
    pub(super) fn signed(signature: &'a Signature) -> Self {
        Self {
            thought_signature: Some(signature::write(signature)),
            ..Self::text("")
        }
    }

    /// Thoughts that only their maker can read.
    pub(super) fn redacted(signature: &'a Signature) -> Self {
        Self {
            thought: Some(true),
            thought_signature: Some(signature::write(signature)),
            ..Self::default()
        }
    }

    /// A call. Providers are told no `id`: Vertex refuses the field.
    pub(super) fn call(id: Option<&'a str>, name: &'a str, arguments: &str) -> Self {
        let args = object(arguments).unwrap_or_else(|| wrapped("arguments", arguments));
        Self {
            function_call: Some(WrittenCall { id, name, args }),
            ..Self::default()
        }
    }

    /// The same part with what it was signed with.
    pub(super) fn with_signature(self, signature: Option<&'a Signature>) -> Self {
        Self {
            thought_signature: signature.map(signature::write),
            ..self
        }
    }

    /// A tool's answer: an object as it is, anything else as the `result` in one.
    pub(super) fn response(name: &'a str, text: &str, is_error: bool) -> Self {
        let response = match is_error {
            true => wrapped("error", text),
            false => object_only(text).unwrap_or_else(|| wrapped("result", text)),
        };
        Self {
            function_response: Some(WrittenResponse { name, response }),
            ..Self::default()
        }
    }

    /// A medium.
    pub(super) fn media(written: media::Written<'a>) -> Self {
        match written {
            media::Written::Inline(blob) => Self {
                inline_data: Some(blob),
                ..Self::default()
            },
            media::Written::File(file) => Self {
                file_data: Some(file),
                ..Self::default()
            },
            media::Written::Text(text) => Self::text(text),
        }
    }

    /// Whether it is a call without a signature.
    pub(super) const fn is_unsigned_call(&self) -> bool {
        self.function_call.is_some() && self.thought_signature.is_none()
    }

    /// Whether it is a call.
    pub(super) const fn is_call(&self) -> bool {
        self.function_call.is_some()
    }

    /// Writes the stand-in for a signature.
    pub(super) fn skip_signature(&mut self) {
        self.thought_signature = Some(Cow::Borrowed(SKIPPED));
    }

    /// Writes the stand-in for a signature where a client keeps it, to send it to a model that demands one.
    pub(super) fn keep_skipped(&mut self) {
        if self.is_unsigned_call() {
            self.thought_signature = Some(Cow::Borrowed(SKIPPED_IN_BASE64));
        }
    }
}

/// Whether a tool call's arguments are what they must be: an object, or nothing.
pub(super) fn is_object(arguments: &str) -> bool {
    object(arguments).is_some()
}

/// The object that arguments are, nothing standing for the empty one.
fn object(text: &str) -> Option<Box<RawValue>> {
    object_only(if text.trim().is_empty() { "{}" } else { text })
}

/// The object that a text is, on one line: a line end would break an event in two.
fn object_only(text: &str) -> Option<Box<RawValue>> {
    let text = text.trim();
    if !text.starts_with('{') {
        return None;
    }
    // Within JSON a bare line end stands between tokens only.
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}

/// An object with this text as its only value.
fn wrapped(key: &str, text: &str) -> Box<RawValue> {
    let text = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    RawValue::from_string(format!("{{\"{key}\":{text}}}"))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_answers_are_objects_on_one_line() {
        let check = |part: WrittenPart<'_>, expected: &str| {
            assert_eq!(serde_json::to_string(&part).unwrap(), expected);
        };
        check(
            WrittenPart::call(Some("i"), "f", "{\"b\":1,\n \"a\":1.0}"),
            r#"{"functionCall":{"id":"i","name":"f","args":{"b":1,  "a":1.0}}}"#,
        );
        check(
            WrittenPart::call(None, "f", ""),
            r#"{"functionCall":{"name":"f","args":{}}}"#,
        );
        check(
            WrittenPart::call(None, "f", "{\"a\":"),
            r#"{"functionCall":{"name":"f","args":{"arguments":"{\"a\":"}}}"#,
        );
        for (text, is_error, expected) in [
            ("{\"a\":1}", false, r#"{"a":1}"#),
            ("sunny", false, r#"{"result":"sunny"}"#),
            ("[1]", false, r#"{"result":"[1]"}"#),
            ("", false, r#"{"result":""}"#),
            ("boom", true, r#"{"error":"boom"}"#),
        ] {
            check(
                WrittenPart::response("f", text, is_error),
                &format!(r#"{{"functionResponse":{{"name":"f","response":{expected}}}}}"#),
            );
        }
    }
}
