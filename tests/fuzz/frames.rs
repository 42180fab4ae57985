//! How are events written as frames of Amazon's binary stream, rightly or not quite?
//!
//! Written by Smithy's description of `application/vnd.amazon.eventstream`, not by the code that is tested.
//!
//! # Invariants
//! - Checksums are right unless they are wronged on purpose, so that what is behind them is reached.

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::sse::{Event, Stream};

/// The stream as frames.
pub(crate) fn encode(stream: &Stream) -> Vec<u8> {
    stream
        .0
        .iter()
        .flat_map(|event| frame(&headers(event, "event"), &event.data.text()))
        .collect()
}

/// The stream as frames of which some are not right.
pub(crate) fn encode_oddly(stream: &Stream, rng: &mut SmallRng) -> Vec<u8> {
    let odd = rng.random_ratio(1, 3);
    let mut out = Vec::new();
    for event in &stream.0 {
        let kind = match rng.random_range(0..40) {
            0 => "exception",
            1 => "error",
            2 => "",
            _ => "event",
        };
        let mut headers = headers(event, kind);
        if odd && rng.random_ratio(1, 5) {
            let at = rng.random_range(0..headers.len());
            headers[at] = rng.random();
        }
        let mut frame = frame(&headers, &event.data.text());
        if odd && rng.random_ratio(1, 8) {
            let at = rng.random_range(0..frame.len());
            frame[at] ^= 1 << rng.random_range(0..8);
        }
        out.extend_from_slice(&frame);
    }
    out
}

fn headers(event: &Event, kind: &str) -> Vec<u8> {
    let name = event.name.as_deref().unwrap_or_default();
    let named = match kind {
        "exception" => ":exception-type",
        "error" => ":error-code",
        _ => ":event-type",
    };
    let mut out = Vec::new();
    for (name, value) in [
        (named, name),
        (":content-type", "application/json"),
        (":message-type", kind),
    ] {
        out.push(u8::try_from(name.len()).unwrap_or(0));
        out.extend_from_slice(name.as_bytes());
        out.push(7);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out
}

fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(0).to_be_bytes();
    let mut out = length(headers.len() + payload.len() + 16).to_vec();
    out.extend_from_slice(&length(headers.len()));
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}
