//! How long from one arrival to the next?
//!
//! A renewal process: independent gaps of one distribution, here with mean 1; the caller scales them.
//! The first arrival is the remainder of a gap that began before, not a whole gap: with irregular arrivals, whoever begins at an arrival sees a burst and gets more requests than the rate says, by `(cv² − 1) / 2`.
//!
//! # Invariants
//! - Gaps are ≥ 0 with mean 1; over any stretch the expected number of arrivals is its length.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Gamma};

use crate::scenario::Arrivals;

/// Shapes beyond which a distribution is a constant, or so bursty that nothing would arrive.
const SHAPES: std::ops::RangeInclusive<f64> = 1e-4..=1e4;

/// A coefficient of variation below which gaps are even: 1/√10⁴.
const EVEN_BELOW: f64 = 0.01;

/// The distribution of gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::trace) enum Gaps {
    /// All alike.
    Even,
    /// Exponential.
    Poisson,
    /// Gamma, and the one of a gap that an instant falls into.
    Gamma { gap: Gamma<f64>, met: Gamma<f64> },
    /// `scale · E^(1/shape)` with E exponential, or with E of `met` for a gap that an instant falls into.
    Weibull {
        power: f64,
        scale: f64,
        met: Gamma<f64>,
    },
}

impl Gaps {
    /// Those of a scenario.
    pub(in crate::trace) fn new(arrivals: Arrivals) -> Self {
        let irregular = match arrivals {
            Arrivals::Even => return Self::Even,
            Arrivals::Poisson => return Self::Poisson,
            Arrivals::Gamma(cv) => Self::gamma(cv),
            Arrivals::Weibull(cv) => Self::weibull(cv),
        };
        irregular.unwrap_or(Self::Even)
    }

    /// Gamma gaps of this coefficient of variation: shape `1 / cv²`.
    pub(in crate::trace) fn gamma(cv: f64) -> Option<Self> {
        Self::gamma_of_shape(1.0 / (cv * cv))
    }

    /// Gamma gaps of this shape.
    pub(in crate::trace) fn gamma_of_shape(shape: f64) -> Option<Self> {
        if !SHAPES.contains(&shape) {
            return None;
        }
        // Weighting a gamma density by its gap adds 1 to the shape.
        let gap = Gamma::new(shape, 1.0 / shape).ok()?;
        let met = Gamma::new(shape + 1.0, 1.0 / shape).ok()?;
        Some(Self::Gamma { gap, met })
    }

    /// Weibull gaps of this coefficient of variation.
    pub(in crate::trace) fn weibull(cv: f64) -> Option<Self> {
        if cv.is_nan() || cv < EVEN_BELOW {
            return None;
        }
        Self::weibull_of_shape(weibull_shape(cv))
    }

    /// Weibull gaps of this shape.
    pub(in crate::trace) fn weibull_of_shape(shape: f64) -> Option<Self> {
        // Below a twentieth the mean is made of gaps that never come.
        if !SHAPES.contains(&shape) || shape < LEAST_WEIBULL {
            return None;
        }
        let power = 1.0 / shape;
        let scale = (-ln_gamma(1.0 + power)).exp();
        let met = Gamma::new(1.0 + power, 1.0).ok()?;
        Some(Self::Weibull { power, scale, met })
    }

    /// From any instant to the first arrival.
    pub(in crate::trace) fn first(&self, rng: &mut impl Rng) -> f64 {
        let met = match self {
            Self::Poisson => return Exp1.sample(rng),
            Self::Even => 1.0,
            Self::Gamma { met, .. } => met.sample(rng),
            Self::Weibull { power, scale, met } => scale * met.sample(rng).powf(*power),
        };
        met * rng.random::<f64>()
    }

    /// From an arrival to the next.
    #[inline]
    pub(in crate::trace) fn next(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Even => 1.0,
            Self::Poisson => Exp1.sample(rng),
            Self::Gamma { gap, .. } => gap.sample(rng),
            Self::Weibull { power, scale, .. } => {
                let exponential: f64 = Exp1.sample(rng);
                scale * exponential.powf(*power)
            }
        }
    }
}

/// The least Weibull shape: its coefficient of variation is 3.7e5.
const LEAST_WEIBULL: f64 = 0.05;

/// The shape of a Weibull distribution with this coefficient of variation, by bisection: the latter falls as the former grows.
fn weibull_shape(cv: f64) -> f64 {
    // `cv² + 1 = Γ(1 + 2/k) / Γ(1 + 1/k)²`, in logarithms.
    let wanted = (cv * cv).ln_1p();
    let found = |shape: f64| ln_gamma(1.0 + 2.0 / shape) - 2.0 * ln_gamma(1.0 + 1.0 / shape);
    let (mut low, mut high) = (LEAST_WEIBULL.ln(), SHAPES.end().ln());
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if found(middle.exp()) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    ((low + high) / 2.0).exp()
}

/// The logarithm of the gamma function for x ≥ 1, by Stirling's series from 10 on; exact to 1e-12.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let tail =
        1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1_260.0 - 1.0 / (1_680.0 * square)) / square) / square;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + tail / x - f64::ln(product)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn the_gamma_function_is_right() {
        for (x, value) in [
            (1.0, 1.0_f64),
            (2.0, 1.0),
            (5.0, 24.0),
            (1.5, 0.886_226_925_452_758),
            (41.0, 8.159_152_832_478_977e47),
        ] {
            assert!((ln_gamma(x) - value.ln()).abs() < 1e-11, "Γ({x})");
        }
    }

    #[test]
    fn weibull_shapes_are_those_of_the_tables() {
        // Shape 1 is exponential, 2 Rayleigh with cv √(4/π − 1), ½ has cv √5.
        for (cv, shape) in [(1.0, 1.0), (0.522_723, 2.0), (5.0_f64.sqrt(), 0.5)] {
            assert!(
                (weibull_shape(cv) - shape).abs() < 1e-5,
                "{cv}: {}",
                weibull_shape(cv)
            );
        }
    }

    #[test]
    fn gaps_have_mean_1_and_the_variation_asked_for() {
        for (arrivals, cv) in [
            (Arrivals::Even, 0.0),
            (Arrivals::Poisson, 1.0),
            (Arrivals::Gamma(0.5), 0.5),
            (Arrivals::Gamma(3.0), 3.0),
            (Arrivals::Weibull(0.5), 0.5),
            (Arrivals::Weibull(3.0), 3.0),
        ] {
            let (gaps, mut rng) = (Gaps::new(arrivals), SmallRng::seed_from_u64(11));
            let drawn: Vec<f64> = (0..400_000).map(|_| gaps.next(&mut rng)).collect();
            let count = drawn.len() as f64;
            let mean = drawn.iter().sum::<f64>() / count;
            let variance = drawn.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
            assert!(
                (mean - 1.0).abs() < 0.02,
                "{arrivals:?}: mean {mean}, seed 11"
            );
            assert!(
                (variance.sqrt() - cv).abs() < 0.06 * cv + 1e-9,
                "{arrivals:?}: cv {}, seed 11",
                variance.sqrt()
            );
        }
    }

    /// Without the remainder at the beginning, a stretch of 20 with cv 4 would hold 7.5 too many.
    #[test]
    fn a_short_stretch_holds_as_many_as_the_rate_says() {
        for arrivals in [Arrivals::Gamma(4.0), Arrivals::Weibull(4.0), Arrivals::Even] {
            let (gaps, mut rng) = (Gaps::new(arrivals), SmallRng::seed_from_u64(12));
            let mut count = 0_u32;
            for _ in 0..20_000 {
                let mut at = gaps.first(&mut rng);
                while at < 20.0 {
                    count += 1;
                    at += gaps.next(&mut rng);
                }
            }
            let mean = f64::from(count) / 20_000.0;
            assert!((mean - 20.0).abs() < 0.6, "{arrivals:?}: {mean}, seed 12");
        }
    }
}
