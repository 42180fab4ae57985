//! What can go wrong with the file, by what its user can do about it?
//!
//! # Invariants
//! - After every one of them the same `Disk` can be asked again.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the cache's disk did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Somebody else holds it; it can be asked again.
    #[error(
        "the cache's database is in use by another process: give each gateway a file of its own"
    )]
    Locked,
    /// There is no room; nothing of the batch is there, and it can be asked again.
    #[error("the cache's disk is full: make room, it goes on by itself")]
    Full,
    /// It may not be opened or written; it can be asked again.
    #[error(
        "the cache's database cannot be opened or written: the gateway's user has to read and write the file and its folder"
    )]
    Unwritable,
    /// It was damaged while in use, was set aside, and is empty now; it can be asked again at once.
    #[error("the cache's database was damaged while in use, and what it held is gone: {0}")]
    Damaged(String),
    /// There is something in its place that is no file.
    #[error("{0} is no file: name another one for the cache's database")]
    NotAFile(PathBuf),
    /// A file or folder beside it cannot be used.
    #[error("{path} cannot be used: {source}")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A payload cannot be encrypted: it is beyond the cipher's 64 GiB.
    #[error("a payload of the cache is too long to be encrypted")]
    TooLong,
    /// Something else; it can be asked again.
    #[error("the cache's database failed: {0}")]
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for DiskError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Unwritable
            }
            _ => Self::Failed(error),
        }
    }
}

/// Whether an error says that the file itself is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
