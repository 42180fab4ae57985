//! Which ways may a request end, be refused or be answered from the cache? What metrics are labelled by.
//!
//! # Invariants
//! - Each list is closed: a label's value is one of it.

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
    /// Every reason and its label, in the order of its index.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Key, "key"),
        (Self::Login, "login"),
        (Self::Model, "model"),
        (Self::Rate, "rate"),
        (Self::Budget, "budget"),
        (Self::Price, "price"),
        (Self::Ledger, "ledger"),
    ];
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
    /// Every kind and its label, in the order of its index.
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Miss, "miss"),
        (Self::Hit, "hit"),
        (Self::Semantic, "semantic"),
        (Self::Coalesced, "coalesced"),
    ];
}
