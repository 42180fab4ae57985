//! One send on one route, up to the point where its answer is whole or its first content token is here.
//!
//! # Invariants
//! - Returns only after the attempt has landed, or with the flight inside what it returns.
//! - Until it returns an answer, nothing of it has reached the client.

use std::cell::Cell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use scoring::outcome::Outcome;
use scoring::route::Attempt;
use scoring::time::{Span, Time};

use super::back::{self, Back, Unreadable};
use super::chain::Chosen;
use super::clocks::{self, Expired};
use super::flight::{Flight, Landing};
use super::life::Life;
use super::opening::{self, Opened};
use super::outgoing::{self, Unsent};
use super::payment::Payment;
use super::picture;
use super::plan::Plan;
use super::respond::{Failed, Original, TakenOn, Whole};
use crate::clock;
use crate::config::{LimitDialect, Timeouts};
use crate::dialects::classify::{self, Verdict};
use crate::dialects::failure::Failure;
use crate::dialects::format::Format;
use crate::dialects::passage::Unfit;

use crate::dialects::{limits, retry_after, words};
use crate::images::answer;
use crate::upstream::{self, Fault};

/// Largest whole answer, bytes: images in base64 are the largest honest ones.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Largest error body that is read, bytes; honest ones are below 4 KiB.
const MAX_ERROR: usize = 64 * 1024;

/// How long an error's body may take once its head is here.
const ERROR_BODY: Span = Span::from_secs(5);

/// How an attempt ended, as far as this file sees it.
pub(super) enum Landed {
    /// A whole answer.
    Whole(Whole),
    /// A stream whose first content token is here.
    Stream(Box<Opened>),
    /// Pictures.
    Picture(Box<answer::Body>),
    /// No answer.
    Failed(Box<Failed>),
}

/// Why a body could not be read whole.
enum Unread {
    Expired,
    Broken(Fault),
    TooLarge,
}

/// Sends the request on one route.
pub(super) async fn run(
    life: &mut Life,
    plan: &Plan<'_>,
    (chosen, payment): (&Chosen, Option<Payment>),
    began: Time,
) -> Landed {
    let Chosen { place, ask, pick } = chosen;
    let place = *place;
    let serving = Arc::clone(&life.serving);
    let model = &serving.routing.models[place.0];
    let wire = &serving.wires[place.0][place.1];
    let route = Arc::clone(&model.targets[place.1].route);
    let attempt = Attempt::begin(route, ask, pick, began);
    let mut flight = Flight::begin(life, (chosen, payment), attempt);
    life.attempts += 1;
    life.first.get_or_insert(place);
    life.last = Some(place);
    life.outcome = None;
    let Some(lane) = wire.lane(plan.asked.endpoint) else {
        let message = "the route does not serve this endpoint";
        return failed(flight, life, UNSUPPORTED, message);
    };
    let clocks = clocks::of(model.clocks, plan.asked.endpoint);
    if let (Format::Images, Some(studio)) = (lane.format, &wire.studio) {
        let scene = (plan, &model.clocks, began);
        return Box::pin(picture::run(life, flight, scene, (studio, wire))).await;
    }
    let (request, usage_chunk) = match outgoing::request(life, plan, wire, lane) {
        Ok(written) => written,
        Err(why) => return failed(flight, life, unsent_verdict(&why), &why.to_string()),
    };
    let sent = Cell::new(None::<Time>);
    let deadline = || {
        let head = Span::from(clocks.head);
        let until = match sent.get() {
            Some(at) => at.plus(head),
            None => began.plus(clocks.connect.into()).plus(head),
        };
        until.min(plan.deadline)
    };
    let sending = upstream::send(&life.worker.pools, &wire.origin, request, began, |at| {
        sent.set(Some(at))
    });
    let answered = clocks::within(&mut flight, deadline, sending).await;
    if let Some(at) = sent.get() {
        flight.sent(at);
    }
    let now = clock::now();
    life.waited = life.waited.plus(now.since(began));
    let response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(fault)) => return failed(flight, life, fault_verdict(&fault), &fault.to_string()),
        Err(Expired) => {
            let message = "the provider did not answer in time";
            return failed(flight, life, TIMED_OUT, message);
        }
    };
    flight.answered(response.head.status.as_u16());
    let mut exchange = Exchange {
        flight,
        clocks,
        total: plan.deadline,
        head_at: now,
        limits: wire.limits,
        back: Back {
            endpoint: plan.asked.endpoint,
            format: lane.format,
            usage_chunk,
            frame: (lane.format != plan.asked.endpoint.format()).then(|| back::frame(life, plan)),
        },
    };
    exchange.limits(&response.head.headers, b"");
    exchange.answer(life, plan, response).await
}

/// An attempt whose response has begun.
pub(super) struct Exchange {
    pub(super) flight: Flight,
    pub(super) clocks: Timeouts,
    /// When the whole request has had its time.
    pub(super) total: Time,
    pub(super) head_at: Time,
    /// How the provider tells its limits.
    limits: LimitDialect,
    /// How the answer comes back.
    back: Back,
}

impl Exchange {
    /// Tells scoring what the provider says of its limits; `body` is that of a refusal, which is the better source.
    ///
    /// Counts of tokens have limits of their own, which say nothing of the model's.
    fn limits(&mut self, headers: &HeaderMap, body: &[u8]) {
        if self.back.endpoint.is_count() {
            return;
        }
        let told = if body.is_empty() {
            None
        } else {
            limits::from_body(self.limits, body)
        };
        // Only Anthropic's instants need the wall clock.
        let unix = match self.limits {
            LimitDialect::Anthropic => clock::unix(),
            _ => std::time::Duration::ZERO,
        };
        let told = told.or_else(|| limits::from_headers(self.limits, headers, unix));
        if let (Some(report), Some(attempt)) = (told, self.flight.attempt()) {
            attempt.limits(&report, self.head_at);
        }
    }

    async fn answer(
        mut self,
        life: &mut Life,
        plan: &Plan<'_>,
        response: upstream::Response,
    ) -> Landed {
        if !response.head.status.is_success() {
            return Box::pin(self.refused(life, response)).await;
        }
        if life.stream && self.back.is_stream(&response.head.headers) {
            let passage = self.back.passage(life, plan);
            return Box::pin(opening::open(self, life, response, passage)).await;
        }
        let upstream::Response { head, mut body, .. } = response;
        let bytes = match self.read_whole(&mut body, MAX_ANSWER).await {
            Ok(bytes) => bytes,
            Err(unread) => return self.unread(life, &unread),
        };
        if let Some(keeping) = &mut life.keeping
            && !self.back.may_be_kept(&bytes)
        {
            keeping.is_unfit();
        }
        let (bytes, summary) = match self.back.whole(&head.headers, bytes, life, plan) {
            Ok(read) => read,
            Err(Unreadable::Refusal(bytes)) => {
                let verdict = classify::error_in_success(&bytes);
                return self.rejected(life, verdict, head.headers, bytes);
            }
            Err(Unreadable::Malformed(why)) => return self.fail(life, MALFORMED, &why),
        };
        let usage = summary.usage.unwrap_or_default();
        life.input_tokens = usage.input.unwrap_or(life.input_tokens);
        life.output_tokens = usage.output.unwrap_or(0);
        life.outcome = Some(Outcome::Success);
        let landing = Landing {
            usage,
            ..Outcome::Success.into()
        };
        let now = clock::now();
        self.waited(life, now);
        life.cost = self.flight.land(landing, now);
        Landed::Whole(Whole {
            headers: head.headers,
            bytes,
        })
    }

    /// Reads a body to its end; silence before and within it is bounded.
    async fn read_whole(
        &mut self,
        body: &mut upstream::Body,
        most: usize,
    ) -> Result<Bytes, Unread> {
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        // The clock is looked at only when there is something to wait for.
        let silence = Cell::new(Some(self.head_at.plus(self.clocks.first_token.into())));
        let (between, total) = (self.clocks.between_tokens, self.total);
        let until = || {
            let ends = silence
                .get()
                .unwrap_or_else(|| clock::now().plus(between.into()));
            silence.set(Some(ends));
            ends.min(total)
        };
        loop {
            let piece = clocks::within(&mut self.flight, until, body.data())
                .await
                .map_err(|Expired| Unread::Expired)?;
            match piece {
                None if joined.is_empty() => return Ok(whole),
                None => return Ok(joined.freeze()),
                Some(Err(fault)) => return Err(Unread::Broken(fault)),
                Some(Ok(bytes)) if whole.is_empty() => whole = bytes,
                Some(Ok(bytes)) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(&whole);
                    }
                    joined.extend_from_slice(&bytes);
                }
            }
            if whole.len().max(joined.len()) > most {
                return Err(Unread::TooLarge);
            }
            silence.set(None);
        }
    }

    /// A response that is not a success: reads its words and judges them.
    async fn refused(mut self, life: &mut Life, response: upstream::Response) -> Landed {
        let upstream::Response { head, mut body, .. } = response;
        self.total = self.total.min(self.head_at.plus(ERROR_BODY));
        let bytes = self
            .read_whole(&mut body, MAX_ERROR)
            .await
            .unwrap_or_default();
        let bytes = words::refusal(self.back.format, &head, bytes);
        let verdict = classify::refusal(head.status, &bytes);
        let mut landed = self.rejected(life, verdict, head.headers, bytes);
        if let Landed::Failed(failed) = &mut landed
            && let Some(original) = &mut failed.original
        {
            original.status = head.status;
        }
        landed
    }

    /// Lands an attempt that the provider has refused in so many words.
    pub(super) fn rejected(
        mut self,
        life: &mut Life,
        verdict: Verdict,
        headers: HeaderMap,
        bytes: Bytes,
    ) -> Landed {
        let retry_after = retry_after::from_headers(&headers, clock::unix())
            .or_else(|| retry_after::from_body(&bytes));
        if verdict.outcome == Outcome::RateLimited {
            self.limits(&headers, &bytes);
        }
        // Only words of the client's own dialect may be quoted.
        let own = self.back.format.surface() == Some(life.surface);
        let (landed, outcome) = self.judged(verdict.outcome, own);
        let landing = Landing {
            retry_after,
            ..landed.into()
        };
        life.outcome = Some(outcome);
        let now = clock::now();
        self.waited(life, now);
        self.flight.land(landing, now);
        Landed::Failed(Box::new(Failed {
            failure: verdict.failure,
            message: words::said(verdict, &bytes),
            outcome: Some(outcome),
            remedy: verdict.remedy,
            retry_after,
            original: own.then(|| Original {
                status: verdict.failure.status().0,
                headers,
                bytes,
            }),
            taken_on: TakenOn::No,
        }))
    }

    /// What a refusal is to the route, and what to the request.
    ///
    /// A route that does not count tokens, or not so often, serves its model all the same; and a question in other words than the client's is refused for ours.
    const fn judged(&self, outcome: Outcome, own: bool) -> (Outcome, Outcome) {
        if !self.back.endpoint.is_count() {
            return (outcome, outcome);
        }
        match outcome {
            Outcome::Unsupported | Outcome::RateLimited => {
                (Outcome::Rejected, Outcome::Unsupported)
            }
            Outcome::Rejected if !own => (Outcome::Rejected, Outcome::Unsupported),
            outcome => (outcome, outcome),
        }
    }

    /// Counts the time since the response's head as the provider's.
    pub(super) fn waited(&self, life: &mut Life, now: Time) {
        life.waited = life.waited.plus(now.since(self.head_at));
    }

    /// Lands an attempt that came to nothing after its head.
    pub(super) fn fail(self, life: &mut Life, plain: Plain, message: &str) -> Landed {
        self.waited(life, clock::now());
        failed(self.flight, life, plain, message)
    }

    /// Lands an attempt whose stream cannot go on.
    pub(super) fn unfit(self, life: &mut Life, unfit: Unfit) -> Landed {
        let plain = match unfit {
            Unfit::Diverged => DIVERGED,
            Unfit::TooLarge(_) | Unfit::Damaged => MALFORMED,
        };
        self.fail(life, plain, &unfit.to_string())
    }

    fn unread(self, life: &mut Life, unread: &Unread) -> Landed {
        match unread {
            Unread::Expired => self.fail(life, TIMED_OUT, "the provider's answer came to a halt"),
            Unread::Broken(fault) => self.fail(life, LOST, &fault.to_string()),
            Unread::TooLarge => {
                let message = format!("the provider's answer is larger than {MAX_ANSWER} bytes");
                self.fail(life, MALFORMED, &message)
            }
        }
    }
}

pub(super) type Plain = (Outcome, Failure);

pub(super) const TIMED_OUT: Plain = (Outcome::TimedOut, Failure::Timeout);
pub(super) const LOST: Plain = (Outcome::Disconnected, Failure::Upstream);
/// Another answer than the one that the client has the beginning of is nobody's fault.
const DIVERGED: Plain = (Outcome::Canceled, Failure::Upstream);
const UNSUPPORTED: Plain = (Outcome::Unsupported, Failure::Unsupported);
pub(super) const MALFORMED: Plain = (Outcome::ServerError, Failure::Upstream);

fn unsent_verdict(unsent: &Unsent) -> Plain {
    match unsent {
        Unsent::Malformed(_) => (Outcome::Rejected, Failure::BadRequest),
        Unsent::Unsigned(_) => (Outcome::Unreachable, Failure::Upstream),
    }
}

fn fault_verdict(fault: &Fault) -> Plain {
    match fault {
        Fault::Unreachable(_) => (Outcome::Unreachable, Failure::Upstream),
        Fault::Disconnected(_) | Fault::Broken(_) => LOST,
    }
}

/// Lands an attempt that ended without words of the provider's.
pub(super) fn failed(
    mut flight: Flight,
    life: &mut Life,
    (outcome, failure): Plain,
    message: &str,
) -> Landed {
    life.outcome = Some(outcome);
    flight.land(outcome, clock::now());
    Landed::Failed(Box::new(Failed {
        outcome: Some(outcome),
        ..Failed::local(failure, message)
    }))
}
