//! What is compared with every entry, and how many signs may differ?
//!
//! Two unit vectors at angle `a`, turned at random, differ in each sign with probability `p = a / pi`.
//! Of `n` signs `n p` differ in the mean, with a deviation of at most `sqrt(n p (1 - p))`: signs of one rotation are no more alike than independent ones.
//! Entries are let through up to [`DEVIATIONS`] above the mean for the least similarity of interest: at 384 numbers and a cosine of 0.85, 101 of 384 signs, where strangers differ in 192 ± 10.
//! A cosine of exactly the least is then missed with a probability below 1 in 10,000, a greater one far less often.
//!
//! # Invariants
//! - The question keeps 12 bits a number, so that the error of a similarity is the entry's rounding alone.
//! - The products of codes add up within 31 bits at the widest vector.

use std::f32::consts::PI;

use super::WIDEST;
use super::chunk::pack;

/// Deviations above the mean up to which an entry's bits let it through: 3 would miss one in 700, 5 would score strangers for nothing where an embedder finds everything alike.
const DEVIATIONS: f32 = 4.0;

/// Signs let through beyond that: at angles near zero the count has a longer tail than a normal one.
const SPARE: f32 = 4.0;

/// The largest code of a question: `2047 × 127 × 4096` is below 2^31.
const LARGEST: f32 = 2047.0;

/// A question, prepared.
pub(super) struct Probe {
    /// Numbers of the turned vector.
    width: usize,
    scale: f32,
    bits: [u64; WIDEST / 64],
    codes: [i16; WIDEST],
}

impl Probe {
    pub(super) fn new(turned: &[f32]) -> Self {
        let largest = turned
            .iter()
            .fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        let mut probe = Self {
            width: turned.len(),
            scale: largest / LARGEST,
            bits: [0; WIDEST / 64],
            codes: [0; WIDEST],
        };
        let step = LARGEST / largest;
        for (code, number) in probe.codes.iter_mut().zip(turned) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "between -2047 and 2047 by the choice of the step"
            )]
            let rounded = (number * step).round() as i16;
            *code = rounded;
        }
        for (bits, signs) in probe.bits.iter_mut().zip(turned.as_chunks::<64>().0) {
            *bits = pack(signs);
        }
        probe
    }

    #[inline(always)]
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits[..self.width / 64]
    }

    #[inline(always)]
    pub(super) fn codes(&self) -> &[i16] {
        &self.codes[..self.width]
    }

    /// What a product of codes is multiplied by, next to the entry's own scale.
    #[inline(always)]
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// Signs in which an entry of at least this similarity may differ.
    pub(super) fn limit(&self, least: f32) -> u64 {
        limit(self.width, least)
    }
}

/// See [`Probe::limit`].
pub(super) fn limit(width: usize, least: f32) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "4096 at most")]
    let signs = width as f32;
    let share = least.clamp(-1.0, 1.0).acos() / PI;
    let deviation = (signs * share * (1.0 - share)).sqrt();
    let most = signs * share + DEVIATIONS * deviation + SPARE;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and at most some thousands"
    )]
    let most = most as u64;
    most
}
