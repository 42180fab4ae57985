//! The clairvoyant that honours the operator: draws by weight among candidates that are truly good.
//!
//! Good is a true cost (as [`super::Oracle`] has it) within 15 % of the best and a true failure chance at most 1 % above the least, among those whose limits admit the request.
//!
//! # Invariants
//! - With nobody good in both ways, the cheapest is picked.
//! - It sheds when [`super::Oracle`] does.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::oracle::{Seen, cheapest, chosen, survey};
use super::{Flight, Glimpse, Moment, Policy, Seat, drawn};

/// Cost of a good candidate over the best, at most.
const COST_RATIO: f64 = 1.15;

/// Failure chance of a good candidate above the least, at most.
const FAILURE_ABOVE: f64 = 0.01;

/// The oracle that honours the weights.
#[derive(Clone, Debug)]
pub struct OracleWeighted {
    weights: Vec<f64>,
    view: Vec<Seen>,
}

impl OracleWeighted {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            weights: seat.weights().collect(),
            view: Vec::with_capacity(seat.candidates.len()),
        }
    }
}

/// The pick at `point` (0..1).
fn draw(view: &[Seen], weights: &[f64], point: f64) -> Decision {
    let Some(best) = cheapest(view) else {
        return Decision::Exhausted;
    };
    let least = view
        .iter()
        .map(|it| it.expected.failure)
        .fold(1.0, f64::min);
    let good = |it: &Seen| {
        it.cost <= COST_RATIO * best.cost && it.expected.failure <= least + FAILURE_ABOVE
    };
    let weights = view
        .iter()
        .map(|it| if good(it) { weights[it.index] } else { 0.0 });
    match drawn(weights, point) {
        Some((at, share)) => chosen(&view[at], share as f32),
        None => chosen(best, 1.0),
    }
}

impl Policy for OracleWeighted {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        match survey(moment, self.weights.len(), &mut self.view) {
            Ok(()) => draw(&self.view, &self.weights, rng.random()),
            Err(decision) => decision,
        }
    }

    fn finish(&mut self, _: &Flight, _: &End, _: Time) {}

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        vec![Glimpse::default(); self.weights.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::oracle::tests::{truly, view};
    use crate::world::Expected;

    /// Shares of the candidates, with weights of 3, 1 and 1.
    fn shares(truths: &[Expected; 3]) -> [f32; 3] {
        let view = view(truths).unwrap();
        let mut shares = [0.0; 3];
        for point in 0..1000 {
            match draw(&view, &[3.0, 1.0, 1.0], f64::from(point) / 1000.0) {
                Decision::Picked(pick) => shares[pick.index] += 0.001,
                other => panic!("{other:?}"),
            }
        }
        shares
    }

    fn check(truths: [Expected; 3], expect: [f32; 3]) {
        let shares = shares(&truths);
        for (share, expect) in shares.iter().zip(expect) {
            assert!((share - expect).abs() < 0.003, "{shares:?}, not {expect:?}");
        }
    }

    #[test]
    fn weights_decide_among_the_truly_good() {
        let [a, b] = [truly(2000.0, 0.0), truly(2200.0, 0.009)];
        check([a, b, truly(2400.0, 0.0)], [0.75, 0.25, 0.0]);
        check([truly(2400.0, 0.0), a, b], [0.0, 0.5, 0.5]);
        check([a, b, truly(1900.0, 0.03)], [0.75, 0.25, 0.0]);
    }

    #[test]
    fn with_nobody_good_in_both_ways_the_cheapest_is_picked() {
        check(
            [truly(9000.0, 0.0), truly(2000.0, 0.05), truly(2500.0, 0.05)],
            [0.0, 1.0, 0.0],
        );
    }
}
