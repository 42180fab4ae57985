//! Comparisons and roundings of floats that are one or two instructions on any machine.
//!
//! The library's `max` and `min` care for NaN and `round` and `floor` are calls on the x86 baseline; the request path has neither NaN nor time.
//!
//! # Invariants
//! - No NaN is given: where one were, the first argument would lose.

/// The larger of two.
#[inline(always)]
pub(crate) fn larger(left: f32, right: f32) -> f32 {
    if left > right { left } else { right }
}

/// The smaller of two.
#[inline(always)]
pub(crate) fn smaller(left: f32, right: f32) -> f32 {
    if left < right { left } else { right }
}

/// The nearest integer, halves away from zero; |x| < 2³⁰.
#[inline(always)]
pub(crate) fn nearest(x: f32) -> f32 {
    (x + 0.5_f32.copysign(x)) as i32 as f32
}

/// The next integer toward zero; |x| < 2³⁰.
#[inline(always)]
pub(crate) fn whole(x: f32) -> f32 {
    x as i32 as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_library() {
        for i in -4_000..=4_000 {
            let x = i as f32 / 16.0;
            assert!((nearest(x) - x.round()).abs() < 1e-9, "{x}");
            assert!((whole(x) - x.trunc()).abs() < 1e-9, "{x}");
            assert!((larger(x, 1.0) - x.max(1.0)).abs() < 1e-9, "{x}");
            assert!((smaller(x, 1.0) - x.min(1.0)).abs() < 1e-9, "{x}");
        }
    }
}
