//! What did a request cost, now that it is over?
//!
//! In the currency that decisions are made in, but of what happened instead of what is expected: the simulator's and the shadow's measure.

use crate::time::Span;

/// What each failed attempt adds, in ms: what it costs everybody besides its time.
pub const FAILED_MS: f64 = 1_000.0;

/// What a request that nobody answered adds, in ms: more than any wait that users put up with.
pub const LOST_MS: f64 = 10_000.0;

/// What a request cost that took `total` and so many attempts, in ms.
#[must_use]
pub fn toll_ms(total: Span, attempts: u32, answered: bool) -> f64 {
    let failures = attempts.saturating_sub(u32::from(answered));
    let lost = if answered { 0.0 } else { LOST_MS };
    total.as_millis_f64() + FAILED_MS * f64::from(failures) + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_failures_and_loss() {
        for (millis, attempts, answered, cost) in [
            (250, 1, true, 250.0),
            (900, 2, true, 1_900.0),
            (900, 2, false, 12_900.0),
            (5, 0, false, 10_005.0),
            (5, 0, true, 5.0),
        ] {
            let told = toll_ms(Span::from_millis(millis), attempts, answered);
            assert!((told - cost).abs() < 1e-9, "{told}, not {cost}");
        }
    }
}
