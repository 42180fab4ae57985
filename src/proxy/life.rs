//! What is known of a request from its head to its end, and the one place where its end is counted.
//!
//! # Invariants
//! - Every [`Life`] is counted as started once and as ended once; one that is dropped untold ended because the client left.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use scoring::outcome::Outcome;
use scoring::time::{Span, Time};

use super::cached::{Keeping, Status};
use super::serving::{Serving, Wire};
use super::session::Turn;
use super::shadow;
use super::story::{self, Legs};
use super::worker::Worker;
use crate::chat::Losses;
use crate::clock;
use crate::config::Nano;
use crate::dialects::format::{Endpoint, Format, Surface};
use crate::governance::{Member, Passes};
use crate::observe::context::Context;
use crate::observe::metrics::{Cached, Lookup, Retrier};
use crate::observe::recorder::Record;
use crate::observe::story::Content;
use crate::observe::{Ending, Fault};
use crate::routing::Pass;

/// What clients call a request by, the first that is there.
const CLIENT_IDS: [HeaderName; 2] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-client-request-id"),
];

/// Asks for the decision, written out.
const EXPLAIN: HeaderName = HeaderName::from_static("x-trimtab-explain");

/// How often an SDK has sent a request before, and in which language it is written.
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
const SDK: HeaderName = HeaderName::from_static("x-stainless-lang");

/// Longest request id taken over from a client, bytes.
const MAX_CLIENT_ID: usize = 128;

/// Hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A request's id, as a header value.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Makes `req-` and 16 hexadecimal digits.
    pub(super) fn new(number: u64) -> Self {
        let mut text = *b"req-0000000000000000";
        for (place, digit) in text[4..].iter_mut().enumerate() {
            *digit = HEX[(number >> (60 - 4 * place)) as usize & 15];
        }
        // Letters, digits and a dash always make a header value.
        Self(HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("req-0")))
    }

    /// The client's own id, if it sent an acceptable one.
    fn of_client(headers: &HeaderMap) -> Option<Self> {
        let value = CLIENT_IDS.iter().find_map(|name| headers.get(name))?;
        let bytes = value.as_bytes();
        let acceptable = !bytes.is_empty()
            && bytes.len() <= MAX_CLIENT_ID
            && bytes.iter().all(u8::is_ascii_graphic);
        acceptable.then(|| Self(value.clone()))
    }

    /// The id as text; ids are printable ASCII.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The header's value.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

/// A request from its head to its end.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) worker: Rc<Worker>,
    pub(super) serving: Arc<Serving>,
    pub(super) id: RequestId,
    /// The gateway's own number of it.
    pub(super) number: u64,
    /// Who pays; nobody where no key is asked for.
    pub(super) payer: Option<Arc<Member>>,
    /// What lets it be in flight at its payer's pace.
    pub(super) passes: Option<Passes>,
    /// In whose words errors are told.
    pub(super) surface: Surface,
    /// How the request was written.
    pub(super) format: Format,
    pub(super) began: Time,
    /// When its first attempt could be made: what went before is the gateway's own time, or a wait for another request.
    pub(super) ready: Time,
    /// The model asked for, once it is known.
    pub(super) model: Option<usize>,
    pub(super) class: &'static str,
    pub(super) stream: bool,
    pub(super) max_tokens: Option<u32>,
    /// The model whose routes a rule chose, once that was asked; the model itself where none did.
    pub(super) chosen: Option<usize>,
    /// The turn of a session that it is, if it is one.
    pub(super) turn: Option<Turn>,
    /// What lets it be in its workflow, until it is over.
    pub(super) pass: Option<Pass>,
    /// Attempts made.
    pub(super) attempts: u32,
    /// Time spent on providers and in back-off, which is not the gateway's own.
    pub(super) waited: Span,
    /// The last attempt's model and target.
    pub(super) last: Option<(usize, usize)>,
    /// The first attempt's model and target.
    pub(super) first: Option<(usize, usize)>,
    /// How the first attempt failed, and how long after the request's beginning; none while it lasts and where it succeeded.
    first_failure: Option<(Outcome, Span)>,
    /// How the last attempt ended; none while it lasts.
    pub(super) outcome: Option<Outcome>,
    pub(super) ttft: Option<Span>,
    /// When the first content token came; streams only.
    pub(super) first_at: Option<Time>,
    pub(super) p_select: Option<f32>,
    /// What the shadow said of it, if it was asked.
    pub(super) shadow: Option<shadow::Asked>,
    pub(super) input_tokens: u32,
    /// The work that scoring was told instead of input tokens, where tokens measure nothing.
    pub(super) work: Option<u32>,
    pub(super) output_tokens: u32,
    /// What the last attempt went without: what its words could not carry, by its name in the client's, and what a workflow fixes in vain.
    pub(super) dropped: Vec<Cow<'static, str>>,
    /// The workflow that made the request what it is, and where it was asked.
    pub(super) entered: Option<(usize, Endpoint)>,
    /// The decision, written out, if the client asked.
    pub(super) explained: Option<String>,
    pub(super) explain: bool,
    /// What the cache was to it.
    pub(super) cache: Status,
    /// What listens to its answer, so that it can be kept.
    pub(super) keeping: Option<Box<Keeping>>,
    /// The entry that it was answered from, and its age, seconds.
    pub(super) hit: Option<(u64, u64)>,
    /// The nearest question that was asked before, how near it was, and which guard refused it, if one did.
    pub(super) nearest: Option<(f32, &'static str)>,
    /// Whether the cheapest healthy route is to serve it: nobody waits for it.
    pub(super) frugal: bool,
    /// Who is told what it did cost.
    pub(super) bill: Option<Rc<Cell<Nano>>>,
    /// What the answer did cost, as far as it is known.
    pub(super) cost: Nano,
    /// What an answer that was kept saves: what it did cost, and its tokens, input and output.
    pub(super) saved: Option<(Nano, (u32, u32))>,
    /// What kind of answer is asked for, by its name.
    pub(super) label: &'static str,
    /// What was asked for, where it is no model.
    pub(super) asked: Option<Box<str>>,
    /// Whose fault it is that it failed, once that is known.
    pub(super) fault: Option<Fault>,
    /// The attempts that have ended; none where nobody is told.
    pub(super) legs: Option<Legs>,
    /// The gateway's own time up to the first byte of the answer.
    pub(super) told_overhead: Span,
    /// Whether its decisions are kept.
    pub(super) kept: bool,
    /// The decisions, written out.
    pub(super) decisions: Vec<Box<str>>,
    /// The trace that it is part of.
    pub(super) trace: Option<Context>,
    /// What is said, where that is kept.
    pub(super) content: Option<Box<Content>>,
    over: bool,
}

impl Life {
    pub(super) fn begin(
        worker: &Rc<Worker>,
        headers: &HeaderMap,
        (surface, payer): (Surface, Option<Arc<Member>>),
    ) -> Self {
        let metrics = worker.shared.metrics();
        metrics.started.inc();
        metrics.inflight.inc();
        if let Some(by) = retrier(headers) {
            metrics.retried(by);
        }
        let number = worker.new_number();
        let began = clock::now();
        let serving = worker.shared.serving.load_full();
        let explain = headers.get(EXPLAIN).is_some_and(|value| value == "1");
        let legs = worker.shared.scribe.is_some().then(Legs::default);
        let otlp = serving.config.otlp.as_ref();
        let trace = otlp.map(|it| worker.with_rng(|rng| Context::begin(headers, it.sample, rng)));
        let kept = legs.is_some() && (explain || worker.draws(serving.config.requests.explain));
        Self {
            serving,
            id: RequestId::of_client(headers).unwrap_or_else(|| RequestId::new(number)),
            number,
            payer,
            passes: None,
            worker: Rc::clone(worker),
            surface,
            format: Format::Chat,
            began,
            ready: began,
            model: None,
            class: "chat",
            stream: false,
            max_tokens: None,
            chosen: None,
            turn: None,
            pass: None,
            attempts: 0,
            waited: Span::ZERO,
            last: None,
            first: None,
            first_failure: None,
            outcome: None,
            ttft: None,
            first_at: None,
            p_select: None,
            shadow: None,
            input_tokens: 0,
            work: None,
            output_tokens: 0,
            dropped: Vec::new(),
            entered: None,
            explained: None,
            explain,
            cache: Status::default(),
            keeping: None,
            hit: None,
            nearest: None,
            frugal: false,
            bill: None,
            cost: Nano::ZERO,
            saved: None,
            label: "other",
            asked: None,
            fault: None,
            legs,
            told_overhead: Span::ZERO,
            kept,
            decisions: Vec::new(),
            trace,
            content: None,
            over: false,
        }
    }

    /// Notes what the attempt that begins goes without, asking in this format with these losses.
    pub(super) fn goes_without(&mut self, format: Format, losses: &Losses) {
        let entered = self.entered;
        let omitted =
            entered.and_then(|(workflow, endpoint)| self.serving.omitted(workflow, endpoint));
        let omitted = omitted.into_iter().flat_map(|it| it.names(format));
        self.dropped.clear();
        self.dropped
            .extend(omitted.map(|name| Cow::Owned(name.to_owned())));
        for name in losses.names() {
            if !self.dropped.iter().any(|known| known == name) {
                self.dropped.push(Cow::Borrowed(name));
            }
        }
    }

    /// The route of the last attempt.
    pub(super) fn last_wire(&self) -> Option<&Wire> {
        self.wire(self.last)
    }

    fn wire(&self, place: Option<(usize, usize)>) -> Option<&Wire> {
        let (model, target) = place?;
        self.serving.wires.get(model)?.get(target)
    }

    /// Notes that an attempt has failed, before another is begun; only the first counts.
    pub(super) fn failed(&mut self, outcome: Outcome, now: Time) {
        let after = now.since(self.began);
        self.first_failure.get_or_insert((outcome, after));
    }

    /// The gateway's own time up to now.
    pub(super) fn overhead(&self, now: Time) -> Span {
        let total = now.since(self.began).as_micros();
        Span::from_micros(total.saturating_sub(self.waited.as_micros()))
    }

    /// Counts the end. Only the first call counts.
    pub(super) fn end(&mut self, ending: Ending, status: u16, now: Time) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(bill) = &self.bill {
            bill.set(bill.get().plus(self.cost));
        }
        let metrics = self.worker.shared.metrics();
        metrics.inflight.dec();
        let took = now.since(self.began);
        let handles = match self.model {
            Some(model) => &self.serving.handles[model],
            None => metrics.unknown_model(),
        };
        handles.ended(ending, self.stream, took);
        if let Some(presumed) = story::presumed(ending) {
            handles.failed(self.fault.unwrap_or(presumed));
        } else if let Some(first_at) = self.first_at {
            handles.streamed(self.output_tokens, now.since(first_at));
        }
        if let Some(status) = self.cache.counted() {
            handles.cached(status);
            metrics.looked(match status {
                Cached::Hit => Lookup::ExactHit,
                Cached::Coalesced => Lookup::ExactCoalesced,
                Cached::Miss | Cached::Semantic => Lookup::ExactMiss,
            });
        }
        if let Some((cost, (input, output))) = self.saved {
            handles.saved.inc_by(cost.dollars());
            handles.saved_in.inc_by(input.into());
            handles.saved_out.inc_by(output.into());
        }
        if let Some(passes) = self.passes.take() {
            match (self.attempts, self.was_answered()) {
                (0, _) => passes.unspend(),
                (_, false) => drop(passes),
                (_, true) => {
                    passes.settle(self.input_tokens.into(), self.output_tokens.into(), now);
                }
            }
        }
        if self.was_answered() {
            handles.tokens_in.inc_by(u64::from(self.input_tokens));
            handles.tokens_out.inc_by(u64::from(self.output_tokens));
        }
        if let Some(asked) = self.shadow {
            let first = self.first_failure.map(|(outcome, _)| outcome);
            shadow::account(self, asked, first, took);
        }
        if let (Some(recorder), Some(model)) = (&self.worker.shared.recorder, self.model) {
            recorder.record(self.record(model, status, took));
        }
        self.tell(ending, status, took);
    }

    /// Tells whoever listens what has become of it.
    fn tell(&mut self, ending: Ending, status: u16, took: Span) {
        if let Some(told) = story::of(self, ending, status, took)
            && let Some(scribe) = &self.worker.shared.scribe
        {
            scribe.tell(told);
        }
    }

    /// Has what is said kept, where operator and key allow it.
    pub(super) fn keep_content(&mut self, request: &Bytes) {
        let wanted = &self.serving.config.requests;
        let allowed = self.payer.as_ref().is_none_or(|payer| payer.log_content);
        if wanted.content && allowed && self.legs.is_some() && self.content.is_none() {
            self.content = Some(Box::new(Content {
                redact: wanted.redact,
                ..Content::of(request, wanted.content_size)
            }));
        }
    }

    /// Takes what goes to the client, where that is kept.
    pub(super) fn says(&mut self, piece: &[u8]) {
        if let Some(content) = &mut self.content {
            content.hear(piece);
        }
    }

    /// Whether an answer has begun, which is what providers bill.
    pub(super) fn was_answered(&self) -> bool {
        self.ttft.is_some() || self.outcome == Some(Outcome::Success)
    }

    fn record(&self, model: usize, status: u16, took: Span) -> Record {
        let total_us = took.as_micros();
        let now_us = u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX);
        let deadline = self.serving.routing.models[model].clocks.total;
        let first_end = self
            .first_failure
            .or_else(|| (self.attempts == 1).then_some((self.outcome?, took)));
        let name = |wire: &Wire| Arc::clone(&wire.name);
        Record {
            t_us: now_us.saturating_sub(total_us),
            class: self.class,
            model: Arc::clone(&self.serving.names[model]),
            tenant: self
                .payer
                .as_ref()
                .map(|payer| payer.own.name.as_ref().into()),
            input: self.work.unwrap_or(self.input_tokens),
            output: self.output_tokens,
            max_tokens: self.max_tokens,
            stream: self.stream,
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            prefix: self.turn.map(|turn| turn.session.hash()),
            route: self.last_wire().map(name),
            status,
            ttft_us: self.ttft.map(Span::as_micros),
            total_us,
            p_select: self.p_select,
            attempts: self.attempts,
            outcome: self.outcome.map(Outcome::name),
            first: self.wire(self.first).map(name),
            first_us: first_end.map(|(_, after)| after.as_micros()),
            first_outcome: first_end.map(|(outcome, _)| outcome.name()),
        }
    }
}

/// The SDK that says that it has sent this request before, if one does.
fn retrier(headers: &HeaderMap) -> Option<Retrier> {
    let count = headers.get(RETRY_COUNT)?.as_bytes();
    let again = count.iter().all(u8::is_ascii_digit) && count.iter().any(|digit| *digit != b'0');
    let sdk = headers.get(SDK).map_or(&[][..], HeaderValue::as_bytes);
    again.then(|| Retrier::of(sdk))
}

impl Drop for Life {
    fn drop(&mut self) {
        if !self.over {
            if self.attempts > 0 {
                self.outcome.get_or_insert(Outcome::Canceled);
            }
            self.end(Ending::ClientGone, 0, clock::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_digits() {
        let id = RequestId::new(0xdead_beef_0000_0012);
        assert_eq!(id.header(), "req-deadbeef00000012");
    }

    #[test]
    fn a_client_may_name_its_request() {
        let check = |value: &[u8], expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_bytes(value).unwrap());
            assert_eq!(
                RequestId::of_client(&headers).is_some(),
                expected,
                "{value:?}"
            );
        };
        check(b"abc-1", true);
        check(b"a b", false);
        check(b"", false);
        check(&[b'x'; 129], false);
        check(b"caf\xc3\xa9", false);
    }
}
