//! Is there an answer already, or is it on its way?
//!
//! # Invariants
//! - Nobody waits for another request longer than the operator says, or than its own deadline.
//! - Whoever waited in vain tries for itself.

use scoring::time::Time;

use super::super::life::Life;
use super::super::plan::Plan;
use super::super::respond::Failed;
use super::Status;
use super::keeping::Keeping;
use super::question::Question;
use super::recall::recall;
use super::telling::Telling;
use crate::cache::{Follower, Leader, Part};
use crate::clock;
use crate::config::{Layers, Sharing};

/// Flights in vain that a request follows, at most, before it goes alone.
const MOST_FLIGHTS: usize = 3;

/// What the cache says to a request.
#[derive(Debug)]
pub(in super::super) enum Look {
    /// This is the answer.
    Told(Telling),
    /// A provider has to be asked.
    Ask,
    /// It cannot say before something has come: a vector, or the answer to the same request.
    Wait(Box<Waiting>),
}

/// A question whose answer may come yet.
#[derive(Debug)]
pub(in super::super) struct Waiting {
    question: Question,
    /// The request that is under way, if one is.
    follower: Option<Follower>,
}

/// What became of a request that joined those that are alike.
enum Joined {
    /// The one before it has just been answered.
    Told(Telling),
    /// It is the one that is sent; alone, where nobody is to follow.
    Leads(Option<Leader>),
    /// It waits for this one.
    Follows(Follower),
}

/// Looks for an answer, and has a request that needs a provider listened to.
///
/// It waits for nothing, so that a hit, or a miss of the exact layer, costs no future.
///
/// # Errors
/// What the client is told of its own controls.
pub(in super::super) fn look(life: &mut Life, plan: &Plan<'_>) -> Result<Look, Box<Failed>> {
    let Some(question) = Question::of(life, plan)? else {
        return Ok(Look::Ask);
    };
    life.cache = Status::Miss;
    if question.controls.no_cache {
        life.keeping = Some(Box::new(Keeping::new(life, question, None)));
        return Ok(Look::Ask);
    }
    if let Some(telling) = kept(life, plan, &question) {
        return Ok(Look::Told(telling));
    }
    let follower = if question.caching.layers == Layers::Semantic {
        None
    } else {
        match join(life, plan, &question) {
            Joined::Told(telling) => return Ok(Look::Told(telling)),
            Joined::Leads(leader) => {
                life.keeping = Some(Box::new(Keeping::new(life, question, leader)));
                return Ok(Look::Ask);
            }
            Joined::Follows(follower) => Some(follower),
        }
    };
    Ok(Look::Wait(Box::new(Waiting { question, follower })))
}

/// Waits for what the cache may say yet; none if a provider has to be asked.
pub(in super::super) async fn wait(
    life: &mut Life,
    plan: &Plan<'_>,
    waiting: Box<Waiting>,
) -> Option<Telling> {
    let Waiting {
        mut question,
        follower,
    } = *waiting;
    if follower.is_none()
        && let Some(telling) = recall(life, plan, &mut question).await
    {
        return Some(telling);
    }
    let began = clock::now();
    let wait = life.serving.config.cache.wait;
    let until = began.plus(wait.into()).min(plan.deadline);
    let telling = fly(life, plan, (question, follower), until).await;
    let now = clock::now();
    life.waited = life.waited.plus(now.since(began));
    life.ready = now;
    telling
}

/// Follows the request that is under way, or leads.
async fn fly(
    life: &mut Life,
    plan: &Plan<'_>,
    (question, mut first): (Question, Option<Follower>),
    until: Time,
) -> Option<Telling> {
    for _ in 0..MOST_FLIGHTS {
        let joined = match first.take() {
            Some(follower) => Joined::Follows(follower),
            None => join(life, plan, &question),
        };
        let mut follower = match joined {
            Joined::Told(telling) => return Some(telling),
            Joined::Leads(leader) => {
                life.keeping = Some(Box::new(Keeping::new(life, question, leader)));
                return None;
            }
            Joined::Follows(follower) => follower,
        };
        let at = clock::instant_at(until);
        let telling = if question.manner.streamed {
            let begins = tokio::time::timeout_at(at, follower.begins()).await;
            begins.map(|head| head.map(|head| Telling::following(&head, follower)))
        } else {
            let whole = tokio::time::timeout_at(at, follower.whole()).await;
            whole.map(|whole| whole.map(|(head, bytes)| Telling::whole(&head, bytes)))
        };
        match telling {
            Ok(Some(telling)) => {
                life.cache = if is_private(&question) {
                    Status::Coalesced
                } else {
                    Status::Untold
                };
                return Some(telling);
            }
            Ok(None) => {}
            Err(_) => break,
        }
    }
    life.keeping = Some(Box::new(Keeping::new(life, question, None)));
    None
}

/// Joins the request that is under way, or becomes it.
fn join(life: &mut Life, plan: &Plan<'_>, question: &Question) -> Joined {
    if !life.serving.config.cache.single_flight {
        return Joined::Leads(None);
    }
    let flights = life.worker.shared.lasting.library.flights();
    match flights.join(question.key, question.manner) {
        // The flight before this one may have ended just now.
        Part::Leader(leader) => match kept(life, plan, question) {
            Some(telling) => Joined::Told(telling),
            None => Joined::Leads(Some(leader)),
        },
        Part::Follower(follower) => Joined::Follows(follower),
    }
}

/// Whether only one key sees these answers.
fn is_private(question: &Question) -> bool {
    question.caching.scope == Sharing::Key
}

/// The answer to the same request, if one is kept.
fn kept(life: &mut Life, plan: &Plan<'_>, question: &Question) -> Option<Telling> {
    let now_ms = clock::unix_micros() / 1_000;
    let library = &life.worker.shared.lasting.library;
    let when = (now_ms, question.controls.max_age_s);
    let entry = library.shelf().find(&question.key, question.manner, when)?;
    let telling = Telling::of(life, plan, &entry, question.manner)?;
    life.cache = if Question::is_own(life, &entry) {
        Status::Hit
    } else {
        Status::Untold
    };
    Some(telling)
}
