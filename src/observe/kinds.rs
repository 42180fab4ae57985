//! Which ways may a request end, be refused or be answered from the cache? What metrics are labelled by.
//!
//! # Invariants
//! - Each list is closed: a label's value is one of it.

/// The names of a closed list, in its order.
macro_rules! named {
    ($list:ty) => {{
        let mut names = [""; <$list>::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = <$list>::ALL[at].name();
            at += 1;
        }
        names
    }};
}
pub(super) use named;

/// How a client's request ended: a closed list, by whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered.
    Ok,
    /// Refused for the client's own fault.
    ClientError,
    /// No provider could answer.
    UpstreamError,
    /// Refused locally: limits are reached or the gateway is draining.
    Shed,
    /// The client left first.
    ClientGone,
    /// The gateway failed.
    Internal,
}

impl Ending {
    /// Every ending, in the order of its index.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::ClientError,
        Self::UpstreamError,
        Self::Shed,
        Self::ClientGone,
        Self::Internal,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::UpstreamError => "upstream_error",
            Self::Shed => "shed",
            Self::ClientGone => "client_gone",
            Self::Internal => "internal",
        }
    }
}

/// Why a request was not let in, or not paid for: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No key, or none that is good.
    Key,
    /// Too many wrong keys from one address.
    Login,
    /// The model or its provider is not allowed.
    Model,
    /// A tier asks too fast.
    Rate,
    /// A budget is spent.
    Budget,
    /// Nobody knows the price.
    Price,
    /// The ledger cannot be written.
    Ledger,
}

impl Refused {
    /// Every reason, in the order of its index.
    pub const ALL: [Self; 7] = [
        Self::Key,
        Self::Login,
        Self::Model,
        Self::Rate,
        Self::Budget,
        Self::Price,
        Self::Ledger,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Login => "login",
            Self::Model => "model",
            Self::Rate => "rate",
            Self::Budget => "budget",
            Self::Price => "price",
            Self::Ledger => "ledger",
        }
    }
}

/// What the response cache was to a request that asked it: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// It had no answer.
    Miss,
    /// The same request was answered before.
    Hit,
    /// One that means the same was.
    Semantic,
    /// The same request was under way.
    Coalesced,
}

impl Cached {
    /// Every kind, in the order of its index.
    pub const ALL: [Self; 4] = [Self::Miss, Self::Hit, Self::Semantic, Self::Coalesced];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Hit => "hit",
            Self::Semantic => "semantic",
            Self::Coalesced => "coalesced",
        }
    }
}

/// Why a request failed, by whose domain the fault is in: a closed list, `error_type` in metrics, logs and traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client's: the request is malformed.
    BadRequest,
    /// The client's: the prompt is longer than the model takes.
    TooLong,
    /// The client's: the body is larger than allowed.
    TooLarge,
    /// The client's: the body is encoded in a way that is not accepted.
    Encoding,
    /// The client's: it took too long to send its request.
    SlowClient,
    /// The client's: there is no such model.
    NoModel,
    /// The client's: there is no such path, or not for this method.
    NoPath,
    /// The client's: no route of the model can do what is asked.
    Unsupported,
    /// The tenant's: no good key, or too many bad ones.
    Unauthorized,
    /// The tenant's: the model or provider is not allowed.
    NotAllowed,
    /// The tenant's: it asks too fast.
    TooFast,
    /// The tenant's: a budget is spent, or nobody knows the price.
    Budget,
    /// The gateway's: limits of providers are reached, so nothing was sent.
    Shed,
    /// The gateway's: it is shutting down.
    Draining,
    /// The gateway's: the ledger cannot be written.
    Ledger,
    /// The gateway's: it failed.
    Internal,
    /// The provider's: it refused for its limits.
    RateLimited,
    /// The provider's: it is overloaded or down.
    Overloaded,
    /// The provider's: it answered with an error or with nonsense.
    Upstream,
    /// The provider's: it refused the gateway's own credentials, or their account has no credit.
    UpstreamAuth,
    /// The provider's: it did not answer in time.
    Timeout,
    /// The provider's: its stream broke off.
    Truncated,
    /// The client left first.
    ClientGone,
}

impl Fault {
    /// Every fault, in the order of its index.
    pub const ALL: [Self; 23] = [
        Self::BadRequest,
        Self::TooLong,
        Self::TooLarge,
        Self::Encoding,
        Self::SlowClient,
        Self::NoModel,
        Self::NoPath,
        Self::Unsupported,
        Self::Unauthorized,
        Self::NotAllowed,
        Self::TooFast,
        Self::Budget,
        Self::Shed,
        Self::Draining,
        Self::Ledger,
        Self::Internal,
        Self::RateLimited,
        Self::Overloaded,
        Self::Upstream,
        Self::UpstreamAuth,
        Self::Timeout,
        Self::Truncated,
        Self::ClientGone,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLong => "too_long",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::SlowClient => "slow_client",
            Self::NoModel => "no_model",
            Self::NoPath => "no_path",
            Self::Unsupported => "unsupported",
            Self::Unauthorized => "unauthorized",
            Self::NotAllowed => "not_allowed",
            Self::TooFast => "too_fast",
            Self::Budget => "budget",
            Self::Shed => "shed",
            Self::Draining => "draining",
            Self::Ledger => "ledger",
            Self::Internal => "internal",
            Self::RateLimited => "upstream_rate_limited",
            Self::Overloaded => "upstream_overloaded",
            Self::Upstream => "upstream_error",
            Self::UpstreamAuth => "upstream_auth",
            Self::Timeout => "upstream_timeout",
            Self::Truncated => "upstream_truncated",
            Self::ClientGone => "client_gone",
        }
    }
}

/// What a look into a layer of the response cache came to: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The same request was answered before.
    ExactHit,
    /// It was not.
    ExactMiss,
    /// It was under way.
    ExactCoalesced,
    /// One that means the same was answered before.
    SemanticHit,
    /// None was.
    SemanticMiss,
}

/// Whose budget is spent: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A customer's.
    Customer,
    /// A team's.
    Team,
    /// A virtual key's.
    Key,
    /// A virtual key's at one provider.
    KeyAtProvider,
    /// A provider's.
    Provider,
}

impl Tier {
    /// Every tier, in the order of its index.
    pub const ALL: [Self; 5] = [
        Self::Customer,
        Self::Team,
        Self::Key,
        Self::KeyAtProvider,
        Self::Provider,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Team => "team",
            Self::Key => "key",
            Self::KeyAtProvider => "key_provider",
            Self::Provider => "provider",
        }
    }
}

/// In which language an SDK is written that retries: a closed list, as `x-stainless-lang` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrier {
    /// Python.
    Python,
    /// JavaScript or TypeScript.
    Js,
    /// Go.
    Go,
    /// Java.
    Java,
    /// Kotlin.
    Kotlin,
    /// Ruby.
    Ruby,
    /// C# and its kin.
    Csharp,
    /// PHP.
    Php,
    /// Any other, or none that is named.
    Other,
}

impl Retrier {
    /// Every language, in the order of its index.
    pub const ALL: [Self; 9] = [
        Self::Python,
        Self::Js,
        Self::Go,
        Self::Java,
        Self::Kotlin,
        Self::Ruby,
        Self::Csharp,
        Self::Php,
        Self::Other,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Js => "js",
            Self::Go => "go",
            Self::Java => "java",
            Self::Kotlin => "kotlin",
            Self::Ruby => "ruby",
            Self::Csharp => "csharp",
            Self::Php => "php",
            Self::Other => "other",
        }
    }

    /// The language of this name; `other` for names that are not on the list.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|it| it.name().as_bytes().eq_ignore_ascii_case(name));
        known.unwrap_or(Self::Other)
    }
}
