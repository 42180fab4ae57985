//! Where can a stream be cut so that each piece is one step of it?
//!
//! # Invariants
//! - Put together, the pieces are the bytes; none is copied.

use bytes::Bytes;

use crate::stream::sse;

/// Cuts a stream at its events, or a list at its elements; what is neither is one piece.
#[must_use]
pub fn pieces(bytes: &Bytes) -> Vec<Bytes> {
    if bytes.first() == Some(&b'[') {
        return elements(bytes);
    }
    let mut at = 0;
    let events = sse::events(bytes).map(|event| {
        let begin = at;
        at += event.raw.len();
        bytes.slice(begin..at)
    });
    events.collect()
}

/// The elements of a list: each with what stands before it, and the last with the end.
fn elements(bytes: &Bytes) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let (mut begin, mut at, mut depth) = (0, 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = behind_string(bytes, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            // Between two elements.
            b',' if depth == 1 => {
                pieces.push(bytes.slice(begin..at - 1));
                begin = at - 1;
            }
            _ => {}
        }
    }
    pieces.push(bytes.slice(begin..));
    pieces
}

/// The offset behind the string whose text begins at `at`.
fn behind_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(rest) = bytes.get(at..)
        && let Some(found) = memchr::memchr2(b'"', b'\\', rest)
    {
        if rest.get(found) == Some(&b'"') {
            return at + found + 1;
        }
        // What is escaped ends nothing.
        at += found + 2;
    }
    bytes.len()
}
