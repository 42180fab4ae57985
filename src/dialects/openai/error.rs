//! Errors in the words that OpenAI's clients understand.
//!
//! # Invariants
//! - Every failure is `{"error":{"message","type","param","code"}}`; `code` is a string or null, never a number.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::super::failure::{self, Failure};

/// OpenAI's `type` for a request that is the client's fault.
const INVALID: &str = "invalid_request_error";

/// OpenAI's `type` for a credential that is refused.
const AUTHENTICATION: &str = "authentication_error";

/// OpenAI's `type` and `code` for an account that is out of quota or credit.
const QUOTA: &str = "insufficient_quota";

/// OpenAI's `type` for what is not the client's fault.
const SERVER: &str = "server_error";

/// `type` and `code` of a failure.
const fn words(failure: Failure) -> (&'static str, Option<&'static str>) {
    match failure {
        Failure::BadRequest => (INVALID, None),
        Failure::TooLong => (INVALID, Some("context_length_exceeded")),
        Failure::TooLarge => (INVALID, Some("request_too_large")),
        Failure::Encoding => (INVALID, Some("unsupported_content_encoding")),
        Failure::SlowClient => (INVALID, Some("request_timeout")),
        Failure::Unauthorized => (AUTHENTICATION, Some("invalid_api_key")),
        Failure::TooManyLogins => (AUTHENTICATION, Some("too_many_failed_logins")),
        Failure::NotAllowed => ("permission_error", Some("model_not_allowed")),
        Failure::BudgetSpent => (QUOTA, Some("budget_exceeded")),
        Failure::PriceUnknown => ("permission_error", Some("price_unknown")),
        Failure::LedgerDown => (SERVER, Some("ledger_unavailable")),
        Failure::NoModel => (INVALID, Some("model_not_found")),
        Failure::NoPath => (INVALID, Some("unknown_url")),
        Failure::Method => (INVALID, Some("method_not_allowed")),
        Failure::Unsupported => (INVALID, Some("unsupported")),
        Failure::RateLimited => ("requests", Some("rate_limit_exceeded")),
        Failure::Overloaded => (SERVER, Some("overloaded")),
        Failure::Upstream => (SERVER, Some("upstream_error")),
        Failure::UpstreamAuth => (SERVER, Some("upstream_auth")),
        Failure::UpstreamQuota => (QUOTA, Some(QUOTA)),
        Failure::Timeout => (SERVER, Some("upstream_timeout")),
        Failure::Draining => (SERVER, Some("draining")),
        Failure::Internal => (SERVER, Some("internal")),
    }
}

/// The error object's fields, in the order in which OpenAI writes them.
#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

/// The error object, as a response body.
#[must_use]
pub fn body(failure: Failure, message: &str) -> Bytes {
    let (kind, code) = words(failure);
    let object = Object {
        message,
        kind,
        param: matches!(failure, Failure::NoModel).then_some("model"),
        code,
    };
    // Strings and options always serialise.
    let object = serde_json::to_string(&object).unwrap_or_default();
    Bytes::from(format!("{{\"error\":{object}}}"))
}

/// The error object as the last event of a broken stream; the transfer is broken off after it.
#[must_use]
pub fn event(failure: Failure, message: &str) -> Bytes {
    failure::event(&body(failure, message))
}

/// Whether a provider's body is an error object in this dialect, so that it may be passed on as it is.
#[must_use]
pub fn is_error_object(json: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Message<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    serde_json::from_slice::<Body<'_>>(json).is_ok_and(|body| !body.error.message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_all_four_fields() {
        let value: serde_json::Value =
            serde_json::from_slice(&body(Failure::NoModel, "no \"x\"")).unwrap();
        assert_eq!(value["error"]["message"], "no \"x\"");
        assert_eq!(value["error"]["type"], "invalid_request_error");
        assert_eq!(value["error"]["param"], "model");
        assert_eq!(value["error"]["code"], "model_not_found");
        assert!(is_error_object(&body(Failure::Internal, "x")));
        assert!(!is_error_object(b"{\"error\":\"text\"}"));
    }
}
