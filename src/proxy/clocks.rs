//! Waits for a provider, but not past the clock that is running.
//!
//! One timer an attempt: it is set for whichever comes first, the overdue notice or the deadline, and only once the wait is real.
//!
//! # Invariants
//! - No timer is registered for a wait that ends at its first poll.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use scoring::time::Time;
use tokio::time::{Sleep, sleep_until};

use super::flight::Flight;
use crate::clock;
use crate::config::Timeouts;
use crate::dialects::format::Endpoint;

/// How long a provider may be silent that makes a picture within its answer: the slowest models take two minutes.
const PATIENCE: Duration = Duration::from_secs(180);

/// The least that a clock may be while a picture is made.
pub(super) fn patient(clock: Duration) -> Duration {
    clock.max(PATIENCE)
}

/// The clocks of a request: those of its model, but silence is no sign of illness while a picture is made.
pub(super) fn of(clocks: Timeouts, endpoint: Endpoint) -> Timeouts {
    if !endpoint.is_picture() {
        return clocks;
    }
    Timeouts {
        head: patient(clocks.head),
        first_token: patient(clocks.first_token),
        between_tokens: patient(clocks.between_tokens),
        ..clocks
    }
}

/// The running clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired;

/// Waits for `future` until `deadline`, which may move while it is waited for; tells scoring when the attempt is overdue.
pub(super) async fn within<F: Future>(
    flight: &mut Flight,
    deadline: impl Fn() -> Time,
    future: F,
) -> Result<F::Output, Expired> {
    let mut future = pin!(future);
    let mut timer = pin!(None::<Sleep>);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        loop {
            let at = clock::instant_at(next(flight, deadline()));
            match timer.as_mut().as_pin_mut() {
                None => timer.set(Some(sleep_until(at))),
                Some(running) if running.deadline() != at => running.reset(at),
                Some(_) => {}
            }
            let Some(running) = timer.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            if running.poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = clock::now();
            if flight.overdue_at().is_some_and(|at| at <= now) {
                flight.overdue(now);
            }
            if deadline() <= now {
                return Poll::Ready(Err(Expired));
            }
        }
    })
    .await
}

fn next(flight: &Flight, deadline: Time) -> Time {
    match flight.overdue_at() {
        Some(overdue) => overdue.min(deadline),
        None => deadline,
    }
}

/// The earlier of two times, where there are any.
pub(super) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
