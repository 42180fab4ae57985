//! Who is connected to this worker, since when, and doing what?
//!
//! A connection that waits for its client too long is closed from here, so no timer is set for a request.
//!
//! # Invariants
//! - A connection with a request in flight is closed only if its client takes nothing of what it is sent for [`STALL`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::Waker;

use scoring::time::{Span, Time};

use crate::clock;

/// Whether a client takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// As far as is known.
    Yes,
    /// A piece was handed over, and no more has been asked for since.
    Owing,
    /// The same, noticed at this time.
    OwingSince(Time),
}

/// How long a client may take none of what it is sent before its request is given up: a phone in a tunnel comes back sooner,
/// and a stalled reader holds the provider's stream and its own memory for no longer.
const STALL: Span = Span::from_secs(60);

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Presence {
    /// Requests in flight.
    busy: Cell<u32>,
    /// Since when there is none; noted by the sweep, so that no request looks at the clock for it.
    idle_since: Cell<Option<Time>>,
    /// Whether a request was ever served.
    served: Cell<bool>,
    /// Whether the connection has waited too long.
    expired: Cell<bool>,
    /// What is known of a client that has stopped reading.
    reading: Cell<Reading>,
    waker: RefCell<Option<Waker>>,
}

impl Presence {
    /// Notes that a request is in flight until the returned value is dropped.
    pub(super) fn work(self: &Rc<Self>) -> Working {
        self.busy.set(self.busy.get() + 1);
        self.idle_since.set(None);
        Working(Rc::clone(self))
    }

    /// Whether the connection has waited too long and is to be closed.
    pub(super) fn is_expired(&self) -> bool {
        self.expired.get()
    }

    /// Notes that a piece of a response was handed over.
    pub(super) fn handed_over(&self) {
        self.reading.set(Reading::Owing);
    }

    /// Notes that the client's connection asks for more.
    pub(super) fn asked_for_more(&self) {
        self.reading.set(Reading::Yes);
    }

    /// Whether the connection waits for its client, and for how long at most.
    fn has_waited(&self, now: Time, head: Span, idle: Span) -> bool {
        if self.busy.get() > 0 {
            return match self.reading.get() {
                Reading::Yes => false,
                Reading::Owing => {
                    self.reading.set(Reading::OwingSince(now));
                    false
                }
                Reading::OwingSince(since) => now.since(since) > STALL,
            };
        }
        let limit = if self.served.get() { idle } else { head };
        let since = self.idle_since.get().unwrap_or(now);
        self.idle_since.set(Some(since));
        now.since(since) > limit
    }

    /// Says whom to wake when something is to be noticed.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut mine = self.waker.borrow_mut();
        if !mine.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *mine = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Working(Rc<Presence>);

impl Working {
    /// The connection's state.
    pub(super) fn presence(&self) -> &Presence {
        &self.0
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let busy = self.0.busy.get().saturating_sub(1);
        self.0.busy.set(busy);
        self.0.served.set(true);
        self.0.reading.set(Reading::Yes);
    }
}

/// The connections of one worker.
#[derive(Debug, Default)]
pub(super) struct Roster {
    present: RefCell<HashMap<u64, Rc<Presence>>>,
    next: Cell<u64>,
    draining: Cell<bool>,
}

/// A place in the roster, given up when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Rc<Roster>,
    number: u64,
    /// The connection's state.
    pub(super) presence: Rc<Presence>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.present.borrow_mut().remove(&self.number);
    }
}

impl Roster {
    /// Takes a new connection in.
    pub(super) fn join(self: &Rc<Self>) -> Seat {
        let number = self.next.get();
        self.next.set(number + 1);
        let presence = Rc::new(Presence {
            busy: Cell::new(0),
            idle_since: Cell::new(Some(clock::now())),
            served: Cell::new(false),
            expired: Cell::new(false),
            reading: Cell::new(Reading::Yes),
            waker: RefCell::new(None),
        });
        self.present
            .borrow_mut()
            .insert(number, Rc::clone(&presence));
        Seat {
            roster: Rc::clone(self),
            number,
            presence,
        }
    }

    /// Whether the worker is shutting down.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Tells every connection that the worker is shutting down.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        for presence in self.present.borrow().values() {
            presence.wake();
        }
    }

    /// Whether nobody is connected.
    pub(super) fn is_empty(&self) -> bool {
        self.present.borrow().is_empty()
    }

    /// Marks connections that have waited too long: `head` for those that never sent a request, `idle` for the others.
    pub(super) fn sweep(&self, head: Span, idle: Span) {
        let now = clock::now();
        for presence in self.present.borrow().values() {
            if presence.has_waited(now, head, idle) {
                presence.expired.set(true);
                presence.wake();
            }
        }
    }
}
