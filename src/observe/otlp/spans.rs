//! What is told of a request in a trace: a span of its own, and one below it for each attempt.
//!
//! The names are those of OpenTelemetry's conventions for HTTP and for GenAI; what those do not know is below `trimtab.`.
//! The GenAI ones are still in development: each stands once, here.
//!
//! # Invariants
//! - Nothing of a prompt or an answer is in a span.
//! - Attempts are siblings, and the span of each is the one that its provider was told, if it was.

use super::super::context::{Context, hex};
use super::super::kinds::Ending;
use super::super::story::{Leg, Story};
use super::names;
use super::wire::Pen;
use scoring::outcome::Outcome;
use scoring::time::Span;

/// `SPAN_KIND_SERVER`.
const SERVER: u64 = 2;

/// `SPAN_KIND_CLIENT`.
const CLIENT: u64 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// Flag of a span that says whether its parent is of another process.
const TELLS_REMOTE: u32 = 0x100;

/// Flag of a span whose parent is.
const IS_REMOTE: u32 = 0x200;

/// Field of spans below their scope.
const SPANS: u32 = 2;

/// Whether a request is told of: its trace is recorded, or it went wrong where `failures` are told of in any case.
#[must_use]
pub fn wanted(story: &Story, failures: bool) -> bool {
    let failed = story.ending != Ending::Ok || story.legs.len() > 1;
    story
        .trace
        .as_ref()
        .is_some_and(|trace| trace.sampled || failures && failed)
}

/// Writes the spans of a request, if it is part of a trace; how many there were.
pub fn write(pen: &mut Pen, story: &Story) -> u32 {
    let Some(trace) = &story.trace else {
        return 0;
    };
    let route = names::route(story.endpoint, story.surface);
    request(pen, story, trace, route.map(|(path, _)| path));
    let operation = route.map_or(story.endpoint, |(_, operation)| operation);
    for (index, leg) in story.legs.iter().enumerate() {
        let number = number(&story.legs, index);
        attempt(pen, (story, trace), (leg, number), operation);
    }
    count(story)
}

/// Spans that a request has.
pub(super) fn count(story: &Story) -> u32 {
    1 + story.legs.len() as u32
}

/// The number of an attempt: attempts are told in the order of their ends, and numbered in that of their beginnings.
fn number(legs: &[Leg], index: usize) -> u32 {
    let began = legs[index].began;
    let before = |(other, leg): &(usize, &Leg)| (leg.began, *other) < (began, index);
    1 + legs.iter().enumerate().filter(before).count() as u32
}

/// Where a span is in its trace, and when.
struct Place {
    span: u64,
    parent: Option<u64>,
    flags: u32,
    kind: u64,
    began_us: u64,
    took: Span,
}

impl Place {
    /// What stands before a span's name.
    fn ids(&self, pen: &mut Pen, trace: &Context) {
        pen.text(1, &trace.trace.to_be_bytes());
        pen.text(2, &self.span.to_be_bytes());
        if let Some(state) = &trace.state {
            pen.text(3, state.as_bytes());
        }
        if let Some(parent) = self.parent {
            pen.text(4, &parent.to_be_bytes());
        }
    }

    /// What stands behind it, before its attributes.
    fn times(&self, pen: &mut Pen) {
        let began = self.began_us.saturating_mul(1_000);
        let took = self.took.as_micros().saturating_mul(1_000);
        pen.number(6, self.kind);
        pen.fixed64(7, began);
        pen.fixed64(8, began.saturating_add(took));
    }

    /// What stands behind those.
    fn rest(&self, pen: &mut Pen, trace: &Context, how: How) {
        if how == How::Failed {
            let status = pen.begin(15);
            pen.number(3, ERROR);
            pen.end(status);
        }
        pen.fixed32(16, self.flags | u32::from(trace.flags()));
    }
}

/// Whether a span's status is an error; else it is left unset, as the conventions want it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Unset,
    Failed,
}

/// The request's own span.
fn request(pen: &mut Pen, story: &Story, trace: &Context, route: Option<&str>) {
    let remote = if trace.parent.is_some() { IS_REMOTE } else { 0 };
    let place = Place {
        span: trace.span,
        parent: trace.parent,
        flags: TELLS_REMOTE | remote,
        kind: SERVER,
        began_us: story.at_us,
        took: story.took,
    };
    let span = pen.begin(SPANS);
    place.ids(pen, trace);
    match route {
        Some(path) => {
            pen.two(5, ("POST", path));
            place.times(pen);
            pen.say("http.request.method", "POST");
            pen.say("http.route", path);
            pen.say("url.path", path);
        }
        // The conventions' words for a method that is not told.
        None => {
            pen.text(5, b"HTTP");
            place.times(pen);
            pen.say("http.request.method", "_OTHER");
        }
    }
    if story.status != 0 {
        pen.count("http.response.status_code", story.status.into());
    }
    pen.may_say("error.type", story.fault.map(|fault| fault.name()));
    about(pen, story);
    place.rest(pen, trace, how(story));
    pen.end(span);
}

/// What only the gateway knows of a request.
fn about(pen: &mut Pen, story: &Story) {
    pen.say("trimtab.request.id", story.id());
    pen.may_say("trimtab.model", story.model.as_deref());
    pen.may_say("trimtab.model.asked", story.asked.as_deref());
    pen.may_say("trimtab.workflow", story.workflow.as_deref());
    if let Some(who) = &story.who {
        pen.say("trimtab.key", &who.key);
        pen.may_say("trimtab.team", who.team.as_deref());
        pen.may_say("trimtab.customer", who.customer.as_deref());
    }
    if !story.cache.is_empty() {
        pen.say("trimtab.cache.status", story.cache);
    }
    pen.say("trimtab.ending", story.ending.name());
    pen.flag("trimtab.stream", story.stream);
    pen.count("trimtab.attempts", story.legs.len() as u64);
    pen.measure("trimtab.overhead_ms", story.overhead.as_millis_f64());
    if let Some(first) = story.first {
        pen.measure("trimtab.ttft_ms", first.as_millis_f64());
    }
    pen.measure("trimtab.cost.dollars", story.cost.dollars());
    if story.saved.get() > 0 {
        pen.measure("trimtab.saved.dollars", story.saved.dollars());
    }
}

/// A server's span is in error where the server is at fault; a stream that breaks off is, whatever its status was.
fn how(story: &Story) -> How {
    let told = story.status < 400 && story.status != 0;
    let broke = matches!(
        story.ending,
        Ending::UpstreamError | Ending::Internal | Ending::Shed
    );
    if story.status >= 500 || told && broke {
        How::Failed
    } else {
        How::Unset
    }
}

/// The span of an attempt.
fn attempt(
    pen: &mut Pen,
    (story, trace): (&Story, &Context),
    (leg, number): (&Leg, u32),
    operation: &str,
) {
    let place = Place {
        span: trace.attempt(number),
        parent: Some(trace.span),
        flags: TELLS_REMOTE,
        kind: CLIENT,
        began_us: story.at_us.saturating_add(leg.began.as_micros()),
        took: leg.took,
    };
    let via = &*leg.via;
    let span = pen.begin(SPANS);
    place.ids(pen, trace);
    pen.two(5, (operation, &via.model));
    place.times(pen);
    pen.say("gen_ai.operation.name", operation);
    pen.say("gen_ai.provider.name", names::provider(&via.vendor));
    pen.say("gen_ai.request.model", &via.model);
    pen.flag("gen_ai.request.stream", story.stream);
    if let Some(most) = story.max_tokens {
        pen.count("gen_ai.request.max_tokens", most.into());
    }
    if let Some(session) = story.session {
        let mut text = [0; 16];
        hex(session.into(), &mut text);
        pen.may_say("gen_ai.conversation.id", std::str::from_utf8(&text).ok());
    }
    pen.say("server.address", &via.host);
    pen.count("server.port", via.port.into());
    used(pen, leg);
    if leg.status != 0 {
        pen.count("http.response.status_code", leg.status.into());
    }
    score(pen, leg);
    let how = match leg.outcome {
        Outcome::Success => How::Unset,
        other => {
            pen.say("error.type", other.name());
            How::Failed
        }
    };
    place.rest(pen, trace, how);
    pen.end(span);
}

/// What an attempt used and did cost; nothing of what was not told.
fn used(pen: &mut Pen, leg: &Leg) {
    if let Some(first) = leg.first {
        pen.measure("gen_ai.response.time_to_first_chunk", first.as_secs_f64());
    }
    let used = &leg.tokens;
    let mut told = |key: &str, count: u32| {
        if count > 0 {
            pen.count(key, count.into());
        }
    };
    told("gen_ai.usage.input_tokens", used.input);
    told("gen_ai.usage.output_tokens", used.output);
    told("gen_ai.usage.cache_read.input_tokens", used.cached);
    told("gen_ai.usage.cache_creation.input_tokens", used.cache_write);
    told("gen_ai.usage.reasoning.output_tokens", used.reasoning);
    if leg.cost.get() > 0 {
        pen.measure("trimtab.cost.dollars", leg.cost.dollars());
    }
}

/// Why an attempt went where it went.
fn score(pen: &mut Pen, leg: &Leg) {
    let (via, pick) = (&*leg.via, &leg.pick);
    pen.say("trimtab.route", &via.route);
    pen.say("trimtab.provider", &via.provider);
    pen.say("trimtab.provider.key", &via.key);
    if !via.region.is_empty() {
        pen.say("trimtab.region", &via.region);
    }
    pen.say("trimtab.mode", pick.mode.name());
    pen.measure("trimtab.score", pick.score.into());
    pen.measure("trimtab.propensity", pick.propensity.into());
    let cost = &pick.cost;
    pen.measure("trimtab.cost.latency_ms", cost.model_ms.into());
    pen.measure("trimtab.cost.drift_ms", cost.drift_ms.into());
    pen.measure("trimtab.cost.utilisation_ms", cost.utilisation_ms.into());
    pen.measure("trimtab.cost.failure_ms", cost.failure_ms.into());
    pen.measure("trimtab.cost.price_ms", cost.price_ms.into());
    pen.measure("trimtab.cost.affinity_ms", cost.affinity_ms.into());
    if let Some(sent) = leg.sent {
        pen.measure("trimtab.sent_ms", sent.as_millis_f64());
    }
}
