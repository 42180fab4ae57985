//! One request's life: plan → attempt → relay → settle.
//!
//! [`handle`] is the whole of it. Which route serves, whether to try again and where is decided in `scoring`; this room carries it out.
//!
//! # Invariants
//! - Every attempt ends in exactly one [`Outcome`](scoring::outcome::Outcome), every request in exactly one [`Ending`](crate::observe::metrics::Ending).
//! - Once a content byte has reached the client there is no other attempt, but where the model's `stream_recovery` asks for one: then the client's text goes on and never begins again.
//! - Dropping the future or the body that it returned ends the upstream attempt at once.
//! - No lock, no spawned task, no channel and no metric look-up by label on this path; pictures, which take seconds, may have a lock and a task.

mod attempt;
mod back;
mod body;
mod cached;
mod chain;
mod clocks;
mod credential;
mod errand;
mod estimate;
mod flight;
mod lasting;
mod life;
mod listing;
mod meaning;
mod most;
mod opening;
mod outgoing;
mod payment;
mod picture;
mod plan;
mod recollection;
mod relay;
mod rescue;
mod respond;
mod serving;
mod session;
mod shadow;
mod sign;
mod story;
mod till;
mod timer;
mod tokens;
mod used;
mod worker;
mod workflow;

pub use body::Body;
pub use errand::{Errand, To, run as run_errand};
pub use lasting::Lasting;
pub use life::RequestId;
pub use most::{Most, Served};
pub use recollection::Recollections;
pub use serving::{BuildError, Serving};
pub use till::Tills;
pub use tokens::Tokens;
pub use worker::{Shared, Worker};

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use scoring::time::Span;

use plan::Stop;
use rescue::Spare;

use crate::dialects::failure::Failure;
use crate::dialects::format::{Endpoint, Surface};
use crate::governance::Member;

/// A request as the server hands it over: authenticated, its body complete.
#[derive(Debug)]
pub struct Asked {
    /// What kind of answer is asked for.
    pub endpoint: Endpoint,
    /// The model, where the path names it.
    pub model: Option<String>,
    /// How it came to a workflow, if it did.
    pub way: Way,
    /// The path's query.
    pub query: Option<String>,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who pays.
    pub payer: Option<Arc<Member>>,
}

/// How a request comes to a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the model's name, if at all.
    Model,
    /// By its path, which names the workflow.
    Path(String),
    /// It has entered, and is what the workflow made of it.
    Entered,
}

/// Serves one request.
pub async fn handle(worker: &Rc<Worker>, asked: Asked) -> http::Response<Body> {
    let payer = asked.payer.clone();
    let life = life::Life::begin(worker, &asked.headers, (asked.endpoint.surface(), payer));
    ask(life, asked).await
}

/// Serves a request that has begun.
async fn ask(mut life: life::Life, asked: Asked) -> http::Response<Body> {
    let mut entered = None;
    let planned = match plan::plan(&mut life, &asked) {
        Err(Stop::Enter(model)) => match workflow::enter(&mut life, &asked, model) {
            Ok(inside) => plan::plan(&mut life, entered.insert(inside)),
            Err(refusal) => Err(Stop::Refused(refusal)),
        },
        planned => planned,
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(stop) => return respond::failed(life, *stop.refusal()),
    };
    if plan.tells_progress(&life) {
        drop(plan);
        return Box::pin(picture::stream::run(life, entered.unwrap_or(asked))).await;
    }
    // Whoever checks the cache is not answered by it.
    let look = match life.bill {
        None => cached::look(&mut life, &plan),
        Some(_) => Ok(cached::Look::Ask),
    };
    let told = match look {
        Ok(cached::Look::Ask) => None,
        Ok(cached::Look::Told(telling)) => Some(telling),
        Ok(cached::Look::Wait(waiting)) => Box::pin(cached::wait(&mut life, &plan, waiting)).await,
        Err(refusal) => return respond::failed(life, *refusal),
    };
    if let Some(telling) = told {
        return telling.respond(life);
    }
    let answer = chain::run(&mut life, &plan).await;
    let answer = match estimate::instead(&mut life, &plan, answer) {
        ControlFlow::Break(json) => return respond::estimated(life, json),
        ControlFlow::Continue(answer) => answer,
    };
    let how = plan.recovery;
    drop(plan);
    let streams = matches!(answer, chain::Answer::Stream(_));
    let spare = if streams {
        Spare::of(entered.unwrap_or(asked), how)
    } else {
        None
    };
    respond::answer(life, answer, spare)
}

/// Finds out in the background whether the cache's answers on this worker are right, as long as it lasts.
pub async fn check_answers(worker: Rc<Worker>) {
    cached::run_checks(worker).await;
}

/// Refuses a request that did not get as far as [`handle`], in the client's dialect.
pub fn refuse(
    worker: &Rc<Worker>,
    headers: &HeaderMap,
    surface: Surface,
    (failure, message): (Failure, &str),
) -> http::Response<Body> {
    let life = life::Life::begin(worker, headers, (surface, None));
    respond::failed(life, respond::Failed::local(failure, message))
}

/// Refuses a request until a while has passed, in the client's dialect.
pub fn refuse_for_now(
    worker: &Rc<Worker>,
    headers: &HeaderMap,
    surface: Surface,
    (failure, message, wait): (Failure, &str, Span),
) -> http::Response<Body> {
    let life = life::Life::begin(worker, headers, (surface, None));
    let failed = respond::Failed {
        retry_after: Some(wait),
        ..respond::Failed::local(failure, message)
    };
    respond::failed(life, failed)
}

/// Answers a question that needs no provider, such as the list of models.
pub fn answer(worker: &Rc<Worker>, headers: &HeaderMap, json: Bytes) -> http::Response<Body> {
    let life = life::Life::begin(worker, headers, (Surface::OpenAi, None));
    respond::local(life, json)
}
