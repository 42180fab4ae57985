//! Power of two choices over a Peak EWMA in which failures cost: linkerd2-proxy's `load-biaser` (2026).
//!
//! Source: `linkerd/load-biaser/src/lib.rs` and `linkerd/ewma/src/lib.rs`.
//! Load is `rtt·(pending + 1)`; a success records the time to the first data of its response.
//! A 429, 503 or other 5xx records 5 s, or what Retry-After says (429 and 503 only) if that is more, at most 300 s, and never less than the decayed estimate.
//! A lost connection, a time-out or a departed client records the time it took.
//! A cut after the first data was already recorded as a success.
//! Not included: the optional unified breaker, which a policy resource must switch on.
//!
//! # Invariants
//! - Reading changes nothing.
//! - No failure that the provider told lowers the load.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::{Span, Time};

use super::draw::{better_of_two, by_load, untried};
use super::pending::Pending;
use super::{Flight, Glimpse, Moment, Policy, Seat};

/// Time constant of the decay, in s.
const DECAY_S: f64 = 10.0;

/// Estimate before any answer, in s.
const DEFAULT_RTT_S: f64 = 1.0;

/// What a failure costs at least, in s.
const PENALTY_S: f64 = 5.0;

/// The longest wait that is honoured.
const RETRY_AFTER_MAX: Span = Span::from_secs(300);

/// P2C over a Peak EWMA with penalties.
#[derive(Clone, Debug)]
pub struct LinkerdBiaser {
    rtts: Vec<Ewma>,
    pending: Pending,
    open: Vec<usize>,
    loads: Vec<f64>,
}

/// A Peak EWMA that is read without being changed.
#[derive(Clone, Copy, Debug)]
struct Ewma {
    value: f64,
    at: Time,
}

impl Ewma {
    fn get(&self, now: Time) -> f64 {
        self.value * (-now.since(self.at).as_secs_f64() / DECAY_S).exp()
    }

    fn add_peak(&mut self, value: f64, now: Time) {
        if self.get(now) < value {
            *self = Self { value, at: now };
        } else if now > self.at {
            let weight = (-now.since(self.at).as_secs_f64() / DECAY_S).exp();
            let value = self.value * weight + value * (1.0 - weight);
            *self = Self { value, at: now };
        }
    }
}

/// What a failure that the provider told costs, in s; `None` if it told none.
fn penalty(end: &End) -> Option<f64> {
    let hint = match end.outcome {
        Outcome::RateLimited | Outcome::Overloaded => end.retry_after,
        Outcome::ServerError => None,
        _ => return None,
    };
    let hint = hint.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(hint.as_secs_f64().max(PENALTY_S))
}

impl LinkerdBiaser {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        let rtt = Ewma {
            value: DEFAULT_RTT_S,
            at: Time::default(),
        };
        Self {
            rtts: vec![rtt; count],
            pending: Pending::new(count),
            open: Vec::with_capacity(count),
            loads: vec![0.0; count],
        }
    }

    fn load(&self, route: usize, now: Time) -> f64 {
        self.rtts[route].get(now) * (self.pending.count(route) + 1.0)
    }
}

impl Policy for LinkerdBiaser {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        self.open.clear();
        self.open.extend(untried(moment.tried, self.rtts.len()));
        for at in 0..self.open.len() {
            let route = self.open[at];
            self.loads[route] = self.load(route, moment.now);
        }
        match better_of_two(&self.open, &self.loads, rng) {
            Some(drawn) => drawn.decision(),
            None => Decision::Exhausted,
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.pending.begin(flight);
        None
    }

    fn first_byte(&mut self, flight: &Flight, now: Time) {
        if self.pending.end(flight) {
            let rtt = now.since(flight.sent).as_secs_f64();
            self.rtts[flight.route].add_peak(rtt, now);
        }
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        if !self.pending.end(flight) {
            return;
        }
        let rtt = &mut self.rtts[flight.route];
        let value = match penalty(end) {
            Some(penalty) => penalty.max(rtt.get(now)),
            None => now.since(flight.sent).as_secs_f64(),
        };
        rtt.add_peak(value, now);
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        by_load((0..self.rtts.len()).map(|route| self.load(route, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    fn load(drive: &Drive<LinkerdBiaser>) -> f64 {
        drive.policy.load(0, drive.now)
    }

    /// The load after one attempt of 20 ms that ended so.
    fn after(outcome: Outcome, wait_s: Option<u64>) -> f64 {
        let mut drive = Drive::new(&[1.0], LinkerdBiaser::new);
        drive.wait_ms(60_000);
        let flight = drive.begin(0);
        drive.wait_ms(20);
        match wait_s {
            Some(wait) => drive.end_after(&flight, outcome, Span::from_secs(wait)),
            None => drive.end(&flight, outcome),
        }
        load(&drive)
    }

    #[test]
    fn each_ending_records_what_the_source_says() {
        let cases = [
            (Outcome::ServerError, None, 5.0),
            (Outcome::ServerError, Some(60), 5.0),
            (Outcome::Overloaded, Some(1), 5.0),
            (Outcome::RateLimited, Some(30), 30.0),
            (Outcome::RateLimited, Some(9999), 300.0),
            (Outcome::Success, None, 0.02),
            (Outcome::Disconnected, None, 0.02),
            (Outcome::Rejected, Some(60), 0.02),
        ];
        for (outcome, wait, expect) in cases {
            let found = after(outcome, wait);
            assert!(
                (found - expect).abs() < 0.003,
                "{outcome:?} {wait:?}: {found}"
            );
        }
    }

    #[test]
    fn a_failure_never_lowers_the_load() {
        let mut drive = Drive::new(&[1.0], LinkerdBiaser::new);
        drive.call(0, 20_000, Outcome::Success);
        let flight = drive.begin(0);
        drive.wait_ms(5_000);
        let before = drive.policy.rtts[0].get(drive.now);
        assert!((before - 20.0 * (-0.5f64).exp()).abs() < 1e-9);
        drive.end(&flight, Outcome::ServerError);
        // The decayed 12.13 s is recorded again, not 5 s: 20·e^−0.5 + 12.13·(1 − e^−0.5) = 16.90.
        assert!((load(&drive) - 16.90).abs() < 0.01, "{}", load(&drive));
        let unfloored = 20.0 * (-0.5f64).exp() + 5.0 * (1.0 - (-0.5f64).exp());
        assert!(load(&drive) > unfloored + 2.0);
    }

    #[test]
    fn a_stream_is_timed_to_its_first_data_and_a_later_cut_is_not_seen() {
        let mut drive = Drive::new(&[1.0], LinkerdBiaser::new);
        let mut flight = drive.begin(0);
        drive.wait_ms(2000);
        drive.first_byte(&mut flight);
        assert!((load(&drive) - 2.0).abs() < 1e-9);
        drive.wait_ms(10_000);
        drive.end(&flight, Outcome::Truncated);
        assert!((load(&drive) - 2.0 * (-1.0f64).exp()).abs() < 1e-9);
    }

    #[test]
    fn the_route_that_fails_fast_is_avoided() {
        let mut drive = Drive::new(&[1.0; 4], LinkerdBiaser::new);
        (0..3).for_each(|route| drive.call(route, 1000, Outcome::Success));
        drive.call(3, 20, Outcome::ServerError);
        assert!(drive.shares(4)[3] < 1e-9);
        assert_eq!(drive.index(&[0, 1, 2]), 3, "the only one left");
        assert_eq!(drive.pick(&[0, 1, 2, 3]), Decision::Exhausted);
    }
}
