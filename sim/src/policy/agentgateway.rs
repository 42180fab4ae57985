//! Power of two choices with replacement over a score of health and latency: agentgateway's endpoint balancer.
//!
//! Source: `crates/agentgateway/src/types/loadbalancer.rs`, `http/health.rs` and `telemetry/log.rs`.
//! `score = health / (1 + latency_s·(1 + 0.1·pending))`; both averages move by 0.3 per sample, and a stored 0 is overwritten.
//! A success is any answer but a 5xx, a 429 included; only successes record their whole time, stream included.
//! A failure is a 5xx, no connection, or no status at all, a client that left early included.
//! Eviction is on, with the defaults that an empty policy has: each failure evicts for Retry-After or 3 s, times one more than the evictions since the last success.
//! Two things are left out, both in its favour: a retry is not charged with the earlier attempts' time, and the walk never asks the same route twice.
//!
//! # Invariants
//! - With every candidate evicted, the evicted ones serve.
//! - A failure during an eviction does not lengthen it.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::{Span, Time};

use super::draw::{better_of_two_draws, by_weight, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat};

/// Weight of a new sample.
const ALPHA: f64 = 0.3;

/// What each pending request adds to the latency, as a part of it.
const PENDING_FACTOR: f64 = 0.1;

/// How long the first eviction lasts where the answer does not say.
const EVICTION: Span = Span::from_secs(3);

/// agentgateway's balancer.
#[derive(Clone, Debug)]
pub struct Agentgateway {
    endpoints: Vec<Endpoint>,
    open: Vec<usize>,
    /// Negated scores.
    loads: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Endpoint {
    health: f64,
    latency_s: f64,
    pending: u32,
    times_ejected: u32,
    evicted_until: Time,
}

/// The average after `sample`.
fn averaged(old: f64, sample: f64) -> f64 {
    // Why: the source takes 0 for "no sample yet".
    if old <= 0.0 {
        sample
    } else {
        ALPHA * sample + (1.0 - ALPHA) * old
    }
}

/// Whether the answer had no status or one from 500 up.
fn unhealthy(flight: &Flight, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Overloaded
        | Outcome::ServerError
        | Outcome::TimedOut
        | Outcome::Unreachable
        | Outcome::Disconnected => true,
        Outcome::Canceled => flight.first_byte.is_none(),
        _ => false,
    }
}

impl Endpoint {
    fn score(&self) -> f64 {
        let pending = f64::from(self.pending);
        self.health / (1.0 + self.latency_s * (1.0 + PENDING_FACTOR * pending))
    }

    fn fail(&mut self, retry_after: Option<Span>, now: Time) {
        self.health = averaged(self.health, 0.0);
        if now >= self.evicted_until {
            let times = f64::from(self.times_ejected + 1);
            let base = retry_after.unwrap_or(EVICTION);
            self.evicted_until = now.plus(base.mul_f64(times));
            self.times_ejected += 1;
        }
    }
}

impl Agentgateway {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        let endpoint = Endpoint {
            health: 1.0,
            latency_s: 0.0,
            pending: 0,
            times_ejected: 0,
            evicted_until: Time::default(),
        };
        Self {
            endpoints: vec![endpoint; count],
            open: Vec::with_capacity(count),
            loads: vec![0.0; count],
        }
    }
}

impl Policy for Agentgateway {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let endpoints = &self.endpoints;
        let all = untried(moment.tried, endpoints.len());
        let active = all
            .clone()
            .filter(|&it| moment.now >= endpoints[it].evicted_until);
        self.open.clear();
        self.open.extend(active);
        if self.open.is_empty() {
            self.open.extend(all);
        }
        for &route in &self.open {
            self.loads[route] = -endpoints[route].score();
        }
        match better_of_two_draws(&self.open, &self.loads, rng) {
            Some(drawn) => drawn.decision(),
            None => Decision::Exhausted,
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.endpoints[flight.route].pending += 1;
        None
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let endpoint = &mut self.endpoints[flight.route];
        endpoint.pending -= 1;
        if unhealthy(flight, end.outcome) {
            endpoint.fail(end.retry_after, now);
        } else {
            let latency = now.since(flight.sent).as_secs_f64();
            endpoint.latency_s = averaged(endpoint.latency_s, latency);
            endpoint.health = averaged(endpoint.health, 1.0);
            endpoint.times_ejected = 0;
        }
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        now >= self.endpoints[route].evicted_until
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        let mut glimpses = by_weight(self.endpoints.iter().map(Endpoint::score));
        for (glimpse, endpoint) in glimpses.iter_mut().zip(&self.endpoints) {
            glimpse.state = if now < endpoint.evicted_until { 2 } else { 0 };
        }
        glimpses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn averages_move_by_three_tenths_and_a_zero_is_overwritten() {
        let mut drive = Drive::new(&[1.0], Agentgateway::new);
        drive.call(0, 2000, Outcome::Success);
        assert!((drive.policy.endpoints[0].latency_s - 2.0).abs() < 1e-9);
        drive.call(0, 4000, Outcome::Success);
        assert!((drive.policy.endpoints[0].latency_s - 2.6).abs() < 1e-9);
        for expect in [0.7, 0.49, 0.343] {
            drive.call(0, 20, Outcome::ServerError);
            assert!((drive.policy.endpoints[0].health - expect).abs() < 1e-9);
        }
        drive.call(0, 2600, Outcome::Success);
        assert!((drive.policy.endpoints[0].health - 0.5401).abs() < 1e-9);
        assert!(
            (drive.policy.endpoints[0].latency_s - 2.6).abs() < 1e-9,
            "failures are not timed"
        );
    }

    #[test]
    fn the_score_is_the_published_one() {
        let endpoint = Endpoint {
            health: 0.7,
            latency_s: 2.0,
            pending: 5,
            times_ejected: 0,
            evicted_until: Time::default(),
        };
        assert!((endpoint.score() - 0.7 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn evictions_grow_by_three_seconds_until_a_success() {
        let mut drive = Drive::new(&[1.0; 2], Agentgateway::new);
        let until = |drive: &Drive<Agentgateway>| drive.policy.endpoints[0].evicted_until;
        for lasts in [3, 6, 9] {
            drive.call(0, 0, Outcome::ServerError);
            assert_eq!(until(&drive), drive.now.plus(Span::from_secs(lasts)));
            assert_eq!(drive.index(&[]), 1);
            drive.call(0, 0, Outcome::ServerError);
            assert_eq!(
                until(&drive),
                drive.now.plus(Span::from_secs(lasts)),
                "not longer"
            );
            drive.wait_ms(lasts * 1000);
        }
        drive.call(0, 0, Outcome::Success);
        drive.call(0, 0, Outcome::ServerError);
        assert_eq!(until(&drive), drive.now.plus(Span::from_secs(3)));
    }

    #[test]
    fn all_evicted_serve_and_a_refusal_for_quota_is_healthy() {
        let mut drive = Drive::new(&[1.0; 2], Agentgateway::new);
        drive.call(0, 20, Outcome::RateLimited);
        assert!((drive.policy.endpoints[0].health - 1.0).abs() < 1e-9);
        (0..2).for_each(|route| drive.call(route, 0, Outcome::Unreachable));
        assert!(drive.index(&[]) < 2);
        assert_eq!(drive.index(&[0]), 1);
        assert_eq!(drive.pick(&[0, 1]), Decision::Exhausted);
    }

    #[test]
    fn the_worse_of_two_keeps_a_quarter() {
        let mut drive = Drive::new(&[1.0; 2], Agentgateway::new);
        drive.call(0, 1000, Outcome::Success);
        drive.call(1, 9000, Outcome::Success);
        let share = drive.shares(2)[1];
        assert!((share - 0.25).abs() < 0.02, "{share}");
        let pick = drive.picked(&[]);
        let expect = if pick.index == 0 { 0.75 } else { 0.25 };
        assert!((pick.propensity - expect).abs() < 1e-6);
    }
}
