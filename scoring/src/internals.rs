//! What the interleaving models reach into; compiled under `cfg(loom)` alone.
//!
//! # Invariants
//! - Thin wrappers: no logic of their own.

use crate::ceiling::{self, Charge, Gate, Limits, ToldLimits};
use crate::cell::Word;
use crate::ewma::{self, Decay};
use crate::health::Circuit;
use crate::route::Route;
use crate::time::{Span, Tick, Time};
use crate::tuning::Tuning;

/// A word of decayed counts.
#[derive(Debug)]
pub struct Errors {
    word: Word,
    decay: Decay,
}

impl Default for Errors {
    fn default() -> Self {
        Self {
            word: Word::new(0),
            decay: Decay::new(Span::from_secs(3), 0),
        }
    }
}

impl Errors {
    /// Adds one attempt at a tick.
    pub fn add(&self, tick: u64, attempts: f32, failures: f32) {
        let now = Tick::from_index(tick);
        self.word
            .update(|word| ewma::add(word, now, attempts, failures, &self.decay));
    }

    /// The bits.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.word.load()
    }
}

/// The ceilings of one key.
#[derive(Debug)]
pub struct Ceilings {
    gate: Gate,
    limits: Limits,
}

impl Ceilings {
    /// Ceilings of so many requests and tokens per minute.
    #[must_use]
    pub fn new(requests: u32, tokens: u32) -> Self {
        let told = ToldLimits {
            requests_per_minute: Some(requests),
            tokens_per_minute: Some(tokens),
            ..ToldLimits::default()
        };
        let tuning = Tuning::default();
        Self {
            gate: Gate::new(&told, &tuning),
            limits: Limits::new(&told, &tuning),
        }
    }

    /// Charges one request.
    pub fn charge(&self, tokens: u32, now: Time) {
        let charge = Charge {
            input_tokens: tokens,
            reserved_output_tokens: 0,
        };
        ceiling::charge(&self.gate, &self.limits, charge, now);
    }

    /// Share in use after it, and of an empty request.
    #[must_use]
    pub fn utilisation(&self, now: Time) -> f32 {
        let none = Charge {
            input_tokens: 0,
            reserved_output_tokens: 0,
        };
        ceiling::standing(&self.gate, &self.limits, none, 0, now).utilisation
    }
}

/// The circuit's bits.
#[must_use]
pub fn circuit_bits(route: &Route) -> u64 {
    let circuit: Circuit = route.circuit();
    circuit.pack()
}
