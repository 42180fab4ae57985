//! A [`Tuning`] made ready for the request path: decay tables and constants in the units of the packed words.
//!
//! # Invariants
//! - Computed once, at construction; never changes.

use crate::ewma::Decay;
use crate::time::{Span, TICK_SHIFT};
use crate::tuning::Tuning;

/// log2 of the ticks in one unit of the slow decay: 262 ms, so that a decay step is larger than the rounding of the counts.
const SLOW_SHIFT: u32 = 4;

/// The constants and tables that recording and selecting use.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Where everything else comes from.
    pub(crate) tuning: Tuning,
    /// Decay of the fast counts.
    pub(crate) fast: Decay,
    /// Decay of the slow counts, of the parent's and of drift in idleness.
    pub(crate) slow: Decay,
    /// Decay of the doubt in idleness.
    pub(crate) rest: Decay,
    /// Decay that weighs the samples of the drift.
    pub(crate) drift: Decay,
    /// `ln(degraded_ratio)`.
    pub(crate) degraded_ln: f32,
    /// Whether `taper_power` is 4, as it is by default: then no library call is needed.
    taper_quartic: bool,
    /// Doubt from which it weighs: below, less than a hundredth of the weight is at stake.
    pub(crate) doubt_from: u32,
    /// `explore_stale` in ticks.
    pub(crate) explore_stale: u32,
}

impl Rules {
    /// The rules that `tuning` sets.
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            tuning: *tuning,
            fast: Decay::new(tuning.error.tau_fast, 0),
            slow: Decay::new(tuning.error.tau_slow, SLOW_SHIFT),
            rest: Decay::new(tuning.circuit.doubt_rest, 2),
            drift: Decay::new(tuning.latency.tau_drift, 0),
            degraded_ln: tuning.latency.degraded_ratio.ln(),
            taper_quartic: (tuning.draw.taper_power - 4.0).abs() < f32::EPSILON,
            doubt_from: (tuning.draw.doubt_half - 2.1 * tuning.draw.doubt_width).max(1.0) as u32,
            explore_stale: ticks(tuning.draw.explore_stale),
        }
    }

    /// Part of its weight left to a route of this doubt; 1 far below `doubt_half`, a half there.
    pub(crate) fn trust(&self, doubt: f32) -> f32 {
        let draw = &self.tuning.draw;
        let steps = (doubt - draw.doubt_half) * (2.0 * 3.0_f32.ln()) / draw.doubt_width;
        1.0 / (1.0 + crate::cost::exp(steps))
    }

    /// Part of its weight left to a route that provably fails at `proven`; 1 up to `taper_from`.
    pub(crate) fn taper(&self, proven: f32) -> f32 {
        let draw = &self.tuning.draw;
        if proven <= draw.taper_from {
            return 1.0;
        }
        let part = draw.taper_from / proven;
        if self.taper_quartic {
            (part * part) * (part * part)
        } else {
            part.powf(draw.taper_power)
        }
    }
}

/// A span in whole ticks, rounded down; at most 2³¹.
pub(crate) fn ticks(span: Span) -> u32 {
    u32::try_from(span.as_micros() >> TICK_SHIFT)
        .unwrap_or(u32::MAX)
        .min(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_falls_from_three_quarters_to_a_quarter_over_its_width() {
        let rules = Rules::new(&Tuning::default());
        for (doubt, left) in [
            (0.0, 1.0),
            (58.0, 0.990),
            (90.0, 0.75),
            (100.0, 0.5),
            (110.0, 0.25),
            (160.0, 0.001_37),
        ] {
            let trust = rules.trust(doubt);
            assert!((trust - left).abs() < 3e-4, "{doubt}: {trust}");
        }
        assert_eq!(rules.doubt_from, 58);
    }

    #[test]
    fn trust_never_rises_with_doubt_nor_reaches_zero() {
        let mut tuning = Tuning::default();
        for (half, width) in [(1.0, 1.0), (100.0, 20.0), (255.0, 255.0), (1.0, 255.0)] {
            (tuning.draw.doubt_half, tuning.draw.doubt_width) = (half, width);
            let rules = Rules::new(&tuning);
            let mut last = 1.0;
            for doubt in 0..=255 {
                let trust = rules.trust(doubt as f32);
                assert!(trust > 0.0 && trust <= last, "{doubt}: {trust}");
                last = trust;
            }
        }
    }

    #[test]
    fn the_taper_is_the_fourth_power() {
        let rules = Rules::new(&Tuning::default());
        assert!((rules.taper(0.01) - 1.0).abs() < 1e-6);
        assert!((rules.taper(0.02) - 0.0625).abs() < 1e-6);
    }
}
