//! Turns what became of a request into the response that the client gets.
//!
//! The one exit: every response of the data plane, answer or error, is made here.
//!
//! # Invariants
//! - Every response carries the request id under both names that clients read.
//! - Of a provider's headers only those on the list go on; its credentials and addresses never do.

use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use scoring::outcome::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Decision, Tried};
use scoring::time::{Span, Time};

use super::body::Body;
use super::cached::{self, Carried};
use super::chain::Answer;
use super::life::Life;
use super::opening::Opened;
use super::relay::Relay;
use super::rescue::Spare;
use super::story;
use crate::clock;
use crate::dialects::classify::Remedy;
use crate::dialects::failure::{self, Failure, Retry};
use crate::dialects::format::Surface;
use crate::images::answer;
use crate::observe::context::TRACERESPONSE;
use crate::observe::explain;
use crate::observe::metrics::{Ending, Refused};
use crate::routing::Choice;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_SHORT: HeaderName = HeaderName::from_static("request-id");
const OWN_ID: HeaderName = HeaderName::from_static("x-trimtab-request-id");
const ROUTE: HeaderName = HeaderName::from_static("x-trimtab-route");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-trimtab-attempts");
const OVERHEAD: HeaderName = HeaderName::from_static("x-trimtab-overhead-us");
const DROPPED: HeaderName = HeaderName::from_static("x-trimtab-dropped");
const DECISION: HeaderName = HeaderName::from_static("x-trimtab-decision");
const UPSTREAM_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
const ESTIMATED: HeaderName = HeaderName::from_static("x-trimtab-estimated");
const CACHE: HeaderName = HeaderName::from_static("x-cache-status");
const CACHE_TOLD: HeaderName = HeaderName::from_static("x-trimtab-cache");
const TIMING: HeaderName = HeaderName::from_static("server-timing");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Headers on a response, at most: room made at once.
const HEADERS: usize = 24;

/// Longest decision written out whole, bytes: clients refuse larger heads; a longer one is cut to what was picked.
const MAX_EXPLAINED: usize = 16 * 1024;

/// Longest value that is written of numbers, bytes: two times in µs, the largest that there are, and their names.
const WRITTEN: usize = 96;

/// Longest message of ours, bytes.
const MAX_MESSAGE: usize = 1_024;

/// What the names of a provider's headers begin with that go on to the client.
const PASSED: [&str; 4] = ["x-ratelimit-", "openai-", "anthropic-", "x-goog-"];

/// A whole answer.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

/// A failure, with everything that the client may be told about it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) message: String,
    pub(super) outcome: Option<Outcome>,
    pub(super) remedy: Remedy,
    pub(super) retry_after: Option<Span>,
    /// The provider's own words.
    pub(super) original: Option<Original>,
    /// Whether the provider had taken the request on, so that it may be paid for.
    pub(super) taken_on: TakenOn,
}

/// What became of a request that a provider takes on before it answers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TakenOn {
    /// It was not taken on, or there is no such thing.
    #[default]
    No,
    /// It was, and the provider says that nothing comes of it.
    InVain,
    /// It was, and something may come of it: nobody else is asked.
    Unknown,
}

/// A provider's refusal in its own words.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

impl Failed {
    /// A failure in the gateway's words.
    pub(super) fn local(failure: Failure, message: &str) -> Self {
        let mut message = message.to_owned();
        if message.len() > MAX_MESSAGE {
            let cut = message.floor_char_boundary(MAX_MESSAGE);
            message.truncate(cut);
        }
        Self {
            failure,
            message,
            outcome: None,
            remedy: Remedy::None,
            retry_after: None,
            original: None,
            taken_on: TakenOn::No,
        }
    }

    /// The event that ends a stream for it.
    pub(super) fn event(&self, life: &Life) -> Bytes {
        match &self.original {
            Some(original) if self.may_quote(life.surface) => failure::event(&original.bytes),
            _ => life
                .format
                .error_event(self.failure, &self.message, life.id.text()),
        }
    }

    /// Whether the provider's words may go to the client: they are in its dialect and not about our credentials.
    fn may_quote(&self, surface: Surface) -> bool {
        let quotable = !self.failure.is_of_account() && self.outcome != Some(Outcome::KeyRejected);
        quotable
            && self
                .original
                .as_ref()
                .is_some_and(|original| surface.is_error(&original.bytes))
    }

    /// Why the request was not let in or not paid for, if it was not.
    fn refusal(&self) -> Option<Refused> {
        Some(match self.failure {
            Failure::Unauthorized => Refused::Key,
            Failure::TooManyLogins => Refused::Login,
            Failure::NotAllowed => Refused::Model,
            Failure::BudgetSpent => Refused::Budget,
            Failure::PriceUnknown => Refused::Price,
            Failure::LedgerDown => Refused::Ledger,
            _ => return None,
        })
    }

    /// How the request is counted.
    pub(super) fn ending(&self) -> Ending {
        match self.failure {
            Failure::Internal => Ending::Internal,
            Failure::Draining | Failure::LedgerDown => Ending::Shed,
            Failure::RateLimited if self.outcome.is_none() => Ending::Shed,
            Failure::RateLimited
            | Failure::Overloaded
            | Failure::Upstream
            | Failure::UpstreamAuth
            | Failure::UpstreamQuota
            | Failure::Timeout => Ending::UpstreamError,
            _ => Ending::ClientError,
        }
    }
}

/// What a request has come to.
pub(super) fn answer(life: Life, answer: Answer, spare: Option<Spare>) -> Response<Body> {
    match answer {
        Answer::Whole(answer) => whole(life, answer),
        Answer::Stream(opened) => stream(life, opened, spare),
        Answer::Picture(pieces) => pictures(life, *pieces),
        Answer::Failed(refusal) => failed(life, *refusal),
    }
}

/// Pictures, as one object or as the events of a stream.
fn pictures(mut life: Life, pieces: answer::Body) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    if life.stream {
        is_stream(&mut headers);
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::Pictures(pieces))
}

/// Marks an answer as a stream of events.
pub(super) fn is_stream(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
}

/// A whole answer of a provider.
fn whole(mut life: Life, whole: Whole) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    take_over(&mut headers, &whole.headers);
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    if let Some(keeping) = life.keeping.take() {
        keeping.whole(&life, kind(&headers), &whole.bytes);
    }
    life.says(&whole.bytes);
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::from(whole.bytes))
}

/// A stream of a provider.
fn stream(mut life: Life, opened: Box<Opened>, spare: Option<Spare>) -> Response<Body> {
    let mut headers = head(&mut life, clock::now());
    take_over(&mut headers, &opened.head.headers);
    let kind = opened.passage.content_type();
    is_stream(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(keeping) = &mut life.keeping {
        keeping.begins(kind);
    }
    let body = Body::Stream(Carried::new(Relay::new(life, *opened, spare)));
    finish(StatusCode::OK, headers, body)
}

/// What an answer is said to be.
fn kind(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// An answer of the gateway's own.
pub(super) fn local(mut life: Life, json: Bytes) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::from(json))
}

/// A count of tokens of the gateway's own: no route has answered, so none is named.
pub(super) fn estimated(mut life: Life, json: Bytes) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    headers.remove(ROUTE);
    headers.insert(ESTIMATED, HeaderValue::from_static("1"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    life.says(&json);
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::from(json))
}

/// A failure.
pub(super) fn failed(mut life: Life, failed: Failed) -> Response<Body> {
    let now = clock::now();
    let (told, retry) = failed.failure.status();
    if let Some(why) = failed.refusal() {
        life.worker.shared.metrics().refused(why);
    }
    let mut headers = head(&mut life, now);
    match retry {
        Retry::Unsaid => {}
        Retry::Yes => drop(headers.insert(SHOULD_RETRY, HeaderValue::from_static("true"))),
        Retry::No => drop(headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"))),
    }
    // Who must not come back is not told when.
    if let Some(after) = failed
        .retry_after
        .filter(|_| !failed.failure.is_of_account())
    {
        let millis = after.as_micros().div_ceil(1_000);
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
        headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
    }
    let quote = failed.may_quote(life.surface);
    let ending = failed.ending();
    life.fault = Some(story::fault(failed.failure, failed.outcome));
    let (status, body) = match failed.original {
        Some(original) if quote => {
            take_over(&mut headers, &original.headers);
            if let (Retry::Unsaid, Some(said)) = (retry, original.headers.get(SHOULD_RETRY)) {
                headers.insert(SHOULD_RETRY, said.clone());
            }
            (original.status, original.bytes)
        }
        _ => {
            let body = life
                .surface
                .error(failed.failure, &failed.message, life.id.text());
            (told, body)
        }
    };
    // The error may have come in a stream, whose type it does not have.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    life.says(&body);
    life.end(ending, status.as_u16(), now);
    finish(status, headers, Body::from(body))
}

pub(super) fn finish(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The headers that every response has.
pub(super) fn head(life: &mut Life, now: Time) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    let id = life.id.header();
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(REQUEST_ID_SHORT, id.clone());
    headers.insert(OWN_ID, id.clone());
    if let Some(wire) = life.last_wire() {
        headers.insert(ROUTE, wire.name_header.clone());
    }
    let overhead = life.overhead(now);
    life.worker.shared.metrics().overhead.observe(overhead);
    life.told_overhead = overhead;
    let attempts = match life.attempts {
        1 => HeaderValue::from_static("1"),
        attempts => HeaderValue::from(attempts),
    };
    headers.insert(ATTEMPTS, attempts);
    headers.insert(OVERHEAD, written(format_args!("{}", overhead.as_micros())));
    if let Some(status) = life.cache.header() {
        headers.insert(CACHE, HeaderValue::from_static(status));
    }
    if life.explain
        && let Some(told) = cached::explained(life)
        && let Ok(value) = HeaderValue::try_from(told)
    {
        headers.insert(CACHE_TOLD, value);
    }
    headers.insert(TIMING, timing(overhead, life.waited));
    if let Some(trace) = &life.trace {
        headers.insert(TRACERESPONSE, trace.response());
    }
    if !life.dropped.is_empty()
        && let Ok(value) = HeaderValue::try_from(life.dropped.join(", "))
    {
        headers.insert(DROPPED, value);
    }
    if let Some(explained) = life.explained.take()
        && let Ok(value) = HeaderValue::from_str(&explained)
    {
        headers.insert(DECISION, value);
    }
    headers
}

/// `Server-Timing`, milliseconds with three places.
fn timing(overhead: Span, waited: Span) -> HeaderValue {
    written(format_args!(
        "gateway;dur={}.{:03}, provider;dur={}.{:03}",
        overhead.as_micros() / 1_000,
        overhead.as_micros() % 1_000,
        waited.as_micros() / 1_000,
        waited.as_micros() % 1_000,
    ))
}

/// A header's value, written without a detour over the heap; empty if it is longer than [`WRITTEN`].
fn written(text: fmt::Arguments<'_>) -> HeaderValue {
    let mut room = [0; WRITTEN];
    let mut rest = &mut room[..];
    let whole = rest.write_fmt(text).is_ok();
    let length = if whole { WRITTEN - rest.len() } else { 0 };
    let value = HeaderValue::from_bytes(&room[..length]);
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Takes the provider's headers over that are on the list.
fn take_over(headers: &mut HeaderMap, from: &HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        let passes = PASSED.iter().any(|prefix| text.starts_with(prefix));
        if passes || name == CONTENT_TYPE {
            headers.insert(name.clone(), value.clone());
        } else if name == REQUEST_ID || name == REQUEST_ID_SHORT {
            headers.insert(UPSTREAM_ID, value.clone());
        }
    }
}

/// Writes a decision out for the client that asked for it.
pub(super) fn explanation(
    life: &mut Life,
    (model, choice): (usize, &Choice),
    (ask, tried): (&Ask, &Tried),
    decision: &Decision,
    now: Time,
) {
    let wires = &life.serving.wires[model];
    let explanation = select::explain(&choice.pool, ask, tried, now);
    let json = explain::decision(decision, &explanation, |index| {
        &wires[choice.targets[index]].name
    });
    let mut text = json.to_string();
    if life.kept {
        life.decisions.push(text.as_str().into());
    }
    if text.len() > MAX_EXPLAINED {
        text = json["picked"].to_string();
    }
    life.explained = life.explain.then_some(text);
}
