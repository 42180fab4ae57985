//! Every constant of the model in one place, with its unit, its default and its range.
//!
//! The defaults are the ones the simulator was tuned to; an operator may change any of them, and [`Tuning::check`] refuses what the formulae cannot bear.
//!
//! # Invariants
//! - `Tuning::default().check()` is `Ok`.
//! - A checked tuning makes every formula of the crate finite.

use crate::time::Span;

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
    /// How many of the scale are added to the drift (`z`): mild aversion to risk; default 0.25, range 0..=3.
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
    /// Consecutive failures that trip a route with little recent traffic; default 3, range 2..=7.
    pub quiet_failures: u32,
    /// Recent attempts (fast counts) below which a route counts as having little traffic; default 6, range 0..=100.
    pub quiet_attempts: f32,
    /// First open duration; default 1 s, range 10 ms..=60 s. Doubles at each failed probe.
    pub open_base: Span,
    /// Longest open duration in time alone; default 8 s, range `open_base`..=600 s.
    pub open_cap: Span,
    /// Requests of the pool that must pass before the first probe; default 5, range 0..=1000. Doubles at each failed probe.
    pub open_requests: u32,
    /// Longest open duration when traffic is scarce; default 18 s, range `open_cap`..=3600 s.
    pub open_longest: Span,
    /// Part of the open duration that is jittered either way; default 0.2, range 0..=0.5.
    pub open_jitter: f32,
    /// Largest doubling exponent; default 5, range 0..=10.
    pub doublings: u32,
    /// Successful probes in a row that close the circuit to a ramp; default 3, range 1..=15.
    pub probes: u32,
    /// Time after which an unanswered probe no longer keeps others away; default 30 s, range 1..=600 s.
    pub probe_expiry: Span,
    /// Extra wait of a due probe for a request that is fit to be one; default 2 s, range 0..=60 s.
    pub probe_patience: Span,
    /// Successes that double the ramp; default 5, range 1..=15.
    pub ramp_successes: u32,
    /// Share of the weight with which a route comes back; default 0.1, range 0.01..=1.
    pub ramp_start: f32,
    /// Part of the counts kept when a route comes back; default 0.05, range 0..=1.
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
    /// Utilisation from which a route becomes dearer; default 0.7, range 0..=0.99.
    pub busy_from: f32,
    /// Extra latency at full utilisation, as a part of the latency; default 0.5, range 0..=10.
    pub busy_weight: f32,
    /// Utilisation from which a route is used last; default 0.95, range `busy_from`..=1.
    pub hot_from: f32,
}

/// Constants of the draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawTuning {
    /// Width of the band of good routes (`β`); default 0.15, range 0..=10. 0.05 puts performance first, 1 the operator's weights.
    pub band: f32,
    /// Error rate from which a route's weight is tapered; default 0.01, range 0.0001..=1.
    pub taper_from: f32,
    /// Exponent of that taper; default 4, range 0.5..=8. At 1 a route that fails at 10 % keeps a tenth of its weight and costs a first attempt in 200.
    pub taper_power: f32,
    /// Exploration tokens earned per pick (`ε`); default 0.01, range 0..=0.1.
    pub explore: f32,
    /// Most exploration tokens saved up; default 3, range 1..=100.
    pub explore_cap: f32,
    /// Chance that a saved token is spent on a pick, so that every route keeps a known propensity; default 0.1, range 0.01..=1.
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

impl Default for Tuning {
    fn default() -> Self {
        Self {
            error: ErrorTuning::DEFAULT,
            latency: LatencyTuning::DEFAULT,
            circuit: CircuitTuning::DEFAULT,
            cost: CostTuning::DEFAULT,
            draw: DrawTuning::DEFAULT,
            ceiling: CeilingTuning::DEFAULT,
            retry: RetryTuning::DEFAULT,
        }
    }
}

impl ErrorTuning {
    const DEFAULT: Self = Self {
        tau_fast: Span::from_secs(3),
        tau_slow: Span::from_secs(60),
        fast_prior: 10.0,
        slow_prior: 20.0,
        parent_prior: 50.0,
        base_rate: 0.001,
    };
}

impl LatencyTuning {
    const DEFAULT: Self = Self {
        tau_drift: Span::from_secs(5),
        tau_fit: Span::from_secs(300),
        ridge: 10.0,
        weight_min: 0.03,
        weight_max: 0.3,
        clip: 2.0,
        risk: 0.25,
        dead_zone: 0.2,
        overdue: 3.0,
        refund: 5.0,
        overdue_floor: Span::from_millis(300),
        degraded_ratio: 1.3,
    };
}

impl CircuitTuning {
    const DEFAULT: Self = Self {
        threshold: 9.0,
        good_rate: 0.02,
        bad_rate: 0.25,
        quiet_failures: 3,
        quiet_attempts: 6.0,
        open_base: Span::from_secs(1),
        open_cap: Span::from_secs(8),
        open_requests: 5,
        open_longest: Span::from_secs(18),
        open_jitter: 0.2,
        doublings: 5,
        probes: 3,
        probe_expiry: Span::from_secs(30),
        probe_patience: Span::from_secs(2),
        ramp_successes: 5,
        ramp_start: 0.1,
        forget: 0.05,
        flap_window: Span::from_secs(60),
        calm_window: Span::from_secs(300),
        hold_base: Span::from_secs(300),
        hold_cap: Span::from_secs(3600),
        parent_window: Span::from_secs(2),
        parent_hold: Span::from_secs(30),
    };
}

impl CostTuning {
    const DEFAULT: Self = Self {
        failed_attempt_ms: 1_000.0,
        ms_per_millidollar: 0.0,
        busy_from: 0.7,
        busy_weight: 0.5,
        hot_from: 0.95,
    };
}

impl DrawTuning {
    const DEFAULT: Self = Self {
        band: 0.15,
        taper_from: 0.01,
        taper_power: 4.0,
        explore: 0.01,
        explore_cap: 3.0,
        explore_chance: 0.1,
        explore_stale: Span::from_secs(1),
    };
}

impl CeilingTuning {
    const DEFAULT: Self = Self {
        drained_cut: 0.97,
        unknown_cut: 0.85,
        drained_window: Span::from_secs(20),
        event_gap: Span::from_secs(2),
        measure_window: Span::from_secs(15),
        probe_speed: 0.0025,
        probe_interval: Span::from_secs(60),
        probe_interval_max: Span::from_secs(240),
        probe_requests: 5_000,
        probe_from: 0.9,
        same_ceiling: 0.1,
        lowered_refusals: 3,
        lowered_window: Span::from_secs(5),
        lowered_cut: 0.7,
        gate_jitter: 0.1,
        gate_default: Span::from_secs(1),
        gate_max: Span::from_secs(86_400),
        slice_burst: 1.2,
        output_charge: 1.0,
    };
}

impl RetryTuning {
    const DEFAULT: Self = Self {
        ratio: 0.1,
        per_second: 3.0,
        cap: 500.0,
    };
}

/// The first constant found out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuningError {
    /// The constant's name, as `group.field`.
    pub field: &'static str,
    /// The value given; spans in seconds.
    pub value: f64,
    /// Smallest value allowed; spans in seconds.
    pub min: f64,
    /// Largest value allowed; spans in seconds.
    pub max: f64,
}

impl core::fmt::Display for TuningError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} is {} but must lie in {}..={}",
            self.field, self.value, self.min, self.max
        )
    }
}

impl core::error::Error for TuningError {}

fn within(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), TuningError> {
    if value >= min && value <= max {
        Ok(())
    } else {
        Err(TuningError {
            field,
            value,
            min,
            max,
        })
    }
}

fn real(field: &'static str, value: f32, min: f64, max: f64) -> Result<(), TuningError> {
    within(field, f64::from(value), min, max)
}

fn span(field: &'static str, value: Span, min: f64, max: f64) -> Result<(), TuningError> {
    within(field, value.as_secs_f64(), min, max)
}

impl Tuning {
    /// Checks every constant against its range.
    ///
    /// # Errors
    /// The first constant that lies outside of its range, or is not a number.
    pub fn check(&self) -> Result<(), TuningError> {
        self.error.check()?;
        self.latency.check()?;
        self.circuit.check()?;
        self.cost.check()?;
        self.draw.check()?;
        self.ceiling.check()?;
        self.retry.check()
    }
}

impl ErrorTuning {
    fn check(&self) -> Result<(), TuningError> {
        span("error.tau_fast", self.tau_fast, 0.5, 60.0)?;
        span("error.tau_slow", self.tau_slow, 10.0, 3_600.0)?;
        real("error.fast_prior", self.fast_prior, 0.1, 1_000.0)?;
        real("error.slow_prior", self.slow_prior, 0.1, 1_000.0)?;
        real("error.parent_prior", self.parent_prior, 0.1, 1_000.0)?;
        real("error.base_rate", self.base_rate, 0.0, 0.1)
    }
}

impl LatencyTuning {
    fn check(&self) -> Result<(), TuningError> {
        span("latency.tau_drift", self.tau_drift, 1.0, 60.0)?;
        span("latency.tau_fit", self.tau_fit, 30.0, 7_200.0)?;
        real("latency.ridge", self.ridge, 0.1, 1_000.0)?;
        real("latency.weight_min", self.weight_min, 0.001, 0.5)?;
        real(
            "latency.weight_max",
            self.weight_max,
            f64::from(self.weight_min),
            1.0,
        )?;
        real("latency.clip", self.clip, 1.1, 10.0)?;
        real("latency.risk", self.risk, 0.0, 3.0)?;
        real("latency.dead_zone", self.dead_zone, 0.0, 2.0)?;
        real("latency.overdue", self.overdue, 1.5, 20.0)?;
        real("latency.refund", self.refund, f64::from(self.overdue), 50.0)?;
        span("latency.overdue_floor", self.overdue_floor, 0.01, 60.0)?;
        real("latency.degraded_ratio", self.degraded_ratio, 1.05, 10.0)
    }
}

impl CircuitTuning {
    fn check(&self) -> Result<(), TuningError> {
        real("circuit.threshold", self.threshold, 1.0, 15.0)?;
        real("circuit.good_rate", self.good_rate, 0.001, 0.1)?;
        real("circuit.bad_rate", self.bad_rate, 0.05, 0.9)?;
        within(
            "circuit.quiet_failures",
            self.quiet_failures.into(),
            2.0,
            7.0,
        )?;
        real("circuit.quiet_attempts", self.quiet_attempts, 0.0, 100.0)?;
        span("circuit.open_base", self.open_base, 0.01, 60.0)?;
        span(
            "circuit.open_cap",
            self.open_cap,
            self.open_base.as_secs_f64(),
            600.0,
        )?;
        within(
            "circuit.open_requests",
            self.open_requests.into(),
            0.0,
            1_000.0,
        )?;
        span(
            "circuit.open_longest",
            self.open_longest,
            self.open_cap.as_secs_f64(),
            3_600.0,
        )?;
        real("circuit.open_jitter", self.open_jitter, 0.0, 0.5)?;
        within("circuit.doublings", self.doublings.into(), 0.0, 10.0)?;
        within("circuit.probes", self.probes.into(), 1.0, 15.0)?;
        span("circuit.probe_expiry", self.probe_expiry, 1.0, 600.0)?;
        span("circuit.probe_patience", self.probe_patience, 0.0, 60.0)?;
        within(
            "circuit.ramp_successes",
            self.ramp_successes.into(),
            1.0,
            15.0,
        )?;
        real("circuit.ramp_start", self.ramp_start, 0.01, 1.0)?;
        real("circuit.forget", self.forget, 0.0, 1.0)?;
        span("circuit.flap_window", self.flap_window, 0.0, 86_400.0)?;
        span("circuit.calm_window", self.calm_window, 0.0, 86_400.0)?;
        span("circuit.hold_base", self.hold_base, 1.0, 86_400.0)?;
        span(
            "circuit.hold_cap",
            self.hold_cap,
            self.hold_base.as_secs_f64(),
            604_800.0,
        )?;
        span("circuit.parent_window", self.parent_window, 0.0, 60.0)?;
        span("circuit.parent_hold", self.parent_hold, 0.0, 600.0)
    }
}

impl CostTuning {
    fn check(&self) -> Result<(), TuningError> {
        real(
            "cost.failed_attempt_ms",
            self.failed_attempt_ms,
            0.0,
            600_000.0,
        )?;
        real(
            "cost.ms_per_millidollar",
            self.ms_per_millidollar,
            0.0,
            1_000_000.0,
        )?;
        real("cost.busy_from", self.busy_from, 0.0, 0.99)?;
        real("cost.busy_weight", self.busy_weight, 0.0, 10.0)?;
        real(
            "cost.hot_from",
            self.hot_from,
            f64::from(self.busy_from),
            1.0,
        )
    }
}

impl DrawTuning {
    fn check(&self) -> Result<(), TuningError> {
        real("draw.band", self.band, 0.0, 10.0)?;
        real("draw.taper_from", self.taper_from, 0.000_1, 1.0)?;
        real("draw.taper_power", self.taper_power, 0.5, 8.0)?;
        real("draw.explore", self.explore, 0.0, 0.1)?;
        real("draw.explore_cap", self.explore_cap, 1.0, 100.0)?;
        real("draw.explore_chance", self.explore_chance, 0.01, 1.0)?;
        span("draw.explore_stale", self.explore_stale, 0.0, 3_600.0)
    }
}

impl CeilingTuning {
    fn check(&self) -> Result<(), TuningError> {
        real("ceiling.drained_cut", self.drained_cut, 0.1, 1.0)?;
        real("ceiling.unknown_cut", self.unknown_cut, 0.1, 1.0)?;
        span("ceiling.measure_window", self.measure_window, 1.0, 600.0)?;
        real("ceiling.probe_speed", self.probe_speed, 0.0, 0.1)?;
        span("ceiling.probe_interval", self.probe_interval, 1.0, 86_400.0)?;
        span(
            "ceiling.probe_interval_max",
            self.probe_interval_max,
            self.probe_interval.as_secs_f64(),
            604_800.0,
        )?;
        real("ceiling.probe_from", self.probe_from, 0.0, 1.0)?;
        real("ceiling.same_ceiling", self.same_ceiling, 0.0, 1.0)?;
        real("ceiling.lowered_cut", self.lowered_cut, 0.1, 1.0)?;
        real("ceiling.gate_jitter", self.gate_jitter, 0.0, 0.5)?;
        span("ceiling.gate_default", self.gate_default, 0.0, 3_600.0)?;
        span("ceiling.gate_max", self.gate_max, 1.0, 2_592_000.0)?;
        real("ceiling.slice_burst", self.slice_burst, 1.0, 10.0)?;
        real("ceiling.output_charge", self.output_charge, 0.0, 1.0)
    }
}

impl RetryTuning {
    fn check(&self) -> Result<(), TuningError> {
        real("retry.ratio", self.ratio, 0.0, 1.0)?;
        real("retry.per_second", self.per_second, 0.0, 1_000.0)?;
        real("retry.cap", self.cap, 1.0, 100_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(Tuning::default().check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let mut tuning = Tuning::default();
        tuning.draw.band = f32::NAN;
        assert_eq!(tuning.check().map_err(|e| e.field), Err("draw.band"));
        tuning = Tuning::default();
        tuning.circuit.open_cap = Span::ZERO;
        let error = tuning.check().err().map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some("circuit.open_cap is 0 but must lie in 1..=600")
        );
    }
}
