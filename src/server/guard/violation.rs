//! What was wrong with a head, and which request has to hear it?
//!
//! The guard and the connection's service run on one task, so what they share is two cells.
//! Requests of a connection are numbered from 0 in the order of their heads, which is also the order in which hyper calls the service.
//!
//! # Invariants
//! - A violation is told for the request that it was found in and every later one, never for an earlier one.
//! - The first violation of a connection stays.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;

/// Why a request is refused before anything looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A line of the head ends in LF without CR.
    BareLineFeed,
    /// A line of the head begins with a blank (obs-fold).
    FoldedLine,
    /// The first line is not a method, a target and `HTTP/1.0` or `HTTP/1.1`, each after one space.
    RequestLine,
    /// The method is CONNECT or TRACE.
    Method,
    /// The target is none of: a path, `http(s)://authority/path`, or `*` for OPTIONS; or it has a fragment.
    Target,
    /// The path has an empty or dot segment, a backslash, or an encoded slash, backslash, dot or control character.
    Path,
    /// HTTP/1.1 without Host.
    MissingHost,
    /// More than one Host.
    RepeatedHost,
    /// Host is not a name or address with an optional port.
    InvalidHost,
    /// The authority of the target is not that of Host.
    HostMismatch,
    /// More than one Content-Length, even of equal value.
    RepeatedLength,
    /// Content-Length is not 1 to 19 digits.
    InvalidLength,
    /// Transfer-Encoding is not exactly one `chunked`, or the request is HTTP/1.0.
    TransferEncoding,
    /// Both Content-Length and Transfer-Encoding.
    LengthAndEncoding,
    /// One line is longer than the head may be.
    HeadTooLarge,
}

impl Violation {
    /// The status to answer with: 431 for an oversized head, else 400.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A sentence for the client that says what to change; it repeats nothing the client sent.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::BareLineFeed => "The lines of the request head must end in CR LF.",
            Self::FoldedLine => "A header line must not begin with a blank.",
            Self::RequestLine => "The request line is malformed.",
            Self::Method => "The methods CONNECT and TRACE are not served.",
            Self::Target => "The request target must be a path or an http URL without a fragment.",
            Self::Path => {
                "The path must not have empty or dot segments, backslashes or encoded separators."
            }
            Self::MissingHost => "The Host header is missing.",
            Self::RepeatedHost => "There is more than one Host header.",
            Self::InvalidHost => "The Host header must be a host with an optional port.",
            Self::HostMismatch => "The request target and the Host header name different hosts.",
            Self::RepeatedLength => "There is more than one Content-Length header.",
            Self::InvalidLength => "The Content-Length header is not a number.",
            Self::TransferEncoding => "The only Transfer-Encoding accepted is one `chunked`.",
            Self::LengthAndEncoding => {
                "Content-Length and Transfer-Encoding must not be sent together."
            }
            Self::HeadTooLarge => "A line of the request head is too long.",
        }
    }
}

/// What a connection's guard tells its service; clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Rc<State>);

#[derive(Debug, Default)]
struct State {
    /// The offending request's number and what was wrong.
    refusal: Cell<Option<(u64, Violation)>>,
    /// Requests that the service was called for.
    served: Cell<u64>,
}

impl Verdict {
    /// The violation of the request that the service is being called for; to be asked exactly once per call, at its start.
    #[must_use]
    pub fn next(&self) -> Option<Violation> {
        let number = self.0.served.get();
        self.0.served.set(number + 1);
        let refusal = self.0.refusal.get();
        refusal.and_then(|(offending, violation)| (offending <= number).then_some(violation))
    }

    /// Records that the request of this number is refused.
    pub(super) fn refuse(&self, number: u64, violation: Violation) {
        if self.0.refusal.get().is_none() {
            self.0.refusal.set(Some((number, violation)));
        }
    }

    /// Whether the service has been told of the violation, so that only its answer is left to be written.
    pub(super) fn is_told(&self) -> bool {
        let refusal = self.0.refusal.get();
        refusal.is_some_and(|(offending, _)| offending < self.0.served.get())
    }
}
