//! What does an operator change of the ceilings while the gateway runs?
//!
//! A limit of their own goes before everything told, read or learned, which is remembered meanwhile; a release ends the hold and fills the buckets that only providers spoke of.
//!
//! # Invariants
//! - What was taken of a limit stays taken under another one: a bucket keeps its debt in units, not in time.
//! - A release never lets more through than the configuration or an operator allows.

use crate::time::Time;

use super::gate;
use super::limits::{Gate, Limits, RATES};
use super::mirror::Rule;
use super::report::Dimension;
use super::view::Source;

/// Puts an operator's limit before what is known of a dimension, or takes it away: units per minute, or requests in flight.
pub(crate) fn overrule(
    gate: &Gate,
    limits: &Limits,
    dimension: Dimension,
    limit: Option<u32>,
    now: Time,
) {
    let index = dimension.index();
    let Some(lane) = limits.lanes.get(index) else {
        limits.own_concurrency.store(limit.unwrap_or(0).into());
        limits.publish_concurrency();
        return;
    };
    let before = limits.rule(index);
    lane.set_own(limit);
    limits.publish(index);
    let after = limits.rule(index);
    limits
        .tat(gate, index)
        .update(|tat| carried(tat, (before, after), now));
}

/// The state of a bucket of which as many units are taken as before, under another rule.
fn carried(tat: u64, (before, after): (Rule, Rule), now: Time) -> u64 {
    if before.is_none() || after.is_none() {
        return 0;
    }
    let taken = before.burst() - before.level(tat, now);
    after.charged(0, taken.max(0.0), now)
}

/// The limits that an operator has put before others, in the order of [`Dimension::ALL`].
pub(crate) fn overrules(limits: &Limits) -> [Option<u32>; Dimension::ALL.len()] {
    Dimension::ALL.map(|dimension| match limits.lanes.get(dimension.index()) {
        Some(lane) => lane.own(),
        None => u32::try_from(limits.own_concurrency.load())
            .ok()
            .filter(|own| *own > 0),
    })
}

/// Puts the same limits before others as in `elder`.
pub(crate) fn inherit(gate: &Gate, limits: &Limits, elder: &Limits) {
    for (dimension, own) in Dimension::ALL.into_iter().zip(overrules(elder)) {
        if own.is_some() {
            // Nothing is taken of a new route's buckets yet, so any instant does.
            overrule(gate, limits, dimension, own, Time::default());
        }
    }
}

/// Ends the hold, and fills the buckets of limits that neither the configuration nor an operator has set.
///
/// Why the buckets: a refusal empties the one that it is about, and the route would be full instead of held.
pub(crate) fn release(gate: &Gate, limits: &Limits) {
    gate.hold.update(gate::ended);
    for index in 0..RATES {
        let force =
            limits.lanes[index].force(limits.slack(index), limits.mean(index), &limits.tuning);
        if !matches!(force.source, Source::Told | Source::Operator) {
            limits.tat(gate, index).update(|_| 0);
        }
    }
}
