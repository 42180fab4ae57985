//! Takes a broken stream up on another route, where the model's `stream_recovery` says so.
//!
//! A route is asked to go on from what was said, or to answer anew; what it says is joined to what the client has, as
//! [`joint`](crate::dialects::joint) tells. A route that refuses to go on is followed by one that answers anew.
//!
//! # Invariants
//! - Only a stream whose client has nothing but text is taken up, and only as long as attempts, time and the retry budget last.
//! - A route that broke off is not asked again while the request has another.
//! - Every joint is logged with the request's id and both routes.
//! - What a route says against being asked to go on never reaches the client.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use scoring::outcome::Outcome;

use super::Asked;
use super::chain::{self, Answer};
use super::life::Life;
use super::meaning::Meaning;
use super::opening::Opened;
use super::plan::{self, Plan};
use crate::chat::{Message, Part, Request, Role};
use crate::clock;
use crate::config::StreamRecovery;
use crate::dialects::bridge::Bridge;
use crate::dialects::convert::Meant;
use crate::dialects::format::Format;
use crate::dialects::joint::Resumption;

/// What a model that is asked to go on is told, where it does not continue its own turn by itself.
const GO_ON: &str = "Your last message was cut off. Continue it exactly from where it ended: repeat nothing, add no preamble, and begin with a space if a new word begins.";

/// What is needed to take a stream up.
#[derive(Debug)]
pub(super) struct Spare {
    asked: Rc<Asked>,
    how: StreamRecovery,
    /// The routes that broke off: model and target.
    broken: Vec<(usize, usize)>,
}

/// How an attempt takes a stream up.
#[derive(Debug)]
pub(super) struct Resume {
    /// The bridge as it was when the stream broke off.
    pub(super) bridge: Bridge,
    pub(super) how: Resumption,
    /// The routes that broke off: model and target.
    pub(super) broken: Vec<(usize, usize)>,
}

/// A rescue under way; gives the request back, with the stream that goes on if there is one.
pub(super) type Rescue = Pin<Box<dyn Future<Output = (Life, Option<Box<Opened>>)>>>;

impl Spare {
    /// What is needed to take the stream of a request up; nothing where it is not wanted.
    pub(super) fn of(asked: Asked, how: StreamRecovery) -> Option<Self> {
        (how != StreamRecovery::Error).then(|| Self {
            asked: Rc::new(asked),
            how,
            broken: Vec::new(),
        })
    }
}

/// Begins to take a stream up, if it can be; else gives the request back.
pub(super) fn begin(
    mut life: Life,
    spare: &mut Spare,
    bridge: &Bridge,
) -> Result<Rescue, Box<Life>> {
    let (Some(said), Some(broken)) = (bridge.said(), life.last) else {
        return Err(Box::new(life));
    };
    if !pays(&life) {
        return Err(Box::new(life));
    }
    life.failed(Outcome::Truncated, clock::now());
    life.outcome = Some(Outcome::Truncated);
    if let Some(wire) = life.last_wire() {
        wire.handles.failover(Outcome::Truncated);
    }
    spare.broken.push(broken);
    let said = said.to_owned();
    // Its reader is replaced by the next route's.
    let bridge = bridge.resumed(Format::Chat, Resumption::Onward);
    let (asked, how, broken) = (Rc::clone(&spare.asked), spare.how, spare.broken.clone());
    Ok(Box::pin(async move {
        let resume = Resume {
            bridge,
            how: Resumption::Anew,
            broken,
        };
        let opened = rescue(&mut life, &asked, (how, said), resume).await;
        (life, opened)
    }))
}

/// Whether the request may make another attempt, which is paid for then.
fn pays(life: &Life) -> bool {
    let Some(model) = life.model.map(|model| &life.serving.routing.models[model]) else {
        return false;
    };
    let now = clock::now();
    let ends = life.began.plus(model.clocks.total.into());
    now < ends
        && life.attempts < model.retry.max_attempts
        && life.worker.shared.budget.withdraw(now)
}

async fn rescue(
    life: &mut Life,
    asked: &Asked,
    (recovery, said): (StreamRecovery, String),
    resume: Resume,
) -> Option<Box<Opened>> {
    let from = life.last_wire().map(|wire| wire.name.clone());
    let mut plan = plan::plan(life, asked).ok()?;
    // What the client has already is known; the request's estimate says nothing of it.
    life.output_tokens = resume.bridge.answer_tokens();
    plan.resume = Some(resume);
    if recovery == StreamRecovery::Continue
        && let Some(onward) = onward(life, &plan, &said)
    {
        let meaning = std::mem::replace(&mut plan.meaning, onward);
        let before = life.attempts;
        match take_up(life, &mut plan, Resumption::Onward, from.as_deref()).await {
            Ok(opened) => return Some(opened),
            Err(outcome) if !may_begin_anew(outcome) => return None,
            Err(_) => plan.meaning = meaning,
        }
        if life.attempts > before && !pays(life) {
            return None;
        }
    }
    let opened = take_up(life, &mut plan, Resumption::Anew, from.as_deref()).await;
    opened.ok()
}

/// Sends the request to routes until one takes the stream up; else tells how the last attempt ended, if there was one.
async fn take_up(
    life: &mut Life,
    plan: &mut Plan<'_>,
    how: Resumption,
    from: Option<&str>,
) -> Result<Box<Opened>, Option<Outcome>> {
    if let Some(resume) = &mut plan.resume {
        resume.how = how;
    }
    let opened = match chain::run(life, plan).await {
        Answer::Stream(opened) => opened,
        Answer::Whole(_) | Answer::Picture(_) => return Err(Some(Outcome::ServerError)),
        Answer::Failed(failed) => return Err(failed.outcome),
    };
    let to = life.last_wire().map(|wire| &*wire.name);
    let id = life.id.text();
    tracing::info!(request = id, from, to, ?how, "a broken stream was taken up");
    Ok(opened)
}

/// Whether a route that would not go on may answer anew: the request was refused, or could not be written.
const fn may_begin_anew(outcome: Option<Outcome>) -> bool {
    matches!(outcome, None | Some(Outcome::Rejected))
}

/// What a request to go on means; none where the answer's format makes a part of it unlike its rest.
fn onward(life: &Life, plan: &Plan<'_>, said: &str) -> Option<Meaning> {
    let told = &life.worker.shared.lasting.recollections;
    match plan.meaning.of(plan.asked, told) {
        Ok(Meant::Talk(request)) if request.format.is_none() && !said.trim_end().is_empty() => {
            Some(Meaning::onward(continued(request, said.trim_end())))
        }
        _ => None,
    }
}

/// The request, with what was said so far, to be gone on from.
fn continued(request: &Request, said: &str) -> Request {
    let mut request = request.clone();
    if let Some(Message {
        role: Role::Assistant,
        parts,
    }) = request.messages.last_mut()
    {
        // The client itself had the model go on from something.
        match parts.last_mut() {
            Some(Part::Text { text, .. }) => text.push_str(said),
            _ => parts.push(Part::text(said)),
        }
        return request;
    }
    request.messages.push(Message {
        role: Role::Assistant,
        parts: vec![Part::text(said)],
    });
    request
}

/// Adds the instruction to go on, for models that do not continue the assistant's own turn.
pub(super) fn instructed(request: &Request) -> Request {
    let mut request = request.clone();
    request.messages.push(Message {
        role: Role::User,
        parts: vec![Part::text(GO_ON)],
    });
    request
}
