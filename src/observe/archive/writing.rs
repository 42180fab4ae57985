//! Who writes requests to the disk?
//!
//! A thread looks once a second, or when a block is full, writes what is new and removes what is old.
//!
//! # Invariants
//! - No failure ends it: it warns once a minute and tries again.
//! - When it is told to stop, what is on the shelf is written first, if the disk takes it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;
use crate::observe::Counter;
use crate::store::StoreError;
use crate::store::requests::{Disk, Limits, Shelf};

/// How often it writes: what a crash may lose.
const EVERY: Duration = Duration::from_millis(900);

/// How soon it goes on where there is more to remove.
const SOON: Duration = Duration::from_millis(50);

/// Turns from one look for what is old to the next.
const TURNS: u32 = 8;

/// Seconds from one warning to the next.
const WARN_EVERY_S: i64 = 60;

/// What is written where, and how much of it is kept.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) path: PathBuf,
    /// How long requests are kept.
    pub(super) seconds: i64,
    /// Bytes that they may take.
    pub(super) bytes: u64,
}

/// The thread; stops, with everything written, when dropped.
#[derive(Debug)]
pub(super) struct Writing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writing {
    pub(super) fn begin(terms: Terms, shelf: Arc<Shelf>, dropped: Counter) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            terms,
            shelf,
            dropped,
            disk: None,
            warned_s: None,
            turns: 0,
        };
        let told = Arc::clone(&stop);
        let run = move || {
            loop {
                // Acquire pairs with the release in `drop`: what was shelved before the stop is seen.
                let last = told.load(Ordering::Acquire);
                let more = work.turn();
                if last {
                    return;
                }
                std::thread::park_timeout(if more { SOON } else { EVERY });
            }
        };
        let named = std::thread::Builder::new().name("requests".to_owned());
        Ok(Self {
            stop,
            thread: Some(named.spawn(run)?),
        })
    }

    /// Has it look at once.
    pub(super) fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Release pairs with the acquire in `begin`.
        self.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Work {
    terms: Terms,
    shelf: Arc<Shelf>,
    dropped: Counter,
    /// None while it cannot be opened.
    disk: Option<Disk>,
    warned_s: Option<i64>,
    turns: u32,
}

impl Work {
    /// Writes and removes; whether there is more to be removed.
    fn turn(&mut self) -> bool {
        let done = self.write();
        self.dropped.inc_by(self.shelf.take_dropped());
        match done {
            Ok(more) => more,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn write(&mut self) -> Result<bool, StoreError> {
        if self.shelf.take_doubt() && self.disk.is_some() {
            return Err(StoreError::Damaged);
        }
        // An operator may have removed it, which is no failure.
        let disk = match self.disk.take().filter(Disk::is_there) {
            Some(disk) => self.disk.insert(disk),
            None => {
                let mut disk = Disk::open(&self.terms.path, &self.shelf)?;
                if let Some(aside) = disk.take_aside() {
                    tracing::warn!("requests: {aside}; another one is begun");
                }
                self.disk.insert(disk)
            }
        };
        disk.write(&self.shelf)?;
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(TURNS) {
            return Ok(false);
        }
        let now_s = clock::unix_seconds();
        let since_s = u64::try_from(now_s.saturating_sub(self.terms.seconds)).unwrap_or(0);
        let more = disk.prune(&Limits {
            since_us: since_s.saturating_mul(1_000_000),
            bytes: self.terms.bytes,
        })?;
        if more {
            self.turns = self.turns.wrapping_sub(1);
        }
        Ok(more)
    }

    /// Tells what is wrong, and sets aside what is damaged.
    fn fail(&mut self, error: &StoreError) {
        // Whatever else it is, it stays open: opened again it would count what waits as lost.
        if matches!(error, StoreError::Damaged)
            && let Some(disk) = self.disk.take()
        {
            match disk.set_aside() {
                Ok(aside) => tracing::warn!(
                    aside = %aside.display(),
                    "the database of requests was damaged and is set aside; another one is begun"
                ),
                Err(error) => {
                    tracing::warn!(%error, "the database of requests is damaged and cannot be set aside")
                }
            }
            return;
        }
        let now_s = clock::unix_seconds();
        let is_due = self
            .warned_s
            .is_none_or(|at| now_s >= at.saturating_add(WARN_EVERY_S));
        if is_due {
            self.warned_s = Some(now_s);
            tracing::warn!(
                path = %self.terms.path.display(),
                %error,
                "requests cannot be written; those that find no room in memory are dropped and counted"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::requests::{Filter, Records, Row, Stay, Wish};

    #[test]
    fn a_failure_costs_nothing_that_finds_room_in_memory() {
        let name = format!("trimtab-writing-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, 1 << 30));
        let path = folder.join("requests.db");
        let dropped = Counter::default();
        let mut work = Work {
            terms: Terms {
                path: path.clone(),
                seconds: 3_600,
                bytes: 1 << 30,
            },
            shelf: Arc::clone(&shelf),
            dropped: dropped.clone(),
            disk: None,
            warned_s: None,
            turns: 0,
        };
        for _ in 0..3 {
            shelf.push(&Row::default(), std::iter::empty(), None);
            work.turn();
            shelf.push(&Row::default(), std::iter::empty(), None);
            work.fail(&StoreError::Full);
        }
        work.turn();
        let wish = Wish {
            before: None,
            limit: 10,
        };
        let records = Records::new(shelf, Some(path));
        let page = records.search(&Filter::default(), wish, &mut || true);
        assert_eq!((page.unwrap().hits.len(), dropped.get()), (6, 0));
        drop(work);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
