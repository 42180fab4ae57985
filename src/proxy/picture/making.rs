//! A job under way at a vendor, and how it is taken leave of.
//!
//! # Invariants
//! - A job that is dropped before its end is cancelled, where the vendor can be told; a submission under way is heard to its end for that.
//! - Taking leave is bounded in time, and in number by the worker.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use scoring::time::Time;

use super::super::worker::Worker;
use super::studio::Studio;
use crate::clock;
use crate::images::{Call, Heard, Job, PICTURE_BYTES};
use crate::upstream::{self, Fault};

/// Largest answer of an error that is read, bytes; honest ones are below 4 KiB.
const MAX_ERROR: usize = 64 * 1024;

/// Largest other answer, bytes: a picture in base64.
const MAX_ANSWER: usize = PICTURE_BYTES / 3 * 4;

/// A vendor's whole answer.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
pub(super) enum Lost {
    Fault(Fault),
    TooLarge,
    /// The call leads to a host that is not called.
    Nowhere,
}

type Pending = Pin<Box<dyn Future<Output = Result<Answered, Lost>>>>;

/// A job under way.
pub(super) struct Making {
    pub(super) job: Job,
    worker: Rc<Worker>,
    studio: Arc<Studio>,
    /// The call under way.
    pending: Option<Pending>,
}

impl Making {
    pub(super) fn new(job: Job, worker: Rc<Worker>, studio: Arc<Studio>) -> Self {
        Self {
            job,
            worker,
            studio,
            pending: None,
        }
    }

    /// Begins a call; `sent` is told when a live connection takes it.
    pub(super) fn call(&mut self, call: Call, sent: Rc<Cell<Option<Time>>>) {
        let (worker, studio) = (Rc::clone(&self.worker), Arc::clone(&self.studio));
        self.pending = Some(Box::pin(carry(worker, studio, call, sent)));
    }

    /// The answer to the call under way; dropping this does not end the call.
    pub(super) async fn answered(&mut self) -> Result<Answered, Lost> {
        let Some(pending) = &mut self.pending else {
            return Err(Lost::Nowhere);
        };
        let answered = pending.await;
        self.pending = None;
        answered
    }

    /// Ends the call under way.
    pub(super) fn hang_up(&mut self) {
        self.pending = None;
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let pending = self.pending.take();
        if let Some(submission) = pending.filter(|_| self.job.is_worth_hearing()) {
            let mut job = self.job.clone();
            let (worker, studio) = (Rc::clone(&self.worker), Arc::clone(&self.studio));
            self.worker.farewell(async move {
                let Ok(answered) = submission.await else {
                    return;
                };
                job.answered(&Heard {
                    status: answered.status,
                    headers: &answered.headers,
                    body: &answered.body,
                    unix: clock::unix(),
                    jitter: 0.0,
                });
                if let Some(call) = job.cancel() {
                    tell(worker, studio, call).await;
                }
            });
        } else if let Some(call) = self.job.cancel() {
            let (worker, studio) = (Rc::clone(&self.worker), Arc::clone(&self.studio));
            self.worker.farewell(tell(worker, studio, call));
        }
    }
}

/// Makes a call whose answer changes nothing.
async fn tell(worker: Rc<Worker>, studio: Arc<Studio>, call: Call) {
    let url = call.url.to_string();
    match carry(worker, studio, call, Rc::default()).await {
        Ok(answered) => {
            let status = answered.status.as_u16();
            tracing::debug!(url, status, "a job at a vendor of images was cancelled");
        }
        Err(_) => tracing::debug!(url, "a job at a vendor of images could not be cancelled"),
    }
}

/// Carries a call there and its whole answer back.
async fn carry(
    worker: Rc<Worker>,
    studio: Arc<Studio>,
    call: Call,
    sent: Rc<Cell<Option<Time>>>,
) -> Result<Answered, Lost> {
    let origins = &worker.shared.lasting.origins;
    let origin = studio.origin(&call.url, origins).ok_or(Lost::Nowhere)?;
    let request = studio.request(call).ok_or(Lost::Nowhere)?;
    let told = |at| sent.set(Some(at));
    let response = upstream::send(&worker.pools, &origin, request, clock::now(), told).await;
    let upstream::Response { head, mut body, .. } = response.map_err(Lost::Fault)?;
    let is_success = head.status.is_success();
    let most = if is_success { MAX_ANSWER } else { MAX_ERROR };
    match whole(&mut body, most).await {
        // An error is told by its status, whatever its words.
        Err(Lost::TooLarge) if !is_success => Ok(Bytes::new()),
        read => read,
    }
    .map(|body| Answered {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// Reads a body to its end.
async fn whole(body: &mut upstream::Body, most: usize) -> Result<Bytes, Lost> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(Lost::Fault)?;
        if first.len() + joined.len() + piece.len() > most {
            return Err(Lost::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}
