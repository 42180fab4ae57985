//! Mooncake's traces.
//!
//! One JSON object per line: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (prefix blocks of 512 tokens).
//! The clock of the recording ticked every 3 s, so that requests come in batches with one timestamp; at face value each batch would be a stampede.
//!
//! # Invariants
//! - The n requests of a batch are spread evenly over the gap to the next one, in their order; the last batch over the gap before it.

use std::io;

use scoring::time::Span;
use serde::Deserialize;

use super::gather::{Entry, Flaw, Gather};
use super::{Note, TraceError, json, when};
use crate::trace::Request;

/// The gap behind a batch that is the only one, in µs: the recording's tick.
const TICK_US: u64 = 3_000_000;

#[derive(Deserialize)]
struct Line {
    timestamp: f64,
    input_length: u32,
    output_length: u32,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// Reads it.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(source: impl io::Read, gather: &mut Gather) -> Result<(), TraceError> {
    let mut lines = json::Lines::new(source);
    while let Some((number, bytes)) = lines.next(gather)? {
        let parsed: Result<(Line, u64), Flaw> = json::parse(bytes).and_then(|line: Line| {
            let at = when::micros(line.timestamp, 1e3);
            let at = at.map_err(|reason| json::flaw_of(bytes, "timestamp", &reason))?;
            Ok((line, at))
        });
        let entry = parsed.as_ref().map(|(line, at_us)| Entry {
            blocks: &line.hash_ids,
            ..Entry::chat(*at_us, line.input_length, line.output_length)
        });
        gather.take(number, entry.map_err(Flaw::clone))?;
    }
    let batches = spread(gather.sorted());
    gather.note(Note::Spread(batches));
    Ok(())
}

/// Spreads requests that are in order; how many batches of two and more there were.
fn spread(requests: &mut [Request]) -> u64 {
    let (mut batches, mut gap) = (0, TICK_US);
    let mut rest = requests;
    while let Some(first) = rest.first().map(|it| it.at.as_micros()) {
        let length = rest.partition_point(|it| it.at.as_micros() == first);
        let (batch, later) = rest.split_at_mut(length);
        gap = later
            .first()
            .map_or(gap, |next| next.at.as_micros() - first);
        for (place, request) in batch.iter_mut().enumerate() {
            // At most 50 million requests and 2.6e17 µs: the product needs 128 bits.
            let offset = u128::from(gap) * place as u128 / length as u128;
            request.at = Span::from_micros(first + offset as u64);
        }
        batches += u64::from(length > 1);
        rest = later;
    }
    batches
}
