//! Who keeps the books while requests are served?
//!
//! A thread of its own: it ends the windows of budgets that are over, opens and syncs the journal's files once a second, and hands what was written to the database's writer, one turn at a time.
//!
//! # Invariants
//! - A database that is slow, full or locked keeps neither a journal from being synced nor a request from being served.
//! - It ends with everything synced and, if the database allows, read.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::journal::{Journal, Names, Readable, Tended};
use super::super::turn::Turns;
use super::ingest::{Books, BooksError, Counts, Pass};
use crate::clock;
use crate::store::{Busy, Database, Keep, Pending, Writer};

/// How often what was written is read: history is as fresh as that.
const TURN: Duration = Duration::from_millis(200);

/// Turns between two syncs: a second.
const SYNC_EVERY: u64 = 5;

/// Transactions of a turn: with a turn's length they bound what is read to 160,000 records a second.
const PASSES: usize = 64;

/// Turns between two looks for journals that are done with: a minute.
const TIDY_EVERY: u64 = 300;

/// What it takes to keep books.
#[derive(Debug)]
pub struct Keeper {
    /// The journal, with a writer made for every worker.
    pub journal: Journal,
    /// The names; also used by whoever resolves them when the configuration changes.
    pub names: Arc<Mutex<Names>>,
    /// The books, recovered.
    pub books: Books,
    /// When accounts' windows end.
    pub turns: Arc<Mutex<Turns>>,
    /// The database's writer.
    pub store: Arc<Writer>,
    /// µs that entries are kept; none keeps them.
    pub keep_for: Option<i64>,
    /// Bytes that the database may have; none bounds it not.
    pub keep_bytes: Option<u64>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    counted: Arc<Counted>,
}

/// What the thread has seen, for metrics.
#[derive(Debug, Default)]
pub struct Counted {
    /// The latest turn of the journal.
    tended: Mutex<Tended>,
    /// What came up in the books.
    books: Arc<Counts>,
}

/// A turn of the books that the database's writer has in hand.
type Turn = Pending<Result<Pass, BooksError>>;

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(self) -> io::Result<Running> {
        let counted = Arc::new(Counted {
            tended: Mutex::default(),
            books: self.books.counts(),
        });
        let (stop, stopped) = sync_channel::<()>(1);
        let seen = Arc::clone(&counted);
        let thread = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                let mut desk = Desk::new(self, seen);
                while stopped.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                    desk.turn();
                }
                desk.close();
            })?;
        Ok(Running {
            stop: Some(stop),
            thread: Some(thread),
            counted,
        })
    }
}

impl Running {
    /// What the thread has seen.
    #[must_use]
    pub fn counted(&self) -> Arc<Counted> {
        Arc::clone(&self.counted)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was told by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Counted {
    /// The latest turn of the journal.
    #[must_use]
    pub fn tended(&self) -> Tended {
        *locked(&self.tended)
    }

    /// What came up in the books.
    #[must_use]
    pub fn books(&self) -> &Counts {
        &self.books
    }
}

/// The thread's own state.
struct Desk {
    journal: Journal,
    names: Arc<Mutex<Names>>,
    windows: Arc<Mutex<Turns>>,
    /// Locked by one turn at a time, on the database's thread.
    books: Arc<Mutex<Books>>,
    store: Arc<Writer>,
    keep_for: Option<i64>,
    keep_bytes: Option<u64>,
    turn: Option<Turn>,
    counted: Arc<Counted>,
    turns: u64,
}

impl Desk {
    fn new(keeper: Keeper, counted: Arc<Counted>) -> Self {
        Self {
            journal: keeper.journal,
            names: keeper.names,
            windows: keeper.turns,
            books: Arc::new(Mutex::new(keeper.books)),
            store: keeper.store,
            keep_for: keeper.keep_for,
            keep_bytes: keeper.keep_bytes,
            turn: None,
            counted,
            turns: 0,
        }
    }

    fn turn(&mut self) {
        locked(&self.windows).turn(clock::unix_seconds());
        if self.turns.is_multiple_of(SYNC_EVERY) {
            self.tend();
        }
        self.take_back();
        if self.turn.is_none() {
            match self.hand_over() {
                Ok(turn) => self.turn = Some(turn),
                Err(error) => self.failed(&error),
            }
        }
        self.turns += 1;
    }

    fn tend(&mut self) {
        let tended = self.journal.tend(clock::unix_micros());
        if tended.unsynced + tended.unopened > 0 {
            let (unsynced, unopened) = (tended.unsynced, tended.unopened);
            tracing::warn!(
                unsynced,
                unopened,
                "the ledger's disk fails; it is tried again"
            );
        }
        *locked(&self.counted.tended) = tended;
    }

    /// Lets go of a turn that is done.
    fn take_back(&mut self) {
        let Some(turn) = &mut self.turn else {
            return;
        };
        match turn.look() {
            Ok(None) => return,
            Ok(Some(Ok(pass))) if pass.unread == 0 => {}
            Ok(Some(Ok(pass))) => self.failed(&BooksError::Unknown(pass.unread)),
            Ok(Some(Err(error))) => self.failed(&error),
            Err(busy) => self.failed(&busy),
        }
        self.turn = None;
    }

    fn failed(&self, error: &dyn std::fmt::Display) {
        self.counted.books.failures.fetch_add(1, Relaxed);
        tracing::warn!(%error, "the ledger's history waits; it is tried again");
    }

    /// Hands a turn to the database's writer.
    fn hand_over(&mut self) -> Result<Turn, Postponed> {
        let files = self.journal.files()?;
        let names = locked(&self.names).take_new();
        let due = Due {
            keep: Keep {
                since: self
                    .keep_for
                    .map(|kept| clock::unix_micros().saturating_sub(kept)),
                bytes: self.keep_bytes,
            },
            tidy: self.turns.is_multiple_of(TIDY_EVERY),
        };
        let books = Arc::clone(&self.books);
        let fresh = names.clone();
        let job = move |database: &mut Database| {
            let mut books = locked(&books);
            books.learn(fresh);
            one_turn(&mut books, database, &files, &due)
        };
        self.store.submit(job).map_err(|busy| {
            locked(&self.names).give_back(names);
            busy.into()
        })
    }

    /// Syncs everything and reads it, as far as the database allows.
    fn close(&mut self) {
        self.tend();
        if let Some(turn) = self.turn.take() {
            // What it came to is told by the last turn, which does the same again.
            let _ = turn.wait();
        }
        match self.hand_over() {
            Ok(turn) => match turn.wait() {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.failed(&error),
                Err(busy) => self.failed(&busy),
            },
            Err(error) => self.failed(&error),
        }
    }
}

/// What a turn does beside reading.
struct Due {
    keep: Keep,
    tidy: bool,
}

/// Why a turn was not handed over.
#[derive(Debug, thiserror::Error)]
enum Postponed {
    #[error("the ledger's folder cannot be read: {0}")]
    Unread(#[from] io::Error),
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// Reads a bit, and removes a bit of what need not be kept.
fn one_turn(
    books: &mut Books,
    database: &mut Database,
    files: &[Readable],
    due: &Due,
) -> Result<Pass, BooksError> {
    let mut pass = books.ingest(database, files)?;
    for _ in 1..PASSES {
        if !pass.more {
            break;
        }
        pass = books.ingest(database, files)?;
    }
    database.prune(&due.keep)?;
    if due.tidy {
        books.tidy(database, files)?;
    }
    Ok(pass)
}

/// What a lock guards; nothing is left half-done under one.
fn locked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
