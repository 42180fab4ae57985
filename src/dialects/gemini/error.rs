//! Errors in the words that Google's clients understand.
//!
//! # Invariants
//! - Every failure is `{"error":{"code","message","status"}}`, where `code` is the HTTP status as a number.
//! - The bytes begin with `{"error":`, by which Google's Python client knows an error in a stream.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::super::failure::{self, Failure};

/// The canonical name of a failure. Source: `google.rpc.Code`.
const fn status(failure: Failure) -> &'static str {
    match failure {
        Failure::BadRequest | Failure::TooLong | Failure::TooLarge | Failure::Encoding => {
            "INVALID_ARGUMENT"
        }
        Failure::Unauthorized => "UNAUTHENTICATED",
        Failure::NoModel | Failure::NoPath => "NOT_FOUND",
        Failure::Method | Failure::Unsupported => "UNIMPLEMENTED",
        Failure::NotAllowed | Failure::PriceUnknown => "PERMISSION_DENIED",
        Failure::RateLimited
        | Failure::TooManyLogins
        | Failure::BudgetSpent
        | Failure::UpstreamQuota => "RESOURCE_EXHAUSTED",
        Failure::Overloaded | Failure::Draining | Failure::LedgerDown => "UNAVAILABLE",
        Failure::Timeout | Failure::SlowClient => "DEADLINE_EXCEEDED",
        Failure::Upstream | Failure::UpstreamAuth | Failure::Internal => "INTERNAL",
    }
}

#[derive(Serialize)]
struct Object<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
}

/// The error object, as a response body.
#[must_use]
pub fn body(failure: Failure, message: &str) -> Bytes {
    let object = Object {
        code: failure.status().0.as_u16(),
        message,
        status: status(failure),
    };
    // Strings and numbers always serialise.
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
        error: Told<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
        #[serde(borrow)]
        status: Cow<'a, str>,
    }
    serde_json::from_slice::<Body<'_>>(json)
        .is_ok_and(|body| !body.error.message.is_empty() && !body.error.status.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_status_as_number_and_word() {
        for failure in Failure::ALL {
            let value: serde_json::Value =
                serde_json::from_slice(&body(failure, "no \"x\"")).unwrap();
            let error = &value["error"];
            assert_eq!(error["code"], failure.status().0.as_u16());
            assert_eq!(error["message"], "no \"x\"");
            assert!(error["status"].as_str().unwrap().len() > 5);
            assert!(is_error_object(&body(failure, "m")));
        }
        assert!(event(Failure::Overloaded, "m").starts_with(b"data: {\"error\":{\"code\":503,"));
    }

    #[test]
    fn other_dialects_errors_are_none_of_this_one() {
        for other in [
            r#"{"error":{"message":"m","type":"t","code":"c"}}"#,
            r#"{"error":"text"}"#,
            r#"{"type":"error","error":{"type":"t","message":"m"}}"#,
            "",
        ] {
            assert!(!is_error_object(other.as_bytes()), "{other}");
        }
    }
}
