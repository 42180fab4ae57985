//! Carries a stream to the client while a tap reads usage and timing.
//!
//! # Invariants
//! - A stream that breaks off ends with an error event and a broken transfer, never with a clean end.
//! - The end of the request is counted as soon as the end marker has been seen: a client that leaves then has had its answer.
//! - A stream that another route takes up is let go of first, so that its provider makes nothing that nobody reads.
//! - No timer is reset for a piece of the stream; a timer that goes off early is set again.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use scoring::outcome::Outcome;
use scoring::time::{Span, Time};

use super::attempt::Exchange;
use super::clocks::earlier;
use super::flight::Landing;
use super::life::Life;
use super::opening::Opened;
use super::rescue::{self, Rescue, Spare};
use super::respond::Failed;
use super::story;
use super::timer::Timer;
use super::worker::Worker;
use crate::clock;
use crate::dialects::failure::Failure;
use crate::dialects::format::Format;
use crate::dialects::passage::{Passage, Unfit};
use crate::dialects::tap::{Passed, Watch};
use crate::dialects::{classify, words};
use crate::observe::metrics::Recovered;
use crate::observe::{Ending, Fault};
use crate::stream::sse;
use crate::upstream;
use scoring::pace::Pace;

/// How long the provider's transfer may take to end after the end marker, so that its connection can be used again.
const LINGER: Span = Span::from_millis(100);

/// How long the client hears nothing before it is told that its answer is still being made: below the minute after which load balancers give up.
const KEEP_ALIVE: Span = Span::from_secs(15);

/// How long a key that has expired or fallen may still be answered on a stream that is silent: it is told within a second.
const LOOK_AGAIN: Span = Span::from_millis(500);

/// What the client is told whose key has fallen.
const FALLEN: &str = "the API key has expired or was revoked";

/// A comment, which every client of server-sent events skips.
const COMMENT: &[u8] = b": keep-alive\n\n";

/// The transfer to the client is broken off on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the stream broke off")]
pub struct Broken;

/// A stream on its way to the client.
pub(super) struct Relay {
    /// The request; taken while another route takes the stream up.
    life: Option<Life>,
    /// What is needed for that, where the model's configuration wants it.
    spare: Option<Spare>,
    /// How the client asked.
    format: Format,
    exchange: Exchange,
    /// The provider's stream; let go of as soon as it has broken off.
    body: Option<upstream::Body>,
    passage: Passage,
    phase: Phase,
    /// How fast the tokens come, where the model's configuration asks for a pace.
    pace: Option<Pace>,
    /// When the last content token came.
    progress: Time,
    /// When the client last got a byte.
    heard: Time,
    /// When it was last looked whether the key is still good.
    checked: Time,
    timer: Option<Timer>,
}

/// Why the timer went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    /// The provider is late.
    Late,
    /// The provider is slower than it must be.
    Slow,
    /// The client's key is no longer good.
    Fallen,
    /// The client has heard nothing for a while.
    Silence,
}

enum Phase {
    /// These bytes come first.
    Held(Bytes),
    /// Bytes come from the provider.
    Flowing,
    /// Another route takes the stream up; what to tell the client if none can.
    Rescued(Rescue, String, Failure),
    /// These bytes come last, before the transfer is broken off.
    Last(Bytes),
    /// The error event has been handed over; it is flushed before the transfer is broken off.
    Flushing,
    /// The transfer is broken off.
    Broken,
    /// Everything has been handed over.
    Ended,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("passage", &self.passage)
            .finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(mut life: Life, opened: Opened, spare: Option<Spare>) -> Self {
        life.says(&opened.held);
        let mut relay = Self {
            spare,
            format: life.format,
            life: Some(life),
            pace: pace(&opened),
            exchange: opened.exchange,
            body: Some(opened.body),
            passage: opened.passage,
            phase: Phase::Held(opened.held),
            progress: clock::now(),
            heard: clock::now(),
            checked: clock::now(),
            timer: None,
        };
        if relay.passage.progress().done {
            relay.settle(Outcome::Success, Ending::Ok);
        }
        relay
    }

    /// The next bytes for the client.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let before = self.progress;
        let next = ready!(self.step(cx));
        if next.is_none() {
            self.is_complete();
        }
        if let Some(Ok(bytes)) = &next {
            self.is_heard(bytes);
            // Content has had the clock read already.
            let timed = self.progress > before;
            self.heard = if timed { self.progress } else { clock::now() };
        }
        Poll::Ready(next)
    }

    /// Has those listen who keep the answer or follow it.
    fn is_heard(&mut self, bytes: &Bytes) {
        let Some(life) = &mut self.life else {
            return;
        };
        let Some(keeping) = &mut life.keeping else {
            return;
        };
        if bytes == COMMENT {
            keeping.tells(bytes);
            return;
        }
        keeping.passes(bytes);
        if self.passage.progress().done {
            self.is_complete();
        }
    }

    /// Keeps the answer if all of it has gone to the client.
    fn is_complete(&mut self) {
        let progress = self.passage.progress();
        // In other words neither shows any more.
        let is_fit = !progress.refused && progress.bad_events == 0;
        if let Some(life) = &mut self.life
            && life.outcome == Some(Outcome::Success)
            && let Some(mut keeping) = life.keeping.take()
        {
            if !is_fit {
                keeping.is_unfit();
            }
            keeping.complete(life);
        }
    }

    /// Whether others wait for the rest.
    pub(super) fn is_followed(&self) -> bool {
        let keeping = self.life.as_ref().and_then(|life| life.keeping.as_ref());
        keeping.is_some_and(|keeping| keeping.is_followed())
    }

    /// The worker that it is on.
    pub(super) fn worker(&self) -> Option<&Rc<Worker>> {
        self.life.as_ref().map(|life| &life.worker)
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match &mut self.phase {
                Phase::Held(held) => {
                    let held = std::mem::take(held);
                    self.phase = Phase::Flowing;
                    if !held.is_empty() {
                        return Poll::Ready(Some(Ok(held)));
                    }
                }
                Phase::Last(last) => {
                    let last = std::mem::take(last);
                    self.phase = Phase::Flushing;
                    return Poll::Ready(Some(Ok(last)));
                }
                Phase::Flowing => {
                    if let Some(bytes) = ready!(self.flow(cx)) {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Phase::Rescued(rescue, ..) => match rescue.as_mut().poll(cx) {
                    Poll::Ready((life, opened)) => self.rescued(life, opened),
                    // The rescue has clocks of its own.
                    Poll::Pending => {
                        ready!(self.poll_timer(cx));
                        return Poll::Ready(Some(Ok(Bytes::from_static(COMMENT))));
                    }
                },
                Phase::Flushing => {
                    self.phase = Phase::Broken;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Phase::Broken => return Poll::Ready(Some(Err(Broken))),
                Phase::Ended => return Poll::Ready(None),
            }
        }
    }

    /// Takes one step with the provider; `None` if it yielded nothing for the client.
    fn flow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let polled = match &mut self.body {
            Some(body) => body.poll_data(cx),
            None => Poll::Ready(None),
        };
        self.take_time(&polled);
        match polled {
            Poll::Ready(Some(Ok(_))) if !self.stands() => {
                Poll::Ready(self.give_up(FALLEN, Failure::Unauthorized, Outcome::Canceled))
            }
            Poll::Ready(Some(Ok(bytes))) => match self.passage.pass(bytes) {
                Ok(passed) => Poll::Ready(self.passed(passed)),
                Err(unfit) => Poll::Ready(self.unfit(unfit)),
            },
            Poll::Ready(Some(Err(fault))) => Poll::Ready(self.at_end(Some(&fault.to_string()))),
            Poll::Ready(None) => {
                let passed = match self.passage.rest() {
                    Ok(rest) => self.passed(rest),
                    Err(unfit) => self.unfit(unfit),
                };
                if passed.is_some() || !matches!(self.phase, Phase::Flowing) {
                    return Poll::Ready(passed);
                }
                Poll::Ready(self.at_end(None))
            }
            Poll::Pending => {
                let message = match ready!(self.poll_timer(cx)) {
                    Alarm::Silence => return Poll::Ready(Some(Bytes::from_static(COMMENT))),
                    Alarm::Fallen => {
                        let failure = Failure::Unauthorized;
                        return Poll::Ready(self.give_up(FALLEN, failure, Outcome::Canceled));
                    }
                    Alarm::Slow => "the provider's stream is too slow",
                    Alarm::Late => "the provider's stream came to a halt",
                };
                let handles = self.exchange.flight.handles();
                if self.passage.progress().finished || self.passage.progress().done {
                    return Poll::Ready(self.at_end(None));
                }
                handles.stalls.inc();
                Poll::Ready(self.break_off(message, Failure::Timeout))
            }
        }
    }

    /// Notes whether the provider is waited for, where its pace matters.
    fn take_time<T>(&mut self, polled: &Poll<T>) {
        if let Some(pace) = &mut self.pace {
            match polled {
                Poll::Pending => pace.wait(clock::now()),
                Poll::Ready(_) => pace.come(clock::now()),
            }
        }
    }

    fn passed(&mut self, passed: Passed) -> Option<Bytes> {
        self.says(&passed.bytes);
        if passed.content {
            self.progress = clock::now();
            if let Some(pace) = &mut self.pace {
                pace.count(self.passage.progress().output_tokens());
            }
        }
        if self.passage.progress().done && self.format == Format::Responses {
            self.remember(&passed.bytes);
        }
        if passed.content
            && passed.error.is_none()
            && !self.is_over()
            && let Err(unpaid) = self.reach()
        {
            let last = self.give_up(&unpaid.message, unpaid.failure, Outcome::Canceled);
            return Some(joined(passed.bytes, last)).filter(|bytes| !bytes.is_empty());
        }
        if let Some(error) = passed.error {
            if self.spare.is_some() {
                let verdict = classify::error_in_success(&error);
                let message = words::message_in(&error).unwrap_or_default();
                let last = self.break_off(&message, verdict.failure);
                let bytes = joined(passed.bytes, last);
                return (!bytes.is_empty()).then_some(bytes);
            }
            self.exchange.flight.handles().truncated(Recovered::No);
            self.settle(Outcome::Truncated, Ending::UpstreamError);
            self.phase = Phase::Flushing;
        } else if self.passage.progress().done {
            self.settle(Outcome::Success, Ending::Ok);
        }
        (!passed.bytes.is_empty()).then_some(passed.bytes)
    }

    fn says(&mut self, piece: &[u8]) {
        self.life.iter_mut().for_each(|life| life.says(piece));
    }

    /// Sees to it that what has come so far is paid for.
    fn reach(&mut self) -> Result<(), Box<Failed>> {
        let output = self.passage.progress().output_tokens();
        self.exchange.flight.reach(output)
    }

    /// Whether the key that pays has not fallen.
    fn stands(&self) -> bool {
        let payer = self.life.as_ref().and_then(|life| life.payer.as_ref());
        payer.is_none_or(|payer| payer.standing.stands())
    }

    /// Whether the key that pays is still good, which is looked at now and then.
    fn is_good(&mut self, now: Time) -> bool {
        self.checked = now;
        let payer = self.life.as_ref().and_then(|life| life.payer.as_ref());
        payer.is_none_or(|payer| payer.is_valid(clock::unix_seconds()))
    }

    /// When to look whether the key is still good; never where there is none.
    fn check_at(&self) -> Option<Time> {
        let life = self.life.as_ref()?;
        life.payer.as_ref().map(|_| self.checked.plus(LOOK_AGAIN))
    }

    /// Remembers who made a response, or what the gateway itself told of it.
    fn remember(&self, last: &Bytes) {
        let Some(life) = &self.life else {
            return;
        };
        let lasting = &life.worker.shared.lasting;
        match &self.passage {
            Passage::Same(tap) => {
                if let (Watch::Responses(watch), Some(wire)) = (tap.watch(), life.last_wire())
                    && let Some(id) = watch.id()
                {
                    lasting.makers.remember(id.as_bytes(), wire.maker);
                }
            }
            Passage::Listed(_) => {}
            Passage::Other(_) => {
                let events = sse::events(last).filter_map(|event| event.data);
                if let Some(data) = events.last() {
                    lasting.recollections.remember(data);
                }
            }
        }
    }

    /// The provider's transfer is over. `Some(message)` if it did not end properly.
    fn at_end(&mut self, broken: Option<&str>) -> Option<Bytes> {
        if self.passage.progress().done {
            self.phase = Phase::Ended;
            return None;
        }
        if self.passage.progress().finished {
            self.settle(Outcome::Success, Ending::Ok);
            self.phase = Phase::Ended;
            let closing = self.passage.close();
            return (!closing.is_empty()).then_some(closing);
        }
        let message =
            broken.unwrap_or("the provider's stream ended before the answer was complete");
        self.break_off(message, Failure::Upstream)
    }

    /// The provider's stream cannot go on to the client.
    fn unfit(&mut self, unfit: Unfit) -> Option<Bytes> {
        let message = unfit.to_string();
        match unfit {
            // Another route would differ as well, and this one has done nothing wrong.
            Unfit::Diverged => self.give_up(&message, Failure::Upstream, Outcome::Canceled),
            Unfit::TooLarge(_) | Unfit::Damaged => self.break_off(&message, Failure::Upstream),
        }
    }

    /// The provider's stream is over before the answer is: another route takes it up, or the client is told.
    fn break_off(&mut self, message: &str, failure: Failure) -> Option<Bytes> {
        self.note_tokens();
        if let (Some(spare), Passage::Other(bridge)) = (&mut self.spare, &self.passage)
            && let Some(life) = self.life.take()
        {
            match rescue::begin(life, spare, bridge) {
                Ok(rescue) => {
                    self.land(Outcome::Truncated);
                    self.body = None;
                    self.timer = None;
                    self.phase = Phase::Rescued(rescue, message.to_owned(), failure);
                    return None;
                }
                Err(life) => self.life = Some(*life),
            }
        }
        self.exchange.flight.handles().truncated(Recovered::No);
        self.give_up(message, failure, Outcome::Truncated)
    }

    /// Tells the client that its answer is not complete; the transfer is broken off next.
    fn give_up(&mut self, message: &str, failure: Failure, outcome: Outcome) -> Option<Bytes> {
        let event = self.life.as_ref().map(|life| {
            let id = life.id.text();
            self.passage.broken(self.format, failure, message, id)
        });
        event.iter().for_each(|event| self.says(event));
        let ending = match failure {
            Failure::Unauthorized | Failure::BudgetSpent => Ending::ClientError,
            Failure::LedgerDown => Ending::Shed,
            _ => Ending::UpstreamError,
        };
        if let Some(life) = &mut self.life {
            life.fault = Some(match outcome {
                Outcome::Truncated => Fault::Truncated,
                _ => story::fault(failure, Some(outcome)),
            });
        }
        self.settle(outcome, ending);
        self.phase = Phase::Flushing;
        event
    }

    /// Goes on with another route's stream, or gives up.
    fn rescued(&mut self, life: Life, opened: Option<Box<Opened>>) {
        let outcome = life.outcome.unwrap_or(Outcome::Truncated);
        self.life = Some(life);
        let phase = std::mem::replace(&mut self.phase, Phase::Flowing);
        self.timer = None;
        if let Some(opened) = opened {
            let opened = *opened;
            self.exchange.flight.handles().truncated(Recovered::Yes);
            self.pace = pace(&opened);
            (self.exchange, self.passage) = (opened.exchange, opened.passage);
            self.body = Some(opened.body);
            self.progress = clock::now();
            self.says(&opened.held);
            self.phase = Phase::Held(opened.held);
            if self.passage.progress().done {
                self.settle(Outcome::Success, Ending::Ok);
            }
        } else if let Phase::Rescued(_, message, failure) = phase {
            self.exchange.flight.handles().truncated(Recovered::No);
            let last = self.give_up(&message, failure, outcome);
            self.phase = Phase::Last(last.unwrap_or_default());
        }
    }

    /// Counts the end of attempt and request. Only the first call counts.
    fn settle(&mut self, outcome: Outcome, ending: Ending) {
        self.land(outcome);
        self.note_tokens();
        if let Some(life) = &mut self.life {
            life.outcome = Some(outcome);
            life.end(ending, 200, clock::now());
        }
    }

    /// Notes what the client's answer has used so far.
    fn note_tokens(&mut self) {
        if let Some(life) = &mut self.life {
            let told = self.passage.progress().usage.input;
            life.input_tokens = told.unwrap_or(life.input_tokens);
            life.output_tokens = self.passage.answer_tokens();
        }
    }

    /// Counts the end of the attempt. Only the first call counts.
    fn land(&mut self, outcome: Outcome) {
        let landing = Landing {
            usage: self.usage(),
            ..outcome.into()
        };
        let cost = self.exchange.flight.land(landing, clock::now());
        if let Some(life) = &mut self.life {
            life.cost = life.cost.plus(cost);
        }
    }

    fn usage(&self) -> crate::dialects::seen::Usage {
        crate::dialects::seen::Usage {
            output: Some(self.passage.progress().output_tokens()),
            ..self.passage.progress().usage
        }
    }

    /// Ready when the running clock has run out.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Alarm> {
        loop {
            let flowing = matches!(self.phase, Phase::Flowing);
            let deadline = flowing.then(|| self.deadline());
            let look = self.pace.as_ref().filter(|_| flowing && !self.is_over());
            // Only a pace needs the clock here, and few streams have one.
            let look = look.map(|pace| pace.due(clock::now()));
            let silence = self.silent_until();
            let check = self.check_at().filter(|_| flowing);
            let Some(until) = earlier(earlier(earlier(deadline, look), silence), check) else {
                return Poll::Pending;
            };
            let timer = self.timer.get_or_insert_with(|| Timer::new(until));
            ready!(timer.poll(until, cx));
            let now = clock::now();
            if deadline.is_some_and(|it| it <= now) {
                return Poll::Ready(Alarm::Late);
            }
            if look.is_some() && self.pace.as_mut().is_some_and(|pace| pace.is_too_slow(now)) {
                return Poll::Ready(Alarm::Slow);
            }
            if check.is_some_and(|it| it <= now) && !self.is_good(now) {
                return Poll::Ready(Alarm::Fallen);
            }
            if silence.is_some_and(|it| it <= now) {
                return Poll::Ready(Alarm::Silence);
            }
        }
    }

    /// Whether the answer is complete, so that only its end is waited for.
    fn is_over(&self) -> bool {
        let progress = self.passage.progress();
        progress.finished || progress.done
    }

    fn deadline(&self) -> Time {
        let patience = if self.passage.progress().done {
            LINGER
        } else if self.passage.progress().finished {
            self.exchange.clocks.tail.into()
        } else {
            self.exchange.clocks.between_tokens.into()
        };
        self.progress.plus(patience).min(self.exchange.total)
    }

    /// Until when the client may hear nothing; none for clients that take a comment for JSON, as Google's SDK does.
    fn silent_until(&self) -> Option<Time> {
        (self.format != Format::Generate).then(|| self.heard.plus(KEEP_ALIVE))
    }
}

/// The pace that a stream must keep, if there is one.
fn pace(opened: &Opened) -> Option<Pace> {
    let least = opened.exchange.clocks.min_tokens_per_second;
    Pace::new(least, opened.passage.progress().output_tokens())
}

/// What the client gets of a piece, and after it the last event.
fn joined(bytes: Bytes, last: Option<Bytes>) -> Bytes {
    match last {
        None => bytes,
        Some(last) if bytes.is_empty() => last,
        Some(last) => [bytes, last].concat().into(),
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // What was generated until the client left is known, so it is told.
        self.settle(Outcome::Canceled, Ending::ClientGone);
    }
}
