//! Was a question asked before that means the same?
//!
//! Questions lie in partitions: everything that was asked but the last words must be the same, scope and model included, so that only words are compared.
//! What a namespace, a model or a workflow, has learned of its hits says from which similarity on they are served.
//!
//! # Invariants
//! - A question finds entries of its own partition only, and so of its own scope.
//! - The path of a request reads; what it has to say is left as a [`Job`](super::Job).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::sync::Cache as Map;

use super::audit::Account;
use super::entry::Entry;
use super::scope::Key;
use super::semantic::guards::{self, Features, Veto};
use super::semantic::index::Index;
use super::semantic::policy::{
    self, Calibration, EntryFloor, Estimate, Fate, Settings, Source, Standing, Truth, Verdict,
};
use super::shelf::Shelf;
use crate::config::{self, Audit, Caching};

/// Partitions at once, at most; the one that was asked longest ago is forgotten first, and its questions are asked again.
const MOST_PARTITIONS: u64 = 20_000;

/// Entries of which something is known beyond that they are kept, at most.
const MOST_FLOORS: u64 = 200_000;

/// Namespaces that learn, at most: more than a gateway has models and workflows.
const MOST_LESSONS: u64 = 10_000;

/// A partition that nobody asked for so long is forgotten.
const IDLE: Duration = Duration::from_secs(7 * 86_400);

/// The lowest similarity that is ever served or learned from.
const LOWEST: f32 = 0.80;

/// The highest threshold; what cannot be held there is not served.
const HIGHEST: f32 = 0.98;

/// Everything that was asked and may be meant again.
#[derive(Debug)]
pub struct Meanings {
    partitions: Map<Key, Arc<Index>>,
    floors: Map<u64, EntryFloor>,
    lessons: Map<Arc<str>, Arc<Lesson>>,
}

/// What a namespace has learned.
#[derive(Debug)]
pub struct Lesson {
    /// The model or workflow.
    pub name: Arc<str>,
    /// Its hits, and what came of checking them.
    pub account: Arc<Account>,
    /// What readers go by: what may be served, and under which settings that was settled.
    settled: ArcSwap<Option<(Settings, Standing)>>,
    /// Taken off the path of requests only.
    calibration: Mutex<Calibration>,
    /// Whether what was learned before a restart is in it; set once, by the keeper, who alone reads it.
    taken_up: AtomicBool,
}

/// What is asked, and how near an answer must be.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What must be the same.
    pub partition: &'a Key,
    /// What of the words must match.
    pub features: &'a Features,
    /// What the words mean, of unit length.
    pub vector: &'a [f32],
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Nothing older, seconds.
    pub max_age_s: Option<u64>,
    /// Nothing less similar, as the client wants it.
    pub tightened: Option<f32>,
}

/// The nearest question that no guard refuses.
#[derive(Debug)]
pub struct Recalled {
    /// Its answer.
    pub entry: Arc<Entry>,
    /// The cosine of the two questions.
    pub similarity: f32,
    /// From which similarity on the entry is served.
    pub threshold: f32,
    /// Whether it is served.
    pub verdict: Verdict,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The nearest question that no guard refuses, if there is one.
    pub recalled: Option<Recalled>,
    /// Why the nearest of all was refused, if a guard refused it, how near it was, and whose it is.
    pub vetoed: Option<(Veto, f32, u32)>,
    /// Ids that lead nowhere any more.
    pub lost: Vec<u64>,
}

/// What a policy is asked to hold for a model or workflow.
#[must_use]
pub fn settings(caching: &Caching, audit: &Audit) -> Settings {
    let threshold = caching.threshold as f32;
    Settings {
        threshold,
        lowest: threshold.min(LOWEST),
        highest: threshold.max(HIGHEST),
        max_error: caching.max_error,
        start: match caching.start {
            config::Start::Trust => policy::Start::Trust,
            config::Start::Prove => policy::Start::Prove,
        },
        audit_share: audit.share,
        trial_share: audit.share,
        ..Settings::default()
    }
}

impl Default for Meanings {
    fn default() -> Self {
        Self {
            partitions: Map::builder()
                .max_capacity(MOST_PARTITIONS)
                .time_to_idle(IDLE)
                .build(),
            floors: Map::new(MOST_FLOORS),
            lessons: Map::new(MOST_LESSONS),
        }
    }
}

impl Meanings {
    /// What the namespace of this name has learned.
    #[must_use]
    pub fn lesson(&self, name: &Arc<str>, account: impl FnOnce() -> Arc<Account>) -> Arc<Lesson> {
        self.lessons.get_with_by_ref(name, || {
            Arc::new(Lesson {
                name: Arc::clone(name),
                account: account(),
                settled: ArcSwap::default(),
                calibration: Mutex::default(),
                taken_up: AtomicBool::new(false),
            })
        })
    }

    /// Every namespace that has learned anything; off the path of requests.
    #[must_use]
    pub fn lessons(&self) -> Vec<Arc<Lesson>> {
        let mut lessons: Vec<_> = self.lessons.iter().map(|(_, lesson)| lesson).collect();
        lessons.sort_by(|one, other| one.name.cmp(&other.name));
        lessons
    }

    /// The nearest question that was asked before.
    #[must_use]
    pub fn recall(
        &self,
        asked: &Asked<'_>,
        shelf: &Shelf,
        (lesson, settings): (&Lesson, &Settings),
    ) -> Found {
        let mut found = Found::default();
        let Some(index) = self.partitions.get(asked.partition) else {
            return found;
        };
        for near in index.nearest(asked.vector, settings.lowest).iter() {
            let Some(entry) = shelf.entry(near.id) else {
                found.lost.push(near.id);
                continue;
            };
            let Some(question) = &entry.question else {
                continue;
            };
            let own = question.partition == *asked.partition;
            if !own || !entry.is_fresh(asked.now_ms, asked.max_age_s) {
                continue;
            }
            if let Some(veto) = guards::veto(&question.features, asked.features) {
                found
                    .vetoed
                    .get_or_insert((veto, near.similarity, entry.author));
                continue;
            }
            let floor = self.floors.get(&near.id).unwrap_or_default();
            let standing = lesson.standing(settings);
            let question = policy::Question {
                similarity: near.similarity,
                floor: &floor,
                tightened: asked.tightened,
            };
            let verdict = policy::decide(&question, standing, settings);
            let namespace = match standing {
                Standing::Proven(threshold) | Standing::Trusted(threshold) => threshold,
                Standing::Refusing(_) => settings.highest,
            };
            found.recalled = Some(Recalled {
                similarity: near.similarity,
                threshold: floor.threshold(namespace, settings),
                verdict,
                entry,
            });
            break;
        }
        found
    }

    /// Takes a question in; off the path of requests.
    pub(super) fn insert(&self, entry: &Entry) {
        let Some(question) = &entry.question else {
            return;
        };
        let width = question.vector.len();
        let index = self
            .partitions
            .get_with(question.partition, || Arc::new(Index::new(width)));
        if let Err(unfit) = index.insert(entry.id, &question.vector) {
            // One embedder has one width, and a partition one embedder.
            tracing::debug!(%unfit, "a question was not taken in");
        }
    }

    /// Takes a question away; off the path of requests.
    pub(super) fn remove(&self, partition: &Key, id: u64) {
        if let Some(index) = self.partitions.get(partition) {
            index.remove(id);
            if index.is_empty() {
                self.partitions.invalidate(partition);
            }
        }
        self.floors.invalidate(&id);
    }

    /// Takes a label of an entry; what becomes of the entry. Off the path of requests.
    pub(super) fn label(&self, id: u64, label: &Label) -> Fate {
        let Label {
            lesson,
            settings,
            similarity,
            truth,
            source,
        } = label;
        let mut floor = self.floors.get(&id).unwrap_or_default();
        let fate = floor.label(*similarity, *truth, *source);
        self.floors.insert(id, floor);
        lesson.label((*similarity, *truth, *source), settings);
        fate
    }

    /// Questions that are known, over all partitions; off the path of requests.
    #[must_use]
    pub fn count(&self) -> usize {
        self.partitions.iter().map(|(_, index)| index.len()).sum()
    }
}

/// What was found out of a stored answer.
#[derive(Clone, Debug)]
pub struct Label {
    /// Whose threshold it moves.
    pub lesson: Arc<Lesson>,
    /// What is to be held.
    pub settings: Settings,
    /// The cosine of the two questions.
    pub similarity: f32,
    /// Whether the stored answer answers the other question.
    pub truth: Truth,
    /// How it was found out.
    pub source: Source,
}

impl Lesson {
    /// What may be served.
    #[must_use]
    pub fn standing(&self, settings: &Settings) -> Standing {
        match &**self.settled.load() {
            Some((settled, standing)) if settled == settings => *standing,
            // Not settled under these settings yet: the operator's word holds, and a question that is seen settles it.
            _ => match settings.start {
                policy::Start::Trust => Standing::Trusted(settings.threshold),
                policy::Start::Prove => Standing::Refusing(policy::Refusal::Unproven),
            },
        }
    }

    /// Counts a question whose neighbour no guard refused. Off the path of requests.
    pub(super) fn see(&self, similarity: f32, settings: &Settings) {
        let mut calibration = self.lock();
        calibration.see(similarity);
        let known = matches!(&**self.settled.load(), Some((settled, _)) if settled == settings);
        if !known {
            self.settle(&mut calibration, settings);
        }
    }

    fn label(&self, (similarity, truth, source): (f32, Truth, Source), settings: &Settings) {
        let mut calibration = self.lock();
        let alarm = calibration.label(similarity, truth, source, settings);
        let before = self.standing(settings);
        self.settle(&mut calibration, settings);
        let now = self.standing(settings);
        if alarm.is_some() {
            tracing::warn!(
                workflow = &*self.name,
                ?now,
                "semantic hits were wrong too often: what was learned of them is dropped"
            );
        } else if before != now {
            tracing::info!(
                workflow = &*self.name,
                ?before,
                ?now,
                "the threshold of semantic hits has moved"
            );
        }
    }

    fn settle(&self, calibration: &mut Calibration, settings: &Settings) {
        let standing = calibration.settle(settings);
        self.account.threshold(match standing {
            Standing::Proven(threshold) | Standing::Trusted(threshold) => Some(threshold.into()),
            Standing::Refusing(_) => None,
        });
        self.settled
            .store(Arc::new(Some((settings.clone(), standing))));
    }

    /// The estimated share of wrong hits from a similarity on.
    #[must_use]
    pub fn estimate(&self, threshold: f32, settings: &Settings) -> Estimate {
        self.lock().estimate(threshold, settings)
    }

    /// Alarms so far.
    #[must_use]
    pub fn alarms(&self) -> u32 {
        self.lock().alarms()
    }

    /// What it has learned, to be kept.
    #[must_use]
    pub fn learned(&self) -> Calibration {
        self.lock().clone()
    }

    /// Whether what was learned before a restart is known.
    pub(super) fn is_taken_up(&self) -> bool {
        self.taken_up.load(Ordering::Relaxed)
    }

    /// Takes up what was learned before a restart, if anything was.
    ///
    /// What was learned since, in the moments until the keeper comes to it, is given up for it.
    pub(super) fn take_up(&self, before: Option<Calibration>) {
        if let Some(calibration) = before {
            *self.lock() = calibration;
            self.settled.store(Arc::default());
        }
        self.taken_up.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calibration> {
        self.calibration
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
