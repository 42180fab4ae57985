//! How is a failure told in the client's words, and what does a provider's failure say?
//!
//! # Invariants
//! - Whatever went wrong, a client gets its own dialect's error object, and in a stream its own dialect's error event.

use bytes::Bytes;
use scoring::outcome::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::classify::Verdict;
use super::failure::Failure;
use super::format::{Format, Surface};
use super::{anthropic, bedrock, cohere, gemini, openai, responses};

/// Longest message of a provider's that is told in other words than its own, bytes.
const MAX_MESSAGE: usize = 4 * 1024;

impl Surface {
    /// The error object, as a response body.
    #[must_use]
    pub fn error(self, failure: Failure, message: &str, request_id: &str) -> Bytes {
        match self {
            Self::OpenAi => openai::error::body(failure, message),
            Self::Anthropic => anthropic::error::body(failure, message, request_id),
            Self::Gemini => gemini::error::body(failure, message),
        }
    }

    /// Whether a provider's body is an error object in these words, so that it may be passed on as it is.
    #[must_use]
    pub fn is_error(self, json: &[u8]) -> bool {
        match self {
            Self::OpenAi => {
                openai::error::is_error_object(json)
                    && !anthropic::error::is_error_object(json)
                    && !gemini::error::is_error_object(json)
            }
            Self::Anthropic => anthropic::error::is_error_object(json),
            Self::Gemini => gemini::error::is_error_object(json),
        }
    }
}

impl Format {
    /// The error as the last event of a broken stream; the transfer is broken off after it.
    #[must_use]
    pub fn error_event(self, failure: Failure, message: &str, request_id: &str) -> Bytes {
        match self {
            Self::Messages => anthropic::error::event(failure, message, request_id),
            Self::Generate => gemini::error::event(failure, message),
            Self::Responses => responses::error::event(failure, message, request_id, 0),
            _ => openai::error::event(failure, message),
        }
    }
}

/// An error object of any shape, not looked into.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

impl<'a> Told<'a> {
    fn read(json: &'a str) -> Option<Self> {
        // Google's stream as a list has its error as the first element.
        if json.trim_ascii_start().starts_with('[') {
            let list: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            return Self::object(list.first()?.get());
        }
        Self::object(json)
    }

    /// Why the look at its beginning: a list would be taken for the fields in their order.
    fn object(json: &'a str) -> Option<Self> {
        let json = json.trim_ascii_start();
        json.starts_with('{')
            .then(|| serde_json::from_str(json).ok())?
    }

    /// Its words: the error's own, else those beside it.
    fn said(&self) -> Option<String> {
        let inner = self.error.and_then(|raw| {
            let within = Told::object(raw.get());
            text(raw).or_else(|| text(within?.message?))
        });
        inner.or_else(|| text(self.message?))
    }
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// An error that came within a stream of this format, as an object that [`classify`](super::classify) and [`message_in`] can read.
#[must_use]
pub fn error_in_stream(format: Format, data: &[u8]) -> Bytes {
    match format {
        Format::Responses => responses::error::object(data),
        _ => Bytes::copy_from_slice(data),
    }
}

/// A refusal's body, as an object that [`classify`](super::classify) and [`message_in`] can read.
#[must_use]
pub fn refusal(format: Format, head: &http::response::Parts, body: Bytes) -> Bytes {
    match format {
        Format::Converse | Format::ConverseCount => {
            let kind = head.headers.get(bedrock::error::ERROR_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok());
            bedrock::error::normalise(kind, Some(head.status), &body)
        }
        Format::CohereChat | Format::CohereEmbed | Format::CohereRerank => {
            cohere::error::normalise(head.status, &body)
        }
        _ => body,
    }
}

/// What clients are told of an unpaid bill: whose it is, and that they can do nothing about it.
const NO_CREDIT: &str = "The gateway's account at the provider has no quota or credit left; its operator has to renew it.";

/// What a client is told of a refusal: the provider's words, unless they are about the gateway's own account.
#[must_use]
pub fn said(verdict: Verdict, json: &[u8]) -> String {
    if verdict.failure == Failure::UpstreamQuota {
        return NO_CREDIT.to_owned();
    }
    let ours = verdict.outcome == Outcome::KeyRejected || verdict.failure.is_of_account();
    let said = if ours { None } else { message_in(json) };
    said.unwrap_or_else(|| "the provider refused the request".to_owned())
}

/// What a provider's error object says, if it is one of any known shape.
#[must_use]
pub fn message_in(json: &[u8]) -> Option<String> {
    let json = std::str::from_utf8(json).ok()?;
    let mut message = Told::read(json)?.said()?;
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    (!message.trim().is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_vendors_error_object_is_none_of_openais() {
        let own = r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#;
        let google = r#"{"error":{"code":500,"message":"m","status":"INTERNAL"}}"#;
        let anthropic = r#"{"type":"error","error":{"type":"t","message":"m"}}"#;
        for (json, expected) in [(own, true), (google, false), (anthropic, false)] {
            assert_eq!(
                Surface::OpenAi.is_error(json.as_bytes()),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn what_providers_say_is_found_in_any_shape() {
        for (json, expected) in [
            (r#"{"error":{"message":"a","code":1}}"#, Some("a")),
            (r#"{"error":"a"}"#, Some("a")),
            (r#"{"message":"a"}"#, Some("a")),
            (r#"[{"error":{"message":"a"}}]"#, Some("a")),
            (
                r#"{"type":"error","error":{"type":"t","message":"a \u00e9"}}"#,
                Some("a é"),
            ),
            (r#"{"error":{"code":1},"message":"a"}"#, Some("a")),
            (
                r#"{"error":{"message":1,"type":"t"},"message":"a"}"#,
                Some("a"),
            ),
            (r#"[[{"message":"a"}]]"#, None),
            (r#"{"error":[1,"a"]}"#, None),
            (r#"{"error":{"message":""}}"#, None),
            (r#"{"error":{}}"#, None),
            ("<html>", None),
            ("[]", None),
        ] {
            assert_eq!(message_in(json.as_bytes()).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn much_of_no_meaning_takes_little_memory() {
        let wide = format!("[{}0]", "{\"\":0},".repeat(20_000));
        let odd = format!(r#"{{"error":{{"message":{wide},"type":{wide}}}}}"#);
        for body in [wide, odd] {
            let memory = allocation_counter::measure(|| {
                assert_eq!(message_in(body.as_bytes()), None);
            });
            let most = 8 * body.len() as u64;
            assert!(memory.bytes_max < most, "{} of {most}", memory.bytes_max);
        }
    }
}
