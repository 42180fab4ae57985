//! How is a failure told in the middle of a response's stream, and what did the provider say when it told one?
//!
//! Before the first byte, errors are OpenAI's bodies ([`openai::error`](super::super::openai::error)); after it they are a `response.failed`.
//! Why not an `error` event: openai-python and Codex lose its message, and Codex reads the delay of a retry
//! ("try again in 0.5s") from a failed response only.
//!
//! # Invariants
//! - A failed response is a whole response object, of the id that the stream began with.
//! - The message's wording is kept.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::Failure;
use super::events::Steps;
use super::object::{Response, Status};

/// OpenAI's code for a failure; the types of its SDKs know no others that fit.
pub(super) const fn code(failure: Failure) -> &'static str {
    match failure {
        Failure::RateLimited | Failure::TooManyLogins => "rate_limit_exceeded",
        // No type of the SDKs has it, but OpenAI sends it, and Codex shortens the conversation on it.
        Failure::TooLong => "context_length_exceeded",
        // Codex ends its turn on it, as it should.
        Failure::UpstreamQuota | Failure::BudgetSpent => "insufficient_quota",
        Failure::BadRequest
        | Failure::TooLarge
        | Failure::Encoding
        | Failure::SlowClient
        | Failure::Unauthorized
        | Failure::NotAllowed
        | Failure::PriceUnknown
        | Failure::NoModel
        | Failure::NoPath
        | Failure::Method
        | Failure::Unsupported => "invalid_prompt",
        // Why not `server_is_overloaded`: Codex ends its turn on it, while another try goes to another route here.
        Failure::Overloaded
        | Failure::Upstream
        | Failure::UpstreamAuth
        | Failure::Timeout
        | Failure::Draining
        | Failure::LedgerDown
        | Failure::Internal => "server_error",
    }
}

/// `response.failed` as the last event of a broken stream; the transfer is broken off after it.
#[must_use]
pub fn event(failure: Failure, message: &str, response_id: &str, sequence_number: u64) -> Bytes {
    let response = Response::failed(response_id, code(failure), message);
    let mut out = Vec::new();
    Steps::from(sequence_number).response(Status::Failed.event(), &response, &mut out);
    Bytes::from(out)
}

/// A provider's failed response or error event, as the error object that OpenAI's HTTP answers have.
///
/// Whoever judges errors (`classify`) then needs to know one shape only.
#[must_use]
pub fn object(data: &[u8]) -> Bytes {
    let told = serde_json::from_slice::<Told>(data).unwrap_or_default();
    let nested = told.response.get("error").filter(|error| error.is_object());
    let error = match (nested, told.error) {
        (Some(error), _) => error.clone(),
        (None, error) if !error.is_null() => error,
        _ => {
            serde_json::json!({"message": told.message, "type": null, "param": told.param, "code": told.code})
        }
    };
    Bytes::from(serde_json::json!({ "error": error }).to_string())
}

#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    response: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    code: Value,
    #[serde(default)]
    param: Value,
}

#[cfg(test)]
mod tests {
    use scoring::outcome::Outcome;

    use super::super::super::classify;
    use super::*;
    use crate::stream::sse;

    #[test]
    fn a_failed_response_is_whole() {
        let out = event(
            Failure::RateLimited,
            "Rate limit reached, please try again in 0.5s.",
            "resp_1",
            7,
        );
        let event = sse::events(&out).next().unwrap();
        assert_eq!(event.name(), Some(&b"response.failed"[..]));
        let data: Value = serde_json::from_slice(event.data.unwrap()).unwrap();
        assert_eq!(data["type"], "response.failed");
        assert_eq!(data["sequence_number"], 7);
        let response = &data["response"];
        assert_eq!(response["id"], "resp_1");
        assert_eq!(response["object"], "response");
        assert_eq!(response["status"], "failed");
        assert_eq!(response["error"]["code"], "rate_limit_exceeded");
        assert!(
            response["error"]["message"]
                .as_str()
                .unwrap()
                .contains("try again in 0.5s")
        );
        assert!(response["output"].as_array().unwrap().is_empty());
    }

    #[test]
    fn every_failure_has_a_code_that_the_sdks_know() {
        for failure in Failure::ALL {
            assert!(
                [
                    "rate_limit_exceeded",
                    "invalid_prompt",
                    "server_error",
                    "context_length_exceeded",
                    "insufficient_quota",
                ]
                .contains(&code(failure))
            );
        }
    }

    #[test]
    fn what_a_provider_tells_can_be_judged() {
        let check = |data: &str, outcome: Outcome, message: &str| {
            let object = object(data.as_bytes());
            assert_eq!(
                classify::error_in_success(&object).outcome,
                outcome,
                "{data}"
            );
            let value: Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(value["error"]["message"], message, "{data}");
        };
        check(
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
            Outcome::RateLimited,
            "slow",
        );
        check(
            r#"{"type":"error","code":"server_error","message":"boom","param":null}"#,
            Outcome::ServerError,
            "boom",
        );
        check(
            r#"{"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"pay"}}"#,
            Outcome::KeyRejected,
            "pay",
        );
        let nonsense: Value = serde_json::from_slice(&object(b"<html>")).unwrap();
        assert!(nonsense["error"].is_object());
    }
}
