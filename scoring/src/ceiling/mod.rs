//! What may a route still be asked for, by limits told and learned?
//!
//! Every limit of a key (requests, tokens, input tokens, output tokens; concurrency apart) has a *mirror*: our own copy of the provider's bucket, charged when a request is sent and settled when its usage is known.
//! The rates come from, best first: an operator at run time, the configuration, response headers, the numbers in a refusal, a refusal's `Retry-After`, and, from providers that tell nothing, measurement between refusals.
//! The selector reads `standing`; a route at 95 % of any limit is used last, and when all are, the caller refuses by itself with the `wait` of the soonest.
//! No conventional additive-increase limiter: it needs a refusal for each step of precision, and each refusal is a failed attempt of a user's request.
//!
//! # Invariants
//! - Without any limit known, utilisation is 0 and nothing is ever held.
//! - A mirror is never raised by a header by more than what flowed in since the last header.
//! - Charging, settling, standing and observing touch atomics only: no lock, no allocation, no wait.
//! - Units: tokens and requests; rates per second inside, per minute at the border.

mod gate;
mod lane;
mod learn;
mod learner;
mod limits;
mod mirror;
mod overrule;
mod report;
mod view;

#[cfg(test)]
mod tests;

pub use gate::HoldReason;
pub use report::{Dimension, LimitReport, LimitSource, Reading};
pub use view::{CeilingView, CeilingsView, Source};

pub(crate) use gate::{DRAINED, PINNED};
pub(crate) use learn::{Refusal, observe, reject, sweep};
#[cfg(any(test, loom))]
pub(crate) use limits::standing;
pub(crate) use limits::{
    Charge, Charged, Gate, Limits, Seen, Settled, Want, charge, see, settle, utilisation, wait,
};
pub(crate) use mirror::{Fill, Rule};
pub(crate) use overrule::{inherit, overrule, overrules, release};
pub(crate) use view::view;

/// Limits that the operator configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldLimits {
    /// Requests per minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute, input and output together.
    pub tokens_per_minute: Option<u32>,
    /// Input tokens per minute.
    pub input_tokens_per_minute: Option<u32>,
    /// Output tokens per minute.
    pub output_tokens_per_minute: Option<u32>,
    /// Requests in flight.
    pub concurrency: Option<u32>,
}
