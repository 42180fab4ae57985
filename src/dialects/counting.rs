//! How is a count of tokens asked for and answered, dialect by dialect?
//!
//! A count is asked with the fields of the request that it is a count of, less those that do not count: so the dialects' own readers and writers do the work,
//! and here the fields are chosen and the one number is read and written.
//! Sources: Anthropic's and OpenAI's API references, Google's types of `generativelanguage` and of Vertex AI, `CountTokens` in Amazon Bedrock's API reference.
//!
//! # Invariants
//! - Nothing is written that a counting endpoint refuses: each knows a part of its dialect's fields only.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::format::Format;
use super::meeting::{Malformed, Target};
use super::{anthropic, bedrock, gemini, responses};
use crate::chat::{Losses, Request};

/// What Anthropic takes.
const ANTHROPIC: [&str; 7] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
];

/// What OpenAI takes.
const OPENAI: [&str; 8] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
];

/// What Vertex AI takes.
const GOOGLE: [&str; 4] = ["contents", "systemInstruction", "tools", "generationConfig"];

/// What Bedrock takes.
const AMAZON: [&str; 4] = [
    "messages",
    "system",
    "toolConfig",
    "additionalModelRequestFields",
];

/// Gemini's question: the contents alone, or the request that they are part of.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(
        borrow,
        default,
        rename = "generateContentRequest",
        alias = "generate_content_request"
    )]
    request: Option<&'a RawValue>,
}

/// An answer of any dialect.
#[derive(Deserialize)]
struct Counted {
    #[serde(alias = "inputTokens", alias = "totalTokens")]
    input_tokens: u64,
}

/// The request whose tokens a client wants counted.
///
/// # Errors
/// [`Malformed`], in words for the client.
pub fn read(
    format: Format,
    body: &[u8],
    recall: &dyn Fn(&str) -> Option<Bytes>,
) -> Result<Request, Malformed> {
    match format {
        Format::CountTokens => anthropic::request::read(body),
        Format::GeminiCount => {
            let wrapped: Wrapped<'_> = serde_json::from_slice(body)?;
            let inner = wrapped.request.map(|request| request.get().as_bytes());
            gemini::request::read(inner.unwrap_or(body))
        }
        _ => responses::request::read_recalling(body, recall),
    }
}

/// The question for a provider, and what was left out of it; Gemini's is Vertex AI's, which [`for_gemini`] wraps.
#[must_use]
pub fn write(format: Format, request: &Request, target: &Target<'_>) -> (Vec<u8>, Losses) {
    let (whole, losses) = match format {
        Format::CountTokens => anthropic::request::write(request, target),
        Format::GeminiCount => gemini::request::write(request, target),
        Format::ConverseCount => bedrock::request::write(request, target),
        _ => responses::request::write(request, target),
    };
    let fields: &[&str] = match format {
        Format::CountTokens => &ANTHROPIC,
        Format::GeminiCount => &GOOGLE,
        Format::ConverseCount => &AMAZON,
        _ => &OPENAI,
    };
    let kept = only(&whole, fields);
    let body = match format {
        Format::ConverseCount => [b"{\"input\":{\"converse\":", &*kept, b"}}"].concat(),
        _ => kept,
    };
    (body, losses)
}

/// The fields of an object that are among `names`.
fn only(object: &[u8], names: &[&str]) -> Vec<u8> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(object).unwrap_or_default();
    fields.retain(|name, _| names.contains(name));
    // What was read as JSON always serialises.
    serde_json::to_vec(&fields).unwrap_or_default()
}

/// The question as Gemini's own API takes it, which counts contents alone or a whole request that names its model.
#[must_use]
pub fn for_gemini(body: &[u8], model: &str) -> Vec<u8> {
    let fields = body.strip_prefix(b"{").unwrap_or(body);
    let model = json!(format!("models/{model}")).to_string();
    let comma: &[u8] = if fields.starts_with(b"}") { b"" } else { b"," };
    [
        b"{\"generateContentRequest\":{\"model\":",
        model.as_bytes(),
        comma,
        fields,
        b"}",
    ]
    .concat()
}

/// The number in a provider's answer.
///
/// # Errors
/// [`Malformed`] where there is none.
pub fn read_answer(format: Format, bytes: &[u8]) -> Result<u64, Malformed> {
    let counted: Counted = serde_json::from_slice(bytes)?;
    // Google leaves a zero out, but counts no request as empty.
    match (format, counted.input_tokens) {
        (Format::GeminiCount, 0) => Err(Malformed::new("it counts no tokens")),
        (_, tokens) => Ok(tokens),
    }
}

/// The answer for a client.
#[must_use]
pub fn write_answer(client: Format, tokens: u64) -> Vec<u8> {
    let answer = match client {
        Format::CountTokens => json!({"input_tokens": tokens}),
        Format::GeminiCount => json!({"totalTokens": tokens}),
        _ => json!({"object": "response.input_tokens", "input_tokens": tokens}),
    };
    answer.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const TARGET: Target<'static> = Target {
        model: "up",
        default_max_tokens: 4_096,
        most_max_tokens: None,
    };

    /// One question, as each client asks it.
    fn asked(format: Format) -> Value {
        match format {
            Format::CountTokens => json!({
                "model": "m", "system": "be kind",
                "messages": [{"role": "user", "content": "hello"}],
                "tools": [{"name": "find", "description": "Finds.", "input_schema": {"type": "object"}}],
            }),
            Format::InputTokens => json!({
                "model": "m", "instructions": "be kind", "input": "hello",
                "tools": [{"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}}],
            }),
            _ => json!({"generateContentRequest": {
                "systemInstruction": {"parts": [{"text": "be kind"}]},
                "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
                "tools": [{"functionDeclarations": [{"name": "find", "description": "Finds.", "parametersJsonSchema": {"type": "object"}}]}],
            }}),
        }
    }

    fn understood(format: Format) -> Request {
        read(format, asked(format).to_string().as_bytes(), &|_| None).unwrap()
    }

    const CLIENTS: [Format; 3] = [
        Format::CountTokens,
        Format::InputTokens,
        Format::GeminiCount,
    ];

    #[test]
    fn every_client_is_asked_on_in_every_providers_words() {
        for client in CLIENTS {
            let request = understood(client);
            for (provider, fields) in [
                (Format::CountTokens, &ANTHROPIC[..]),
                (Format::InputTokens, &OPENAI),
                (Format::GeminiCount, &GOOGLE),
                (Format::ConverseCount, &AMAZON),
            ] {
                let (body, losses) = write(provider, &request, &TARGET);
                assert_eq!(losses.of_meaning(), None, "{client:?} {provider:?}");
                let mut body: Value = serde_json::from_slice(&body).unwrap();
                if provider == Format::ConverseCount {
                    body = body["input"]["converse"].take();
                }
                let text = body.to_string();
                for part in ["be kind", "hello", "find", "Finds."] {
                    assert!(text.contains(part), "{client:?} {provider:?}: {text}");
                }
                for name in body.as_object().unwrap().keys() {
                    assert!(fields.contains(&name.as_str()), "{name}: {text}");
                }
            }
        }
    }

    #[test]
    fn gemini_counts_contents_alone_as_well() {
        let body = br#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;
        let request = read(Format::GeminiCount, body, &|_| None).unwrap();
        assert_eq!(request.messages.len(), 1);
        assert_eq!(
            for_gemini(body, "g\"1"),
            br#"{"generateContentRequest":{"model":"models/g\"1","contents":[{"parts":[{"text":"hello"}]}]}}"#
        );
        assert_eq!(
            for_gemini(b"{}", "g"),
            br#"{"generateContentRequest":{"model":"models/g"}}"#
        );
    }

    #[test]
    fn answers_are_one_number() {
        for (provider, answer, expected) in [
            (Format::CountTokens, r#"{"input_tokens":7}"#, Some(7)),
            (
                Format::InputTokens,
                r#"{"object":"response.input_tokens","input_tokens":7}"#,
                Some(7),
            ),
            (
                Format::GeminiCount,
                r#"{"totalTokens":7,"promptTokensDetails":[]}"#,
                Some(7),
            ),
            (Format::GeminiCount, r#"{"totalTokens":0}"#, None),
            (Format::ConverseCount, r#"{"inputTokens":7}"#, Some(7)),
            (Format::CountTokens, r#"{"input_tokens":-7}"#, None),
            (Format::CountTokens, r#"{"input_tokens":"7"}"#, None),
            (Format::CountTokens, "{}", None),
            (Format::CountTokens, "7", None),
        ] {
            let read = read_answer(provider, answer.as_bytes());
            assert_eq!(read.ok(), expected, "{answer}");
        }
        for client in CLIENTS {
            assert_eq!(read_answer(client, &write_answer(client, 9)), Ok(9));
        }
    }

    #[test]
    fn what_is_no_question_is_malformed() {
        for client in CLIENTS {
            for body in ["", "7", "{\"messages\":7,\"input\":7,\"contents\":7}"] {
                assert!(
                    read(client, body.as_bytes(), &|_| None).is_err(),
                    "{client:?} {body}"
                );
            }
        }
    }
}
