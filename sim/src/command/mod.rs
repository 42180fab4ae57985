//! `replay` and `tune`: from options to what is printed and written.
//!
//! # Invariants
//! - A file is written whole or not at all.
//! - Everything that is wrong with what was asked is told before anything is run.

mod progress;
mod replay;
mod tune;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::report::Unwritable;
use crate::scenario::Mistakes;
use crate::trace::TraceError;

pub use replay::{Replay, replay};
pub use tune::{Budget, Tune, tune};

/// What a command has to say.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// For the standard output.
    pub text: String,
    /// Remarks for the standard error.
    pub remarks: String,
    /// Whether everything held that was to hold.
    pub holds: bool,
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A scenario has mistakes.
    #[error("{0}")]
    Scenario(#[from] Mistakes),
    /// A trace cannot be read.
    #[error("{0}")]
    Trace(#[from] TraceError),
    /// The page cannot be made.
    #[error("{0}")]
    Page(#[from] Unwritable),
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// An option cannot be what it is.
    #[error("{0}")]
    Option(String),
}

/// Whether there is a folder to write `path` into: ten minutes later is too late to find out.
fn writable(path: &Path) -> Result<(), CommandError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let wrong = |error| CommandError::File {
        path: path.to_owned(),
        error,
    };
    if path.is_dir() {
        return Err(wrong(io::ErrorKind::IsADirectory.into()));
    }
    if std::fs::metadata(folder).map_err(wrong)?.is_dir() {
        return Ok(());
    }
    Err(wrong(io::ErrorKind::NotADirectory.into()))
}

/// Writes `text` to `path`: beside it first, then renamed.
///
/// # Errors
/// The file system's; the old file then stays as it is.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let wrong = |error| CommandError::File {
        path: path.to_owned(),
        error,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // What could not be finished is of no use to anybody.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(wrong)
}
