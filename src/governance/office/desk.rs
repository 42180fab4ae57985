//! Where are changes made, one after another?
//!
//! One lock makes a queue of whoever changes something; readers take the latest snapshot and never wait.
//! Everything here may wait for the database: it runs on threads that may block.
//!
//! # Invariants
//! - What is in memory was committed before.
//! - After each change whoever serves is told, before the one who asked has an answer.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use rand::rngs::StdRng;

use crate::config::{Config, Kind, Tenants};
use crate::store::{self, Change, Database, StoreError, Write, Writer};

use super::super::credential::Pepper;
use super::item::{Found, Item, Made};
use super::live::Live;
use super::merge::{Merged, Origin, Standing, State, declared, merge};
use super::refusal::OfficeError;

/// What an office begins with.
pub struct Opening {
    /// The database's writer.
    pub store: Arc<Writer>,
    /// The database's file, for reading.
    pub file: PathBuf,
    /// What was made, as [`Database::made`] tells it before the writer has the database.
    pub made: Vec<store::Made>,
    /// What keys the hashes of secrets.
    pub pepper: Pepper,
    /// Where secrets come from.
    pub rng: StdRng,
    /// Told after each change, on the thread that made it; it must not make one itself.
    pub changed: Box<dyn Fn() + Send + Sync>,
}

/// What was made, and who may change it.
pub struct Office {
    pub(super) store: Arc<Writer>,
    file: PathBuf,
    pub(super) pepper: Pepper,
    made: ArcSwap<Made>,
    /// Held by one change at a time.
    rng: Mutex<StdRng>,
    live: OnceLock<Arc<dyn Live>>,
    changed: Box<dyn Fn() + Send + Sync>,
}

/// Who asks for a change, when, and what the file says then.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The configuration that is live.
    pub config: &'a Config,
    /// Who asks, for the audit log.
    pub who: &'a str,
    /// When, µs since 1970.
    pub at: i64,
}

/// What an operator is about to do with something that is not kept here.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// What is done to what, as `route NAME drained`.
    pub what: String,
    /// How it was before, JSON; no secrets.
    pub before: Option<String>,
    /// What is asked, JSON; no secrets.
    pub after: Option<String>,
}

/// One thing that becomes another.
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// What is done, as a word of the past.
    pub(super) verb: &'static str,
    pub(super) before: Option<Arc<Item>>,
    pub(super) after: Option<Arc<Item>>,
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office")
            .field("file", &self.file)
            .field("made", &self.made.load().len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Office {
    /// Opens an office; what of it cannot be read is told, and refused where it would be asked.
    #[must_use]
    pub fn open(opening: Opening) -> Self {
        let Opening {
            store,
            file,
            made,
            pepper,
            rng,
            changed,
        } = opening;
        Self {
            store,
            file,
            pepper,
            made: ArcSwap::from_pointee(Made::of(&made)),
            rng: Mutex::new(rng),
            live: OnceLock::new(),
            changed,
        }
    }

    /// Joins it with the accounts, once they are open; the first ones stay.
    pub fn attach(&self, live: Arc<dyn Live>) {
        // Whoever comes second is the same gateway's.
        let _ = self.live.set(live);
    }

    /// The accounts.
    ///
    /// # Errors
    /// [`OfficeError::NotOpen`]
    pub fn live(&self) -> Result<&dyn Live, OfficeError> {
        self.live
            .get()
            .map(|live| &**live)
            .ok_or(OfficeError::NotOpen)
    }

    /// A connection for questions; it may wait and belongs on a thread that may block.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn read(&self) -> Result<Database, StoreError> {
        Database::open_to_read(&self.file)
    }

    /// Everything that was made.
    #[must_use]
    pub fn made(&self) -> Arc<Made> {
        self.made.load_full()
    }

    /// Who is live under a configuration: its own tenants, and those who were made.
    #[must_use]
    pub fn tenants(&self, config: &Config) -> Tenants {
        self.merged(config).tenants
    }

    /// Who is live under a configuration, and how everybody stands.
    #[must_use]
    pub fn merged(&self, config: &Config) -> Merged {
        merge(config, &self.made.load())
    }

    /// One by its name: the one that the file declares, else the one that was made.
    ///
    /// # Errors
    /// [`OfficeError::Unknown`]
    pub fn find(&self, config: &Config, kind: Kind, name: &str) -> Result<Found, OfficeError> {
        let standings = self.merged(config).standings;
        let standings = standings.iter();
        let mut of = standings.filter(|it| it.kind == kind && it.name == name);
        let made = self.made.load();
        of.next()
            .and_then(|standing| show(config, &made, standing))
            .ok_or_else(|| OfficeError::Unknown {
                kind,
                name: name.to_owned(),
            })
    }

    /// All of a kind, by name; one that is hidden stands in the other's `hides`.
    #[must_use]
    pub fn list(&self, config: &Config, kind: Kind) -> Vec<Found> {
        let made = self.made.load();
        let standings = merge(config, &made).standings;
        let shown = standings
            .iter()
            .filter(|it| it.kind == kind && !matches!(it.state, State::Hidden(_)));
        let mut found: Vec<Found> = shown
            .filter_map(|standing| show(config, &made, standing))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Waits for the turn to change something.
    pub(super) fn turn(&self) -> MutexGuard<'_, StdRng> {
        // A generator that was left half-way is as good as any.
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes steps with their rows of the audit log, then makes them live.
    ///
    /// Whoever calls it has the turn.
    pub(super) fn commit(&self, asked: &Asked<'_>, steps: Vec<Step>) -> Result<(), OfficeError> {
        let row = |step: &Step| match &step.after {
            Some(item) => Write::Put(item.row(step.kind, &step.name)),
            None => Write::Remove(step.kind.word().to_owned(), step.name.clone()),
        };
        let said = |step: &Step| Change {
            at: asked.at,
            who: asked.who.to_owned(),
            what: format!("{} {} {}", step.kind.word(), step.name, step.verb),
            before: step.before.as_ref().map(|item| item.audited()),
            after: step.after.as_ref().map(|item| item.audited()),
        };
        let rows: Vec<Write> = steps.iter().map(row).collect();
        let changes: Vec<Change> = steps.iter().map(said).collect();
        let written = move |database: &mut Database| database.change(&rows, &changes);
        self.store.submit(written)?.wait()??;
        let mut made = Made::clone(&self.made.load());
        for step in steps {
            made.with(step.kind, &step.name, step.after);
        }
        self.made.store(Arc::new(made));
        (self.changed)();
        Ok(())
    }

    /// Writes down what an operator is about to do with something that is not kept here, such as a route.
    ///
    /// # Errors
    /// [`OfficeError`]; nothing is written then, and nothing may be done.
    pub fn witness(&self, asked: &Asked<'_>, deed: Deed) -> Result<(), OfficeError> {
        self.audit(Change {
            at: asked.at,
            who: asked.who.to_owned(),
            what: deed.what,
            before: deed.before,
            after: deed.after,
        })
    }

    /// Writes a row of the audit log alone.
    pub(super) fn audit(&self, change: Change) -> Result<(), OfficeError> {
        let written = move |database: &mut Database| database.audit(&change);
        self.store.submit(written)?.wait()??;
        Ok(())
    }
}

/// One as it is shown.
fn show(config: &Config, made: &Made, standing: &Standing) -> Option<Found> {
    let Standing {
        kind,
        name,
        origin,
        state,
    } = standing;
    match origin {
        Origin::File => Some(Found {
            kind: *kind,
            name: name.clone(),
            origin: *origin,
            document: declared(&config.tenants, *kind, name)?,
            times: None,
            former_until: None,
            revoked: None,
            hides: made.get(*kind, name).is_some(),
            problem: None,
        }),
        Origin::Api => {
            let mut found = made.get(*kind, name)?.found(*kind, name);
            if let State::Broken(why) = state {
                found.problem = Some(why.clone());
            }
            Some(found)
        }
    }
}

/// Whether the file declares one of this name.
pub(super) fn is_declared(config: &Config, kind: Kind, name: &str) -> bool {
    config.tenants.has(kind, name)
}
