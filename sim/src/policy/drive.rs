//! Drives one policy by hand in tests: picks, attempts and a clock.
//!
//! # Invariants
//! - Each attempt has a slot of its own; the clock starts at 1 µs, where policies were made.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::route::{Ask, End, Parent};
use scoring::select::{Decision, Pick, Tried};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

use super::{Candidate, Flight, Moment, Policy, Seat, picked};
use crate::trace::{Request, Trace};
use crate::world::{Truth, World};

/// A policy, its clock and its generator.
pub(crate) struct Drive<P> {
    pub(crate) policy: P,
    pub(crate) now: Time,
    pub(crate) ask: Ask,
    rng: SmallRng,
    slots: usize,
}

/// A streamed chat request of 1000 input tokens.
pub(crate) const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 1000,
    max_tokens: None,
    deadline: None,
    probe_ok: false,
    affinity: None,
};

/// Candidates with these weights, without told limits.
pub(crate) fn candidates(weights: &[f32]) -> Vec<Candidate> {
    let candidate = |(index, &weight)| Candidate {
        name: format!("route-{index}"),
        parent: format!("provider-{index}"),
        weight,
        price_input: 1000.0,
        price_output: 4000.0,
        told_rpm: None,
        told_tpm: None,
    };
    weights.iter().enumerate().map(candidate).collect()
}

/// A truth about nothing: only oracles look, and they are not driven here.
fn nothing() -> Truth<'static> {
    let text = "question = 'Is it well?'\n[[traffic]]\nrate = 1.0\n[[routes]]\nname = 'a'\n";
    let scenario = Box::leak(Box::new(crate::scenario::read("nothing", text).unwrap()));
    let trace: &'static Trace = Box::leak(Box::default());
    Truth {
        world: Box::leak(Box::new(World::new(scenario, trace, 7))),
        routes: &[],
        request: Box::leak(Box::new(Request::chat(Span::ZERO, 1, 1))),
    }
}

impl<P: Policy> Drive<P> {
    /// Drives what `make` makes of candidates with these weights.
    pub(crate) fn new(weights: &[f32], make: impl FnOnce(&Seat<'_>) -> P) -> Self {
        Self::over(&candidates(weights), make)
    }

    /// Drives what `make` makes of `candidates`.
    pub(crate) fn over(candidates: &[Candidate], make: impl FnOnce(&Seat<'_>) -> P) -> Self {
        let seat = Seat {
            candidates,
            replica: 0,
            tuning: &Tuning::default(),
            sample: ASK,
            parents: &|_| Arc::new(Parent::new()),
        };
        Self {
            policy: make(&seat),
            now: Time::from_micros(1),
            ask: ASK,
            rng: SmallRng::seed_from_u64(7),
            slots: 0,
        }
    }

    /// The decision for a request that these were tried for.
    pub(crate) fn pick(&mut self, tried: &[usize]) -> Decision {
        let mut set = Tried::default();
        tried.iter().for_each(|&it| set.insert(it));
        let moment = Moment {
            ask: &self.ask,
            tried: &set,
            now: self.now,
            truth: &nothing(),
        };
        self.policy.decide(&moment, &mut self.rng)
    }

    /// The chances of a first attempt, where they are known.
    pub(crate) fn propensities(&self) -> Option<Vec<f64>> {
        self.policy.propensities(&Moment {
            ask: &self.ask,
            tried: &Tried::default(),
            now: self.now,
            truth: &nothing(),
        })
    }

    /// The picked candidate.
    pub(crate) fn picked(&mut self, tried: &[usize]) -> Pick {
        match self.pick(tried) {
            Decision::Picked(pick) => pick,
            other => panic!("{other:?}"),
        }
    }

    /// The picked candidate's position.
    pub(crate) fn index(&mut self, tried: &[usize]) -> usize {
        self.picked(tried).index
    }

    /// Shares of `candidates` in 10 000 first attempts that are not sent.
    pub(crate) fn shares(&mut self, candidates: usize) -> Vec<f64> {
        let mut shares = vec![0.0; candidates];
        (0..10_000).for_each(|_| shares[self.index(&[])] += 1e-4);
        shares
    }

    /// Lets time pass.
    pub(crate) fn wait_ms(&mut self, millis: u64) {
        self.now = self.now.plus(Span::from_millis(millis));
    }

    /// Sends an attempt.
    pub(crate) fn begin(&mut self, route: usize) -> Flight {
        let flight = Flight {
            slot: self.slots,
            route,
            ask: self.ask,
            sent: self.now,
            first_byte: None,
            session: None,
        };
        self.slots += 1;
        if let Decision::Picked(pick) = picked(route, 1.0) {
            self.policy.begin(&flight, &pick);
        }
        flight
    }

    /// The attempt's first token comes.
    pub(crate) fn first_byte(&mut self, flight: &mut Flight) {
        flight.first_byte = Some(self.now);
        self.policy.first_byte(flight, self.now);
    }

    /// The attempt ends, with 100 output tokens if it succeeds.
    pub(crate) fn end(&mut self, flight: &Flight, outcome: Outcome) {
        let tokens = (outcome == Outcome::Success).then_some(100);
        let end = End {
            input_tokens: tokens.map(|_| flight.ask.input_tokens),
            output_tokens: tokens,
            ..End::of(outcome)
        };
        self.policy.finish(flight, &end, self.now);
    }

    /// The attempt ends with a wait told.
    pub(crate) fn end_after(&mut self, flight: &Flight, outcome: Outcome, wait: Span) {
        let end = End {
            retry_after: Some(wait),
            ..End::of(outcome)
        };
        self.policy.finish(flight, &end, self.now);
    }

    /// An attempt that ends after `millis`; time passes.
    pub(crate) fn call(&mut self, route: usize, millis: u64, outcome: Outcome) {
        let flight = self.begin(route);
        self.wait_ms(millis);
        self.end(&flight, outcome);
    }

    /// Time passes in ticks of 250 ms.
    pub(crate) fn tick_ms(&mut self, millis: u64) {
        for _ in 0..millis / 250 {
            self.wait_ms(250);
            self.policy.tick(self.now);
        }
    }
}
