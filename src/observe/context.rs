//! Which trace is a request part of?
//!
//! # Invariants
//! - Neither id is zero.

use http::HeaderValue;

/// The place of a request in a trace, after W3C's Trace Context.
#[derive(Clone, Debug)]
pub struct Context {
    /// The trace.
    pub trace: u128,
    /// The client's span, if it has told one.
    pub parent: Option<u64>,
    /// The request's own span.
    pub span: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
    /// `tracestate`, as it came.
    pub state: Option<HeaderValue>,
}
