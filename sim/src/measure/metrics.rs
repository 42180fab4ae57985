//! Every number that is told of a run, with its unit and which way is better.
//!
//! # Invariants
//! - The names are the contract: scenario files, JSON and plots use them.

use std::collections::BTreeMap;

use serde::Serialize;

/// A number that is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for a share or a ratio.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// What it says.
    pub what: &'static str,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less.
    Less,
    /// More.
    More,
}

/// The numbers of one run, by name.
pub type Values = BTreeMap<&'static str, f64>;

/// Shortens the table below.
const fn metric(
    name: &'static str,
    unit: &'static str,
    better: Better,
    what: &'static str,
) -> Metric {
    Metric {
        name,
        unit,
        better,
        what,
    }
}

use Better::{Less, More};

/// Every metric.
pub const METRICS: &[Metric] = &[
    metric("requests", "", More, "requests counted"),
    metric(
        "cost_ms",
        "ms",
        Less,
        "mean cost of a request: time until its answer, 1 s for each failed attempt, the price of being lost; routes that the operator holds equal count as equal",
    ),
    metric(
        "cost_error_ms",
        "ms",
        Less,
        "standard error of the difference between two policies' costs by chance alone",
    ),
    metric(
        "cost_raw_ms",
        "ms",
        Less,
        "the same, with the differences between routes that the operator holds equal",
    ),
    metric(
        "regret",
        "",
        Less,
        "cost above that of the clairvoyant that honours the weights, as a part of it",
    ),
    metric(
        "regret_free",
        "",
        Less,
        "raw cost above that of the clairvoyant that ignores the weights, as a part of it",
    ),
    metric("success", "", More, "share of requests that were answered"),
    metric(
        "success_incident",
        "",
        More,
        "the same, of those that arrived while something was wrong",
    ),
    metric(
        "success_after",
        "",
        More,
        "the same, of those that arrived 30 s or later after the last fault or surge",
    ),
    metric(
        "first_attempt",
        "",
        More,
        "share of requests whose first attempt was answered",
    ),
    metric(
        "first_attempt_incident",
        "",
        More,
        "the same, while something was wrong",
    ),
    metric(
        "attempts",
        "",
        Less,
        "attempts for each request that was not shed",
    ),
    metric("attempts_peak", "", Less, "the same, in the worst 10 s"),
    metric(
        "p50",
        "",
        Less,
        "median of latency over what the best route would have taken in health",
    ),
    metric("p95", "", Less, "its 95th percentile"),
    metric("p99", "", Less, "its 99th percentile"),
    metric(
        "p99_healthy",
        "",
        Less,
        "its 99th percentile over what a healthy run of the same seed has",
    ),
    metric("p99_ms", "ms", Less, "99th percentile of the latency"),
    metric("refused", "", Less, "429s for each 1000 attempts"),
    metric(
        "refused_learned",
        "",
        Less,
        "429s for each 1000 attempts once ceilings count as learned",
    ),
    metric(
        "refused_learning",
        "",
        Less,
        "429s of the worst key until then",
    ),
    metric("shed", "", Less, "share of requests refused locally"),
    metric(
        "utilisation",
        "",
        More,
        "accepted work over the ceiling, of the keys whose ceiling binds, once learned",
    ),
    metric(
        "goodput",
        "",
        More,
        "tokens answered over what the ceilings allow, while demand exceeds them",
    ),
    metric(
        "ceiling_error",
        "",
        Less,
        "error of the learned ceilings, as a part of the true ones, at the end",
    ),
    metric(
        "learned_s",
        "s",
        Less,
        "mean time from a key's first refusal, or a change of its limit, until the ceiling learned is within 5 % of the true one for 10 s",
    ),
    metric(
        "adapted_s",
        "s",
        Less,
        "time from the first refusal after a limit changed to the last one before 5 s of quiet",
    ),
    metric(
        "share_deviation",
        "",
        Less,
        "half the sum of differences between shares and weights, in health",
    ),
    metric(
        "kept",
        "",
        More,
        "share of input tokens that routes still kept from earlier prompts",
    ),
    metric(
        "first_ms",
        "ms",
        Less,
        "mean time from an attempt's start to its first token",
    ),
    metric(
        "explored",
        "",
        Less,
        "share of first attempts sent to learn",
    ),
    metric(
        "probes",
        "",
        Less,
        "share of attempts that probe a route that is set aside",
    ),
    metric(
        "detect_s",
        "s",
        Less,
        "median time until a bad route has less than half of its share",
    ),
    metric("detect_worst_s", "s", Less, "the longest of these times"),
    metric(
        "bad_samples",
        "",
        Less,
        "mean number of attempts that a bad route gets until then",
    ),
    metric(
        "recover_half_s",
        "s",
        Less,
        "median time after a fault until its route has half of its share again",
    ),
    metric("recover_most_s", "s", Less, "the same, for nine tenths"),
    metric(
        "recover_half_requests",
        "",
        Less,
        "requests of the pool until half of the share is back",
    ),
    metric(
        "recover_most_requests",
        "",
        Less,
        "the same, for nine tenths",
    ),
    metric(
        "false_trips",
        "",
        Less,
        "routes set aside in health, for each million attempts",
    ),
    metric(
        "load_cv",
        "",
        Less,
        "coefficient of variation of the load on each key, second by second, beyond chance",
    ),
    metric(
        "unexplained",
        "",
        Less,
        "share of decisions whose terms do not sum to the cost or whose propensities do not sum to 1",
    ),
];
