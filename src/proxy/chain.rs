//! Carries a request along its walk: sends where scoring says, waits, and tells scoring how it went.
//!
//! # Invariants
//! - Nothing is decided here: which route and what next is [`Walk`]'s.

use std::sync::Arc;

use scoring::outcome::Outcome;
use scoring::retry::{self, Committed};
use scoring::select::{self, Pick};
use scoring::time::Time;
use scoring::walk::{Next, Setback, Walk};

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

/// One request under way.
struct Course<'a> {
    serving: Arc<Serving>,
    plan: &'a Plan<'a>,
    walk: Walk,
    /// The models to try, in order.
    models: Vec<usize>,
    last: Option<Box<Failed>>,
}

/// Serves a planned request.
pub(super) async fn run(life: &mut Life, plan: &Plan<'_>) -> Answer {
    let serving = Arc::clone(&life.serving);
    let model = &serving.routing.models[plan.model];
    let mut models = Vec::with_capacity(1 + model.fallbacks.len());
    models.push(plan.model);
    models.extend_from_slice(&model.fallbacks);
    let mut course = Course {
        walk: Walk::begin(models.len(), &life.worker.shared.budget, life.began),
        serving,
        plan,
        models,
        last: None,
    };
    while let Some(position) = course.walk.model() {
        if let Some((pick, now)) = course.decide(life, position)
            && let Some(answer) = course.attempt(life, &pick, now).await
        {
            return answer;
        }
    }
    Answer::Failed(course.give_up())
}

impl Course<'_> {
    fn decide(&mut self, life: &mut Life, position: usize) -> Option<(Pick, Time)> {
        let model = self.models[position];
        let pool = &self.serving.routing.models[model].pool;
        // The first decision is made at the moment the request was understood.
        let now = if self.walk.attempts() == 0 && position == 0 {
            life.began
        } else {
            clock::now()
        };
        let tried = self.walk.tried();
        let decision = life
            .worker
            .with_rng(|rng| select::select(pool, &self.plan.ask, tried, now, rng));
        if life.explain {
            explanation(life, model, (&self.plan.ask, tried), &decision, now);
        }
        let pick = self.walk.take(&decision)?;
        life.p_select.get_or_insert(pick.propensity);
        Some((pick, now))
    }

    /// Makes attempts on one route until it answers or scoring says to go on.
    async fn attempt(&mut self, life: &mut Life, pick: &Pick, now: Time) -> Option<Answer> {
        let mut began = now;
        let place = (self.models[self.walk.position()], pick.index);
        loop {
            let failed = match attempt::run(life, self.plan, place, pick, began).await {
                Landed::Whole(whole) => return Some(Answer::Whole(whole)),
                Landed::Stream(opened) => return Some(Answer::Stream(opened)),
                Landed::Failed(failed) => failed,
            };
            let now = clock::now();
            let outcome = failed.outcome.unwrap_or(Outcome::ServerError);
            life.failed(outcome, now);
            let next = self.next(life, place.0, &failed, now);
            self.last = Some(failed);
            match next {
                Next::Stop => return self.last.take().map(Answer::Failed),
                Next::Again { wait } => {
                    tokio::time::sleep(wait.into()).await;
                    began = clock::now();
                    life.waited = life.waited.plus(began.since(now));
                    if self.walk.resume(self.admits(place)) {
                        continue;
                    }
                }
                Next::LargerModel => {
                    self.models.truncate(self.walk.position());
                    self.models
                        .extend(self.serving.routing.models[place.0].larger_context);
                }
                Next::Decide => {}
            }
            self.serving.wires[place.0][place.1]
                .handles
                .failover(outcome);
            return None;
        }
    }

    fn admits(&self, (model, target): (usize, usize)) -> bool {
        self.serving.routing.models[model].targets[target]
            .route
            .admits()
    }

    fn next(&mut self, life: &Life, model: usize, failed: &Failed, now: Time) -> Next {
        let model = &self.serving.routing.models[model];
        let passed = &self.models[..=self.walk.position()];
        let larger = model
            .larger_context
            .filter(|larger| !passed.contains(larger));
        let failure = retry::Failure {
            outcome: failed.outcome.unwrap_or(Outcome::ServerError),
            retry_after: failed.retry_after,
            committed: Committed::No,
        };
        let setback = Setback {
            policy: &model.retry,
            failure: &failure,
            candidates: model.targets.len(),
            larger_context: failed.remedy == Remedy::LargerContext && larger.is_some(),
            deadline_left: self.plan.deadline.since(now),
        };
        let worker = &life.worker;
        worker.with_rng(|rng| self.walk.failed(&setback, &worker.shared.budget, now, rng))
    }

    fn give_up(&mut self) -> Box<Failed> {
        if let Some(last) = self.last.take() {
            return last;
        }
        Box::new(match self.walk.retry_after() {
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
