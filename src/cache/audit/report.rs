//! What does an operator need to know about the audit's last week?
//!
//! Records are added one by one in any order, so that a report needs memory for workflows, days and wrong entries only; what comes out is data, and `page.rs` prints it.
//!
//! # Invariants
//! - A report is a function of the records and the question; it reads no clock and no file.
//! - Every number that is estimated has its interval beside it.
//! - Days are those of UTC; the window ends with the day of `now`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::advice::{Advice, advise};
use super::compare::Verdict;
use super::consequence::Consequence;
use super::drift::{Drift, drift};
use super::estimate::{Accuracy, Estimate, Tally};
use super::ledger::{OTHER, WORKFLOWS};
use super::reading::Reading;
use super::record::{Audited, Count, Record, Skipped};
use super::sample::DAY;

/// The similarities between which hits are put together; the first band begins at the least, the last ends at one.
///
/// Finer towards one, where thresholds are moved by hundredths.
pub(super) const EDGES: [f64; 8] = [0.80, 0.85, 0.90, 0.92, 0.94, 0.96, 0.98, 0.99];

/// Bands of similarity.
pub(super) const BANDS: usize = EDGES.len() + 1;

/// Wrong entries that a report names.
const WORST: usize = 10;

/// Wrong entries that are followed; later ones are counted but cannot be named.
const FOLLOWED: usize = 100_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// The instant of the report, seconds since 1970.
    pub now: i64,
    /// Days of the window, today included, ≥ 1. Default 7.
    pub days: u32,
    /// The share of wrong hits that the operator accepts, 0..=1. Default 0.02.
    pub target: f64,
    /// How good the comparison is, where that is known.
    pub accuracy: Option<Accuracy>,
}

/// A report; its `Display` is for people, its JSON for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The window's first day, `2026-01-31`.
    pub from: String,
    /// Its last day.
    pub to: String,
    /// The accepted share of wrong hits.
    pub target: f64,
    /// The accuracy that was taken into account.
    pub accuracy: Option<Accuracy>,
    /// How the interval is made.
    pub method: &'static str,
    /// By workflow, most hits first.
    pub workflows: Vec<Row>,
    /// The entries that were wrong most often.
    pub worst: Vec<Worst>,
    /// By similarity, over all workflows.
    pub bands: Vec<Band>,
    /// What is to be done, most urgent first.
    pub advice: Vec<Advice>,
    /// Records that were read, of any age.
    pub records: u64,
    /// Records dated after the report's last day; they are in no window.
    pub later: u64,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// One workflow's window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The workflow.
    pub workflow: String,
    /// Semantic hits.
    pub hits: u64,
    /// Audited hits.
    pub audited: u64,
    /// Those that were wrong.
    pub wrong: u64,
    /// Those of which it could not be told.
    pub unsure: u64,
    /// Hits that were drawn but not audited.
    pub skipped: Skipped,
    /// The share of wrong hits.
    pub estimate: Estimate,
    /// The same over all records.
    pub ever: Estimate,
    /// The window against the one before.
    pub drift: Option<Drift>,
    /// Day by day, oldest first, days without audits left out.
    pub days: Vec<Slice>,
    /// By similarity.
    pub bands: Vec<Band>,
    /// From which similarity on it served at the end.
    pub threshold: Option<f64>,
    /// By how much that moved in the window.
    pub moved: Option<f64>,
    /// Entries whose floor was raised.
    pub raised: u64,
    /// Entries that were evicted.
    pub evicted: u64,
    /// What audits did cost, nano-dollars.
    pub spent_nano: u64,
    /// What hits saved, nano-dollars.
    pub saved_nano: u64,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    /// The day, `2026-01-31`.
    pub day: String,
    /// Audited hits.
    pub audited: u64,
    /// Those that were wrong.
    pub wrong: u64,
    /// The share of wrong hits.
    pub estimate: Estimate,
}

/// Hits of like similarity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// The least similarity; none is the band below all edges.
    pub from: Option<f64>,
    /// The similarity at which the next band begins; none is the band above all edges.
    pub to: Option<f64>,
    /// Audited hits.
    pub audited: u64,
    /// Those that were wrong.
    pub wrong: u64,
    /// The share of wrong hits.
    pub estimate: Estimate,
}

/// An entry that was wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worst {
    /// The entry.
    pub entry: String,
    /// Its workflow.
    pub workflow: String,
    /// How often it was wrong.
    pub wrong: u64,
    /// The similarity at which it was wrong last.
    pub similarity: f64,
    /// When that was, seconds since 1970.
    pub last: i64,
    /// What became of it.
    pub consequence: Consequence,
}

/// Gathers records into a report.
#[derive(Debug)]
pub struct Gathering {
    ask: Ask,
    today: i64,
    workflows: BTreeMap<String, Gathered>,
    wrong: BTreeMap<(String, String), Worst>,
    records: u64,
    later: u64,
}

/// What is gathered of a workflow.
#[derive(Debug, Default)]
struct Gathered {
    days: BTreeMap<i64, Tally>,
    bands: [Tally; BANDS],
    hits: u64,
    skipped: Skipped,
    raised: u64,
    evicted: u64,
    spent: u64,
    saved: u64,
    /// The first and the last threshold in the window, with their instants.
    first: Option<(i64, f64)>,
    last: Option<(i64, f64)>,
}

/// Makes a report of records.
pub fn report(records: impl IntoIterator<Item = Record>, ask: Ask, reading: &Reading) -> Report {
    let mut gathering = Gathering::new(ask);
    for record in records {
        gathering.add(&record);
    }
    gathering.finish(reading)
}

impl Gathering {
    /// Nothing gathered yet.
    #[must_use]
    pub fn new(ask: Ask) -> Self {
        Self {
            ask: Ask {
                days: ask.days.clamp(1, 36_500),
                ..ask
            },
            today: ask.now.div_euclid(DAY),
            workflows: BTreeMap::new(),
            wrong: BTreeMap::new(),
            records: 0,
            later: 0,
        }
    }

    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        let day = record.at().div_euclid(DAY);
        if day > self.today {
            self.later += 1;
        }
        let known = self.workflows.contains_key(record.workflow());
        let name = if known || self.workflows.len() + 1 < WORKFLOWS {
            record.workflow()
        } else {
            OTHER
        };
        let within = day <= self.today && day > self.today - i64::from(self.ask.days);
        let workflow = self.workflows.entry(name.to_owned()).or_default();
        match record {
            Record::Audit(audited) => {
                let tally = workflow.days.entry(day).or_default();
                tally.add(audited.verdict, audited.probability);
                if within {
                    workflow.audit(audited);
                    self.follow(audited);
                }
            }
            Record::Count(count) if within => workflow.count(count),
            Record::Count(_) => {}
        }
    }

    /// Follows a wrong entry.
    fn follow(&mut self, audited: &Audited) {
        if audited.verdict != Verdict::Different {
            return;
        }
        let key = (audited.workflow.clone(), audited.entry.clone());
        if self.wrong.len() >= FOLLOWED && !self.wrong.contains_key(&key) {
            return;
        }
        let entry = self.wrong.entry(key).or_insert_with(|| Worst {
            entry: audited.entry.clone(),
            workflow: audited.workflow.clone(),
            wrong: 0,
            similarity: audited.similarity,
            last: audited.at,
            consequence: audited.consequence,
        });
        entry.wrong += 1;
        if audited.at >= entry.last {
            entry.similarity = audited.similarity;
            entry.last = audited.at;
            entry.consequence = audited.consequence;
        }
    }

    /// The report of all that was added.
    #[must_use]
    pub fn finish(self, reading: &Reading) -> Report {
        let mut workflows = Vec::new();
        let mut bands = [Tally::default(); BANDS];
        for (name, gathered) in self.workflows {
            for (sum, tally) in bands.iter_mut().zip(&gathered.bands) {
                *sum = sum.plus(*tally);
            }
            workflows.extend(gathered.row(name, self.today, &self.ask));
        }
        workflows.sort_by(|left, right| {
            let order = (right.hits, right.audited).cmp(&(left.hits, left.audited));
            order.then_with(|| left.workflow.cmp(&right.workflow))
        });
        let mut worst: Vec<Worst> = self.wrong.into_values().collect();
        worst.sort_by_key(|entry| std::cmp::Reverse((entry.wrong, entry.last)));
        worst.truncate(WORST);
        let accuracy = self.ask.accuracy.filter(Accuracy::is_usable);
        Report {
            from: date(self.today - i64::from(self.ask.days) + 1),
            to: date(self.today),
            target: self.ask.target,
            accuracy,
            method: "Hájek ratio by recorded chances; 95 % Clopper–Pearson at the effective size; \
                     unsure counted both ways",
            advice: advise(&workflows, &self.ask),
            workflows,
            worst,
            bands: shown_bands(&bands, self.ask.accuracy),
            records: self.records,
            later: self.later,
            problems: reading.messages.clone(),
        }
    }
}

impl Gathered {
    fn audit(&mut self, audited: &Audited) {
        let band = EDGES.partition_point(|edge| *edge <= audited.similarity);
        self.bands[band].add(audited.verdict, audited.probability);
        self.spent = self.spent.saturating_add(audited.cost_nano);
        match audited.consequence {
            Consequence::Keep => {}
            Consequence::RaiseFloor(_) => self.raised += 1,
            Consequence::Evict => self.evicted += 1,
        }
    }

    fn count(&mut self, count: &Count) {
        self.hits = self.hits.saturating_add(count.hits);
        self.saved = self.saved.saturating_add(count.saved_nano);
        self.skipped = self.skipped.plus(count.skipped);
        if let Some(threshold) = count.threshold {
            let here = (count.at, threshold);
            if self.first.is_none_or(|(at, _)| count.at < at) {
                self.first = Some(here);
            }
            if self.last.is_none_or(|(at, _)| count.at >= at) {
                self.last = Some(here);
            }
        }
    }

    /// The tally of so many days up to one.
    fn window(&self, last: i64, days: u32) -> Tally {
        let days = self.days.range(last - i64::from(days) + 1..=last);
        days.fold(Tally::default(), |sum, (_, tally)| sum.plus(*tally))
    }

    /// The workflow's row; none if there was nothing in the window.
    fn row(self, workflow: String, today: i64, ask: &Ask) -> Option<Row> {
        let newest = self.window(today, ask.days);
        let before = self.window(today - i64::from(ask.days), ask.days);
        let ever = self
            .days
            .values()
            .fold(Tally::default(), |sum, it| sum.plus(*it));
        if newest.audited() == 0 && self.hits == 0 && self.skipped.total() == 0 {
            return None;
        }
        let first = today - i64::from(ask.days) + 1;
        let slice = |(day, tally): (&i64, &Tally)| Slice {
            day: date(*day),
            audited: tally.audited(),
            wrong: tally.different.count,
            estimate: tally.estimate(ask.accuracy),
        };
        let moved = self.first.zip(self.last);
        Some(Row {
            workflow,
            hits: self.hits,
            audited: newest.audited(),
            wrong: newest.different.count,
            unsure: newest.unsure.count,
            skipped: self.skipped,
            estimate: newest.estimate(ask.accuracy),
            ever: ever.estimate(ask.accuracy),
            drift: drift(&newest, &before),
            days: self.days.range(first..=today).map(slice).collect(),
            bands: shown_bands(&self.bands, ask.accuracy),
            threshold: self.last.map(|(_, threshold)| threshold),
            moved: moved.map(|((_, first), (_, last))| last - first),
            raised: self.raised,
            evicted: self.evicted,
            spent_nano: self.spent,
            saved_nano: self.saved,
        })
    }
}

/// Bands in which something was audited.
fn shown_bands(tallies: &[Tally; BANDS], accuracy: Option<Accuracy>) -> Vec<Band> {
    let band = |(index, tally): (usize, &Tally)| {
        (tally.audited() > 0).then(|| Band {
            from: index.checked_sub(1).and_then(|at| EDGES.get(at)).copied(),
            to: EDGES.get(index).copied(),
            audited: tally.audited(),
            wrong: tally.different.count,
            estimate: tally.estimate(accuracy),
        })
    };
    tallies.iter().enumerate().filter_map(band).collect()
}

/// A day as people write it.
pub(super) fn date(day: i64) -> String {
    let start = jiff::civil::date(1970, 1, 1);
    let days = day.clamp(-700_000, 2_900_000);
    start
        .saturating_add(jiff::Span::new().days(days))
        .to_string()
}
