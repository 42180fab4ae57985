//! One attempt in flight: from its start to its one outcome.
//!
//! The guard counts itself in flight, charges the ceilings, and turns what the caller tells it into samples.
//! Time is measured from the moment the request was written, so waiting for a connection is never the provider's latency.
//!
//! # Invariants
//! - Every attempt ends in exactly one [`Outcome`]; dropped untold, it was canceled.
//! - The in-flight count and the ceilings' charge are given back exactly once.
//! - An overdue attempt counts once, whatever follows.

use std::ops::Deref;

use crate::Class;
use crate::atomics::Ordering;
use crate::ceiling::{self, Charged, LimitReport, Refusal, Settled};
use crate::health::{Role, Sender};
use crate::latency::Model;
use crate::latency::fit::Sample;
use crate::outcome::{Effect, Outcome};
use crate::select::{Mode, Pick};
use crate::time::{Span, Time};

use super::record::Verdict;
use super::{Ask, Route, charge};

/// Largest multiple of the prediction after which an attempt is overdue, however noisy the route: images vary by a factor of e.
const OVERDUE_MAX: f32 = 20.0;
/// Standard deviations of latency that a normal answer stays within.
const OVERDUE_SIGMAS: f32 = 3.0;
/// Multiples of the expected output that an unbounded answer may have before it is overdue.
const LONG_ANSWER: f32 = 4.0;
/// Multiples of the prediction beyond which a cancellation says that the route was slow.
const CENSORED_FROM: f32 = 2.0;
/// Output tokens below which the time after the first byte says nothing about speed.
const DECODE_MIN: f32 = 16.0;
/// Failures charged to the parent when it is to blame, per failure of the child.
const PARENT_BLAME: f32 = 2.0;
/// Jitter of a circuit that opens on an overdue attempt, which has no random number at hand.
const OVERDUE_JITTER: f32 = 0.5;

/// How an attempt ended, with what is known of its size.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
    /// Input tokens, as billed.
    pub input_tokens: Option<u32>,
    /// Output tokens, as billed.
    pub output_tokens: Option<u32>,
    /// What the provider asked us to wait.
    pub retry_after: Option<Span>,
    /// A random number from the caller's RNG; 0..1.
    pub jitter: f32,
}

impl End {
    /// An end of which only the outcome is known.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            input_tokens: None,
            output_tokens: None,
            retry_after: None,
            jitter: 0.5,
        }
    }
}

/// One attempt in flight: must be told how it ended; dropped untold, it was canceled.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as canceled"]
pub struct Attempt<R: Deref<Target = Route>> {
    route: R,
    class: Class,
    role: Role,
    probe: bool,
    input: f32,
    /// Input tokens that are not kept from an earlier prompt, probably; 0..=`input`.
    fresh: f32,
    /// Output tokens expected of the answer.
    output: f32,
    model: Model,
    started: Time,
    sent: Time,
    /// The latest instant the attempt was told.
    latest: Time,
    first_byte: Option<Time>,
    overdue_at: Time,
    /// Multiples of the prediction within which an overdue answer is refunded.
    refund: f32,
    charged: Option<Charged>,
    /// Whether an overdue failure was counted.
    late: bool,
    /// Whether the circuit was credited at the first byte.
    credited: bool,
}

impl<R: Deref<Target = Route>> Attempt<R> {
    /// Begins an attempt on the route that `pick` chose for `ask`: one more in flight, the ceilings charged.
    pub fn begin(route: R, ask: &Ask, pick: &Pick, now: Time) -> Self {
        let output = expected_output(&route, ask);
        let model = route.model(ask.class);
        let charged = ceiling::charge(
            &route.hot.gate,
            &route.cold().limits,
            charge(ask, output),
            now,
        );
        route.flow.inflight.fetch_add(1, Ordering::Relaxed);
        route.flow.dispatched.fetch_add(1, Ordering::Relaxed);
        let kept = ask.affinity.filter(|it| it.candidate == pick.index);
        let kept = kept.map_or(0, |it| it.cached_tokens);
        let mut attempt = Self {
            class: ask.class,
            role: role(pick.mode),
            probe: pick.mode == Mode::Probe,
            input: ask.input_tokens as f32,
            fresh: ask.input_tokens.saturating_sub(kept) as f32,
            output,
            model,
            started: now,
            sent: now,
            latest: now,
            first_byte: None,
            overdue_at: now,
            refund: 0.0,
            charged: Some(charged),
            late: false,
            credited: false,
            route,
        };
        attempt.set_overdue(ask);
        attempt
    }

    /// The route it runs on.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// When it began.
    #[must_use]
    pub const fn started(&self) -> Time {
        self.started
    }

    /// When it becomes overdue: at about three times the predicted first byte (streams) or answer.
    #[must_use]
    pub const fn overdue_at(&self) -> Time {
        self.overdue_at
    }

    /// Says that [`overdue_at`](Self::overdue_at) has passed and nothing has come; counts once.
    pub fn overdue(&mut self, now: Time) {
        self.latest = self.latest.max(now);
        if self.late || self.first_byte.is_some() {
            return;
        }
        self.late = true;
        let tick = now.tick();
        let base_rate = self.route.slow_rate(tick, &self.route.cold().rules);
        let sender = self.sender(now);
        self.route.count(1.0, 1.0, 1.0, tick);
        let failure = Verdict::Failure {
            weight: 1.0,
            jitter: OVERDUE_JITTER,
        };
        self.route.judge(failure, sender, base_rate, tick);
        self.censored(1.0, now);
        self.end_probe();
    }

    /// Says that the request is fully written on a live connection; until then the beginning counts.
    pub fn sent(&mut self, now: Time) {
        let waited = now.since(self.sent);
        self.sent = self.sent.plus(waited);
        self.overdue_at = self.overdue_at.plus(waited);
        self.latest = self.latest.max(now);
    }

    /// Says that the first content byte has come; later calls change nothing.
    pub fn first_byte(&mut self, now: Time) {
        self.latest = self.latest.max(now);
        if self.first_byte.is_some() {
            return;
        }
        self.first_byte = Some(now);
        if !self.class.streams() {
            return;
        }
        let took_ms = ms(now.since(self.sent));
        let input = self.read(took_ms, |input| self.model.first(input));
        let sample = Sample {
            first: true,
            input,
            decoded: 0.0,
            took_ms,
            predicted_ms: self.model.first(input),
            clip_ms: f32::MAX,
        };
        self.route.timed(self.class, sample, now.tick());
        if !self.late && (self.role != Role::Regular || !self.route.circuit().is_calm()) {
            let tick = now.tick();
            let base_rate = self.route.slow_rate(tick, &self.route.cold().rules);
            self.route
                .judge(Verdict::Success, self.sender(now), base_rate, tick);
            self.credited = true;
            self.end_probe();
        }
    }

    /// Says what the response told about limits.
    pub fn limits(&mut self, report: &LimitReport, now: Time) {
        self.latest = self.latest.max(now);
        if let Some(charged) = &mut self.charged {
            ceiling::observe(
                &self.route.hot.gate,
                &self.route.cold().limits,
                charged,
                report,
                now,
            );
        }
    }

    /// Ends the attempt.
    pub fn finish(mut self, end: &End, now: Time) {
        self.conclude(end, now);
    }

    fn conclude(&mut self, end: &End, now: Time) {
        let Some(charged) = self.charged.take() else {
            return;
        };
        let effect = end.outcome.effect();
        self.settle(charged, end, effect, now);
        self.health(end, effect, now);
        self.latency(end, now);
        self.end_probe();
        let counters = &self.route.counters;
        counters.outcomes[end.outcome.index()].fetch_add(1, Ordering::Relaxed);
        counters
            .tokens_in
            .fetch_add(end.input_tokens.unwrap_or(0).into(), Ordering::Relaxed);
        counters
            .tokens_out
            .fetch_add(end.output_tokens.unwrap_or(0).into(), Ordering::Relaxed);
        self.route.flow.inflight.fetch_sub(1, Ordering::Relaxed);
    }

    fn settle(&self, charged: Charged, end: &End, effect: Effect, now: Time) {
        let (gate, limits) = (&self.route.hot.gate, &self.route.cold().limits);
        if effect.feeds_ceiling {
            let refusal = Refusal {
                retry_after: end.retry_after,
                jitter: end.jitter,
                inflight: self.route.inflight(),
            };
            ceiling::reject(gate, limits, charged, refusal, now);
        } else {
            let settled = Settled {
                input: end.input_tokens,
                output: end.output_tokens,
                outcome: end.outcome,
            };
            ceiling::settle(gate, limits, charged, settled, now);
        }
    }

    /// Error counts and circuit.
    fn health(&mut self, end: &End, effect: Effect, now: Time) {
        let (route, tick) = (&*self.route, now.tick());
        let base_rate = route.slow_rate(tick, &route.cold().rules);
        let sender = self.sender(now);
        let verdict = Verdict::of(end.outcome, effect, end.jitter);
        match verdict {
            Verdict::Success if self.late => {
                if self.within_refund(now) {
                    route.count(0.0, -1.0, -1.0, tick);
                    route.judge(Verdict::Refund, sender, base_rate, tick);
                }
            }
            Verdict::Success => {
                route.count(1.0, 0.0, 0.0, tick);
                if !self.credited {
                    route.judge(verdict, sender, base_rate, tick);
                }
            }
            Verdict::Failure { weight, jitter } => {
                let counted = if self.late { 1.0 } else { 0.0 };
                let more = (effect.error_weight - counted).max(0.0);
                let blame = if effect.blames_parent {
                    PARENT_BLAME * effect.error_weight - counted
                } else {
                    more
                };
                route.count(1.0 - counted, more, blame, tick);
                let weight = weight - counted;
                if weight > 0.0 {
                    route.judge(Verdict::Failure { weight, jitter }, sender, base_rate, tick);
                }
                route.failed_after(ms(now.since(self.sent)));
            }
            _ => route.judge(verdict, sender, base_rate, tick),
        }
    }

    /// Drift and fit.
    fn latency(&self, end: &End, now: Time) {
        match end.outcome {
            Outcome::Success => self.answered(end, now),
            // Overdue, it was told already.
            Outcome::TimedOut if self.first_byte.is_none() && !self.late => {
                self.censored(1.0, now);
            }
            Outcome::Canceled if self.first_byte.is_none() => self.censored(CENSORED_FROM, now),
            _ => {}
        }
    }

    fn answered(&self, end: &End, now: Time) {
        let output = end.output_tokens.map(|tokens| tokens.max(1));
        if let Some(tokens) = output
            && self.class.decodes()
        {
            self.route.answered(self.class, tokens);
        }
        let tokens = if self.class.decodes() {
            output.map_or(self.output, |tokens| tokens as f32)
        } else {
            1.0
        };
        match self.first_byte.filter(|_| self.class.streams()) {
            Some(first_byte) => {
                let decoded = tokens - 1.0;
                if output.is_none() || decoded < DECODE_MIN {
                    return;
                }
                let predicted_ms = self.model.per_output_us * decoded * 1e-3;
                let took_ms = ms(now.since(first_byte));
                let sample = Sample {
                    first: false,
                    input: 0.0,
                    decoded,
                    took_ms,
                    predicted_ms,
                    clip_ms: f32::MAX,
                };
                self.route.timed(self.class, sample, now.tick());
            }
            None => {
                let took_ms = ms(now.since(self.sent));
                let input = self.read(took_ms, |input| self.model.whole(input, tokens));
                let sample = Sample {
                    first: true,
                    input,
                    decoded: tokens - 1.0,
                    took_ms,
                    predicted_ms: self.model.whole(input, tokens),
                    clip_ms: f32::MAX,
                };
                self.route.timed(self.class, sample, now.tick());
            }
        }
    }

    /// Input tokens that the provider read anew: those that its time agrees with better, all of them or those that it had not kept.
    ///
    /// Why a guess: what was kept is told at the end of a stream, if at all; a hit taken for a miss would make the route look fast, a miss taken for a hit would make it look ill.
    fn read(&self, took_ms: f32, predicted_ms: impl Fn(f32) -> f32) -> f32 {
        let off = |input| {
            (took_ms.max(1e-3) / predicted_ms(input).max(1e-3))
                .ln()
                .abs()
        };
        if self.fresh < self.input && off(self.fresh) < off(self.input) {
            return self.fresh;
        }
        self.input
    }

    /// A time that is only known to be at least this long: feeds the drift if it is longer than `from` predictions.
    fn censored(&self, from: f32, now: Time) {
        let ratio = ms(now.since(self.sent)) / self.predicted_ms();
        if ratio > from {
            self.route.drifted(self.class, ratio.ln(), now.tick());
        }
    }

    fn within_refund(&self, now: Time) -> bool {
        let came = self
            .first_byte
            .filter(|_| self.class.streams())
            .unwrap_or(now);
        ms(came.since(self.sent)) < self.refund * self.predicted_ms()
    }

    /// What the first byte (streams) or the whole answer was predicted to take, in ms.
    fn predicted_ms(&self) -> f32 {
        if self.class.streams() {
            self.model.first(self.input)
        } else {
            self.model.whole(self.input, self.output)
        }
    }

    fn set_overdue(&mut self, ask: &Ask) {
        let latency = &self.route.cold().rules.tuning.latency;
        let drift = self
            .route
            .drift(self.class)
            .at(self.started.tick(), &self.route.cold().rules);
        let now_factor = if self.probe {
            // Why: what is known of a route that is set aside comes from attempts that hung; believed, a probe would hang as long.
            latency.overdue
        } else {
            let factor = (OVERDUE_SIGMAS * drift.scale)
                .exp()
                .clamp(latency.overdue, OVERDUE_MAX.max(latency.overdue));
            factor * drift.mean.max(0.0).exp()
        };
        let longest = if self.class.decodes() {
            ask.max_tokens
                .map_or(LONG_ANSWER * self.output, |most| most as f32)
                .max(self.output)
        } else {
            self.output
        };
        let predicted = if self.class.streams() {
            self.model.first(self.input)
        } else {
            self.model.whole(self.input, longest)
        };
        let wait = Span::from_millis((predicted * now_factor) as u64).max(latency.overdue_floor);
        self.overdue_at = self.started.plus(wait);
        self.refund =
            now_factor * latency.refund / latency.overdue * predicted / self.predicted_ms();
    }

    fn sender(&self, now: Time) -> Sender {
        Sender {
            role: self.role,
            started: self.started.tick(),
            rested: self.route.rest(now.tick(), &self.route.cold().rules),
        }
    }

    /// The probe has served its purpose: from here on this is an attempt like any other.
    fn end_probe(&mut self) {
        self.role = Role::Regular;
        if std::mem::take(&mut self.probe) {
            self.route.release_parent();
        }
    }
}

impl<R: Deref<Target = Route>> Drop for Attempt<R> {
    fn drop(&mut self) {
        let latest = self.latest;
        self.conclude(&End::of(Outcome::Canceled), latest);
    }
}

fn role(mode: Mode) -> Role {
    match mode {
        Mode::Probe => Role::Probe,
        Mode::Panic => Role::LastResort,
        Mode::Normal | Mode::Followed | Mode::Explored | Mode::Hot | Mode::Pinned => Role::Regular,
    }
}

/// Output tokens that the route expects of `ask`.
fn expected_output(route: &Route, ask: &Ask) -> f32 {
    let mean = if ask.class.decodes() {
        route.expected_output(ask.class).max(1)
    } else {
        1
    };
    ask.max_tokens.map_or(mean, |most| mean.min(most.max(1))) as f32
}

fn ms(span: Span) -> f32 {
    span.as_millis_f64() as f32
}
