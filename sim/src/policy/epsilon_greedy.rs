//! ε-greedy: the lowest average cost, and one time in ten anybody.
//!
//! Source: the textbook rule (Sutton and Barto, chapter 2), with a constant step so that it follows changes.
//! The cost of a success is its whole time; that of a failure is a fixed 10 s, which for longer requests makes failing look cheap.
//!
//! # Invariants
//! - A candidate without samples costs nothing and so is tried first.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::draw::{by_load, explored, least, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat, is_failure, picked};

/// Chance of a random choice.
const EPSILON: f64 = 0.1;

/// Weight of a new sample: about the last twenty count.
const STEP: f64 = 0.1;

/// Cost of a failure, in s.
const FAILURE_S: f64 = 10.0;

/// ε-greedy.
#[derive(Clone, Debug)]
pub struct EpsilonGreedy {
    /// Average cost, in s; 0 without samples.
    costs: Vec<f64>,
    open: Vec<usize>,
}

impl EpsilonGreedy {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        Self {
            costs: vec![0.0; count],
            open: Vec::with_capacity(count),
        }
    }
}

impl Policy for EpsilonGreedy {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        self.open.clear();
        self.open.extend(untried(moment.tried, self.costs.len()));
        let Some(greedy) = least(&self.open, &self.costs, rng) else {
            return Decision::Exhausted;
        };
        let anybody = EPSILON as f32 / self.open.len() as f32;
        let greedily = (1.0 - EPSILON as f32) * greedy.propensity + anybody;
        if rng.random::<f64>() >= EPSILON {
            return picked(greedy.index, greedily);
        }
        let index = self.open[rng.random_range(0..self.open.len())];
        if self.costs[index] <= self.costs[greedy.index] {
            picked(index, greedily)
        } else {
            explored(index, anybody)
        }
    }

    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        let open = |index: &usize| !moment.tried.contains(*index);
        let every = || (0..self.costs.len()).filter(open);
        let lowest = every().map(|it| self.costs[it]).fold(f64::MAX, f64::min);
        let least = every().filter(|&it| self.costs[it] <= lowest).count() as f64;
        let count = every().count() as f64;
        let chance = |index: usize| match self.costs[index] <= lowest {
            _ if !open(&index) => 0.0,
            true => EPSILON / count + (1.0 - EPSILON) / least,
            false => EPSILON / count,
        };
        Some((0..self.costs.len()).map(chance).collect())
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let sample = match end.outcome {
            Outcome::Success => now.since(flight.sent).as_secs_f64(),
            outcome if is_failure(outcome) => FAILURE_S,
            _ => return,
        };
        let cost = &mut self.costs[flight.route];
        *cost = if *cost > 0.0 {
            *cost + STEP * (sample - *cost)
        } else {
            sample
        };
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        by_load(self.costs.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use scoring::select::Mode;

    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn averages_follow_and_failures_cost_ten_seconds() {
        let mut drive = Drive::new(&[1.0], EpsilonGreedy::new);
        drive.call(0, 2000, Outcome::Success);
        drive.call(0, 3000, Outcome::Success);
        assert!((drive.policy.costs[0] - 2.1).abs() < 1e-9);
        drive.call(0, 20, Outcome::ServerError);
        assert!((drive.policy.costs[0] - 2.89).abs() < 1e-9);
        drive.call(0, 20, Outcome::Canceled);
        assert!((drive.policy.costs[0] - 2.89).abs() < 1e-9);
    }

    #[test]
    fn the_best_gets_all_but_its_part_of_a_tenth() {
        let mut drive = Drive::new(&[1.0; 4], EpsilonGreedy::new);
        (0..4).for_each(|route| drive.call(route, 1000 + 500 * route as u64, Outcome::Success));
        let shares = drive.shares(4);
        for (share, expect) in shares.iter().zip([0.925, 0.025, 0.025, 0.025]) {
            assert!((share - expect).abs() < 0.01, "{shares:?}");
        }
        for _ in 0..200 {
            let pick = drive.picked(&[]);
            let best = pick.index == 0;
            let expect = if best { 0.925 } else { 0.025 };
            assert!((pick.propensity - expect).abs() < 1e-6);
            assert_eq!(pick.mode == Mode::Normal, best);
        }
        assert_eq!(drive.pick(&[0, 1, 2, 3]), Decision::Exhausted);
    }
}
