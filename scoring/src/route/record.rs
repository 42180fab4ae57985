//! How a route learns: what each event of an attempt writes, and the background fit and sweep.
//!
//! # Invariants
//! - Recording is a fixed number of atomic updates: no lock, no allocation, no wait.
//! - Every update that the CAS loop gives up is counted.

use crate::Class;
use crate::atomics::Ordering;
use crate::ceiling;
use crate::cell::Swap;
use crate::ewma;
use crate::health::{Blow, Circuit, Position, Sender};
use crate::latency::drift::{Baseline, Drift};
use crate::latency::fit::{Family, Memory, Sample};
use crate::outcome::{Effect, Outcome};
use crate::time::{Tick, Time};

use super::{Route, pair, unpair};

/// Weight of one failure in the mean time of failed attempts.
const FAIL_WEIGHT: f32 = 0.2;
/// Change of the model, as ln, below which the drift is not rebased: what the drift's packing resolves.
const REBASE_MIN: f32 = 1e-4;

/// What the circuit makes of an attempt's end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Success,
    Failure { weight: f32, jitter: f32 },
    Neutral,
    Hold(Position),
    Refund,
}

impl Verdict {
    pub(super) fn of(outcome: Outcome, effect: Effect, jitter: f32) -> Self {
        match outcome {
            Outcome::KeyRejected => Self::Hold(Position::KeyHeld),
            Outcome::Unsupported => Self::Hold(Position::Unsupported),
            Outcome::Success => Self::Success,
            _ if effect.cusum_weight > 0.0 => Self::Failure {
                weight: effect.cusum_weight,
                jitter,
            },
            _ => Self::Neutral,
        }
    }
}

impl Route {
    /// Adds to the error counts of the route and its parent; negative amounts take back.
    pub(super) fn count(&self, attempts: f32, failures: f32, parent_failures: f32, now: Tick) {
        let rules = &self.cold().rules;
        let fast = self
            .hot
            .err_fast
            .update(|word| ewma::add(word, now, attempts, failures, &rules.fast));
        let slow = self
            .hot
            .err_slow
            .update(|word| ewma::add(word, now, attempts, failures, &rules.slow));
        let parent = self
            .cold()
            .parent
            .record(now, attempts, parent_failures, rules);
        let given_up = [fast.is_none(), slow.is_none(), parent.is_none()]
            .into_iter()
            .filter(|&lost| lost)
            .count();
        self.dropped(given_up as u64);
        self.ask_parent(now);
    }

    /// Moves the circuit; `base_rate` is the slow error rate before the event.
    pub(super) fn judge(&self, verdict: Verdict, sender: Sender, base_rate: f32, now: Tick) {
        let (rules, circuit) = (&self.cold().rules, &self.cold().rules.tuning.circuit);
        let quiet = ewma::read(self.hot.err_fast.load(), now, &rules.fast).attempts
            < circuit.quiet_attempts;
        let swap = self.hot.circuit.update(|word| {
            let here = Circuit::unpack(word);
            let here = match verdict {
                // Why: it is no sample, so the time since the last one would be counted again by the next event.
                Verdict::Neutral | Verdict::Hold(_) => here,
                _ => here.rested(sender.rested, now),
            };
            let there = match verdict {
                Verdict::Success => here.success(sender, now, base_rate, circuit),
                Verdict::Failure { weight, jitter } => here.failure(
                    sender,
                    now,
                    Blow {
                        weight,
                        quiet,
                        base_rate,
                        jitter,
                    },
                    circuit,
                ),
                Verdict::Neutral => here.neutral(sender, now),
                Verdict::Hold(position) => here.hold(position, sender, now, circuit),
                Verdict::Refund => here.refunded(base_rate, circuit),
            };
            there.pack()
        });
        match swap {
            Some(swap) if swap.before != swap.after => self.turned(swap, now),
            Some(_) => {}
            None => self.dropped(1),
        }
    }

    /// What follows from a change of the circuit.
    fn turned(&self, swap: Swap, now: Tick) {
        let (before, after) = (Circuit::unpack(swap.before), Circuit::unpack(swap.after));
        if before.opens_as(after) {
            self.flow.skipped.store(0);
            if before.admits() {
                self.counters.trips.fetch_add(1, Ordering::Relaxed);
            }
            if before.admits() && after.position == Position::Open {
                self.cold().parent.child_tripped(now, &self.cold().rules);
            }
        }
        let keep = self.cold().rules.tuning.circuit.forget;
        if !before.admits() && after.admits() {
            for pace in &self.hot.paces {
                // Why: it was fed by attempts that hung, and would keep the route out of the band that its ramp gives it a part of.
                pace.drift
                    .update(|word| Drift::unpack(word).scaled(keep).pack());
            }
            self.hot.err_fast.update(|word| ewma::scale(word, keep));
            self.hot.err_slow.update(|word| ewma::scale(word, keep));
            self.cold().parent.child_recovered(keep);
        }
        if before.position == Position::Recovering && after.position == Position::Closed {
            self.hot.err_fast.update(|word| ewma::forgive(word, keep));
            self.hot.err_slow.update(|word| ewma::forgive(word, keep));
        }
    }

    /// Gives the parent's only probe back.
    pub(super) fn release_parent(&self) {
        self.cold().parent.release();
    }

    /// Notes how long a failed attempt took.
    pub(super) fn failed_after(&self, took_ms: f32) {
        let seen = self.flow.fail_ms.update(|bits| {
            let held = f32::from_bits(bits as u32);
            let mean = if bits == 0 {
                took_ms
            } else {
                held + FAIL_WEIGHT * (took_ms - held)
            };
            u64::from(mean.max(0.1).to_bits())
        });
        self.dropped(u64::from(seen.is_none()));
    }

    /// Feeds `ln(observed / predicted)` to the drift of `class`.
    pub(super) fn drifted(&self, class: Class, ln: f32, now: Tick) {
        let (level, scale) = unpair(self.cold().baselines[class.index()].load());
        let baseline = Baseline { level, scale };
        let fed = self.hot.paces[class.index()].drift.update(|word| {
            Drift::unpack(word)
                .fed(ln, now, baseline, &self.cold().rules)
                .pack()
        });
        self.dropped(u64::from(fed.is_none()));
    }

    /// Feeds one observation to the drift and to the sums of the fit.
    pub(super) fn timed(&self, class: Class, sample: Sample, now: Tick) {
        let ratio = sample.took_ms.max(1e-3) / sample.predicted_ms.max(1e-3);
        self.drifted(class, ratio.ln(), now);
        let clip_ms = self.clip(class, sample.predicted_ms);
        self.cold().sums[class.index()].add(&Sample { clip_ms, ..sample }, &self.cold().norm);
    }

    /// Feeds the length of one answer.
    pub(super) fn answered(&self, class: Class, output: u32) {
        self.cold().sums[class.index()].add_output(output);
    }

    /// The most that one sample is believed to have taken, in ms.
    fn clip(&self, class: Class, predicted_ms: f32) -> f32 {
        let drift = self.drift(class);
        if !drift.is_measured() {
            return f32::MAX;
        }
        predicted_ms * self.cold().rules.tuning.latency.clip * drift.mean.max(0.0).exp()
    }

    pub(super) fn dropped(&self, updates: u64) {
        if updates > 0 {
            self.flow.dropped.fetch_add(updates, Ordering::Relaxed);
        }
    }

    /// Refits the latency model; call it about 4 times a second, off the request path.
    ///
    /// Does nothing if another thread is fitting this route. Knows nothing of siblings: see [`Pool::fit`](crate::select::Pool::fit).
    pub fn fit(&self, now: Time) {
        self.fit_among(None, now);
    }

    /// Adds what was learned up to the last fit to `pooled`, by class.
    pub(crate) fn pour(&self, pooled: &mut [Memory; Class::COUNT]) {
        if let Ok(fitter) = self.cold().fitter.try_lock() {
            for (all, own) in pooled.iter_mut().zip(&fitter.memories) {
                all.pour(own);
            }
        }
    }

    /// Refits the latency model towards what the siblings have in common.
    pub(crate) fn fit_among(&self, families: Option<&[Family; Class::COUNT]>, now: Time) {
        self.ask_parent(now.tick());
        let Ok(mut fitter) = self.cold().fitter.try_lock() else {
            return;
        };
        let latency = &self.cold().rules.tuning.latency;
        let elapsed = fitter
            .last
            .map_or(0.0, |last| now.since(last).as_secs_f64());
        fitter.last = Some(now);
        let over_tau = elapsed / latency.tau_fit.as_secs_f64();
        for class in Class::ALL {
            let index = class.index();
            let memory = &mut fitter.memories[index];
            let family = families.map(|families| &families[index]);
            self.fit_class(class, memory, family, over_tau);
        }
    }

    fn fit_class(&self, class: Class, memory: &mut Memory, family: Option<&Family>, over_tau: f64) {
        let index = class.index();
        let fresh = memory.fold(&self.cold().sums[index], (-over_tau).exp());
        let prior_output = f64::from(self.cold().prior_outputs[index]);
        let mut ln = 0.0;
        if fresh || (family.is_some() && !memory.is_empty()) {
            let fitted = memory.solve(
                &self.cold().norm,
                f64::from(self.cold().rules.tuning.latency.ridge),
                family.unwrap_or(&Family::PRIOR),
                prior_output,
            );
            let before = self.model(class);
            self.hot.paces[index].model.store(fitted.model.pack(class));
            let after = self.model(class);
            let (input, output) = (fitted.input as f32, fitted.output as f32);
            ln = if class.streams() {
                (after.first(input) / before.first(input)).ln()
            } else {
                (after.whole(input, output) / before.whole(input, output)).ln()
            };
            self.flow.outputs[index].store(fitted.output.round() as u32, Ordering::Relaxed);
            if ln.abs() > REBASE_MIN {
                self.hot.paces[index]
                    .drift
                    .update(|word| Drift::unpack(word).rebased(ln).pack());
            }
        }
        memory.settle(f64::from(ln), self.drift(class).scale, over_tau);
        self.cold().baselines[index].store(pair(memory.level as f32, memory.scale as f32));
    }

    /// Touches idle words, so that no coarse tick becomes ambiguous; call it about once a second.
    pub fn sweep(&self, now: Time) {
        let (tick, rules) = (now.tick(), &self.cold().rules);
        self.hot
            .err_fast
            .update(|word| ewma::refresh(word, tick, &rules.fast));
        self.hot
            .err_slow
            .update(|word| ewma::refresh(word, tick, &rules.slow));
        self.hot
            .circuit
            .update(|word| Circuit::unpack(word).refreshed(tick).pack());
        for pace in &self.hot.paces {
            pace.drift
                .update(|word| Drift::unpack(word).refreshed(tick, rules).pack());
        }
        self.cold().parent.sweep(tick, rules);
        ceiling::sweep(&self.hot.gate, &self.cold().limits, now);
        self.sweep_steering(now);
    }
}
