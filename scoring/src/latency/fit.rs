//! How the model is learned: decayed, relative least squares with a ridge to the prior, off the request path.
//!
//! A completion adds integers to a handful of sums; about four times a second the fitter takes them away, folds them into decayed sums and solves three equations.
//! Rows are divided by the prediction, because latency noise is a factor and not a term: else the longest prompts alone would decide.
//! Integers make the result independent of the order in which threads add.
//!
//! # Invariants
//! - Coefficients are never negative and never NaN; without samples they are the prior's.
//! - A sample never blocks: the fitter alone takes the lock, and gives way if it is taken.

use crate::cell::Word;

use super::Model;

/// One in the sums' fixed point, Q32.32.
const ONE: f64 = 4_294_967_296.0;
/// Largest relative regressor: 1000 times the prior's share, so that 10⁶ samples between two fits cannot overflow.
const ROW_MAX: f64 = 1_000.0;
/// Rows that are squared must stay below this, for the same reason.
const SQUARE_MAX: f64 = 4_096.0;
/// How much slower the baseline follows upward than the model does.
const BASELINE_UP: f64 = 0.1;
/// Farthest that a family may lie from the prior, as a factor: an outage seen by all must not poison what newcomers are compared with.
const FAMILY_MAX: f64 = 50.0;
/// Samples before a route has habits that it could depart from: until then the model is still finding its level.
const BASELINE_SAMPLES: f64 = 100.0;
/// Least mean square of a column in the ridge; smaller would leave a column without prior.
const COLUMN_MIN: f64 = 0.05;

/// Sums since the last fit: integers in Q32.32, added to by completions.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Upper triangle of XᵀX: 00, 01, 02, 11, 12, 22.
    squares: [Word; 6],
    /// Xᵀy.
    products: [Word; 3],
    /// Σ output tokens and their samples.
    outputs: [Word; 2],
}

/// One observation: how long `input` and `output` tokens took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Whether the first byte's time is part of `took_ms`.
    pub(crate) first: bool,
    /// Input tokens; ignored without the first byte.
    pub(crate) input: f32,
    /// Output tokens after the first that are part of `took_ms`.
    pub(crate) decoded: f32,
    /// Observed, in ms.
    pub(crate) took_ms: f32,
    /// Predicted for the same, in ms.
    pub(crate) predicted_ms: f32,
    /// Most that is believed, in ms.
    pub(crate) clip_ms: f32,
}

impl Sums {
    pub(crate) fn new() -> Self {
        Self {
            squares: core::array::from_fn(|_| Word::new(0)),
            products: core::array::from_fn(|_| Word::new(0)),
            outputs: core::array::from_fn(|_| Word::new(0)),
        }
    }

    /// Adds one observation, in units of the prior's model.
    pub(crate) fn add(&self, sample: &Sample, prior: &Norm) {
        let predicted = f64::from(sample.predicted_ms).max(0.01);
        let row = [
            if sample.first {
                prior.first_ms / predicted
            } else {
                0.0
            },
            if sample.first {
                prior.per_input_ms * f64::from(sample.input) / predicted
            } else {
                0.0
            },
            prior.per_output_ms * f64::from(sample.decoded) / predicted,
        ]
        .map(|x| x.clamp(0.0, ROW_MAX));
        let y = f64::from(sample.took_ms.min(sample.clip_ms)) / predicted;
        let mut cell = 0;
        for i in 0..3 {
            for j in i..3 {
                accumulate(&self.squares[cell], row[i] * row[j]);
                cell += 1;
            }
            accumulate(&self.products[i], row[i] * y);
        }
    }

    /// Adds the length of one answer.
    pub(crate) fn add_output(&self, tokens: u32) {
        self.outputs[0].fetch_add(u64::from(tokens));
        self.outputs[1].fetch_add(1);
    }
}

fn accumulate(word: &Word, value: f64) {
    let fixed = (value.min(SQUARE_MAX) * ONE) as u64;
    if fixed > 0 {
        word.fetch_add(fixed);
    }
}

/// The prior model in ms, with every coefficient above zero: the units of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm {
    pub(crate) first_ms: f64,
    pub(crate) per_input_ms: f64,
    pub(crate) per_output_ms: f64,
}

impl Norm {
    pub(crate) fn new(prior: &Model) -> Self {
        Self {
            first_ms: f64::from(prior.first_ms).max(1.0),
            per_input_ms: (f64::from(prior.per_input_us) * 1e-3).max(1e-4),
            per_output_ms: (f64::from(prior.per_output_us) * 1e-3).max(1e-2),
        }
    }
}

/// What the routes of a model have in common: coefficients in units of the prior's, each > 0.
///
/// A route with few samples is believed to be like its siblings rather than like a constant:
/// a constant for every model in the world is off by any factor, and would rank routes by how little is known of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family([f64; 3]);

impl Family {
    /// Nothing is known of any sibling: the prior itself.
    pub(crate) const PRIOR: Self = Self([1.0; 3]);
}

/// What the fitter remembers between two fits, for one class.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    squares: [f64; 6],
    products: [f64; 3],
    outputs: [f64; 2],
    /// ln(model / baseline); ≥ 0.
    pub(crate) level: f64,
    /// Habitual scale of the drift.
    pub(crate) scale: f64,
}

/// What one fit found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fitted {
    pub(crate) model: Model,
    /// Mean output tokens of an answer, the prior included.
    pub(crate) output: f64,
    /// Mean input tokens of the requests, weighted as in the fit.
    pub(crate) input: f64,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            squares: [0.0; 6],
            products: [0.0; 3],
            outputs: [0.0; 2],
            level: 0.0,
            scale: 0.3,
        }
    }

    /// Takes the new sums in, keeping `keep` of the old; false if there was nothing new.
    pub(crate) fn fold(&mut self, sums: &Sums, keep: f64) -> bool {
        let mut fresh = 0;
        let mut fold = |held: &mut f64, word: &Word, one: f64| {
            let taken = if word.load() == 0 { 0 } else { word.swap(0) };
            fresh |= taken;
            *held = *held * keep + taken as f64 / one;
        };
        self.squares
            .iter_mut()
            .zip(&sums.squares)
            .for_each(|(held, word)| fold(held, word, ONE));
        self.products
            .iter_mut()
            .zip(&sums.products)
            .for_each(|(held, word)| fold(held, word, ONE));
        self.outputs
            .iter_mut()
            .zip(&sums.outputs)
            .for_each(|(held, word)| fold(held, word, 1.0));
        fresh != 0
    }

    /// Adds a sibling's sums, to find what the siblings have in common.
    pub(crate) fn pour(&mut self, sibling: &Self) {
        let add = |held: &mut f64, more: &f64| *held += more;
        let pairs = self.squares.iter_mut().zip(&sibling.squares);
        pairs.for_each(|(held, more)| add(held, more));
        let pairs = self.products.iter_mut().zip(&sibling.products);
        pairs.for_each(|(held, more)| add(held, more));
    }

    /// What the siblings whose sums were poured together have in common; the prior is worth `ridge` samples.
    pub(crate) fn family(&self, ridge: f64) -> Family {
        let bounded = |scale: f64| scale.clamp(1.0 / FAMILY_MAX, FAMILY_MAX);
        Family(self.scales(ridge, &Family::PRIOR).map(bounded))
    }

    /// How many samples the sums hold, within a small factor: a row's entries add up to about 1, so the trace counts them.
    fn samples(&self) -> f64 {
        let [s00, s01, s02, s11, s12, s22] = self.squares;
        s00 + s11 + s22 + 2.0 * (s01 + s02 + s12)
    }

    /// Whether there are sums to solve for.
    pub(crate) fn is_empty(&self) -> bool {
        self.squares.iter().all(|sum| *sum <= 0.0)
    }

    /// Solves for the model, with the family worth `ridge` samples.
    pub(crate) fn solve(
        &self,
        norm: &Norm,
        ridge: f64,
        family: &Family,
        prior_output: f64,
    ) -> Fitted {
        let [s00, s01, ..] = self.squares;
        let scale = self.scales(ridge, family);
        let input = if s00 > 0.0 {
            s01 / s00 * norm.first_ms / norm.per_input_ms
        } else {
            0.0
        };
        Fitted {
            model: Model {
                first_ms: (scale[0] * norm.first_ms) as f32,
                per_input_us: (scale[1] * norm.per_input_ms * 1e3) as f32,
                per_output_us: (scale[2] * norm.per_output_ms * 1e3) as f32,
            },
            output: (self.outputs[0] + ridge * prior_output) / (self.outputs[1] + ridge),
            input,
        }
    }

    /// The coefficients in units of the prior's.
    fn scales(&self, ridge: f64, family: &Family) -> [f64; 3] {
        let [s00, s01, s02, s11, s12, s22] = self.squares;
        let samples = self.samples();
        let weight = |own: f64| {
            if samples > 0.0 {
                ridge * (own / samples).max(COLUMN_MIN)
            } else {
                ridge
            }
        };
        let (r0, r1, r2) = (weight(s00), weight(s11), weight(s22));
        let matrix = [
            [s00 + r0, s01, s02],
            [s01, s11 + r1, s12],
            [s02, s12, s22 + r2],
        ];
        let [t0, t1, t2] = self.products;
        let [f0, f1, f2] = family.0;
        solve_positive(matrix, [t0 + r0 * f0, t1 + r1 * f1, t2 + r2 * f2])
    }

    /// Moves the baseline after the model moved by `ln` = ln(new / old): down at once, up at a tenth of the speed.
    pub(crate) fn settle(&mut self, ln: f64, scale: f32, elapsed_over_tau: f64) {
        let forget = (-elapsed_over_tau * BASELINE_UP).exp();
        self.level = if self.samples() < BASELINE_SAMPLES {
            0.0
        } else {
            ((self.level + ln) * forget).clamp(0.0, 8.0)
        };
        if scale > 0.0 {
            let gain = 1.0 - (-elapsed_over_tau).exp();
            let gain = if f64::from(scale) > self.scale {
                gain * BASELINE_UP
            } else {
                gain
            };
            self.scale += gain * (f64::from(scale) - self.scale);
        }
    }
}

/// Solves a positive definite 3×3 system for coefficients ≥ 0: a negative one is fixed at zero and the rest solved again.
fn solve_positive(matrix: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let mut fixed = [false; 3];
    for _ in 0..3 {
        let solution = solve(matrix, right, fixed);
        let worst = (0..3)
            .filter(|&i| !fixed[i])
            .min_by(|&i, &j| solution[i].total_cmp(&solution[j]));
        match worst {
            Some(i) if solution[i] < 0.0 => fixed[i] = true,
            _ => return solution.map(|x| if x.is_finite() { x } else { 1.0 }),
        }
    }
    [0.0; 3]
}

/// Gaussian elimination without pivoting, which positive definite systems do not need.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3], fixed: [bool; 3]) -> [f64; 3] {
    for i in (0..3).filter(|&i| fixed[i]) {
        matrix.iter_mut().for_each(|row| row[i] = 0.0);
        matrix[i] = [0.0; 3];
        matrix[i][i] = 1.0;
        right[i] = 0.0;
    }
    for pivot in 0..3 {
        let above = matrix[pivot];
        for row in pivot + 1..3 {
            let factor = matrix[row][pivot] / above[pivot];
            matrix[row]
                .iter_mut()
                .zip(above)
                .for_each(|(cell, above)| *cell -= factor * above);
            right[row] -= factor * right[pivot];
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3)
            .map(|column| matrix[row][column] * solution[column])
            .sum();
        solution[row] = (right[row] - known) / matrix[row][row];
    }
    solution
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PRIOR: Model = Model {
        first_ms: 500.0,
        per_input_us: 40.0,
        per_output_us: 15_000.0,
    };

    fn learned(truth: Model, rounds: u32, inputs: &[f32]) -> Fitted {
        let norm = Norm::new(&PRIOR);
        let (sums, mut memory) = (Sums::new(), Memory::new());
        let mut model = PRIOR;
        let mut fitted = memory.solve(&norm, 10.0, &Family::PRIOR, 256.0);
        for round in 0..rounds {
            for (i, &input) in inputs.iter().enumerate() {
                let decoded = 50.0 + 37.0 * ((round as usize + i) % 7) as f32;
                let first = Sample {
                    first: true,
                    input,
                    decoded: 0.0,
                    took_ms: truth.first(input),
                    predicted_ms: model.first(input),
                    clip_ms: f32::MAX,
                };
                sums.add(&first, &norm);
                let took_ms = truth.per_output_us * decoded * 1e-3;
                let predicted_ms = model.per_output_us * decoded * 1e-3;
                sums.add(
                    &Sample {
                        first: false,
                        input: 0.0,
                        decoded,
                        took_ms,
                        predicted_ms,
                        clip_ms: f32::MAX,
                    },
                    &norm,
                );
                sums.add_output(100);
            }
            memory.fold(&sums, 0.999);
            fitted = memory.solve(&norm, 10.0, &Family::PRIOR, 256.0);
            model = fitted.model;
        }
        fitted
    }

    #[test]
    fn nothing_measured_is_the_prior() {
        let fitted = Memory::new().solve(&Norm::new(&PRIOR), 10.0, &Family::PRIOR, 256.0);
        assert!((fitted.model.first(1_000.0) - PRIOR.first(1_000.0)).abs() < 0.1);
        assert!((fitted.output - 256.0).abs() < 1e-9);
    }

    #[test]
    fn the_three_coefficients_are_found() {
        let truth = Model {
            first_ms: 180.0,
            per_input_us: 90.0,
            per_output_us: 7_500.0,
        };
        let fitted = learned(truth, 300, &[50.0, 400.0, 3_000.0, 20_000.0]).model;
        assert!(
            (fitted.first_ms / truth.first_ms - 1.0).abs() < 0.05,
            "{fitted:?}"
        );
        assert!(
            (fitted.per_input_us / truth.per_input_us - 1.0).abs() < 0.05,
            "{fitted:?}"
        );
        assert!(
            (fitted.per_output_us / truth.per_output_us - 1.0).abs() < 0.05,
            "{fitted:?}"
        );
    }

    #[test]
    fn inputs_of_one_length_stay_sane() {
        let truth = Model {
            first_ms: 900.0,
            per_input_us: 10.0,
            per_output_us: 15_000.0,
        };
        let fitted = learned(truth, 300, &[1_000.0]).model;
        assert!(
            (fitted.first(1_000.0) / truth.first(1_000.0) - 1.0).abs() < 0.05,
            "{fitted:?}"
        );
        assert!(
            fitted.per_input_us >= 0.0 && fitted.per_input_us < 200.0,
            "{fitted:?}"
        );
    }

    #[test]
    fn a_negative_slope_is_zero() {
        let solution = solve_positive(
            [[2.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [3.0, 0.5, 1.0],
        );
        assert!(solution.iter().all(|&x| x >= 0.0), "{solution:?}");
        assert!((solution[0] - 1.5).abs() < 1e-9);
    }

    #[test]
    fn the_baseline_hardly_follows_a_creep() {
        let mut memory = Memory::new();
        memory.squares[0] = 1_000.0;
        for _ in 0..1_200 {
            memory.settle(5f64.ln() / 1_200.0, 0.3, 0.25 / 300.0);
        }
        assert!(memory.level > 1.4, "{}", memory.level);
        memory.settle(-5f64.ln(), 0.3, 0.25 / 300.0);
        assert!(memory.level < 0.1);
    }

    #[test]
    fn few_samples_lean_on_the_siblings() {
        let norm = Norm::new(&PRIOR);
        // The world decodes in a fifth of the prior's time per token.
        let truth = norm.per_output_ms / 5.0;
        let seen = |samples: u32| {
            let sums = Sums::new();
            for _ in 0..samples {
                let took_ms = (norm.first_ms + 100.0 * truth) as f32;
                let sample = Sample {
                    first: true,
                    input: 0.0,
                    decoded: 100.0,
                    took_ms,
                    predicted_ms: took_ms,
                    clip_ms: f32::MAX,
                };
                sums.add(&sample, &norm);
            }
            let mut memory = Memory::new();
            memory.fold(&sums, 1.0);
            memory
        };
        let (many, few) = (seen(500), seen(2));
        let mut pooled = Memory::new();
        pooled.pour(&many);
        pooled.pour(&few);
        let family = pooled.family(10.0);
        let whole = |memory: &Memory, family: &Family| {
            let model = memory.solve(&norm, 10.0, family, 100.0).model;
            f64::from(model.first_ms) + 0.1 * f64::from(model.per_output_us)
        };
        let expected = norm.first_ms + 100.0 * truth;
        let error = |family: &Family| (whole(&few, family) / expected - 1.0).abs();
        assert!(error(&family) < 0.05, "{}", error(&family));
        assert!(error(&Family::PRIOR) > 3.0 * error(&family));
    }
}
