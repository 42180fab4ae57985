//! Refusals and what they mean.
//!
//! # Invariants
//! - Every case goes through the object that is written, into the judge that the gateway asks.

use scoring::outcome::Outcome;

use super::super::super::classify::{self, Remedy};
use super::super::super::failure::Failure;
use super::*;

/// Refusals, in words that Bedrock's documentation and its users report, and what each means.
const REFUSALS: [(u16, &str, &str, Outcome); 16] = [
    (
        429,
        "ThrottlingException",
        "Too many tokens, please wait before trying again.",
        Outcome::RateLimited,
    ),
    (
        429,
        "ThrottlingException",
        "Too many requests, please wait before trying again.",
        Outcome::RateLimited,
    ),
    (
        429,
        "ModelNotReadyException",
        "The model is not ready for inference",
        Outcome::Overloaded,
    ),
    (
        503,
        "ServiceUnavailableException",
        "Bedrock is unable to process your request.",
        Outcome::Overloaded,
    ),
    (
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota",
        Outcome::RateLimited,
    ),
    (
        400,
        "ValidationException",
        "Malformed input request",
        Outcome::Rejected,
    ),
    (
        400,
        "ValidationException",
        "The provided model identifier is invalid.",
        Outcome::Unsupported,
    ),
    (
        400,
        "ValidationException",
        "Invocation of model ID x with on-demand throughput isn\u{2019}t supported.",
        Outcome::Unsupported,
    ),
    (
        403,
        "AccessDeniedException",
        "User is not authorized to perform: bedrock:InvokeModel",
        Outcome::KeyRejected,
    ),
    (
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
        Outcome::Unsupported,
    ),
    (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        Outcome::KeyRejected,
    ),
    (
        400,
        "ExpiredTokenException",
        "The security token included in the request is expired",
        Outcome::KeyRejected,
    ),
    (
        404,
        "ResourceNotFoundException",
        "Could not resolve the foundation model",
        Outcome::Unsupported,
    ),
    (
        408,
        "ModelTimeoutException",
        "Model has timed out",
        Outcome::TimedOut,
    ),
    (
        424,
        "ModelErrorException",
        "The model failed",
        Outcome::ServerError,
    ),
    (
        500,
        "InternalServerException",
        "The system encountered an unexpected error",
        Outcome::ServerError,
    ),
];

#[test]
fn every_form_becomes_one() {
    let cases: [(Option<&str>, u16, &str, &str, &str); 8] = [
        (
            Some("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"),
            429,
            r#"{"message":"Too many tokens"}"#,
            "ThrottlingException",
            "Too many tokens",
        ),
        (
            None,
            403,
            r#"{"Message":"User is not authorized"}"#,
            "AccessDeniedException",
            "User is not authorized",
        ),
        (
            None,
            400,
            r#"{"__type":"com.amazon.coral#SerializationException"}"#,
            "SerializationException",
            "",
        ),
        (Some(""), 503, "{}", "ServiceUnavailableException", ""),
        (
            None,
            502,
            "<html>bad\n",
            "InternalServerException",
            "<html>bad",
        ),
        (
            None,
            404,
            r#"{"message":null}"#,
            "ResourceNotFoundException",
            "",
        ),
        (None, 429, "", "ThrottlingException", ""),
        (
            Some(":#"),
            424,
            r#"{"message":"a \"b\""}"#,
            "ModelErrorException",
            "a \"b\"",
        ),
    ];
    for (errortype, status, body, kind, message) in cases {
        let status = StatusCode::from_u16(status).unwrap();
        let json = normalise(errortype, Some(status), body.as_bytes());
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["error"]["type"], kind, "{body}");
        assert_eq!(value["error"]["message"], message, "{body}");
    }
    let long = normalise(None, None, &[0xff; 4_096]);
    assert!(long.len() < 4 * LONGEST_TEXT);
}

#[test]
fn refusals_are_judged() {
    for (status, kind, message, outcome) in REFUSALS {
        let status = StatusCode::from_u16(status).unwrap();
        let verdict = classify::refusal(status, &object(kind, message));
        assert_eq!(verdict.outcome, outcome, "{kind} {message}");
        if outcome != Outcome::Rejected {
            assert_ne!(verdict.failure, Failure::BadRequest, "{kind}");
        }
    }
    for words in [
        "Input is too long for requested model.",
        "The model returned the following errors: Too many input tokens. Max input tokens: 128000",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ] {
        let verdict = classify::refusal(
            StatusCode::BAD_REQUEST,
            &object("ValidationException", words),
        );
        assert_eq!(verdict.remedy, Remedy::LargerContext, "{words}");
    }
}

#[test]
fn exceptions_in_a_stream_are_judged() {
    let cases = [
        (
            "throttlingException",
            "Too many tokens",
            Outcome::RateLimited,
        ),
        (
            "serviceUnavailableException",
            "try again",
            Outcome::Overloaded,
        ),
        (
            "modelStreamErrorException",
            "the model failed",
            Outcome::ServerError,
        ),
        ("internalServerException", "boom", Outcome::ServerError),
        ("validationException", "no", Outcome::Rejected),
        ("modelTimeoutException", "late", Outcome::TimedOut),
    ];
    for (kind, message, outcome) in cases {
        let verdict = classify::error_in_success(&object(kind, message));
        assert_eq!(verdict.outcome, outcome, "{kind}");
    }
}
