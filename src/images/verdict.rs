//! How did an image request fail, for its route and for the client?
//!
//! Status first, then the words: vendors tell moderation with 400, 403, 422 and 200, so the words are looked at before a key is held for it.
//! Sources: the vendors' error references (Stability `content_moderation`, fal `content_policy_violation`, OpenAI `moderation_blocked`).
//!
//! # Invariants
//! - What moderation refused never hurts a route and is never retried elsewhere: to route around a filter is not ours to do.
//! - A vendor's text about a key is not passed on.

use http::StatusCode;
use scoring::outcome::Outcome;
use scoring::time::Span;
use serde_json::Value;

use super::job::Heard;
use crate::dialects::classify;
use crate::dialects::failure::Failure;
use crate::dialects::retry_after;

/// The longest text passed on, in characters.
const MESSAGE: usize = 500;

/// Bytes of a refusal's body that are read.
const READ: usize = 64 * 1024;

/// Words that mean that a filter refused the prompt, the input or the picture.
const MODERATED: &[&str] = &[
    "content_moderation",
    "content_policy_violation",
    "content_filter",
    "moderation_blocked",
    "moderated",
    "nsfw",
    "safety system",
    "sensitive content",
    "flagged",
];

/// Words that mean an account without money.
const UNPAID: &[&str] = &[
    "insufficient",
    "exhausted balance",
    "user is locked",
    "billing",
];

/// Why there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A filter refused the prompt, the input or the picture.
    Moderated,
    /// Our own quota is used up.
    RateLimited,
    /// The request is not to the vendor's liking.
    Rejected,
    /// The key is not.
    KeyRejected,
    /// The account is empty.
    Unpaid,
    /// The vendor does not serve the model.
    Unsupported,
    /// The vendor has no capacity.
    Overloaded,
    /// The vendor failed.
    Server,
    /// The vendor answered what it never should.
    Nonsense,
    /// The connection was lost before the vendor answered.
    Lost,
    /// The job was cancelled.
    Canceled,
}

/// How a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why there is no picture.
    pub kind: Kind,
    /// What is told to the client; at most 500 characters.
    pub message: String,
    /// How long the vendor asks to be left alone.
    pub retry_after: Option<Span>,
}

impl Kind {
    /// What it does to the route.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Moderated | Self::Rejected => Outcome::Rejected,
            Self::RateLimited => Outcome::RateLimited,
            Self::KeyRejected | Self::Unpaid => Outcome::KeyRejected,
            Self::Unsupported => Outcome::Unsupported,
            Self::Overloaded => Outcome::Overloaded,
            Self::Server | Self::Nonsense => Outcome::ServerError,
            Self::Lost => Outcome::Disconnected,
            Self::Canceled => Outcome::Canceled,
        }
    }

    /// What the client is told if no other route answers.
    #[must_use]
    pub const fn failure(self) -> Failure {
        match self {
            Self::Moderated | Self::Rejected => Failure::BadRequest,
            Self::RateLimited => Failure::RateLimited,
            Self::KeyRejected => Failure::UpstreamAuth,
            Self::Unpaid => Failure::UpstreamQuota,
            Self::Overloaded => Failure::Overloaded,
            Self::Unsupported | Self::Server | Self::Nonsense | Self::Lost | Self::Canceled => {
                Failure::Upstream
            }
        }
    }
}

impl Failed {
    /// A failure with a text of our own.
    pub(super) fn new(kind: Kind, message: &str) -> Self {
        Self {
            kind,
            message: message.chars().take(MESSAGE).collect(),
            retry_after: None,
        }
    }

    /// A filter refused it.
    pub(super) fn moderated() -> Self {
        Self::new(
            Kind::Moderated,
            "The provider's content moderation refused the request.",
        )
    }

    /// The vendor answered what it never should.
    pub(super) fn nonsense(what: &str) -> Self {
        Self::new(Kind::Nonsense, &format!("The provider's answer {what}."))
    }

    /// The failure that a vendor told in a job's status, in words only.
    pub(super) fn told(words: &str) -> Self {
        if says(words, MODERATED) {
            return Self::moderated();
        }
        Self::new(Kind::Server, &format!("The provider failed: {words}"))
    }

    /// The failure that an error status and its body tell.
    pub(super) fn refused(heard: &Heard<'_>) -> Self {
        let body = heard
            .body
            .get(..heard.body.len().min(READ))
            .unwrap_or_default();
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let message = message(&value).unwrap_or_default();
        let words = format!("{} {message}", codes(&value));
        let client_side = matches!(heard.status.as_u16(), 400 | 403 | 422 | 451);
        if client_side && says(&words, MODERATED) {
            return Self::moderated();
        }
        let kind = if says(&words, UNPAID) && heard.status.is_client_error() {
            Kind::Unpaid
        } else {
            kind(heard.status, body)
        };
        let wait = retry_after::from_headers(heard.headers, heard.unix);
        let message = if matches!(kind, Kind::KeyRejected | Kind::Unpaid) || message.is_empty() {
            format!(
                "The provider answered with status {}.",
                heard.status.as_u16()
            )
        } else {
            message
        };
        Self {
            retry_after: wait,
            ..Self::new(kind, &message)
        }
    }

    /// What it does to the route.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.kind.outcome()
    }

    /// What the client is told if no other route answers.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        self.kind.failure()
    }
}

fn kind(status: StatusCode, body: &[u8]) -> Kind {
    let verdict = classify::refusal(status, body);
    match verdict.outcome {
        Outcome::KeyRejected if verdict.failure == Failure::UpstreamQuota => Kind::Unpaid,
        Outcome::RateLimited => Kind::RateLimited,
        Outcome::KeyRejected => Kind::KeyRejected,
        Outcome::Unsupported => Kind::Unsupported,
        Outcome::Overloaded => Kind::Overloaded,
        Outcome::Rejected => Kind::Rejected,
        _ => Kind::Server,
    }
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Every short text by which vendors name a sort of error.
fn codes(value: &Value) -> String {
    let places = [
        "/error/code",
        "/error/type",
        "/name",
        "/detail/0/type",
        "/error_type",
        "/title",
    ];
    let texts = places
        .iter()
        .filter_map(|place| value.pointer(place)?.as_str());
    texts.collect::<Vec<_>>().join(" ")
}

/// The text that explains an error, wherever the vendor puts it.
fn message(value: &Value) -> Option<String> {
    let places = [
        "/error/message",
        "/detail/0/msg",
        "/errors/0",
        "/detail",
        "/message",
        "/error",
        "/title",
    ];
    let mut texts = places
        .iter()
        .filter_map(|place| value.pointer(place)?.as_str());
    texts
        .next()
        .map(|text| text.chars().take(MESSAGE).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn refused(status: u16, body: &'static str) -> Failed {
        let headers = HeaderMap::from_iter([(
            http::header::RETRY_AFTER,
            http::HeaderValue::from_static("7"),
        )]);
        Failed::refused(&Heard {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: &Bytes::from_static(body.as_bytes()),
            unix: Duration::ZERO,
            jitter: 0.5,
        })
    }

    #[test]
    fn every_vendors_refusal_is_understood() {
        for (status, body, kind) in [
            (
                400,
                r#"{"error":{"code":"moderation_blocked","message":"no"}}"#,
                Kind::Moderated,
            ),
            (
                400,
                r#"{"error":{"code":null,"message":"rejected by our safety system"}}"#,
                Kind::Moderated,
            ),
            (
                403,
                r#"{"id":"1","name":"content_moderation","errors":["no"]}"#,
                Kind::Moderated,
            ),
            (
                422,
                r#"{"detail":[{"type":"content_policy_violation","msg":"no"}]}"#,
                Kind::Moderated,
            ),
            (
                422,
                r#"{"detail":[{"type":"missing","msg":"field required"}]}"#,
                Kind::Rejected,
            ),
            (
                400,
                r#"{"id":"1","name":"bad_request","errors":["seed: wrong"]}"#,
                Kind::Rejected,
            ),
            (
                401,
                r#"{"title":"Unauthenticated","detail":"no token"}"#,
                Kind::KeyRejected,
            ),
            (402, r#"{"detail":"Insufficient credits"}"#, Kind::Unpaid),
            (
                403,
                r#"{"detail":"User is locked. Reason: Exhausted balance."}"#,
                Kind::Unpaid,
            ),
            (
                429,
                r#"{"detail":"Request was throttled."}"#,
                Kind::RateLimited,
            ),
            (404, "{}", Kind::Unsupported),
            (413, "", Kind::Rejected),
            (500, "<html>", Kind::Server),
            (503, "", Kind::Overloaded),
            (500, r#"{"detail":"flagged"}"#, Kind::Server),
        ] {
            let failed = refused(status, body);
            assert_eq!(failed.kind, kind, "{status} {body}");
            assert!(!failed.message.is_empty());
        }
    }

    #[test]
    fn the_vendors_words_and_wait_are_passed_on_but_not_about_keys() {
        let failed = refused(422, r#"{"detail":[{"msg":"steps: too many"}]}"#);
        assert_eq!(failed.message, "steps: too many");
        assert_eq!(failed.retry_after, Some(Span::from_secs(7)));
        let failed = refused(
            401,
            r#"{"error":{"message":"Incorrect API key: sk-secret"}}"#,
        );
        assert!(!failed.message.contains("secret"));
    }
}
