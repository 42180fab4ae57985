//! Who opens, syncs and closes the journal's files?
//!
//! One thread, once a second, off the path of requests.
//! It holds every live file by a shared handle, so it can sync what workers write without asking them.
//!
//! # Invariants
//! - A file is synced once more after its last record, and only then no longer live.
//! - A failed sync is told, counted, and tried again.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::config::Sync;

use super::disk::Disk;
use super::writer::{Lane, Segment, UNSEEN, Writer};

/// Names that are tried for a new file, each a microsecond on, before it is put off to the next turn.
const NAMES_TRIED: i64 = 8;

/// The journal as the control thread sees it.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    sync: Sync,
    lanes: Vec<Arc<Lane>>,
    live: Vec<Watched>,
    /// Files that were there at the start, and those that were closed since.
    closed: HashSet<String>,
    workers: u32,
    latest: i64,
    unsynced_folder: bool,
}

/// A live file and how much of it is known to be safe.
#[derive(Debug)]
struct Watched {
    segment: Arc<Segment>,
    synced: u64,
}

/// A file of the journal that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Its name.
    pub name: String,
    /// Bytes of it that may be read; none of a file that is not written any more: all of it.
    pub end: Option<u64>,
}

/// What a turn of the control thread came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Files that could not be synced, the folder included; after a loss of power what is in them may be gone.
    pub unsynced: u32,
    /// Workers for which no file could be opened ahead.
    pub unopened: u32,
    /// Files that are live.
    pub live: u32,
}

impl Journal {
    /// A journal in a folder; what is there already is read and never written.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn open(disk: Arc<dyn Disk>, sync: Sync) -> io::Result<Self> {
        let closed = disk.list()?.into_iter().collect();
        Ok(Self {
            disk,
            closed,
            sync,
            lanes: Vec::new(),
            live: Vec::new(),
            workers: 0,
            latest: 0,
            unsynced_folder: false,
        })
    }

    /// The end for one more worker, with a file ready if one can be made; `now` in µs since 1970.
    #[must_use]
    pub fn writer(&mut self, now: i64) -> Writer {
        let lane = Arc::new(Lane {
            worker: self.workers,
            disk: Arc::clone(&self.disk),
            next: ArrayQueue::new(1),
            unseen: ArrayQueue::new(UNSEEN),
            ended: AtomicBool::new(false),
        });
        self.workers += 1;
        self.lanes.push(Arc::clone(&lane));
        self.open_ahead(&lane, now);
        Writer::new(lane)
    }

    /// Does what is due: takes note of files, syncs them, lets closed ones go and opens the next ones.
    ///
    /// To be called once a second; `now` in µs since 1970.
    pub fn tend(&mut self, now: i64) -> Tended {
        let mut tended = Tended::default();
        for lane in std::mem::take(&mut self.lanes) {
            // Acquire: pairs with the release in `Writer::drop`, so that all files it opened are found.
            let ended = lane.ended.load(Ordering::Acquire);
            self.adopt_from(&lane);
            if ended {
                while let Some(unused) = lane.next.pop() {
                    unused.close();
                }
                continue;
            }
            if lane.next.is_empty() && !self.open_ahead(&lane, now) {
                tended.unopened += 1;
            }
            self.lanes.push(lane);
        }
        let sync = self.sync;
        self.live.retain_mut(|watched| {
            // Acquire: pairs with the release in `Segment::close`, so that the sync below covers all of it.
            let closed = watched.segment.closed.load(Ordering::Acquire);
            let safe = watched.sync(sync);
            tended.unsynced += u32::from(!safe);
            let done = closed && safe;
            if done {
                self.closed.insert(watched.segment.name.clone());
            }
            !done
        });
        if self.unsynced_folder && self.sync == Sync::EverySecond {
            self.unsynced_folder = self.disk.sync().is_err();
            tended.unsynced += u32::from(self.unsynced_folder);
        }
        tended.live = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        tended
    }

    /// The files that may be read, oldest first, and how far.
    ///
    /// A file that a writer has just made and not told of yet is left out.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files(&mut self) -> io::Result<Vec<Readable>> {
        let mut names = self.disk.list()?;
        names.retain(|name| is_journal(name));
        names.sort_unstable();
        self.adopt();
        self.closed.retain(|name| names.binary_search(name).is_ok());
        let readable = |name: String| {
            let live = self.live.iter().find(|file| file.segment.name == name);
            let end = match live {
                // Acquire: pairs with the release in `Writer::append`.
                Some(file) => Some(file.segment.written.load(Ordering::Acquire)),
                None if self.closed.contains(&name) => None,
                None => return None,
            };
            Some(Readable { name, end })
        };
        Ok(names.into_iter().filter_map(readable).collect())
    }

    /// Takes note of the files that writers had to open themselves.
    fn adopt(&mut self) {
        for lane in self.lanes.clone() {
            self.adopt_from(&lane);
        }
    }

    fn adopt_from(&mut self, lane: &Lane) {
        while let Some(segment) = lane.unseen.pop() {
            self.live.push(Watched { segment, synced: 0 });
            self.unsynced_folder = true;
        }
    }

    /// Opens a worker's next file; tells whether there is one now.
    fn open_ahead(&mut self, lane: &Lane, now: i64) -> bool {
        for _ in 0..NAMES_TRIED {
            self.latest = now.max(self.latest + 1);
            match Segment::create(&*self.disk, self.latest, lane.worker) {
                Ok(segment) => {
                    self.live.push(Watched {
                        segment: Arc::clone(&segment),
                        synced: 0,
                    });
                    self.unsynced_folder = true;
                    return lane.next.push(segment).is_ok();
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// Whether a file of the folder is a journal's.
fn is_journal(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "log")
}

impl Watched {
    /// Syncs what is new; tells whether all that may be read is as safe as asked for.
    fn sync(&mut self, sync: Sync) -> bool {
        // Acquire: pairs with the release in `Writer::append`.
        let written = self.segment.written.load(Ordering::Acquire);
        if sync == Sync::Os || written == self.synced {
            return true;
        }
        let safe = self.segment.log.sync().is_ok();
        if safe {
            self.synced = written;
        }
        safe
    }
}
