//! Which candidates are dearer than they need be? For work that nobody waits for, such as an audit.
//!
//! # Invariants
//! - The candidate that is left is healthy and has room; where none is, or an operator's pin decides, nothing is ruled out and the usual decision is made.
//! - A route whose price nobody knows is taken for the dearest.

use crate::route::{Ask, Asked};
use crate::time::Time;

use super::survey::Survey;
use super::{MOST_BLOCKS, Pool, Tried};

/// What was tried, and every candidate but the cheapest of those that may serve; in a tie all of them are left.
#[must_use]
pub fn all_but_cheapest(pool: &Pool, ask: &Ask, tried: &Tried, now: Time) -> Tried {
    let output = pool.expected_output(ask);
    let asked = Asked::new(ask, output, now, &pool.rules);
    let mut survey = Survey::<MOST_BLOCKS>::EMPTY;
    survey.take(pool, &pool.rules, &asked, tried);
    if survey.is_pinned() {
        return *tried;
    }
    let price = |index: usize| {
        let rates = pool.candidates()[index].rates;
        let known = rates.input > 0.0 || rates.output > 0.0;
        if known {
            rates.input * ask.input_tokens as f32 + rates.output * output
        } else {
            f32::INFINITY
        }
    };
    let all = 0..pool.candidates().len();
    let may = all.clone().filter(|&index| survey.gate(index).is_cold());
    let Some(least) = may.map(price).min_by(f32::total_cmp) else {
        return *tried;
    };
    let mut dearer = *tried;
    for index in all {
        if !survey.gate(index).is_cold() || price(index) > least {
            dearer.insert(index);
        }
    }
    dearer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Candidate, Decision, select};
    use super::*;
    use crate::ceiling::ToldLimits;
    use crate::cost::Rates;
    use crate::latency::Class;
    use crate::outcome::Outcome;
    use crate::route::{Attempt, End, Parent, Prior, Route};
    use crate::tuning::Tuning;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    fn pool(prices: &[f32]) -> Pool {
        let tuning = Tuning::default();
        let candidates = prices.iter().map(|&price| Candidate {
            route: Arc::new(Route::new(
                Arc::new(Parent::default()),
                &Prior::default(),
                &ToldLimits::default(),
                &tuning,
            )),
            weight: 1.0,
            rates: Rates {
                input: price,
                output: price,
                ..Rates::default()
            },
        });
        Pool::new(candidates.collect(), tuning)
    }

    fn ask() -> Ask {
        Ask {
            class: Class::Chat,
            input_tokens: 100,
            max_tokens: None,
            deadline: None,
            probe_ok: true,
            affinity: None,
        }
    }

    fn left(pool: &Pool, tried: &Tried, now: Time) -> Vec<usize> {
        let dearer = all_but_cheapest(pool, &ask(), tried, now);
        let all = 0..pool.candidates().len();
        all.filter(|&index| !dearer.contains(index)).collect()
    }

    #[test]
    fn the_cheapest_is_left() {
        let now = Time::from_micros(10_000_000);
        let check = |prices: &[f32], expected: &[usize]| {
            assert_eq!(
                left(&pool(prices), &Tried::default(), now),
                expected,
                "{prices:?}"
            );
        };
        check(&[3.0, 1.0, 2.0], &[1]);
        check(&[3.0, 1.0, 1.0], &[1, 2]);
        check(&[0.0, 5.0], &[1]);
        check(&[0.0, 0.0], &[0, 1]);
        check(&[], &[]);
        let mut tried = Tried::default();
        tried.insert(1);
        assert_eq!(left(&pool(&[3.0, 1.0, 2.0]), &tried, now), [2]);
    }

    /// A cheap route that fails is passed over, and where none is healthy nothing is ruled out.
    #[test]
    fn a_sick_route_is_not_cheap() {
        let pool = pool(&[1.0, 2.0]);
        let mut rng = SmallRng::seed_from_u64(1);
        let mut now = Time::from_micros(10_000_000);
        let fail = |index: usize, now: &mut Time, rng: &mut SmallRng| {
            let mut tried = Tried::default();
            tried.insert(1 - index);
            for _ in 0..50 {
                *now = Time::from_micros(now.as_micros() + 10_000);
                if let Decision::Picked(pick) = select(&pool, &ask(), &tried, *now, rng) {
                    let route = Arc::clone(&pool.candidates()[index].route);
                    let attempt = Attempt::begin(route, &ask(), &pick, *now);
                    let end = End {
                        outcome: Outcome::ServerError,
                        input_tokens: None,
                        output_tokens: None,
                        retry_after: None,
                        jitter: 0.5,
                    };
                    attempt.finish(&end, *now);
                }
            }
        };
        fail(0, &mut now, &mut rng);
        assert_eq!(left(&pool, &Tried::default(), now), [1]);
        fail(1, &mut now, &mut rng);
        assert_eq!(left(&pool, &Tried::default(), now), [0, 1]);
    }
}
