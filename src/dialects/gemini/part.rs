//! What do the parts of a content mean?
//!
//! Requests, answers and streams consist of the same parts.
//!
//! # Invariants
//! - The text of arguments is the peer's own, byte for byte.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ids::Ids;
use super::media::{Blob, File};
use super::signature;
use super::wire::{Glance, OneOrMany};
use crate::chat::{Maker, Part, Signature};

/// A turn, or a system instruction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    pub(super) role: Option<String>,
    pub(super) parts: OneOrMany<RawPart>,
}

/// A part as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawPart {
    text: Option<String>,
    thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    file_data: Option<File>,
    #[serde(alias = "function_call")]
    function_call: Option<RawCall>,
    #[serde(alias = "function_response")]
    function_response: Option<RawResponse>,
    #[serde(alias = "executable_code")]
    executable_code: Glance,
    #[serde(alias = "code_execution_result")]
    code_execution_result: Glance,
    #[serde(alias = "tool_call")]
    tool_call: Glance,
    #[serde(alias = "tool_response")]
    tool_response: Glance,
    #[serde(alias = "video_metadata")]
    video_metadata: Glance,
    #[serde(alias = "media_resolution")]
    media_resolution: Glance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawResponse {
    id: Option<String>,
    name: Option<String>,
    response: Option<Box<RawValue>>,
    parts: OneOrMany<RawPart>,
}

/// What parts that only Google's own tools write are reported as, in every dialect.
const CONTENT_PART: &str = "content part";

impl RawPart {
    /// What it means, appended to `out`; what has no meaning here is noted in `unknown`.
    pub(super) fn read(self, ids: &mut Ids, out: &mut Vec<Part>, unknown: &mut Vec<&'static str>) {
        self.note_unknown(unknown);
        let text_given = self.text.is_some();
        let mut signature = self.thought_signature.as_deref().and_then(signature::read);
        if self.thought == Some(true) {
            return read_thought(self.text, signature, out);
        }
        if let Some(text) = self.text.filter(|text| !text.is_empty()) {
            out.push(Part::text(text));
        }
        if let Some(call) = self.function_call {
            let name = call.name.unwrap_or_default();
            out.push(Part::ToolCall {
                id: ids.call(&name, call.id),
                name,
                arguments: call.args.map(text_of).unwrap_or_default(),
                signature: signature.take(),
            });
        }
        if let Some(blob) = self.inline_data {
            out.push(blob.into());
        }
        if let Some(file) = self.file_data {
            out.push(file.into());
        }
        if let Some(response) = self.function_response {
            out.push(response.read(ids, unknown));
        }
        if let Some(signature) = signature {
            out.push(withheld(signature, text_given));
        }
    }

    fn note_unknown(&self, unknown: &mut Vec<&'static str>) {
        for (glance, name) in [
            (self.executable_code, CONTENT_PART),
            (self.code_execution_result, CONTENT_PART),
            (self.tool_call, CONTENT_PART),
            (self.tool_response, CONTENT_PART),
            (self.video_metadata, "videoMetadata"),
            (self.media_resolution, "mediaResolution"),
        ] {
            if glance.filled && !unknown.contains(&name) {
                unknown.push(name);
            }
        }
    }
}

/// Thoughts that come in pieces are one, and the last piece's signature signs them all.
fn read_thought(text: Option<String>, signed: Option<Signature>, out: &mut Vec<Part>) {
    let given = text.is_some();
    let more = text.unwrap_or_default();
    if let Some(Part::Thinking { text, signature }) = out.last_mut()
        && signature.is_none()
        && (given || signed.is_none())
    {
        text.push_str(&more);
        *signature = signed;
        return;
    }
    match signed {
        Some(signed) if more.is_empty() => out.push(withheld(signed, given)),
        None if more.is_empty() => {}
        signature => out.push(Part::Thinking {
            text: more,
            signature,
        }),
    }
}

/// A signature alone: thoughts that only their maker can read are written without `text`, see [`WrittenPart::redacted`](super::written::WrittenPart::redacted).
fn withheld(signature: Signature, text_given: bool) -> Part {
    if !text_given && signature.maker != Maker::Google {
        return Part::Redacted(signature);
    }
    Part::Thinking {
        text: String::new(),
        signature: Some(signature),
    }
}

/// The text of JSON, null read as none.
fn text_of(raw: Box<RawValue>) -> String {
    if raw.get() == "null" {
        return String::new();
    }
    String::from(Box::<str>::from(raw))
}

impl RawResponse {
    fn read(self, ids: &mut Ids, unknown: &mut Vec<&'static str>) -> Part {
        let name = self.name.unwrap_or_default();
        let (text, is_error) = read_response(self.response.map(text_of).unwrap_or_default());
        let mut content = Vec::new();
        if !text.is_empty() {
            content.push(Part::text(text));
        }
        for part in self.parts.0 {
            // Only media may stand here; a response within a response ends the descent.
            let media = RawPart {
                function_response: None,
                ..part
            };
            media.read(&mut Ids::default(), &mut content, unknown);
        }
        Part::ToolResult {
            id: ids.answered(&name, self.id),
            name,
            content,
            is_error,
            cache: false,
        }
    }
}

/// What a tool said, and whether it failed: `result`, `output` and `error` alone in an object are the convention for plain text.
fn read_response(json: String) -> (String, bool) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Plain<'a> {
        #[serde(borrow, default)]
        result: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        output: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        error: Option<Cow<'a, str>>,
    }
    match serde_json::from_str::<Plain<'_>>(&json) {
        Ok(
            Plain {
                result: Some(text),
                output: None,
                error: None,
            }
            | Plain {
                output: Some(text),
                result: None,
                error: None,
            },
        ) => (text.into_owned(), false),
        Ok(Plain {
            error: Some(text),
            result: None,
            output: None,
        }) => (text.into_owned(), true),
        _ => (json, false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::written::WrittenPart;
    use super::*;

    fn read(json: &str) -> (Vec<Part>, Vec<&'static str>) {
        let content: Content = serde_json::from_str(json).unwrap();
        let (mut ids, mut out, mut unknown) = (Ids::default(), Vec::new(), Vec::new());
        for part in content.parts.0 {
            part.read(&mut ids, &mut out, &mut unknown);
        }
        (out, unknown)
    }

    #[test]
    fn responses_find_their_calls() {
        let (parts, _) = read(
            r#"{"parts":[
                {"functionCall":{"name":"a","args":{"b": 1,"a":2.50}}},
                {"function_call":{"name":"b"}},
                {"functionCall":{"id":"x","name":"a","args":null}},
                {"functionResponse":{"name":"b","response":{"result":"B"}}},
                {"functionResponse":{"name":"a","response":{"error":"no"}}},
                {"functionResponse":{"id":"x","name":"a","response":{"k":[1]}}},
                {"functionResponse":{"name":"z","response":{}}}]}"#,
        );
        let call = |at: usize| match &parts[at] {
            Part::ToolCall { id, arguments, .. } => (id.as_str(), arguments.as_str()),
            other => panic!("{other:?}"),
        };
        assert_eq!(call(0), ("call_0", r#"{"b": 1,"a":2.50}"#));
        assert_eq!(call(1), ("call_1", ""));
        assert_eq!(call(2), ("x", ""));
        let result = |at: usize| match &parts[at] {
            Part::ToolResult {
                id,
                content,
                is_error,
                ..
            } => (id.as_str(), content.clone(), *is_error),
            other => panic!("{other:?}"),
        };
        assert_eq!(result(3), ("call_1", vec![Part::text("B")], false));
        assert_eq!(result(4), ("call_0", vec![Part::text("no")], true));
        assert_eq!(result(5), ("x", vec![Part::text(r#"{"k":[1]}"#)], false));
        assert_eq!(result(6).0, "z");
    }

    #[test]
    fn thoughts_are_joined_and_signed() {
        let (parts, _) = read(
            r#"{"parts":[{"text":"a","thought":true},{"text":"b","thought":true},
                {"text":"","thought":true,"thoughtSignature":"c2ln"},
                {"text":"w","thoughtSignature":"bmV4dA=="}]}"#,
        );
        let google = |text: &str| Some(Signature::new(Maker::Google, text));
        let expected = [
            Part::Thinking {
                text: "ab".to_owned(),
                signature: google("c2ln"),
            },
            Part::text("w"),
            Part::Thinking {
                text: String::new(),
                signature: google("bmV4dA=="),
            },
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn foreign_signatures_come_back_through_clients_that_decode() {
        for maker in [Maker::Anthropic, Maker::OpenAi] {
            let mut foreign = Signature::new(maker, "sig/+==");
            foreign.id = "rs_1".to_owned();
            let thinking = WrittenPart::thought("t", Some(&foreign));
            let redacted = WrittenPart::redacted(&foreign);
            let json = serde_json::to_string(&[thinking, redacted]).unwrap();
            // What a client does that keeps bytes and writes them in the other alphabet.
            let json = json.replace('+', "-").replace('/', "_");
            let (parts, _) = read(&format!(r#"{{"parts":{json}}}"#));
            let expected = [
                Part::Thinking {
                    text: "t".to_owned(),
                    signature: Some(foreign.clone()),
                },
                Part::Redacted(foreign),
            ];
            assert_eq!(parts, expected);
        }
    }

    #[test]
    fn what_has_no_meaning_here_is_named_once() {
        let (parts, unknown) = read(
            r#"{"parts":[{"executableCode":{"code":"1"}},{"executable_code":{"code":"2"}},
                {"text":"x","videoMetadata":{"fps":1}},{"somethingNew":1}]}"#,
        );
        assert_eq!(parts, [Part::text("x")]);
        assert_eq!(unknown, ["content part", "videoMetadata"]);
    }
}
