//! Prequal's hot-cold rule, without its probes.
//!
//! Source: B. Wydrowski and others, "Load is not what you should balance: Introducing Prequal" (NSDI 2024).
//! A candidate is hot if its requests in flight exceed the 0.84 quantile of recent counts; the fastest of the cold is picked, or, with all hot, the one with the fewest in flight.
//! Vendors cannot be probed, so the client's own counts and times stand in: what a decision sees of each candidate is a sample of the quantile, and the time to the first token of successes (the end, where nothing is streamed) moves the latency by 0.2.
//! Failures are not timed; the paper's guard against sinkholes is not published in detail and left out.
//!
//! # Invariants
//! - A candidate without samples counts as fastest.
//! - The quantile is renewed every 250 ms.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::Time;

use super::draw::{by_load, least, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat};

/// Quantile of recent counts above which a candidate is hot: the paper's `Q_RIF`.
const QUANTILE: f64 = 0.84;

/// Weight of a new latency sample.
const STEP: f64 = 0.2;

/// Counts that the quantile is taken of.
const RECENT: usize = 256;

/// Prequal's hot-cold rule.
#[derive(Clone, Debug)]
pub struct Prequal {
    in_flight: Vec<u32>,
    /// In flight, as loads.
    counts: Vec<f64>,
    /// In s; 0 without samples.
    latencies: Vec<f64>,
    recent: Vec<u32>,
    /// Samples ever.
    samples: usize,
    /// The largest count that is cold.
    limit: u32,
    sorted: Vec<u32>,
    open: Vec<usize>,
}

impl Prequal {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        Self {
            in_flight: vec![0; count],
            counts: vec![0.0; count],
            latencies: vec![0.0; count],
            recent: Vec::with_capacity(RECENT),
            samples: 0,
            limit: u32::MAX,
            sorted: Vec::with_capacity(RECENT),
            open: Vec::with_capacity(count),
        }
    }

    fn sample(&mut self) {
        for &count in &self.in_flight {
            if self.recent.len() < RECENT {
                self.recent.push(count);
            } else {
                self.recent[self.samples % RECENT] = count;
            }
            self.samples += 1;
        }
    }

    fn set(&mut self, route: usize, count: u32) {
        self.in_flight[route] = count;
        self.counts[route] = f64::from(count);
    }
}

impl Policy for Prequal {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        self.sample();
        self.open.clear();
        let open = untried(moment.tried, self.in_flight.len());
        let cold = open.clone().filter(|&it| self.in_flight[it] <= self.limit);
        self.open.extend(cold);
        let drawn = if self.open.is_empty() {
            self.open.extend(open);
            least(&self.open, &self.counts, rng)
        } else {
            least(&self.open, &self.latencies, rng)
        };
        match drawn {
            Some(drawn) => drawn.decision(),
            None => Decision::Exhausted,
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.set(flight.route, self.in_flight[flight.route] + 1);
        None
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        self.set(flight.route, self.in_flight[flight.route] - 1);
        if end.outcome == Outcome::Success {
            let first = flight.first_byte.unwrap_or(now);
            let sample = first.since(flight.sent).as_secs_f64();
            let latency = &mut self.latencies[flight.route];
            *latency = if *latency > 0.0 {
                *latency + STEP * (sample - *latency)
            } else {
                sample
            };
        }
    }

    fn tick(&mut self, _: Time) {
        self.sorted.clear();
        self.sorted.extend_from_slice(&self.recent);
        let rank = (QUANTILE * self.sorted.len() as f64) as usize;
        if rank < self.sorted.len() {
            self.limit = *self.sorted.select_nth_unstable(rank).1;
        }
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        by_load(self.latencies.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn the_fastest_cold_one_is_picked_and_a_hot_one_is_not() {
        let mut drive = Drive::new(&[1.0; 3], Prequal::new);
        for (route, millis) in [(0, 300), (1, 500), (2, 900)] {
            drive.call(route, millis, Outcome::Success);
        }
        assert_eq!(drive.index(&[]), 0);
        let flights: Vec<_> = (0..4).map(|_| drive.begin(0)).collect();
        for _ in 0..100 {
            drive.pick(&[]);
        }
        drive.tick_ms(250);
        // A third of the samples is 4: the quantile of 0.84 is 4 too, and 4 does not exceed it.
        assert_eq!(drive.policy.limit, 4);
        assert_eq!(drive.index(&[]), 0);
        let fifth = drive.begin(0);
        assert_eq!(drive.index(&[]), 1);
        assert_eq!(drive.index(&[1]), 2);
        assert_eq!(drive.index(&[1, 2]), 0, "all that are left are hot");
        drive.end(&fifth, Outcome::ServerError);
        assert_eq!(drive.index(&[]), 0);
        assert_eq!(flights.len(), 4);
    }

    #[test]
    fn with_all_hot_the_fewest_in_flight_win() {
        let mut drive = Drive::new(&[1.0; 2], Prequal::new);
        drive.call(0, 100, Outcome::Success);
        drive.call(1, 900, Outcome::Success);
        for _ in 0..100 {
            drive.pick(&[]);
        }
        drive.tick_ms(250);
        assert_eq!(drive.policy.limit, 0);
        let _ = [drive.begin(0), drive.begin(0), drive.begin(1)];
        assert_eq!(drive.index(&[]), 1);
    }

    #[test]
    fn streams_are_timed_to_their_first_token() {
        let mut drive = Drive::new(&[1.0], Prequal::new);
        for (first_ms, expect) in [(400, 0.4), (900, 0.5)] {
            let mut flight = drive.begin(0);
            drive.wait_ms(first_ms);
            drive.first_byte(&mut flight);
            drive.wait_ms(5000);
            drive.end(&flight, Outcome::Success);
            assert!((drive.policy.latencies[0] - expect).abs() < 1e-9);
        }
    }
}
