//! When does a stream ask?
//!
//! Gaps are drawn for a rate of 1 and walked through the stream's rate over time, piece by piece between the borders of surges.
//!
//! # Invariants
//! - Arrivals ascend and lie before the duration.
//! - A renewal process stays one: only the speed at which its gaps pass changes.

use rand::Rng;
use scoring::time::Span;

use super::gaps::Gaps;
use crate::scenario::Traffic;

/// A time during which the rate is the same.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    until_us: f64,
    /// Requests per µs.
    rate: f64,
}

/// Calls `each` with every arrival of `stream`, until it wants no more.
pub(super) fn each(
    stream: &Traffic,
    duration: Span,
    rng: &mut impl Rng,
    mut each: impl FnMut(Span) -> bool,
) {
    let gaps = Gaps::new(stream.arrivals);
    let mut at = 0.0;
    let mut gap = gaps.first(rng);
    for piece in pieces(stream, duration) {
        loop {
            let left = (piece.until_us - at) * piece.rate;
            if gap >= left {
                gap -= left;
                at = piece.until_us;
                break;
            }
            at += gap / piece.rate;
            if !each(Span::from_micros(at as u64)) {
                return;
            }
            gap = gaps.next(rng);
        }
    }
}

/// The stream's rate over the duration; where surges overlap, their factors multiply.
fn pieces(stream: &Traffic, duration: Span) -> Vec<Piece> {
    let surges = &stream.surges;
    let borders = surges.iter().flat_map(|surge| [surge.from, surge.until]);
    let borders = borders.filter(|border| *border < duration);
    let mut borders: Vec<Span> = borders.chain([duration]).collect();
    borders.sort_unstable();
    let mut from = Span::ZERO;
    let mut pieces = Vec::with_capacity(borders.len());
    for until in borders {
        let active = surges
            .iter()
            .filter(|it| it.from <= from && from < it.until);
        let factor: f64 = active.map(|surge| surge.factor.max(0.0)).product();
        pieces.push(Piece {
            until_us: until.as_micros() as f64,
            rate: stream.rate.max(0.0) / 1e6 * factor,
        });
        from = until;
    }
    pieces
}
