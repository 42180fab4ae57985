//! Joins the ledger, the office and what is served: who may ask is made anew whenever the file or the admin API changes it.
//!
//! # Invariants
//! - Nobody is let in before everybody who was made is known.
//! - A change that could not be taken over is tried again by housekeeping, and told.

use std::sync::{Arc, OnceLock, Weak};

use crate::clock;
use crate::config::{Config, Nano};
use crate::governance::journal::NamesError;
use crate::governance::office::{BudgetView, Live, NotAdjusted, Office, Opening};
use crate::governance::prices::Book;
use crate::governance::{Ledger, Opened, Roster};
use crate::proxy::{Serving, Shared, Tills};
use crate::store::Entry;

use super::{StartError, answers};

/// The books of a running gateway.
#[derive(Debug)]
pub(super) struct Books {
    /// Before the ledger's keeper, whose thread ends with it.
    pub(super) office: Arc<Office>,
    pub(super) ledger: Arc<Ledger>,
    counter: Arc<Counter>,
    _opened: Opened,
}

/// Where a change of who may ask is taken over; set once everything is there.
#[derive(Debug, Default)]
struct Counter {
    gateway: OnceLock<(Weak<Shared>, Weak<Office>)>,
}

/// Opens the books, if they are kept.
pub(super) fn open(config: &Arc<Config>) -> Result<Option<Books>, StartError> {
    if !config.is_governed() {
        return Ok(None);
    }
    let (governance, workers) = (&config.governance, config.server.workers.get());
    let failed = |source| StartError::Books {
        folder: governance.data.clone(),
        source,
    };
    let mut rng = clock::secrets();
    let around = (clock::unix_micros(), &mut rng);
    let mut opened = Ledger::open(governance, workers, around).map_err(failed)?;
    if opened.in_doubt > 0 {
        let in_doubt = opened.in_doubt;
        tracing::warn!(
            in_doubt,
            "attempts were in flight when the gateway last ended; they stay charged as reserved until an operator says what they cost"
        );
    }
    let counter = Arc::new(Counter::default());
    let told = Arc::clone(&counter);
    let office = Arc::new(Office::open(Opening {
        store: Arc::clone(&opened.store),
        file: opened.file.clone(),
        made: std::mem::take(&mut opened.made),
        pepper: opened.ledger.pepper.clone(),
        rng,
        changed: Box::new(move || told.changed()),
    }));
    let ledger = Arc::clone(&opened.ledger);
    let who = || (Arc::clone(config), office.tenants(config));
    ledger.enroll(who, clock::unix_seconds(), |_| Ok::<_, NamesError>(()))?;
    Ok(Some(Books {
        office,
        ledger,
        counter,
        _opened: opened,
    }))
}

impl Books {
    /// Joins the office with what is served.
    pub(super) fn attach(&self, shared: &Arc<Shared>) {
        let (shared, office) = (Arc::downgrade(shared), Arc::downgrade(&self.office));
        // Set once, here.
        let _ = self.counter.gateway.set((shared, office));
        let counter: Arc<dyn Live> = Arc::clone(&self.counter) as Arc<dyn Live>;
        self.office.attach(counter);
    }
}

impl Counter {
    fn with<T>(&self, act: impl FnOnce(&Shared, &Office, &Ledger) -> T) -> Option<T> {
        let (shared, office) = self.gateway.get()?;
        let (shared, office) = (shared.upgrade()?, office.upgrade()?);
        let ledger = shared.lasting.ledger.as_ref()?;
        Some(act(&shared, &office, ledger))
    }

    fn changed(&self) {
        self.with(|shared, office, _| enroll(shared, office));
    }
}

impl Live for Counter {
    fn budgets(&self) -> Vec<BudgetView> {
        let views = self.with(|shared, office, ledger| {
            let serving = shared.serving.load();
            ledger.budgets(&serving.config, &office.tenants(&serving.config))
        });
        views.unwrap_or_default()
    }

    fn adjust(&self, entry: &Entry, amount: Nano, at: i64) -> Result<(), NotAdjusted> {
        let adjusted = self.with(|_, _, ledger| ledger.adjust(entry, amount, at));
        match adjusted {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(NotAdjusted(error.to_string())),
            None => Err(NotAdjusted("the gateway ends".to_owned())),
        }
    }
}

/// Lets in whoever may ask now; tried again later where it fails.
pub(super) fn enroll(shared: &Shared, office: &Office) {
    let Some(ledger) = &shared.lasting.ledger else {
        return;
    };
    let who = || {
        let config = Arc::clone(&shared.serving.load().config);
        let tenants = office.tenants(&config);
        (config, tenants)
    };
    let before = ledger.roster.load_full();
    let enrolled = ledger.enroll(who, clock::unix_seconds(), |_| Ok::<_, NamesError>(()));
    match enrolled {
        Ok(()) => forget_the_gone(shared, (ledger, &before)),
        Err(error) => {
            tracing::error!(%error, "who may ask has changed and cannot be taken over; it is tried again");
        }
    }
}

/// Serves a configuration, and lets in whoever may ask under it: both, or neither.
pub(super) fn publish(
    shared: &Shared,
    (ledger, office): (&Ledger, &Office),
    serving: Serving,
    book: &Arc<Book>,
) -> Result<(), NamesError> {
    let config = Arc::clone(&serving.config);
    let who = || {
        let tenants = office.tenants(&config);
        (config, tenants)
    };
    let before = ledger.roster.load_full();
    ledger.enroll(who, clock::unix_seconds(), |roster| {
        let serving = governed(serving, (ledger, roster), book)?;
        shared.serving.store(Arc::new(serving));
        Ok::<_, NamesError>(())
    })?;
    forget_the_gone(shared, (ledger, &before));
    Ok(())
}

/// Forgets the answers of whoever may not ask any more.
fn forget_the_gone(shared: &Shared, (ledger, before): (&Ledger, &Roster)) {
    let library = &shared.lasting.library;
    answers::forget_the_gone(library, before, &ledger.roster.load());
}

/// What is served, with its prices and numbers.
pub(super) fn governed(
    serving: Serving,
    books: (&Ledger, &Roster),
    book: &Arc<Book>,
) -> Result<Serving, NamesError> {
    let tills = Tills::of(&serving, books, book)?;
    let unpriced = tills.unpriced(&serving);
    if !unpriced.is_empty() {
        tracing::warn!(
            routes = unpriced.join(", "),
            "nobody knows what these routes cost: what is used there is counted, marked and not charged; state a price, or refuse them with `unknown_price`"
        );
    }
    Ok(serving.with_tills(tills))
}

/// The prices of a configuration.
pub(super) fn prices(config: &Config) -> Arc<Book> {
    let (catalogue, not_read) = Book::catalogue_of(&config.governance.data);
    if let Some(error) = not_read {
        tracing::warn!(%error, "the prices inside the program hold instead");
    }
    Arc::new(Book::of(catalogue, config))
}
