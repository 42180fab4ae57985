//! What is known about one route: provider × model × key × region.
//!
//! One line of 128 bytes is all that the selector reads of a route that has no other news; completions write it.
//! Counters that every attempt writes are on lines of their own, so that counting does not take the selector's line away.
//!
//! # Invariants
//! - The hot line is exactly one 128-byte slot.
//! - Each word is valid on its own; two words of a line may be from different instants, and readers tolerate it.
//! - An attempt in flight is counted by a guard, so the count cannot leak.

mod attempt;
mod record;
mod steer;
mod view;

pub use attempt::{Attempt, End};
pub use steer::{Steering, Until};
pub use view::{ClassView, RouteView};

pub use crate::ceiling::ToldLimits;
pub use crate::health::Parent;

use std::sync::{Arc, Mutex};

use crossbeam_utils::CachePadded;

use crate::Class;
use crate::affinity::Affinity;
use crate::atomics::{AtomicU32, AtomicU64, Ordering};
use crate::ceiling::{self, Charge, DRAINED, Gate, Limits, Seen, Want};
use crate::cell::Word;
use crate::ewma::{self, Counts};
use crate::float::{larger, smaller};
use crate::health::Circuit;
use crate::latency::drift::{self, DEGRADED_STREAK, Drift};
use crate::latency::fit::{Memory, Norm, Sums};
use crate::latency::{Model, fields};
use crate::outcome::Outcome;
use crate::rules::Rules;
use crate::time::{Span, Tick, Time};
use crate::tuning::{ErrorTuning, Tuning};

use steer::Steer;

/// Time that a failed attempt is assumed to take before one was seen, in ms: a fast 5xx takes less, a hang more.
const FAIL_MS_UNSEEN: f32 = 500.0;

/// What is assumed of a route before anything was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Time to first token of an empty prompt; default 500 ms.
    pub ttft: Span,
    /// Extra time to first token per input token, in µs; default 40.
    pub ttft_per_token: f64,
    /// Time per output token after the first; default 15 ms.
    pub tpot: Span,
    /// Output tokens of a chat answer; default 256.
    pub expected_output: u32,
}

impl Default for Prior {
    fn default() -> Self {
        Self {
            ttft: Span::from_millis(500),
            ttft_per_token: 40.0,
            tpot: Span::from_millis(15),
            expected_output: 256,
        }
    }
}

impl Prior {
    fn model(&self) -> Model {
        Model {
            first_ms: self.ttft.as_millis_f64() as f32,
            per_input_us: self.ttft_per_token.max(0.0) as f32,
            per_output_us: self.tpot.as_micros() as f32,
        }
    }

    /// Output tokens assumed of an answer of `class`.
    fn output(&self, class: Class) -> u32 {
        if class.decodes() {
            self.expected_output.max(1)
        } else {
            1
        }
    }
}

/// What is asked of a route.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The kind of work; streaming is in it.
    pub class: Class,
    /// Input tokens, estimated.
    pub input_tokens: u32,
    /// The most output tokens that the client allows.
    pub max_tokens: Option<u32>,
    /// When the client stops waiting.
    pub deadline: Option<Time>,
    /// Whether it is short and repeatable enough to be a probe.
    pub probe_ok: bool,
    /// The candidate that served its session last, if it is of one.
    pub affinity: Option<Affinity>,
}

/// The drift and the model of one class.
#[derive(Debug)]
struct Pace {
    /// [`Drift`], written at first bytes and completions.
    drift: Word,
    /// [`Model`], written by the fitter.
    model: Word,
}

/// What the selector reads.
///
/// In this order, so that the first 64 bytes are all that streamed chat needs.
#[derive(Debug)]
#[repr(C)]
struct Hot {
    /// Decayed counts of the last seconds.
    err_fast: Word,
    /// Decayed counts of the last minutes.
    err_slow: Word,
    /// [`Circuit`].
    circuit: Word,
    gate: Gate,
    paces: [Pace; Class::COUNT],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Hot>() == 128, "the hot line is one slot");
#[cfg(not(loom))]
const _: () = assert!(
    size_of::<CachePadded<Hot>>() == 128,
    "the hot line is one slot"
);

/// What attempts write and the selector glances at; in this order, so that its part is in the first 64 bytes.
#[derive(Debug)]
#[repr(C)]
struct Flow {
    /// Attempts in flight; a statistic.
    inflight: AtomicU32,
    /// The parent's error rate as of the last attempt or fit, as `f32` bits: saves the selector a line; a statistic.
    parent_rate: AtomicU32,
    /// Decayed time of failed attempts in ms, as `f32` bits; 0 = none seen.
    fail_ms: Word,
    cold: Box<Cold>,
    /// Requests decided for the pool while this route was open; guards nothing.
    skipped: Word,
    /// Attempts begun.
    dispatched: AtomicU64,
    /// Updates given up by the CAS loop; anything above 0 is a defect.
    dropped: AtomicU64,
    /// Mean output tokens of an answer by class, published by the fitter.
    outputs: [AtomicU32; Class::COUNT],
}

/// Statistics that only views read.
#[derive(Debug)]
struct Counters {
    outcomes: [AtomicU64; Outcome::COUNT],
    tokens_in: AtomicU64,
    tokens_out: AtomicU64,
    /// Times that its circuit opened or its key was held.
    trips: AtomicU64,
}

/// What is rarely touched, or only off the request path.
#[derive(Debug)]
struct Cold {
    limits: Limits,
    steer: Steer,
    parent: Arc<Parent>,
    rules: Rules,
    norm: Norm,
    prior_outputs: [u32; Class::COUNT],
    sums: [Sums; Class::COUNT],
    /// `[level: f32 | scale: f32]` of the own baseline by class, published by the fitter.
    baselines: [Word; Class::COUNT],
    fitter: Mutex<Fitter>,
}

#[derive(Debug)]
struct Fitter {
    memories: [Memory; Class::COUNT],
    last: Option<Time>,
}

/// The statistics of one route; shared by every thread, changed without locks.
#[derive(Debug)]
pub struct Route {
    hot: CachePadded<Hot>,
    flow: CachePadded<Flow>,
    counters: CachePadded<Counters>,
}

/// A request as the selector reads it: [`Ask`] with what is the same for every candidate worked out once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) class: Class,
    /// Input tokens, estimated.
    pub(crate) input: f32,
    /// Output tokens expected of the answer.
    pub(crate) output: f32,
    /// The factors of a model's word.
    pub(crate) weights: [f32; 3],
    charge: Charge,
    pub(crate) want: Want,
    pub(crate) affinity: Option<Affinity>,
    now: Time,
    pub(crate) tick: Tick,
}

impl Asked {
    pub(crate) fn new(ask: &Ask, output: f32, now: Time, rules: &Rules) -> Self {
        let tuning = &rules.tuning;
        let charge = charge(ask, output);
        Self {
            class: ask.class,
            input: ask.input_tokens as f32,
            output,
            weights: Model::weights(ask.class, ask.input_tokens as f32, output),
            charge,
            affinity: ask.affinity,
            want: Want::of(charge, tuning.ceiling.output_charge, tuning.cost.hot_from),
            now,
            tick: now.tick(),
        }
    }

    /// When it is asked.
    pub(crate) const fn now(&self) -> Time {
        self.now
    }
}

/// What the selector reads of a route for one request; the formulae are applied to several at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) circuit: u64,
    /// Part of the doubt that idle time has left; 0..=1.
    pub(crate) rested: f32,
    pub(crate) slow: ewma::Stored,
    pub(crate) fast: ewma::Stored,
    /// The parent's error rate; 0..=1.
    pub(crate) parent: f32,
    pub(crate) drift: drift::Stored,
    /// The fields of the model's word.
    pub(crate) model: [i32; 3],
    /// Time that a failed attempt takes, in ms.
    pub(crate) fail_ms: f32,
    pub(crate) ceilings: Seen,
}

/// Chance that an attempt fails: the rate of the last seconds, with that of the last minutes as prior, whose prior is the parent's; 0..=1.
///
/// Less `benefit` standard errors, at the attempts of the last seconds and their prior: a short request would otherwise shun a route for the one failure that any route has now and then.
/// Multiplied out, so that it takes one quotient and one root.
#[inline(always)]
pub(crate) fn failure(slow: Counts, fast: Counts, parent: f32, error: &ErrorTuning) -> f32 {
    let slow_weight = slow.attempts + error.slow_prior;
    let slow_failures = smaller(slow.failures + error.slow_prior * parent, slow_weight);
    let attempts = fast.attempts + error.fast_prior;
    let whole = attempts * slow_weight;
    let failures = fast.failures * slow_weight + error.fast_prior * slow_failures;
    let rate = smaller(failures, whole) / whole;
    let spread = (rate * (1.0 - rate) / attempts).sqrt();
    larger(rate - error.benefit * spread, 0.0)
}

/// Whether the rate of the last minutes is provably above `limit`: by one standard error.
#[inline(always)]
pub(crate) fn is_proven(slow: Counts, limit: f32) -> bool {
    slow.exceeds(limit, 1.0)
}

/// The lower confidence bound by which it is; 0..=1.
pub(crate) fn proven_failure(slow: Counts) -> f32 {
    slow.lower_bound(1.0)
}

impl Route {
    /// A route of which nothing is known yet.
    #[must_use]
    pub fn new(parent: Arc<Parent>, prior: &Prior, told: &ToldLimits, tuning: &Tuning) -> Self {
        let model = prior.model();
        let prior_outputs = Class::ALL.map(|class| prior.output(class));
        let cold = Box::new(Cold {
            limits: Limits::new(told, tuning),
            steer: Steer::new(),
            parent,
            rules: Rules::new(tuning),
            norm: Norm::new(&model),
            prior_outputs,
            sums: core::array::from_fn(|_| Sums::new()),
            baselines: core::array::from_fn(|_| Word::new(pair(0.0, 0.3))),
            fitter: Mutex::new(Fitter {
                memories: core::array::from_fn(|_| Memory::new()),
                last: None,
            }),
        });
        Self {
            hot: CachePadded::new(Hot {
                err_fast: Word::new(0),
                err_slow: Word::new(0),
                circuit: Word::new(Circuit::CLOSED.pack()),
                gate: Gate::new(told, tuning),
                paces: Class::ALL.map(|class| Pace {
                    drift: Word::new(0),
                    model: Word::new(model.pack(class)),
                }),
            }),
            flow: CachePadded::new(Flow {
                inflight: AtomicU32::new(0),
                parent_rate: AtomicU32::new(tuning.error.base_rate.to_bits()),
                fail_ms: Word::new(0),
                cold,
                skipped: Word::new(0),
                dispatched: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                outputs: prior_outputs.map(AtomicU32::new),
            }),
            counters: CachePadded::new(Counters {
                outcomes: core::array::from_fn(|_| AtomicU64::new(0)),
                tokens_in: AtomicU64::new(0),
                tokens_out: AtomicU64::new(0),
                trips: AtomicU64::new(0),
            }),
        }
    }

    /// Whether regular traffic may use the route: its circuit is neither open nor held, and no operator has drained it.
    ///
    /// A drain that ends by itself counts up to a second longer here.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.circuit().admits() && self.hot.gate.steered() & DRAINED == 0
    }

    fn cold(&self) -> &Cold {
        &self.flow.cold
    }

    pub(crate) fn circuit(&self) -> Circuit {
        Circuit::unpack(self.hot.circuit.load())
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.flow.skipped.load()
    }

    /// Notes that a request was decided while this route was set aside.
    pub(crate) fn skip(&self) {
        self.flow.skipped.fetch_add(1);
    }

    pub(crate) fn inflight(&self) -> u32 {
        self.flow.inflight.load(Ordering::Relaxed)
    }

    /// Mean output tokens of an answer of `class`, as last fitted.
    pub(crate) fn expected_output(&self, class: Class) -> u32 {
        self.flow.outputs[class.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn model(&self, class: Class) -> Model {
        Model::unpack(self.hot.paces[class.index()].model.load(), class)
    }

    pub(crate) fn drift(&self, class: Class) -> Drift {
        Drift::unpack(self.hot.paces[class.index()].drift.load())
    }

    /// The parent's error rate as last looked up; 0..=1.
    fn parent_rate(&self) -> f32 {
        f32::from_bits(self.flow.parent_rate.load(Ordering::Relaxed))
    }

    /// Looks the parent's error rate up.
    fn ask_parent(&self, now: Tick) {
        let rate = self.cold().parent.rate(now, &self.cold().rules);
        self.flow
            .parent_rate
            .store(rate.to_bits(), Ordering::Relaxed);
    }

    /// The error rate of the last minutes, with the parent's as prior; 0..=1.
    pub(crate) fn slow_rate(&self, now: Tick, rules: &Rules) -> f32 {
        let slow = ewma::read(self.hot.err_slow.load(), now, &rules.slow);
        slow.rate(rules.tuning.error.slow_prior, self.parent_rate())
    }

    /// Chance that an attempt fails; 0..=1.
    pub(crate) fn failure(&self, now: Tick, rules: &Rules) -> f32 {
        let slow = ewma::read(self.hot.err_slow.load(), now, &rules.slow);
        let fast = ewma::read(self.hot.err_fast.load(), now, &rules.fast);
        failure(slow, fast, self.parent_rate(), &rules.tuning.error)
    }

    /// Everything that the selector needs.
    #[inline(always)]
    pub(crate) fn glance(&self, asked: &Asked, rules: &Rules) -> Glance {
        let (hot, tick) = (&self.hot, asked.tick);
        let pace = &hot.paces[asked.class.index()];
        let circuit = hot.circuit.load();
        Glance {
            circuit,
            rested: if Circuit::doubt_of(circuit) >= rules.doubt_from {
                self.rest(tick, rules)
            } else {
                1.0
            },
            slow: ewma::Stored::at(hot.err_slow.load(), tick, &rules.slow),
            fast: ewma::Stored::at(hot.err_fast.load(), tick, &rules.fast),
            parent: self.parent_rate(),
            drift: drift::Stored::at(pace.drift.load(), tick, rules),
            model: fields(pace.model.load()),
            fail_ms: self.fail_ms(),
            ceilings: ceiling::see(
                &hot.gate,
                &self.cold().limits,
                &asked.want,
                self.inflight(),
                asked.now,
            ),
        }
    }

    /// Part of the doubt that the time since the last sample has left; 0..=1.
    pub(crate) fn rest(&self, now: Tick, rules: &Rules) -> f32 {
        rules
            .rest
            .factor(ewma::staleness(self.hot.err_fast.load(), now))
    }

    /// Ticks since the last sample; `u32::MAX` if there was none.
    pub(crate) fn staleness(&self, asked: &Asked) -> u32 {
        let errors = ewma::staleness(self.hot.err_fast.load(), asked.tick);
        self.drift(asked.class).staleness(asked.tick).min(errors)
    }

    /// Whether the class clearly stands out against its own baseline.
    pub(crate) fn is_degraded(&self, class: Class, now: Tick) -> bool {
        let (level, _) = unpair(self.cold().baselines[class.index()].load());
        let rules = &self.cold().rules;
        stands_out(self.drift(class).at(now, rules), level, rules)
    }

    /// How long until the ceilings have room for the request.
    pub(crate) fn wait(&self, asked: &Asked) -> Span {
        ceiling::wait(
            &self.hot.gate,
            &self.cold().limits,
            asked.charge,
            self.inflight(),
            asked.now,
        )
    }

    /// Claims the probe of a route that is due one; false if another was faster or the parent has one already.
    pub(crate) fn claim_probe(&self, now: Time, rules: &Rules) -> bool {
        let (tick, circuit) = (now.tick(), &rules.tuning.circuit);
        let skipped = self.skipped();
        let swap = self.hot.circuit.update(|word| {
            Circuit::unpack(word)
                .claim(tick, skipped, circuit)
                .map_or(word, Circuit::pack)
        });
        if swap.is_none_or(|swap| swap.before == swap.after) {
            return false;
        }
        if self.cold().parent.claim(tick) {
            return true;
        }
        self.hot
            .circuit
            .update(|word| Circuit::unpack(word).unclaimed(tick).pack());
        false
    }

    fn fail_ms(&self) -> f32 {
        match self.flow.fail_ms.load() {
            0 => FAIL_MS_UNSEEN,
            bits => f32::from_bits(bits as u32),
        }
    }
}

/// Whether a drift, now, is clearly worse than the baseline of this level.
fn stands_out(drift: Drift, level: f32, rules: &Rules) -> bool {
    drift.streak >= DEGRADED_STREAK && drift.mean + level > rules.degraded_ln
}

/// What `ask` would be charged with.
fn charge(ask: &Ask, output: f32) -> Charge {
    Charge {
        input_tokens: ask.input_tokens,
        reserved_output_tokens: ask.max_tokens.unwrap_or(output as u32),
    }
}

/// Two `f32` in one word.
fn pair(high: f32, low: f32) -> u64 {
    u64::from(high.to_bits()) << 32 | u64::from(low.to_bits())
}

/// The two `f32` of a word.
fn unpair(word: u64) -> (f32, f32) {
    (
        f32::from_bits((word >> 32) as u32),
        f32::from_bits(word as u32),
    )
}
