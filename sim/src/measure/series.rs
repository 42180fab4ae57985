//! What happened over time, for plots: one point a step.
//!
//! # Invariants
//! - Every vector has as many entries as there are steps.

use serde::Serialize;

/// A run over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Seconds in a step.
    pub step_s: f64,
    /// One of each route.
    pub routes: Vec<RouteSeries>,
    /// Median of the normalised latency of requests that ended in the step; 0 for none.
    pub p50: Vec<f32>,
    /// Its 99th percentile.
    pub p99: Vec<f32>,
    /// Requests that arrived.
    pub arrived: Vec<u32>,
    /// Requests that nobody answered.
    pub lost: Vec<u32>,
    /// Requests refused locally.
    pub shed: Vec<u32>,
    /// Why the policy chose as it did, at the end of each step; empty for policies that cannot say.
    pub why: Vec<Why>,
}

/// One route over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RouteSeries {
    /// Its name.
    pub name: String,
    /// First attempts sent there.
    pub picks: Vec<u32>,
    /// Attempts there that failed, refusals for quota not among them.
    pub failures: Vec<u32>,
    /// Attempts there that were refused for quota.
    pub refused: Vec<u32>,
    /// Score, relative to the best; 0..=1.
    pub score: Vec<f32>,
    /// 0 in use, 1 recovering, 2 set aside.
    pub state: Vec<u8>,
    /// What is really the case: expected cost relative to the best route; ≥ 1.
    pub truth: Vec<f32>,
}

/// Why a typical request would go where it would, at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Why {
    /// How the pick would be made; `none` if nothing would be picked.
    pub mode: &'static str,
    /// One of each route.
    pub routes: Vec<Reason>,
}

/// One route's part of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reason {
    /// What keeps regular traffic from it, `cold` if nothing.
    pub gate: &'static str,
    /// Its state.
    pub state: &'static str,
    /// Cost by the fitted model, ms.
    pub model_ms: f32,
    /// What drift adds, ms.
    pub drift_ms: f32,
    /// What utilisation adds, ms.
    pub utilisation_ms: f32,
    /// What failures add, ms.
    pub failure_ms: f32,
    /// What the price adds, ms.
    pub price_ms: f32,
    /// What the tokens save that are kept of the session, ms; 0 or negative.
    pub affinity_ms: f32,
    /// Chance of failure; 0..=1.
    pub failure: f32,
    /// Largest share in use of any ceiling.
    pub utilisation: f32,
    /// Best cost over its own; 0..=1.
    pub score: f32,
    /// Operator's weight.
    pub weight: f32,
    /// Part of the weight left by ramp and taper; 0..=1.
    pub part: f32,
    /// Whether it is inside the band.
    pub in_band: bool,
    /// Probability of being picked; 0..=1.
    pub propensity: f32,
}
