//! Turns what became of a request into the response that the client gets.
//!
//! The one exit: every response of the data plane, answer or error, is made here.
//!
//! # Invariants
//! - Every response carries the request id under both names that clients read.
//! - Of a provider's headers only those on the list go on; its credentials and addresses never do.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use scoring::outcome::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Decision, Tried};
use scoring::time::{Span, Time};

use super::body::Body;
use super::life::Life;
use super::opening::Opened;
use super::relay::Relay;
use crate::clock;
use crate::dialects::openai::classify::Remedy;
use crate::dialects::openai::error::{self, Failure, Retry};
use crate::observe::explain;
use crate::observe::metrics::Ending;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_SHORT: HeaderName = HeaderName::from_static("request-id");
const OWN_ID: HeaderName = HeaderName::from_static("x-trimtab-request-id");
const ROUTE: HeaderName = HeaderName::from_static("x-trimtab-route");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-trimtab-attempts");
const OVERHEAD: HeaderName = HeaderName::from_static("x-trimtab-overhead-us");
const DECISION: HeaderName = HeaderName::from_static("x-trimtab-decision");
const UPSTREAM_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
const CACHE: HeaderName = HeaderName::from_static("x-cache-status");
const TIMING: HeaderName = HeaderName::from_static("server-timing");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Headers on a response, at most: room made at once.
const HEADERS: usize = 24;

/// Longest decision written out whole, bytes: clients refuse larger heads; a longer one is cut to what was picked.
const MAX_EXPLAINED: usize = 16 * 1024;

/// Longest message of ours, bytes.
const MAX_MESSAGE: usize = 1_024;

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
        }
    }

    /// Whether the provider's words may go to the client: they are in its dialect and not about our credentials.
    fn may_quote(&self) -> bool {
        let quotable = !matches!(self.failure, Failure::UpstreamAuth)
            && self.outcome != Some(Outcome::KeyRejected);
        quotable
            && self
                .original
                .as_ref()
                .is_some_and(|original| error::is_error_object(&original.bytes))
    }

    fn ending(&self) -> Ending {
        match self.failure {
            Failure::Internal => Ending::Internal,
            Failure::Draining => Ending::Shed,
            Failure::RateLimited if self.outcome.is_none() => Ending::Shed,
            Failure::RateLimited
            | Failure::Overloaded
            | Failure::Upstream
            | Failure::UpstreamAuth
            | Failure::Timeout => Ending::UpstreamError,
            _ => Ending::ClientError,
        }
    }
}

/// A whole answer of a provider.
pub(super) fn whole(mut life: Life, whole: Whole) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    take_over(&mut headers, &whole.headers);
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::from(whole.bytes))
}

/// A stream of a provider.
pub(super) fn stream(mut life: Life, opened: Box<Opened>) -> Response<Body> {
    let mut headers = head(&mut life, clock::now());
    take_over(&mut headers, &opened.head.headers);
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
    let body = Body::Stream(Box::new(Relay::new(life, *opened)));
    finish(StatusCode::OK, headers, body)
}

/// An answer of the gateway's own.
pub(super) fn local(mut life: Life, json: Bytes) -> Response<Body> {
    let now = clock::now();
    let mut headers = head(&mut life, now);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    life.end(Ending::Ok, 200, now);
    finish(StatusCode::OK, headers, Body::from(json))
}

/// A failure.
pub(super) fn failed(mut life: Life, failed: Failed) -> Response<Body> {
    let now = clock::now();
    let telling = failed.failure.telling();
    let mut headers = head(&mut life, now);
    match telling.retry {
        Retry::Unsaid => {}
        Retry::Yes => drop(headers.insert(SHOULD_RETRY, HeaderValue::from_static("true"))),
        Retry::No => drop(headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"))),
    }
    if let Some(after) = failed.retry_after {
        let millis = after.as_micros().div_ceil(1_000);
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
        headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
    }
    let quote = failed.may_quote();
    let ending = failed.ending();
    let (status, body) = match failed.original {
        Some(original) if quote => {
            take_over(&mut headers, &original.headers);
            if let (Retry::Unsaid, Some(said)) = (telling.retry, original.headers.get(SHOULD_RETRY))
            {
                headers.insert(SHOULD_RETRY, said.clone());
            }
            (original.status, original.bytes)
        }
        _ => (telling.status, error::body(failed.failure, &failed.message)),
    };
    // The error may have come in a stream, whose type it does not have.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    life.end(ending, status.as_u16(), now);
    finish(status, headers, Body::from(body))
}

fn finish(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The headers that every response has.
fn head(life: &mut Life, now: Time) -> HeaderMap {
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
    headers.insert(ATTEMPTS, HeaderValue::from(life.attempts));
    headers.insert(OVERHEAD, HeaderValue::from(overhead.as_micros()));
    headers.insert(CACHE, HeaderValue::from_static("BYPASS"));
    headers.insert(TIMING, timing(overhead, life.waited));
    if let Some(explained) = life.explained.take()
        && let Ok(value) = HeaderValue::from_str(&explained)
    {
        headers.insert(DECISION, value);
    }
    headers
}

/// `Server-Timing`, milliseconds with three places.
fn timing(overhead: Span, waited: Span) -> HeaderValue {
    let mut text = String::with_capacity(48);
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "gateway;dur={}.{:03}, provider;dur={}.{:03}",
        overhead.as_micros() / 1_000,
        overhead.as_micros() % 1_000,
        waited.as_micros() / 1_000,
        waited.as_micros() % 1_000,
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Takes the provider's headers over that are on the list.
fn take_over(headers: &mut HeaderMap, from: &HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        if text.starts_with("x-ratelimit-") || text.starts_with("openai-") || name == CONTENT_TYPE {
            headers.insert(name.clone(), value.clone());
        } else if name == REQUEST_ID {
            headers.insert(UPSTREAM_ID, value.clone());
        }
    }
}

/// Writes a decision out for the client that asked for it.
pub(super) fn explanation(
    life: &mut Life,
    model: usize,
    (ask, tried): (&Ask, &Tried),
    decision: &Decision,
    now: Time,
) {
    let pool = &life.serving.routing.models[model].pool;
    let wires = &life.serving.wires[model];
    let explanation = select::explain(pool, ask, tried, now);
    let json = explain::decision(decision, &explanation, |index| &wires[index].name);
    let mut text = json.to_string();
    if text.len() > MAX_EXPLAINED {
        text = json["picked"].to_string();
    }
    life.explained = Some(text);
}
