//! The clairvoyant that ignores weights: the least true cost among those whose limits admit the request.
//!
//! The cost is retry-aware: `(1−p)·L + p·(T_fail + L_alt + δ)` with δ = 1 s.
//! `L_alt` is what the best other admitted candidate takes until it succeeds, `L + p/(1−p)·(T_fail + δ)`, so that a dead route is no rescue.
//! Not achievable: it knows failure chances, limits and the answer's length.
//!
//! # Invariants
//! - It sheds if and only if an untried candidate exists and no untried one admits the request, for the shortest true wait.

use rand::rngs::SmallRng;
use scoring::route::End;
use scoring::select::{Decision, Mode, Pick, ShedReason};
use scoring::time::Time;

use super::draw::untried;
use super::{Flight, Glimpse, Moment, Policy, Seat, picked};
use crate::world::Expected;

/// What a failed attempt costs besides its time, in ms.
const DELTA_MS: f64 = 1000.0;

/// Chance of failure above which a candidate is a last resort.
const DEAD: f64 = 0.9;

/// Failure chance above which a candidate counts as this bad when it is the rescue.
const WORST: f64 = 0.99;

/// The unconstrained oracle.
#[derive(Clone, Debug)]
pub struct Oracle {
    count: usize,
    view: Vec<Seen>,
}

/// An admitted candidate and what sending the request there really costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) index: usize,
    pub(super) expected: Expected,
    /// In ms.
    pub(super) cost: f64,
}

/// Expected ms until it succeeds if it is tried again and again.
fn alone(it: &Expected) -> f64 {
    let failure = it.failure.min(WORST);
    it.latency_ms + it.price_ms + failure / (1.0 - failure) * (it.fail_ms + DELTA_MS)
}

/// Costs all of `view`; an only candidate is its own rescue.
fn price(view: &mut [Seen]) {
    // The two best rescues: each candidate's is the best that is another.
    let mut best: [(f64, usize); 2] = [(f64::INFINITY, usize::MAX); 2];
    for it in &*view {
        let rescue = (alone(&it.expected), it.index);
        if rescue.0 < best[0].0 {
            best = [rescue, best[0]];
        } else if rescue.0 < best[1].0 {
            best[1] = rescue;
        }
    }
    for it in view {
        let Expected {
            latency_ms,
            failure,
            fail_ms,
            price_ms,
            ..
        } = it.expected;
        let other = if best[0].1 == it.index {
            best[1].0
        } else {
            best[0].0
        };
        let rescue = if other.is_finite() { other } else { best[0].0 };
        let failed = fail_ms + rescue + DELTA_MS;
        it.cost = (1.0 - failure) * latency_ms + failure * failed + price_ms;
    }
}

/// Fills `view` with the untried that admit the request, costed; otherwise says what to do without any.
pub(super) fn survey(
    moment: &Moment<'_>,
    count: usize,
    view: &mut Vec<Seen>,
) -> Result<(), Decision> {
    let truth = |index| (index, moment.truth.expected(index, moment.ask, moment.now));
    admit(untried(moment.tried, count).map(truth), view)
}

fn admit(
    untried: impl Iterator<Item = (usize, Expected)>,
    view: &mut Vec<Seen>,
) -> Result<(), Decision> {
    view.clear();
    let mut wait = None;
    for (index, expected) in untried {
        if expected.admits {
            view.push(Seen {
                index,
                expected,
                cost: 0.0,
            });
        } else {
            wait = Some(wait.map_or(expected.wait, |it| expected.wait.min(it)));
        }
    }
    price(view);
    match wait {
        _ if !view.is_empty() => Ok(()),
        Some(retry_after) => Err(Decision::Shed {
            retry_after,
            reason: ShedReason::Full,
        }),
        None => Err(Decision::Exhausted),
    }
}

/// The one with the least cost.
pub(super) fn cheapest(view: &[Seen]) -> Option<&Seen> {
    view.iter()
        .reduce(|best, it| if it.cost < best.cost { it } else { best })
}

/// The decision for `it`, chosen with `share` (0..=1); a last resort if it is as good as dead, so that a fallback model is preferred.
pub(super) fn chosen(it: &Seen, share: f32) -> Decision {
    match picked(it.index, share) {
        Decision::Picked(pick) if it.expected.failure > DEAD => Decision::Picked(Pick {
            mode: Mode::Panic,
            ..pick
        }),
        decision => decision,
    }
}

impl Oracle {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        Self {
            count,
            view: Vec::with_capacity(count),
        }
    }
}

impl Policy for Oracle {
    fn decide(&mut self, moment: &Moment<'_>, _: &mut SmallRng) -> Decision {
        if let Err(decision) = survey(moment, self.count, &mut self.view) {
            return decision;
        }
        cheapest(&self.view).map_or(Decision::Exhausted, |it| chosen(it, 1.0))
    }

    fn finish(&mut self, _: &Flight, _: &End, _: Time) {}

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        vec![Glimpse::default(); self.count]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use scoring::time::Span;

    use super::*;

    /// A candidate that admits, fails with chance `failure` after 100 ms, and else takes `latency_ms`.
    pub(in super::super) const fn truly(latency_ms: f64, failure: f64) -> Expected {
        Expected {
            latency_ms,
            failure,
            fail_ms: 100.0,
            admits: true,
            wait: Span::ZERO,
            price_ms: 0.0,
        }
    }

    /// The view of these candidates.
    pub(in super::super) fn view(truths: &[Expected]) -> Result<Vec<Seen>, Decision> {
        let mut view = Vec::new();
        admit(truths.iter().copied().enumerate(), &mut view)?;
        Ok(view)
    }

    #[test]
    fn costs_are_retry_aware() {
        let view = view(&[truly(2000.0, 0.1), truly(3000.0, 0.0), truly(500.0, 1.0)]).unwrap();
        let costs: Vec<_> = view.iter().map(|it| it.cost).collect();
        // 0.9·2000 + 0.1·(100 + 3000 + 1000); 3000; 100 + (2000 + 1/9·1100) + 1000.
        for (cost, expect) in costs.iter().zip([2210.0, 3000.0, 3222.222]) {
            assert!((cost - expect).abs() < 0.01, "{costs:?}");
        }
        assert_eq!(cheapest(&view).unwrap().index, 0);
    }

    #[test]
    fn a_fast_dead_route_is_no_bargain_for_a_long_request() {
        let view = view(&[truly(60_000.0, 0.0), truly(100.0, 1.0)]).unwrap();
        assert_eq!(cheapest(&view).unwrap().index, 0);
        assert!((view[1].cost - 61_100.0).abs() < 1e-6);
    }

    #[test]
    fn the_full_are_passed_over_and_all_full_is_a_refusal() {
        let full = |secs| Expected {
            admits: false,
            wait: Span::from_secs(secs),
            ..truly(1.0, 0.0)
        };
        let seen = view(&[full(9), truly(2000.0, 0.0)]).unwrap();
        assert_eq!(cheapest(&seen).unwrap().index, 1);
        let refused = Decision::Shed {
            retry_after: Span::from_secs(3),
            reason: ShedReason::Full,
        };
        assert_eq!(view(&[full(9), full(3)]), Err(refused));
        assert_eq!(view(&[]), Err(Decision::Exhausted));
    }
}
