//! What do all workers share of governance?
//!
//! The roster that says who asks, the treasury that makes it, and a pen for each worker; opened once, from a folder that belongs to this process.
//!
//! # Invariants
//! - Nothing is served before everything that was ever written down has been read.
//! - A roster that cannot be made never replaces one that can.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rand::{CryptoRng, RngExt};

use super::books::{Books, BooksError, Counted, Keeper, Running};
use super::credential::Pepper;
use super::journal::{Disk, Folder, Journal, JournalError, Kind, Names, NamesError};
use super::office::BudgetView;
use super::pen::Pen;
use super::pepper::{PepperError, pepper};
use super::roster::Roster;
use super::treasury::Treasury;
use super::turn::Turns;
use crate::config::{Config, Governance, Nano, Tenants};
use crate::store::{Database, Entry, Made, StoreError, Writer};

/// The database's file in the folder.
const DATABASE: &str = "history.db";

/// The journals' folder in it.
const JOURNALS: &str = "ledger";

/// µs in a second.
const SECOND: i64 = 1_000_000;

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("the ledger's folder cannot be used: {0}")]
    Folder(#[from] io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was written down cannot be read.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Names cannot be numbered.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// What keys are hashed with cannot be read or made.
    #[error(transparent)]
    Pepper(#[from] PepperError),
}

/// What all workers share of governance.
#[derive(Debug)]
pub struct Ledger {
    /// Who may ask, now.
    pub roster: ArcSwap<Roster>,
    /// What keys the hashes of credentials.
    pub pepper: Pepper,
    names: Arc<Mutex<Names>>,
    treasury: Mutex<Treasury>,
    pens: Mutex<Vec<Pen>>,
    /// The pen of whoever corrects what was written.
    desk: Mutex<Pen>,
    /// Whether somebody changed who may ask, and no roster could be made of it yet.
    stale: AtomicBool,
}

/// A ledger, and what keeps its books until it is dropped.
#[derive(Debug)]
pub struct Opened {
    /// What all workers share.
    pub ledger: Arc<Ledger>,
    /// The database's writer.
    pub store: Arc<Writer>,
    /// The database's file.
    pub file: PathBuf,
    /// Who was made over the admin API.
    pub made: Vec<Made>,
    /// Attempts that were in flight when the process before this one ended.
    pub in_doubt: usize,
    keeper: Running,
}

impl Opened {
    /// What the keeper of the books has seen.
    #[must_use]
    pub fn counted(&self) -> Arc<Counted> {
        self.keeper.counted()
    }
}

impl Ledger {
    /// Opens the ledger in its folder, reads everything that is in it and makes a pen for each of `workers`; nobody may ask before [`Ledger::enroll`].
    ///
    /// `now` is in µs since 1970.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left running then.
    pub fn open(
        governance: &Governance,
        workers: usize,
        (now, rng): (i64, &mut impl CryptoRng),
    ) -> Result<Opened, OpenError> {
        let folder = &governance.data;
        // First, since it tells whether the folder is ours.
        let disk: Arc<dyn Disk> = Arc::new(Folder::open(folder.join(JOURNALS))?);
        let pepper = pepper(folder, rng)?;
        let file = folder.join(DATABASE);
        let mut database = Database::open(&file)?;
        let mut journal = Journal::open(Arc::clone(&disk), governance.sync)?;
        let mut names = Names::open(&disk)?;
        let mut books = Books::new(disk);
        books.learn(names.take_new());
        let files = journal.files()?;
        let recovered = books.recover(&mut database, &files)?;
        let names = Arc::new(Mutex::new(names));
        let turns = Arc::new(Mutex::new(Turns::default()));
        let treasury = Treasury::new(Arc::clone(&names), Arc::clone(&turns), recovered.balances);
        let mut pen = || Pen::new(journal.writer(now), rng.random());
        let desk = Mutex::new(pen());
        let pens = Mutex::new((0..workers).map(|_| pen()).collect());
        let ledger = Self {
            roster: ArcSwap::default(),
            pepper,
            names: Arc::clone(&names),
            treasury: Mutex::new(treasury),
            pens,
            desk,
            stale: AtomicBool::new(false),
        };
        let made = database.made()?;
        let store = Arc::new(Writer::start(database)?);
        let keeper = Keeper {
            journal,
            names,
            books,
            turns,
            store: Arc::clone(&store),
            keep_for: Some(governance.keep.seconds() * SECOND),
            keep_bytes: u64::try_from(governance.keep_size).ok(),
        };
        Ok(Opened {
            ledger: Arc::new(ledger),
            store,
            file,
            made,
            in_doubt: recovered.in_doubt,
            keeper: keeper.start()?,
        })
    }

    /// A pen for one more worker; none once each has one.
    #[must_use]
    pub fn take_pen(&self) -> Option<Pen> {
        self.pens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Makes the roster anew, of whoever may ask at that moment: keys that are not in it are refused from now on, and what they have open is broken off.
    ///
    /// One at a time: `who` is asked, and `before` sees the roster before anybody else does, while no other is made. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`NamesError`], and [`Ledger::is_stale`] until it succeeds; or that of `before`. The present roster stays then.
    pub fn enroll<E: From<NamesError>>(
        &self,
        who: impl FnOnce() -> (Arc<Config>, Tenants),
        now: i64,
        before: impl FnOnce(&Roster) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut treasury = self.treasury();
        let (config, tenants) = who();
        let present = self.roster.load_full();
        let drawn = treasury.roster((&config, &tenants), (&present, &self.pepper), now);
        // Why: it guards nothing; whoever reads it only tries again.
        self.stale.store(drawn.is_err(), Ordering::Relaxed);
        let roster = Arc::new(drawn?);
        before(&roster)?;
        self.roster.store(Arc::clone(&roster));
        roster.take_over(&present);
        Ok(())
    }

    /// Whether a roster could not be made when it should have been.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// How every budget stands.
    #[must_use]
    pub fn budgets(&self, config: &Config, tenants: &Tenants) -> Vec<BudgetView> {
        self.treasury().budgets(config, tenants)
    }

    /// Charges an attempt with another amount than it is charged now: on paper, and on the accounts that still count it; `at` in µs since 1970.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed then.
    pub fn adjust(&self, entry: &Entry, amount: Nano, at: i64) -> Result<(), JournalError> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.adjust(entry, amount, at)?;
        self.treasury().adjust(entry, amount);
        Ok(())
    }

    /// Numbers of names, in their order.
    ///
    /// # Errors
    /// [`NamesError`]; it can be asked again.
    pub fn numbers(&self, kind: Kind, names: &[&str]) -> Result<Vec<u32>, NamesError> {
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        known.numbers(kind, names)
    }

    fn treasury(&self) -> std::sync::MutexGuard<'_, Treasury> {
        self.treasury.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
