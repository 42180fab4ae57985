//! What happens to numbers between two products: GELU, softmax and layer norm.
//!
//! Plain loops over sixteen numbers at a time, without a branch or a call, which the compiler turns into vectors of the processor's width.
//! `f32::exp` is a call, so the exponential is written out: a power of two by way of the exponent's bits, times a Taylor polynomial.
//! Multiplications and additions are not fused, so that the same loops are quick where no such instruction exists.
//!
//! # Invariants
//! - GELU is the exact one, by the error function, within 1e-6; softmax within 1e-6.
//! - Finite numbers stay finite.

use std::array;

use fearless_simd::{Level, Simd, dispatch};

/// Numbers that are worked on at once.
const LANES: usize = 16;

/// Below it the exponential is no normal `f32`.
const LEAST_EXPONENT: f32 = -87.0;

/// 1.5 × 2^23: added, it leaves a number rounded to a whole one in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// The natural logarithm of two in two parts, so that the remainder loses no digit: the first has nine bits.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// 1/7! to 1/0!.
const TAYLOR: [f32; 8] = [
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// Abramowitz and Stegun 7.1.26: the complementary error function within 1.5e-7.
const ERFC_SCALE: f32 = 0.327_591_1;
const ERFC: [f32; 5] = [
    1.061_405_4,
    -1.453_152,
    1.421_413_7,
    -0.284_496_73,
    0.254_829_6,
];

/// What a layer norm multiplies and adds, a number a column.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// Added to the variance.
    pub(super) epsilon: f32,
}

impl Norm {
    /// Adds to each row of `rows` that of `added`, and gives it mean 0 and variance 1, scaled and shifted.
    pub(super) fn apply(&self, level: Level, rows: &mut [f32], added: &[f32]) {
        dispatch!(level, simd => self.apply_with(simd, rows, added));
    }

    #[inline(always)]
    fn apply_with<S: Simd>(&self, _simd: S, rows: &mut [f32], added: &[f32]) {
        let width = self.weight.len();
        #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^24")]
        let share = 1.0 / width as f32;
        for (row, added) in rows.chunks_exact_mut(width).zip(added.chunks_exact(width)) {
            for (number, added) in row.iter_mut().zip(added) {
                *number += added;
            }
            let mean = sum(row, |number| number) * share;
            let variance = sum(row, |number| (number - mean) * (number - mean)) * share;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            for ((number, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *number = (*number - mean) * scale * weight + bias;
            }
        }
    }
}

/// The Gaussian error linear unit of each number.
pub(super) fn gelu(level: Level, numbers: &mut [f32]) {
    dispatch!(level, simd => gelu_with(simd, numbers));
}

/// Turns each row's first `width` numbers, times `scale`, into shares of one.
pub(super) fn softmax(level: Level, rows: &mut [f32], stride: usize, width: usize, scale: f32) {
    dispatch!(level, simd => softmax_with(simd, rows, (stride, width), scale));
}

#[inline(always)]
fn gelu_with<S: Simd>(_simd: S, numbers: &mut [f32]) {
    let (lines, rest) = numbers.as_chunks_mut::<LANES>();
    for line in lines {
        *line = line.map(gelu_of);
    }
    for number in rest {
        *number = gelu_of(*number);
    }
}

/// `max(x, 0) − |x| · erfc(|x| / √2) / 2`, in which nothing cancels.
#[inline(always)]
fn gelu_of(number: f32) -> f32 {
    let size = number.abs();
    let bent = size * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + ERFC_SCALE * bent);
    let erfc = polynomial(&ERFC, t) * t * exponential(-bent * bent);
    number.max(0.0) - 0.5 * size * erfc
}

#[inline(always)]
fn softmax_with<S: Simd>(_simd: S, rows: &mut [f32], (stride, width): (usize, usize), scale: f32) {
    for row in rows.chunks_mut(stride) {
        let row = &mut row[..width];
        let greatest = greatest(row);
        let (lines, rest) = row.as_chunks_mut::<LANES>();
        for line in lines {
            *line = line.map(|number| exponential((number - greatest) * scale));
        }
        for number in rest {
            *number = exponential((*number - greatest) * scale);
        }
        let share = 1.0 / sum(row, |number| number);
        for number in row {
            *number *= share;
        }
    }
}

/// e to a power of at most 0, within two units of the last digit.
#[inline(always)]
fn exponential(power: f32) -> f32 {
    let power = power.max(LEAST_EXPONENT);
    let rounded = power * std::f32::consts::LOG2_E + ROUND;
    let twos = rounded - ROUND;
    let rest = power - twos * LN_2_HIGH - twos * LN_2_LOW;
    // The low bits of `rounded` are the whole number; moved up, they are an exponent that lacks its offset.
    let scale = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    polynomial(&TAYLOR, rest) * scale
}

/// Horner's rule, the highest power first.
#[inline(always)]
fn polynomial<const N: usize>(factors: &[f32; N], at: f32) -> f32 {
    let mut value = factors[0];
    for factor in &factors[1..] {
        value = value * at + factor;
    }
    value
}

/// The sum of what becomes of each number, in sixteen sums that are added at the end.
#[inline(always)]
fn sum(numbers: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (lines, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for line in lines {
        sums = array::from_fn(|lane| sums[lane] + of(line[lane]));
    }
    sums.into_iter().sum::<f32>() + rest.iter().map(|number| of(*number)).sum::<f32>()
}

/// The greatest number.
#[inline(always)]
fn greatest(numbers: &[f32]) -> f32 {
    let (lines, rest) = numbers.as_chunks::<LANES>();
    let mut tops = [f32::NEG_INFINITY; LANES];
    for line in lines {
        tops = array::from_fn(|lane| tops[lane].max(line[lane]));
    }
    tops.into_iter()
        .chain(rest.iter().copied())
        .fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::super::matrix::levels;
    use super::super::twin;
    use super::*;

    fn far(found: f32, exact: f64) -> f64 {
        (f64::from(found) - exact).abs()
    }

    #[test]
    fn gelu_is_the_exact_one_within_a_millionth() {
        for level in levels() {
            let numbers: Vec<f32> = (-13_003_i16..=13_003)
                .map(|n| f32::from(n) / 1_000.0)
                .collect();
            let mut bent = numbers.clone();
            gelu(level, &mut bent);
            for (number, bent) in numbers.into_iter().zip(bent) {
                let exact = twin::gelu(f64::from(number));
                let far = far(bent, exact);
                assert!(
                    far < 1e-6,
                    "{level:?}: gelu({number}) is {exact}, not {bent}"
                );
            }
        }
    }

    #[test]
    fn numbers_of_any_size_stay_finite() {
        for level in levels() {
            let mut numbers = vec![
                f32::MAX,
                f32::MIN,
                0.0,
                -0.0,
                1e30,
                -1e30,
                f32::MIN_POSITIVE,
            ];
            gelu(level, &mut numbers);
            assert!(
                numbers.iter().all(|number| number.is_finite()),
                "{numbers:?}"
            );
            let mut row = vec![1e30, -1e30, 0.0];
            softmax(level, &mut row, 3, 3, 0.5);
            assert!(
                far(row[0], 1.0) < 1e-6 && row[1] < 1e-30 && row[2] < 1e-30,
                "{row:?}"
            );
        }
    }

    #[test]
    fn softmax_shares_one_and_leaves_what_is_beside_the_row() {
        for level in levels() {
            for width in [1_usize, 2, 15, 16, 17, 40] {
                let stride = width + 3;
                let number =
                    |at: usize| f32::from(u8::try_from(at * 37 % 101).unwrap()) / 4.0 - 9.0;
                let mut rows: Vec<f32> = (0..2 * stride).map(number).collect();
                softmax(level, &mut rows, stride, width, 0.5);
                for (row, shares) in rows.chunks(stride).enumerate() {
                    let scores = (0..width).map(|at| f64::from(number(row * stride + at)) * 0.5);
                    for (share, exact) in shares.iter().zip(twin::softmax(scores.collect())) {
                        assert!(
                            far(*share, exact) < 1e-6,
                            "{level:?} {width}: {exact}, not {share}"
                        );
                    }
                    for (at, beside) in shares.iter().enumerate().skip(width) {
                        assert_eq!(beside.to_bits(), number(row * stride + at).to_bits());
                    }
                }
            }
        }
    }
}
