//! How is the file opened, and what can go wrong with it?
//!
//! # Invariants
//! - Write-ahead log, so that readers and the writer do not stop each other.
//! - Nobody waits for a lock longer than [`PATIENCE`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;

/// How long a lock is waited for: a checkpoint's worth; whoever waits is off the path and tries again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes that the write-ahead log is cut to after a checkpoint, so that a burst does not keep the disk.
const LOG_BYTES: i64 = 64 << 20;

/// A connection to the file.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    path: Option<PathBuf>,
}

/// Why the database did not do what it was asked, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds it; it can be asked again.
    #[error("the database is locked by another process")]
    Locked,
    /// There is no room; it can be asked again.
    #[error("the database's disk is full: make room, it goes on by itself")]
    Full,
    /// It was written by a newer version.
    #[error("the database was written by a newer version: run that one, or name another file")]
    Newer,
    /// Its file is damaged.
    #[error("the database is damaged: move it away and restore it from a backup")]
    Damaged,
    /// Something else; it can be asked again.
    #[error("the database failed: {0}")]
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Failed(error),
        }
    }
}

impl Database {
    /// Opens the file for writing, making it and its tables if need be.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        // Only a file without tables takes it; so that what is removed gives its room back.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        Self::migrated(connection, Some(path.to_owned()))
    }

    /// A database in memory, gone with the connection.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::migrated(Connection::open_in_memory()?, None)
    }

    fn migrated(mut connection: Connection, path: Option<PathBuf>) -> Result<Self, StoreError> {
        schema::migrate(&mut connection)?;
        Ok(Self { connection, path })
    }

    /// Opens an existing file for questions only.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        let path = Some(path.to_owned());
        Ok(Self { connection, path })
    }

    /// Lets every write fail, or none, for tests of what happens then.
    #[cfg(test)]
    pub(crate) fn refuse_writes(&self, refuse: bool) {
        self.connection
            .pragma_update(None, "query_only", refuse)
            .unwrap();
    }

    /// Makes all that was committed survive a loss of power; tells whether it does.
    ///
    /// A commit alone survives the process and, without this, not always the machine.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn make_safe(&mut self) -> Result<bool, StoreError> {
        if self.path.is_none() {
            return Ok(true);
        }
        let (busy, in_log, moved): (i64, i64, i64) =
            self.connection
                .query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
        Ok(busy == 0 && in_log == moved)
    }
}
