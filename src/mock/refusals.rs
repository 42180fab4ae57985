//! Answers that are no answers: error bodies with their status and their hint when to come back.
//!
//! # Invariants
//! - A `Retry-After` is there only where the fault or a limit says so.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use scoring::time::Span;

use super::answer::Answer;
use super::catalogue::{Fault, Kind};
use super::dates;
use super::tongue::{Tongue, Voice};
use super::vendors::RETRY_AFTER_MS;
use super::wording;
use crate::clock;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

const HTML_BODY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// A `Retry-After` of some three thousand years, in seconds.
const ABSURD_S: &str = "99999999999";

/// An error, as OpenAI tells it: status, `type`, `code` and message; [`wording`] says it as others do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    /// `null` if empty.
    pub(super) code: &'static str,
    pub(super) param: &'static str,
    pub(super) message: String,
    /// The model or other thing that it is about.
    pub(super) about: String,
    /// When to come back, in seconds, as the body may tell it.
    pub(super) delay: Option<String>,
}

impl Reply {
    /// A reply that names no parameter.
    pub(super) fn new(
        status: u16,
        kind: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            code,
            param: "",
            message: message.into(),
            about: String::new(),
            delay: None,
        }
    }

    /// The refusal of a request that breaks a rule.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", "", message)
    }

    /// The response in the vendor's words.
    pub(super) fn response(self, voice: Voice) -> Response<Answer> {
        wording::response(&self, voice)
    }

    /// The refusal of a model that is not served.
    pub(super) fn no_model(model: &str) -> Self {
        let message =
            format!("The model `{model}` does not exist or you do not have access to it.");
        Self {
            param: "model",
            about: model.to_owned(),
            ..Self::new(404, "invalid_request_error", "model_not_found", message)
        }
    }

    /// The refusal to continue a message.
    pub(super) fn no_prefill() -> Self {
        Self {
            param: "messages",
            ..Self::invalid(
                "This model does not support assistant message prefill. \
                 The conversation must end with a user message.",
            )
        }
    }

    /// The refusal of a key that is not accepted.
    pub(super) fn key_rejected() -> Self {
        Self::new(
            401,
            "authentication_error",
            "invalid_api_key",
            "Incorrect API key provided.",
        )
    }
}

/// The response of a fault that refuses outright; nothing if `fault` is of another sort.
pub(super) fn refuse(fault: Fault, model: &str, voice: Voice) -> Option<Response<Answer>> {
    let reply = match fault.kind {
        Kind::Limited
        | Kind::LimitedSeconds
        | Kind::LimitedDate
        | Kind::LimitedMillis
        | Kind::LimitedAbsurd
        | Kind::LimitedNegative => return Some(limited(fault, voice)),
        Kind::BadGateway => return Some(response(502, HTML, HTML_BODY)),
        Kind::Html => return Some(response(200, HTML, HTML_BODY)),
        Kind::Overloaded => Reply::new(529, "overloaded_error", "", "Overloaded"),
        Kind::Quota => Reply::new(
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Kind::Busy => Reply::new(
            429,
            "too_many_requests",
            "",
            "The system is currently experiencing high demand and is temporarily unable to process your request.",
        ),
        Kind::KeyRejected => Reply::key_rejected(),
        Kind::Forbidden => Reply::new(
            403,
            "permission_error",
            "",
            "You have no access to this resource.",
        ),
        Kind::NoModel => Reply::no_model(model),
        Kind::ContextLength | Kind::ContentPolicy => bad_request(fault.kind),
        Kind::NoPrefill => Reply::no_prefill(),
        Kind::Internal => Reply::new(
            500,
            "server_error",
            "",
            "The server had an error while processing your request. Sorry about that!",
        ),
        Kind::Unavailable => Reply::new(
            503,
            "server_error",
            "",
            "The engine is currently overloaded, please try again later.",
        ),
        Kind::GatewayTimeout => Reply::new(504, "server_error", "", "The request timed out."),
        _ => return None,
    };
    Some(reply.response(voice))
}

/// The refusals that are the request's own fault.
fn bad_request(kind: Kind) -> Reply {
    let (code, param, message) = match kind {
        Kind::ContextLength => (
            "context_length_exceeded",
            "messages",
            "This model's maximum context length is 8192 tokens. However, your messages resulted in more \
             tokens. Please reduce the length of the messages.",
        ),
        _ => (
            "content_policy_violation",
            "",
            "Your request was rejected as a result of our safety system.",
        ),
    };
    Reply {
        param,
        ..Reply::new(400, "invalid_request_error", code, message)
    }
}

/// A response with a ready body.
pub(super) fn response(status: u16, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A 429 whose hint takes one of the forms that providers use, or should not.
fn limited(fault: Fault, voice: Voice) -> Response<Answer> {
    let reply = Reply::new(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for requests.",
    );
    let number = u64::from(fault.number);
    let (name, value): (HeaderName, String) = match fault.kind {
        Kind::LimitedSeconds => (RETRY_AFTER, number.to_string()),
        Kind::LimitedDate => {
            let at = clock::unix().saturating_add(Span::from_secs(number).into());
            (RETRY_AFTER, dates::http(at))
        }
        Kind::LimitedMillis => (RETRY_AFTER_MS, number.to_string()),
        Kind::LimitedAbsurd => (RETRY_AFTER, ABSURD_S.to_owned()),
        Kind::LimitedNegative => (RETRY_AFTER, "-30".to_owned()),
        _ => return reply.response(voice),
    };
    if voice.tongue == Tongue::Gemini {
        let seconds = match fault.kind {
            Kind::LimitedMillis => format!("{}.{:03}", number / 1_000, number % 1_000),
            Kind::LimitedDate => number.to_string(),
            _ => value,
        };
        let reply = Reply {
            delay: Some(seconds),
            ..reply
        };
        return reply.response(voice);
    }
    let mut response = reply.response(voice);
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
    response
}
