//! How bad was a cell? What it cost above the clairvoyant, and how far its bars were missed.
//!
//! A miss is told in parts of the room between the bar and perfection: 0.9998 where 0.9999 is asked for loses twice as many requests as it may, a miss of 1.
//! It counts less and less the larger it is, so that one bar far out of reach does not hide every other, and yet getting nearer to it counts.
//!
//! # Invariants
//! - The loss of a cell depends on that cell alone, so that means over cells can be compared pair by pair.
//! - What a run could not tell counts as missed by the most.

use crate::measure::{Better, METRICS, Values};
use crate::scenario::Bar;

/// What a bar missed without limit costs, as regret: missed by twice its room it costs 0.067, which is more than any scenario of the pack can win.
/// Five times as much lets the chance of one bar in one run hide what costs do everywhere.
const MISSED: f64 = 0.1;
/// The least room, for bars that ask for perfection: one in a hundred is a miss of 1.
const LEAST_ROOM: f64 = 0.01;
/// Metrics that less is better of, and that are 1 at the best.
const FROM_ONE: [&str; 6] = [
    "attempts",
    "attempts_peak",
    "p50",
    "p95",
    "p99",
    "p99_healthy",
];

/// How bad a cell was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Loss {
    /// Cost above that of the clairvoyant that honours the weights, as a part of it.
    pub(super) regret: f64,
    /// What its missed bars cost; ≥ 0.
    pub(super) penalty: f64,
    /// What came out for each bar.
    pub(super) bars: Vec<Option<f64>>,
}

impl Loss {
    /// The loss of a cell in which `values` came out.
    #[must_use]
    pub(super) fn new(values: &Values, bars: &[Bar]) -> Self {
        let told: Vec<Option<f64>> = bars
            .iter()
            .map(|bar| values.get(&*bar.metric).copied())
            .collect();
        let missed = bars
            .iter()
            .zip(&told)
            .map(|(bar, value)| missed(bar, *value));
        Self {
            regret: values.get("regret").copied().unwrap_or(1.0),
            penalty: MISSED * missed.sum::<f64>(),
            bars: told,
        }
    }

    /// Both together: what is minimised.
    #[must_use]
    pub(super) fn total(&self) -> f64 {
        self.regret + self.penalty
    }
}

/// How far `value` misses the bar; 0 for a bar that holds, and below 1.
fn missed(bar: &Bar, value: Option<f64>) -> f64 {
    let Some(value) = value.filter(|it| it.is_finite()) else {
        return 1.0;
    };
    let over = bar.at_most.map_or(0.0, |most| value - most);
    let under = bar.at_least.map_or(0.0, |least| least - value);
    let beyond = over.max(under);
    if beyond <= 0.0 {
        return 0.0;
    }
    let bound = if over > under {
        bar.at_most
    } else {
        bar.at_least
    };
    let room = (bound.unwrap_or_default() - perfect(&bar.metric)).abs();
    let relative = beyond / if room < 1e-9 { LEAST_ROOM } else { room };
    relative / (1.0 + relative)
}

/// The best that a metric can be.
fn perfect(metric: &str) -> f64 {
    let more = METRICS
        .iter()
        .any(|it| it.name == metric && it.better == Better::More);
    if more || FROM_ONE.contains(&metric) {
        1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(metric: &str, at_least: Option<f64>, at_most: Option<f64>) -> Bar {
        Bar {
            goal: "G0".to_owned(),
            metric: metric.to_owned(),
            at_least,
            at_most,
        }
    }

    fn check(bar: &Bar, value: Option<f64>, expected: f64) {
        let found = missed(bar, value);
        assert!(
            (found - expected).abs() < 1e-6,
            "{bar:?} with {value:?}: {found}"
        );
    }

    #[test]
    fn a_miss_is_told_in_parts_of_the_room_that_the_bar_leaves() {
        let success = bar("success", Some(0.9999), None);
        check(&success, Some(0.9999), 0.0);
        check(&success, Some(0.9998), 0.5);
        check(&success, Some(0.9996), 0.75);
        check(&success, None, 1.0);
        let learned = bar("learned_s", None, Some(180.0));
        check(&learned, Some(90.0), 0.0);
        check(&learned, Some(360.0), 0.5);
        check(&learned, Some(f64::NAN), 1.0);
        let attempts = bar("attempts", None, Some(1.005));
        check(&attempts, Some(1.01), 0.5);
        let shed = bar("shed", None, Some(0.0));
        check(&shed, Some(0.01), 0.5);
    }

    #[test]
    fn a_bar_is_never_cheaper_missed_than_held() {
        let success = bar("success", Some(0.99), None);
        let mut last = f64::INFINITY;
        for value in [0.0, 0.5, 0.9, 0.98, 0.99, 1.0] {
            let found = missed(&success, Some(value));
            assert!(found <= last && found < 1.0, "{value}: {found}");
            last = found;
        }
    }

    #[test]
    fn a_loss_is_regret_and_misses() {
        let values = Values::from([("regret", 0.02), ("success", 0.98)]);
        let bars = [
            bar("success", Some(0.99), None),
            bar("regret", None, Some(0.05)),
        ];
        let loss = Loss::new(&values, &bars);
        assert!(
            (loss.total() - (0.02 + MISSED * 0.5)).abs() < 1e-9,
            "{loss:?}"
        );
        assert_eq!(loss.bars, [Some(0.98), Some(0.02)]);
    }
}
