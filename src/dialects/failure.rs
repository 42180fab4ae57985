//! What went wrong, in the gateway's own terms, whatever dialect it is told in?
//!
//! One table decides the status and whether the client's own retries may help; how each dialect words it is in its `error` file.
//!
//! # Invariants
//! - A failure has one status, whatever the request was and whoever asked.

use bytes::Bytes;
use http::StatusCode;

/// What went wrong, in the gateway's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request is malformed.
    BadRequest,
    /// The prompt is longer than the model takes.
    TooLong,
    /// The body exceeds the limit.
    TooLarge,
    /// The body is encoded in a way that is not accepted.
    Encoding,
    /// The client took too long to send its request.
    SlowClient,
    /// No or a wrong credential.
    Unauthorized,
    /// Too many wrong credentials from where the request comes from.
    TooManyLogins,
    /// Who asks may not use what is asked for.
    NotAllowed,
    /// A budget of who asks is spent.
    BudgetSpent,
    /// A budget would pay, and nobody knows how much.
    PriceUnknown,
    /// What would be spent cannot be written down.
    LedgerDown,
    /// There is no such model.
    NoModel,
    /// There is no such path.
    NoPath,
    /// The path exists, but not for this method.
    Method,
    /// No route of the model can do what is asked.
    Unsupported,
    /// Every route is at its limits.
    RateLimited,
    /// Every route is overloaded or down.
    Overloaded,
    /// The provider answered with an error or with nonsense.
    Upstream,
    /// The provider refused the gateway's own credentials.
    UpstreamAuth,
    /// The gateway's account at the provider is out of quota or credit.
    UpstreamQuota,
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

use Retry::{No, Unsaid, Yes};

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 23] = [
        Self::BadRequest,
        Self::TooLong,
        Self::TooLarge,
        Self::Encoding,
        Self::SlowClient,
        Self::Unauthorized,
        Self::TooManyLogins,
        Self::NotAllowed,
        Self::BudgetSpent,
        Self::PriceUnknown,
        Self::LedgerDown,
        Self::NoModel,
        Self::NoPath,
        Self::Method,
        Self::Unsupported,
        Self::RateLimited,
        Self::Overloaded,
        Self::Upstream,
        Self::UpstreamAuth,
        Self::UpstreamQuota,
        Self::Timeout,
        Self::Draining,
        Self::Internal,
    ];

    /// The HTTP status, and what `x-should-retry` says.
    #[must_use]
    pub fn status(self) -> (StatusCode, Retry) {
        let (status, retry) = match self {
            Self::BadRequest | Self::TooLong => (400, Unsaid),
            Self::TooLarge => (413, No),
            Self::Encoding => (415, No),
            Self::SlowClient => (408, Unsaid),
            Self::Unauthorized => (401, No),
            Self::BudgetSpent => (402, No),
            Self::NotAllowed | Self::PriceUnknown => (403, No),
            Self::TooManyLogins => (429, No),
            Self::LedgerDown => (503, Yes),
            Self::NoModel | Self::NoPath => (404, No),
            Self::Method => (405, No),
            Self::Unsupported => (501, No),
            Self::RateLimited => (429, Yes),
            Self::Overloaded | Self::Draining => (503, Yes),
            Self::Upstream | Self::UpstreamAuth => (502, No),
            // As OpenAI has it: by the status clients turn elsewhere, and the header keeps them from asking again in vain.
            Self::UpstreamQuota => (429, No),
            Self::Timeout => (504, No),
            Self::Internal => (500, No),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, retry)
    }

    /// The name for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLong => "too_long",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::SlowClient => "slow_client",
            Self::Unauthorized => "unauthorized",
            Self::TooManyLogins => "too_many_logins",
            Self::NotAllowed => "not_allowed",
            Self::BudgetSpent => "budget_spent",
            Self::PriceUnknown => "price_unknown",
            Self::LedgerDown => "ledger_down",
            Self::NoModel => "model_not_found",
            Self::NoPath => "unknown_path",
            Self::Method => "method",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Upstream => "upstream",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamQuota => "upstream_quota",
            Self::Timeout => "timeout",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }

    /// Whether it is about the gateway's own account: the provider's words for it are not for clients.
    #[must_use]
    pub const fn is_of_account(self) -> bool {
        matches!(self, Self::UpstreamAuth | Self::UpstreamQuota)
    }
}

/// An error object as an event of a stream that has no name.
#[must_use]
pub fn event(object: &[u8]) -> Bytes {
    Bytes::from([b"data: ", object, b"\n\n"].concat())
}
