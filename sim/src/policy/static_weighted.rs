//! Random by the operator's weights, whatever happens: what Bifrost's open edition and Portkey's do.
//!
//! Source: Bifrost's documentation of weighted keys ("weighted random"), Portkey's `loadbalance` strategy.
//!
//! # Invariants
//! - Shares are the operator's weights among the candidates not tried yet.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::{Flight, Glimpse, Moment, Policy, Seat, drawn, picked, shares};

/// Random by weight.
#[derive(Clone, Debug)]
pub struct StaticWeighted {
    weights: Vec<f64>,
}

impl StaticWeighted {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            weights: seat.weights().collect(),
        }
    }

    /// The weights of those not tried yet, 0 for the others.
    fn open(&self, moment: &Moment<'_>) -> impl Iterator<Item = f64> + Clone {
        let untried = |(index, &weight): (usize, &f64)| {
            if moment.tried.contains(index) {
                0.0
            } else {
                weight
            }
        };
        self.weights.iter().enumerate().map(untried)
    }
}

impl Policy for StaticWeighted {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        match drawn(self.open(moment), rng.random()) {
            Some((index, share)) => picked(index, share as f32),
            None => Decision::Exhausted,
        }
    }

    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        Some(shares(self.open(moment)))
    }

    fn finish(&mut self, _: &Flight, _: &End, _: Time) {}

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        vec![
            Glimpse {
                score: 1.0,
                state: 0
            };
            self.weights.len()
        ]
    }
}
