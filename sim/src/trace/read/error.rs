//! What is said of a file that is wrong, wholly or in places.
//!
//! # Invariants
//! - Each message names the file, and line and column where there is one.
//! - Text of the file that is quoted is short: it may be anything.

use std::fmt;
use std::io;

use thiserror::Error;

use super::Format;
use crate::trace::{MOST_BLOCKS, MOST_REQUESTS};

/// Malformed lines quoted in a refusal: enough to see the pattern.
const QUOTED: usize = 5;

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The byte in it at which the trouble begins, counted from 1.
    pub column: u64,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            reason,
        } = self;
        write!(f, "{file}:{line}:{column}: {reason}")
    }
}

/// What was done to a file's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Lines earlier than one before them, put into their place.
    OutOfOrder(u64),
    /// Requests whose input or output was 0 tokens or not told, and became 1.
    NoTokens(u64),
    /// Requests that failed.
    Failures(u64),
    /// Images, counted as [`TOKENS_PER_IMAGE`](super::TOKENS_PER_IMAGE) input tokens each.
    Images(u64),
    /// Batches of requests with one timestamp, spread over the gap to the next.
    Spread(u64),
    /// Arrivals and lengths drawn from rates and histograms, with this seed.
    Drawn(u64),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder(count) => write!(f, "{count} lines out of order were sorted in"),
            Self::NoTokens(count) => write!(f, "{count} requests of 0 tokens were given 1"),
            Self::Failures(count) => write!(f, "{count} requests failed when they were recorded"),
            Self::Images(count) => write!(
                f,
                "{count} images were counted as {} input tokens each",
                super::TOKENS_PER_IMAGE
            ),
            Self::Spread(count) => write!(
                f,
                "{count} batches with one timestamp were spread evenly over the gap to the next"
            ),
            Self::Drawn(seed) => write!(
                f,
                "arrivals and lengths were drawn from rates and histograms with seed {seed}"
            ),
        }
    }
}

/// Why a file is no trace.
#[derive(Debug, Error)]
pub enum TraceError {
    /// It cannot be read at all.
    #[error("{name}: {error}")]
    Io {
        /// The file.
        name: String,
        /// What the file system says.
        error: io::Error,
    },
    /// Its format is not known.
    #[error("{name}: {}", unknown(*is_gzip))]
    Unknown {
        /// The file.
        name: String,
        /// Whether it is compressed.
        is_gzip: bool,
    },
    /// It holds no request.
    #[error("{name}: holds no request{}", quoted(first))]
    Empty {
        /// The file.
        name: String,
        /// The first malformed lines.
        first: Vec<Malformed>,
    },
    /// Its header lacks a column.
    #[error("{name}: not a trace in the format `{}`: its first line has no column `{column}`", format.name())]
    Column {
        /// The file.
        name: String,
        /// The format that it was read as.
        format: Format,
        /// The column.
        column: &'static str,
    },
    /// More than half of its lines are malformed.
    #[error(
        "{name}: {count} of {lines} lines are malformed, more than half; the first:{}",
        quoted(first)
    )]
    Malformed {
        /// The file.
        name: String,
        /// How many lines are malformed.
        count: u64,
        /// How many lines hold data.
        lines: u64,
        /// The first malformed ones.
        first: Vec<Malformed>,
    },
    /// It holds more than fits.
    #[error(
        "{name}: more than {MOST_REQUESTS} requests or {MOST_BLOCKS} prefix blocks: read a part of it, or cut the file"
    )]
    TooMany {
        /// The file.
        name: String,
    },
}

impl TraceError {
    pub(super) fn io(name: &str, error: io::Error) -> Self {
        Self::Io {
            name: name.to_owned(),
            error,
        }
    }
}

const fn unknown(is_gzip: bool) -> &'static str {
    if is_gzip {
        "is compressed: unpack it first, `gunzip -k` does"
    } else {
        "is in no format that can be told from its first lines; name the format, or see docs/TRACES.md"
    }
}

fn quoted(first: &[Malformed]) -> String {
    let lines = first.iter().take(QUOTED);
    lines.map(|line| format!("\n  {line}")).collect()
}
