//! Carries a request along its walk: sends where scoring says, waits, and tells scoring how it went.
//!
//! # Invariants
//! - Nothing is decided here: which route and what next is [`Walk`]'s.

use std::sync::Arc;

use scoring::outcome::Outcome;
use scoring::retry::{self, Committed};
use scoring::route::Ask;
use scoring::select::{self, Decision, Pick};
use scoring::time::Time;
use scoring::walk::{Next, Setback, Walk};

use super::attempt::{self, Landed};
use super::life::Life;
use super::opening::Opened;
use super::payment;
use super::plan::Plan;
use super::respond::{Failed, TakenOn, Whole, explanation};
use super::serving::Serving;
use super::shadow;
use crate::clock;
use crate::dialects::classify::Remedy;
use crate::dialects::failure::{Failure, Retry};
use crate::dialects::format::Format;
use crate::images::answer;
use crate::routing::Choice;

/// What becomes of a request.
pub(super) enum Answer {
    /// A whole answer.
    Whole(Whole),
    /// A stream whose first content token is here.
    Stream(Box<Opened>),
    /// Pictures.
    Picture(Box<answer::Body>),
    /// No route could answer.
    Failed(Box<Failed>),
}

/// Where a request is sent.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The model and the target.
    pub(super) place: (usize, usize),
    /// What was asked of the candidates.
    pub(super) ask: Ask,
    pub(super) pick: Pick,
}

/// One request under way.
struct Course<'a> {
    serving: &'a Serving,
    plan: &'a Plan<'a>,
    walk: Walk,
    /// The models to try, in order.
    models: Vec<usize>,
    last: Option<Box<Failed>>,
    /// Whether a model had no route that serves the endpoint.
    unserved: bool,
    /// Why a route's words cannot carry the request, if one's cannot.
    obstacle: Option<String>,
    /// Why nobody pays for it on a route, if nobody does.
    unpaid: Option<Box<Failed>>,
}

/// Serves a planned request.
pub(super) async fn run(life: &mut Life, plan: &Plan<'_>) -> Answer {
    let serving = Arc::clone(&life.serving);
    let fallbacks = plan.fallbacks(&serving);
    let mut models = Vec::with_capacity(1 + fallbacks.len());
    models.push(plan.model);
    models.extend(fallbacks.iter().filter(|&&it| it != plan.model));
    let walk = match &plan.resume {
        None => Walk::begin(models.len(), &life.worker.shared.budget, life.began),
        Some(_) => Walk::resumed(models.len(), life.attempts),
    };
    let mut course = Course {
        walk,
        serving: &serving,
        plan,
        models,
        last: None,
        unserved: false,
        obstacle: None,
        unpaid: None,
    };
    while let Some(position) = course.walk.model() {
        if let Some((chosen, now)) = course.decide(life, position)
            && let Some(answer) = course.attempt(life, &chosen, now).await
        {
            return answer;
        }
    }
    Answer::Failed(course.give_up())
}

impl Course<'_> {
    fn decide(&mut self, life: &mut Life, position: usize) -> Option<(Chosen, Time)> {
        let model = self.models[position];
        let purpose = self.plan.asked.endpoint.index();
        let serving = self.serving;
        let Some(choice) = serving.routing.models[model].choice(purpose) else {
            self.unserved = true;
            self.walk.take(&Decision::Exhausted);
            return None;
        };
        // The first decision is made at the moment the request could be sent.
        let now = if life.attempts == 0 && position == 0 {
            life.ready
        } else {
            clock::now()
        };
        self.rule_out(life, model, choice);
        self.rule_out_others(model, choice);
        self.rule_out_broken(model, choice);
        let tried = self.walk.tried();
        let sessions = &life.worker.shared.lasting.sessions;
        let ask = match life.turn {
            Some(turn) => turn.ask(&self.plan.ask, sessions, choice, now),
            None => self.plan.ask,
        };
        let cheap = life
            .frugal
            .then(|| select::all_but_cheapest(&choice.pool, &ask, tried, now));
        let tried = cheap.as_ref().unwrap_or(tried);
        let decision = shadow::decide(life, (model, choice), (&ask, tried), now);
        if life.explain || life.kept {
            explanation(life, (model, choice), (&ask, tried), &decision, now);
        }
        let pick = self.walk.take(&decision)?;
        life.p_select.get_or_insert(pick.propensity);
        let place = (model, choice.targets[pick.index]);
        Some((Chosen { place, ask, pick }, now))
    }

    /// Rules out the routes whose words cannot carry the request.
    fn rule_out(&mut self, life: &Life, model: usize, choice: &Choice) {
        let asked = self.plan.asked;
        let changed = self.plan.meaning.is_changed();
        if !changed && !self.serving.is_mixed(model, asked.endpoint) {
            return;
        }
        let told = &life.worker.shared.lasting.recollections;
        for (index, &target) in choice.targets.iter().enumerate() {
            let wire = &self.serving.wires[model][target];
            let Some(lane) = wire.lane(asked.endpoint) else {
                continue;
            };
            if let (Format::Images, Some(studio)) = (lane.format, &wire.studio) {
                let obstacle = self.plan.wish.obstacle(asked, studio, &wire.model.plain);
                if let Some(obstacle) = obstacle {
                    self.walk.rule_out(index);
                    self.obstacle.get_or_insert(obstacle);
                }
                continue;
            }
            if lane.format == asked.endpoint.format() && !changed {
                continue;
            }
            let obstacle = match self.plan.meaning.any_draft(asked, told, wire, lane) {
                Ok(draft) => draft.losses.of_meaning().map(|what| {
                    format!("No route of this model can serve a request with `{what}`.")
                }),
                Err(why) => Some(why.to_string()),
            };
            if let Some(obstacle) = obstacle {
                self.walk.rule_out(index);
                self.obstacle.get_or_insert(obstacle);
            }
        }
    }

    /// Rules out the accounts that do not keep what the request refers to, if one of the model's does.
    fn rule_out_others(&mut self, model: usize, choice: &Choice) {
        let Some(maker) = self.plan.maker else {
            return;
        };
        let wires = &self.serving.wires[model];
        let made = |target: &usize| wires[*target].maker == maker;
        if !choice.targets.iter().any(made) {
            return;
        }
        for (index, target) in choice.targets.iter().enumerate() {
            if !made(target) {
                self.walk.rule_out(index);
            }
        }
    }

    /// Rules out the routes whose streams broke off, as long as the request has another.
    fn rule_out_broken(&mut self, model: usize, choice: &Choice) {
        let Some(resume) = &self.plan.resume else {
            return;
        };
        let is_broken = |place: (usize, usize)| resume.broken.contains(&place);
        let purpose = self.plan.asked.endpoint.index();
        let has_other = self.models.iter().any(|&model| {
            let choice = self.serving.routing.models[model].choice(purpose);
            let mut targets = choice.into_iter().flat_map(|choice| &choice.targets);
            targets.any(|&target| !is_broken((model, target)))
        });
        if !has_other {
            return;
        }
        for (index, &target) in choice.targets.iter().enumerate() {
            if is_broken((model, target)) {
                self.walk.rule_out(index);
            }
        }
    }

    /// Makes attempts on one route until it answers or scoring says to go on.
    async fn attempt(&mut self, life: &mut Life, chosen: &Chosen, now: Time) -> Option<Answer> {
        let mut began = now;
        let place = chosen.place;
        loop {
            let payment = match payment::reserve(life, self.plan, place) {
                Ok(payment) => payment,
                Err(unpaid) => {
                    self.walk.pass_over();
                    self.note_unpaid(life, unpaid);
                    return None;
                }
            };
            let run = attempt::run(life, self.plan, (chosen, payment), began);
            let failed = match run.await {
                Landed::Whole(whole) => return Some(Answer::Whole(whole)),
                Landed::Stream(opened) => return Some(Answer::Stream(opened)),
                Landed::Picture(pieces) => return Some(Answer::Picture(pieces)),
                Landed::Failed(failed) => failed,
            };
            let now = clock::now();
            let outcome = failed.outcome.unwrap_or(Outcome::ServerError);
            life.failed(outcome, now);
            let next = self.next(life, place.0, &failed, now);
            self.note(failed);
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

    /// Keeps why nobody pays: a spent budget tells more than a provider that is not allowed.
    fn note_unpaid(&mut self, life: &mut Life, unpaid: Box<Failed>) {
        if life.attempts == 0 {
            // It was not this one that was chosen after all.
            life.p_select = None;
            life.shadow = None;
        }
        let is_known = |it: &Failed| it.failure != Failure::NotAllowed;
        if !self.unpaid.as_deref().is_some_and(is_known) {
            self.unpaid = Some(unpaid);
        }
    }

    /// Keeps what the client is told if nobody answers: while a later try may succeed, no account of ours is blamed.
    fn note(&mut self, failed: Box<Failed>) {
        let may_pass = |it: &Failed| it.failure.status().1 == Retry::Yes;
        let blames = failed.failure.is_of_account();
        if !(blames && self.last.as_deref().is_some_and(may_pass)) {
            self.last = Some(failed);
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
            committed: if failed.taken_on == TakenOn::Unknown {
                Committed::Yes
            } else {
                Committed::No
            },
        };
        let setback = Setback {
            policy: &model.retry,
            failure: &failure,
            candidates: model
                .choice(self.plan.asked.endpoint.index())
                .map_or(0, |choice| choice.targets.len()),
            larger_context: failed.remedy == Remedy::LargerContext && larger.is_some(),
            deadline_left: self.plan.deadline.since(now),
        };
        let worker = &life.worker;
        let next =
            worker.with_rng(|rng| self.walk.failed(&setback, &worker.shared.budget, now, rng));
        match next {
            // It would be submitted once more to whoever has taken it on.
            Next::Again { .. } if failed.taken_on != TakenOn::No => Next::Stop,
            next => next,
        }
    }

    fn give_up(&mut self) -> Box<Failed> {
        // As long as nothing was sent, who does not pay is told so first.
        if let (None, Some(unpaid)) = (&self.last, self.unpaid.take()) {
            return unpaid;
        }
        let waits = self.walk.retry_after().is_some();
        let last = self.last.take();
        if let Some(last) = last.filter(|it| !(waits && it.failure.is_of_account())) {
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
            None if self.obstacle.is_some() => Failed::local(
                Failure::BadRequest,
                self.obstacle.as_deref().unwrap_or_default(),
            ),
            None if self.unserved => Failed::local(
                Failure::Unsupported,
                "No route of this model serves this endpoint.",
            ),
            None => Failed::local(Failure::Overloaded, "No route of this model can serve now."),
        })
    }
}
