//! How did the last readings of the configuration go, and who wants another one?
//!
//! # Invariants
//! - Never used by a request.
//! - Of several wishes that are not yet fulfilled one is enough: the reading that follows sees the newest file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

/// What a reading came to.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When, µs since 1970.
    pub at_us: u64,
    /// What was wrong, if it was refused.
    pub problem: Option<String>,
}

/// The readings of the configuration since the start.
#[derive(Debug, Default)]
pub struct Reloads {
    file: OnceLock<PathBuf>,
    last: Mutex<Option<Reading>>,
    wanted: Notify,
}

impl Reloads {
    /// Says which file is read.
    pub fn follow(&self, file: &Path) {
        let _ = self.file.set(file.to_owned());
    }

    /// The file that is read, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.get().map(PathBuf::as_path)
    }

    /// Asks for a reading.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Waits until somebody asks for one.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Takes note of one.
    pub fn note(&self, reading: Reading) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }

    /// The last one, if there was any since the start.
    #[must_use]
    pub fn last(&self) -> Option<Reading> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}
