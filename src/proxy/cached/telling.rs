//! How is an answer told that no provider was asked for?
//!
//! # Invariants
//! - In the manner in which it was first told it is the same, byte for byte.
//! - A stream that follows another breaks off where that one does, with an error event, and never ends cleanly for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use super::super::back;
use super::super::body::Body;
use super::super::life::Life;
use super::super::payment;
use super::super::plan::Plan;
use super::super::relay::Broken;
use super::super::respond;
use super::Status;
use super::question;
use crate::cache::{Entry, Follower, Manner, Next};
use crate::clock;
use crate::dialects::failure::Failure;
use crate::dialects::meeting::Frame;
use crate::dialects::replay::{self, Form, Told};
use crate::observe::metrics::Ending;
use bytes::Bytes;
use http::header::{AGE, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

/// An answer of the cache's.
#[derive(Debug)]
pub(in super::super) struct Telling {
    content_type: HeaderValue,
    what: What,
}

#[derive(Debug)]
enum What {
    Whole(Bytes),
    Stream(Bytes),
    Following(Follower),
}

impl Telling {
    fn new(content_type: &str, what: What) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self {
            content_type: HeaderValue::from_str(content_type).unwrap_or(json),
            what,
        }
    }

    /// What another request has just been answered.
    pub(super) fn whole(content_type: &str, bytes: Bytes) -> Self {
        Self::new(content_type, What::Whole(bytes))
    }

    /// What another request is being answered.
    pub(super) fn following(content_type: &str, follower: Follower) -> Self {
        Self::new(content_type, What::Following(follower))
    }

    /// What is kept, as this request wants to be told; none if that cannot be.
    pub(super) fn of(
        life: &mut Life,
        plan: &Plan<'_>,
        entry: &Entry,
        manner: Manner,
    ) -> Option<Self> {
        let bytes = if entry.manner == manner {
            entry.bytes.clone()
        } else {
            retold(life, plan, entry, manner)?
        };
        let content_type = match question::form(manner) {
            _ if entry.manner == manner => &*entry.content_type,
            Form::Stream => "text/event-stream",
            Form::Whole | Form::Listed => "application/json",
        };
        let what = if manner.streamed {
            What::Stream(bytes)
        } else {
            What::Whole(bytes)
        };
        (life.input_tokens, life.output_tokens) = entry.tokens;
        life.saved = Some((entry.cost, entry.tokens));
        payment::from_cache(life, entry.tokens);
        let now_ms = clock::unix_micros() / 1_000;
        life.hit = Some((entry.id, entry.age_s(now_ms)));
        Some(Self::new(content_type, what))
    }

    /// The response.
    pub(in super::super) fn respond(self, mut life: Life) -> Response<Body> {
        let now = clock::now();
        let mut headers = respond::head(&mut life, now);
        if let (Some((_, age_s)), true) = (life.hit, life.cache != Status::Untold) {
            headers.insert(AGE, HeaderValue::from(age_s));
        }
        if !matches!(self.what, What::Whole(_)) {
            respond::is_stream(&mut headers);
        }
        headers.insert(CONTENT_TYPE, self.content_type);
        let pace = life.serving.config.cache.pace;
        let body = match self.what {
            What::Following(follower) => Body::Follow(Box::new(Follow::new(life, follower))),
            What::Stream(bytes) if !pace.is_zero() => {
                life.says(&bytes);
                life.end(Ending::Ok, 200, now);
                Body::Paced(Box::new(Paced::new(&bytes, pace)))
            }
            What::Whole(bytes) | What::Stream(bytes) => {
                life.says(&bytes);
                life.end(Ending::Ok, 200, now);
                Body::from(bytes)
            }
        };
        respond::finish(StatusCode::OK, headers, body)
    }
}

fn retold(life: &Life, plan: &Plan<'_>, entry: &Entry, manner: Manner) -> Option<Bytes> {
    let told = Told {
        format: question::endpoint(entry.manner).format(),
        form: question::form(entry.manner),
        bytes: &entry.bytes,
    };
    let to = (question::endpoint(manner).format(), question::form(manner));
    let frame = Frame {
        input_estimate: entry.tokens.0.into(),
        ..back::frame(life, plan)
    };
    replay::retell(&told, to, &frame, &plan.asked.body).ok()
}

/// A stream that is told again, event by event.
pub struct Paced {
    pieces: vec::IntoIter<Bytes>,
    pace: Duration,
    timer: Pin<Box<tokio::time::Sleep>>,
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").finish_non_exhaustive()
    }
}

impl Paced {
    fn new(bytes: &Bytes, pace: Duration) -> Self {
        Self {
            pieces: replay::pieces(bytes).into_iter(),
            pace,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// The next event, when it is time for it.
    pub(in super::super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.pieces.as_slice().is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.timer.as_mut().poll(cx));
        let until = self.timer.deadline() + self.pace;
        self.timer.as_mut().reset(until);
        Poll::Ready(self.pieces.next())
    }
}

type Coming = Pin<Box<dyn Future<Output = (Follower, Next)>>>;

/// A stream that gets what another request gets.
pub struct Follow {
    life: Life,
    coming: Option<Coming>,
    follower: Option<Follower>,
    end: End,
}

/// How far a stream that follows is from its end.
enum End {
    /// It goes on.
    Open,
    /// The error event was handed over; it is flushed before the transfer is broken off.
    Told,
    /// The transfer is broken off.
    Broken,
    /// It is over.
    Over,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").finish_non_exhaustive()
    }
}

impl Follow {
    fn new(life: Life, follower: Follower) -> Self {
        Self {
            life,
            coming: None,
            follower: Some(follower),
            end: End::Open,
        }
    }

    /// The next bytes for the client.
    pub(in super::super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        match self.end {
            End::Open => {}
            End::Told => {
                self.end = End::Broken;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            End::Broken => {
                self.end = End::Over;
                return Poll::Ready(Some(Err(Broken)));
            }
            End::Over => return Poll::Ready(None),
        }
        if let Some(mut follower) = self.follower.take() {
            self.coming = Some(Box::pin(async move {
                let next = follower.next().await;
                (follower, next)
            }));
        }
        let Some(coming) = &mut self.coming else {
            return Poll::Ready(None);
        };
        let (follower, next) = ready!(coming.as_mut().poll(cx));
        self.coming = None;
        let payer = self.life.payer.as_ref();
        let stands = payer.is_none_or(|payer| payer.standing.stands());
        match next {
            Next::Piece(_) if !stands => {
                let message = "the API key has expired or was revoked";
                Poll::Ready(Some(Ok(self.breaks(Failure::Unauthorized, message))))
            }
            Next::Piece(piece) => {
                self.life.says(&piece);
                self.follower = Some(follower);
                Poll::Ready(Some(Ok(piece)))
            }
            Next::End => {
                self.end = End::Over;
                self.life.end(Ending::Ok, 200, clock::now());
                Poll::Ready(None)
            }
            Next::Broken => {
                let message = "the stream that this one follows broke off";
                Poll::Ready(Some(Ok(self.breaks(Failure::Upstream, message))))
            }
        }
    }

    /// The event that tells why it breaks off.
    fn breaks(&mut self, failure: Failure, message: &str) -> Bytes {
        self.end = End::Told;
        let ending = match failure {
            Failure::Unauthorized => Ending::ClientError,
            _ => Ending::UpstreamError,
        };
        self.life.end(ending, 200, clock::now());
        let id = self.life.id.text();
        self.life.format.error_event(failure, message, id)
    }
}
