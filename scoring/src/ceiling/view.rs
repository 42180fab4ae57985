//! What the ceilings look like from outside: for the admin pages, the metrics and explanations.
//!
//! # Invariants
//! - Plain data; built from the same functions that decide, never read by them.

use crate::time::{Span, Time};

use super::gate::{self, HoldReason};
use super::limits::{Gate, Limits, RATES};
use super::report::Dimension;

/// Where a ceiling is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The operator's configuration.
    Told,
    /// Response headers.
    Header,
    /// The body of a refusal.
    Body,
    /// Refusals that told nothing.
    Learned,
    /// An operator, while the gateway runs.
    Operator,
}

impl Source {
    /// The name used in metrics and explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Header => "header",
            Self::Body => "body",
            Self::Learned => "learned",
            Self::Operator => "operator",
        }
    }
}

/// One ceiling at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CeilingView {
    /// What it limits.
    pub dimension: Dimension,
    /// Where it is known from.
    pub source: Source,
    /// The limit: units per minute, or requests in flight for concurrency.
    pub limit: f64,
    /// Units that could be taken now; negative if more was taken than the limit allows.
    pub headroom: f64,
    /// Share in use, 0..; 1 = nothing left.
    pub utilisation: f32,
    /// How long an empty bucket takes to fill; zero for concurrency.
    pub depth: Span,
}

/// All ceilings of one route at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CeilingsView {
    /// The ceilings in force, in the order of [`Dimension::ALL`]; `None` where none is known.
    pub ceilings: [Option<CeilingView>; 5],
    /// Until when the route is held, and why.
    pub hold: Option<(Time, HoldReason)>,
    /// The largest utilisation of all.
    pub utilisation: f32,
}

/// The ceilings of a route at `now`.
pub(crate) fn view(gate: &Gate, limits: &Limits, inflight: u32, now: Time) -> CeilingsView {
    let held = gate.hold.load();
    let hold = gate::open_hold(held, now).map(|until| (until, gate::reason(held)));
    let ceilings = Dimension::ALL.map(|dimension| {
        let index = dimension.index();
        if index < RATES {
            rate_view(gate, limits, dimension, now)
        } else {
            concurrency_view(limits, inflight)
        }
    });
    let utilisation = ceilings
        .iter()
        .flatten()
        .map(|ceiling| ceiling.utilisation)
        .fold(0.0, f32::max);
    CeilingsView {
        ceilings,
        hold,
        utilisation,
    }
}

fn rate_view(gate: &Gate, limits: &Limits, dimension: Dimension, now: Time) -> Option<CeilingView> {
    let index = dimension.index();
    let force = limits.lanes[index].force(limits.slack(index), limits.mean(index), &limits.tuning);
    let rule = limits.rule(index);
    if rule.is_none() {
        return None;
    }
    let headroom = rule.level(limits.tat(gate, index).load(), now);
    let utilisation = (1.0 - headroom / rule.burst()) as f32;
    Some(CeilingView {
        dimension,
        source: force.source,
        limit: rule.rate() * 60.0,
        headroom,
        utilisation,
        depth: rule.depth(),
    })
}

fn concurrency_view(limits: &Limits, inflight: u32) -> Option<CeilingView> {
    let most = limits.concurrency();
    if most == 0 {
        return None;
    }
    let source = if limits.own_concurrency.load() > 0 {
        Source::Operator
    } else if u64::from(limits.told_concurrency) == most {
        Source::Told
    } else {
        Source::Learned
    };
    let limit = most as f64;
    Some(CeilingView {
        dimension: Dimension::Concurrency,
        source,
        limit,
        headroom: limit - f64::from(inflight),
        utilisation: inflight as f32 / most as f32,
        depth: Span::ZERO,
    })
}
