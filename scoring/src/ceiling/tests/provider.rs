//! A provider's side of one key: a true token bucket, and what it says about it.

use rand::RngExt;
use rand::rngs::StdRng;

use super::super::{Charge, Dimension, LimitReport, LimitSource, Reading};
use super::START;
use crate::time::Span;

/// What a provider says when asked too much, and otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dialect {
    Silent,
    /// Only which limit was hit.
    Named,
    RetryAfter,
    Headers,
    Body,
}

/// One key of a provider, as the provider sees it.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) dialect: Dialect,
    pub(super) by_requests: bool,
    pub(super) gives_back: bool,
    /// Units per second.
    pub(super) rate: f64,
    /// Seconds of the rate that the bucket holds.
    pub(super) depth: f64,
    /// Units admitted per slice, as (seconds, multiple of the rate).
    pub(super) slice: Option<(f64, f64)>,
    pub(super) level: f64,
    pub(super) at: u64,
    pub(super) slice_index: u64,
    pub(super) slice_used: f64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) accepted_units: f64,
}

impl Provider {
    pub(super) fn new(dialect: Dialect, rate: f64) -> Self {
        Self {
            dialect,
            by_requests: false,
            gives_back: true,
            rate,
            depth: 60.0,
            slice: None,
            level: rate * 60.0,
            at: START,
            slice_index: 0,
            slice_used: 0.0,
            accepted: 0,
            refused: 0,
            accepted_units: 0.0,
        }
    }

    pub(super) fn refill(&mut self, now: u64) {
        let flowed = (now - self.at) as f64 / 1e6 * self.rate;
        self.level = (self.level + flowed).min(self.rate * self.depth);
        self.at = now;
    }

    pub(super) fn admit(&mut self, request: &Request, now: u64) -> bool {
        self.refill(now);
        let cost = self.cost(request);
        let mut fits = self.level >= cost;
        if let Some((seconds, multiple)) = self.slice {
            let index = (now as f64 / 1e6 / seconds) as u64;
            if index != self.slice_index {
                self.slice_index = index;
                self.slice_used = 0.0;
            }
            fits &= self.slice_used + cost <= self.rate * seconds * multiple;
        }
        if fits {
            self.level -= cost;
            self.slice_used += cost;
            self.accepted += 1;
            self.accepted_units += cost;
        } else {
            self.refused += 1;
        }
        fits
    }

    /// Units that it takes for `request`.
    fn cost(&self, request: &Request) -> f64 {
        if self.by_requests {
            1.0
        } else {
            f64::from(request.input + request.max_tokens)
        }
    }

    /// How long until `request` fits, as a refusal tells it.
    pub(super) fn wait(&self, request: &Request, now: u64) -> Span {
        let rest = self
            .slice
            .map_or(0.0, |(seconds, _)| seconds - (now as f64 / 1e6) % seconds);
        let wait = (self.cost(request) - self.level).max(0.0) / self.rate;
        Span::from_secs_f64(if wait > 0.0 { wait } else { rest })
    }

    /// What it limits.
    pub(super) fn dimension(&self) -> Dimension {
        if self.by_requests {
            Dimension::Requests
        } else {
            Dimension::Tokens
        }
    }

    pub(super) fn give_back(&mut self, request: &Request, now: u64) {
        if self.gives_back && !self.by_requests {
            self.refill(now);
            let unused = f64::from(request.max_tokens - request.output);
            self.level = (self.level + unused).min(self.rate * self.depth);
            self.accepted_units -= unused;
        }
    }

    pub(super) fn reading(&self) -> Reading {
        let limit = (self.rate * 60.0).round();
        let remaining = self.level.max(0.0).floor();
        Reading {
            limit: Some(limit),
            remaining: Some(remaining),
            reset: Some(Span::from_secs_f64((limit - remaining) / self.rate)),
            ..Reading::default()
        }
    }

    pub(super) fn report(&self, refused: Option<&Request>) -> LimitReport {
        let mut report = LimitReport::default();
        match self.dialect {
            Dialect::Headers => self.put(&mut report, self.reading()),
            Dialect::Body => {
                let Some(request) = refused else {
                    return report;
                };
                let cost = self.cost(request);
                let limit = self.rate * 60.0;
                let used = limit - self.level;
                let reset = Some(Span::from_secs_f64((used + cost - limit) / self.rate));
                let used = Some(used);
                report.source = LimitSource::Body;
                report.refused = Some(self.dimension());
                self.put(
                    &mut report,
                    Reading {
                        limit: Some(limit),
                        used,
                        requested: Some(cost),
                        reset,
                        ..Reading::default()
                    },
                );
            }
            Dialect::Named => {
                report.refused = Some(self.dimension());
            }
            Dialect::Silent | Dialect::RetryAfter => {}
        }
        report
    }

    pub(super) fn put(&self, report: &mut LimitReport, reading: Reading) {
        *(if self.by_requests {
            &mut report.requests
        } else {
            &mut report.tokens
        }) = Some(reading);
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) max_tokens: u32,
    /// Routes tried, one bit each.
    pub(super) tried: u32,
}

impl Request {
    pub(super) fn draw(rng: &mut StdRng) -> Self {
        // Input and output lengths of a conversation trace: means of about 1,150 and 210, heavy tails.
        let tail = |rng: &mut StdRng, mean: f64, most: f64| {
            (-(1.0 - rng.random::<f64>()).ln() * mean).min(most) as u32 + 1
        };
        let output = tail(rng, 210.0, 1_000.0);
        let max_tokens = output + tail(rng, 200.0, 800.0);
        Self {
            input: tail(rng, 1_150.0, 7_000.0),
            output,
            max_tokens,
            tried: 0,
        }
    }

    pub(super) fn charge(&self) -> Charge {
        Charge {
            input_tokens: self.input,
            reserved_output_tokens: self.max_tokens,
        }
    }

    /// Mean tokens after settlement, and as charged.
    pub(super) const MEAN: f64 = 1_150.0 + 208.0;
}
