//! What is told of a request when it is over, to whoever keeps or sends it?
//!
//! # Invariants
//! - Where nobody listens nothing is noted.
//! - Every attempt that was begun is told, once, in the order in which they ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use scoring::outcome::Outcome;
use scoring::select::Pick;
use scoring::time::{Span, Time};

use super::flight::Landing;
use super::life::Life;
use crate::clock;
use crate::config::Nano;
use crate::dialects::failure::Failure;
use crate::dialects::seen::Usage;
use crate::observe::story::{Leg, Story, Tokens, Via};
use crate::observe::{Ending, Fault};

/// The attempts of one request that have ended.
pub(super) type Legs = Rc<RefCell<Vec<Leg>>>;

/// What is noted of an attempt while it lasts.
#[derive(Debug)]
pub(super) struct Note {
    legs: Legs,
    via: Arc<Via>,
    pick: Pick,
    /// When it began, after the request's arrival.
    began: Span,
    pub(super) sent: Option<Span>,
    pub(super) first: Option<Span>,
    pub(super) status: u16,
}

impl Note {
    /// An attempt that begins now, if anybody listens.
    pub(super) fn begin(life: &Life, via: &Arc<Via>, pick: &Pick, now: Time) -> Option<Self> {
        Some(Self {
            legs: Rc::clone(life.legs.as_ref()?),
            via: Arc::clone(via),
            pick: *pick,
            began: now.since(life.began),
            sent: None,
            first: None,
            status: 0,
        })
    }

    /// It has ended.
    pub(super) fn end(self, landing: &Landing, took: Span, cost: Nano) {
        self.legs.borrow_mut().push(Leg {
            via: self.via,
            pick: self.pick,
            began: self.began,
            sent: self.sent,
            first: self.first,
            took,
            outcome: landing.outcome,
            status: self.status,
            tokens: tokens(&landing.usage),
            cost,
        });
    }
}

fn tokens(usage: &Usage) -> Tokens {
    let count = |told: Option<u32>| told.unwrap_or(0);
    Tokens {
        input: count(usage.input),
        cached: count(usage.cached),
        cache_write: count(usage.cache_write).saturating_add(count(usage.cache_write_1h)),
        output: count(usage.output),
        reasoning: count(usage.reasoning),
    }
}

/// Whose fault a failure is.
///
/// A provider's limits that nothing was sent for are the gateway's to keep, hence the attempt's outcome.
pub(super) const fn fault(failure: Failure, outcome: Option<Outcome>) -> Fault {
    match failure {
        Failure::BadRequest => Fault::BadRequest,
        Failure::TooLong => Fault::TooLong,
        Failure::TooLarge => Fault::TooLarge,
        Failure::Encoding => Fault::Encoding,
        Failure::SlowClient => Fault::SlowClient,
        Failure::Unauthorized | Failure::TooManyLogins => Fault::Unauthorized,
        Failure::NotAllowed => Fault::NotAllowed,
        Failure::BudgetSpent | Failure::PriceUnknown => Fault::Budget,
        Failure::LedgerDown => Fault::Ledger,
        Failure::NoModel => Fault::NoModel,
        Failure::NoPath | Failure::Method => Fault::NoPath,
        Failure::Unsupported => Fault::Unsupported,
        Failure::RateLimited if outcome.is_none() => Fault::Shed,
        Failure::RateLimited => Fault::RateLimited,
        Failure::Overloaded => Fault::Overloaded,
        Failure::Upstream => Fault::Upstream,
        Failure::UpstreamAuth | Failure::UpstreamQuota => Fault::UpstreamAuth,
        Failure::Timeout => Fault::Timeout,
        Failure::Draining => Fault::Draining,
        Failure::Internal => Fault::Internal,
    }
}

/// All that is told of it.
pub(super) fn of(life: &mut Life, ending: Ending, status: u16, took: Span) -> Option<Box<Story>> {
    let legs = life.legs.take()?.take();
    let total_us = took.as_micros();
    let now_us = u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX);
    let serving = &life.serving;
    let tokens = match legs.last() {
        Some(leg) => leg.tokens,
        None => Tokens::default(),
    };
    let answered = life.saved.is_some() || life.was_answered();
    let first = legs.last().and_then(|leg| Some(leg.began.plus(leg.first?)));
    let cost = legs.iter().fold(Nano::ZERO, |sum, leg| sum.plus(leg.cost));
    Some(Box::new(Story {
        id: life.id.header().clone(),
        number: life.number,
        at_us: now_us.saturating_sub(total_us),
        took,
        overhead: life.told_overhead,
        first,
        endpoint: life.label,
        surface: life.surface.name(),
        model: life.model.map(|model| Arc::clone(&serving.names[model])),
        asked: life.asked.take(),
        workflow: life
            .entered
            .map(|(workflow, _)| Arc::clone(&serving.names[workflow])),
        stream: life.stream,
        max_tokens: life.max_tokens,
        who: life.payer.as_ref().map(|payer| Arc::clone(&payer.who)),
        session: life.turn.map(|turn| turn.session.hash()),
        status,
        ending,
        fault: life.fault.or_else(|| presumed(ending)),
        tokens: if answered {
            Tokens {
                input: life.input_tokens,
                output: life.output_tokens,
                ..tokens
            }
        } else {
            tokens
        },
        cost,
        saved: life.saved.map_or(Nano::ZERO, |(cost, _)| cost),
        cache: life.cache.header().unwrap_or_default(),
        trace: life.trace.take(),
        decisions: std::mem::take(&mut life.decisions),
        content: life.content.take(),
        legs,
    }))
}

/// Whose fault an ending is that nobody has said more of.
pub(super) const fn presumed(ending: Ending) -> Option<Fault> {
    match ending {
        Ending::Ok => None,
        Ending::ClientError => Some(Fault::BadRequest),
        Ending::UpstreamError => Some(Fault::Upstream),
        Ending::Shed => Some(Fault::Shed),
        Ending::ClientGone => Some(Fault::ClientGone),
        Ending::Internal => Some(Fault::Internal),
    }
}
