//! Asks the shadow about a part of the first attempts, and counts how those requests end.
//!
//! # Invariants
//! - The decision is the live one, whether the shadow is asked or not.
//! - Without a shadow one branch is taken; with one nothing is locked or allocated.

use rand::RngExt;
use scoring::outcome::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Decision, Tried};
use scoring::shadow::{End, Weight, toll_ms};
use scoring::time::{Span, Time};

use super::life::Life;
use crate::routing::Choice;

/// What is known of a request that the shadow was asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    model: usize,
    /// What its end counts for; nothing where it was refused.
    weight: Option<Weight>,
}

/// Decides; beside it the shadow is asked, where there is one and it is the request's turn.
pub(super) fn decide(
    life: &mut Life,
    (model, choice): (usize, &Choice),
    (ask, tried): (&Ask, &Tried),
    now: Time,
) -> Decision {
    let Some(shadow) = &choice.shadow else {
        return (life.worker).with_rng(|rng| select::select(&choice.pool, ask, tried, now, rng));
    };
    // What is sent to the cheapest route is not drawn, and another model's routes are another choice.
    let is_first = life.attempts == 0 && life.shadow.is_none() && !life.frugal;
    let of_model = life.chosen.or(life.model) == Some(model);
    let settings = life.serving.config.shadow.filter(|_| is_first && of_model);
    let tally = life.serving.routing.models[model].tally.as_deref();
    let (decision, asked) = life.worker.with_rng(|rng| {
        let turn = settings.is_some_and(|it| rng.random::<f32>() < it.sample);
        let Some(tally) = tally.filter(|_| turn) else {
            return (select::select(&choice.pool, ask, tried, now, rng), None);
        };
        let both = (&choice.pool, shadow);
        let each = |index: usize, live, shadow| {
            tally.considered(choice.targets[index], live, shadow);
        };
        let (decision, compared) = select::select_beside(both, (ask, tried), now, rng, each);
        tally.decided(&compared);
        let weight = Weight::of(&compared);
        (decision, Some(Asked { model, weight }))
    });
    if asked.is_some() {
        life.shadow = asked;
    }
    decision
}

/// Counts the end of a request: how its first attempt failed, if it did, and how long all of it took.
pub(super) fn account(life: &Life, asked: Asked, first_failure: Option<Outcome>, took: Span) {
    let Some(tally) = &life.serving.routing.models[asked.model].tally else {
        return;
    };
    let Some(weight) = asked.weight else {
        return;
    };
    match end(life, first_failure, took) {
        Some(end) => tally.ended(weight, &end),
        None => tally.left_out(),
    }
}

/// How a request ended; none where it says nothing of its route.
fn end(life: &Life, first_failure: Option<Outcome>, took: Span) -> Option<End> {
    let tells = |outcome: &Outcome| !matches!(outcome, Outcome::Rejected | Outcome::Canceled);
    let last = life.outcome.filter(tells)?;
    if life.attempts == 0 {
        return None;
    }
    let first = match first_failure {
        Some(outcome) => Some(outcome).filter(tells)?,
        // A failure that no attempt follows is the last one's.
        None => last,
    };
    let first_succeeded = first == Outcome::Success;
    let ttft = life.ttft.filter(|_| life.stream && life.attempts == 1);
    Some(End {
        first_succeeded,
        cost_ms: toll_ms(took, life.attempts, last == Outcome::Success),
        ttft_ms: ttft.map(Span::as_millis_f64),
    })
}
