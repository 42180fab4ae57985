//! What does the call look like that a client makes?
//!
//! # Invariants
//! - A call asks for a stream and for few tokens.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::json;

use crate::config::Secret;

use super::client::{Client, Kind};

/// Tokens asked for: the least that every provider accepts.
const TOKENS: u32 = 16;

/// What the model is asked.
const PROMPT: &str = "Say hello.";

/// A call, before it has a host.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Asks which models there are.
pub(super) fn models(client: Client, token: Option<&Secret>) -> Call {
    Call {
        method: Method::GET,
        path: "/v1/models".to_owned(),
        headers: headers(client, token),
        body: Bytes::new(),
    }
}

/// Asks a model for a few words.
pub(super) fn words(client: Client, model: &str, token: Option<&Secret>) -> Call {
    let turn = json!({"role": "user", "content": PROMPT});
    let (path, body) = match client.kind() {
        Kind::Chat => (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "messages": [turn], "max_tokens": TOKENS, "stream": true, "stream_options": {"include_usage": true}}),
        ),
        Kind::Messages => (
            "/v1/messages".to_owned(),
            json!({"model": model, "messages": [turn], "max_tokens": TOKENS, "stream": true}),
        ),
        Kind::Responses => (
            "/v1/responses".to_owned(),
            json!({
                "model": model,
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": PROMPT}]}],
                "max_output_tokens": TOKENS, "stream": true, "store": false,
            }),
        ),
        Kind::Generate => (
            format!(
                "/v1/models/{}:streamGenerateContent?alt=sse",
                segment(model)
            ),
            json!({
                "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
                "generationConfig": {"maxOutputTokens": TOKENS},
            }),
        ),
    };
    let mut headers = headers(client, token);
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Call {
        method: Method::POST,
        path,
        headers,
        body: body.to_string().into(),
    }
}

impl Call {
    /// The target of the request line; none if the path is none.
    pub(super) fn uri(&self) -> Option<Uri> {
        self.path.parse().ok()
    }
}

fn headers(client: Client, token: Option<&Secret>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let kind = client.kind();
    if kind == Kind::Messages {
        let version = match client {
            Client::ClaudeCode => "2023-06-01",
            _ => "2026-10-21",
        };
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(version),
        );
    }
    let Some(token) = token else {
        return headers;
    };
    let (name, text) = match kind {
        Kind::Generate => ("x-goog-api-key", token.expose().to_owned()),
        _ => ("authorization", format!("Bearer {}", token.expose())),
    };
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

/// A model's name as part of a path.
fn segment(model: &str) -> String {
    let mut made = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            made.push(char::from(byte));
        } else {
            made.push_str(&format!("%{byte:02X}"));
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_can_be_sent_and_carries_the_token_where_its_client_puts_it() {
        let token = Secret::new("t0ken");
        for client in Client::ALL {
            let call = words(client, "a b?c", Some(&token));
            assert!(call.uri().is_some(), "{}", call.path);
            let header = match client.kind() {
                Kind::Generate => "x-goog-api-key",
                _ => "authorization",
            };
            let value = call.headers.get(header);
            assert!(value.is_some_and(HeaderValue::is_sensitive), "{client:?}");
            assert!(!format!("{call:?}").contains("t0ken"));
        }
        assert_eq!(segment("org/a:b"), "org/a%3Ab");
    }
}
