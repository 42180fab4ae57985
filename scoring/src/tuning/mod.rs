//! Every constant of the model in one place, with its unit, its default and its range.
//!
//! The defaults are the ones the simulator was tuned to; an operator may change any of them, and [`Tuning::check`] refuses what the formulae cannot bear.
//!
//! # Invariants
//! - `Tuning::default().check()` is `Ok`.
//! - A checked tuning makes every formula of the crate finite.

mod check;
mod choice;
mod constants;
mod defaults;

use crate::time::Span;

pub use check::TuningError;
pub use choice::acts_on_choice;
pub use constants::{Constant, Unit, constant, constants};

/// The constants of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// The error counts' constants.
    pub error: ErrorTuning,
    /// The latency model's constants.
    pub latency: LatencyTuning,
    /// The circuit's constants.
    pub circuit: CircuitTuning,
    /// The expected cost's constants.
    pub cost: CostTuning,
    /// The draw's constants.
    pub draw: DrawTuning,
    /// The ceilings' constants.
    pub ceiling: CeilingTuning,
    /// The retry budget's constants.
    pub retry: RetryTuning,
}

/// Constants of the decayed error counts and of the failure probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorTuning {
    /// Time constant of the fast counts; default 3 s, range 0.5..=60 s. Longer detects later, shorter forgets between samples.
    pub tau_fast: Span,
    /// Time constant of the slow counts, of the parent's and of drift in idleness; default 60 s, range 10..=3600 s.
    pub tau_slow: Span,
    /// Weight of the slow rate in the fast one, in attempts (`m`); default 10, range 0.1..=1000.
    pub fast_prior: f32,
    /// Weight of the parent's rate in the slow one, in attempts (`k`); default 20, range 0.1..=1000.
    pub slow_prior: f32,
    /// Weight of the built-in error rate in the parent's one, in attempts; default 50, range 0.1..=1000.
    pub parent_prior: f32,
    /// Error rate assumed of a provider never seen; default 0.001, range 0..=0.1.
    pub base_rate: f32,
    /// Standard errors by which a chance of failure is lowered before it is priced, because chance alone explains that much; default 1, range 0..=3.
    pub benefit: f32,
}

/// Constants of the latency model and of its drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyTuning {
    /// Time constant of the drift; default 5 s, range 1..=60 s.
    pub tau_drift: Span,
    /// Time constant of the fitted model; default 300 s, range 30..=7200 s.
    pub tau_fit: Span,
    /// Weight of the prior in the fit, in samples; default 10, range 0.1..=1000.
    pub ridge: f32,
    /// Smallest weight of one sample in the drift; default 0.03, range 0.001..=0.5. Smaller is blind in bursts, larger is noisy.
    pub weight_min: f32,
    /// Largest weight of one sample in the drift; default 0.3, range `weight_min`..=1. Larger lets one slow answer move a route.
    pub weight_max: f32,
    /// Multiples of the prediction beyond which a sample is clipped in the fit; default 2, range 1.1..=10.
    pub clip: f32,
    /// How many of the scale are added to the drift (`z`): mild aversion to risk; default 0.1, found by `trimtab tune`, range 0..=3.
    pub risk: f32,
    /// Part of the scale by which the drift is shrunk to zero, because noise alone explains that much; default 0.2, range 0..=2.
    pub dead_zone: f32,
    /// Multiples of the predicted time after which an attempt in flight is overdue; default 3, range 1.5..=20.
    pub overdue: f32,
    /// Multiples of the predicted time below which an overdue attempt that succeeds is refunded; default 5, range `overdue`..=50.
    pub refund: f32,
    /// Shortest time after which anything is overdue; default 300 ms, range 10 ms..=60 s. Smaller takes scheduling noise for a hang.
    pub overdue_floor: Span,
    /// Ratio to the own baseline above which a route is degraded; default 1.3, range 1.05..=10.
    pub degraded_ratio: f32,
}

/// Constants of the circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitTuning {
    /// CUSUM threshold (`h`); default 9, range 1..=15. At 9 a healthy 1 % trips falsely once in about a million attempts.
    pub threshold: f32,
    /// Least error rate taken as good (`p0`); default 0.02, range 0.001..=0.1.
    pub good_rate: f32,
    /// Least error rate taken as bad (`p1`); default 0.25, range 0.05..=0.9.
    pub bad_rate: f32,
    /// Successes that undo one failure in the doubt that tapers a route; default 44, range 1..=255: the likelihood ratio of a route that fails at 6 % against one that fails at 0.5 %.
    pub doubt_step: u32,
    /// Largest doubt, in successes; default 160, range 1..=255. More takes longer to be forgiven.
    pub doubt_most: u32,
    /// Time constant with which a route without samples is forgiven its doubt; default 30 s, range 1..=3600 s.
    pub doubt_rest: Span,
    /// Consecutive failures that trip a route with little recent traffic; default 3, range 2..=7.
    pub quiet_failures: u32,
    /// Recent attempts (fast counts) below which a route counts as having little traffic; default 6, range 0..=100.
    pub quiet_attempts: f32,
    /// First open duration; default 1 s, range 10 ms..=60 s. Doubles at each failed probe.
    pub open_base: Span,
    /// Longest open duration in time alone; default 8 s, range `open_base`..=600 s.
    pub open_cap: Span,
    /// Requests of the pool that must pass before the first probe; default 5, range 0..=1000. Doubles at each failed probe, four times at most.
    pub open_requests: u32,
    /// Longest open duration when traffic is scarce; default 900 s, range `open_cap`..=3600 s.
    pub open_longest: Span,
    /// Part of the open duration that is jittered either way; default 0.2, range 0..=0.5.
    pub open_jitter: f32,
    /// Largest doubling exponent; default 5, range 0..=10.
    pub doublings: u32,
    /// Successful probes in a row that close the circuit to a ramp; default 5, range 1..=15. Three let a route that fails at 40 % back in one time out of five.
    pub probes: u32,
    /// Time after which an unanswered probe no longer keeps others away; default 30 s, range 1..=600 s.
    pub probe_expiry: Span,
    /// Extra wait of a due probe for a request that is fit to be one; default 2 s, range 0..=60 s.
    pub probe_patience: Span,
    /// Successes that double the ramp; default 5, range 1..=15.
    pub ramp_successes: u32,
    /// Share of the weight with which a route comes back; default 0.15, range 0.01..=1.
    pub ramp_start: f32,
    /// Part of the counts and of the drift kept when a route comes back; default 0.05, range 0..=1.
    pub forget: f32,
    /// A trip this soon after closing raises the exponent; default 60 s.
    pub flap_window: Span,
    /// Healthy time after which the exponent is forgotten; default 300 s.
    pub calm_window: Span,
    /// First hold of a rejected key or an unsupported model; default 300 s. Doubles at each repetition.
    pub hold_base: Span,
    /// Longest hold; default 3600 s.
    pub hold_cap: Span,
    /// Two children that trip within this time trip their parent; default 2 s.
    pub parent_window: Span,
    /// How long a tripped parent lets only one of its children probe at a time; default 30 s.
    pub parent_hold: Span,
}

/// Constants of the expected cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostTuning {
    /// The operator's cost of one failed attempt (`δ`), in ms; default 1000, range 0..=600 000.
    pub failed_attempt_ms: f32,
    /// Milliseconds that a thousandth of a dollar is worth (`λ`); default 0 (price is ignored), range 0..=1 000 000.
    pub ms_per_millidollar: f32,
    /// Part that counts of what a session's route saves by the tokens that it still keeps; default 1, range 0..=1. At 0 sessions are not followed.
    pub affinity: f32,
    /// Utilisation from which a route becomes dearer; default 0.8, range 0..=0.99.
    pub busy_from: f32,
    /// Extra latency at full utilisation, as a part of the latency; default 0.5, range 0..=10.
    pub busy_weight: f32,
    /// Utilisation from which a route is used last; default 0.95, range `busy_from`..=1.
    pub hot_from: f32,
    /// Utilisation from which a route is not used at all; default 0.98, range `hot_from`..=1. The rest is the room in which our count may differ from the provider's: at 1 an overloaded key refused 12 of 1000 attempts although its headers told every limit.
    pub full_from: f32,
}

/// Constants of the draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawTuning {
    /// Width of the band of good routes (`β`); default 0.15, range 0..=10. 0.05 puts performance first, 1 the operator's weights.
    pub band: f32,
    /// Width of the band's edge, over which the weight falls from all to nothing; default 0.1, range 0..=10. Without it two routes that slow down under load take turns in being shunned.
    pub edge: f32,
    /// Error rate from which a route's weight is tapered; default 0.01, range 0.0001..=1.
    pub taper_from: f32,
    /// Exponent of that taper; default 4, range 0.5..=8. At 1 a route that fails at 10 % keeps a tenth of its weight and costs a first attempt in 200.
    pub taper_power: f32,
    /// Doubt at which a route keeps half of its weight, in successes; default 100 (5.7 nats), range 1..=255.
    pub doubt_half: f32,
    /// Doubt over which the weight falls from three quarters to a quarter, in successes; default 20, range 1..=255.
    pub doubt_width: f32,
    /// Part of the cost that may be spent on exploration (`ε`), and of the picks; default 0.01, range 0..=0.1.
    pub explore: f32,
    /// Most cost saved up for exploration, and most charged for one, in costs of the best; default 3, range 1..=100.
    pub explore_cap: f32,
    /// Chance that a pick explores when that can be paid for, so that every route keeps a known propensity; default 0.1, range 0.01..=1.
    pub explore_chance: f32,
    /// Age of the last sample from which a route is worth exploring; default 1 s.
    pub explore_stale: Span,
}

/// Constants of the learned ceilings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CeilingTuning {
    /// Rate kept after a refusal by a drained bucket, as a part of the measured rate; default 0.97.
    pub drained_cut: f32,
    /// Rate kept after a refusal whose cause is unknown, as a part of the measured rate; default 0.85.
    pub unknown_cut: f32,
    /// A refusal this soon after another one means that the bucket was drained; default 20 s.
    pub drained_window: Span,
    /// Refusals closer together than this are one event; default 2 s.
    pub event_gap: Span,
    /// Window over which accepted work is measured; default 15 s.
    pub measure_window: Span,
    /// Upward probing speed, as a part of the rate per second; default 0.0025.
    pub probe_speed: f32,
    /// First quiet time before probing upward; default 60 s.
    pub probe_interval: Span,
    /// Longest quiet time before probing upward; default 240 s. Longer finds a doubled limit later than within 10 minutes.
    pub probe_interval_max: Span,
    /// Requests between two upward probes; default 5000.
    pub probe_requests: u32,
    /// Utilisation above which a ceiling is probed; default 0.9.
    pub probe_from: f32,
    /// Two ceilings this close, as a part, count as the same; default 0.1.
    pub same_ceiling: f32,
    /// Refusals within `lowered_window` that mean the limit was lowered; default 3.
    pub lowered_refusals: u32,
    /// See `lowered_refusals`; default 5 s.
    pub lowered_window: Span,
    /// Rate kept when the limit was lowered; default 0.7.
    pub lowered_cut: f32,
    /// Part of a told `retry-after` that is jittered either way; default 0.1.
    pub gate_jitter: f32,
    /// Gate after a refusal that says nothing; default 1 s.
    pub gate_default: Span,
    /// Longest gate believed; default 86 400 s (a daily quota).
    pub gate_max: Span,
    /// Burst allowed within one slice, as a multiple of the rate; default 1.2.
    pub slice_burst: f32,
    /// Part of `max_tokens` charged at dispatch; default 1, range 0..=1.
    pub output_charge: f32,
}

/// Constants of the retry budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryTuning {
    /// Extra attempts earned per client request; default 0.1, range 0..=1.
    pub ratio: f32,
    /// Extra attempts earned per second whatever the traffic; default 3, range 0..=1000.
    pub per_second: f32,
    /// Most extra attempts saved up; default 500, range 1..=100 000. When a third of the routes dies under 500 requests/s of 3 s each, 500 attempts are in flight there and each needs one.
    pub cap: f32,
}
