//! What does Bedrock say when it refuses, in the words in which every refusal is judged?
//!
//! Its errors are `{"message"}`, and what kind they are stands in the header `x-amzn-errortype`, in `__type`, or in a frame's header.
//! Here they become `{"error":{"type","message"}}`, which [`classify`](super::super::classify) understands.
//!
//! # Invariants
//! - What comes out is always such an object, whatever came in.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// The header that tells what kind an error is.
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// The longest text that is taken over from a body that is no JSON, in bytes: a proxy's page is not worth more.
const LONGEST_TEXT: usize = 512;

#[derive(Serialize)]
struct Written<'a> {
    error: Object<'a>,
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default, alias = "Message")]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "__type")]
    kind: Option<Cow<'a, str>>,
}

/// The error object for a refusal: what kind it is by the header if there is one, else by the body, else by the status.
#[must_use]
pub fn normalise(errortype: Option<&str>, status: Option<StatusCode>, body: &[u8]) -> Bytes {
    let read = serde_json::from_slice::<Body<'_>>(body);
    let text = match &read {
        Ok(_) => Cow::Borrowed(""),
        Err(_) => String::from_utf8_lossy(body.get(..LONGEST_TEXT).unwrap_or(body)),
    };
    let read = read.unwrap_or_default();
    let message = read.message.as_deref().unwrap_or(text.trim());
    let named = errortype.or(read.kind.as_deref()).map_or("", plain);
    let kind = if named.is_empty() {
        of_status(status)
    } else {
        named
    };
    object(kind, message)
}

/// The error object of this type and with these words.
#[must_use]
pub fn object(kind: &str, message: &str) -> Bytes {
    let written = Written {
        error: Object { kind, message },
    };
    // Strings always serialise.
    Bytes::from(serde_json::to_vec(&written).unwrap_or_default())
}

/// `ThrottlingException` of `com.amazon.x#ThrottlingException:http://…`.
fn plain(errortype: &str) -> &str {
    let name = errortype.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

/// The exception that Bedrock answers with this status. Source: the Converse operation's errors.
fn of_status(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16()) {
        Some(400) => "ValidationException",
        Some(403) => "AccessDeniedException",
        Some(404) => "ResourceNotFoundException",
        Some(408) => "ModelTimeoutException",
        Some(424) => "ModelErrorException",
        Some(429) => "ThrottlingException",
        Some(503) => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
