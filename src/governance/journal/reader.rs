//! Which records are in a file?
//!
//! Records have one size, so the next one begins where one ends; where none begins, because something is damaged or torn, the next place is sought at which a whole record with a right checksum lies.
//!
//! # Invariants
//! - Every whole record is found, whatever lies before or behind it.
//! - Memory is bounded by [`CHUNK`], whatever is in the file.

use std::io;

use memchr::memmem;

use super::disk::Disk;
use super::record::{MAGIC, Record, SIZE};

/// Bytes that are read at once: 4,096 records.
const CHUNK: usize = SIZE * 4096;

/// A record and where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Bytes of the file up to its end.
    pub end: u64,
}

/// Reads one file from a position on.
#[derive(Debug)]
pub struct Reader<'a> {
    disk: &'a dyn Disk,
    name: &'a str,
    /// Where the file ends for this reader; none is its own end.
    end: Option<u64>,
    /// The file's position of the buffer's first unread byte.
    at: u64,
    buffer: Vec<u8>,
    /// The buffer's first unread byte.
    unread: usize,
    /// Whether the last byte was passed over as damaged, so that one stretch is counted once.
    astray: bool,
    damaged: u64,
    skipped: u64,
}

impl<'a> Reader<'a> {
    /// Reads `name` from `at` to `end`, bytes; without an end to that of the file.
    #[must_use]
    pub const fn new(disk: &'a dyn Disk, name: &'a str, at: u64, end: Option<u64>) -> Self {
        Self {
            disk,
            name,
            end,
            at,
            buffer: Vec::new(),
            unread: 0,
            astray: false,
            damaged: 0,
            skipped: 0,
        }
    }

    /// Stretches that were passed over since no record begins in them.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Bytes in them.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Up to where everything was read, bytes.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// If the file cannot be read; it can be asked again.
    pub fn read_next(&mut self) -> io::Result<Option<Found>> {
        loop {
            if self.buffer.len() - self.unread < SIZE && !self.fill()? {
                let rest = self.buffer.len() - self.unread;
                self.pass(rest);
                return Ok(None);
            }
            let rest = &self.buffer[self.unread..];
            if let Some(record) = rest.first_chunk().and_then(Record::decode) {
                self.astray = false;
                self.unread += SIZE;
                self.at += SIZE as u64;
                return Ok(Some(Found {
                    record,
                    end: self.at,
                }));
            }
            let next = memmem::find(&rest[1..], MAGIC).map_or_else(
                // The last bytes may be the beginning of the word that is sought.
                || rest.len() - (MAGIC.len() - 1),
                |found| found + 1,
            );
            self.pass(next);
        }
    }

    /// Passes over bytes in which no record begins.
    fn pass(&mut self, count: usize) {
        if count > 0 {
            self.damaged += u64::from(!self.astray);
            self.astray = true;
            self.skipped += count as u64;
            self.unread += count;
            self.at += count as u64;
        }
    }

    /// Reads on, keeping what is unread; tells whether a record's worth is there now.
    fn fill(&mut self) -> io::Result<bool> {
        let kept = self.buffer.len() - self.unread;
        let from = self.at + kept as u64;
        let room = (CHUNK - kept) as u64;
        let wanted = self
            .end
            .map_or(room, |end| end.saturating_sub(from).min(room));
        self.buffer.drain(..self.unread);
        self.unread = 0;
        self.buffer
            .resize(kept + usize::try_from(wanted).unwrap_or(0), 0);
        let read = self.disk.read(self.name, from, &mut self.buffer[kept..]);
        self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
        read?;
        Ok(self.buffer.len() >= SIZE)
    }
}
