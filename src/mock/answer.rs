//! The body of a response: whole at once, or step by step as its script says.
//!
//! A body that breaks returns an error, upon which hyper drops the connection;
//! whether the peer then sees a reset or a plain close is told through the connection's [`Link`].
//!
//! # Invariants
//! - A whole body uses no timer and no allocation.
//! - Pauses are counted from when the previous step was due, so that a paced stream does not drift.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::{error, fmt};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use scoring::time::{Span, Time};
use tokio::time::{Sleep, sleep_until};

use super::ledger::End;
use super::state::Witness;
use super::stream::{Act, Events, Step};
use crate::clock;

/// Why a connection is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A fault said so.
    ByFault,
    /// The client did not finish its request.
    ByClient,
}

/// The way from a request's handler to its connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    reset: Cell<bool>,
}

/// The body of a response.
#[derive(Debug)]
pub(super) enum Answer {
    Whole(Option<Bytes>),
    Paced(Box<Paced>),
}

/// A body that is sent step by step.
#[derive(Debug)]
pub(super) struct Paced {
    source: Source,
    /// The step under way, once its pause has begun.
    held: Option<Step>,
    /// When the last step was due.
    due: Time,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Bytes still to come, where a length is told.
    left: Option<u64>,
    link: Rc<Link>,
    /// The attempt, and how it ends if the body does as it should.
    witness: Option<(Witness, End)>,
}

/// Where a body's steps come from.
#[derive(Debug)]
pub(super) enum Source {
    Events(Box<Events>),
    /// Ready steps; if the last one sends, it is repeated for ever.
    Steps(VecDeque<Step>),
}

impl Link {
    /// Has the connection reset, not closed, when it is dropped next.
    pub(super) fn reset(&self) {
        self.reset.set(true);
    }

    /// Whether the connection is to be reset.
    pub(super) fn is_reset(&self) -> bool {
        self.reset.get()
    }
}

impl Answer {
    /// A body that is ready.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// A body sent step by step from now on, which ends its attempt with `end` if it comes to its own end.
    pub(super) fn paced(
        source: Source,
        length: Option<u64>,
        link: Rc<Link>,
        witness: (Witness, End),
    ) -> Self {
        let witness = Some(witness);
        Self::Paced(Box::new(Paced {
            source,
            held: None,
            due: clock::now(),
            sleep: None,
            left: length,
            link,
            witness,
        }))
    }
}

impl Paced {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.witness.is_none() {
            return Poll::Ready(None);
        }
        let step = match self.held.take() {
            Some(step) => step,
            None => self.begin_step(),
        };
        if let Some(sleep) = &mut self.sleep
            && step.wait > Span::ZERO
            && sleep.as_mut().poll(context).is_pending()
        {
            self.held = Some(step);
            return Poll::Pending;
        }
        match step.act {
            Act::Send(bytes) => {
                if let Some((witness, _)) = self.witness.as_mut().filter(|_| step.tokens > 0) {
                    witness.sent(step.tokens);
                }
                self.left = self
                    .left
                    .map(|left| left.saturating_sub(bytes.len() as u64));
                if self.left == Some(0) {
                    // Why: nobody asks for more once the told length is reached.
                    self.finish();
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Act::End => {
                self.finish();
                Poll::Ready(None)
            }
            Act::Reset | Act::Close => {
                if step.act == Act::Reset {
                    self.link.reset();
                }
                if let Some((witness, _)) = self.witness.take() {
                    witness.end(End::Faulted);
                }
                Poll::Ready(Some(Err(Broken::ByFault)))
            }
        }
    }

    /// Ends the attempt as a body that came to its end.
    fn finish(&mut self) {
        if let Some((witness, end)) = self.witness.take() {
            witness.end(end);
        }
    }

    /// Takes the next step and sets the timer of its pause.
    fn begin_step(&mut self) -> Step {
        let step = self.source.next();
        if step.wait > Span::ZERO {
            self.due = self.due.plus(step.wait);
            let at = clock::instant_at(self.due);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => self.sleep = Some(Box::pin(sleep_until(at))),
            }
        }
        step
    }
}

impl Source {
    fn next(&mut self) -> Step {
        match self {
            Self::Events(events) => events.next(),
            Self::Steps(steps) => {
                if let (1, Some(last)) = (steps.len(), steps.front())
                    && matches!(last.act, Act::Send(_))
                {
                    return last.clone();
                }
                steps.pop_front().unwrap_or(Step::end(Span::ZERO, Act::End))
            }
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Paced(paced) => paced.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Paced(paced) => paced.witness.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            Self::Paced(paced) => paced.left.map_or(SizeHint::new(), SizeHint::with_exact),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByFault => "broken off by a scripted fault",
            Self::ByClient => "the client did not finish its request",
        })
    }
}

impl error::Error for Broken {}
