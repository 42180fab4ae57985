//! Puts the upstream's model name, and a wish for usage, into a request's own bytes.
//!
//! # Invariants
//! - Every byte outside the spliced places is the client's, in its order.

use std::ops::Range;

use bytes::Bytes;

use super::peek::{Peek, Place, UsageWish};

/// `"include_usage":true`, the way it is put into a request.
const WISH: &str = r#""stream_options":{"include_usage":true},"#;

/// Whether the usage chunk that comes back was asked for by the client or only by the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageChunk {
    /// The client asked, or there is no stream: pass everything on.
    Expected,
    /// The gateway asked: keep the chunk for the accounts and do not pass it on.
    Injected,
}

/// A model's name at a provider, in the two ways in which requests write it.
#[derive(Clone, Debug)]
pub struct ModelName {
    /// As it is.
    pub plain: Box<str>,
    /// As a JSON string, quotes included.
    pub json: Box<str>,
}

impl ModelName {
    /// The name `plain`.
    #[must_use]
    pub fn new(plain: &str) -> Self {
        Self {
            plain: plain.into(),
            json: serde_json::Value::from(plain).to_string().into(),
        }
    }
}

/// The body to send to a route whose model has this name; nothing else changes.
#[must_use]
pub fn named(body: &Bytes, peek: &Peek<'_>, model: &ModelName) -> Bytes {
    let name = match peek.place {
        Place::Path => return body.clone(),
        Place::Form => &model.plain,
        Place::Json => &model.json,
    };
    rebuild(body, &[(peek.model_at.clone(), name)])
}

/// The body to send to a route whose model is `model_json` (a JSON string, quotes included); a stream is asked for its usage.
#[must_use]
pub fn splice(body: &[u8], peek: &Peek<'_>, model_json: &str) -> (Bytes, UsageChunk) {
    let model = (peek.model_at.clone(), model_json);
    if !peek.stream {
        return (rebuild(body, &[model]), UsageChunk::Expected);
    }
    match &peek.usage {
        UsageWish::Asked => (rebuild(body, &[model]), UsageChunk::Expected),
        UsageWish::Silent(at) => {
            let wish = (*at..*at, WISH);
            (rebuild(body, &[wish, model]), UsageChunk::Injected)
        }
        UsageWish::Options(range) => {
            let options = with_usage(&body[range.clone()]);
            let mut edits = [(range.clone(), options.as_str()), model];
            edits.sort_by_key(|(range, _)| range.start);
            (rebuild(body, &edits), UsageChunk::Injected)
        }
    }
}

/// The stream options with `include_usage` set; they hold a few flags only.
fn with_usage(options: &[u8]) -> String {
    let mut map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(options).unwrap_or_default();
    map.insert("include_usage".to_owned(), true.into());
    serde_json::Value::Object(map).to_string()
}

/// Copies `body` with each range replaced; the ranges are in order and do not overlap.
fn rebuild(body: &[u8], edits: &[(Range<usize>, &str)]) -> Bytes {
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut at = 0;
    for (range, text) in edits {
        out.extend_from_slice(&body[at..range.start]);
        out.extend_from_slice(text.as_bytes());
        at = range.end;
    }
    out.extend_from_slice(&body[at..]);
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::super::peek::peek;
    use super::*;

    #[test]
    fn only_the_spliced_places_change() {
        let check = |body: &str, expected: &str, chunk: UsageChunk| {
            let peeked = peek(body.as_bytes()).unwrap();
            let (out, got) = splice(body.as_bytes(), &peeked, "\"up\"");
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
            assert_eq!(got, chunk);
        };
        check(
            r#"{"a": 1.50, "model" : "m" , "z":[ ]}"#,
            r#"{"a": 1.50, "model" : "up" , "z":[ ]}"#,
            UsageChunk::Expected,
        );
        check(
            r#"{ "model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true}, "model":"up","stream":true}"#,
            UsageChunk::Injected,
        );
        check(
            r#"{"stream_options":{"include_obfuscation":false},"stream":true,"model":"m"}"#,
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true,"model":"up"}"#,
            UsageChunk::Injected,
        );
        check(
            r#"{"stream":true,"model":"m","stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"model":"up","stream_options":{"include_usage":true}}"#,
            UsageChunk::Expected,
        );
    }
}
