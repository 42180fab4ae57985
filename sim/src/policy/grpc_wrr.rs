//! gRPC: client-side weighted round robin behind outlier detection.
//!
//! Source: gRFC A58 (weights) and A50 ([`super::outlier`]).
//! `weight = qps / (utilization + eps/qps · penalty)`, renewed every 1 s, used after 10 s of reports, dropped 3 min after the last; a host without weight gets the average, and with fewer than two weights all are equal.
//! Servers report load in gRPC; vendors report none, so reports are made up: queries per second in proportion to the operator's weight, utilisation constant at 0.3 (a guess: a lightly loaded server), errors per query as this client saw them, over about 10 s, A58's reporting period.
//! gRPC's scheduler is earliest deadline first from random deadlines; drawing by weight has the same shares and a known propensity.
//! The small variant lowers what cannot be reached by few routes: two hosts, a tenth of the request volumes (10 and 5), half of the hosts ejected.
//! A50 fails calls with every host ejected; that cannot happen here, but with the others tried already the ejected serve.
//!
//! # Invariants
//! - A returned host has no weight for 10 s.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::{Span, Time};

use super::draw::by_weight;
use super::outlier::{Outliers, Thresholds};
use super::{Flight, Glimpse, Moment, Policy, Seat, drawn, is_failure, picked};

/// How long reports must come before a weight is used.
const BLACKOUT: Span = Span::from_secs(10);

/// How long after the last report a weight is dropped.
const EXPIRY: Span = Span::from_secs(180);

/// Time between two renewals of the weights.
const UPDATE: Span = Span::from_secs(1);

/// `error_utilization_penalty`.
const PENALTY: f64 = 1.0;

/// Utilisation that every server would report; 0..=1.
const UTILISATION: f64 = 0.3;

/// Time constant of the counts of errors, in s.
const REPORTED_S: f64 = 10.0;

/// Thresholds that a pool of few routes can reach.
const SMALL: Thresholds = Thresholds {
    min_hosts: 2,
    rate_volume: 10,
    percent_volume: 5,
    max_ejection_percent: 50,
};

/// gRPC's weighted round robin with outlier detection.
#[derive(Clone, Debug)]
pub struct GrpcWrr {
    hosts: Vec<Host>,
    outliers: Outliers,
    next_update: Time,
    /// What the scheduler was built with.
    weights: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Host {
    /// Queries per second that it would report.
    qps: f64,
    /// Decayed counts of ended requests and of failures.
    ended: f64,
    failed: f64,
    updated: Time,
    /// When the first report of this series came.
    reporting_since: Option<Time>,
}

/// A58's weight of a server that reports so.
fn weight(qps: f64, eps: f64, utilisation: f64) -> f64 {
    qps / (utilisation + eps / qps * PENALTY)
}

impl Host {
    fn report(&mut self, failed: u32, now: Time) {
        let keep = (-now.since(self.updated).as_secs_f64() / REPORTED_S).exp();
        self.ended = self.ended * keep + 1.0;
        self.failed = self.failed * keep + f64::from(failed);
        self.updated = now;
        self.reporting_since.get_or_insert(now);
    }

    /// The weight, if reports are neither too new nor too old.
    fn weight(&mut self, now: Time) -> Option<f64> {
        if now.since(self.updated) >= EXPIRY {
            self.reporting_since = None;
        }
        let since = self.reporting_since?;
        let eps = self.qps * self.failed / self.ended;
        (now.since(since) >= BLACKOUT).then(|| weight(self.qps, eps, UTILISATION))
    }
}

impl GrpcWrr {
    /// The policy over the seat's candidates, with gRPC's defaults.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self::with(seat, Thresholds::DEFAULT)
    }

    /// The same with thresholds that a pool of few routes can reach.
    #[must_use]
    pub fn small(seat: &Seat<'_>) -> Self {
        Self::with(seat, SMALL)
    }

    fn with(seat: &Seat<'_>, thresholds: Thresholds) -> Self {
        let host = |qps| Host {
            qps,
            ended: 0.0,
            failed: 0.0,
            updated: Time::default(),
            reporting_since: None,
        };
        let count = seat.candidates.len();
        Self {
            hosts: seat.weights().map(host).collect(),
            outliers: Outliers::new(count, thresholds),
            next_update: Time::default(),
            weights: vec![1.0; count],
        }
    }

    fn renew(&mut self, now: Time) {
        let mut known = 0;
        let mut sum = 0.0;
        for (host, slot) in self.hosts.iter_mut().zip(&mut self.weights) {
            let weight = host.weight(now);
            *slot = weight.unwrap_or(0.0);
            known += usize::from(weight.is_some());
            sum += *slot;
        }
        let average = if known < 2 { 1.0 } else { sum / known as f64 };
        for slot in &mut self.weights {
            if known < 2 || *slot <= 0.0 {
                *slot = average;
            }
        }
    }

    /// A pick among the untried that are ejected or not.
    fn draw(&self, moment: &Moment<'_>, ejected: bool, point: f64) -> Option<(usize, f64)> {
        let open =
            |index| !moment.tried.contains(index) && self.outliers.is_ejected(index) == ejected;
        let weights = self.weights.iter().enumerate();
        drawn(
            weights.map(|(index, &weight)| if open(index) { weight } else { 0.0 }),
            point,
        )
    }
}

impl Policy for GrpcWrr {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let point = rng.random();
        let ready = self.draw(moment, false, point);
        match ready.or_else(|| self.draw(moment, true, point)) {
            Some((index, share)) => picked(index, share as f32),
            None => Decision::Exhausted,
        }
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        if matches!(end.outcome, Outcome::Rejected | Outcome::Canceled) {
            return;
        }
        let failed = u32::from(is_failure(end.outcome));
        self.hosts[flight.route].report(failed, now);
        self.outliers.count(flight.route, failed);
    }

    fn tick(&mut self, now: Time) {
        let hosts = &mut self.hosts;
        self.outliers
            .tick(now, |it| hosts[it].reporting_since = None);
        if now >= self.next_update {
            self.next_update = now.plus(UPDATE);
            self.renew(now);
        }
    }

    fn admits(&self, route: usize, _: Time) -> bool {
        !self.outliers.is_ejected(route)
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        let mut glimpses = by_weight(self.weights.iter().copied());
        for (host, glimpse) in glimpses.iter_mut().enumerate() {
            glimpse.state = if self.outliers.is_ejected(host) { 2 } else { 0 };
        }
        glimpses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    /// Drives for `secs`: two requests of each candidate in each 250 ms; the last fails `failing` of two.
    fn run(drive: &mut Drive<GrpcWrr>, secs: usize, failing: usize) {
        let count = drive.policy.hosts.len();
        for _ in 0..secs * 4 {
            for route in 0..count {
                for turn in 0..2 {
                    let fails = route == count - 1 && turn < failing;
                    drive.call(
                        route,
                        0,
                        [Outcome::Success, Outcome::ServerError][usize::from(fails)],
                    );
                }
            }
            drive.tick_ms(250);
        }
    }

    #[test]
    fn the_weight_is_the_published_one() {
        assert!((weight(100.0, 0.0, 0.5) - 200.0).abs() < 1e-9);
        assert!((weight(100.0, 25.0, 0.5) - 100.0 / 0.75).abs() < 1e-9);
    }

    #[test]
    fn weights_wait_ten_seconds_and_errors_then_count() {
        let mut drive = Drive::new(&[1.0; 2], GrpcWrr::new);
        run(&mut drive, 9, 1);
        assert_eq!(drive.policy.weights, [1.0, 1.0], "the blackout");
        run(&mut drive, 3, 1);
        // 1/0.3 and 1/(0.3 + 0.5): shares of 0.727 and 0.273.
        let share = drive.shares(2)[1];
        assert!((share - 0.3 / 1.1).abs() < 0.02, "{share}");
        drive.tick_ms(181_000);
        assert_eq!(drive.policy.weights, [1.0, 1.0], "expired");
    }

    #[test]
    fn in_health_shares_are_the_operators() {
        let mut drive = Drive::new(&[3.0, 1.0], GrpcWrr::new);
        run(&mut drive, 12, 0);
        let share = drive.shares(2)[1];
        assert!((share - 0.25).abs() < 0.02, "{share}");
    }

    #[test]
    fn the_small_variant_ejects_what_the_defaults_cannot() {
        for (small, ejects) in [(false, false), (true, true)] {
            let make = if small { GrpcWrr::small } else { GrpcWrr::new };
            let mut drive = Drive::new(&[1.0; 3], make);
            run(&mut drive, 11, 2);
            assert_eq!(!drive.policy.admits(2, drive.now), ejects);
            assert_eq!(drive.shares(3)[2] < 1e-9, ejects);
            assert_eq!(drive.index(&[0, 1]), 2, "the only one left serves");
            assert_eq!(drive.pick(&[0, 1, 2]), Decision::Exhausted);
        }
    }
}
