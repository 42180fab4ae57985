//! The log of requests: a JSON object a line, for programs that read logs.
//!
//! # Invariants
//! - Nothing of a prompt or an answer is in it.
//! - Whatever the disk does, requests do not wait and memory does not grow; lines that are lost are counted.

mod closed;
mod file;
mod line;
mod stamp;
#[cfg(test)]
mod tests;

use std::io;

pub use line::write;

use super::scribe::Sink;
use super::seldom::Seldom;
use super::story::Story;
use crate::config::RequestLog;
use crate::observe::Counter;
use file::{GivenUp, Lines};

/// Bytes that are written at once: some hundred lines.
const WRITTEN: usize = 64 << 10;

/// How often it is looked whether the file was moved away, µs: a second of lines in the wrong file at most.
const LOOK_US: u64 = 1_000_000;

/// How often it is looked whether closed files have to go, µs: ten minutes, against days.
const REMOVE_US: u64 = 600_000_000;

/// What became of lines.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Lines that were written.
    pub written: Counter,
    /// Lines that could not be.
    pub dropped: Counter,
}

/// Writes the log of requests.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    buffer: Vec<u8>,
    /// Lines in the buffer.
    held: u64,
    counts: Counts,
    troubles: Seldom,
    /// When it rested last, when it looked and when it removed, µs since 1970.
    now_us: u64,
    looked_us: u64,
    removed_us: u64,
}

impl Journal {
    /// Opens the file; `now_us` is now.
    ///
    /// # Errors
    /// The file system's, when the file cannot be opened for appending.
    pub fn open(settings: &RequestLog, counts: Counts, now_us: u64) -> io::Result<Self> {
        Ok(Self {
            lines: Lines::open(settings, now_us)?,
            buffer: Vec::with_capacity(2 * WRITTEN),
            held: 0,
            counts,
            troubles: Seldom::default(),
            now_us,
            looked_us: now_us,
            removed_us: now_us,
        })
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        match self.lines.append(&self.buffer, self.now_us) {
            Ok(()) => {
                self.counts.written.inc_by(held);
            }
            Err(GivenUp { lines, why }) => {
                self.counts.written.inc_by(held.saturating_sub(lines));
                self.counts.dropped.inc_by(lines);
                self.warn(&why);
            }
        }
        if let Some(why) = self.lines.trouble.take() {
            self.warn(&why);
        }
        self.buffer.clear();
    }

    fn warn(&mut self, why: &io::Error) {
        if self.troubles.may(self.now_us) {
            let dropped = self.counts.dropped.get();
            tracing::warn!(%why, dropped, "the log of requests cannot be written");
        }
    }
}

impl Sink for Journal {
    fn take(&mut self, story: &Story) {
        line::write(&mut self.buffer, story);
        self.held += 1;
        if self.buffer.len() >= WRITTEN {
            self.flush();
        }
    }

    fn rest(&mut self, unix_us: u64) {
        self.now_us = unix_us;
        if unix_us.abs_diff(self.looked_us) >= LOOK_US {
            self.looked_us = unix_us;
            if let Err(why) = self.lines.look() {
                self.warn(&why);
            }
        }
        self.flush();
        if unix_us.abs_diff(self.removed_us) >= REMOVE_US {
            self.removed_us = unix_us;
            if let Err(why) = self.lines.remove_old(unix_us) {
                self.warn(&why);
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}
