//! How is a line of a JSON lines file read?
//!
//! # Invariants
//! - A line is one JSON object; blank lines are none.
//! - The column of a flaw is that of the value where it is known, else of its key, else 1.

use std::io::{self, BufRead, BufReader};

use serde::de::DeserializeOwned;

use super::TraceError;
use super::clipped::Clipped;
use super::gather::{Flaw, Gather};

/// The lines of a file that are not blank, with their numbers.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: BufReader<Clipped<R>>,
    bytes: Vec<u8>,
    number: u64,
}

impl<R: io::Read> Lines<R> {
    /// Reads from `source`.
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(64 << 10, Clipped::new(source)),
            bytes: Vec::new(),
            number: 0,
        }
    }

    /// The next line that is not blank, without its end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next(&mut self, gather: &Gather) -> Result<Option<(u64, &[u8])>, TraceError> {
        loop {
            self.bytes.clear();
            let read = self.source.read_until(b'\n', &mut self.bytes);
            if read.map_err(|error| TraceError::io(gather.name(), error))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !self.bytes.trim_ascii().is_empty() {
                return Ok(Some((self.number, self.bytes.trim_ascii_end())));
            }
        }
    }
}

/// Reads one line.
///
/// # Errors
/// What `serde_json` finds wrong, with its column.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Flaw> {
    serde_json::from_slice(line).map_err(|error| flaw(&error))
}

/// The flaw that `serde_json` found in a line.
pub(super) fn flaw(error: &serde_json::Error) -> Flaw {
    let reason = error.to_string();
    // The place is told apart.
    let reason = reason
        .rsplit_once(" at line ")
        .map_or(reason.as_str(), |it| it.0);
    Flaw {
        column: (error.column() as u64).max(1),
        reason: reason.to_owned(),
    }
}

/// A flaw of the value of `key`, found where the key stands.
pub(super) fn flaw_of(line: &[u8], key: &str, reason: &str) -> Flaw {
    let quoted = format!("\"{key}\"");
    let found = line
        .windows(quoted.len())
        .position(|it| it == quoted.as_bytes());
    Flaw {
        column: found.map_or(1, |at| at as u64 + 1),
        reason: format!("`{key}` {reason}"),
    }
}
