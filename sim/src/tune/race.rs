//! Which candidate is best, when trying one in every cell takes too long? Iterated successive halving.
//!
//! A race runs many candidates in few cells, the best third of them in more, and the best third of those in all; that alone finds what helps much.
//! Races are then repeated around the best found, each nearer to it: that is the local search.
//! A coordinate search or an evolution strategy (CMA-ES) would pay for every cell of every neighbour, and most neighbours are told apart by a few cells; the crates for either know no cheap half-answers, and this needs no more lines than their adaptation.
//! (Jamieson and Talwalkar 2016 for halving; López-Ibáñez and others 2016, *irace*, for repeating it.)
//!
//! A candidate changes few of the constants, since their defaults are good: one that changes all of forty is worse whatever it would win.
//!
//! # Invariants
//! - The origin, which changes nothing, is in every race and is never dropped: what comes back is never worse than it in the cells raced.
//! - The same course, plan and seed give the same race: candidates are drawn before any is run.

use std::ops::Range;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::space::Point;

/// One in so many candidates goes on to the next rung.
const KEPT: usize = 3;
/// How many of the best the next race is drawn around.
const ELITES: usize = 5;
/// How many races are run: with the same runs in all, eight short ones find a planted optimum of three among forty constants twice as well as three long ones.
pub(super) const RACES: usize = 8;
/// How far a race looks, in parts of a range: the first ones anywhere, the later ones nearer.
const REACH: [f64; RACES] = [0.6, 0.6, 0.6, 0.4, 0.4, 0.25, 0.25, 0.1];
/// How many constants a candidate changes, one of these as likely as another: around the origin, and around an elite.
const CHANGES: [&[usize]; 2] = [&[1, 1, 2, 3, 5, 8], &[1, 2, 3]];
/// Chance that a change of an elite's constant takes the change back instead.
const TAKEN_BACK: f64 = 0.25;
/// Chance that a candidate mixes two elites before it changes anything.
const MIXED: f64 = 0.5;

/// What is raced on.
pub(super) trait Course {
    /// How many cells there are.
    fn cells(&self) -> usize;

    /// The losses of each point in each of `cells`.
    fn run(&self, points: &[Point], cells: Range<usize>) -> Vec<Vec<f64>>;

    /// The point without changes that do not matter.
    fn simplest(&self, point: Point) -> Point {
        point
    }
}

/// How a search goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Candidates of each race.
    pub(super) candidates: usize,
    /// Seed of the candidates drawn.
    pub(super) seed: u64,
}

/// A candidate and how it did so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Runner {
    /// What it changes.
    pub(super) point: Point,
    /// Its losses in the first cells.
    pub(super) losses: Vec<f64>,
}

impl Runner {
    /// Its mean loss in the cells run.
    #[cfg(test)]
    fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }
}

/// How many cells each rung has run in the end.
pub(super) fn rungs(cells: usize) -> [usize; 3] {
    let part = |whole: usize| (cells / whole).clamp(1, cells.max(1));
    [part(KEPT * KEPT), part(KEPT), cells]
}

/// How many cells races with so many candidates take.
pub(super) fn price(candidates: usize, cells: usize) -> usize {
    let [first, second, last] = rungs(cells);
    let (some, few) = (candidates.div_ceil(KEPT), candidates.div_ceil(KEPT * KEPT));
    let race = candidates * first + some * (second - first) + few * (last - second);
    race * REACH.len() + cells
}

/// Searches around `home`, the origin's coordinates; the best comes back, and the origin after it.
pub(super) fn search(course: &impl Course, home: &[f64], plan: Plan) -> (Runner, Runner) {
    let mut rng = SmallRng::seed_from_u64(plan.seed);
    let origin = vec![None; home.len()];
    let losses = course.run(std::slice::from_ref(&origin), 0..course.cells());
    let origin = Runner {
        point: origin,
        losses: losses.into_iter().next().unwrap_or_default(),
    };
    let mut elites = vec![origin.clone()];
    for reach in REACH {
        let drawn = draw((&elites, home), plan.candidates, reach, &mut rng);
        let simplest = drawn.into_iter().map(|point| course.simplest(point));
        let fresh = simplest.map(|point| Runner {
            point,
            losses: Vec::new(),
        });
        let mut field = elites.clone();
        for runner in fresh {
            if field.iter().all(|it| it.point != runner.point) {
                field.push(runner);
            }
        }
        elites = race(course, field);
        elites.truncate(ELITES);
        if elites.iter().all(|it| it.point != origin.point) {
            elites.push(origin.clone());
        }
    }
    (elites.swap_remove(0), origin)
}

/// Races `field`; those that ran in every cell come back, the best first.
fn race(course: &impl Course, mut field: Vec<Runner>) -> Vec<Runner> {
    let all = course.cells();
    let mut before = 0;
    for rung in rungs(all) {
        let late: Vec<usize> = (0..field.len())
            .filter(|&it| field[it].losses.len() < rung)
            .collect();
        let points: Vec<Point> = late.iter().map(|&it| field[it].point.clone()).collect();
        let losses = course.run(&points, before..rung);
        for (&at, losses) in late.iter().zip(losses) {
            field[at].losses.extend(losses);
        }
        before = rung;
        let mean = |it: &Runner| it.losses[..rung].iter().sum::<f64>();
        field.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        if rung < all {
            let kept = field.len().div_ceil(KEPT);
            let mut place = 0;
            field.retain(|it| {
                place += 1;
                // Why: who has run everywhere already costs nothing more.
                place <= kept || it.losses.len() == all
            });
        }
    }
    field
}

/// Draws candidates around elites, by turns.
///
/// Every constant is changed equally often, and its changes are spread evenly over what is within reach (a Latin hypercube).
fn draw(
    (elites, home): (&[Runner], &[f64]),
    count: usize,
    reach: f64,
    rng: &mut SmallRng,
) -> Vec<Point> {
    let axes = home.len();
    let mut strata: Vec<Vec<usize>> = (0..axes).map(|_| shuffled(count, rng)).collect();
    let mut deck = Vec::new();
    let first = elites.len() == 1;
    let mut points = Vec::with_capacity(count);
    for number in 0..count {
        let mut point = elites[number % elites.len()].point.clone();
        if !first && rng.random_bool(MIXED) {
            let other = &elites[rng.random_range(0..elites.len())].point;
            for (own, other) in point.iter_mut().zip(other) {
                if rng.random_bool(0.5) {
                    *own = *other;
                }
            }
        }
        let sizes = CHANGES[usize::from(!first)];
        for _ in 0..sizes[rng.random_range(0..sizes.len())].min(axes) {
            if deck.is_empty() {
                deck = shuffled(axes, rng);
            }
            let Some(axis) = deck.pop() else { break };
            if point[axis].is_some() && rng.random_bool(TAKEN_BACK) {
                point[axis] = None;
                continue;
            }
            let stratum = strata[axis]
                .pop()
                .unwrap_or_else(|| rng.random_range(0..count));
            let even = (stratum as f64 + rng.random::<f64>()) / count as f64;
            let from = point[axis].unwrap_or(home[axis]);
            point[axis] = Some(folded(from + reach * triangle(even)));
        }
        points.push(point);
    }
    points
}

fn shuffled(count: usize, rng: &mut SmallRng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    all.shuffle(rng);
    all
}

/// A triangular distribution over -1..=1 from an even one over 0..=1.
fn triangle(even: f64) -> f64 {
    if even < 0.5 {
        (2.0 * even).sqrt() - 1.0
    } else {
        1.0 - (2.0 * (1.0 - even)).sqrt()
    }
}

/// A coordinate beyond an end of the range, folded back into it.
fn folded(at: f64) -> f64 {
    if at < 0.0 {
        (-at).min(1.0)
    } else if at > 1.0 {
        (2.0 - at).max(0.0)
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bowl of forty axes whose bottom is planted on three of them; every cell tilts it its own way.
    struct Bowl {
        home: Vec<f64>,
        planted: Vec<(usize, f64)>,
    }

    impl Bowl {
        fn new() -> Self {
            Self {
                home: (0..40).map(|it| 0.2 + 0.015 * f64::from(it)).collect(),
                planted: vec![(4, 0.9), (17, 0.1), (33, 0.3)],
            }
        }

        fn depth(&self, point: &Point) -> f64 {
            let at = |axis: usize| point[axis].unwrap_or(self.home[axis]);
            let aim = |axis: usize| {
                let planted = self.planted.iter().find(|it| it.0 == axis);
                planted.map_or(self.home[axis], |it| it.1)
            };
            (0..40).map(|axis| (at(axis) - aim(axis)).powi(2)).sum()
        }
    }

    impl Course for Bowl {
        fn cells(&self) -> usize {
            27
        }

        fn run(&self, points: &[Point], cells: Range<usize>) -> Vec<Vec<f64>> {
            let tilt = |point: &Point, cell: usize| -> f64 {
                let changed = point.iter().enumerate();
                let changed =
                    changed.filter_map(|(axis, it)| Some((axis, (*it)? - self.home[axis])));
                let noise = |axis: usize| 0.05 * ((cell * 40 + axis) as f64 * 12.9898).sin();
                changed.map(|(axis, step)| noise(axis) * step).sum()
            };
            let of = |point: &Point| {
                let depth = self.depth(point);
                cells
                    .clone()
                    .map(|cell| depth + tilt(point, cell))
                    .collect()
            };
            points.iter().map(of).collect()
        }
    }

    #[test]
    fn finds_a_planted_optimum() {
        let bowl = Bowl::new();
        let nothing = bowl.depth(&vec![None; 40]);
        assert!(nothing > 0.4, "{nothing}");
        for seed in 1..=5 {
            let plan = Plan {
                candidates: 60,
                seed,
            };
            let (best, origin) = search(&bowl, &bowl.home, plan);
            let depth = bowl.depth(&best.point);
            assert!(depth < 0.35 * nothing, "seed {seed}: {depth} of {nothing}");
            assert!(best.mean() < origin.mean());
            let changed = best.point.iter().flatten().count();
            assert!(changed <= 16, "seed {seed}: {changed}");
        }
    }

    #[test]
    fn what_comes_back_is_never_worse_than_the_origin() {
        let mut bowl = Bowl::new();
        bowl.planted.clear();
        for seed in 1..=5 {
            let (best, origin) = search(
                &bowl,
                &bowl.home,
                Plan {
                    candidates: 9,
                    seed,
                },
            );
            assert!(best.mean() <= origin.mean(), "seed {seed}");
            assert_eq!(best.losses.len(), 27);
        }
    }

    #[test]
    fn a_race_costs_what_it_was_said_to() {
        struct Counted(Bowl, std::cell::Cell<usize>);
        impl Course for Counted {
            fn cells(&self) -> usize {
                self.0.cells()
            }
            fn run(&self, points: &[Point], cells: Range<usize>) -> Vec<Vec<f64>> {
                self.1.set(self.1.get() + points.len() * cells.len());
                self.0.run(points, cells)
            }
        }
        let counted = Counted(Bowl::new(), std::cell::Cell::new(0));
        let plan = Plan {
            candidates: 90,
            seed: 3,
        };
        let _ = search(&counted, &counted.0.home, plan);
        let told = price(90, 27);
        let found = counted.1.get();
        assert!(
            found <= told + 3 * (27 + 9) && found * 10 >= told * 8,
            "{found} of {told}"
        );
    }

    #[test]
    fn changes_are_spread_over_axes_and_reach() {
        let mut rng = SmallRng::seed_from_u64(8);
        let home = vec![0.5; 10];
        let origin = [Runner {
            point: vec![None; 10],
            losses: Vec::new(),
        }];
        let drawn = draw((&origin, &home), 300, 0.5, &mut rng);
        let uses: Vec<usize> = (0..10)
            .map(|axis| drawn.iter().filter(|it| it[axis].is_some()).count())
            .collect();
        let (least, most) = (uses.iter().min().unwrap(), uses.iter().max().unwrap());
        // A constant drawn twice for one candidate counts once.
        assert!(*least > 80 && most - least < 15, "{uses:?}");
        let low = drawn
            .iter()
            .filter(|it| it[3].is_some_and(|at| at < 0.5))
            .count();
        assert!((uses[3] / 2).abs_diff(low) < 15, "{low} of {}", uses[3]);
    }
}
