//! When is it time? A timer that is set again only when it must be.
//!
//! # Invariants
//! - It never goes off after the time that it was asked for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use scoring::time::Time;
use tokio::time::{Sleep, sleep_until};

use crate::clock;

/// A timer, and when it goes off.
pub(super) struct Timer {
    at: Time,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(super) fn new(at: Time) -> Self {
        let sleep = Box::pin(sleep_until(clock::instant_at(at)));
        Self { at, sleep }
    }

    /// Ready when it goes off. It is set anew if `until` is earlier; if it is later, it goes off early and is set then.
    pub(super) fn poll(&mut self, until: Time, cx: &mut Context<'_>) -> Poll<()> {
        if until < self.at || self.sleep.is_elapsed() {
            self.at = until;
            self.sleep.as_mut().reset(clock::instant_at(until));
        }
        self.sleep.as_mut().poll(cx)
    }
}
