//! How does a record get into its file whole or not at all?
//!
//! The length up to which the file is good is known, so what a short or failed write has left is cut off; where that fails too, nothing is written until it succeeds.
//!
//! # Invariants
//! - After every call, the file's first `len` bytes are all that was appended with success.
//! - A failure is not remembered but for what must be cut: the next call tries again.

use std::io;

use super::disk::Log;

/// Why a record is not in the journal; none of it is charged and its request must not be sent on a hard budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// There is no room left.
    #[error("the ledger's disk is full: make room, it goes on by itself")]
    Full,
    /// It may not be written to.
    #[error("the ledger's disk is read-only: mount it writable, it goes on by itself")]
    ReadOnly,
    /// Something else.
    #[error("the ledger cannot be written: {0}")]
    Failed(io::ErrorKind),
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::WriteZero => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            kind => Self::Failed(kind),
        }
    }
}

/// How far a file is good.
#[derive(Debug)]
pub(super) struct End {
    len: u64,
    /// Whether there may be rubbish behind `len`.
    torn: bool,
}

impl End {
    /// The end of a file that is good up to `len` bytes; what is behind is cut off before the first append.
    pub(super) const fn torn_at(len: u64) -> Self {
        Self { len, torn: true }
    }

    /// The end of a file of `len` good bytes.
    pub(super) const fn at(len: u64) -> Self {
        Self { len, torn: false }
    }

    /// Good bytes.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Appends all of it or nothing.
    pub(super) fn append(&mut self, log: &dyn Log, bytes: &[u8]) -> Result<(), JournalError> {
        if self.torn {
            self.cut_to(log, self.len)?;
        }
        let written = match log.append(bytes) {
            Ok(count) if count == bytes.len() => {
                self.len += bytes.len() as u64;
                return Ok(());
            }
            Ok(_) => JournalError::Full,
            Err(error) => error.into(),
        };
        // The first failure is the one to tell; a failure to cut leaves `torn` set.
        let _ = self.cut_to(log, self.len);
        Err(written)
    }

    /// Cuts the file to a length that it had before.
    pub(super) fn cut_to(&mut self, log: &dyn Log, len: u64) -> Result<(), JournalError> {
        self.len = self.len.min(len);
        self.torn = true;
        log.truncate(self.len)?;
        self.torn = false;
        Ok(())
    }
}
