//! May one more request pass now?
//!
//! A gate bounds the requests of a workflow in a minute and in flight.
//! It keeps what is left of the minute's allowance ([`Refill`]), and one count.
//!
//! # Invariants
//! - Passing never waits and never locks.
//! - Every request that passed is counted as in flight until its [`Pass`] is dropped.
//! - The limits are the caller's: they may change from one request to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use scoring::refill::Refill;
use scoring::time::{Span, Time};

use crate::config::Limits;

/// When to try again while too many are in flight: nobody knows, and this is about how long an answer takes.
const A_MOMENT: Span = Span::from_secs(1);

/// A gate; it is shared by all who pass it.
#[derive(Debug, Default)]
pub struct Gate {
    minute: Refill,
    /// It guards nothing but itself, so no order with others is needed.
    in_flight: AtomicU32,
}

/// The right of one request to be in flight.
#[derive(Debug)]
pub struct Pass(Arc<Gate>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a request may not pass, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Too many are in flight.
    Concurrency(Span),
    /// The minute's allowance is spent.
    Minute(Span),
}

impl Gate {
    /// Lets a request pass, if the limits allow one more.
    ///
    /// # Errors
    /// [`Full`]; nothing of the allowance is spent then.
    pub fn pass(self: &Arc<Self>, limits: Limits, now: Time) -> Result<Pass, Full> {
        let most = limits.concurrency.unwrap_or(u32::MAX);
        let more = |count: u32| (count < most).then(|| count + 1);
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| Full::Concurrency(A_MOMENT))?;
        let pass = Pass(Arc::clone(self));
        if let Some(per_minute) = limits.requests_per_minute {
            self.minute
                .spend(1, per_minute, now)
                .map_err(Full::Minute)?;
        }
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_minute_has_so_many_requests() {
        let gate = Arc::new(Gate::default());
        let limits = Limits {
            requests_per_minute: Some(6),
            concurrency: None,
        };
        for _ in 0..6 {
            assert!(gate.pass(limits, at(100)).is_ok());
        }
        let full = gate.pass(limits, at(100)).unwrap_err();
        assert_eq!(full, Full::Minute(Span::from_secs(10)));
        assert!(gate.pass(limits, at(109)).is_err());
        assert!(gate.pass(limits, at(110)).is_ok());
        assert!(gate.pass(limits, at(110)).is_err());
        // A smaller allowance holds at once; a larger one too.
        let fewer = Limits {
            requests_per_minute: Some(1),
            ..limits
        };
        assert!(gate.pass(fewer, at(150)).is_err());
        let more = Limits {
            requests_per_minute: Some(60),
            ..limits
        };
        assert!(gate.pass(more, at(111)).is_ok());
        for second in 0..1_000 {
            assert!(gate.pass(more, at(200 + second)).is_ok());
        }
    }

    #[test]
    fn so_many_are_in_flight() {
        let gate = Arc::new(Gate::default());
        let limits = Limits {
            requests_per_minute: Some(3),
            concurrency: Some(1),
        };
        let first = gate.pass(limits, at(1)).unwrap();
        for _ in 0..10 {
            let full = gate.pass(limits, at(1)).unwrap_err();
            assert_eq!(full, Full::Concurrency(A_MOMENT), "and nothing is spent");
        }
        drop(first);
        for _ in 0..2 {
            assert!(gate.pass(limits, at(1)).is_ok());
        }
        let full = gate.pass(limits, at(1)).unwrap_err();
        assert!(matches!(full, Full::Minute(_)));
        assert!(
            gate.pass(limits, at(70)).is_ok(),
            "a refusal holds no place"
        );
    }

    #[test]
    fn threads_share_one_gate() {
        let gate = Arc::new(Gate::default());
        let limits = Limits {
            requests_per_minute: Some(1_000),
            concurrency: Some(64),
        };
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..1_000)
                            .filter(|_| gate.pass(limits, at(9)).is_ok())
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(passed, 1_000);
        assert_eq!(gate.in_flight.load(Ordering::Relaxed), 0);
    }
}
