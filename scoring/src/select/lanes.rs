//! What was read of a few routes, side by side, so that one instruction computes several.
//!
//! Reading is scattered loads and integers; the formulae are plain arithmetic.
//! Kept apart, the second half is vectorised, which halves the time of a selection.
//!
//! # Invariants
//! - A lane holds what [`Route::glance`](crate::route::Route::glance) returned, unchanged.

use crate::ceiling::{Fill, Rule};
use crate::ewma::{self, Counts};
use crate::health::Circuit;
use crate::latency::drift;
use crate::route::Glance;

/// Routes side by side: two vectors of the narrowest machine, one of the usual.
pub(super) const LANES: usize = 8;

/// One number of each route.
pub(super) type Lane<T> = [T; LANES];

/// The words of up to [`LANES`] routes; lanes not written hold what they held.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) circuit: Lane<u64>,
    /// Part of the doubt that idle time has left; 0..=1.
    pub(super) rested: Lane<f32>,
    /// Whether it is held, or an operator may steer it.
    pub(super) aside: Lane<bool>,
    /// Not 0 if the circuit is not closed, or if it is set aside.
    pub(super) shut: Lane<u32>,
    slow: Tallies,
    fast: Tallies,
    pub(super) parent: Lane<f32>,
    mean: Lane<i32>,
    scale: Lane<i32>,
    kept: Lane<f32>,
    model: [Lane<i32>; 3],
    pub(super) fail_ms: Lane<f32>,
    requests: Buckets,
    tokens: Buckets,
    pub(super) others: Lane<f32>,
}

/// [`ewma::Stored`], side by side.
#[derive(Debug)]
struct Tallies {
    attempts: Lane<i32>,
    failures: Lane<i32>,
    factor: Lane<f32>,
}

impl Tallies {
    const EMPTY: Self = Self {
        attempts: [0; LANES],
        failures: [0; LANES],
        factor: [0.0; LANES],
    };

    #[inline(always)]
    fn put(&mut self, lane: usize, stored: ewma::Stored) {
        self.attempts[lane] = stored.attempts;
        self.failures[lane] = stored.failures;
        self.factor[lane] = stored.factor;
    }

    #[inline(always)]
    fn counts(&self, lane: usize) -> Counts {
        let stored = ewma::Stored {
            attempts: self.attempts[lane],
            failures: self.failures[lane],
            factor: self.factor[lane],
        };
        stored.counts()
    }
}

/// [`Fill`], side by side.
#[derive(Debug)]
struct Buckets {
    interval: Lane<f32>,
    depth: Lane<f32>,
    debt: Lane<f32>,
}

impl Buckets {
    const EMPTY: Self = Self {
        interval: [0.0; LANES],
        depth: [0.0; LANES],
        debt: [0.0; LANES],
    };

    #[inline(always)]
    fn put(&mut self, lane: usize, fill: Fill) {
        self.interval[lane] = fill.rule.interval;
        self.depth[lane] = fill.rule.depth;
        self.debt[lane] = fill.debt;
    }

    #[inline(always)]
    fn fill(&self, lane: usize) -> Fill {
        Fill {
            rule: Rule {
                interval: self.interval[lane],
                depth: self.depth[lane],
            },
            debt: self.debt[lane],
        }
    }
}

impl Lanes {
    pub(super) const EMPTY: Self = Self {
        circuit: [0; LANES],
        rested: [1.0; LANES],
        aside: [false; LANES],
        shut: [0; LANES],
        slow: Tallies::EMPTY,
        fast: Tallies::EMPTY,
        parent: [0.0; LANES],
        mean: [0; LANES],
        scale: [0; LANES],
        kept: [0.0; LANES],
        model: [[0; LANES]; 3],
        fail_ms: [0.0; LANES],
        requests: Buckets::EMPTY,
        tokens: Buckets::EMPTY,
        others: [0.0; LANES],
    };

    #[inline(always)]
    pub(super) fn put(&mut self, lane: usize, glance: &Glance) {
        self.circuit[lane] = glance.circuit;
        self.rested[lane] = glance.rested;
        self.aside[lane] = glance.ceilings.aside;
        self.shut[lane] =
            (glance.circuit >> Circuit::POSITION_SHIFT) as u32 | u32::from(glance.ceilings.aside);
        self.slow.put(lane, glance.slow);
        self.fast.put(lane, glance.fast);
        self.parent[lane] = glance.parent;
        self.mean[lane] = glance.drift.mean;
        self.scale[lane] = glance.drift.scale;
        self.kept[lane] = glance.drift.factor;
        for (field, value) in self.model.iter_mut().zip(glance.model) {
            field[lane] = value;
        }
        self.fail_ms[lane] = glance.fail_ms;
        let [requests, tokens] = glance.ceilings.fills;
        self.requests.put(lane, requests);
        self.tokens.put(lane, tokens);
        self.others[lane] = glance.ceilings.others;
    }

    /// The counts of the last minutes and of the last seconds.
    #[inline(always)]
    pub(super) fn counts(&self, lane: usize) -> (Counts, Counts) {
        (self.slow.counts(lane), self.fast.counts(lane))
    }

    #[inline(always)]
    pub(super) fn drift(&self, lane: usize) -> drift::Stored {
        drift::Stored {
            mean: self.mean[lane],
            scale: self.scale[lane],
            factor: self.kept[lane],
        }
    }

    #[inline(always)]
    pub(super) fn model(&self, lane: usize) -> [i32; 3] {
        [
            self.model[0][lane],
            self.model[1][lane],
            self.model[2][lane],
        ]
    }

    #[inline(always)]
    pub(super) fn fills(&self, lane: usize) -> [Fill; 2] {
        [self.requests.fill(lane), self.tokens.fill(lane)]
    }
}
