//! Of whom is something counted, and who is forgotten?
//!
//! A configuration may be reloaded ten thousand times with other names each time.
//! A subject that no snapshot holds any more is shown for a while, so that its last counts are read, and then forgotten; what it had counted goes into the totals of the forgotten.
//!
//! # Invariants
//! - A subject that anybody may still count for is never forgotten: whoever holds a handle holds its block.
//! - There are never more than `most` subjects; further ones count as [`OTHER`], and that is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use scoring::time::{Span, Time};

use super::block::{Amount, Block, Counter, Counters, Histogram};
use super::metric::{Kind, Metric, Of};

/// The subject of what has no name in the configuration, and of what found no room.
pub(crate) const OTHER: &str = "other";

/// Subjects at one moment: names and what they count in.
pub(in crate::observe) type All = Vec<(Box<str>, Arc<Block>)>;

/// How long a subject is shown that nobody holds: longer than any sensible scrape interval.
const SHOWN_FOR: Span = Span::from_secs(600);

/// Where each metric of a kind of subject stands in a block.
#[derive(Debug)]
pub(in crate::observe) struct Layout {
    metrics: Vec<(&'static Metric, usize)>,
    slots: usize,
}

impl Layout {
    /// The layout of all metrics of such subjects.
    pub(in crate::observe) fn new(all: &[&'static Metric], of: Of) -> Self {
        let mut slots = 0;
        let mut metrics = Vec::new();
        for metric in all.iter().copied().filter(|metric| metric.of == of) {
            metrics.push((metric, slots));
            slots += metric.rows.len() * metric.kind.cells();
        }
        Self { metrics, slots }
    }

    fn place(&self, metric: &Metric) -> usize {
        let mut known = self.metrics.iter();
        let found = known.find(|(it, _)| it.name == metric.name);
        debug_assert!(found.is_some(), "{} is not counted of this", metric.name);
        found.map_or(0, |(_, place)| *place)
    }
}

/// A subject's counters, to resolve handles from.
#[derive(Clone, Debug)]
pub(in crate::observe) struct Subject {
    layout: Arc<Layout>,
    block: Arc<Block>,
}

impl Subject {
    fn new(layout: &Arc<Layout>) -> Self {
        Self {
            block: Arc::new(Block::new(layout.slots)),
            layout: Arc::clone(layout),
        }
    }

    pub(in crate::observe) fn counter(&self, metric: &Metric) -> Counter {
        Counter::new(Arc::clone(&self.block), self.layout.place(metric))
    }

    pub(in crate::observe) fn counters(&self, metric: &Metric) -> Counters {
        Counters::new(self.counter(metric), metric.rows.len())
    }

    pub(in crate::observe) fn amount(&self, metric: &Metric) -> Amount {
        Amount::new(self.counter(metric))
    }

    /// The histogram of a row.
    pub(in crate::observe) fn histogram(&self, (metric, row): (&Metric, usize)) -> Histogram {
        let Kind::Histogram(scale) = metric.kind else {
            debug_assert!(false, "{} is no histogram", metric.name);
            return Histogram::unseen();
        };
        let slot = self.layout.place(metric) + row * metric.kind.cells();
        Histogram::new(Counter::new(Arc::clone(&self.block), slot), scale)
    }
}

#[derive(Debug)]
struct Known {
    subject: Subject,
    /// Since when nobody is known to hold it.
    unheld: Option<Time>,
}

/// All subjects of a kind, by name.
#[derive(Debug)]
pub(in crate::observe) struct Subjects {
    layout: Arc<Layout>,
    most: usize,
    /// What counts for all that found no room.
    other: Subject,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: BTreeMap<Box<str>, Known>,
    /// What forgotten subjects had counted, by slot.
    forgotten: Box<[u64]>,
    /// Subjects that found no room.
    refused: u64,
}

impl Subjects {
    /// No subjects yet, and never more than so many.
    pub(in crate::observe) fn new(layout: Layout, most: usize) -> Self {
        let layout = Arc::new(layout);
        Self {
            other: Subject::new(&layout),
            most,
            state: Mutex::new(State {
                known: BTreeMap::new(),
                forgotten: vec![0; layout.slots].into(),
                refused: 0,
            }),
            layout,
        }
    }

    /// The subject of what has no name.
    pub(in crate::observe) const fn other(&self) -> &Subject {
        &self.other
    }

    /// The subject of this name: the one there is, else a new one.
    pub(in crate::observe) fn get(&self, name: &str) -> Subject {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.known.get_mut(name) {
            known.unheld = None;
            return known.subject.clone();
        }
        if name == OTHER {
            return self.other.clone();
        }
        if state.known.len() >= self.most {
            // Whoever is not held any more makes room.
            state.forget(|_| true);
        }
        if state.known.len() >= self.most {
            state.refused += 1;
            return self.other.clone();
        }
        let subject = Subject::new(&self.layout);
        let known = Known {
            subject: subject.clone(),
            unheld: None,
        };
        state.known.insert(name.into(), known);
        subject
    }

    /// Forgets the subjects that nobody has held for a while.
    pub(in crate::observe) fn prune(&self, now: Time) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for known in state.known.values_mut() {
            if Arc::strong_count(&known.subject.block) > 1 {
                known.unheld = None;
            } else {
                known.unheld.get_or_insert(now);
            }
        }
        state.forget(|unheld| unheld.is_some_and(|since| now.since(since) >= SHOWN_FOR));
    }

    /// What there is, in the order of names; `other` first.
    pub(in crate::observe) fn all(&self) -> All {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.known.iter();
        let known = known.map(|(name, known)| (name.clone(), Arc::clone(&known.subject.block)));
        let other = (OTHER.into(), Arc::clone(&self.other.block));
        [other].into_iter().chain(known).collect()
    }

    /// What these have counted of a metric: for each its rows, one after the other.
    pub(in crate::observe) fn snapshot(&self, all: &All, metric: &Metric) -> Vec<Vec<u64>> {
        let place = self.layout.place(metric);
        let slots = place..place + metric.rows.len() * metric.kind.cells();
        let of = |block: &Block| slots.clone().map(|slot| block.get(slot)).collect();
        all.iter().map(|(_, block)| of(block)).collect()
    }

    /// What forgotten subjects had counted of a metric, row by row.
    pub(in crate::observe) fn forgotten(&self, metric: &Metric) -> Vec<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.layout.place(metric);
        state.forgotten[place..place + metric.rows.len()].to_vec()
    }

    /// What all of them have counted so far, the forgotten ones included, as one that nobody counts for.
    pub(in crate::observe) fn sum(&self) -> Subject {
        let sum = Subject::new(&self.layout);
        let all = self.all();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, forgotten) in state.forgotten.iter().enumerate() {
            let counted = all.iter().map(|(_, block)| block.get(slot));
            sum.block.add(slot, counted.sum::<u64>() + forgotten);
        }
        sum
    }

    /// How many subjects found no room.
    pub(in crate::observe) fn refused(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused
    }
}

impl State {
    /// Forgets whom nobody holds, if it is due by since when that has been known.
    fn forget(&mut self, is_due: impl Fn(Option<Time>) -> bool) {
        let Self {
            known, forgotten, ..
        } = self;
        known.retain(|_, it| {
            // Sole access also says that whatever was counted before the last handle was dropped is seen.
            if !is_due(it.unheld) || Arc::get_mut(&mut it.subject.block).is_none() {
                return true;
            }
            for (slot, sum) in forgotten.iter_mut().enumerate() {
                *sum += it.subject.block.get(slot);
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric::column;
    use super::*;

    const THINGS: Metric = Metric::counter("things_total", "Things.")
        .of(Of::Model, &["model", "kind"])
        .by(&column(["a", "b"]));

    fn subjects(most: usize) -> Subjects {
        Subjects::new(Layout::new(&[&THINGS], Of::Model), most)
    }

    const LATER: Time = Time::from_micros(1_000 + SHOWN_FOR.as_micros());

    #[test]
    fn who_is_held_is_never_forgotten_and_keeps_its_counts() {
        let all = subjects(4);
        let held = all.get("m").counters(&THINGS);
        held.inc(1);
        all.prune(Time::from_micros(1));
        all.prune(LATER);
        all.get("m").counters(&THINGS).inc(1);
        assert_eq!(held.get(1), 2);
        assert_eq!(all.forgotten(&THINGS), [0, 0]);
        drop(held);
        all.prune(Time::from_micros(2));
        assert_eq!(all.all().len(), 2, "it is shown for a while");
        all.prune(LATER);
        assert_eq!(all.all().len(), 1);
        assert_eq!(all.forgotten(&THINGS), [0, 2]);
    }

    #[test]
    fn who_comes_back_in_time_goes_on_counting() {
        let all = subjects(4);
        all.get("m").counters(&THINGS).inc(0);
        all.prune(Time::from_micros(1));
        let again = all.get("m").counters(&THINGS);
        all.prune(LATER);
        again.inc(0);
        assert_eq!(again.get(0), 2);
    }

    #[test]
    fn ten_thousand_names_take_the_room_of_few_and_lose_no_count() {
        let all = subjects(8);
        for turn in 0..10_000 {
            all.get(&format!("m{turn}")).counters(&THINGS).inc(0);
            all.prune(Time::from_micros(turn));
            assert!(all.all().len() <= 9);
        }
        let shown = all.all().iter().map(|(_, block)| block.get(0)).sum::<u64>();
        assert_eq!(shown + all.forgotten(&THINGS)[0], 10_000);
        assert_eq!(all.refused(), 0);
    }

    #[test]
    fn what_finds_no_room_is_other() {
        let all = subjects(2);
        let held: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| all.get(name).counters(&THINGS))
            .into();
        held.iter().for_each(|counters| counters.inc(0));
        assert_eq!(all.refused(), 2);
        assert_eq!(all.other().counters(&THINGS).get(0), 2);
    }
}
