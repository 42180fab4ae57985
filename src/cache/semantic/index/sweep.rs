//! Which entries come near, of all there are?
//!
//! The loops are plain; a dispatch around them compiles them for each set of instructions that a processor may have, and picks one at run time.
//! Eight entries are compared at once, word by word, and hardly a group holds one that is close enough to be scored.
//!
//! # Invariants
//! - The answer does not depend on the instructions, nor on the order of the entries.

use std::sync::Arc;

use fearless_simd::Simd;

use super::chunk::{Chunk, LANES};
use super::near::{Near, Nearest};
use super::probe::Probe;

/// Offers every entry that is close enough to `nearest`.
#[inline(always)]
pub(super) fn sweep<S: Simd>(_: S, chunks: &[Arc<Chunk>], probe: &Probe, nearest: &mut Nearest) {
    let mut limit = probe.limit(nearest.least());
    for chunk in chunks {
        for (group, steps) in chunk.groups().enumerate() {
            let apart = differences(steps, probe.bits());
            if apart
                .iter()
                .fold(u64::MAX, |least, count| least.min(*count))
                > limit
            {
                continue;
            }
            let first = group * LANES;
            let rows = LANES.min(chunk.len() - first);
            for (row, count) in (first..).zip(&apart[..rows]) {
                if *count <= limit && nearest.offer(score(chunk, row, probe)) {
                    limit = probe.limit(nearest.least());
                }
            }
        }
    }
}

/// In how many signs each of eight entries differs from the question.
#[inline(always)]
fn differences(steps: &[[u64; LANES]], bits: &[u64]) -> [u64; LANES] {
    let mut apart = [0; LANES];
    for (words, asked) in steps.iter().zip(bits) {
        for (count, word) in apart.iter_mut().zip(words) {
            *count += u64::from((word ^ asked).count_ones());
        }
    }
    apart
}

/// The entry and its similarity.
#[inline(always)]
fn score(chunk: &Chunk, row: usize, probe: &Probe) -> Near {
    let product: i32 = chunk
        .codes(row)
        .iter()
        .zip(probe.codes())
        .map(|(entry, asked)| i32::from(*entry) * i32::from(*asked))
        .sum();
    #[expect(
        clippy::cast_precision_loss,
        reason = "24 bits are far more than the codes are worth"
    )]
    let similarity = product as f32 * chunk.scale(row) * probe.scale();
    Near {
        id: chunk.id(row),
        similarity: similarity.clamp(-1.0, 1.0),
    }
}
