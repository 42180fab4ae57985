//! What becomes of a stream whose client leaves while others follow it?
//!
//! It is brought to its end, for them: they have asked for the same and wait for nobody else.
//!
//! # Invariants
//! - A stream that nobody follows ends with its client, at once.
//! - One that is carried on ends when the last follower leaves.

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::super::relay::{Broken, Relay};

/// A stream on its way to its client.
pub struct Carried(Option<Box<Relay>>);

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Carried").field(&self.0).finish()
    }
}

impl Carried {
    pub(in super::super) fn new(relay: Relay) -> Self {
        Self(Some(Box::new(relay)))
    }

    /// The next bytes for the client.
    pub(in super::super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        match &mut self.0 {
            Some(relay) => relay.poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let Some(mut relay) = self.0.take().filter(|relay| relay.is_followed()) else {
            return;
        };
        let Some(worker) = relay.worker().map(Rc::clone) else {
            return;
        };
        worker.carry_on(async move {
            while relay.is_followed() {
                match poll_fn(|cx| relay.poll_next(cx)).await {
                    Some(Ok(_)) => {}
                    Some(Err(Broken)) | None => break,
                }
            }
        });
    }
}
