//! Which connections are free?
//!
//! One [`Pools`] a worker. HTTP/1.1 connections are kept last-in first-out, so a falling load lets the oldest go idle and be closed.
//!
//! # Invariants
//! - A connection older in idleness than the origin allows is closed, never used: the provider may be closing it at this moment.
//! - At most [`MAX_IDLE`] idle connections are kept for an origin.

use std::cell::RefCell;
use std::rc::Rc;

use scoring::time::{Span, Time};

use super::connect::{self, Fresh};
use super::exchange::Fault;
use super::h1::H1;
use super::h2::{H2, Place};
use super::origin::Origin;
use super::resolve::Names;
use crate::clock;

/// Idle connections kept for one origin by one worker.
const MAX_IDLE: usize = 512;

struct Idle {
    connection: H1,
    since: Time,
}

/// The connections of one worker to one origin.
#[derive(Default)]
pub(super) struct Pool {
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<H2>>,
    longest_idle: std::cell::Cell<Span>,
}

/// What a request was given to send itself on.
pub(super) enum Lease {
    /// A connection of its own, and whether it has served before.
    H1 { connection: H1, reused: bool },
    /// A place on a shared connection.
    H2 { connection: H2, place: Place },
}

/// All connections of one worker.
#[derive(Default)]
pub struct Pools {
    by_slot: RefCell<Vec<Option<Rc<Pool>>>>,
    names: Names,
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pools")
            .field("origins", &self.by_slot.borrow().len())
            .finish_non_exhaustive()
    }
}

impl Pools {
    /// The pool for `origin`.
    pub(super) fn of(&self, origin: &Origin) -> Rc<Pool> {
        let mut by_slot = self.by_slot.borrow_mut();
        if by_slot.len() <= origin.slot {
            by_slot.resize_with(origin.slot + 1, || None);
        }
        let pool = by_slot[origin.slot].get_or_insert_with(Rc::default);
        pool.longest_idle.set(origin.transport.idle.into());
        Rc::clone(pool)
    }

    /// A connection to `origin`: a free one, else a new one.
    pub(super) async fn lease(
        &self,
        pool: &Pool,
        origin: &Origin,
        now: Time,
    ) -> Result<Lease, Fault> {
        if let Some(lease) = pool.free(now) {
            return Ok(lease);
        }
        self.fresh(pool, origin).await
    }

    /// A new connection to `origin`, whatever is free.
    pub(super) async fn fresh(&self, pool: &Pool, origin: &Origin) -> Result<Lease, Fault> {
        // Boxed: it is rare, and larger than all the rest of a request's future.
        match Box::pin(connect::open(origin, &self.names)).await? {
            Fresh::H1(connection) => Ok(Lease::H1 {
                connection,
                reused: false,
            }),
            Fresh::H2(connection) => {
                let place = connection
                    .place()
                    .ok_or_else(|| Fault::Unreachable("peer allows no streams".to_owned()))?;
                pool.shared.borrow_mut().push(connection.clone());
                Ok(Lease::H2 { connection, place })
            }
        }
    }

    /// Closes what has been idle for too long; called every few seconds.
    pub fn sweep(&self) {
        let now = clock::now();
        for pool in self.by_slot.borrow().iter().flatten() {
            let limit = pool.longest_idle.get();
            pool.idle
                .borrow_mut()
                .retain_mut(|idle| now.since(idle.since) < limit && idle.connection.is_reusable());
            pool.shared.borrow_mut().retain(|h2| !h2.is_closed());
        }
    }
}

impl Pool {
    fn free(&self, now: Time) -> Option<Lease> {
        if !self.shared.borrow().is_empty() {
            let mut shared = self.shared.borrow_mut();
            shared.retain(|h2| !h2.is_closed());
            for connection in shared.iter() {
                if let Some(place) = connection.place() {
                    let connection = connection.clone();
                    return Some(Lease::H2 { connection, place });
                }
            }
        }
        loop {
            let mut idle = self.idle.borrow_mut().pop()?;
            if now.since(idle.since) < self.longest_idle.get() && idle.connection.is_reusable() {
                return Some(Lease::H1 {
                    connection: idle.connection,
                    reused: true,
                });
            }
        }
    }

    /// Takes a connection back after its response was read to the end.
    pub(super) fn give_back(&self, mut connection: H1) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE && connection.is_reusable() {
            idle.push(Idle {
                connection,
                since: clock::now(),
            });
        }
    }
}
