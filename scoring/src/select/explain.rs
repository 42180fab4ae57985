//! Why each candidate stands where it does: the selection's own survey, written out.
//!
//! # Invariants
//! - Computed by the functions that decide, from the same words; nothing is claimed, earned or counted.
//! - The propensities of an explanation sum to 1 unless nothing would be picked.

use crate::cost::Terms;
use crate::health::State;
use crate::route::{Ask, Asked};
use crate::time::Time;

use super::survey::Survey;
use super::{Course, Credit, Gate, MOST_BLOCKS, Mode, Pool, Tried, course, due_probe};

/// Why a request would be decided as it would.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// How the pick would be made; `None` if nothing would be picked.
    pub mode: Option<Mode>,
    /// Latency of the best alternative after a failure, in ms.
    pub alternative_ms: f32,
    /// Output tokens expected of the answer.
    pub expected_output: f32,
    /// Largest cost inside the band with its whole weight, relative to the best; 1 + β.
    pub band_ratio: f32,
    /// One line per candidate, in the pool's order.
    pub candidates: Vec<Explained>,
}

/// One candidate's part of an [`Explanation`].
#[derive(Clone, Copy, Debug)]
pub struct Explained {
    /// Its index in the pool.
    pub index: usize,
    /// What keeps regular traffic from it, if anything.
    pub gate: Gate,
    /// Its route's state.
    pub state: State,
    /// Its expected cost, term by term.
    pub cost: Terms,
    /// Chance that an attempt fails, less what chance alone explains; 0..=1.
    pub failure: f32,
    /// Largest share in use of any ceiling; 0 upward.
    pub utilisation: f32,
    /// Best cost over its own; 0..=1.
    pub score: f32,
    /// The operator's weight.
    pub weight: f32,
    /// Part of the weight left while recovering; 0..=1.
    pub ramp: f32,
    /// Part of the weight left by a proven error rate and by doubt, the smaller; 0..=1.
    pub taper: f32,
    /// Whether it is inside the band or its soft edge.
    pub in_band: bool,
    /// Probability of being picked for this request; 0..=1.
    pub propensity: f32,
}

/// Explains how `ask` would be decided.
#[must_use]
pub fn explain(pool: &Pool, ask: &Ask, tried: &Tried, now: Time) -> Explanation {
    let expected_output = pool.expected_output(ask);
    let asked = Asked::new(ask, expected_output, now, &pool.rules);
    let mut survey = Survey::<MOST_BLOCKS>::EMPTY;
    survey.take(pool, &pool.rules, &asked, tried);
    let course = match due_probe(pool, &survey, ask, tried, now) {
        Some(index) => Course::One(index, Mode::Probe),
        None => course(
            (pool, pool.policy()),
            &survey,
            &asked,
            (tried, Credit::ToCome),
        ),
    };
    let candidates = pool
        .candidates()
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let (reading, (ramp, taper)) = (survey.reading(index), survey.parts(index));
            Explained {
                index,
                gate: survey.gate(index),
                state: candidate.route.view(now).state,
                cost: survey.terms(index, &pool.rules),
                failure: reading.failure,
                utilisation: reading.utilisation,
                score: survey.score(index),
                weight: candidate.weight,
                ramp,
                taper,
                in_band: survey.weight(index) > 0.0,
                propensity: course.propensity(index, pool, &survey),
            }
        });
    Explanation {
        mode: course.mode(),
        alternative_ms: survey.alternative_ms,
        expected_output,
        band_ratio: 1.0 + pool.rules.tuning.draw.band,
        candidates: candidates.collect(),
    }
}
