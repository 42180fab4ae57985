//! LiteLLM's `latency-based-routing`: the deployment with the lowest mean of its last ten samples.
//!
//! Source: `litellm/router_strategy/lowest_latency.py`, with the window mended as in PR 25548 (it kept the oldest nine for ever).
//! A sample is `response_time / completion_tokens`; streams have a window of their own, of `time_to_first_token / completion_tokens` (mended later, in PR 40202).
//! Only successes count, and time-outs, as 1000 s; an answer that tells no tokens counts as 0, as there.
//! Within `lowest + buffer·lowest` one is chosen at random; deployments over their configured tokens or requests of this minute are left out.
//! Read freely in its favour: a time-out counts in both windows; the source writes it to that of whole answers only, where streams do not see it.
//!
//! # Invariants
//! - A deployment without samples counts as 0 and so is tried first.
//! - With the buffer at 0 the winner takes all.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::Time;

use super::super::draw::{by_load, least};
use super::super::{Flight, Glimpse, Moment, Policy, Seat};
use super::cooldown::Cooldown;
use super::minute::Used;

/// Samples of a window: `max_latency_list_size`.
const WINDOW: usize = 10;

/// The sample of a time-out, in s.
const TIMED_OUT: f64 = 1000.0;

/// The buffer of the buffered variant; LiteLLM's own default is 0.
const BUFFER: f64 = 0.1;

/// LiteLLM's `latency-based-routing`.
#[derive(Clone, Debug)]
pub struct LitellmLatency {
    /// Part of the lowest mean within which the choice is random.
    buffer: f64,
    deployments: Vec<Deployment>,
    cooldown: Cooldown,
    open: Vec<usize>,
    means: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Deployment {
    whole: Window,
    streams: Window,
    used: Used,
}

/// The last ten samples, in s per token.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    samples: [f64; WINDOW],
    /// Samples ever.
    count: usize,
    mean: f64,
}

impl Window {
    fn add(&mut self, sample: f64) {
        self.samples[self.count % WINDOW] = sample;
        self.count += 1;
        let held = self.count.min(WINDOW);
        self.mean = self.samples[..held].iter().sum::<f64>() / held as f64;
    }
}

impl Deployment {
    /// The mean that counts for a stream, or for a whole answer.
    fn mean(&self, streams: bool) -> f64 {
        if streams && self.streams.count > 0 {
            self.streams.mean
        } else {
            self.whole.mean
        }
    }

    fn succeeded(&mut self, flight: &Flight, end: &End, now: Time) {
        let per_token = |from: Time| match end.output_tokens {
            Some(tokens) => from.since(flight.sent).as_secs_f64() / f64::from(tokens.max(1)),
            None => 0.0,
        };
        self.whole.add(per_token(now));
        if flight.ask.class.streams() {
            let first = flight.first_byte.unwrap_or(now);
            self.streams.add(per_token(first));
        }
        let tokens = [end.input_tokens, end.output_tokens];
        let tokens = tokens.into_iter().flatten().map(u64::from).sum();
        self.used.add(tokens, 1, now);
    }
}

impl LitellmLatency {
    /// The policy over the seat's candidates, with LiteLLM's default buffer of 0.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        let deployment = |it| Deployment {
            whole: Window::default(),
            streams: Window::default(),
            used: Used::new(it),
        };
        Self {
            buffer: 0.0,
            deployments: seat.candidates.iter().map(deployment).collect(),
            cooldown: Cooldown::new(count),
            open: Vec::with_capacity(count),
            means: vec![0.0; count],
        }
    }

    /// The same with a buffer of 10 %.
    #[must_use]
    pub fn buffered(seat: &Seat<'_>) -> Self {
        Self {
            buffer: BUFFER,
            ..Self::new(seat)
        }
    }
}

impl Policy for LitellmLatency {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let (ask, now) = (moment.ask, moment.now);
        self.open.clear();
        let mut lowest = f64::INFINITY;
        for route in self.cooldown.open(moment.tried, now) {
            let deployment = &self.deployments[route];
            if deployment.used.has_room(ask.input_tokens.into(), now) {
                self.open.push(route);
                self.means[route] = deployment.mean(ask.class.streams());
                lowest = lowest.min(self.means[route]);
            }
        }
        // Why: all within the buffer are equal to the draw.
        let buffered = lowest + self.buffer * lowest;
        for &route in &self.open {
            if self.means[route] <= buffered {
                self.means[route] = lowest;
            }
        }
        match least(&self.open, &self.means, rng) {
            Some(drawn) => drawn.decision(),
            None => self.cooldown.refusal(moment.tried, now),
        }
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        self.cooldown.finish(flight.route, end, now);
        let deployment = &mut self.deployments[flight.route];
        match end.outcome {
            Outcome::Success => deployment.succeeded(flight, end, now),
            Outcome::TimedOut => {
                deployment.whole.add(TIMED_OUT);
                deployment.streams.add(TIMED_OUT);
            }
            _ => {}
        }
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        self.cooldown.admits(route, now)
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        let mut glimpses = by_load(self.deployments.iter().map(|it| it.mean(true)));
        self.cooldown.mark(&mut glimpses, now);
        glimpses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::{Drive, candidates};

    /// A stream of 100 tokens with this time to the first one.
    fn stream(drive: &mut Drive<LitellmLatency>, route: usize, first_ms: u64) {
        let mut flight = drive.begin(route);
        drive.wait_ms(first_ms);
        drive.first_byte(&mut flight);
        drive.wait_ms(1000);
        drive.end(&flight, Outcome::Success);
    }

    #[test]
    fn the_window_keeps_the_last_ten() {
        let mut window = Window::default();
        (1..=12).for_each(|it| window.add(f64::from(it)));
        assert!((window.mean - 7.5).abs() < 1e-12, "the mean of 3..=12");
    }

    #[test]
    fn samples_are_per_token_and_streams_count_to_the_first() {
        let mut drive = Drive::new(&[1.0], LitellmLatency::new);
        stream(&mut drive, 0, 500);
        let deployment = &drive.policy.deployments[0];
        assert!((deployment.mean(true) - 0.005).abs() < 1e-12);
        assert!((deployment.mean(false) - 0.015).abs() < 1e-12);
        let flight = drive.begin(0);
        drive.end(&flight, Outcome::TimedOut);
        let deployment = &drive.policy.deployments[0];
        assert!((deployment.mean(true) - 500.0025).abs() < 1e-9);
    }

    #[test]
    fn the_winner_takes_all_and_the_buffered_share() {
        for (buffered, expect) in [(false, [1.0, 0.0, 0.0]), (true, [0.5, 0.5, 0.0])] {
            let make = if buffered {
                LitellmLatency::buffered
            } else {
                LitellmLatency::new
            };
            let mut drive = Drive::new(&[1.0; 3], make);
            stream(&mut drive, 0, 500);
            assert_ne!(drive.index(&[]), 0, "those without samples come first");
            stream(&mut drive, 1, 540);
            stream(&mut drive, 2, 560);
            let shares = drive.shares(3);
            for (share, expect) in shares.iter().zip(expect) {
                assert!((share - expect).abs() < 0.02, "{shares:?}");
            }
        }
    }

    #[test]
    fn configured_limits_and_cooldowns_leave_out() {
        let mut told = candidates(&[1.0; 2]);
        told[0].told_rpm = Some(2);
        let mut drive = Drive::over(&told, LitellmLatency::new);
        stream(&mut drive, 0, 100);
        stream(&mut drive, 1, 900);
        assert_eq!(drive.index(&[]), 0);
        stream(&mut drive, 0, 100);
        assert_eq!(drive.index(&[]), 1, "two requests are all it may have");
        drive.call(1, 20, Outcome::RateLimited);
        assert!(matches!(drive.pick(&[]), Decision::Shed { .. }));
        drive.wait_ms(60_000);
        assert_eq!(drive.index(&[]), 0, "another minute");
    }
}
