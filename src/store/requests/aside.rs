//! What becomes of a file that is damaged?
//!
//! It is renamed to `requests.db.broken-N`, with what SQLite keeps beside it.
//!
//! # Invariants
//! - At most [`KEPT`] of them are left.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many are left: each may be as large as the file.
const KEPT: u32 = 2;

/// What SQLite keeps beside a database; it goes first, so that an old log never meets a new database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A path with something behind its name.
pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Renames a database and what is beside it; the new path.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let named = |number: u32| with(path, &format!(".broken-{number}"));
    // The one before goes for the new one.
    let number = (1..=KEPT).find(|it| !named(*it).exists()).unwrap_or(KEPT);
    let aside = named(number);
    for suffix in BESIDE {
        match fs::rename(with(path, suffix), with(&aside, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_file(with(&aside, suffix));
            }
            renamed => renamed?,
        }
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}
