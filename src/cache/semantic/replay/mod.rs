//! What would the semantic cache have done with a recorded stream?
//!
//! Every line goes through what a question goes through: the nearest entry that no guard refuses, the verdict, and what follows from it.
//! Lines say which of them have the same answer, so every hit is known to be right or wrong, while the policy learns only what it would: fresh answers of what it did not serve, and those hits that it audits.
//!
//! # Invariants
//! - The policy sees no answer that a gateway would not have fetched.
//! - The same lines, settings and draws give the same report.

mod sweep;

#[cfg(test)]
mod tests;

use rand::{Rng, RngExt as _};
use serde::Serialize;

use super::index::{Index, Nearest, Unfit};
use super::policy::{
    Alarm, Calibration, EntryFloor, Fate, Question, Settings, Source, Standing, Truth, Verdict,
    decide,
};

pub use sweep::{Row, sweep};

/// Labels between two looks at what they say: a look costs as much as some hundred questions.
const LOOK_EVERY: u32 = 32;

/// A recorded question.
#[derive(Clone, Debug)]
pub struct Line<F> {
    /// Its embedding.
    pub vector: Vec<f32>,
    /// What guards look at.
    pub features: F,
    /// Lines with the same answer have the same number.
    pub answer: u64,
}

/// What decides about hits.
#[derive(Clone, Debug)]
pub enum Policy {
    /// A fixed threshold that learns nothing.
    Static(f32),
    /// The calibrated policy.
    Adaptive(Settings),
}

/// The entries of a replay, by the number of the line that made them.
pub trait Shelf<F> {
    /// The nearest entries to a line, as [`Index::nearest`] gives them.
    fn nearest(&self, line: &Line<F>, least: f32) -> Nearest;

    /// Keeps a line.
    ///
    /// # Errors
    /// [`Unfit`], if its vector is.
    fn insert(&mut self, id: u64, line: &Line<F>) -> Result<(), Unfit>;

    /// Forgets a line.
    fn remove(&mut self, id: u64);
}

/// What a replay takes beside the lines.
#[derive(Debug)]
pub struct Conditions<V> {
    /// What decides.
    pub policy: Policy,
    /// Whether a guard refuses to answer a line's question with what another line was answered.
    pub veto: V,
    /// The share of labels that say the opposite of the truth, 0 to 1.
    pub judge_error: f64,
    /// How many stretches of equal length the report has, at least 1.
    pub slices: usize,
}

/// What happened in a stretch of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Slice {
    /// Questions.
    pub requests: u64,
    /// Questions answered from the cache.
    pub hits: u64,
    /// Of the hits, those served at a proven threshold.
    pub proven: u64,
    /// Hits whose answer is another line's.
    pub wrong: u64,
    /// Of the wrong hits, those served at a proven threshold.
    pub proven_wrong: u64,
    /// Entries that a guard refused.
    pub vetoed: u64,
    /// Labels from answers that were fetched anyway.
    pub shadowed: u64,
    /// Hits that were asked again.
    pub audited: u64,
    /// Entries evicted as wrong.
    pub evicted: u64,
    /// Alarms.
    pub alarms: u64,
    /// The namespace's threshold at the end, if it serves.
    pub threshold: Option<f32>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Stretch by stretch.
    pub slices: Vec<Slice>,
}

/// Replays the lines in their order.
///
/// # Errors
/// [`Unfit`], if a line's vector is.
pub fn replay<F, S, V, R>(
    lines: &[Line<F>],
    shelf: &mut S,
    conditions: &Conditions<V>,
    rng: &mut R,
) -> Result<Report, Unfit>
where
    S: Shelf<F>,
    V: Fn(&F, &F) -> bool,
    R: Rng,
{
    let count = conditions.slices.max(1);
    let length = lines.len().div_ceil(count).max(1);
    let mut run = Run::new(lines, conditions);
    let mut slices = Vec::with_capacity(count);
    for (at, line) in lines.iter().enumerate() {
        run.ask(at, line, shelf, rng)?;
        if (at + 1).is_multiple_of(length) || at + 1 == lines.len() {
            slices.push(run.close());
        }
    }
    Ok(Report { slices })
}

/// A replay under way.
struct Run<'a, F, V> {
    lines: &'a [Line<F>],
    conditions: &'a Conditions<V>,
    /// By the line that made the entry.
    floors: Vec<EntryFloor>,
    calibration: Calibration,
    standing: Standing,
    /// Labels since the last look.
    unread: u32,
    slice: Slice,
}

/// A line, the entry found for it, and how near they are.
#[derive(Clone, Copy)]
struct Pair {
    line: usize,
    entry: usize,
    similarity: f32,
}

impl<'a, F, V: Fn(&F, &F) -> bool> Run<'a, F, V> {
    fn new(lines: &'a [Line<F>], conditions: &'a Conditions<V>) -> Self {
        let calibration = Calibration::default();
        let standing = match &conditions.policy {
            Policy::Static(threshold) => Standing::Trusted(*threshold),
            Policy::Adaptive(settings) => calibration.standing(settings),
        };
        Self {
            lines,
            conditions,
            floors: vec![EntryFloor::default(); lines.len()],
            calibration,
            standing,
            unread: 0,
            slice: Slice::default(),
        }
    }

    /// Asks one line's question, and keeps its answer unless it was answered.
    fn ask<S: Shelf<F>>(
        &mut self,
        at: usize,
        line: &Line<F>,
        shelf: &mut S,
        rng: &mut impl Rng,
    ) -> Result<(), Unfit> {
        self.slice.requests += 1;
        let served = match self.find(at, line, shelf) {
            Some(pair) => self.answer(pair, shelf, rng),
            None => false,
        };
        if served {
            return Ok(());
        }
        shelf.insert(id(at), line)
    }

    /// The nearest entry that no guard refuses.
    fn find<S: Shelf<F>>(&mut self, at: usize, line: &Line<F>, shelf: &S) -> Option<Pair> {
        let least = match &self.conditions.policy {
            Policy::Static(threshold) => *threshold,
            Policy::Adaptive(settings) => settings.lowest,
        };
        for near in shelf.nearest(line, least).iter() {
            let Some((entry, stored)) = usize::try_from(near.id)
                .ok()
                .and_then(|entry| Some((entry, self.lines.get(entry)?)))
            else {
                continue;
            };
            if (self.conditions.veto)(&line.features, &stored.features) {
                self.slice.vetoed += 1;
                continue;
            }
            return Some(Pair {
                line: at,
                entry,
                similarity: near.similarity,
            });
        }
        None
    }

    /// Decides about a pair and learns from it; whether the entry was served.
    fn answer<S: Shelf<F>>(&mut self, pair: Pair, shelf: &mut S, rng: &mut impl Rng) -> bool {
        let conditions = self.conditions;
        let Policy::Adaptive(settings) = &conditions.policy else {
            self.count_hit(pair);
            return true;
        };
        self.calibration.see(pair.similarity);
        let question = Question {
            similarity: pair.similarity,
            floor: &self.floors[pair.entry],
            tightened: None,
        };
        let (source, served) = match decide(&question, self.standing, settings) {
            Verdict::Serve { audit_share } => {
                self.count_hit(pair);
                if rng.random::<f64>() >= audit_share {
                    return true;
                }
                self.slice.audited += 1;
                (Source::Audit, true)
            }
            Verdict::Shadow(_) => {
                self.slice.shadowed += 1;
                (Source::Shadow, false)
            }
            Verdict::Refuse(_) => return false,
        };
        let truth = self.judge(pair, rng);
        if self.floors[pair.entry].label(pair.similarity, truth, source) == Fate::Evict {
            self.slice.evicted += 1;
            shelf.remove(id(pair.entry));
        }
        let alarm = self
            .calibration
            .label(pair.similarity, truth, source, settings);
        self.unread += 1;
        if alarm == Some(Alarm) {
            self.slice.alarms += 1;
        }
        if alarm.is_some() || self.unread >= LOOK_EVERY {
            self.unread = 0;
            self.standing = self.calibration.settle(settings);
        }
        served
    }

    fn count_hit(&mut self, pair: Pair) {
        let wrong = u64::from(!self.same(pair));
        let proven = u64::from(matches!(self.standing, Standing::Proven(_)));
        self.slice.hits += 1;
        self.slice.wrong += wrong;
        self.slice.proven += proven;
        self.slice.proven_wrong += proven * wrong;
    }

    fn same(&self, pair: Pair) -> bool {
        self.lines[pair.line].answer == self.lines[pair.entry].answer
    }

    /// The label, right but for the judge's error.
    fn judge(&self, pair: Pair, rng: &mut impl Rng) -> Truth {
        let errs = rng.random::<f64>() < self.conditions.judge_error;
        if self.same(pair) == errs {
            Truth::Different
        } else {
            Truth::Same
        }
    }

    fn close(&mut self) -> Slice {
        let mut slice = std::mem::take(&mut self.slice);
        slice.threshold = match self.standing {
            Standing::Proven(threshold) | Standing::Trusted(threshold) => Some(threshold),
            Standing::Refusing(_) => None,
        };
        slice
    }
}

/// A line's number as an entry's id.
fn id(line: usize) -> u64 {
    u64::try_from(line).unwrap_or(u64::MAX)
}

impl Report {
    /// All slices added up, with the last one's threshold.
    pub fn total(&self) -> Slice {
        let mut total = Slice::default();
        for slice in &self.slices {
            total.requests += slice.requests;
            total.hits += slice.hits;
            total.proven += slice.proven;
            total.wrong += slice.wrong;
            total.proven_wrong += slice.proven_wrong;
            total.vetoed += slice.vetoed;
            total.shadowed += slice.shadowed;
            total.audited += slice.audited;
            total.evicted += slice.evicted;
            total.alarms += slice.alarms;
            total.threshold = slice.threshold;
        }
        total
    }
}

impl Slice {
    /// Hits over requests, 0 to 1.
    pub fn hit_rate(&self) -> f64 {
        ratio(self.hits, self.requests)
    }

    /// Wrong hits over hits, 0 to 1; 0 without hits.
    pub fn wrong_share(&self) -> f64 {
        ratio(self.wrong, self.hits)
    }

    /// Requests that the cache saved over requests: hits less those that were asked again.
    pub fn saved(&self) -> f64 {
        ratio(self.hits - self.audited, self.requests)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a recording")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl<F> Shelf<F> for Index {
    fn nearest(&self, line: &Line<F>, least: f32) -> Nearest {
        Self::nearest(self, &line.vector, least)
    }

    fn insert(&mut self, id: u64, line: &Line<F>) -> Result<(), Unfit> {
        Self::insert(self, id, &line.vector)
    }

    fn remove(&mut self, id: u64) {
        Self::remove(self, id);
    }
}
