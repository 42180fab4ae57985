//! How rules draw among candidates, and with which probability each is drawn.
//!
//! Most published rules are one of three: the least of all, the better of two drawn, or a draw by weight ([`super::drawn`]).
//! They differ in what they call load; here is what they share.
//!
//! # Invariants
//! - Only positions in `open` are drawn; an empty `open` draws nothing.
//! - The propensities of all positions in `open` sum to 1.

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::select::{Decision, Mode, Pick, Tried};

use super::{Glimpse, picked};

/// A candidate and the probability with which it was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drawn {
    /// Its position in the pool.
    pub(super) index: usize,
    /// The probability; 0..=1.
    pub(super) propensity: f32,
    /// The position that it was compared with; its own where there was no other.
    pub(super) other: usize,
}

impl Drawn {
    /// The decision to send the request there.
    pub(super) fn decision(self) -> Decision {
        picked(self.index, self.propensity)
    }
}

/// Positions below `count` that the request was not sent to yet.
pub(super) fn untried(tried: &Tried, count: usize) -> impl Iterator<Item = usize> + Clone {
    (0..count).filter(|&index| !tried.contains(index))
}

/// The decision to send the request to `index` in order to learn.
pub(super) fn explored(index: usize, propensity: f32) -> Decision {
    match picked(index, propensity) {
        Decision::Picked(pick) => Decision::Picked(Pick {
            mode: Mode::Explored,
            ..pick
        }),
        other => other,
    }
}

/// The least of `loads`; among equals, each is as likely.
pub(super) fn least(open: &[usize], loads: &[f64], rng: &mut SmallRng) -> Option<Drawn> {
    let lowest = open
        .iter()
        .map(|&it| loads[it])
        .fold(f64::INFINITY, f64::min);
    let among = || open.iter().copied().filter(|&it| loads[it] <= lowest);
    let equals = among().count();
    let index = match equals {
        0 => return None,
        1 => among().next()?,
        _ => among().nth(rng.random_range(0..equals))?,
    };
    Some(Drawn {
        index,
        propensity: 1.0 / equals as f32,
        other: index,
    })
}

/// The one with the lower load of two that are drawn without replacement: power of two choices.
pub(super) fn better_of_two(open: &[usize], loads: &[f64], rng: &mut SmallRng) -> Option<Drawn> {
    let count = open.len();
    if count < 2 {
        return open.first().map(|&index| Drawn {
            index,
            propensity: 1.0,
            other: index,
        });
    }
    let first = rng.random_range(0..count);
    let mut second = rng.random_range(0..count - 1);
    if second >= first {
        second += 1;
    }
    let (index, other) = lower(open[first], open[second], loads);
    let (worse, equal) = standing(open, loads, index);
    // Each of the unordered pairs is as likely; it wins those with a worse one and half of those with an equal.
    let pairs = (count * (count - 1)) as f32;
    Some(Drawn {
        index,
        propensity: (2.0 * worse + equal) / pairs,
        other,
    })
}

/// The one with the lower load of two that are drawn with replacement: both draws may be the same.
pub(super) fn better_of_two_draws(
    open: &[usize],
    loads: &[f64],
    rng: &mut SmallRng,
) -> Option<Drawn> {
    let count = open.len();
    if count == 0 {
        return None;
    }
    let first = open[rng.random_range(0..count)];
    let second = open[rng.random_range(0..count)];
    let (index, other) = lower(first, second, loads);
    let (worse, equal) = standing(open, loads, index);
    Some(Drawn {
        index,
        propensity: (1.0 + 2.0 * worse + equal) / (count * count) as f32,
        other,
    })
}

/// The one with the lower load, `a` if they are equal, and the other.
fn lower(a: usize, b: usize, loads: &[f64]) -> (usize, usize) {
    if loads[a] <= loads[b] { (a, b) } else { (b, a) }
}

/// How many others are worse than `index`, and how many are equal.
fn standing(open: &[usize], loads: &[f64], index: usize) -> (f32, f32) {
    let mut worse = 0.0;
    let mut equal = 0.0;
    for &other in open.iter().filter(|&&other| other != index) {
        if loads[other] > loads[index] {
            worse += 1.0;
        } else if loads[other] >= loads[index] {
            equal += 1.0;
        }
    }
    (worse, equal)
}

/// Glimpses of loads, of which the least is best.
pub(super) fn by_load(loads: impl Iterator<Item = f64> + Clone) -> Vec<Glimpse> {
    let least = loads.clone().fold(f64::INFINITY, f64::min);
    let relative = |load: f64| if load > 0.0 { least / load } else { 1.0 };
    loads.map(|load| glimpse(relative(load))).collect()
}

/// Glimpses of weights, of which the largest is best.
pub(super) fn by_weight(weights: impl Iterator<Item = f64> + Clone) -> Vec<Glimpse> {
    let most = weights.clone().fold(0.0, f64::max);
    let relative = |weight: f64| if most > 0.0 { weight / most } else { 1.0 };
    weights.map(|weight| glimpse(relative(weight))).collect()
}

fn glimpse(score: f64) -> Glimpse {
    Glimpse {
        score: score as f32,
        state: 0,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    type Rule = fn(&[usize], &[f64], &mut SmallRng) -> Option<Drawn>;

    /// Shares and told propensities of `rule` over many draws.
    fn shares(rule: Rule, loads: &[f64], open: &[usize]) -> Vec<(f64, f64)> {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut seen = vec![(0.0, 0.0); loads.len()];
        for _ in 0..20_000 {
            let drawn = rule(open, loads, &mut rng).unwrap();
            seen[drawn.index].0 += 1.0 / 20_000.0;
            seen[drawn.index].1 = f64::from(drawn.propensity);
        }
        seen
    }

    fn check(rule: Rule, loads: &[f64], open: &[usize], expect: &[f64]) {
        for ((share, told), expect) in shares(rule, loads, open).into_iter().zip(expect) {
            assert!(
                (share - expect).abs() < 0.015,
                "share {share}, not {expect}"
            );
            assert!((told - expect).abs() < 1e-6, "told {told}, not {expect}");
        }
    }

    #[test]
    fn of_two_choices_the_best_of_four_gets_half_and_the_worst_nothing() {
        let half = [0.5, 1.0 / 3.0, 1.0 / 6.0, 0.0];
        check(better_of_two, &[1.0, 2.0, 3.0, 4.0], &[0, 1, 2, 3], &half);
        check(better_of_two, &[1.0; 4], &[0, 1, 2, 3], &[0.25; 4]);
        check(better_of_two, &[9.0, 1.0, 2.0], &[0, 2], &[0.0, 0.0, 1.0]);
        check(better_of_two, &[9.0, 1.0], &[0], &[1.0, 0.0]);
    }

    #[test]
    fn with_replacement_the_worst_of_n_keeps_one_in_n_squared() {
        check(better_of_two_draws, &[1.0, 2.0], &[0, 1], &[0.75, 0.25]);
        let four = [7.0 / 16.0, 5.0 / 16.0, 3.0 / 16.0, 1.0 / 16.0];
        check(
            better_of_two_draws,
            &[1.0, 2.0, 3.0, 4.0],
            &[0, 1, 2, 3],
            &four,
        );
        check(better_of_two_draws, &[1.0; 3], &[0, 1, 2], &[1.0 / 3.0; 3]);
    }

    #[test]
    fn the_least_is_drawn_and_equals_share() {
        check(least, &[2.0, 1.0, 1.0], &[0, 1, 2], &[0.0, 0.5, 0.5]);
        check(least, &[0.0, 3.0, 2.0], &[1, 2], &[0.0, 0.0, 1.0]);
    }

    #[test]
    fn nobody_is_drawn_from_nobody() {
        let mut rng = SmallRng::seed_from_u64(7);
        for rule in [least as Rule, better_of_two, better_of_two_draws] {
            assert_eq!(rule(&[], &[], &mut rng), None);
        }
    }
}
