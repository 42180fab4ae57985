//! All that is kept, in one place: what the path of a request asks, and what it leaves behind.
//!
//! # Invariants
//! - What a request does here neither waits for a disk nor for another thread.
//! - One scope cannot push out the others' answers by the thousand: what it may add in a minute is bounded, and what it may hold beside them.
//! - What was forgotten is not found any more, and on disk neither before it is said to be.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache as Map;

use super::audit::{Audit, Audited, Consequence, Sampler, Sampling, Spending};
use super::entry::Entry;
use super::flights::Flights;
use super::jobs::{Job, Jobs};
use super::keeper::Desk;
use super::meanings::{Label, Lesson, Meanings};
use super::scope::{Key, Scope, Secret};
use super::semantic::policy::{Fate, MARGIN, Truth};
use super::shelf::Shelf;
use crate::config;

/// Scopes whose pace is remembered, at most; one that is forgotten begins anew.
const MOST_PACES: u64 = 100_000;

/// Bits of a pace that count.
const COUNT_BITS: u32 = 24;

/// Everything that is kept.
#[derive(Debug)]
pub struct Library {
    secret: Secret,
    shelf: Shelf,
    flights: Flights,
    meanings: Meanings,
    audit: Audit,
    jobs: Arc<Jobs>,
    /// Taken off the path of requests only.
    desk: Mutex<Desk>,
    settings: config::Cache,
    /// For each scope the minute and what it has added in it, in one word.
    paces: Map<Scope, Arc<AtomicU64>>,
    writes_per_minute: u32,
    /// The next entry's id.
    next: AtomicU64,
}

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The entry of this id.
    Entry(u64),
    /// What this request was answered.
    Request(String),
    /// What requests of the virtual key of this number were answered.
    Author(u32),
    /// What has this tag.
    Tag(String),
    /// What this model or workflow answered.
    Model(String),
    /// Everything.
    All,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Answers that there were.
    pub count: usize,
    /// Whether the disk has forgotten them too.
    pub on_disk: OnDisk,
}

/// Whether the disk has done what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// It has, or there is none.
    Done,
    /// It cannot be written to: it is tried again until it can, as long as this process lives.
    Waits,
}

impl Which {
    fn holds(&self, entry: &Entry) -> bool {
        match self {
            Self::Entry(id) => entry.id == *id,
            Self::Request(id) => *entry.request == **id,
            Self::Author(number) => entry.author == *number,
            Self::Tag(tag) => entry.tags.iter().any(|it| **it == **tag),
            Self::Model(name) => *entry.model == **name,
            Self::All => true,
        }
    }
}

impl Library {
    /// An empty one; ids begin at `first`, which should be random, so that nobody can guess one.
    #[must_use]
    pub fn new(settings: &config::Cache, secret: Secret, first: u64) -> Self {
        let jobs = Arc::<Jobs>::default();
        let left = Arc::clone(&jobs);
        Self {
            secret,
            shelf: Shelf::new((settings.memory, settings.scope_share), move |entry| {
                left.leave(Job::Gone(entry));
            }),
            flights: Flights::default(),
            meanings: Meanings::default(),
            audit: Audit::new(Spending {
                per_day: settings.audit.budget.get(),
                ..Spending::default()
            }),
            jobs,
            desk: Mutex::default(),
            settings: settings.clone(),
            paces: Map::builder()
                .max_capacity(MOST_PACES)
                .time_to_idle(Duration::from_secs(120))
                .build(),
            writes_per_minute: settings.writes_per_minute,
            next: AtomicU64::new(first),
        }
    }

    /// The scope of whoever shares answers.
    #[must_use]
    pub fn scope(&self, sharing: config::Sharing, who: &[u8]) -> Scope {
        Scope::new(&self.secret, sharing, who)
    }

    /// The key of what these parts say.
    #[must_use]
    pub fn key(&self, scope: Scope, parts: &[&[u8]]) -> Key {
        Key::new(&self.secret, scope, parts)
    }

    /// The answers.
    #[must_use]
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What is under way.
    #[must_use]
    pub const fn flights(&self) -> &Flights {
        &self.flights
    }

    /// What was asked before.
    #[must_use]
    pub const fn meanings(&self) -> &Meanings {
        &self.meanings
    }

    /// What is left for later.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Does something with what is on disk.
    pub(super) fn with_desk<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(&mut self.desk.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers and checks that found no room on disk.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.with_desk(|desk| desk.lost())
    }

    /// How it was set up.
    pub(super) const fn settings(&self) -> &config::Cache {
        &self.settings
    }

    /// The checks of semantic hits.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What the model or workflow of this name has learned.
    #[must_use]
    pub fn lesson(&self, name: &Arc<str>, settings: &config::Audit) -> Arc<Lesson> {
        let share = settings.share.clamp(0.0, 1.0);
        let sampling = Sampling {
            share,
            least: if share > 0.0 {
                Sampling::default().least
            } else {
                0
            },
            ..Sampling::default()
        };
        // A share within 0 and 1 is never refused.
        let sampler = || Sampler::new(sampling).unwrap_or_default();
        self.meanings
            .lesson(name, || self.audit.account(name, sampler()))
    }

    /// Takes note of what was found out of an answer; off the path of requests.
    pub fn label(&self, entry: &Entry, label: &Label) -> Consequence {
        match self.meanings.label(entry.id, label) {
            Fate::Evict => {
                self.shelf.remove(entry.id);
                Consequence::Evict
            }
            Fate::Keep if label.truth == Truth::Different => {
                Consequence::RaiseFloor((label.similarity + MARGIN).into())
            }
            Fate::Keep => Consequence::Keep,
        }
    }

    /// Has the check of a hit written down.
    pub fn record(&self, checked: Audited) {
        self.jobs.leave(Job::Checked(Box::new(checked)));
    }

    /// An id that no other entry has.
    #[must_use]
    pub fn new_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed).max(1)
    }

    /// Whether a scope may add one more answer in this minute; that it does is counted.
    #[must_use]
    pub fn may_add(&self, scope: Scope, now_ms: i64) -> bool {
        let minute = u64::try_from(now_ms / 60_000).unwrap_or(0);
        let pace = self.paces.get_with(scope, Arc::default);
        let most = u64::from(self.writes_per_minute);
        let mask = (1 << COUNT_BITS) - 1;
        let step = |word: u64| {
            let (of, count) = (word >> COUNT_BITS, word & mask);
            let count = if of == minute { count } else { 0 };
            (count < most).then_some(minute << COUNT_BITS | (count + 1))
        };
        // Why: it guards nothing but itself.
        pace.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .is_ok()
    }

    /// Keeps an answer, unless its scope has no more room beside the others: then that gives up its oldest, and the next is kept.
    pub fn keep(&self, entry: Arc<Entry>) {
        if !self.shelf.has_room(&entry) {
            return self.jobs.leave(Job::Crowded(entry.key.scope()));
        }
        self.shelf.put(Arc::clone(&entry));
        self.jobs.leave(Job::Kept(entry));
    }

    /// Forgets answers, on disk as well; off the path of requests.
    #[must_use]
    pub fn forget(&self, which: &Which, now_s: i64) -> Forgotten {
        let found = match which {
            Which::Entry(id) => self.shelf.entry(*id).into_iter().collect(),
            which => self.shelf.those(|entry| which.holds(entry)),
        };
        let gone: Vec<u64> = found
            .iter()
            .map(|it| it.id)
            .filter(|id| self.shelf.remove(*id))
            .collect();
        Forgotten {
            count: gone.len(),
            on_disk: self.erase(&gone, &[], now_s),
        }
    }

    /// Forgets everything of scopes that nobody has any more, the keys of what is on disk included; off the path of requests.
    pub fn forget_scopes(&self, scopes: &[Scope], now_s: i64) -> Forgotten {
        let ended: HashSet<Scope> = scopes.iter().copied().collect();
        let found = self.shelf.those(|entry| ended.contains(&entry.key.scope()));
        let count = found.iter().filter(|it| self.shelf.remove(it.id)).count();
        Forgotten {
            count,
            on_disk: self.erase(&[], scopes, now_s),
        }
    }

    /// Forgets what scopes other than these have left: whose they were may have ended while nothing ran.
    pub fn forget_strangers(&self, living: &HashSet<Scope>, now_s: i64) -> Forgotten {
        let strangers = self
            .shelf
            .those(|entry| !living.contains(&entry.key.scope()));
        let scopes: HashSet<Scope> = strangers.iter().map(|entry| entry.key.scope()).collect();
        let scopes: Vec<Scope> = scopes.into_iter().collect();
        if scopes.is_empty() {
            return Forgotten {
                count: 0,
                on_disk: OnDisk::Done,
            };
        }
        self.forget_scopes(&scopes, now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sharing;

    #[test]
    fn a_scope_adds_so_many_answers_a_minute() {
        let settings = config::Cache {
            writes_per_minute: 3,
            ..config::Cache::default()
        };
        let library = Library::new(&settings, Secret::new(&[1; 32]), 1);
        let scope = |who: &[u8]| library.scope(Sharing::Key, who);
        let add = |who: &[u8], now_ms| library.may_add(scope(who), now_ms);
        assert!(add(b"a", 0) && add(b"a", 1) && add(b"a", 59_999));
        assert!(!add(b"a", 59_999));
        assert!(add(b"b", 59_999), "another scope has its own");
        assert!(add(b"a", 60_000), "the next minute begins anew");
    }
}
