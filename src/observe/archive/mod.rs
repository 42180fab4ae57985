//! Who keeps finished requests, for `/api/requests` and the dashboard?
//!
//! A [`Sink`] that makes a row of each story; `store` knows how rows are kept.
//! On disk a thread of its own writes them, so that a slow disk holds up nobody who is told of requests as well.
//!
//! # Invariants
//! - What was said is cleaned of credentials before it is on the shelf, where that is asked for.
//! - A disk that is full, missing or damaged costs rows, which are counted, and nothing else.

mod redact;
mod row;
mod writing;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::scribe::Sink;
use super::story::Story;
use crate::config::{Keep, Requests};
use crate::observe::Counter;
use crate::store::requests::{Records, Shelf, Stay};
use writing::Writing;

/// The file's name in its folder.
const FILE: &str = "requests.db";

/// Keeps stories.
#[derive(Debug)]
pub struct Archive {
    shelf: Arc<Shelf>,
    records: Arc<Records>,
    writing: Option<Writing>,
}

impl Archive {
    /// Begins to keep what the configuration wants kept; none if that is nothing. `now_us` is µs since 1970.
    ///
    /// # Errors
    /// The system's, when no thread can be had.
    pub fn begin(wanted: &Requests, dropped: Counter, now_us: u64) -> io::Result<Option<Self>> {
        let (stay, path): (Stay, Option<PathBuf>) = match wanted.keep {
            Keep::Off => return Ok(None),
            Keep::Memory => (Stay::Here, None),
            Keep::Disk => (Stay::OnDisk, Some(wanted.data.join(FILE))),
        };
        let shelf = Arc::new(Shelf::new(stay, wanted.memory, now_us));
        let records = Arc::new(Records::new(Arc::clone(&shelf), path.clone()));
        let writing = path.map(|path| {
            let keep = writing::Terms {
                path,
                seconds: wanted.days.seconds(),
                bytes: wanted.size as u64,
            };
            Writing::begin(keep, Arc::clone(&shelf), dropped)
        });
        Ok(Some(Self {
            shelf,
            records,
            writing: writing.transpose()?,
        }))
    }

    /// What reads it.
    #[must_use]
    pub fn records(&self) -> Arc<Records> {
        Arc::clone(&self.records)
    }
}

impl Sink for Archive {
    fn take(&mut self, story: &Story) {
        let is_full = row::keep(&self.shelf, story);
        if let (true, Some(writing)) = (is_full, &self.writing) {
            writing.wake();
        }
    }

    fn rest(&mut self, _unix_us: u64) {}
}
