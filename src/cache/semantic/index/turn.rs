//! How does any vector become one whose signs tell its angles?
//!
//! Sign bits estimate angles only among vectors that point anywhere; an embedder's have favourite axes.
//! So every vector is turned by the same random-like rotation: signs flipped, then a Hadamard transform, over the first and over the last numbers in turn, since their count is rarely a power of two.
//! A rotation keeps every cosine, and evens out the numbers, which eight bits then hold better.
//!
//! # Invariants
//! - The rotation depends on the width alone, so vectors turned at different times compare.
//! - What comes out has unit length.

use super::WIDEST;

/// Passes: each half of the passes mixes all numbers with all others once.
const PASSES: u64 = 4;

/// Where the sequence of flipped signs starts: any odd number would do.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Numbers of a turned vector: the next multiple of 64, so that bits fill whole words.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(64)
}

/// Where a vector is turned, without an allocation.
pub(super) struct Scratch([f32; WIDEST]);

impl Scratch {
    pub(super) fn new() -> Self {
        Self([0.0; WIDEST])
    }

    /// The vector at unit length, turned; at most [`WIDEST`] numbers, not all zero.
    pub(super) fn turn(&mut self, vector: &[f32]) -> &[f32] {
        let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
        let length = square.sqrt();
        let numbers = &mut self.0[..padded(vector.len())];
        for (to, from) in numbers.iter_mut().zip(vector) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a part of a unit vector, rounded to the precision of the codes' input"
            )]
            let part = (f64::from(*from) / length) as f32;
            *to = part;
        }
        numbers[vector.len()..].fill(0.0);
        rotate(numbers);
        numbers
    }
}

fn rotate(numbers: &mut [f32]) {
    let span = 1 << numbers.len().ilog2();
    let start = numbers.len() - span;
    for pass in 0..PASSES {
        flip(numbers, pass);
        let window = if pass % 2 == 0 { 0 } else { start };
        hadamard(&mut numbers[window..window + span]);
    }
}

/// Flips the signs of about half of the numbers.
fn flip(numbers: &mut [f32], pass: u64) {
    for (place, word) in numbers.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let bits = mix(SEED.wrapping_mul(1 + pass + PASSES * place as u64));
        for (at, number) in word.iter_mut().enumerate() {
            let sign = (bits >> at & 1) << 31;
            *number = f32::from_bits(number.to_bits() ^ sign as u32);
        }
    }
}

/// One step of `SplitMix64`: its output's bits are as good as independent for inputs in a row.
fn mix(state: u64) -> u64 {
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

/// The Hadamard transform of a power of two of numbers, scaled so that lengths stay.
fn hadamard(numbers: &mut [f32]) {
    let mut half = 1;
    while half < numbers.len() {
        for block in numbers.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a power of two up to the widest vector is exact"
    )]
    let scale = (numbers.len() as f32).sqrt().recip();
    for number in numbers {
        *number *= scale;
    }
}
