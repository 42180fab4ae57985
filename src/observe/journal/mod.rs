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

use prometheus_client::metrics::counter::Counter;

pub use line::write;

use super::scribe::Sink;
use super::seldom::Seldom;
use super::story::Story;
use crate::config::RequestLog;
use file::{GivenUp, Lines};

/// Bytes that are written at once: some hundred lines.
const WRITTEN: usize = 64 << 10;

/// How often it is looked whether the file was moved away, µs: a second of lines in the wrong file at most.
const LOOK_US: u64 = 1_000_000;

/// How often it is looked whether closed files have to go, µs: ten minutes, against days.
const REMOVE_US: u64 = 600_000_000;

/// Writes the log of requests.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    buffer: Vec<u8>,
    dropped: Counter,
    troubles: Seldom,
    /// When it rested last, when it looked and when it removed, µs since 1970.
    now_us: u64,
    looked_us: u64,
    removed_us: u64,
}

impl Journal {
    /// Opens the file; `dropped` counts lines that are lost, and `now_us` is now.
    ///
    /// # Errors
    /// The file system's, when the file cannot be opened for appending.
    pub fn open(settings: &RequestLog, dropped: Counter, now_us: u64) -> io::Result<Self> {
        Ok(Self {
            lines: Lines::open(settings, now_us)?,
            buffer: Vec::with_capacity(2 * WRITTEN),
            dropped,
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
        if let Err(GivenUp { lines, why }) = self.lines.append(&self.buffer, self.now_us) {
            self.dropped.inc_by(lines);
            self.warn(&why);
        }
        if let Some(why) = self.lines.trouble.take() {
            self.warn(&why);
        }
        self.buffer.clear();
    }

    fn warn(&mut self, why: &io::Error) {
        if self.troubles.may(self.now_us) {
            let dropped = self.dropped.get();
            tracing::warn!(%why, dropped, "the log of requests cannot be written");
        }
    }
}

impl Sink for Journal {
    fn take(&mut self, story: &Story) {
        line::write(&mut self.buffer, story);
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
