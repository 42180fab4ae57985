//! What does Cohere say when it refuses, in the words in which every refusal is judged?
//!
//! Its errors are `{"message","id"}`; here they become `{"error":{"type","message"}}`, which
//! [`classify`](super::super::classify) understands.
//!
//! # Invariants
//! - What comes out is always such an object, whatever came in.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// The longest text that is taken over from a body that is no JSON, in bytes.
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

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// The error object for a refusal.
#[must_use]
pub fn normalise(status: StatusCode, body: &[u8]) -> Bytes {
    let message = match serde_json::from_slice::<Body<'_>>(body) {
        Ok(body) => body.message,
        Err(_) => String::from_utf8_lossy(body.get(..LONGEST_TEXT).unwrap_or(body)),
    };
    object(of_status(status), message.trim())
}

/// The error object of this type and with these words.
fn object(kind: &str, message: &str) -> Bytes {
    let written = Written {
        error: Object { kind, message },
    };
    // Strings always serialise.
    Bytes::from(serde_json::to_vec(&written).unwrap_or_default())
}

/// What kind of error a status is; 498 and 499 are Cohere's own. Source: Cohere's page on errors.
fn of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 | 498 => "authentication_error",
        402 => "billing",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 => "overloaded_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use scoring::outcome::Outcome;

    use super::super::super::classify::{self, Remedy};
    use super::*;

    #[test]
    fn refusals_are_judged() {
        let cases = [
            (
                400,
                r#"{"id":"x","message":"invalid request: message must be at least 1 token long"}"#,
                Outcome::Rejected,
            ),
            (
                401,
                r#"{"message":"invalid api token"}"#,
                Outcome::KeyRejected,
            ),
            (498, r#"{"message":"blocked"}"#, Outcome::KeyRejected),
            (
                404,
                r#"{"message":"model 'x' not found"}"#,
                Outcome::Unsupported,
            ),
            (
                429,
                r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute."}"#,
                Outcome::RateLimited,
            ),
            (500, "<html>", Outcome::ServerError),
            (503, "", Outcome::Overloaded),
        ];
        for (status, body, outcome) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            let object = normalise(status, body.as_bytes());
            assert_eq!(
                classify::refusal(status, &object).outcome,
                outcome,
                "{body}"
            );
        }
        let long = normalise(
            StatusCode::BAD_REQUEST,
            br#"{"message":"too many tokens: size limit exceeded by 49 tokens. Try using shorter or fewer inputs"}"#,
        );
        let verdict = classify::refusal(StatusCode::BAD_REQUEST, &long);
        assert_eq!(verdict.remedy, Remedy::LargerContext);
        assert!(normalise(StatusCode::BAD_GATEWAY, &[0xff; 4_096]).len() < 4 * LONGEST_TEXT);
    }
}
