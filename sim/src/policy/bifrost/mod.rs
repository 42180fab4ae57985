//! Bifrost Enterprise's adaptive load balancing, by its older published formula.
//!
//! Source: "Adaptive Load Balancing" (documentation of 2025-12; later editions drop the numbers); the code is closed.
//! Every 5 s: `Score = 0.5·P_err + 0.2·P_lat + 0.05·P_util − M`, `Weight = 1 + (1 − Score)·999`.
//! `P_err = min(1, 2.5·R^0.4)·e^(−t/τ)` with `R = 0.2·R_all + 0.3·R_5min + 0.5·R_1min` and t since the last error; `P_lat` is [`latency`]'s; `P_util = min(1, (share·N − 1)^1.5)`; `M = min(B, λ·σ(γ·(success_20s − 0.97)))`.
//! Keys are Healthy, Degraded (errors above 2 % in 10 s or `P_lat` above 0.25), Failed (above 5 %, or a 429, at once) or Recovering.
//! Picked is, by weight, among keys within 5 % of the largest weight, and with probability 25 % among the rest.
//!
//! # Guesses, where nothing is published
//! - λ = B = 0.2, γ = 100; M holds in Recovering and for 60 s from the end of the back-off.
//! - τ is 13 s for the first minute ("90 % gone in 30 s") and 60 s after, without a jump.
//! - The back-off is 30 s; the share for `P_util` and for leaving Recovering is of the last 10 s.
//! - The rest are explored alike, so that the published floor of 0.25/K holds.
//! - With every untried key Failed, all serve. The two levels (provider, then key) are one here.
//!
//! # Invariants
//! - Weights change every 5 s only; a 429 takes a key out at once.

mod latency;
mod window;

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::Decision;
use scoring::time::{Span, Time};

use super::draw::{by_weight, explored, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat, drawn, is_failure, picked};
use latency::{Model, Score};
use window::Window;

/// Time between two renewals of the weights.
const RENEWAL: Span = Span::from_secs(5);

/// How long a Failed key is left out.
const BACKOFF: Span = Span::from_secs(30);

/// How long after its back-off a key has momentum, in s.
const MOMENTUM_S: f64 = 60.0;

/// Decay of the error penalty in the first minute, in s.
const TAU_FIRST: f64 = 13.0;

/// Decay after it, in s.
const TAU_LATER: f64 = 60.0;

/// Greatest momentum, and its scale.
const MOMENTUM: f64 = 0.2;

/// Steepness of momentum over the success rate.
const GAMMA: f64 = 100.0;

/// Part of the largest weight that is still in the band.
const BAND: f64 = 0.95;

/// Probability of leaving the band.
const EXPLORE: f64 = 0.25;

/// Error rate that degrades.
const DEGRADED: f64 = 0.02;

/// Error rate that fails.
const FAILED: f64 = 0.05;

/// Latency score that degrades.
const SLOW: f64 = 0.25;

/// Bifrost's adaptive load balancing.
#[derive(Clone, Debug)]
pub struct Bifrost {
    keys: Vec<Key>,
    model: Model,
    next_renewal: Time,
    open: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Key {
    window: Window,
    latency: Score,
    last_error: Option<Time>,
    state: State,
    /// When its last back-off ends.
    back: Option<Time>,
    weight: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Healthy,
    Degraded,
    Failed,
    Recovering,
}

/// `P_err` before its decay.
fn error_penalty(rate: f64) -> f64 {
    (2.5 * rate.powf(0.4)).min(1.0)
}

/// What `age` s without an error leave of it.
fn decay(age: f64) -> f64 {
    let first = age.min(60.0);
    (-first / TAU_FIRST - (age - first) / TAU_LATER).exp()
}

/// `P_util` of a key with this share of the traffic of `healthy` keys.
fn utilisation_penalty(share: f64, healthy: usize) -> f64 {
    (share * healthy as f64 - 1.0).max(0.0).powf(1.5).min(1.0)
}

/// `M` at this rate of success.
fn momentum(success: f64) -> f64 {
    (MOMENTUM / (1.0 + (-GAMMA * (success - 0.97)).exp())).min(MOMENTUM)
}

/// The weight of a score.
fn weight(score: f64) -> f64 {
    1.0 + (1.0 - score.clamp(0.0, 1.0)) * 999.0
}

impl Key {
    fn fail(&mut self, now: Time) {
        self.state = State::Failed;
        self.weight /= 2.0;
        self.back = Some(now.plus(BACKOFF));
    }

    /// The next state, with this share of its fair part of the traffic.
    fn step(&mut self, part: f64, now: Time) {
        let errors = self.window.last(2).rate();
        let slow = self.latency.value > SLOW;
        match self.state {
            State::Failed if self.back.is_some_and(|back| now >= back) => {
                self.state = State::Recovering;
            }
            State::Failed => {}
            _ if errors > FAILED => self.fail(now),
            State::Recovering if errors < DEGRADED && part >= 0.5 => self.state = State::Healthy,
            State::Recovering => {}
            State::Healthy if errors > DEGRADED || slow => self.state = State::Degraded,
            State::Degraded if errors < DEGRADED && !slow => self.state = State::Healthy,
            State::Healthy | State::Degraded => {}
        }
    }

    fn score(&self, share: f64, healthy: usize, now: Time) -> f64 {
        let since = |at: Time| now.since(at).as_secs_f64();
        let faded = self.last_error.map_or(0.0, |at| decay(since(at)));
        let errors = error_penalty(self.window.error_rate()) * faded;
        let rising = self
            .back
            .is_some_and(|back| now >= back && since(back) <= MOMENTUM_S);
        let momentum = match self.state {
            State::Recovering | State::Healthy | State::Degraded if rising => {
                momentum(1.0 - self.window.last(4).rate())
            }
            _ => 0.0,
        };
        let utilisation = utilisation_penalty(share, healthy);
        0.5 * errors + 0.2 * self.latency.value + 0.05 * utilisation - momentum
    }
}

impl Bifrost {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let key = Key {
            window: Window::new(),
            latency: Score::new(),
            last_error: None,
            state: State::Healthy,
            back: None,
            weight: weight(0.0),
        };
        let count = seat.candidates.len();
        Self {
            keys: vec![key; count],
            model: Model::default(),
            next_renewal: Time::default().plus(RENEWAL),
            open: Vec::with_capacity(count),
        }
    }

    fn renew(&mut self, now: Time) {
        let in_use = |it: &&Key| it.state != State::Failed;
        let healthy = self.keys.iter().filter(in_use).count();
        let traffic: u32 = self.keys.iter().map(|it| it.window.last(2).attempts).sum();
        for key in &mut self.keys {
            let attempts = f64::from(key.window.last(2).attempts);
            let share = attempts / f64::from(traffic.max(1));
            key.latency.renew();
            key.step(share * healthy as f64, now);
            if key.state != State::Failed {
                key.weight = weight(key.score(share, healthy, now));
            }
            key.window.turn();
        }
    }

    /// The decision among `open`, which is not empty.
    fn draw(&self, rng: &mut SmallRng) -> Decision {
        let weight = |&it: &usize| self.keys[it].weight;
        let most = self.open.iter().map(weight).fold(0.0, f64::max);
        let in_band = |weight: f64| weight >= BAND * most;
        let outside = || self.open.iter().filter(|it| !in_band(weight(it)));
        let explorable = outside().count();
        let explore = if explorable > 0 { EXPLORE } else { 0.0 };
        if rng.random::<f64>() < explore {
            let chosen = outside().nth(rng.random_range(0..explorable));
            let propensity = EXPLORE / explorable as f64;
            return chosen.map_or(Decision::Exhausted, |&it| explored(it, propensity as f32));
        }
        let weights = self.open.iter().map(weight);
        let banded = weights.map(|it| if in_band(it) { it } else { 0.0 });
        match drawn(banded, rng.random()) {
            Some((at, share)) => picked(self.open[at], (share * (1.0 - explore)) as f32),
            None => Decision::Exhausted,
        }
    }
}

impl Policy for Bifrost {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let all = untried(moment.tried, self.keys.len());
        self.open.clear();
        let in_use = all
            .clone()
            .filter(|&it| self.keys[it].state != State::Failed);
        self.open.extend(in_use);
        if self.open.is_empty() {
            self.open.extend(all);
        }
        self.draw(rng)
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let key = &mut self.keys[flight.route];
        match end.outcome {
            Outcome::Rejected | Outcome::Canceled => return,
            Outcome::Success => {
                let input = end.input_tokens.unwrap_or(flight.ask.input_tokens);
                let latency = now.since(flight.sent).as_secs_f64();
                let output = end.output_tokens.unwrap_or(0);
                key.latency.add(self.model.observe(latency, input, output));
            }
            _ => key.last_error = Some(now),
        }
        key.window.count(u32::from(is_failure(end.outcome)));
        if end.outcome == Outcome::RateLimited && key.state != State::Failed {
            key.fail(now);
        }
    }

    fn tick(&mut self, now: Time) {
        if now >= self.next_renewal {
            self.next_renewal = now.plus(RENEWAL);
            self.renew(now);
        }
    }

    fn admits(&self, route: usize, _: Time) -> bool {
        self.keys[route].state != State::Failed
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        let mut glimpses = by_weight(self.keys.iter().map(|it| it.weight));
        for (key, glimpse) in self.keys.iter().zip(&mut glimpses) {
            glimpse.state = match key.state {
                State::Healthy | State::Degraded => 0,
                State::Recovering => 1,
                State::Failed => 2,
            };
        }
        glimpses
    }
}

#[cfg(test)]
mod tests;
