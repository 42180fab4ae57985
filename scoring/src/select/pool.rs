//! The candidates of one model, and what selections of it share.
//!
//! # Invariants
//! - At most [`MAX_CANDIDATES`]; weights are positive and finite.

use std::sync::Arc;

use crate::Class;
use crate::atomics::{AtomicU32, Ordering};
use crate::cell::Word;
use crate::cost::Rates;
use crate::latency::fit::Memory;
use crate::route::{Ask, Route};
use crate::rules::Rules;
use crate::time::Time;
use crate::tuning::Tuning;

use super::account::Account;

/// Most candidates of one pool.
pub const MAX_CANDIDATES: usize = 256;

/// Samples that the prior is worth in the fit over all candidates; more would keep a young pool near a constant that fits no model.
const FAMILY_RIDGE: f64 = 1.0;

/// Ticks between two refreshes of the expected output lengths: about one second.
const REFRESH_TICKS: u64 = 64;

/// One way to serve a model.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The route.
    pub route: Arc<Route>,
    /// The operator's weight; above 0.
    pub weight: f32,
    /// What its tokens cost.
    pub rates: Rates,
}

/// What decisions go by: the live one's or a shadow's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy<'a> {
    pub(super) rules: &'a Rules,
    pub(super) account: &'a Account,
}

/// The candidates of one model.
#[derive(Debug)]
pub struct Pool {
    candidates: Vec<Candidate>,
    pub(super) rules: Rules,
    pub(super) account: Account,
    /// Tick of the last refresh of `outputs`.
    refreshed: Word,
    /// Mean output tokens of an answer over the candidates, by class; a statistic.
    outputs: [AtomicU32; Class::COUNT],
}

impl Pool {
    /// A pool of at most [`MAX_CANDIDATES`]; further ones and those without a positive weight are left out.
    #[must_use]
    pub fn new(mut candidates: Vec<Candidate>, tuning: Tuning) -> Self {
        candidates.retain(|candidate| candidate.weight > 0.0 && candidate.weight.is_finite());
        candidates.truncate(MAX_CANDIDATES);
        let pool = Self {
            candidates,
            rules: Rules::new(&tuning),
            account: Account::default(),
            refreshed: Word::new(0),
            outputs: core::array::from_fn(|_| AtomicU32::new(1)),
        };
        pool.average_outputs();
        pool
    }

    /// The candidates, in the order of [`Pick::index`](super::Pick::index).
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Refits the latency models of the candidates, each towards what all of them have in common; call it about 4 times a second, off the request path.
    pub fn fit(&self, now: Time) {
        let mut pooled: [Memory; Class::COUNT] = core::array::from_fn(|_| Memory::new());
        for candidate in &self.candidates {
            candidate.route.pour(&mut pooled);
        }
        let families = pooled.map(|memory| memory.family(FAMILY_RIDGE));
        for candidate in &self.candidates {
            candidate.route.fit_among(Some(&families), now);
        }
    }

    /// Output tokens expected of an answer to `ask`: the same for every candidate, so that lengths do not look like speed.
    pub(super) fn expected_output(&self, ask: &Ask) -> f32 {
        let mean = self.outputs[ask.class.index()]
            .load(Ordering::Relaxed)
            .max(1);
        if !ask.class.decodes() {
            return 1.0;
        }
        ask.max_tokens.map_or(mean, |most| mean.min(most.max(1))) as f32
    }

    /// Refreshes the expected output lengths about once a second; one caller does it, the others go on.
    pub(super) fn refresh(&self, now: Time) {
        let tick = now.tick().index();
        if tick < self.refreshed.load() + REFRESH_TICKS {
            return;
        }
        let due = |last: u64| {
            if tick < last + REFRESH_TICKS {
                last
            } else {
                tick
            }
        };
        if self
            .refreshed
            .update(due)
            .is_some_and(|swap| swap.before != swap.after)
        {
            self.average_outputs();
        }
    }

    fn average_outputs(&self) {
        for class in Class::ALL.into_iter().filter(|class| class.decodes()) {
            let sum: u64 = self
                .candidates
                .iter()
                .map(|c| u64::from(c.route.expected_output(class)))
                .sum();
            let mean = sum / (self.candidates.len() as u64).max(1);
            self.outputs[class.index()]
                .store(u32::try_from(mean).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// What its own decisions go by.
    pub(super) fn policy(&self) -> Policy<'_> {
        Policy {
            rules: &self.rules,
            account: &self.account,
        }
    }
}
