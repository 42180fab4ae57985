//! What each constant is unless an operator changes it.
//!
//! The reason for a value stands with its field.
//!
//! # Invariants
//! - `Tuning::default().check()` is `Ok`.

use super::{
    CeilingTuning, CircuitTuning, CostTuning, DrawTuning, ErrorTuning, LatencyTuning, RetryTuning,
    Tuning,
};
use crate::time::Span;

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
        benefit: 1.0,
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
        risk: 0.1,
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
        doubt_step: 44,
        doubt_most: 160,
        doubt_rest: Span::from_secs(30),
        quiet_failures: 3,
        quiet_attempts: 6.0,
        open_base: Span::from_secs(1),
        open_cap: Span::from_secs(8),
        open_requests: 5,
        open_longest: Span::from_secs(900),
        open_jitter: 0.2,
        doublings: 5,
        probes: 5,
        probe_expiry: Span::from_secs(30),
        probe_patience: Span::from_secs(2),
        ramp_successes: 5,
        ramp_start: 0.15,
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
        affinity: 1.0,
        busy_from: 0.8,
        busy_weight: 0.5,
        hot_from: 0.95,
        full_from: 0.98,
    };
}

impl DrawTuning {
    const DEFAULT: Self = Self {
        band: 0.15,
        edge: 0.1,
        taper_from: 0.01,
        taper_power: 4.0,
        doubt_half: 100.0,
        doubt_width: 20.0,
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
