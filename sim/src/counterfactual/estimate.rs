//! What would another policy have cost on the recorded requests? Three estimates, and how much of the recording they rest on.
//!
//! - *IPS* (inverse propensity scoring) weighs each recorded cost by the chance that the policy would have chosen the recorded route, over the recorded chance; *plain* divides by the number of requests, *self-normalised* by the sum of weights.
//! - *Doubly robust* (Dudík, Langford, Li, 2011) takes what the fitted world expects of the policy's choices, and corrects it by the weighed differences between recorded and expected costs: right if either the chances or the world are.
//! - Weights above √n are cut to it (Ionides, 2008).
//!
//! The recorded requests are taken as they are; an interval tells of the chance in what was chosen and in how long answers took, not of other requests that might have come.
//!
//! # Invariants
//! - Costs are ms; intervals are 95 %, by the delta method, and rather too wide than too narrow: differences between requests count in those of IPS.
//! - A request that the policy would have refused costs [`LOST_MS`], which needs no recording.

use scoring::tuning::Tuning;
use serde::Serialize;

use super::Refusal;
use super::direct::Direct;
use super::fitted::Fitted;
use super::log::LeftOut;
use super::shadow::{Following, Unknown};
use super::support::Support;
use crate::measure::Watch;
use crate::policy::Kind;
use crate::scenario::LOST_MS;
use crate::suite;
use crate::world::World;

/// Standard errors in half of a 95 % interval.
const Z: f64 = 1.96;

/// A mean cost and its 95 % interval, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Range {
    /// The estimate.
    pub mean_ms: f64,
    /// The interval's lower end.
    pub low_ms: f64,
    /// Its upper end.
    pub high_ms: f64,
}

impl Range {
    fn new(mean_ms: f64, variance: f64) -> Self {
        let half = Z * variance.max(0.0).sqrt();
        Self {
            mean_ms,
            low_ms: mean_ms - half,
            high_ms: mean_ms + half,
        }
    }

    /// Whether the interval has `value` in it.
    #[must_use]
    pub fn covers(&self, value: f64) -> bool {
        (self.low_ms..=self.high_ms).contains(&value)
    }

    /// Half of the interval's width.
    #[must_use]
    pub fn half_ms(&self) -> f64 {
        (self.high_ms - self.low_ms) / 2.0
    }
}

/// How one route stands in the recording and with the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RouteSupport {
    /// The route's name.
    pub name: String,
    /// Judged requests whose first attempt went there.
    pub logged: u64,
    /// The policy's share, over all judged requests; 0..=1.
    pub wanted: f64,
    /// The least chance with which it was chosen; 1 if it never was.
    pub least_chance: f64,
}

/// What a recording tells of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The policy's name.
    pub policy: String,
    /// Requests that were judged.
    pub judged: u64,
    /// Requests that were not.
    pub left_out: LeftOut,
    /// How far those that were not can move the mean over all requests, either way, in ms.
    pub left_out_ms: f64,
    /// What the recorded policy cost on the judged requests, in ms.
    pub logged_ms: f64,
    /// Self-normalised IPS.
    pub ips: Range,
    /// Plain IPS, weights cut.
    pub ips_plain: Range,
    /// Doubly robust.
    pub doubly_robust: Range,
    /// What the fitted world expects of the policy's choices, in ms.
    pub direct_ms: f64,
    /// What the policy costs on average when it is simulated in the fitted world, in ms.
    pub simulated_ms: Option<f64>,
    /// Effective sample size, `(Σw)²/Σw²`.
    pub effective: f64,
    /// The largest weight, uncut.
    pub largest_weight: f64,
    /// Where weights are cut.
    pub cut_at: f64,
    /// Share of the requests whose weight was cut; 0..=1.
    pub cut_share: f64,
    /// The policy's mass on choices that the recorded policy could not have made; 0..=1.
    pub unsupported: f64,
    /// Each route.
    pub routes: Vec<RouteSupport>,
}

/// What one judged request adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    weight: f64,
    cost: f64,
    /// What the fitted world expects of the recorded route.
    expected: f64,
    /// What it expects of the policy.
    direct: f64,
    /// The policy's chance of refusing the request.
    refusing: f64,
}

/// Estimates what `kind` with the constants `tuning` would have cost on the recorded requests, and simulates it in the fitted world.
///
/// # Errors
/// When the recording does not tell; the refusal says what is missing, and what to do.
pub fn estimate(
    fitted: &Fitted,
    kind: Kind,
    tuning: &Tuning,
    seed: u64,
) -> Result<Estimate, Refusal> {
    let mut estimate = recorded(fitted, kind, tuning, seed)?;
    let run = (&fitted.trace, seed);
    let measured = suite::one(kind, &fitted.scenario, run, tuning, Watch::Numbers);
    estimate.simulated_ms = measured.values.get("cost_raw_ms").copied();
    Ok(estimate)
}

/// The same without the simulation.
///
/// # Errors
/// As [`estimate`].
pub fn recorded(
    fitted: &Fitted,
    kind: Kind,
    tuning: &Tuning,
    seed: u64,
) -> Result<Estimate, Refusal> {
    let (terms, support) = terms(fitted, kind, tuning, seed)?;
    support.check(fitted)?;
    Ok(summed(fitted, kind, &terms, &support))
}

/// What each judged request adds, and how well the recording supports it.
pub(super) fn terms(
    fitted: &Fitted,
    kind: Kind,
    tuning: &Tuning,
    seed: u64,
) -> Result<(Vec<Term>, Support), Refusal> {
    let log = &fitted.log;
    if log.chosen().next().is_none() {
        return Err(Refusal::NoChances);
    }
    let world = World::new(&fitted.scenario, &fitted.trace, seed);
    let mut direct = Direct::new(fitted, &world);
    let mut support = Support::new(log.routes.len());
    let mut terms = Vec::new();
    let each = |place: usize, chances: &[f64]| {
        let row = &log.rows[place];
        let Some((route, chance, cost)) = row.judged() else {
            return;
        };
        let costs = direct.costs(place);
        let refusing = (1.0 - chances.iter().sum::<f64>()).max(0.0);
        let expected: f64 = chances.iter().zip(costs).map(|(p, cost)| p * cost).sum();
        support.add(route, chance, chances);
        terms.push(Term {
            weight: if chance > 0.0 {
                chances[route] / chance
            } else {
                0.0
            },
            cost,
            expected: costs[route],
            direct: expected + refusing * LOST_MS,
            refusing,
        });
    };
    let following = Following {
        fitted,
        world: &world,
        tuning,
        seed,
        each,
    };
    match kind.visit(following) {
        Ok(()) => Ok((terms, support)),
        Err(Unknown) => Err(Refusal::Unknown {
            policy: kind.name(),
        }),
    }
}

pub(super) fn summed(fitted: &Fitted, kind: Kind, terms: &[Term], support: &Support) -> Estimate {
    let count = terms.len() as f64;
    let mean = |of: &dyn Fn(&Term) -> f64| terms.iter().map(of).sum::<f64>() / count;
    let cut_at = count.sqrt();
    let cut = |it: &Term| it.weight.min(cut_at);
    let refusing = mean(&|it| it.refusing);

    let plainly = |it: &Term| cut(it) * it.cost + it.refusing * LOST_MS;
    let plain = mean(&plainly);
    let plain_variance = mean(&|it| (plainly(it) - plain).powi(2)) / count;

    let weight = mean(&cut);
    let served = mean(&|it| cut(it) * it.cost) / weight;
    let served_variance =
        mean(&|it| (cut(it) * (it.cost - served)).powi(2)) / count / weight.powi(2);
    let ips = served * (1.0 - refusing) + refusing * LOST_MS;

    let differs = |it: &Term| cut(it) * (it.cost - it.expected);
    let direct = mean(&|it| it.direct);
    let robust = direct + mean(&differs);
    let robust_variance = mean(&|it| differs(it).powi(2)) / count;

    let left_out = fitted.log.left_out;
    let all = count + left_out.bearing() as f64;
    Estimate {
        policy: kind.name().to_owned(),
        judged: terms.len() as u64,
        left_out,
        left_out_ms: left_out.bearing() as f64 / all * LOST_MS,
        logged_ms: mean(&|it| it.cost),
        ips: Range::new(ips, served_variance * (1.0 - refusing).powi(2)),
        ips_plain: Range::new(plain, plain_variance),
        doubly_robust: Range::new(robust, robust_variance),
        direct_ms: direct,
        simulated_ms: None,
        effective: support.effective(),
        largest_weight: terms.iter().map(|it| it.weight).fold(0.0, f64::max),
        cut_at,
        cut_share: mean(&|it| f64::from(u8::from(it.weight > cut_at))),
        unsupported: support.unsupported(),
        routes: support.routes(&fitted.log.routes),
    }
}
