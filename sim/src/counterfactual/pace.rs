//! How fast is a route? The pace that explains the times of its answers, and how far they scatter.
//!
//! Relative least squares, reweighted: rows are divided by the prediction, because noise is a factor and not a term, and those whose logarithm lies far off count less (Huber's weights).
//! At the end the level is set so that the median answer is predicted exactly, as the simulator's noise has the median 1.
//!
//! # Invariants
//! - Coefficients and noise are finite and never negative.
//! - Times are µs.

use scoring::Class;
use scoring::time::Span;

use crate::scenario::Pace;

/// Answers that a fit needs; three coefficients from fewer would follow the noise.
pub(super) const LEAST: usize = 30;
/// Answers that a fit looks at; more change the third digit.
const MOST: usize = 20_000;
/// Rounds of reweighting; the coefficients settle after about five.
const ROUNDS: usize = 12;
/// Scatters beyond which a row counts less.
const HUBER: f64 = 2.0;
/// From the median absolute deviation to σ of a normal.
const MAD_SIGMA: f64 = 1.4826;
/// Scatters beyond which a row's distance is cut before σ is taken.
const WINSOR: f64 = 3.0;
/// Part of its own square that is added to a column, so that one length alone can be solved for.
const RIDGE: f64 = 1e-6;

/// What part of an answer was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    /// To the first token.
    First,
    /// From the first token to the end.
    Rest,
    /// All of it.
    Whole,
}

/// One time of one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When its attempt began.
    pub(super) at: Span,
    pub(super) class: Class,
    pub(super) timed: Timed,
    /// Input tokens.
    pub(super) input: f64,
    /// Output tokens after the first.
    pub(super) decoded: f64,
    pub(super) took_us: f64,
}

impl Sample {
    fn columns(&self) -> [f64; 3] {
        let first = f64::from(u8::from(self.timed != Timed::Rest));
        let rest = f64::from(u8::from(self.timed != Timed::First));
        [first, first * self.input, rest * self.decoded]
    }

    /// What `pace` predicts for it.
    pub(super) fn predicted(&self, pace: &Pace) -> f64 {
        dot(&coefficients(pace), &self.columns())
    }

    /// ln(took / predicted).
    pub(super) fn off(&self, pace: &Pace) -> f64 {
        (self.took_us.max(1.0) / self.predicted(pace).max(1.0)).ln()
    }

    /// By which the scatter of this time falls short of that of its parts, which scatter independently.
    fn narrowed(&self, pace: &Pace) -> f64 {
        let first = coefficients(pace)[0] + coefficients(pace)[1] * self.input;
        let share = (first / self.predicted(pace).max(1.0)).clamp(0.0, 1.0);
        match self.timed {
            Timed::Whole => (share * share + (1.0 - share) * (1.0 - share)).sqrt(),
            Timed::First | Timed::Rest => 1.0,
        }
    }
}

fn coefficients(pace: &Pace) -> [f64; 3] {
    [pace.ttft_us, pace.per_token_us, pace.tpot_us]
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The pace behind `samples`, each divided by `factor` of its time; `None` if they are too few.
pub(super) fn fit(samples: &[Sample], factor: &impl Fn(Span) -> f64) -> Option<Pace> {
    if samples.len() < LEAST {
        return None;
    }
    let stride = samples.len().div_ceil(MOST);
    let rows: Vec<Sample> = samples
        .iter()
        .step_by(stride)
        .map(|it| Sample {
            took_us: (it.took_us / factor(it.at)).max(1.0),
            ..*it
        })
        .collect();
    let mut pace = Pace::default();
    let mut weighed: Vec<(f64, f64)> = rows.iter().map(|it| (it.took_us, 1.0)).collect();
    for _ in 0..ROUNDS {
        let [ttft_us, per_token_us, tpot_us] = solve(&rows, &weighed);
        pace = Pace {
            ttft_us,
            per_token_us,
            tpot_us,
            noise: 0.0,
        };
        let (level, scatter) = spread(&rows, &pace);
        for (row, weighed) in rows.iter().zip(&mut weighed) {
            let far = ((row.off(&pace) - level) / scatter).abs();
            *weighed = (row.predicted(&pace).max(1.0), (HUBER / far).min(1.0));
        }
    }
    let (level, scatter) = spread(&rows, &pace);
    let squares = rows.iter().map(|it| {
        let off = (it.off(&pace) - level).clamp(-WINSOR * scatter, WINSOR * scatter);
        (off / it.narrowed(&pace)).powi(2)
    });
    let noise = (squares.sum::<f64>() / rows.len() as f64).sqrt();
    let lift = level.exp();
    Some(Pace {
        ttft_us: pace.ttft_us * lift,
        per_token_us: pace.per_token_us * lift,
        tpot_us: pace.tpot_us * lift,
        noise,
    })
}

/// Median of the logarithms, and their scatter by the median absolute deviation.
fn spread(rows: &[Sample], pace: &Pace) -> (f64, f64) {
    let mut offs: Vec<f64> = rows.iter().map(|it| it.off(pace)).collect();
    let level = median(&mut offs);
    for off in &mut offs {
        *off = (*off - level).abs();
    }
    (level, (MAD_SIGMA * median(&mut offs)).max(1e-3))
}

/// The upper median; 0 of nothing.
pub(super) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Least squares of rows divided by the first of `weighed`, times the second.
fn solve(rows: &[Sample], weighed: &[(f64, f64)]) -> [f64; 3] {
    let (mut squares, mut products) = ([[0.0; 3]; 3], [0.0; 3]);
    for (row, (divisor, weight)) in rows.iter().zip(weighed) {
        let columns = row.columns().map(|it| it / divisor);
        let took = row.took_us / divisor;
        for i in 0..3 {
            for j in 0..3 {
                squares[i][j] += weight * columns[i] * columns[j];
            }
            products[i] += weight * columns[i] * took;
        }
    }
    positive(squares, products)
}

/// Solves for coefficients that are not negative: the most negative is fixed at zero and the rest solved again.
fn positive(squares: [[f64; 3]; 3], products: [f64; 3]) -> [f64; 3] {
    let mut free = [0, 1, 2].map(|it| squares[it][it] > 0.0);
    for _ in 0..3 {
        let solution = solution(squares, products, free);
        let least = (0..3).min_by(|a, b| solution[*a].total_cmp(&solution[*b]));
        match least {
            Some(it) if solution[it] < 0.0 => free[it] = false,
            _ => return solution,
        }
    }
    [0.0; 3]
}

/// Gaussian elimination over the free columns, each scaled by its own size; positive definite, so without pivoting.
fn solution(squares: [[f64; 3]; 3], products: [f64; 3], free: [bool; 3]) -> [f64; 3] {
    let size = [0, 1, 2].map(|it| squares[it][it].sqrt());
    let mut matrix = [[0.0; 4]; 3];
    for i in 0..3 {
        for j in 0..3 {
            let both = free[i] && free[j];
            matrix[i][j] = if both {
                squares[i][j] / size[i] / size[j]
            } else {
                0.0
            };
        }
        matrix[i][i] = if free[i] { 1.0 + RIDGE } else { 1.0 };
        matrix[i][3] = if free[i] { products[i] / size[i] } else { 0.0 };
    }
    for pivot in 0..3 {
        let above = matrix[pivot];
        for row in &mut matrix[pivot + 1..] {
            let part = row[pivot] / above[pivot];
            for (cell, above) in row.iter_mut().zip(above) {
                *cell -= part * above;
            }
        }
    }
    let mut found = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|it| matrix[row][it] * found[it]).sum();
        found[row] = (matrix[row][3] - known) / matrix[row][row];
    }
    [0, 1, 2].map(|it| {
        let value = found[it] / size[it];
        if value.is_finite() { value } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use rand_distr::StandardNormal;

    use super::*;

    const TRUTH: Pace = Pace {
        ttft_us: 500e3,
        per_token_us: 60.0,
        tpot_us: 12e3,
        noise: 0.3,
    };

    /// Answers at the true pace; each twentieth takes 30 times as long. Seed 7.
    fn answers(timed: &[Timed], count: usize) -> Vec<Sample> {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut found = Vec::new();
        for number in 0..count {
            let input = 100.0 * (1.0 + rng.random::<f64>() * 80.0);
            let decoded = (10.0 + rng.random::<f64>() * 400.0).round();
            let mut noise = || (TRUTH.noise * rng.sample::<f64, _>(StandardNormal)).exp();
            let first = (TRUTH.ttft_us + TRUTH.per_token_us * input) * noise();
            let rest = TRUTH.tpot_us * decoded * noise();
            for &timed in timed {
                let took_us = match timed {
                    Timed::First => first,
                    Timed::Rest => rest,
                    Timed::Whole => first + rest,
                };
                let odd = if number % 20 == 0 { 30.0 } else { 1.0 };
                found.push(Sample {
                    at: Span::ZERO,
                    class: Class::ChatStream,
                    timed,
                    input,
                    decoded,
                    took_us: took_us * odd,
                });
            }
        }
        found
    }

    #[test]
    fn the_pace_is_found_in_spite_of_outliers() {
        for timed in [&[Timed::First, Timed::Rest][..], &[Timed::Whole]] {
            let pace = fit(&answers(timed, 4_000), &|_| 1.0).unwrap();
            let pairs = [
                (pace.ttft_us, TRUTH.ttft_us, 0.2),
                (pace.per_token_us, TRUTH.per_token_us, 0.2),
                (pace.tpot_us, TRUTH.tpot_us, 0.06),
                (pace.noise, TRUTH.noise, 0.25),
            ];
            for (found, truth, part) in pairs {
                assert!((found / truth - 1.0).abs() < part, "{timed:?} {pace:?}");
            }
        }
    }

    #[test]
    fn one_length_alone_is_predicted_and_few_answers_are_not_fitted() {
        let mut alike = answers(&[Timed::First], 200);
        for it in &mut alike {
            (it.input, it.took_us) = (1_000.0, 560e3);
        }
        let pace = fit(&alike, &|_| 1.0).unwrap();
        assert!(
            (alike[0].predicted(&pace) / 560e3 - 1.0).abs() < 1e-3,
            "{pace:?}"
        );
        assert_eq!(fit(&alike[..LEAST - 1], &|_| 1.0), None);
    }
}
