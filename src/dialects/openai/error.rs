//! Errors in the words that OpenAI's clients understand.
//!
//! One table decides status, `type`, `code` and whether the client's own retries may help.
//!
//! # Invariants
//! - Every failure is `{"error":{"message","type","param","code"}}`; `code` is a string or null, never a number.
//! - A failure has one status, whatever the request was.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

/// OpenAI's `type` for a request that is the client's fault.
const INVALID: &str = "invalid_request_error";

/// OpenAI's `type` for a credential that is refused.
const AUTHENTICATION: &str = "authentication_error";

/// OpenAI's `type` for what is not the client's fault.
const SERVER: &str = "server_error";

/// What went wrong, in the gateway's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request is malformed.
    BadRequest,
    /// The body exceeds the limit.
    TooLarge,
    /// The body is encoded in a way that is not accepted.
    Encoding,
    /// The client took too long to send its request.
    SlowClient,
    /// No or a wrong credential.
    Unauthorized,
    /// There is no such model.
    NoModel,
    /// There is no such path.
    NoPath,
    /// The path exists, but not for this method.
    Method,
    /// Every route is at its limits.
    RateLimited,
    /// Every route is overloaded or down.
    Overloaded,
    /// The provider answered with an error or with nonsense.
    Upstream,
    /// The provider refused the gateway's own credentials.
    UpstreamAuth,
    /// The provider did not answer in time.
    Timeout,
    /// The gateway is shutting down.
    Draining,
    /// The gateway itself failed.
    Internal,
}

/// Whether the client's own retries may help, as told in `x-should-retry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing is said; the client decides by the status.
    Unsaid,
    /// A later try may succeed.
    Yes,
    /// Another try cannot help, or the gateway has used up what tries there were.
    No,
}

/// How a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The HTTP status.
    pub status: StatusCode,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// OpenAI's `code`.
    pub code: Option<&'static str>,
    /// OpenAI's `param`.
    pub param: Option<&'static str>,
    /// What `x-should-retry` says.
    pub retry: Retry,
}

use Retry::{No, Unsaid, Yes};

impl Failure {
    /// The table.
    #[must_use]
    pub fn telling(self) -> Telling {
        let (status, kind, code, retry) = match self {
            Self::BadRequest => (400, INVALID, None, Unsaid),
            Self::TooLarge => (413, INVALID, Some("request_too_large"), No),
            Self::Encoding => (415, INVALID, Some("unsupported_content_encoding"), No),
            Self::SlowClient => (408, INVALID, Some("request_timeout"), Unsaid),
            Self::Unauthorized => (401, AUTHENTICATION, Some("invalid_api_key"), No),
            Self::NoModel => (404, INVALID, Some("model_not_found"), No),
            Self::NoPath => (404, INVALID, Some("unknown_url"), No),
            Self::Method => (405, INVALID, Some("method_not_allowed"), No),
            Self::RateLimited => (429, "requests", Some("rate_limit_exceeded"), Yes),
            Self::Overloaded => (503, SERVER, Some("overloaded"), Yes),
            Self::Upstream => (502, SERVER, Some("upstream_error"), No),
            Self::UpstreamAuth => (502, SERVER, Some("upstream_auth"), No),
            Self::Timeout => (504, SERVER, Some("upstream_timeout"), No),
            Self::Draining => (503, SERVER, Some("draining"), Yes),
            Self::Internal => (500, SERVER, Some("internal"), No),
        };
        Telling {
            status: match StatusCode::from_u16(status) {
                Ok(status) => status,
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            kind,
            code,
            param: if matches!(self, Self::NoModel) {
                Some("model")
            } else {
                None
            },
            retry,
        }
    }

    /// The name for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::SlowClient => "slow_client",
            Self::Unauthorized => "unauthorized",
            Self::NoModel => "model_not_found",
            Self::NoPath => "unknown_path",
            Self::Method => "method",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Upstream => "upstream",
            Self::UpstreamAuth => "upstream_auth",
            Self::Timeout => "timeout",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
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
    let telling = failure.telling();
    let object = Object {
        message,
        kind: telling.kind,
        param: telling.param,
        code: telling.code,
    };
    // Strings and options always serialise.
    let object = serde_json::to_string(&object).unwrap_or_default();
    Bytes::from(format!("{{\"error\":{object}}}"))
}

/// The error object as the last event of a broken stream; the transfer is broken off after it.
#[must_use]
pub fn event(failure: Failure, message: &str) -> Bytes {
    let object = body(failure, message);
    let mut out = Vec::with_capacity(object.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&object);
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
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
