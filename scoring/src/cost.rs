//! What sending one request to one route is expected to cost, in milliseconds, term by term.
//!
//! One currency makes latency, failure, utilisation and price comparable, and each stays visible on its own.
//! The cost is retry-aware: a failure costs the time it takes to fail, then the best alternative, then what a failed attempt is worth to the operator.
//! A constant penalty would prefer a dead route for any request that takes longer than the penalty.
//!
//! # Invariants
//! - The terms sum to the cost; the cost is finite and positive.
//! - The cost never falls when utilisation, latency or price rises; nor when failure rises, unless failing over is cheaper than succeeding here.

use crate::float::{larger, smaller};
use crate::tuning::CostTuning;

/// Bound of the logarithms of factors: a factor of 22 026 either way, so that costs stay finite.
const EXPONENT_MAX: f32 = 10.0;
/// 1.5·2²³: added to a float of less than 2²², it leaves the nearest integer in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// What was read of one route for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// The fitted model's latency, in ms.
    pub(crate) model_ms: f32,
    /// Factor of the present drift; > 0.
    pub(crate) drift: f32,
    /// Chance that an attempt fails; 0..=1.
    pub(crate) failure: f32,
    /// Time that a failed attempt takes, in ms.
    pub(crate) fail_ms: f32,
    /// Largest share in use of any ceiling; 0 upward.
    pub(crate) utilisation: f32,
    /// The price in ms.
    pub(crate) price_ms: f32,
}

impl Reading {
    /// The latency predicted now, in ms.
    pub(crate) fn latency_ms(&self) -> f32 {
        self.model_ms * self.drift
    }
}

/// The terms of an expected cost, all in milliseconds-equivalents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// The fitted model's latency, times the chance of success.
    pub model_ms: f32,
    /// What the present drift adds to it; negative when the route is faster than its model.
    pub drift_ms: f32,
    /// What a nearly full ceiling adds.
    pub utilisation_ms: f32,
    /// The chance of failure times what a failure costs.
    pub failure_ms: f32,
    /// The price, at the operator's exchange rate.
    pub price_ms: f32,
    /// What the tokens save that the route still keeps of the request's session; 0 or negative.
    pub affinity_ms: f32,
}

impl Terms {
    /// The expected cost: the sum of the terms.
    #[must_use]
    pub fn total(&self) -> f32 {
        let paid = self.model_ms + self.drift_ms + self.utilisation_ms + self.failure_ms;
        paid + self.price_ms + self.affinity_ms
    }
}

/// What a success takes, in ms: the latency predicted now and what a nearly full ceiling adds.
#[inline]
pub(crate) fn success_ms(reading: &Reading, tuning: &CostTuning) -> f32 {
    reading.latency_ms() * (1.0 + busy(reading.utilisation, tuning))
}

/// [`Terms::total`] of [`terms`], in fewer steps; without affinity, which one route at most has.
#[inline]
pub(crate) fn expected_ms(reading: &Reading, alternative_ms: f32, tuning: &CostTuning) -> f32 {
    let failed = reading.fail_ms + alternative_ms + tuning.failed_attempt_ms;
    (1.0 - reading.failure) * success_ms(reading, tuning)
        + (reading.failure * failed + reading.price_ms)
}

/// The expected cost, without affinity, of a route that reads `reading` when the best alternative takes `alternative_ms`.
#[inline]
pub(crate) fn terms(reading: &Reading, alternative_ms: f32, tuning: &CostTuning) -> Terms {
    let success = 1.0 - reading.failure;
    let latency = reading.latency_ms();
    let failed = reading.fail_ms + alternative_ms + tuning.failed_attempt_ms;
    Terms {
        model_ms: success * reading.model_ms,
        drift_ms: success * (latency - reading.model_ms),
        utilisation_ms: success * latency * busy(reading.utilisation, tuning),
        failure_ms: reading.failure * failed,
        price_ms: reading.price_ms,
        affinity_ms: 0.0,
    }
}

/// Extra latency of a busy route, as a part of its latency: zero up to `busy_from`, then a square.
#[inline]
pub(crate) fn busy(utilisation: f32, tuning: &CostTuning) -> f32 {
    if utilisation <= tuning.busy_from {
        return 0.0;
    }
    let over = (utilisation - tuning.busy_from) / (1.0 - tuning.busy_from);
    let over = smaller(over, 2.0);
    over * over * tuning.busy_weight
}

/// What the tokens of a route cost, in pico-dollars each; 0 = unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// An input token.
    pub input: f32,
    /// An input token that the provider still keeps from an earlier prompt; unknown, it saves nothing.
    pub cached: f32,
    /// An output token.
    pub output: f32,
}

impl Rates {
    /// The price of so many tokens, in ms at the operator's exchange rate; never negative.
    #[inline]
    pub(crate) fn price_ms(&self, input: f32, output: f32, tuning: &CostTuning) -> f32 {
        in_ms(self.input * input + self.output * output, tuning)
    }

    /// What `tokens` of the input cost less when they are kept, in ms at the operator's exchange rate.
    pub(crate) fn saved_ms(&self, tokens: f32, tuning: &CostTuning) -> f32 {
        if self.cached <= 0.0 {
            return 0.0;
        }
        in_ms((self.input - self.cached) * tokens, tuning)
    }
}

#[inline]
fn in_ms(picodollars: f32, tuning: &CostTuning) -> f32 {
    larger(picodollars, 0.0) * (1e-9 * tuning.ms_per_millidollar)
}

/// `e^x` within 10⁻⁵, for |x| ≤ [`EXPONENT_MAX`] and clamped beyond.
///
/// Straight arithmetic, so that a loop over all candidates is vectorised; the library's call costs as much as all else done for a route.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    let scaled = larger(smaller(x, EXPONENT_MAX), -EXPONENT_MAX) * core::f32::consts::LOG2_E;
    let rounded = scaled + ROUNDER;
    let part = (scaled - (rounded - ROUNDER)) * core::f32::consts::LN_2;
    let power = rounded
        .to_bits()
        .wrapping_sub(ROUNDER.to_bits())
        .wrapping_add(127)
        << 23;
    let series = 1.0
        + part
            * (1.0
                + part
                    * (0.5 + part * (0.166_666_67 + part * (0.041_666_67 + part * 0.008_333_334))));
    f32::from_bits(power) * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::Tuning;

    fn reading() -> Reading {
        Reading {
            model_ms: 2_000.0,
            drift: 1.2,
            failure: 0.1,
            fail_ms: 300.0,
            utilisation: 0.9,
            price_ms: 7.0,
        }
    }

    #[test]
    fn the_exponential_is_close_enough() {
        for i in -1_000..=1_000 {
            let x = i as f32 / 100.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-5, "e^{x}");
        }
        assert!(exp(1e9).is_finite() && exp(f32::NEG_INFINITY) > 0.0);
    }

    #[test]
    fn a_dead_route_is_dearer_for_long_requests_too() {
        let tuning = Tuning::default().cost;
        let alive = Reading {
            model_ms: 60_000.0,
            drift: 1.0,
            failure: 0.0,
            utilisation: 0.0,
            ..reading()
        };
        let dead = Reading {
            failure: 1.0,
            fail_ms: 20.0,
            ..alive
        };
        let alternative = alive.latency_ms();
        assert!(
            terms(&dead, alternative, &tuning).total()
                > terms(&alive, alternative, &tuning).total()
        );
    }

    #[test]
    fn the_busy_term_starts_at_its_threshold() {
        let tuning = Tuning::default().cost;
        assert!(busy(0.8, &tuning).abs() < 1e-6);
        assert!((busy(1.0, &tuning) - 0.5).abs() < 1e-6);
        assert!((busy(0.9, &tuning) - 0.125).abs() < 1e-6);
    }

    #[test]
    fn each_term_is_its_own() {
        let tuning = Tuning::default().cost;
        let t = terms(&reading(), 1_500.0, &tuning);
        assert!((t.model_ms - 1_800.0).abs() < 0.1);
        assert!((t.drift_ms - 360.0).abs() < 0.1);
        assert!((t.utilisation_ms - 0.9 * 2_400.0 * 0.125).abs() < 0.1);
        assert!((t.failure_ms - 280.0).abs() < 0.1);
        assert!((t.total() - (1_800.0 + 360.0 + 270.0 + 280.0 + 7.0)).abs() < 0.2);
    }
}
