//! What a route's circuit and latency amount to, as seen from outside.
//!
//! # Invariants
//! - Names and their numbers are stable: dashboards and alerts go by them.

/// A route's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Used as the operator's weights say.
    Healthy,
    /// Used, but clearly slower than it used to be.
    Degraded,
    /// Set aside until probes succeed.
    Open,
    /// Set aside; probes are being sent, one at a time.
    Probing,
    /// Coming back with a part of its weight.
    Recovering,
    /// Set aside because its key was rejected.
    KeyHeld,
    /// Set aside because it cannot serve this model.
    Unsupported,
    /// Set aside by an operator.
    Drained,
}

impl State {
    /// The name used in metrics, logs and traces; lower snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Open => "open",
            Self::Probing => "probing",
            Self::Recovering => "recovering",
            Self::KeyHeld => "key_held",
            Self::Unsupported => "unsupported",
            Self::Drained => "drained",
        }
    }
}
