//! What is told to a client that asks for a count of tokens, where no provider counts them?
//!
//! An estimate, marked as one: agents ask before every turn whether their prompt still fits, and take a failure for a reason to ask again.
//!
//! # Invariants
//! - A request that its own dialect refuses is refused here too, never estimated.

use std::ops::ControlFlow::{self, Break, Continue};

use bytes::Bytes;
use scoring::outcome::Outcome;

use super::chain::Answer;
use super::life::Life;
use super::plan::Plan;
use super::respond::Failed;
use crate::dialects::convert::Meant;
use crate::dialects::counting;
use crate::dialects::failure::Failure;

/// Breaks with the answer to a count that no route could give, and goes on with any other.
pub(super) fn instead(
    life: &mut Life,
    plan: &Plan<'_>,
    answer: Answer,
) -> ControlFlow<Bytes, Answer> {
    let asked = plan.asked;
    match &answer {
        // The provider has refused the client's own words.
        Answer::Failed(failed) if failed.outcome == Some(Outcome::Rejected) => {
            return Continue(answer);
        }
        Answer::Failed(_) if asked.endpoint.is_count() => {}
        _ => return Continue(answer),
    }
    let told = &life.worker.shared.lasting.recollections;
    match plan.meaning.of(asked, told) {
        Ok(Meant::Talk(request)) => {
            let tokens = request.estimated_tokens();
            life.input_tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            let written = counting::write_answer(asked.endpoint.format(), tokens);
            Break(Bytes::from(written))
        }
        Ok(_) => Continue(answer),
        Err(why) => {
            let failed = Failed::local(Failure::BadRequest, &why.to_string());
            Continue(Answer::Failed(Box::new(failed)))
        }
    }
}
