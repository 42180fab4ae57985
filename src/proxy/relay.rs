//! Carries a stream to the client while a tap reads usage and timing.
//!
//! # Invariants
//! - A stream that breaks off ends with an error event and a broken transfer, never with a clean end.
//! - The end of the request is counted as soon as the end marker has been seen: a client that leaves then has had its answer.
//! - No timer is reset for a piece of the stream; a timer that goes off early is set again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use scoring::outcome::Outcome;
use scoring::time::{Span, Time};
use tokio::time::{Sleep, sleep_until};

use super::attempt::Exchange;
use super::flight::Landing;
use super::life::Life;
use super::opening::Opened;
use crate::clock;
use crate::dialects::openai::error::{self, Failure};
use crate::dialects::openai::tap::{DONE_EVENT, Passed, Tap};
use crate::observe::metrics::Ending;
use crate::upstream;

/// How long the provider's transfer may take to end after the end marker, so that its connection can be used again.
const LINGER: Span = Span::from_millis(100);

/// The transfer to the client is broken off on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the stream broke off")]
pub struct Broken;

/// A stream on its way to the client.
pub struct Relay {
    life: Life,
    exchange: Exchange,
    body: upstream::Body,
    tap: Tap,
    phase: Phase,
    /// When the last content token came.
    progress: Time,
    timer: Option<Pin<Box<Sleep>>>,
}

enum Phase {
    /// These bytes come first.
    Held(Bytes),
    /// Bytes come from the provider.
    Flowing,
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
            .field("tap", &self.tap)
            .finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(life: Life, opened: Opened) -> Self {
        let mut relay = Self {
            life,
            exchange: opened.exchange,
            body: opened.body,
            tap: opened.tap,
            phase: Phase::Held(opened.held),
            progress: clock::now(),
            timer: None,
        };
        if relay.tap.done {
            relay.settle(Outcome::Success, Ending::Ok);
        }
        relay
    }

    /// The next bytes for the client.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match &mut self.phase {
                Phase::Held(held) => {
                    let held = std::mem::take(held);
                    self.phase = Phase::Flowing;
                    if !held.is_empty() {
                        return Poll::Ready(Some(Ok(held)));
                    }
                }
                Phase::Flowing => {
                    if let Some(bytes) = ready!(self.flow(cx)) {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
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
        match self.body.poll_data(cx) {
            Poll::Ready(Some(Ok(bytes))) => match self.tap.pass(bytes) {
                Ok(passed) => Poll::Ready(self.passed(passed)),
                Err(error) => Poll::Ready(self.break_off(&error.to_string(), Failure::Upstream)),
            },
            Poll::Ready(Some(Err(fault))) => Poll::Ready(self.at_end(Some(&fault.to_string()))),
            Poll::Ready(None) => {
                let rest = self.tap.rest();
                let passed = self.passed(rest);
                if passed.is_some() || !matches!(self.phase, Phase::Flowing) {
                    return Poll::Ready(passed);
                }
                Poll::Ready(self.at_end(None))
            }
            Poll::Pending => {
                ready!(self.poll_timer(cx));
                let message = "the provider's stream came to a halt";
                if self.tap.finished || self.tap.done {
                    return Poll::Ready(self.at_end(None));
                }
                Poll::Ready(self.break_off(message, Failure::Timeout))
            }
        }
    }

    fn passed(&mut self, passed: Passed) -> Option<Bytes> {
        if passed.content {
            self.progress = clock::now();
        }
        if passed.error.is_some() {
            self.settle(Outcome::Truncated, Ending::UpstreamError);
            self.phase = Phase::Flushing;
        } else if self.tap.done {
            self.settle(Outcome::Success, Ending::Ok);
        }
        (!passed.bytes.is_empty()).then_some(passed.bytes)
    }

    /// The provider's transfer is over. `Some(message)` if it did not end properly.
    fn at_end(&mut self, broken: Option<&str>) -> Option<Bytes> {
        if self.tap.done {
            self.phase = Phase::Ended;
            return None;
        }
        if self.tap.finished {
            self.settle(Outcome::Success, Ending::Ok);
            self.phase = Phase::Ended;
            return Some(Bytes::from_static(DONE_EVENT));
        }
        let message =
            broken.unwrap_or("the provider's stream ended before the answer was complete");
        self.break_off(message, Failure::Upstream)
    }

    /// Tells the client that its answer is not complete; the transfer is broken off next.
    fn break_off(&mut self, message: &str, failure: Failure) -> Option<Bytes> {
        self.settle(Outcome::Truncated, Ending::UpstreamError);
        self.phase = Phase::Flushing;
        Some(error::event(failure, message))
    }

    /// Counts the end of attempt and request. Only the first call counts.
    fn settle(&mut self, outcome: Outcome, ending: Ending) {
        let now = clock::now();
        let landing = Landing {
            usage: self.usage(),
            ..outcome.into()
        };
        self.exchange.flight.land(landing, now);
        self.life.outcome = Some(outcome);
        self.life.input_tokens = self.tap.usage.input.unwrap_or(self.life.input_tokens);
        self.life.output_tokens = self.tap.output_tokens();
        self.life.end(ending, 200, now);
    }

    fn usage(&self) -> crate::dialects::openai::response::Usage {
        crate::dialects::openai::response::Usage {
            output: Some(self.tap.output_tokens()),
            ..self.tap.usage
        }
    }

    /// Ready when the running clock has run out.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let until = self.deadline();
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(clock::instant_at(until))));
            // A shorter clock may have begun to run; a longer one is looked at when the timer goes off.
            let at = clock::instant_at(until);
            if at < timer.deadline() {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
            if until <= clock::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }

    fn deadline(&self) -> Time {
        let patience = if self.tap.done {
            LINGER
        } else if self.tap.finished {
            self.exchange.clocks.tail.into()
        } else {
            self.exchange.clocks.between_tokens.into()
        };
        self.progress.plus(patience).min(self.exchange.total)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // What was generated until the client left is known, so it is told.
        self.settle(Outcome::Canceled, Ending::ClientGone);
    }
}
