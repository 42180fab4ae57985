//! With how many digits is a number told?
//!
//! A metric has its number of decimals, so that a column reads straight down; a value beside its bar gets more until the two differ in print.
//!
//! # Invariants
//! - A value that misses its bar never looks equal to it.
//! - Zero has no sign.

use crate::measure::{METRICS, Metric};

use super::Estimate;

/// Decimals of a metric that is not listed.
const DECIMALS: usize = 3;

/// Most decimals beside a bar: a double has no more that mean something below 1.
const MOST_DECIMALS: usize = 12;

/// The metric of this name.
pub(super) fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// Decimals of a metric: as many as its bars have, or one more.
pub(super) fn decimals(name: &str) -> usize {
    match name {
        "requests" => 0,
        "success" | "success_incident" | "success_after" => 5,
        "first_attempt" | "first_attempt_incident" => 4,
        "attempts" | "attempts_peak" | "shed" | "share_deviation" | "explored" | "probes" => 4,
        "p50" | "p95" | "p99" | "p99_healthy" | "refused" | "refused_learned" => 2,
        "refused_learning" | "bad_samples" | "false_trips" => 1,
        "recover_half_requests" | "recover_most_requests" => 1,
        _ if name.starts_with("regret") => 4,
        _ => match metric(name).map(|metric| metric.unit) {
            Some("ms") => 1,
            Some("s") => 2,
            _ => DECIMALS,
        },
    }
}

/// `value` with that many decimals.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.chars().all(|it| matches!(it, '-' | '0' | '.'));
    match text.strip_prefix('-') {
        Some(positive) if zero => positive.to_owned(),
        _ => text,
    }
}

/// A metric's value.
pub(super) fn value(name: &str, value: f64) -> String {
    fixed(value, decimals(name))
}

/// An estimate's mean, and its confidence if it has one.
pub(super) fn estimate(name: &str, estimate: &Estimate) -> (String, String) {
    let half = estimate
        .half
        .map(|half| format!("±{}", value(name, half)))
        .unwrap_or_default();
    (value(name, estimate.mean), half)
}

/// A metric's value beside `bound`: with more decimals where it would otherwise look equal to it.
pub(super) fn beside(name: &str, value: f64, bound: f64) -> String {
    let same = |text: &str| {
        text.parse::<f64>()
            .is_ok_and(|told| told.total_cmp(&bound).is_eq())
    };
    (decimals(name)..=MOST_DECIMALS)
        .map(|decimals| fixed(value, decimals))
        .find(|text| !same(text))
        .unwrap_or_else(|| self::value(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_metric() {
        assert_eq!(value("cost_ms", 812.349), "812.3");
        assert_eq!(value("success", 0.999_964), "0.99996");
        assert_eq!(value("detect_s", 0.5), "0.50");
        assert_eq!(value("no_such_metric", 1.0), "1.000");
        assert_eq!(value("regret_free", -0.000_01), "0.0000");
        assert_eq!(value("regret_free", -0.01), "-0.0100");
    }

    #[test]
    fn a_missed_bar_never_looks_met() {
        assert_eq!(beside("first_attempt", 0.991, 0.993), "0.9910");
        assert_eq!(beside("first_attempt", 0.992_999_6, 0.993), "0.9929996");
        assert_eq!(beside("first_attempt", 0.993, 0.993), "0.9930");
    }

    #[test]
    fn every_metric_has_few_decimals() {
        for metric in METRICS {
            assert!(decimals(metric.name) <= 5, "{}", metric.name);
        }
    }
}
