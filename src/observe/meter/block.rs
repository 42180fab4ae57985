//! Counters of one subject, side by side, once for each shard of threads.
//!
//! Counters that every worker bumps per request would have their cache line sent from core to core; so each thread adds to a copy of its own, and a reader adds the copies up.
//!
//! # Invariants
//! - Lines of different shards share no pair of cache lines.
//! - Every addition is relaxed: the counts are statistics and guard nothing. A scrape may see a histogram's count without its sum, which the next one corrects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;

use scoring::time::Span;

use super::scale::{Cells, MILLION, Scale};
use crate::observe::Spread;

/// Counters on one line: two cache lines of 64 bytes, since processors fetch pairs.
const PER_LINE: usize = 16;

/// Shards at most: beyond it the memory costs more than the contention.
const MOST_SHARDS: usize = 8;

/// Billionths of a dollar in a dollar.
pub(super) const NANO: f64 = 1e9;

#[repr(align(128))]
#[derive(Debug, Default)]
struct Line([AtomicU64; PER_LINE]);

/// The counters of one subject.
#[derive(Debug)]
pub(in crate::observe) struct Block {
    lines: Box<[Line]>,
    /// Lines of one shard.
    stride: usize,
    /// Shards less one; a power of two less one.
    mask: usize,
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    MINE.with(|mine| *mine)
}

fn add(lines: &[Line], slot: usize, by: u64) {
    if let Some(line) = lines.get(slot / PER_LINE) {
        line.0[slot % PER_LINE].fetch_add(by, Ordering::Relaxed);
    }
}

impl Block {
    /// So many counters, all 0.
    pub(super) fn new(slots: usize) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let shards = cores.next_power_of_two().min(MOST_SHARDS);
        let stride = slots.div_ceil(PER_LINE).max(1);
        Self {
            lines: (0..shards * stride).map(|_| Line::default()).collect(),
            stride,
            mask: shards - 1,
        }
    }

    /// The lines that this thread adds to.
    fn mine(&self) -> &[Line] {
        let first = (shard() & self.mask) * self.stride;
        let lines = self.lines.get(first..first + self.stride);
        lines.unwrap_or_default()
    }

    pub(super) fn add(&self, slot: usize, by: u64) {
        add(self.mine(), slot, by);
    }

    /// A counter's value over all shards.
    pub(super) fn get(&self, slot: usize) -> u64 {
        let lines = self.lines.iter().skip(slot / PER_LINE);
        lines.step_by(self.stride).fold(0, |sum, line| {
            u64::wrapping_add(sum, line.0[slot % PER_LINE].load(Ordering::Relaxed))
        })
    }
}

/// Something that is counted; clones share the count.
#[derive(Clone, Debug)]
pub struct Counter {
    block: Arc<Block>,
    slot: usize,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            block: Arc::new(Block::new(1)),
            slot: 0,
        }
    }
}

impl Counter {
    pub(super) const fn new(block: Arc<Block>, slot: usize) -> Self {
        Self { block, slot }
    }

    /// Whether somebody else holds it, too.
    pub(in crate::observe) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.block) > 1
    }

    /// Counts one.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Counts so many.
    pub fn inc_by(&self, by: u64) {
        self.block.add(self.slot, by);
    }

    /// How many were counted.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.block.get(self.slot)
    }
}

/// Counters of a closed list, one for each of its members.
#[derive(Clone, Debug)]
pub struct Counters {
    first: Counter,
    count: usize,
}

impl Counters {
    pub(super) const fn new(first: Counter, count: usize) -> Self {
        Self { first, count }
    }

    /// That of the member with this index.
    pub(in crate::observe) fn at(&self, index: usize) -> Counter {
        let Counter { block, slot } = &self.first;
        Counter::new(Arc::clone(block), slot + index.min(self.count))
    }

    /// Counts one of the member with this index; one that the list does not have is not counted.
    pub fn inc(&self, index: usize) {
        self.inc_by(index, 1);
    }

    /// Counts so many of the member with this index.
    pub fn inc_by(&self, index: usize, by: u64) {
        if index < self.count {
            self.first.block.add(self.first.slot + index, by);
        }
    }

    /// How many of the member with this index were counted.
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.first.block.get(self.first.slot + index)
    }
}

/// Dollars.
#[derive(Clone, Debug)]
pub struct Amount(Counter);

impl Amount {
    pub(super) const fn new(counter: Counter) -> Self {
        Self(counter)
    }

    /// How many dollars there are.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.get() as f64 / NANO
    }

    /// Adds so many dollars; less than none is none.
    pub fn inc_by(&self, dollars: f64) {
        self.0.inc_by((dollars * NANO).round() as u64);
    }
}

/// How often which value was observed; clones share their counts.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Counter,
    cells: &'static Cells,
}

impl Histogram {
    pub(super) fn new(counts: Counter, scale: &'static Scale) -> Self {
        let cells = scale.cells();
        Self { counts, cells }
    }

    /// One that nobody sees.
    pub(super) fn unseen() -> Self {
        static SCALE: Scale = Scale::new(&[], (0, 0));
        let block = Arc::new(Block::new(SCALE.len() + 1));
        Self::new(Counter::new(block, 0), &SCALE)
    }

    /// Adds one duration.
    pub fn observe(&self, span: Span) {
        self.observe_millionths(span.as_micros());
    }

    /// Adds one value, in millionths of the unit.
    pub fn observe_millionths(&self, value: u64) {
        let Counter { block, slot } = &self.counts;
        let lines = block.mine();
        add(lines, slot + self.cells.find(value), 1);
        add(lines, slot + self.cells.len(), value);
    }

    /// How many values were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// How many values fell into each cell.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let Counter { block, slot } = &self.counts;
        let cells = *slot..slot + self.cells.len();
        cells.map(|slot| block.get(slot)).collect()
    }

    /// What was added so far, at one instant, where values are durations.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let Counter { block, slot } = &self.counts;
        let sum_us = block.get(slot + self.cells.len());
        Spread::new(self.cells.bounds(), self.counts(), sum_us)
    }

    /// The sum of all values, in the unit.
    #[must_use]
    pub fn sum(&self) -> f64 {
        let Counter { block, slot } = &self.counts;
        block.get(slot + self.cells.len()) as f64 / MILLION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_to_one_count() {
        let block = Arc::new(Block::new(40));
        let counters: Vec<Counter> = (0..40)
            .map(|slot| Counter::new(Arc::clone(&block), slot))
            .collect();
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    for (slot, counter) in counters.iter().enumerate() {
                        counter.inc_by(slot as u64);
                    }
                });
            }
        });
        for (slot, counter) in counters.iter().enumerate() {
            assert_eq!(counter.get(), 5 * slot as u64);
        }
    }

    #[test]
    fn dollars_are_not_lost_in_many_small_sums() {
        let amount = Amount::new(Counter::default());
        for _ in 0..1_000_000 {
            amount.inc_by(1e-6);
        }
        amount.inc_by(-3.0);
        assert_eq!(amount.0.get(), 1_000_000_000);
    }
}
