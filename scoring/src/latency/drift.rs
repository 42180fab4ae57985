//! How far a route is from its own model at this moment: a decayed mean of `ln(observed / predicted)` and its scale.
//!
//! Fed at the first byte of a stream, so it knows of a slow-down after half a second and not after a whole answer.
//! Read, it is centred: the logarithms of steady, skewed noise have a mean below zero, and equal routes must not differ by their noise.
//! Each sample is clamped to three scales (one absurd answer is not a trend) and weighs at least 3 % (a burst is not blind).
//!
//! # Invariants
//! - Mean and scale are finite: |mean| ≤ 8, 0.05 ≤ scale < 16.
//! - Reading decays the mean toward zero with idle time, and never writes.

use crate::ewma::{TICK_BITS, age};
use crate::float::{larger, nearest};
use crate::rules::Rules;
use crate::time::Tick;
use crate::tuning::LatencyTuning;

/// Fraction bits of mean and scale.
const ONE: f32 = 65_536.0;
/// Bits of the scale, Q4.16.
const SCALE_BITS: u32 = 20;
/// Bits of the mean, signed Q5.16.
const MEAN_BITS: u32 = 21;
/// Bits of the streak.
const STREAK_BITS: u32 = 3;
/// Largest |ln(observed / predicted)| believed: a factor of 2981.
const LN_MAX: f32 = 8.0;
/// Scale assumed before anything was measured: a factor of 1.5 either way.
const SCALE_UNSEEN: f32 = 0.4;
/// Least scale; smaller would take clock noise for news.
const SCALE_MIN: f32 = 0.05;
/// Least scale used to clamp a sample; smaller would make a steady route slow to notice a step.
const CLAMP_MIN: f32 = 0.2;
/// Scales at which a sample is clamped.
const CLAMP_SCALES: f32 = 3.0;
/// Ratio of the standard deviation to the mean absolute deviation of normal noise.
const SIGMA_PER_MAD: f32 = 1.25;
/// What the clip of the fit takes from the skew: fits the logarithm of the fixed point p = E[min(X, 2p)] for log-normal X of median 1, within 0.01 for σ up to 0.65 and within 0.035, well inside the dead zone, up to 1.
const CLIPPED: f32 = 1.3;
/// Weight of the very first sample.
const FIRST_WEIGHT: f32 = 0.5;
/// Outliers in a row that make a route degraded.
pub(crate) const DEGRADED_STREAK: u32 = 5;

/// The drift of one class, unpacked.
///
/// `[tick:20 | streak:3 | mean:21 signed Q5.16 | scale:20 Q4.16]`; a scale of 0 means that nothing was measured yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Drift {
    tick: u64,
    /// Samples in a row that stood out against the own baseline; saturates at 7.
    pub(crate) streak: u32,
    /// Mean of ln(observed / predicted); −8..=8.
    pub(crate) mean: f32,
    /// Standard deviation of the same; 0 = nothing measured.
    pub(crate) scale: f32,
}

/// What the samples of a route are compared with to see whether it left its own habits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Baseline {
    /// ln(model / baseline): how far the model itself has followed a creep.
    pub(crate) level: f32,
    /// The habitual scale.
    pub(crate) scale: f32,
}

/// Mean and scale as they stand in a word, and what is left of the mean.
///
/// Apart from [`Drift`], so that the selector converts several routes by one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Signed Q5.16.
    pub(crate) mean: i32,
    /// Q4.16; 0 = nothing measured.
    pub(crate) scale: i32,
    /// Part of the mean left at the instant of reading; 0..=1.
    pub(crate) factor: f32,
}

impl Stored {
    /// What `word` holds at `now`.
    #[inline(always)]
    pub(crate) fn at(word: u64, now: Tick, rules: &Rules) -> Self {
        Self {
            // Why shifted: the mean's sign bit becomes the word's.
            mean: ((word << STREAK_BITS << TICK_BITS) as i64 >> (64 - MEAN_BITS)) as i32,
            scale: (word & ((1 << SCALE_BITS) - 1)) as i32,
            factor: rules
                .slow
                .left(word >> (SCALE_BITS + MEAN_BITS + STREAK_BITS), now),
        }
    }

    /// ln of the factor by which a prediction is multiplied: the mean, centred, less what noise explains, plus a little for the risk; 0 if nothing was measured.
    #[inline(always)]
    pub(crate) fn exponent(self, latency: &LatencyTuning) -> f32 {
        let scale = self.scale as f32 / ONE;
        let mean = self.mean as f32 * (self.factor / ONE) + skew(scale);
        let shrunk = larger(mean.abs() - latency.dead_zone * scale, 0.0).copysign(mean);
        shrunk + latency.risk * scale
    }
}

/// How far the logarithms of a steady route lie below zero on average.
///
/// The model predicts means, clipped at two predictions; the mean of a log-normal is above its median by half its variance, and the clip takes a part of that away.
/// Left out, a dead zone about zero would lie beside the noise of images, whose times vary by a factor of e.
#[inline(always)]
fn skew(scale: f32) -> f32 {
    let variance = scale * scale;
    0.5 * variance / (1.0 + CLIPPED * variance)
}

impl Drift {
    pub(crate) fn unpack(word: u64) -> Self {
        let mean = (word >> SCALE_BITS) as i32 & ((1 << MEAN_BITS) - 1);
        let sign = 1i32 << (MEAN_BITS - 1);
        Self {
            tick: word >> (SCALE_BITS + MEAN_BITS + STREAK_BITS),
            streak: (word >> (SCALE_BITS + MEAN_BITS)) as u32 & ((1 << STREAK_BITS) - 1),
            mean: ((mean ^ sign) - sign) as f32 / ONE,
            scale: (word & ((1 << SCALE_BITS) - 1)) as i32 as f32 / ONE,
        }
    }

    pub(crate) fn pack(self) -> u64 {
        let mean =
            nearest(self.mean.clamp(-LN_MAX, LN_MAX) * ONE) as i32 as u64 & ((1 << MEAN_BITS) - 1);
        let scale = (nearest(self.scale * ONE) as i32 as u64).min((1 << SCALE_BITS) - 1);
        (self.tick & ((1 << TICK_BITS) - 1)) << (SCALE_BITS + MEAN_BITS + STREAK_BITS)
            | u64::from(self.streak.min(7)) << (SCALE_BITS + MEAN_BITS)
            | mean << SCALE_BITS
            | scale
    }

    /// Whether anything was measured.
    pub(crate) fn is_measured(self) -> bool {
        self.scale > 0.0
    }

    /// Ticks since the last sample; `u32::MAX` if there was none.
    pub(crate) fn staleness(self, now: Tick) -> u32 {
        if self.is_measured() {
            age(self.tick, now).unwrap_or(0)
        } else {
            u32::MAX
        }
    }

    /// The drift as it stands at `now`: idleness brings the mean back to zero.
    #[inline(always)]
    pub(crate) fn at(self, now: Tick, rules: &Rules) -> Self {
        let idle = age(self.tick, now).unwrap_or(0);
        Self {
            mean: self.mean * rules.slow.factor(idle),
            ..self
        }
    }

    /// The drift after a sample `ln = ln(observed / predicted)`.
    pub(crate) fn fed(self, ln: f32, now: Tick, baseline: Baseline, rules: &Rules) -> Self {
        let latency = &rules.tuning.latency;
        let ln = if ln.is_finite() {
            ln.clamp(-LN_MAX, LN_MAX)
        } else {
            return self;
        };
        if !self.is_measured() {
            let scale = SCALE_UNSEEN;
            return Self {
                tick: now.index(),
                streak: 0,
                mean: FIRST_WEIGHT * ln,
                scale,
            };
        }
        let since = age(self.tick, now);
        let weight = (1.0 - rules.drift.factor(since.unwrap_or(0)))
            .clamp(latency.weight_min, latency.weight_max);
        let here = self.at(now, rules);
        let bound = CLAMP_SCALES * here.scale.max(CLAMP_MIN);
        let surprise = (ln - here.mean).clamp(-bound, bound);
        let mean = here.mean + weight * surprise;
        let scale =
            (here.scale + weight * (SIGMA_PER_MAD * surprise.abs() - here.scale)).max(SCALE_MIN);
        let above = mean + baseline.level;
        let outlier = above > rules.degraded_ln && above > baseline.scale;
        Self {
            tick: since.map_or(self.tick, |_| now.index()),
            streak: if outlier { (self.streak + 1).min(7) } else { 0 },
            mean,
            scale,
        }
    }

    /// The drift with its mean scaled by `keep`: it weighs less.
    pub(crate) fn scaled(self, keep: f32) -> Self {
        Self {
            mean: self.mean * keep,
            ..self
        }
    }

    /// The drift after the model it is measured against moved by `ln` = ln(new / old).
    pub(crate) fn rebased(self, ln: f32) -> Self {
        if self.is_measured() {
            Self {
                // Never beyond zero and never larger: what siblings taught the model must not come back as a drift of its own.
                mean: (self.mean - ln).clamp(self.mean.min(0.0), self.mean.max(0.0)),
                ..self
            }
        } else {
            self
        }
    }

    /// The drift with a tick that cannot become ambiguous.
    pub(crate) fn refreshed(self, now: Tick, rules: &Rules) -> Self {
        let stale = age(self.tick, now).is_none_or(|age| age > 1 << (TICK_BITS - 3));
        if !self.is_measured() || !stale {
            return self;
        }
        let kept = age(self.tick, now).map_or(0.0, |_| self.at(now, rules).mean);
        Self {
            tick: now.index().wrapping_sub(1 << (TICK_BITS - 4)),
            mean: kept,
            streak: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::Tuning;

    fn fed(mut drift: Drift, ln: f32, times: u64, from: u64, rules: &Rules) -> Drift {
        for i in 0..times {
            drift = Drift::unpack(
                drift
                    .fed(
                        ln,
                        Tick::from_index(from + 3 * i),
                        Baseline {
                            level: 0.0,
                            scale: 0.3,
                        },
                        rules,
                    )
                    .pack(),
            );
        }
        drift
    }

    #[test]
    fn packing_keeps_sign_and_scale() {
        for mean in [-7.5f32, -0.001, 0.0, 0.7, 7.9] {
            let drift = Drift {
                tick: 77,
                streak: 5,
                mean,
                scale: 0.31,
            };
            let back = Drift::unpack(drift.pack());
            assert!((back.mean - mean).abs() < 1e-4 && (back.scale - 0.31).abs() < 1e-4);
            assert_eq!((back.tick, back.streak), (77, 5));
        }
    }

    /// ln of the fixed point p = E[min(X, 2p)] for X = e^(σ·Z), by the midpoint rule over Z.
    fn fixed_point(sigma: f64) -> f64 {
        let mut prediction = 1.0f64;
        for _ in 0..200 {
            let (mut sum, mut weights) = (0.0, 0.0);
            for i in 0..1_600 {
                let z = (f64::from(i) + 0.5) / 100.0 - 8.0;
                let density = (-z * z / 2.0).exp();
                sum += density * (sigma * z).exp().min(2.0 * prediction);
                weights += density;
            }
            prediction = sum / weights;
        }
        prediction.ln()
    }

    #[test]
    fn the_skew_is_the_fixed_point_of_the_clipped_fit() {
        for hundredths in (5..=100).step_by(5) {
            let sigma = f64::from(hundredths) / 100.0;
            let off = f64::from(skew(sigma as f32)) - fixed_point(sigma);
            let most = if hundredths <= 65 { 0.01 } else { 0.035 };
            assert!(off.abs() < most, "at {sigma}: {off}");
        }
    }

    #[test]
    fn steady_noise_is_no_drift() {
        let latency = Tuning::default().latency;
        for sigma in [0.1f32, 0.3, 0.6, 1.0] {
            let steady = Stored {
                mean: (-skew(sigma) * ONE) as i32,
                scale: (sigma * ONE) as i32,
                factor: 1.0,
            };
            let exponent = steady.exponent(&latency);
            assert!(
                (exponent - latency.risk * sigma).abs() < 1e-3,
                "{sigma}: {exponent}"
            );
        }
        assert!(Stored::default().exponent(&latency).abs() < 1e-6);
    }

    #[test]
    fn scaled_it_keeps_its_scale() {
        let rules = Rules::new(&Tuning::default());
        let slow = fed(Drift::default(), 1.0, 200, 1_000, &rules);
        let less = slow.scaled(0.05);
        assert!((less.mean - 0.05 * slow.mean).abs() < 1e-6);
        assert!((less.scale - slow.scale).abs() < 1e-6);
    }

    #[test]
    fn a_doubling_shows_within_three_seconds_at_25_per_second() {
        let rules = Rules::new(&Tuning::default());
        let calm = fed(Drift::default(), 0.0, 500, 1_000, &rules);
        let doubled = fed(calm, core::f32::consts::LN_2, 75, 2_600, &rules);
        assert!(doubled.mean.exp() > 1.7, "{doubled:?}");
        assert!(doubled.streak >= DEGRADED_STREAK);
    }

    #[test]
    fn one_absurd_answer_is_no_trend() {
        let rules = Rules::new(&Tuning::default());
        let calm = fed(Drift::default(), 0.0, 500, 1_000, &rules);
        let after = fed(calm, 6.0, 1, 2_501, &rules);
        assert!(after.mean < 0.1, "{after:?}");
    }

    #[test]
    fn idleness_returns_to_the_model() {
        let rules = Rules::new(&Tuning::default());
        let slow = fed(Drift::default(), 1.0, 200, 1_000, &rules);
        assert!(slow.at(Tick::from_index(1_600), &rules).mean > 0.9);
        assert!(slow.at(Tick::from_index(1_600 + 61 * 300), &rules).mean < 0.05);
    }

    #[test]
    fn the_level_of_a_creep_counts() {
        let rules = Rules::new(&Tuning::default());
        let mut drift = Drift::default();
        for i in 0..10 {
            drift = drift.fed(
                0.0,
                Tick::from_index(i),
                Baseline {
                    level: 0.9,
                    scale: 0.3,
                },
                &rules,
            );
        }
        assert!(drift.streak >= DEGRADED_STREAK);
    }
}
