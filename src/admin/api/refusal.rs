//! How is it told that something was not done?
//!
//! # Invariants
//! - One shape for all: `{"error": {"code", "message", "param"}}`, and every problem where there are several.
//! - No message shows a secret.

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::config::{Problem, Report};
use crate::governance::office::OfficeError;
use crate::store::{Busy, StoreError};

use super::outgoing::{Outgoing, json_response};

/// Seconds after which something that is busy may be asked again.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// Why something was not done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// One word for programs.
    pub(super) code: &'static str,
    /// What is wrong and what to do, for people.
    pub(super) message: String,
    /// The parameter or the key of the body that is meant.
    pub(super) param: Option<String>,
    /// Every problem of a body, where there are several.
    pub(super) problems: Vec<Value>,
    /// Methods that would be answered.
    pub(super) allow: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            problems: Vec::new(),
            allow: None,
        }
    }

    /// A parameter or a key of the body that is wrong.
    pub(super) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_value", message)
        }
    }

    /// Something that may be asked again.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    pub(super) fn response(&self) -> Response<Outgoing> {
        let mut error = json!({"code": self.code, "message": self.message, "param": self.param});
        if !self.problems.is_empty() {
            error["problems"] = self.problems.clone().into();
        }
        let mut response = json_response(self.status, &json!({ "error": error }));
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY);
        }
        let allow = self.allow.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(allow)) = allow {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

impl From<OfficeError> for Refusal {
    fn from(error: OfficeError) -> Self {
        use OfficeError as E;
        let message = error.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, &message);
        match &error {
            E::Invalid(report) => invalid(report, message),
            E::Secret => Self::invalid("secret", message),
            E::Unknown { .. } | E::NoEntry(_) => {
                Self::new(StatusCode::NOT_FOUND, "not_found", message)
            }
            E::Exists { .. } => conflict("already_exists"),
            E::Declared { .. } => conflict("declared_in_file"),
            E::InUse { .. } => conflict("in_use"),
            E::Revoked(_) => conflict("revoked"),
            E::Full(_) => conflict("too_many"),
            E::InFlight(_) => conflict("in_flight"),
            E::NotOpen | E::NotAdjusted(_) | E::Store(_) | E::Busy(_) => Self::unavailable(message),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        OfficeError::from(error).into()
    }
}

impl From<Busy> for Refusal {
    fn from(busy: Busy) -> Self {
        OfficeError::from(busy).into()
    }
}

/// What is wrong with a document: the first problem in words, and all of them for programs.
fn invalid(report: &Report, message: String) -> Refusal {
    let problems = report.problems().iter();
    let problems: Vec<Value> = problems
        .map(|it| {
            json!({
                "param": param(it),
                "message": it.message,
                "expected": it.expected,
                "help": it.help,
            })
        })
        .collect();
    let first = report.problems().first().map(param).unwrap_or_default();
    Refusal {
        problems,
        ..Refusal::invalid(first, message)
    }
}

/// Where a problem is, as a key of the body: the file's path without the table of the document.
fn param(problem: &Problem) -> String {
    let mut quoted = false;
    let dots = problem.path.char_indices().filter(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == '.' && !quoted
    });
    match dots.map(|(at, _)| at).nth(1) {
        Some(at) => problem.path[at + 1..].to_owned(),
        None if problem.message.ends_with("cannot be a name here") => "name".to_owned(),
        None => String::new(),
    }
}
