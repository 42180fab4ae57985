//! BurstGPT's traces.
//!
//! `Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type`; earlier releases lack the second and third.
//! Times are seconds. A request that failed has 0 response tokens; nothing tells how, so it is taken as the provider's error.
//!
//! # Invariants
//! - Each model is its own synthetic route, named as the model.
//! - Sessions and log types are dropped: neither tells what a prompt shares with another, nor whether an answer was streamed.

use std::io;

use scoring::Outcome;
use scoring::time::Span;

use super::gather::{Entry, Flaw, Gather};
use super::table::{Row, Table, count, decimal};
use super::{Format, Note, TraceError, when};
use crate::trace::Seen;

/// The columns that are read, the needed ones first.
const NAMES: [&str; 5] = [
    "Timestamp",
    "Model",
    "Request tokens",
    "Response tokens",
    "Elapsed time",
];

/// Where they stand in a file without a header: the earlier releases' order has no elapsed time.
const BARE: [Option<usize>; 5] = [Some(0), Some(3), Some(4), Some(5), Some(2)];

/// Where they stand in an earlier file without a header.
const BARE_EARLIER: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(3), None];

/// Reads it.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(source: impl io::Read, gather: &mut Gather) -> Result<(), TraceError> {
    let mut table = Table::new(source);
    let found = table.header(gather, Format::BurstGpt, (NAMES, 4))?;
    let has_header = !table.is_ahead();
    let mut failures = 0;
    while let Some(row) = table.next(gather)? {
        let columns = match (has_header, row.fields()) {
            (true, _) => found,
            (false, 8) => BARE,
            (false, _) => BARE_EARLIER,
        };
        let line = row.line();
        let entry = entry(row, columns);
        let failed = |entry: &Entry<'_>| entry.seen.is_some_and(|it| it.status != 200);
        failures += u64::from(entry.as_ref().is_ok_and(failed));
        gather.take(line, entry)?;
    }
    gather.note(Note::Failures(failures));
    Ok(())
}

fn entry<'a>(
    row: Row<'a>,
    [at, model, input, output, elapsed]: [Option<usize>; 5],
) -> Result<Entry<'a>, Flaw> {
    let seconds = |text: &str| when::micros(decimal(text)?, 1e6);
    let at_us = row.get(at, seconds)?;
    let input = row.get(input, count)?;
    let output = row.get(output, count)?;
    let model = row.text(model)?;
    let total = match row.text(elapsed)? {
        Some(_) => Some(Span::from_micros(row.get(elapsed, seconds)?)),
        None => None,
    };
    let (status, outcome) = match output {
        0 => (500, Outcome::ServerError),
        _ => (200, Outcome::Success),
    };
    Ok(Entry {
        model,
        route: model,
        seen: Some(Seen {
            status,
            outcome: Some(outcome),
            total,
            ..Seen::default()
        }),
        // A failure is told as such, not as a request without tokens.
        ..Entry::chat(at_us, input, output.max(1))
    })
}
