//! LiteLLM's `simple-shuffle`, its default: random by the operator's weights, among deployments that are not in cooldown.
//!
//! Source: `litellm/router_strategy/simple_shuffle.py`.
//!
//! # Invariants
//! - Shares are the operator's weights among the deployments that may be used.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::super::draw::by_weight;
use super::super::{Flight, Glimpse, Moment, Policy, Seat, drawn, picked, shares};
use super::cooldown::Cooldown;

/// LiteLLM's `simple-shuffle`.
#[derive(Clone, Debug)]
pub struct LitellmShuffle {
    weights: Vec<f64>,
    cooldown: Cooldown,
}

impl LitellmShuffle {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            weights: seat.weights().collect(),
            cooldown: Cooldown::new(seat.candidates.len()),
        }
    }

    /// The weights of those that may be used, 0 for the others.
    fn open(&self, moment: &Moment<'_>) -> impl Iterator<Item = f64> + Clone {
        let open = |index| !moment.tried.contains(index) && self.cooldown.admits(index, moment.now);
        let weights = self.weights.iter().enumerate();
        weights.map(move |(index, &weight)| if open(index) { weight } else { 0.0 })
    }
}

impl Policy for LitellmShuffle {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        match drawn(self.open(moment), rng.random()) {
            Some((index, share)) => picked(index, share as f32),
            None => self.cooldown.refusal(moment.tried, moment.now),
        }
    }

    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        Some(shares(self.open(moment)))
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        self.cooldown.finish(flight.route, end, now);
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        self.cooldown.admits(route, now)
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        let mut glimpses = by_weight(self.weights.iter().copied());
        self.cooldown.mark(&mut glimpses, now);
        glimpses
    }
}

#[cfg(test)]
mod tests {
    use scoring::Outcome;

    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn shares_are_the_weights_of_those_that_are_not_cooled() {
        let mut drive = Drive::new(&[2.0, 1.0, 1.0], LitellmShuffle::new);
        let shares = drive.shares(3);
        assert!((shares[0] - 0.5).abs() < 0.02, "{shares:?}");
        drive.call(0, 20, Outcome::RateLimited);
        let shares = drive.shares(3);
        assert!(
            shares[0] < 1e-9 && (shares[1] - 0.5).abs() < 0.02,
            "{shares:?}"
        );
        assert!((drive.picked(&[]).propensity - 0.5).abs() < 1e-6);
        assert!(matches!(drive.pick(&[1, 2]), Decision::Shed { .. }));
        drive.wait_ms(5_000);
        assert_eq!(drive.index(&[1, 2]), 0);
    }
}
