//! Between which shares does the truth lie, if so many of so many were wrong?
//!
//! The interval is Clopper's and Pearson's: the shares at which what was seen, or something further off, would still come up in 2.5 % of repetitions on either side.
//! It is the one that covers at rare shares as well, where Wilson's and the normal one are too short; the price is that it is a little too long.
//! Counts may be fractions, since weighted samples have an effective size.
//!
//! # Invariants
//! - `0 <= low <= wrong / all <= high <= 1`; nothing seen is `(0, 1)`.

/// What is left out on either side: an interval of 95 %.
const TAIL: f64 = 0.025;

/// Halvings of the interval in which a quantile is sought: more than an `f64` has bits.
const HALVINGS: usize = 60;

/// Steps of the continued fraction; it needs some √(a + b) of them, so this is enough for a million counts.
const STEPS: usize = 3_000;

/// The 95 % interval of a share of which `wrong` in `all` is known; both are ≥ 0 and may be fractions.
#[must_use]
pub(super) fn interval(wrong: f64, all: f64) -> (f64, f64) {
    if !(all.is_finite() && all > 0.0 && wrong.is_finite()) {
        return (0.0, 1.0);
    }
    let wrong = wrong.clamp(0.0, all);
    let right = all - wrong;
    let low = if wrong > 0.0 {
        quantile(TAIL, wrong, right + 1.0)
    } else {
        0.0
    };
    let high = if right > 0.0 {
        quantile(1.0 - TAIL, wrong + 1.0, right)
    } else {
        1.0
    };
    let share = wrong / all;
    (low.min(share), high.max(share))
}

/// The `x` at which the beta distribution reaches `chance`.
fn quantile(chance: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if beta(middle, a, b) < chance {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges on this side only; the other is its mirror.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, after Lentz.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    /// Stands in for a zero that would be divided by.
    const TINY: f64 = 1e-300;
    let kept = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    let mut m = 0.0;
    for _ in 0..STEPS {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / kept(1.0 + term * d);
            c = kept(1.0 + term / c);
            change = d * c;
            result *= change;
        }
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function for `x > 0`, by Stirling's series after moving `x` up to where it is exact.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0
            - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square * (1.0 / 1_680.0))));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Zero of n has the closed form 1 - 0.025^(1/n), n of n its mirror.
        for (wrong, all, low, high) in [
            (0.0, 10.0, 0.0, 0.308_497),
            (10.0, 10.0, 0.691_503, 1.0),
            (1.0, 10.0, 0.002_529, 0.445_016),
            (5.0, 10.0, 0.187_086, 0.812_914),
            (3.0, 300.0, 0.002_067, 0.028_941),
            (0.0, 0.0, 0.0, 1.0),
            (f64::NAN, 5.0, 0.0, 1.0),
        ] {
            let (found_low, found_high) = interval(wrong, all);
            assert!(
                (found_low - low).abs() < 2e-5 && (found_high - high).abs() < 2e-5,
                "{wrong} of {all}: {found_low} {found_high}"
            );
        }
    }

    #[test]
    fn the_share_lies_inside_and_more_counts_narrow_it() {
        for wrong in [0.0, 0.3, 1.0, 7.5, 40.0] {
            let mut before = 1.1;
            for all in [100.0, 155.5, 400.0, 40_000.0, 4e6] {
                let (low, high) = interval(wrong, all);
                let share: f64 = wrong / all;
                assert!(low <= share && share <= high && low >= 0.0 && high <= 1.0);
                assert!(high - low < before, "{wrong} of {all}");
                before = high - low;
            }
        }
    }
}
