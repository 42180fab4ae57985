//! Walks the routes of a model, then its fallbacks, until one answers.
//!
//! Which route and what next is scoring's decision; this file carries it out.
//!
//! # Invariants
//! - Ends: every turn makes an attempt, rules a route out, or moves on to a further model; attempts are bounded by the retry policy.
//! - A model whose routes are all down is passed over as long as a further model has a route that is not.

use std::sync::Arc;

use scoring::outcome::Outcome;
use scoring::retry::{self, Committed, History, Step};
use scoring::select::{self, Decision, Mode, Pick, Tried};
use scoring::time::{Span, Time};

use super::attempt::{self, Landed};
use super::life::Life;
use super::opening::Opened;
use super::plan::Plan;
use super::respond::{Failed, Whole, explanation};
use super::serving::Serving;
use crate::clock;
use crate::dialects::openai::classify::Remedy;
use crate::dialects::openai::error::Failure;

/// What becomes of a request.
pub(super) enum Answer {
    /// A whole answer.
    Whole(Whole),
    /// A stream whose first content token is here.
    Stream(Box<Opened>),
    /// No route could answer.
    Failed(Box<Failed>),
}

/// Where a walk stands.
struct Walk<'a> {
    serving: Arc<Serving>,
    plan: &'a Plan<'a>,
    /// The models to try, in order, and how far we are.
    models: Vec<usize>,
    at: usize,
    tried: Tried,
    /// Whether a route that is believed to be down may be used.
    desperate: bool,
    last: Option<Box<Failed>>,
    /// The last wait before a route was tried again, from which the next one grows.
    last_backoff: Span,
    /// The shortest time after which a route that is at its limits may serve again.
    retry_after: Option<Span>,
}

enum Turn {
    Attempt(Pick, Time),
    NextModel,
    Over,
}

/// Serves a planned request.
pub(super) async fn run(life: &mut Life, plan: &Plan<'_>) -> Answer {
    life.worker.shared.budget.deposit(life.began);
    let serving = Arc::clone(&life.serving);
    let model = &serving.routing.models[plan.model];
    let mut models = Vec::with_capacity(1 + model.fallbacks.len());
    models.push(plan.model);
    models.extend_from_slice(&model.fallbacks);
    let mut walk = Walk {
        serving,
        plan,
        models,
        at: 0,
        tried: Tried::default(),
        desperate: false,
        last: None,
        last_backoff: Span::ZERO,
        retry_after: None,
    };
    loop {
        match walk.turn(life) {
            Turn::Attempt(pick, now) => {
                if let Some(answer) = walk.attempt(life, &pick, now).await {
                    return answer;
                }
            }
            Turn::NextModel => walk.advance(),
            Turn::Over => return Answer::Failed(walk.give_up()),
        }
    }
}

impl Walk<'_> {
    fn turn(&mut self, life: &mut Life) -> Turn {
        let Some(&model) = self.models.get(self.at) else {
            if self.desperate || life.attempts > 0 {
                return Turn::Over;
            }
            self.desperate = true;
            self.at = 0;
            return self.turn(life);
        };
        let pool = &self.serving.routing.models[model].pool;
        // The first decision is made at the moment the request was understood.
        let now = if life.attempts == 0 && self.at == 0 {
            life.began
        } else {
            clock::now()
        };
        let decision = life
            .worker
            .with_rng(|rng| select::select(pool, &self.plan.ask, &self.tried, now, rng));
        if life.explain {
            let asked = (&self.plan.ask, &self.tried);
            explanation(life, model, asked, &decision, now);
        }
        match decision {
            Decision::Picked(pick) if pick.mode == Mode::Panic && self.may_pass_over() => {
                Turn::NextModel
            }
            Decision::Picked(pick) => {
                life.p_select.get_or_insert(pick.propensity);
                Turn::Attempt(pick, now)
            }
            Decision::Shed { retry_after, .. } => {
                let shortest = self
                    .retry_after
                    .map_or(retry_after, |span| span.min(retry_after));
                self.retry_after = Some(shortest);
                Turn::NextModel
            }
            Decision::Exhausted => Turn::NextModel,
        }
    }

    fn may_pass_over(&self) -> bool {
        !self.desperate && self.models.len() > 1
    }

    fn advance(&mut self) {
        self.at += 1;
        self.tried = Tried::default();
    }

    /// Makes attempts on one route until it answers or scoring says to go on.
    async fn attempt(&mut self, life: &mut Life, pick: &Pick, now: Time) -> Option<Answer> {
        let mut began = now;
        let place = (self.models[self.at], pick.index);
        let mut same_route = 0;
        loop {
            let failed = match attempt::run(life, self.plan, place, pick, began).await {
                Landed::Whole(whole) => return Some(Answer::Whole(whole)),
                Landed::Stream(opened) => return Some(Answer::Stream(opened)),
                Landed::Failed(failed) => failed,
            };
            same_route += 1;
            let step = self.step(life, pick.index, same_route, &failed);
            let outcome = failed.outcome.unwrap_or(Outcome::ServerError);
            self.last = Some(failed);
            let now = clock::now();
            if step == Step::Stop || !life.worker.shared.budget.withdraw(now) {
                return self.last.take().map(Answer::Failed);
            }
            if let Step::Same { wait } = step {
                self.last_backoff = wait;
                tokio::time::sleep(wait.into()).await;
                began = clock::now();
                life.waited = life.waited.plus(began.since(now));
                // Others may have found out meanwhile that the route is down.
                if self.admits(place) {
                    continue;
                }
            }
            self.serving.wires[place.0][place.1]
                .handles
                .failover(outcome);
            if step == Step::NextModel {
                self.advance();
            } else {
                self.tried.insert(pick.index);
            }
            return None;
        }
    }

    fn admits(&self, (model, target): (usize, usize)) -> bool {
        self.serving.routing.models[model].targets[target]
            .route
            .admits()
    }

    fn step(&mut self, life: &mut Life, index: usize, same_route: u32, failed: &Failed) -> Step {
        let model = &self.serving.routing.models[self.models[self.at]];
        if failed.remedy == Remedy::LargerContext
            && let Some(larger) = model.larger_context
            && !self.models[..=self.at].contains(&larger)
        {
            self.models.truncate(self.at + 1);
            self.models.push(larger);
            return Step::NextModel;
        }
        let mut tried = self.tried;
        tried.insert(index);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let history = History {
            attempts: life.attempts,
            same_route,
            others: count(model.targets.len()).saturating_sub(tried.count()),
            fallbacks: count(self.models.len() - self.at - 1),
            last_backoff: self.last_backoff,
        };
        let failure = retry::Failure {
            outcome: failed.outcome.unwrap_or(Outcome::ServerError),
            retry_after: failed.retry_after,
            committed: Committed::No,
        };
        let left = self.plan.deadline.since(clock::now());
        life.worker
            .with_rng(|rng| retry::next(&model.retry, &history, &failure, left, rng))
    }

    fn give_up(&mut self) -> Box<Failed> {
        if let Some(last) = self.last.take() {
            return last;
        }
        Box::new(match self.retry_after {
            Some(retry_after) => Failed {
                retry_after: Some(retry_after),
                ..Failed::local(
                    Failure::RateLimited,
                    "Every route of this model is at its limits; try again later.",
                )
            },
            None => Failed::local(Failure::Overloaded, "No route of this model can serve now."),
        })
    }
}
