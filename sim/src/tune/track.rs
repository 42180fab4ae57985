//! The half that is searched, as a course to race on.
//!
//! # Invariants
//! - The constants as they are run once in each cell, before any race.
//! - Cells are in an order in which the first ones tell most.

use std::ops::Range;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use scoring::tuning::Tuning;

use super::arena::{Arena, Cell};
use super::judge::Versus;
use super::loss::Loss;
use super::race::Course;
use super::space::{Point, Space};

/// Cells to race on, and what the constants as they are lose there.
pub(super) struct Track<'a> {
    arena: Arena<'a>,
    space: &'a Space,
    /// What the constants as they are lose, by cell.
    origin: Vec<Loss>,
}

impl<'a> Track<'a> {
    /// Runs the constants as they are, and puts the cells into an order in which the first ones tell most.
    pub(super) fn new(mut arena: Arena<'a>, space: &'a Space, seed: u64) -> Self {
        let base = space.tuning(&Point::new());
        let count = arena.cells.len();
        let origin = arena.losses(&[base], 0..count).pop().unwrap_or_default();
        let totals: Vec<f64> = origin.iter().map(Loss::total).collect();
        let order = telling_first(&arena.cells, &totals, seed);
        arena.reorder(&order);
        Self {
            arena,
            space,
            origin: order.iter().map(|&it| origin[it].clone()).collect(),
        }
    }

    /// How two points compare here.
    pub(super) fn versus(&self, (before, after): (&Point, &Point)) -> Versus {
        let of = |point: &Point| {
            self.losses(std::slice::from_ref(point), 0..self.arena.cells.len())
                .pop()
        };
        let (before, after) = (
            of(before).unwrap_or_default(),
            of(after).unwrap_or_default(),
        );
        Versus::new(&self.arena.cells, &before, &after)
    }

    fn losses(&self, points: &[Point], cells: Range<usize>) -> Vec<Vec<Loss>> {
        let unchanged = |point: &Point| point.iter().all(Option::is_none);
        let others = points.iter().filter(|it| !unchanged(it));
        let tunings: Vec<Tuning> = others.map(|it| self.space.tuning(it)).collect();
        let mut losses = if tunings.is_empty() {
            Vec::new()
        } else {
            self.arena.losses(&tunings, cells.clone())
        }
        .into_iter();
        let mut of = |point: &Point| {
            if unchanged(point) {
                return self.origin[cells.clone()].to_vec();
            }
            losses.next().unwrap_or_default()
        };
        points.iter().map(&mut of).collect()
    }
}

impl Course for Track<'_> {
    fn cells(&self) -> usize {
        self.arena.cells.len()
    }

    fn run(&self, points: &[Point], cells: Range<usize>) -> Vec<Vec<f64>> {
        let losses = self.losses(points, cells);
        losses
            .iter()
            .map(|it| it.iter().map(Loss::total).collect())
            .collect()
    }

    fn simplest(&self, point: Point) -> Point {
        self.space.rounded(point)
    }
}

/// The order of cells, seed by seed, in which those come early where most is lost, and by turns others drawn by chance.
///
/// Why: where nothing is lost nothing can be won, but something broken; the first rungs must see both.
fn telling_first(cells: &[Cell], losses: &[f64], seed: u64) -> Vec<usize> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut order = Vec::with_capacity(cells.len());
    let mut seeds: Vec<u64> = cells.iter().map(|it| it.seed).collect();
    seeds.dedup();
    for seed in seeds {
        let mut left: Vec<usize> = (0..cells.len())
            .filter(|&it| cells[it].seed == seed)
            .collect();
        left.shuffle(&mut rng);
        while let Some(any) = left.pop() {
            order.push(any);
            let worst =
                (0..left.len()).max_by(|&a, &b| losses[left[a]].total_cmp(&losses[left[b]]));
            if let Some(worst) = worst {
                order.push(left.swap_remove(worst));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::arena::Group;
    use super::*;

    #[test]
    fn the_first_cells_are_the_worst_and_others_by_turns() {
        let cell = |scenario, seed| Cell {
            group: Group {
                scenario,
                trace: None,
            },
            seed,
        };
        let cells: Vec<Cell> = (1..=2)
            .flat_map(|seed| (0..10).map(move |it| cell(it, seed)))
            .collect();
        let losses: Vec<f64> = (0..20).map(|it| f64::from(it % 10)).collect();
        let order = telling_first(&cells, &losses, 5);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert!(
            order[..10].iter().all(|it| *it < 10),
            "seed by seed: {order:?}"
        );
        assert!(
            order[..2].contains(&9) && order[10..12].contains(&19),
            "{order:?}"
        );
    }
}
