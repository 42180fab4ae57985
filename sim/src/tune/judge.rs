//! Is what the search found better where it was not searched?
//!
//! Each change is put back alone on the held-out half; one that buys nothing there, beyond what chance explains, is left out.
//! Since that is a choice too, what is left meets the constants as they are once more, on seeds that nothing was chosen by: that is the verdict.
//!
//! # Invariants
//! - Gains are differences of pairs: the same cell, the same requests, the same noise; their error counts chance between seeds, not differences between scenarios.
//! - Without a gain on unseen seeds, no constant is told to change.

use std::collections::BTreeMap;

use scoring::tuning::{Tuning, Unit, constants};
use serde::Serialize;

use super::arena::{Arena, Cell, Group};
use super::loss::Loss;
use super::space::{Point, Space};

/// Standard errors that a change must buy to be kept: one in six that do nothing slips through, and then does nothing.
const BUYS: f64 = 1.0;
/// Standard errors by which all changes together must win on unseen seeds: chance alone does in one of forty.
const WINS: f64 = 2.0;
/// Passes through all cells that a judgement is expected to take: two pairs of clairvoyants, twice the constants as they are, what was found, what is left of it, and ten changes put back.
pub(super) const CELLS: usize = 19;

/// The seeds of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seeds {
    /// Searched.
    pub training: Vec<u64>,
    /// Changes were chosen by these.
    pub held_out: Vec<u64>,
    /// Nothing was chosen by these.
    pub unseen: Vec<u64>,
}

impl Seeds {
    pub(super) fn new([training, held_out, unseen]: [u64; 3], count: usize) -> Self {
        let from = |first: u64| (first..).take(count).collect();
        Self {
            training: from(training),
            held_out: from(held_out),
            unseen: from(unseen),
        }
    }
}

/// A mean loss and what it is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// Cost above the clairvoyant's, as a part of it.
    pub regret: f64,
    /// What missed bars cost.
    pub penalty: f64,
}

impl Part {
    /// Both together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.regret + self.penalty
    }
}

/// By how much the mean loss fell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gain {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl Gain {
    fn beyond(&self, errors: f64) -> bool {
        self.mean > 0.0 && self.mean > errors * self.error
    }
}

/// Two tunings on the same cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Versus {
    /// The constants as they are.
    pub before: Part,
    /// The others.
    pub after: Part,
    /// What the others gain.
    pub gain: Gain,
}

impl Versus {
    pub(super) fn new(cells: &[Cell], before: &[Loss], after: &[Loss]) -> Self {
        Self {
            before: part(before),
            after: part(after),
            gain: gain(cells, before, after),
        }
    }
}

/// What a change bought.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bought {
    /// So much, on the held-out half, compared with putting it back alone.
    Gain(Gain),
    /// Nothing by itself: another change needs it to be so.
    Follows,
}

/// A constant that is changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its name, as `group.field`.
    pub name: &'static str,
    /// What it is counted in.
    #[serde(skip)]
    pub unit: Unit,
    /// Its value as it is; spans in seconds.
    pub before: f64,
    /// Its new value.
    pub after: f64,
    /// What that bought.
    pub bought: Bought,
}

/// A scenario before and after, on unseen seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Before and after.
    pub versus: Versus,
}

/// A bar that holds with one tuning and is missed with the other, on unseen seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The scenario's name.
    pub scenario: String,
    /// The metric.
    pub metric: String,
    /// Its mean before.
    pub before: Option<f64>,
    /// Its mean after.
    pub after: Option<f64>,
    /// Whether it holds after.
    pub holds: bool,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Found {
    /// The seeds used.
    pub seeds: Seeds,
    /// Candidates drawn.
    pub candidates: usize,
    /// Cells run.
    pub runs: usize,
    /// Requests simulated.
    pub requests: u64,
    /// All that the search changed, where it searched.
    pub training: Versus,
    /// The same on the held-out half.
    pub held_out: Versus,
    /// The changes that bought something, on unseen seeds.
    pub unseen: Versus,
    /// The changes that bought something.
    pub kept: Vec<Change>,
    /// Those that did not, and are left out.
    pub put_back: Vec<Change>,
    /// Every scenario with the changes kept, the one that lost most first.
    pub scenarios: Vec<Row>,
    /// Bars won and lost by them.
    pub flips: Vec<Flip>,
    /// Whether the changes kept beat the constants as they are.
    pub better: bool,
}

impl Found {
    /// The changes to write: those kept, if they are better.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        if self.better { &self.kept } else { &[] }
    }

    /// What was gained by fitting the half that was searched alone.
    #[must_use]
    pub fn overfit(&self) -> f64 {
        self.training.gain.mean - self.held_out.gain.mean
    }
}

/// What a judgement is made with; arenas are made when they are needed.
pub(super) struct Trial<'a, H, U> {
    pub(super) space: &'a Space,
    pub(super) held_out: H,
    pub(super) unseen: U,
}

impl<'a, H: Fn() -> Arena<'a>, U: Fn() -> Arena<'a>> Trial<'_, H, U> {
    /// Judges what the search found.
    pub(super) fn judge(&self, best: &Point, training: Versus) -> Found {
        let mut found = Found {
            training,
            ..Found::default()
        };
        let changed: Vec<usize> = (0..best.len())
            .filter(|&axis| best[axis].is_some())
            .collect();
        if changed.is_empty() {
            return found;
        }
        let (kept, gains) = self.ablate(best, &changed, &mut found);
        (found.kept, found.put_back) = (
            self.changes(&kept, &gains),
            self.left_out((best, &kept), &gains),
        );
        if kept.iter().any(Option::is_some) {
            self.confirm(&kept, &mut found);
        }
        found
    }

    /// Puts each change back alone; what bought something is left, and what each bought.
    fn ablate(
        &self,
        best: &Point,
        changed: &[usize],
        found: &mut Found,
    ) -> (Point, BTreeMap<usize, Gain>) {
        let without = |axis: usize| {
            let mut point = best.clone();
            point[axis] = None;
            self.space.tuning(&point)
        };
        let mut tunings = vec![self.space.tuning(&Point::new()), self.space.tuning(best)];
        tunings.extend(changed.iter().map(|&axis| without(axis)));
        let arena = (self.held_out)();
        let losses = arena.losses(&tunings, 0..arena.cells.len());
        found.held_out = Versus::new(&arena.cells, &losses[0], &losses[1]);
        let bought = |lost: &Vec<Loss>| gain(&arena.cells, lost, &losses[1]);
        let gains: BTreeMap<usize, Gain> = changed
            .iter()
            .copied()
            .zip(losses[2..].iter().map(bought))
            .collect();
        let mut kept = best.clone();
        for (axis, gain) in &gains {
            if !gain.beyond(BUYS) {
                kept[*axis] = None;
            }
        }
        (kept, gains)
    }

    /// Compares what is left with the constants as they are, on unseen seeds.
    fn confirm(&self, kept: &Point, found: &mut Found) {
        let arena = (self.unseen)();
        let tunings = [self.space.tuning(&Point::new()), self.space.tuning(kept)];
        let losses = arena.losses(&tunings, 0..arena.cells.len());
        let (before, after) = (&losses[0], &losses[1]);
        found.unseen = Versus::new(&arena.cells, before, after);
        found.better = found.unseen.gain.beyond(WINS);
        for (group, places) in by_group(&arena.cells) {
            let of = |losses: &[Loss]| {
                places
                    .iter()
                    .map(|&it| losses[it].clone())
                    .collect::<Vec<_>>()
            };
            let cells: Vec<Cell> = places.iter().map(|&it| arena.cells[it]).collect();
            let (before, after) = (of(before), of(after));
            found.scenarios.push(Row {
                name: arena.name(group),
                versus: Versus::new(&cells, &before, &after),
            });
            found.flips.extend(flips(&arena, group, (&before, &after)));
        }
        found
            .scenarios
            .sort_by(|a, b| a.versus.gain.mean.total_cmp(&b.versus.gain.mean));
    }

    /// What differs between the constants as they are and those of `point`.
    fn changes(&self, point: &Point, gains: &BTreeMap<usize, Gain>) -> Vec<Change> {
        let (before, after) = (self.space.tuning(&Point::new()), self.space.tuning(point));
        differences(&before, &after, |name| {
            let own = gains
                .iter()
                .find(|(axis, _)| self.space.constant(**axis).name == name);
            let own = own.filter(|(axis, _)| point[**axis].is_some());
            own.map_or(Bought::Follows, |(_, gain)| Bought::Gain(*gain))
        })
    }

    /// What the search changed and is not kept.
    fn left_out(
        &self,
        (best, kept): (&Point, &Point),
        gains: &BTreeMap<usize, Gain>,
    ) -> Vec<Change> {
        let kept = self.changes(kept, gains);
        let mut all = self.changes(best, gains);
        all.retain(|it| kept.iter().all(|other| other.name != it.name));
        all
    }
}

fn differences(before: &Tuning, after: &Tuning, bought: impl Fn(&str) -> Bought) -> Vec<Change> {
    let change = |it: &scoring::tuning::Constant| Change {
        name: it.name,
        unit: it.unit,
        before: (it.get)(before),
        after: (it.get)(after),
        bought: bought(it.name),
    };
    let changes = constants().iter().map(change);
    changes
        .filter(|it| it.before.to_bits() != it.after.to_bits())
        .collect()
}

/// The bars of a group that one tuning holds and the other misses.
fn flips(arena: &Arena<'_>, group: Group, (before, after): (&[Loss], &[Loss])) -> Vec<Flip> {
    let bars = &arena.scenarios()[group.scenario].bars;
    let mean = |losses: &[Loss], bar: usize| {
        let told: Vec<f64> = losses.iter().filter_map(|it| it.bars[bar]).collect();
        (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64)
    };
    let mut flips = Vec::new();
    for (at, bar) in bars.iter().enumerate() {
        let (before, after) = (mean(before, at), mean(after, at));
        let holds = |value: Option<f64>| {
            value.is_some_and(|it| {
                bar.at_least.is_none_or(|least| it >= least)
                    && bar.at_most.is_none_or(|most| it <= most)
            })
        };
        if holds(before) != holds(after) {
            flips.push(Flip {
                scenario: arena.name(group),
                metric: bar.metric.clone(),
                before,
                after,
                holds: holds(after),
            });
        }
    }
    flips
}

fn part(losses: &[Loss]) -> Part {
    let count = losses.len().max(1) as f64;
    Part {
        regret: losses.iter().map(|it| it.regret).sum::<f64>() / count,
        penalty: losses.iter().map(|it| it.penalty).sum::<f64>() / count,
    }
}

/// By how much `after` loses less than `before`, cell by cell.
fn gain(cells: &[Cell], before: &[Loss], after: &[Loss]) -> Gain {
    let difference = |at: usize| before[at].total() - after[at].total();
    let mut variance = 0.0;
    for places in by_group(cells).values() {
        let count = places.len() as f64;
        let mean = places.iter().map(|&it| difference(it)).sum::<f64>() / count;
        let squares: f64 = places
            .iter()
            .map(|&it| (difference(it) - mean).powi(2))
            .sum();
        // The variance of this group's sum: one seed alone tells nothing about chance, and adds none.
        variance += count * squares / (count - 1.0).max(1.0);
    }
    let count = cells.len().max(1) as f64;
    Gain {
        mean: (0..cells.len()).map(difference).sum::<f64>() / count,
        error: variance.sqrt() / count,
    }
}

fn by_group(cells: &[Cell]) -> BTreeMap<Group, Vec<usize>> {
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    for (at, cell) in cells.iter().enumerate() {
        groups.entry(cell.group).or_default().push(at);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Vec<Cell> {
        let group = |scenario| Group {
            scenario,
            trace: None,
        };
        let cell = |scenario, seed| Cell {
            group: group(scenario),
            seed,
        };
        vec![cell(0, 1), cell(1, 1), cell(0, 2), cell(1, 2)]
    }

    fn losses(regrets: [f64; 4]) -> Vec<Loss> {
        let loss = |regret| Loss {
            regret,
            ..Loss::default()
        };
        regrets.map(loss).to_vec()
    }

    #[test]
    fn a_gain_counts_chance_between_seeds_and_not_scenarios_that_differ() {
        let before = losses([0.1, 0.5, 0.1, 0.5]);
        let sure = gain(&cells(), &before, &losses([0.1, 0.3, 0.1, 0.3]));
        assert!(
            (sure.mean - 0.1).abs() < 1e-9 && sure.error < 1e-9,
            "{sure:?}"
        );
        assert!(sure.beyond(WINS));
        // Seeds differ by 0.2 in one scenario: the standard error of its mean is 0.1, that of both's 0.05.
        let unsure = gain(&cells(), &before, &losses([0.1, 0.3, 0.1, 0.5]));
        assert!((unsure.mean - 0.05).abs() < 1e-9, "{unsure:?}");
        assert!((unsure.error - 0.05).abs() < 1e-9, "{unsure:?}");
        assert!(!unsure.beyond(WINS));
    }

    #[test]
    fn nothing_gained_is_beyond_nothing() {
        assert!(!Gain::default().beyond(BUYS));
    }
}
