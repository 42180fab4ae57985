//! What a route looks like from outside, at one instant: for the admin pages, metrics and explanations.
//!
//! # Invariants
//! - Plain data, computed by the functions that decide; no decision reads it.

use crate::Class;
use crate::atomics::Ordering;
use crate::ceiling::{self, CeilingsView};
use crate::ewma;
use crate::health::State;
use crate::latency::Model;
use crate::latency::drift::Drift;
use crate::outcome::Outcome;
use crate::time::{Span, TICK_SHIFT, Time};

use super::{Route, Steering, stands_out, unpair};

/// A route at one instant.
#[derive(Clone, Debug)]
pub struct RouteView {
    /// Its state.
    pub state: State,
    /// How long it still waits before a probe, when it is set aside.
    pub wait: Option<Span>,
    /// Doublings of its waiting time; 0..=15.
    pub doublings: u32,
    /// Part of its weight that it gets; 0..=1, below 1 only while recovering.
    pub share: f32,
    /// The circuit's evidence of failure; trips at `circuit.threshold`.
    pub cusum: f32,
    /// Successes that would undo its recent failures; 0..=255, takes weight from about 58 up.
    pub doubt: f32,
    /// Chance that an attempt fails, less what chance alone explains; 0..=1.
    pub failure: f32,
    /// Failures per attempt of the last seconds; 0 upward, failures may weigh 2.
    pub error_fast: f32,
    /// Failures per attempt of the last minutes.
    pub error_slow: f32,
    /// Effective attempts of the last seconds.
    pub attempts_fast: f32,
    /// Effective attempts of the last minutes.
    pub attempts_slow: f32,
    /// Error rate of the provider and region; 0..=1.
    pub parent_rate: f32,
    /// Whether several routes of the provider and region failed together a short time ago.
    pub parent_tripped: bool,
    /// Mean time that a failed attempt takes, in ms.
    pub fail_ms: f32,
    /// Attempts in flight.
    pub inflight: u32,
    /// Attempts begun.
    pub dispatched: u64,
    /// Attempts ended, by [`Outcome::index`].
    pub outcomes: [u64; Outcome::COUNT],
    /// Times that it was set aside, by its circuit or by a hold of its key, from being used.
    pub trips: u64,
    /// Input tokens, as billed.
    pub tokens_in: u64,
    /// Output tokens, as billed.
    pub tokens_out: u64,
    /// Updates lost to contention; anything above 0 is a defect.
    pub dropped: u64,
    /// Latency, by [`Class::index`].
    pub classes: [ClassView; Class::COUNT],
    /// Its ceilings.
    pub ceilings: CeilingsView,
    /// What operators have done with it.
    pub steering: Steering,
}

/// The latency of one class at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassView {
    /// Whether anything was measured.
    pub measured: bool,
    /// The fitted model.
    pub model: Model,
    /// Observed over predicted, now; > 0, 1 = as fitted.
    pub drift: f32,
    /// Standard deviation of ln(observed / predicted).
    pub scale: f32,
    /// Observed over the own long-term baseline, now; > 0, 1 = as ever.
    pub against_baseline: f32,
    /// Whether it clearly stands out against the own baseline.
    pub degraded: bool,
    /// Output tokens of an answer.
    pub expected_output: u32,
}

impl Route {
    /// What the route looks like at `now`.
    #[must_use]
    pub fn view(&self, now: Time) -> RouteView {
        let (tick, rules) = (now.tick(), &self.cold().rules);
        let fast = ewma::read(self.hot.err_fast.load(), tick, &rules.fast);
        let slow = ewma::read(self.hot.err_slow.load(), tick, &rules.slow);
        let circuit = self.circuit();
        let classes = Class::ALL.map(|class| self.class_view(class, now));
        let inflight = self.inflight();
        let steering = self.steering(now);
        RouteView {
            state: match steering.drained {
                Some(_) => State::Drained,
                None => circuit.state(classes.iter().any(|class| class.degraded)),
            },
            wait: circuit
                .wait(tick)
                .map(|ticks| Span::from_micros(u64::from(ticks) << TICK_SHIFT)),
            doublings: circuit.mult,
            share: circuit.share(&rules.tuning.circuit),
            cusum: circuit.cusum(),
            doubt: circuit.doubt(self.rest(tick, rules)),
            failure: self.failure(tick, rules),
            error_fast: fast.rate(f32::EPSILON, 0.0),
            error_slow: slow.rate(f32::EPSILON, 0.0),
            attempts_fast: fast.attempts,
            attempts_slow: slow.attempts,
            parent_rate: self.cold().parent.rate(tick, rules),
            parent_tripped: self.cold().parent.is_tripped(tick),
            fail_ms: self.fail_ms(),
            inflight,
            dispatched: self.flow.dispatched.load(Ordering::Relaxed),
            outcomes: core::array::from_fn(|i| self.counters.outcomes[i].load(Ordering::Relaxed)),
            trips: self.counters.trips.load(Ordering::Relaxed),
            tokens_in: self.counters.tokens_in.load(Ordering::Relaxed),
            tokens_out: self.counters.tokens_out.load(Ordering::Relaxed),
            dropped: self.flow.dropped.load(Ordering::Relaxed),
            classes,
            ceilings: ceiling::view(&self.hot.gate, &self.cold().limits, inflight, now),
            steering,
        }
    }

    fn class_view(&self, class: Class, now: Time) -> ClassView {
        let stored: Drift = self.drift(class);
        let drift = stored.at(now.tick(), &self.cold().rules);
        let (level, _) = unpair(self.cold().baselines[class.index()].load());
        ClassView {
            measured: drift.is_measured(),
            model: self.model(class),
            drift: drift.mean.exp(),
            scale: drift.scale,
            against_baseline: (drift.mean + level).exp(),
            degraded: stands_out(drift, level, &self.cold().rules),
            expected_output: self.expected_output(class),
        }
    }
}
