//! The candidate with the fewest requests in flight for its weight: nginx's `least_conn`, AWS's "least outstanding requests".
//!
//! Source: nginx, `ngx_http_upstream_least_conn_module.c`: the least `connections / weight`; among equals, smooth weighted round robin.
//! A route that fails fast has nothing in flight and so attracts traffic; that is the rule.
//!
//! # Invariants
//! - An attempt counts from its beginning to its end, its stream included.

use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::Time;

use super::draw::{by_load, untried};
use super::round_robin::Smooth;
use super::{Flight, Glimpse, Moment, Policy, Seat, picked};

/// Least outstanding requests.
#[derive(Clone, Debug)]
pub struct LeastOutstanding {
    smooth: Smooth,
    in_flight: Vec<u32>,
    /// In flight over weight.
    loads: Vec<f64>,
}

impl LeastOutstanding {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            smooth: Smooth::new(seat),
            in_flight: vec![0; seat.candidates.len()],
            loads: vec![0.0; seat.candidates.len()],
        }
    }

    fn weigh(&mut self, route: usize) {
        self.loads[route] = f64::from(self.in_flight[route]) / self.smooth.weights[route];
    }
}

impl Policy for LeastOutstanding {
    fn decide(&mut self, moment: &Moment<'_>, _: &mut SmallRng) -> Decision {
        let Self { smooth, loads, .. } = self;
        let open = untried(moment.tried, loads.len());
        let least = open
            .clone()
            .map(|it| loads[it])
            .fold(f64::INFINITY, f64::min);
        match smooth.next(open.filter(|&it| loads[it] <= least)) {
            Some(index) => picked(index, 1.0),
            None => Decision::Exhausted,
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.in_flight[flight.route] += 1;
        self.weigh(flight.route);
        None
    }

    fn finish(&mut self, flight: &Flight, _: &End, _: Time) {
        self.in_flight[flight.route] -= 1;
        self.weigh(flight.route);
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        let weights = &self.smooth.weights;
        by_load(
            self.loads
                .iter()
                .zip(weights)
                .map(|(load, weight)| load + 1.0 / weight),
        )
    }
}

#[cfg(test)]
mod tests {
    use scoring::Outcome;

    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn the_fewest_for_the_weight_win_and_equals_take_turns() {
        let mut drive = Drive::new(&[2.0, 1.0], LeastOutstanding::new);
        let first = drive.begin(0);
        assert_eq!(drive.index(&[]), 1, "0.5 against 0");
        let second = drive.begin(1);
        assert_eq!(drive.index(&[]), 0, "0.5 against 1");
        drive.end(&second, Outcome::ServerError);
        assert_eq!(drive.index(&[]), 1, "a failure leaves no trace");
        assert_eq!(drive.index(&[1]), 0);
        drive.end(&first, Outcome::Success);
        let picks: Vec<_> = (0..3).map(|_| drive.index(&[])).collect();
        assert_eq!(picks.iter().filter(|&&it| it == 0).count(), 2, "{picks:?}");
        assert_eq!(drive.pick(&[0, 1]), Decision::Exhausted);
    }

    #[test]
    fn more_in_flight_is_less_for_a_larger_weight() {
        let mut drive = Drive::new(&[3.0, 1.0], LeastOutstanding::new);
        let _ = [drive.begin(0), drive.begin(0), drive.begin(1)];
        assert_eq!(drive.index(&[]), 0, "2/3 against 1");
        let _ = [drive.begin(0), drive.begin(0)];
        assert_eq!(drive.index(&[]), 1, "4/3 against 1");
    }
}
