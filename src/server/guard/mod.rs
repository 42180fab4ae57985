//! Would every reader of this connection draw the same messages from it?
//!
//! hyper's parser is lenient where it can repair, and then hides that it did: the service never learns that a request had both a Content-Length and a Transfer-Encoding, a bare line feed or two Hosts.
//! A proxy that passes such a request on is how requests are smuggled, so [`Guarded`] stands between the socket and hyper, follows the client's bytes with a small state machine of its own and refuses what is ambiguous.
//! Bytes pass through unchanged; a body of known length costs one subtraction a read.
//!
//! The connection's service asks [`Verdict::next`] once per call and answers a [`Violation`] with its status and `connection: close`.
//! What hyper refuses by itself (bare CR, NUL, blanks before a colon, unknown versions, too many headers, an oversized head) it may answer first; HTTP/2 connections are not wrapped.
//!
//! # Invariants
//! - A violation is in the verdict before hyper is handed the bytes that complete the offending head.
//! - After an offending head nothing more is handed on, so no later bytes can become a request.
//! - Every message without a violation passes untouched, whatever the sizes of the reads.
//! - The verdict does not depend on where the reads split the bytes.
//! - Memory is bounded by one unfinished line of at most the head's limit; none is held between heads.

mod chunks;
mod follower;
mod guarded;
mod head;
mod target;
mod violation;

pub use self::guarded::Guarded;
pub use self::violation::{Verdict, Violation};

/// What an HTTP/2 client with prior knowledge sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of [`PREFACE`] that decide: `PRI` is reserved, so no HTTP/1 method begins with it.
const DECISIVE: usize = 3;

/// Whether a connection's first bytes begin HTTP/2; at least three bytes are needed to say yes.
#[must_use]
pub fn is_http2_preface(first: &[u8]) -> bool {
    let seen = first.len().min(PREFACE.len());
    seen >= DECISIVE && first[..seen] == PREFACE[..seen]
}

#[cfg(test)]
mod tests;
