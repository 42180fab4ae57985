//! How does a worker write what it reserves and settles?
//!
//! It owns its file, and takes the next one, opened ahead by the control thread, when the file has its size.
//!
//! # Invariants
//! - A record is one `write`; nothing else is called on the path while the control thread keeps up.
//! - A file is never written to after it was closed, nor by two writers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use super::append::{End, JournalError};
use super::disk::{Disk, Log};
use super::record::{Adjust, Record, Reserve, Roll, Settle};

/// Bytes after which a file is followed by the next: 64 MiB, some 350,000 records.
///
/// Smaller makes more files; larger makes history wait longer on disk before it can be removed.
pub(super) const ROTATE_AT: u64 = 64 << 20;

/// Bytes after which a writer opens the next file itself, should the control thread not have done it.
///
/// At ten thousand records a second it has a minute and a half to do so.
const OPEN_AT: u64 = 4 * ROTATE_AT;

/// Files that a writer may open itself before the control thread has seen them.
pub(super) const UNSEEN: usize = 4;

/// A file that records are appended to.
#[derive(Debug)]
pub(super) struct Segment {
    /// Its name in the folder.
    pub(super) name: String,
    /// The file.
    pub(super) log: Box<dyn Log>,
    /// Bytes that may be read. Written after the records, so that whoever reads it finds them.
    pub(super) written: AtomicU64,
    /// Whether it will not be written again. Guards the last sync: set after the last write.
    pub(super) closed: AtomicBool,
}

impl Segment {
    /// Makes the file that a worker begins at an instant, µs since 1970.
    pub(super) fn create(disk: &dyn Disk, at: i64, worker: u32) -> std::io::Result<Arc<Self>> {
        let name = format!("{:016}-{worker}.log", at.max(0));
        let log = disk.create(&name)?;
        Ok(Arc::new(Self {
            name,
            log,
            written: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }))
    }

    /// Says that it will not be written again.
    pub(super) fn close(&self) {
        // Release: pairs with the acquire in `Journal::tend`, which then syncs for the last time.
        self.closed.store(true, Ordering::Release);
    }
}

/// What a worker's writer and the control thread pass each other.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) worker: u32,
    pub(super) disk: Arc<dyn Disk>,
    /// The file that was opened ahead.
    pub(super) next: ArrayQueue<Arc<Segment>>,
    /// Files that the writer had to open itself.
    pub(super) unseen: ArrayQueue<Arc<Segment>>,
    /// Whether the writer is gone. Guards nothing.
    pub(super) ended: AtomicBool,
}

/// A worker's end of the journal.
#[derive(Debug)]
pub struct Writer {
    lane: Arc<Lane>,
    open: Option<Arc<Segment>>,
    end: End,
}

impl Writer {
    pub(super) const fn new(lane: Arc<Lane>) -> Self {
        Self {
            lane,
            open: None,
            end: End::at(0),
        }
    }

    /// Writes what an attempt may cost; to be called before it is sent.
    ///
    /// # Errors
    /// If it is not in the file; the next call tries anew.
    pub fn reserve(&mut self, reserve: &Reserve) -> Result<(), JournalError> {
        self.append(reserve.at, &Record::Reserve(*reserve))
    }

    /// Writes what an attempt did cost.
    ///
    /// # Errors
    /// If it is not in the file; what was reserved stays charged unless it is tried again.
    pub fn settle(&mut self, settle: &Settle) -> Result<(), JournalError> {
        self.append(settle.at, &Record::Settle(*settle))
    }

    /// Writes that an account's window moved.
    ///
    /// # Errors
    /// If it is not in the file.
    pub fn roll(&mut self, roll: &Roll) -> Result<(), JournalError> {
        self.append(roll.at, &Record::Roll(*roll))
    }

    /// Writes an operator's correction.
    ///
    /// # Errors
    /// If it is not in the file.
    pub fn adjust(&mut self, adjust: &Adjust) -> Result<(), JournalError> {
        self.append(adjust.at, &Record::Adjust(*adjust))
    }

    fn append(&mut self, at: i64, record: &Record) -> Result<(), JournalError> {
        if self.open.is_none() || self.end.len() >= ROTATE_AT {
            self.rotate(at)?;
        }
        let Some(segment) = &self.open else {
            return Err(JournalError::Failed(std::io::ErrorKind::NotFound));
        };
        self.end.append(&*segment.log, &record.encode())?;
        // Release: pairs with the acquire in `Journal::files`, so that a reader finds the bytes.
        segment.written.store(self.end.len(), Ordering::Release);
        Ok(())
    }

    /// Takes the next file; where there is none it keeps the present one, up to a bound.
    fn rotate(&mut self, at: i64) -> Result<(), JournalError> {
        let next = match self.lane.next.pop() {
            Some(next) => next,
            None if self.open.is_some() && self.end.len() < OPEN_AT => return Ok(()),
            None => match self.open_now(at) {
                Ok(next) => next,
                Err(_) if self.open.is_some() => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        if let Some(full) = self.open.replace(next) {
            full.close();
        }
        self.end = End::at(0);
        Ok(())
    }

    fn open_now(&self, at: i64) -> Result<Arc<Segment>, JournalError> {
        if self.lane.unseen.is_full() {
            return Err(JournalError::Failed(std::io::ErrorKind::WouldBlock));
        }
        let segment = Segment::create(&*self.lane.disk, at, self.lane.worker)?;
        // There is room: only this writer pushes.
        let _ = self.lane.unseen.push(Arc::clone(&segment));
        Ok(segment)
    }

    /// Goes on as if the file were so long, for tests of what happens at its end.
    #[cfg(test)]
    pub(super) const fn pretend_length(&mut self, len: u64) {
        self.end = End::at(len);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.close();
        }
        // Release: pairs with the acquire in `Journal::tend`.
        self.lane.ended.store(true, Ordering::Release);
    }
}
