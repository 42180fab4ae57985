//! Tells a client that asked for a stream how far its pictures are, while they are made.
//!
//! The answer begins when a vendor has taken the job on, or when the client has heard nothing for a while; it holds comments only until the pictures are there.
//! So an attempt that fails meanwhile can still be followed by another, here as anywhere.
//!
//! # Invariants
//! - Before the pictures come comments only, and one at a time is kept: a slow client is told the newest.
//! - A failure after the answer's beginning is an error event and a broken transfer, never a clean end.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use scoring::time::{Span, Time};

use super::super::body::Body;
use super::super::chain::{self, Answer};
use super::super::life::Life;
use super::super::relay::{Broken, Relay};
use super::super::respond::{self, Failed};
use super::super::{Asked, plan};
use crate::clock;
use crate::dialects::failure::Failure;
use crate::images::{Progress, answer};
use crate::observe::metrics::Ending;

/// How long the client hears nothing before it is told that its pictures are being made: below the minute after which load balancers give up.
const SILENCE: Span = Span::from_secs(15);

/// What the client is told while it waits.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Ticker {
    headers: RefCell<Option<HeaderMap>>,
    comment: RefCell<Option<Bytes>>,
    /// When something was told last; none before the answer's beginning.
    told: Cell<Option<Time>>,
}

impl Ticker {
    /// Tells how far the pictures are; the first time begins the answer.
    pub(super) fn tell(&self, life: &mut Life, progress: Option<Progress>) {
        let now = clock::now();
        if self.told.replace(Some(now)).is_none() {
            let mut headers = respond::head(life, now);
            respond::is_stream(&mut headers);
            self.headers.replace(Some(headers));
        }
        self.comment.replace(Some(answer::progress(progress)));
    }

    /// When something is to be told next; `began` is when the request did.
    pub(super) fn due(&self, began: Time) -> Time {
        self.told.get().unwrap_or(began).plus(SILENCE)
    }
}

type Course = Pin<Box<dyn Future<Output = (Life, Answer)>>>;

/// Serves a request for a stream of pictures.
pub(in crate::proxy) async fn run(life: Life, asked: Asked) -> Response<Body> {
    let ticker = Rc::new(Ticker::default());
    let mut course = begin(life, asked, Rc::clone(&ticker));
    let over = std::future::poll_fn(|cx| match course.as_mut().poll(cx) {
        Poll::Ready(over) => Poll::Ready(Some(over)),
        Poll::Pending if ticker.told.get().is_some() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match over.await {
        Some((life, answer)) => respond::answer(life, answer, None),
        None => {
            let headers = ticker.headers.take().unwrap_or_default();
            let phase = Phase::Making(course);
            let body = Body::Reel(Box::new(Reel { ticker, phase }));
            respond::finish(StatusCode::OK, headers, body)
        }
    }
}

fn begin(mut life: Life, asked: Asked, ticker: Rc<Ticker>) -> Course {
    Box::pin(async move {
        let answer = match plan::plan(&mut life, &asked) {
            Ok(mut plan) => {
                plan.ticker = Some(ticker);
                chain::run(&mut life, &plan).await
            }
            Err(stop) => Answer::Failed(stop.refusal()),
        };
        (life, answer)
    })
}

/// Comments, then pictures.
pub struct Reel {
    ticker: Rc<Ticker>,
    phase: Phase,
}

enum Phase {
    Making(Course),
    Pictures(answer::Body),
    /// A provider of the client's own words streams the pictures.
    Relayed(Box<Relay>),
    /// These bytes come last, before the transfer is broken off.
    Last(Bytes),
    /// The error event has been handed over; it is flushed before the transfer is broken off.
    Flushing,
    Broken,
}

impl std::fmt::Debug for Reel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reel").finish_non_exhaustive()
    }
}

impl Reel {
    /// The next bytes for the client.
    pub(in crate::proxy) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match &mut self.phase {
                Phase::Making(course) => {
                    if let Some(comment) = self.ticker.comment.take() {
                        return Poll::Ready(Some(Ok(comment)));
                    }
                    match course.as_mut().poll(cx) {
                        Poll::Ready((life, answer)) => self.phase = Phase::after(life, answer),
                        Poll::Pending => match self.ticker.comment.take() {
                            Some(comment) => return Poll::Ready(Some(Ok(comment))),
                            None => return Poll::Pending,
                        },
                    }
                }
                Phase::Pictures(pieces) => return Poll::Ready(pieces.next().map(Ok)),
                Phase::Relayed(relay) => return Poll::Ready(ready!(relay.poll_next(cx))),
                Phase::Last(last) => {
                    let last = std::mem::take(last);
                    self.phase = Phase::Flushing;
                    return Poll::Ready(Some(Ok(last)));
                }
                Phase::Flushing => {
                    self.phase = Phase::Broken;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Phase::Broken => return Poll::Ready(Some(Err(Broken))),
            }
        }
    }
}

impl Phase {
    fn after(mut life: Life, answer: Answer) -> Self {
        let failed = match answer {
            Answer::Picture(pieces) => {
                life.end(Ending::Ok, 200, clock::now());
                return Self::Pictures(*pieces);
            }
            Answer::Stream(opened) => {
                return Self::Relayed(Box::new(Relay::new(life, *opened, None)));
            }
            Answer::Failed(failed) => *failed,
            Answer::Whole(_) => {
                Failed::local(Failure::Upstream, "the provider's answer is not a stream")
            }
        };
        let event = failed.event(&life);
        life.end(failed.ending(), 200, clock::now());
        Self::Last(event)
    }
}
