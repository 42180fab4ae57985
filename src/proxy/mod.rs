//! One request's life: plan → attempt → relay → settle.
//!
//! [`handle`] is the whole of it. Which route serves, whether to try again and where is decided in `scoring`; this room carries it out.
//!
//! # Invariants
//! - Every attempt ends in exactly one [`Outcome`](scoring::outcome::Outcome), every request in exactly one [`Ending`](crate::observe::metrics::Ending).
//! - Once a content byte has reached the client there is no other attempt.
//! - Dropping the future or the body that it returned ends the upstream attempt at once.
//! - No lock, no spawned task, no channel and no metric look-up by label on this path.

mod attempt;
mod body;
mod chain;
mod clocks;
mod flight;
mod life;
mod opening;
mod plan;
mod relay;
mod respond;
mod serving;
mod worker;

pub use body::Body;
pub use life::RequestId;
pub use serving::{BuildError, Endpoint, Lasting, Serving};
pub use worker::{Shared, Worker};

use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;

use crate::dialects::openai::error::Failure;

/// A request as the server hands it over: authenticated, its body complete.
#[derive(Debug)]
pub struct Asked {
    /// What kind of answer is asked for.
    pub endpoint: Endpoint,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Serves one request.
pub async fn handle(worker: &Rc<Worker>, asked: Asked) -> http::Response<Body> {
    let mut life = life::Life::begin(worker, &asked.headers);
    let plan = match plan::plan(&mut life, &asked) {
        Ok(plan) => plan,
        Err(refusal) => return respond::failed(life, *refusal),
    };
    match chain::run(&mut life, &plan).await {
        chain::Answer::Whole(whole) => respond::whole(life, whole),
        chain::Answer::Stream(opened) => respond::stream(life, opened),
        chain::Answer::Failed(failed) => respond::failed(life, *failed),
    }
}

/// Refuses a request that did not get as far as [`handle`], in the client's dialect.
pub fn refuse(
    worker: &Rc<Worker>,
    headers: &HeaderMap,
    failure: Failure,
    message: &str,
) -> http::Response<Body> {
    let life = life::Life::begin(worker, headers);
    respond::failed(life, respond::Failed::local(failure, message))
}

/// Answers a question that needs no provider, such as the list of models.
pub fn answer(worker: &Rc<Worker>, headers: &HeaderMap, json: Bytes) -> http::Response<Body> {
    let life = life::Life::begin(worker, headers);
    respond::local(life, json)
}
