//! Errors in the words that Anthropic's clients understand.
//!
//! Source: Anthropic API reference, "Errors".
//!
//! # Invariants
//! - Every failure is `{"type":"error","error":{"type","message"},"request_id"}`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::failure::Failure;

/// `type` of a failure.
const fn kind(failure: Failure) -> &'static str {
    match failure {
        Failure::BadRequest
        | Failure::TooLong
        | Failure::Encoding
        | Failure::SlowClient
        | Failure::Method
        | Failure::Unsupported => "invalid_request_error",
        Failure::TooLarge => "request_too_large",
        Failure::Unauthorized => "authentication_error",
        Failure::NoModel | Failure::NoPath => "not_found_error",
        Failure::NotAllowed | Failure::PriceUnknown => "permission_error",
        Failure::RateLimited | Failure::TooManyLogins => "rate_limit_error",
        Failure::Overloaded | Failure::Draining | Failure::LedgerDown => "overloaded_error",
        Failure::UpstreamQuota | Failure::BudgetSpent => "billing_error",
        Failure::Timeout => "timeout_error",
        Failure::Upstream | Failure::UpstreamAuth | Failure::Internal => "api_error",
    }
}

/// What clients look for, in order to shorten the conversation; there is no other sign of it.
const TOO_LONG: &str = "prompt is too long";

/// The message in the words by which clients of this dialect know the failure.
fn worded(failure: Failure, message: &str) -> Cow<'_, str> {
    if failure != Failure::TooLong || message.contains(TOO_LONG) {
        return message.into();
    }
    format!("{TOO_LONG}: {message}").into()
}

#[derive(Serialize)]
struct Object<'a> {
    r#type: &'static str,
    error: Inner<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Inner<'a> {
    r#type: &'static str,
    message: &'a str,
}

/// The error object, as a response body.
#[must_use]
pub fn body(failure: Failure, message: &str, request_id: &str) -> Bytes {
    let object = Object {
        r#type: "error",
        error: Inner {
            r#type: kind(failure),
            message: &worded(failure, message),
        },
        request_id,
    };
    // Strings always serialise.
    Bytes::from(serde_json::to_vec(&object).unwrap_or_default())
}

/// The error object as the last event of a broken stream; the transfer is broken off after it.
#[must_use]
pub fn event(failure: Failure, message: &str, request_id: &str) -> Bytes {
    let object = body(failure, message, request_id);
    let mut out = Vec::with_capacity(object.len() + 24);
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&object);
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}

/// Whether a provider's body is an error object in this dialect, so that it may be passed on as it is.
#[must_use]
pub fn is_error_object(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow)]
        error: Told<'a>,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    serde_json::from_slice::<Body<'_>>(json).is_ok_and(|body| {
        body.r#type == "error" && !body.error.r#type.is_empty() && !body.error.message.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_an_error_object() {
        for failure in Failure::ALL {
            let object = body(failure, "no \"x\"", "req-1");
            assert!(is_error_object(&object), "{failure:?}");
            let value: serde_json::Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(value["request_id"], "req-1");
        }
        assert!(!is_error_object(br#"{"error":{"message":"x","type":"t"}}"#));
        let told = event(Failure::Timeout, "late", "r");
        let said = |message: &str| {
            String::from_utf8(body(Failure::TooLong, message, "r").to_vec()).unwrap()
        };
        assert!(said("9 > 8").contains("\"prompt is too long: 9 > 8\""));
        assert!(said("x: prompt is too long").contains("\"x: prompt is too long\""));
        assert!(told.starts_with(b"event: error\ndata: {\"type\":\"error\""));
    }
}
