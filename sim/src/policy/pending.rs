//! How many attempts of each candidate have no answer yet: the in-flight count of balancers that look at the response's beginning.
//!
//! Such a balancer ends its measurement, and its count, at the first data of a response, or at the attempt's end if that comes before.
//!
//! # Invariants
//! - Each attempt is counted from its beginning to exactly one end.

use super::Flight;

/// Attempts without an answer.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Of each candidate.
    counts: Vec<u32>,
    /// Whether the attempt in each slot is still without one.
    open: Vec<bool>,
}

impl Pending {
    /// None, of any of `candidates` candidates.
    pub(super) fn new(candidates: usize) -> Self {
        Self {
            counts: vec![0; candidates],
            open: Vec::new(),
        }
    }

    /// Attempts of one candidate without an answer.
    pub(super) fn count(&self, route: usize) -> f64 {
        f64::from(self.counts[route])
    }

    /// An attempt was sent.
    pub(super) fn begin(&mut self, flight: &Flight) {
        if self.open.len() <= flight.slot {
            self.open.resize(flight.slot + 1, false);
        }
        self.open[flight.slot] = true;
        self.counts[flight.route] += 1;
    }

    /// Its answer has begun, or it has ended; whether this is the first of the two.
    pub(super) fn end(&mut self, flight: &Flight) -> bool {
        let open = self.open.get_mut(flight.slot).is_some_and(std::mem::take);
        if open {
            self.counts[flight.route] -= 1;
        }
        open
    }
}
