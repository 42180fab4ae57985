//! Weighted round robin, smooth: what nginx does by default.
//!
//! Source: nginx, `ngx_http_upstream_round_robin.c` and the message of the change that made it smooth.
//! Before each pick every candidate's current weight grows by its weight; the largest is picked and loses the sum.
//! Not included: `max_fails`, which needs no answer at all (5xx are answers to it) to skip a server.
//!
//! # Invariants
//! - Over any sum-of-weights picks without retries, each candidate gets exactly its weight.

use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::draw::{by_weight, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat, picked, shares};

/// Smooth weighted round robin.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    smooth: Smooth,
}

/// Weights and how far each candidate's turn is.
#[derive(Clone, Debug)]
pub(super) struct Smooth {
    pub(super) weights: Vec<f64>,
    current: Vec<f64>,
}

impl RoundRobin {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            smooth: Smooth::new(seat),
        }
    }
}

impl Smooth {
    /// Nobody's turn yet.
    pub(super) fn new(seat: &Seat<'_>) -> Self {
        let weights: Vec<_> = seat.weights().collect();
        Self {
            current: vec![0.0; weights.len()],
            weights,
        }
    }

    /// Whose turn it is among `open`; the first of equals.
    pub(super) fn next(&mut self, open: impl Iterator<Item = usize>) -> Option<usize> {
        let mut total = 0.0;
        let mut best: Option<usize> = None;
        for index in open {
            self.current[index] += self.weights[index];
            total += self.weights[index];
            if best.is_none_or(|best| self.current[index] > self.current[best]) {
                best = Some(index);
            }
        }
        let best = best?;
        self.current[best] -= total;
        Some(best)
    }
}

impl Policy for RoundRobin {
    fn decide(&mut self, moment: &Moment<'_>, _: &mut SmallRng) -> Decision {
        let open = untried(moment.tried, self.smooth.weights.len());
        match self.smooth.next(open) {
            Some(index) => picked(index, 1.0),
            None => Decision::Exhausted,
        }
    }

    /// Where the turn stands has nothing to do with the request: over all places where it may stand, each candidate has its weight's share.
    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        let weights = self.smooth.weights.iter().enumerate();
        let open = |index| !moment.tried.contains(index);
        Some(shares(weights.map(
            |(index, &weight)| {
                if open(index) { weight } else { 0.0 }
            },
        )))
    }

    fn finish(&mut self, _: &Flight, _: &End, _: Time) {}

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        by_weight(self.smooth.weights.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn five_one_one_is_the_documented_sequence() {
        let mut drive = Drive::new(&[5.0, 1.0, 1.0], RoundRobin::new);
        let picks: Vec<_> = (0..14).map(|_| drive.index(&[])).collect();
        assert_eq!(picks[..7], [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(picks[7..], picks[..7]);
    }

    #[test]
    fn a_tried_candidate_loses_its_turn_and_nothing_is_left_at_the_end() {
        let mut drive = Drive::new(&[5.0, 1.0, 1.0], RoundRobin::new);
        assert_eq!(drive.index(&[0]), 1);
        assert_eq!(drive.index(&[0]), 2);
        assert_eq!(drive.pick(&[0, 1, 2]), Decision::Exhausted);
    }
}
