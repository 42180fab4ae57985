//! How much slower than expected: MV-TACOS, Bifrost's token-aware latency score.
//!
//! Source: Bifrost Enterprise, "Adaptive Load Balancing" (documentation of 2025-12).
//! `ln(latency) ≈ α + β·ln(1 + a·T_in + b·T_out)`, learned online with Huber loss; a request that exceeds its prediction by more than Δ is penalised by `1 − e^(−k·exceed/Δ)`; a route's score is the 80th percentile of its recent penalties, smoothed.
//!
//! # Guesses
//! - One model for all routes, as "the system learns a model"; with one of its own each route would grow used to being slow.
//! - a = 0.02 and b = 1: an output token takes about fifty times an input token's time.
//! - Δ is half of the prediction, k = 1, the Huber bound 0.5, the step 0.05, the first β 0.5.
//! - "Recent" is since the last renewal, at most 256 requests; "smoothed" is by 0.3 a renewal.
//!
//! # Invariants
//! - Penalties and scores are within 0..=1.

/// Weight of an input token.
const PER_INPUT: f64 = 0.02;

/// Weight of an output token.
const PER_OUTPUT: f64 = 1.0;

/// Δ, as a part of the prediction.
const DELTA: f64 = 0.5;

/// k.
const STEEPNESS: f64 = 1.0;

/// Error of the logarithm beyond which the loss grows linearly.
const HUBER: f64 = 0.5;

/// Step of the learning.
const STEP: f64 = 0.05;

/// The exponent before anything is learned.
const FIRST_BETA: f64 = 0.5;

/// Penalties kept between two renewals.
const RECENT: usize = 256;

/// Weight of the new percentile.
const SMOOTHING: f64 = 0.3;

/// The model of latency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Model {
    alpha: f64,
    beta: f64,
    learned: bool,
}

impl Model {
    /// Learns from an answer and says how it is to be penalised.
    pub(super) fn observe(&mut self, latency_s: f64, input: u32, output: u32) -> f64 {
        let tokens = PER_INPUT * f64::from(input) + PER_OUTPUT * f64::from(output);
        let x = tokens.ln_1p();
        let y = latency_s.max(1e-3).ln();
        if !self.learned {
            self.alpha = y - FIRST_BETA * x;
            self.beta = FIRST_BETA;
            self.learned = true;
        }
        let logarithm = self.alpha + self.beta * x;
        let step = STEP * (y - logarithm).clamp(-HUBER, HUBER) / (1.0 + x * x);
        self.alpha += step;
        self.beta += step * x;
        penalty(latency_s, logarithm.exp())
    }
}

/// The penalty of one request.
fn penalty(actual: f64, predicted: f64) -> f64 {
    let delta = DELTA * predicted;
    let exceed = (actual - predicted - delta).max(0.0);
    1.0 - (-STEEPNESS * exceed / delta).exp()
}

/// A route's score.
#[derive(Clone, Debug)]
pub(super) struct Score {
    penalties: Vec<f64>,
    pub(super) value: f64,
}

impl Score {
    /// Not slow.
    pub(super) fn new() -> Self {
        Self {
            penalties: Vec::with_capacity(RECENT),
            value: 0.0,
        }
    }

    /// Takes in a request's penalty.
    pub(super) fn add(&mut self, penalty: f64) {
        if self.penalties.len() < RECENT {
            self.penalties.push(penalty);
        }
    }

    /// Renews the score from what came since the last time.
    pub(super) fn renew(&mut self) {
        let rank = self.penalties.len() * 4 / 5;
        if rank < self.penalties.len() {
            let (_, &mut percentile, _) =
                self.penalties.select_nth_unstable_by(rank, f64::total_cmp);
            self.value += SMOOTHING * (percentile - self.value);
        }
        self.penalties.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_above_the_prediction_is_free_and_twice_costs_most() {
        for (actual, expect) in [(0.5, 0.0), (1.5, 0.0), (2.0, 0.632_12), (5.0, 0.999_09)] {
            let found = penalty(actual, 1.0);
            assert!((found - expect).abs() < 1e-5, "{actual}: {found}");
        }
    }

    #[test]
    fn the_model_learns_lengths_and_withstands_a_slow_route() {
        let mut model = Model::default();
        let mut last = [0.0; 2];
        for turn in 0..4000_u32 {
            let output = [50, 200, 800][turn as usize % 3];
            let healthy = 0.05 * f64::from(output).powf(0.8);
            let slow = turn % 4 == 3;
            let latency = if slow { 5.0 * healthy } else { healthy };
            last[usize::from(slow)] = model.observe(latency, 1000, output);
        }
        assert!(last[0] < 0.01 && last[1] > 0.8, "{last:?}");
    }

    #[test]
    fn the_score_is_the_smoothed_80th_percentile() {
        let mut score = Score::new();
        (0..10).for_each(|it| score.add(f64::from(it) / 10.0));
        score.renew();
        assert!((score.value - 0.3 * 0.8).abs() < 1e-12);
        score.renew();
        assert!((score.value - 0.24).abs() < 1e-12, "nothing new");
    }
}
