//! What follows from the sums: a ratio, its difference to the live mean, how sure that is, and when nothing follows.
//!
//! The interval is the delta method's for the difference of two ratios over the same requests.
//! It is about the requests that came: given what a request met, what was chosen and how long that took are independent draws, so the sum of influences is a martingale and requests that resemble their neighbours in time do not widen it.
//! What the influences differ by because requests differ is counted as chance as well, so it is rather too wide than too narrow.
//! Why not batches in time: they would answer for other traffic than came, need some thirty batches before they tell anything, and a place for each that readers and writers agree on.
//!
//! # Invariants
//! - With all weights 1 the difference is exactly 0 and its interval has no width.

use super::moments::Moments;

/// Least effective sample size.
pub const LEAST_EFFECTIVE: f64 = 100.0;
/// The same as a part of the judged requests.
pub const LEAST_EFFECTIVE_SHARE: f64 = 0.02;
/// The shadow's mass on choices that could not be made that is put up with; 0..=1.
pub const UNSUPPORTED_MOST: f64 = 0.05;
/// The part of the sum of weights lost by clipping that is put up with; 0..=1.
pub const CLIPPED_MOST: f64 = 0.05;

/// Standard errors in half of a 95 % interval.
///
/// 1.96 would do for a normal law; costs are skewed, and with some ninety answers of a route with a heavy tail (log-normal, σ = 1) it covered 90 % of 300 seeds.
/// With this the tests' three worlds stay above 90 % of theirs; a mild one gets wider intervals than it needs.
pub(super) const WIDTH: f64 = 2.2;
/// Failures that may never be seen in a sample and still be expected in it, at 95 %: the rule of three.
const UNSEEN: f64 = 3.0;

/// What other constants would have made of a quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Requests that it rests on.
    pub requests: f64,
    /// As many requests of the shadow's own would say as much: `(Σw)²/Σw²`.
    pub effective: f64,
    /// The mean as it was.
    pub live: f64,
    /// The mean as it would have been.
    pub shadow: f64,
    /// The second less the first.
    pub difference: f64,
    /// The lower end of the difference's 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// No request has ended that could be judged.
    Nothing,
    /// The shadow would choose what the live constants never do.
    Unsupported {
        /// Its mass on such choices; 0..=1.
        mass: f64,
    },
    /// Too much weight was clipped.
    Clipped {
        /// The part of the sum of weights that was; 0..=1.
        share: f64,
    },
    /// Too few of the shadow's choices were made.
    Thin {
        /// Effective sample size.
        effective: f64,
        /// Least that is accepted.
        needed: f64,
    },
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nothing => f.write_str("no sampled request has ended yet that tells of it"),
            Self::Unsupported { mass } => write!(
                f,
                "for {:.0} % of its choices the live constants leave no chance, so nothing is known of them: explore more, widen the live band (`scoring.draw`), or ask `trimtab replay`",
                100.0 * mass
            ),
            Self::Clipped { share } => write!(
                f,
                "{:.0} % of the weight is on choices that the live constants hardly ever make: explore more, widen the live band (`scoring.draw`), or ask `trimtab replay`",
                100.0 * share
            ),
            Self::Thin { effective, needed } => write!(
                f,
                "the requests are worth {effective:.0} of the shadow's own and {needed:.0} are needed: wait, or sample more (`scoring.shadow.sample`)"
            ),
        }
    }
}

impl core::error::Error for Refusal {}

/// Effective sample size of weights with this sum and this sum of squares: `(Σw)²/Σw²`.
#[must_use]
pub fn effective(weights: f64, squares: f64) -> f64 {
    if squares > 0.0 {
        weights * weights / squares
    } else {
        0.0
    }
}

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of the requests, each 0 or 1.
    Rate,
    /// A time.
    Mean,
}

/// The estimate that sums give.
///
/// # Errors
/// Too few of the shadow's choices were made.
pub(super) fn estimate(it: &Moments, kind: Kind) -> Result<Estimate, Refusal> {
    if it.n < 1.0 {
        return Err(Refusal::Nothing);
    }
    let effective = effective(it.weights(), it.squares());
    let needed = LEAST_EFFECTIVE.max(LEAST_EFFECTIVE_SHARE * it.n);
    if effective < needed {
        return Err(Refusal::Thin { effective, needed });
    }
    let live = it.y / it.n;
    let shadow = (it.y + it.vy) / it.weights();
    let difference = (it.vy - live * it.v) / it.weights();
    let sampled = WIDTH * variance(it, live, shadow).sqrt();
    let half = match kind {
        // Of failures that were not seen nothing else tells.
        Kind::Rate => sampled.max(UNSEEN / effective * (it.vv / it.n).sqrt()),
        Kind::Mean => sampled,
    };
    Ok(Estimate {
        requests: it.n,
        effective,
        live,
        shadow,
        difference,
        low: difference - half,
        high: difference + half,
    })
}

/// The variance of `shadow − live`: the mean square of each request's influence `(w/w̄)(y − shadow) − (y − live)`, over their number.
fn variance(it: &Moments, live: f64, shadow: f64) -> f64 {
    // The influence is (a·y − b) + u·v·(y − shadow).
    let u = it.n / it.weights();
    let (a, b) = (u - 1.0, u * shadow - live);
    let plain = a * a * it.yy - 2.0 * a * b * it.y + b * b * it.n;
    let mixed = a * it.vyy - (a * shadow + b) * it.vy + b * shadow * it.v;
    let excess = it.vvyy - 2.0 * shadow * it.vvy + shadow * shadow * it.vv;
    let squares = plain + 2.0 * u * mixed + u * u * excess;
    squares.max(0.0) / (it.n * it.n)
}
