//! How long an answer takes: TTFT = *a* + *b* × input, then *c* for each token after the first.
//!
//! The whole is scaled by a log-normal factor drawn once per request and phase, by the load and by faults.
//! It is the simulator's world model, so that a replay and a run against the mock tell the same story.
//!
//! # Invariants
//! - A script without latency yields exact zeros, whatever the factors: no timer is ever needed.
//! - The generator is drawn from only where noise or a drawn length asks for it.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand_distr::StandardNormal;
use scoring::time::Span;

use super::script::{AnswerLength, LONGEST_ANSWER, ProviderScript, Slowdown};

/// The latency of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// To the first token.
    pub(super) first: Span,
    /// Between one token and the next.
    pub(super) between: Span,
}

/// What scales the latency of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Requests in flight at this provider, this one included.
    pub(super) in_flight: u32,
    /// Product of the factors that faults and operators set; 1 is normal.
    pub(super) factor: f64,
}

impl Pace {
    /// Draws the latency of a request with `input` tokens under `load`.
    pub(super) fn draw(
        script: &ProviderScript,
        input: u32,
        load: Load,
        rng: &mut SmallRng,
    ) -> Self {
        let first =
            Span::from(script.ttft).as_micros() as f64 + script.ttft_per_token * f64::from(input);
        let between = Span::from(script.tpot).as_micros() as f64;
        if first <= 0.0 && between <= 0.0 {
            return Self::default();
        }
        let scale = load.factor * crowding(script.slowdown, load.in_flight);
        let micros = |base: f64, rng: &mut SmallRng| {
            Span::from_micros((base * scale * log_normal(script.noise, rng)).round() as u64)
        };
        Self {
            first: micros(first, rng),
            between: micros(between, rng),
        }
    }

    /// Time until a whole answer of `output` tokens is ready.
    pub(super) fn whole(self, output: u32) -> Span {
        let rest = self
            .between
            .as_micros()
            .saturating_mul(u64::from(output.saturating_sub(1)));
        self.first.plus(Span::from_micros(rest))
    }
}

/// Draws the length of an answer in tokens: at least 1.
pub(super) fn answer_length(length: AnswerLength, rng: &mut SmallRng) -> u32 {
    let tokens = match length {
        AnswerLength::Fixed(tokens) => tokens,
        AnswerLength::Drawn(drawn) => {
            // Dividing by the factor's mean, exp(σ²/2), makes the script's number the mean.
            let median = f64::from(drawn.mean) / (drawn.sigma * drawn.sigma / 2.0).exp();
            (median * log_normal(drawn.sigma, rng)).round() as u32
        }
    };
    tokens.clamp(1, LONGEST_ANSWER)
}

/// The latency factor of `in_flight` concurrent requests; 1 up to the knee.
fn crowding(slowdown: Option<Slowdown>, in_flight: u32) -> f64 {
    slowdown.map_or(1.0, |it| {
        let beyond = f64::from(in_flight.saturating_sub(it.from));
        1.0 + it.slope * beyond / f64::from(it.from.max(1))
    })
}

/// A log-normal factor of median 1; exactly 1 without σ.
fn log_normal(sigma: f64, rng: &mut SmallRng) -> f64 {
    if sigma <= 0.0 {
        return 1.0;
    }
    let z: f64 = rng.sample(StandardNormal);
    (sigma * z).exp()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the factors compared are exact")]

    use std::time::Duration;

    use rand::SeedableRng;

    use super::super::script::DrawnLength;
    use super::*;

    const CALM: Load = Load {
        in_flight: 1,
        factor: 1.0,
    };

    fn script() -> ProviderScript {
        ProviderScript {
            ttft: Duration::from_millis(300),
            ttft_per_token: 50.0,
            tpot: Duration::from_millis(15),
            ..ProviderScript::default()
        }
    }

    #[test]
    fn latency_is_a_plus_b_input_plus_c_output() {
        let pace = Pace::draw(&script(), 1_000, CALM, &mut SmallRng::seed_from_u64(7));
        assert_eq!(pace.first, Span::from_millis(350));
        assert_eq!(pace.whole(11), Span::from_millis(500));
    }

    #[test]
    fn load_and_factor_multiply() {
        let script = ProviderScript {
            slowdown: Some(Slowdown {
                from: 10,
                slope: 2.0,
            }),
            ..script()
        };
        let rng = &mut SmallRng::seed_from_u64(7);
        for (in_flight, factor, millis) in [(10, 1.0, 300), (15, 1.0, 600), (15, 3.0, 1_800)] {
            let pace = Pace::draw(&script, 0, Load { in_flight, factor }, rng);
            assert_eq!(pace.first, Span::from_millis(millis));
        }
    }

    #[test]
    fn no_latency_stays_zero_under_any_factor() {
        let script = ProviderScript {
            noise: 1.0,
            ..ProviderScript::default()
        };
        let load = Load {
            in_flight: 9_000,
            factor: 50.0,
        };
        assert_eq!(
            Pace::draw(&script, 9_000, load, &mut SmallRng::seed_from_u64(7)),
            Pace::default()
        );
    }

    #[test]
    fn noise_has_median_one_and_lengths_keep_their_mean() {
        let rng = &mut SmallRng::seed_from_u64(7);
        let below = (0..10_000).filter(|_| log_normal(0.5, rng) < 1.0).count();
        assert!((4_800..5_200).contains(&below), "seed 7: {below} below 1");
        let length = AnswerLength::Drawn(DrawnLength {
            mean: 200,
            sigma: 0.5,
        });
        let sum: u64 = (0..10_000)
            .map(|_| u64::from(answer_length(length, rng)))
            .sum();
        assert!((1_950_000..2_050_000).contains(&sum), "seed 7: {sum}");
        assert_eq!(log_normal(0.0, rng), 1.0);
    }
}
