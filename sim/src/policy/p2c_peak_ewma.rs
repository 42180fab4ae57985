//! Power of two choices over Peak EWMA: tower's `load::PeakEwma` with `p2c::Balance`, after Finagle; Helicone's gateway runs it.
//!
//! Source: `tower/src/load/peak_ewma.rs` and `tower/src/balance/p2c/service.rs`; Finagle's `PeakEwma.scala`.
//! On an answer: `rtt` if it exceeds the estimate, else `estimate·w + rtt·(1−w)` with `w = e^(−Δt/10 s)`; reading observes 0; load is `estimate·(pending + 1)`.
//! tower times a response until its head; the nearest event that is told here is the first token of a stream, or the end.
//! How the response turned out is not asked: a failure's real time counts, so a route that fails fast looks best.
//!
//! # Invariants
//! - Only the two candidates that are drawn are read, and so decay; the shares of all are told from the same loads.

use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::Time;

use super::draw::{better_of_two, by_load, untried};
use super::pending::Pending;
use super::{Flight, Glimpse, Moment, Policy, Seat};

/// Time constant of the decay, in s: Finagle's and linkerd's default; tower has none.
const DECAY_S: f64 = 10.0;

/// Estimate before any answer, in s: tower's documented example.
const DEFAULT_RTT_S: f64 = 1.0;

/// P2C over Peak EWMA.
#[derive(Clone, Debug)]
pub struct P2cPeakEwma {
    rtts: Vec<Rtt>,
    pending: Pending,
    open: Vec<usize>,
    loads: Vec<f64>,
}

/// An estimate of the round-trip time that jumps up and decays down.
#[derive(Clone, Copy, Debug)]
struct Rtt {
    /// At the last reading or answer, in s.
    estimate: f64,
    updated: Time,
}

impl Rtt {
    fn weight(&self, now: Time) -> f64 {
        (-now.since(self.updated).as_secs_f64() / DECAY_S).exp()
    }

    /// What a reading at `now` would give.
    fn at(&self, now: Time) -> f64 {
        self.estimate * self.weight(now)
    }

    /// Takes in an answer after `rtt` s; 0 is a reading.
    fn observe(&mut self, rtt: f64, now: Time) {
        let weight = self.weight(now);
        self.estimate = if rtt > self.estimate {
            rtt
        } else {
            self.estimate * weight + rtt * (1.0 - weight)
        };
        self.updated = now;
    }
}

impl P2cPeakEwma {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        let rtt = Rtt {
            estimate: DEFAULT_RTT_S,
            updated: Time::default(),
        };
        Self {
            rtts: vec![rtt; count],
            pending: Pending::new(count),
            open: Vec::with_capacity(count),
            loads: vec![0.0; count],
        }
    }

    fn load(&self, route: usize, now: Time) -> f64 {
        self.rtts[route].at(now) * (self.pending.count(route) + 1.0)
    }

    fn answered(&mut self, flight: &Flight, now: Time) {
        if self.pending.end(flight) {
            let rtt = now.since(flight.sent).as_secs_f64();
            self.rtts[flight.route].observe(rtt, now);
        }
    }
}

impl Policy for P2cPeakEwma {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let now = moment.now;
        self.open.clear();
        self.open.extend(untried(moment.tried, self.rtts.len()));
        for at in 0..self.open.len() {
            let route = self.open[at];
            self.loads[route] = self.load(route, now);
        }
        let Some(drawn) = better_of_two(&self.open, &self.loads, rng) else {
            return Decision::Exhausted;
        };
        self.rtts[drawn.index].observe(0.0, now);
        self.rtts[drawn.other].observe(0.0, now);
        drawn.decision()
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.pending.begin(flight);
        None
    }

    fn first_byte(&mut self, flight: &Flight, now: Time) {
        self.answered(flight, now);
    }

    fn finish(&mut self, flight: &Flight, _: &End, now: Time) {
        self.answered(flight, now);
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        by_load((0..self.rtts.len()).map(|route| self.load(route, now)))
    }
}

#[cfg(test)]
mod tests {
    use scoring::Outcome;

    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn a_spike_is_taken_whole_and_decays_by_a_factor_e_in_ten_seconds() {
        let mut drive = Drive::new(&[1.0], P2cPeakEwma::new);
        drive.call(0, 4000, Outcome::Success);
        let load = |drive: &Drive<P2cPeakEwma>| drive.policy.load(0, drive.now);
        assert!((load(&drive) - 4.0).abs() < 1e-9);
        drive.wait_ms(10_000);
        assert!((load(&drive) - 4.0 * (-1.0f64).exp()).abs() < 1e-9);
        // An answer after 0.5 s, 10 s after a spike: 4·e^−1 + 0.5·(1 − e^−1) = 1.7876.
        drive.call(0, 4000, Outcome::Success);
        drive.wait_ms(9_500);
        drive.call(0, 500, Outcome::Success);
        assert!((load(&drive) - 1.7876).abs() < 1e-4, "{}", load(&drive));
    }

    #[test]
    fn the_load_grows_with_what_is_pending_until_the_first_token() {
        let mut drive = Drive::new(&[1.0], P2cPeakEwma::new);
        let mut flights = [drive.begin(0), drive.begin(0)];
        let loads = |drive: &Drive<P2cPeakEwma>| drive.policy.load(0, drive.now);
        assert!((loads(&drive) - 3.0).abs() < 1e-6, "1 s for each of 2 + 1");
        drive.wait_ms(2000);
        drive.first_byte(&mut flights[0]);
        assert!((loads(&drive) - 4.0).abs() < 1e-6, "2 s for each of 1 + 1");
        drive.wait_ms(5000);
        drive.end(&flights[0], Outcome::Success);
        assert!(loads(&drive) < 4.0, "the rest of the stream is not seen");
    }

    #[test]
    fn a_route_that_fails_fast_gets_half_of_four() {
        let mut drive = Drive::new(&[1.0; 4], P2cPeakEwma::new);
        (0..4).for_each(|route| drive.call(route, 1000, Outcome::Success));
        drive.wait_ms(60_000);
        (0..3).for_each(|route| drive.call(route, 1000, Outcome::Success));
        drive.call(3, 20, Outcome::ServerError);
        let dead = (0..50).map(|_| drive.picked(&[0])).find(|it| it.index == 3);
        assert!((dead.unwrap().propensity - 2.0 / 3.0).abs() < 1e-6);
        let share = drive.shares(4)[3];
        assert!((share - 0.5).abs() < 0.02, "{share}");
    }
}
