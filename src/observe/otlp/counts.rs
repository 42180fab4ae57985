//! What became of spans, counted.

use crate::observe::{Counter, Counters};

/// Why a span did not reach the collector: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Too many waited already.
    QueueFull,
    /// The collector could not be reached, or did not take them in all the tries there are.
    Unreachable,
    /// The collector will not have them.
    Refused,
    /// The collector took others of the same request.
    Rejected,
    /// The process ended first.
    Shutdown,
}

impl Lost {
    /// Every reason, in the order of its index.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::Unreachable,
        Self::Refused,
        Self::Rejected,
        Self::Shutdown,
    ];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Counters of spans.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Spans that a collector has taken.
    pub sent: Counter,
    lost: Counters,
}

impl Spans {
    /// Counts into these: what was taken, and what was not by the index of [`Lost`].
    #[must_use]
    pub const fn new(sent: Counter, lost: Counters) -> Self {
        Self { sent, lost }
    }

    /// Counts spans that are lost.
    pub fn lost(&self, why: Lost, count: u64) {
        self.lost.inc_by(why as usize, count);
    }

    /// Spans that were lost, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let all = Lost::ALL.iter();
        all.map(|why| self.lost.get(*why as usize)).sum()
    }
}
