//! Azure's traces: LLM 2023 and 2024, multimodal 2025.
//!
//! `TIMESTAMP,ContextTokens,GeneratedTokens`, the multimodal one with `NumImages` after the timestamp.
//! Nothing tells what kind of request it was, how long it took or whether it failed: all are streamed chat.
//!
//! # Invariants
//! - Input is context tokens, plus [`TOKENS_PER_IMAGE`] for each image.

use std::io;

use super::gather::{Entry, Flaw, Gather};
use super::table::{Row, Table, count, decimal};
use super::{Format, Note, TraceError, when};

/// Input tokens that an image is counted as.
///
/// The trace tells how many images, not how large; 765 is what OpenAI's vision guide counts for 1024 × 1024 in high detail: 85 + 4 · 170.
/// The dataset's page does not say whether its context tokens hold the images already; if they do, this counts them twice.
pub const TOKENS_PER_IMAGE: u32 = 765;

/// Which columns a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Text,
    Images,
}

/// Reads either kind.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(
    source: impl io::Read,
    gather: &mut Gather,
    columns: Columns,
) -> Result<(), TraceError> {
    let mut table = Table::new(source);
    let [at, input, output, images] = match columns {
        Columns::Text => {
            let names = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
            let [at, input, output] = table.header(gather, Format::Azure, (names, 3))?;
            [at, input, output, None]
        }
        Columns::Images => {
            let names = ["TIMESTAMP", "NumImages", "ContextTokens", "GeneratedTokens"];
            let format = Format::AzureMultimodal;
            let [at, images, input, output] = table.header(gather, format, (names, 4))?;
            [at, input, output, images]
        }
    };
    let mut seen_images = 0;
    while let Some(row) = table.next(gather)? {
        let line = row.line();
        let entry = entry(row, [at, input, output], images);
        let entry = entry.map(|(entry, images)| {
            seen_images += u64::from(images);
            entry
        });
        gather.take(line, entry)?;
    }
    gather.note(Note::Images(seen_images));
    Ok(())
}

fn entry(
    row: Row<'_>,
    [at, input, output]: [Option<usize>; 3],
    images: Option<usize>,
) -> Result<(Entry<'static>, u32), Flaw> {
    let at_us = row.get(at, instant)?;
    let text = row.get(input, count)?;
    let output = row.get(output, count)?;
    let images = match images {
        Some(_) => row.get(images, count)?,
        None => 0,
    };
    let seen = images.checked_mul(TOKENS_PER_IMAGE);
    let Some(input) = seen.and_then(|it| it.checked_add(text)) else {
        return Err(row.flaw(1, "so many images have more tokens than can be counted"));
    };
    Ok((Entry::chat(at_us, input, output), images))
}

/// A date, or a number of seconds.
fn instant(text: &str) -> Result<u64, String> {
    match when::date(text) {
        Some(at) => Ok(at),
        None => {
            let seconds = decimal(text).map_err(|_| "is neither a date nor a number".to_owned())?;
            when::micros(seconds, 1e6)
        }
    }
}
