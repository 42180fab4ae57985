//! Discounted UCB: the bandit for rewards that change.
//!
//! Source: A. Garivier and E. Moulines, "On Upper-Confidence Bound Policies for Non-Stationary Bandit Problems" (2008).
//! Each round discounts every sum by γ and plays the largest `X̄ + 2B·√(ξ·ln n / N)`: `N` an arm's discounted plays, `n` their sum.
//! γ is their choice `1 − √(Υ/T)/(4B)` for one change in 10 000 rounds, ξ their 1/2, B the bound of the reward, 1.
//! The reward is `2 s / (2 s + time)` for a success and 0 for a failure, so that it stays within 0..=1 for answers of any length.
//! Rewards come late here: a play counts at once, its reward when it comes, and the mean is over plays with a reward.
//!
//! # Invariants
//! - An arm that was never played is played first.
//! - The client's own faults and departures have no reward.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::Time;

use super::draw::{by_weight, untried};
use super::{Flight, Glimpse, Moment, Policy, Seat, is_failure, picked};

/// Discount of each round: `1 − √(1/10 000)/4`.
const GAMMA: f64 = 0.9975;

/// Weight of the padding.
const XI: f64 = 0.5;

/// Bound of the reward.
const BOUND: f64 = 1.0;

/// The time of a success that earns half, in s.
const HALF_S: f64 = 2.0;

/// Discounted UCB.
#[derive(Clone, Debug)]
pub struct DUcb {
    arms: Vec<Arm>,
}

/// Discounted sums of one arm.
#[derive(Clone, Copy, Debug, Default)]
struct Arm {
    plays: f64,
    rewarded: f64,
    reward: f64,
}

impl Arm {
    fn mean(&self) -> f64 {
        // Why: nothing came yet, so nothing is known against it.
        if self.rewarded > 0.0 {
            self.reward / self.rewarded
        } else {
            BOUND
        }
    }

    /// The upper bound after `total` discounted plays of all arms.
    fn bound(&self, total: f64) -> f64 {
        if self.plays <= 0.0 {
            return f64::INFINITY;
        }
        let padding = (XI * total.ln().max(0.0) / self.plays).sqrt();
        self.mean() + 2.0 * BOUND * padding
    }
}

impl DUcb {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        Self {
            arms: vec![Arm::default(); seat.candidates.len()],
        }
    }

    fn total(&self) -> f64 {
        self.arms.iter().map(|it| it.plays).sum()
    }
}

impl Policy for DUcb {
    fn decide(&mut self, moment: &Moment<'_>, _: &mut SmallRng) -> Decision {
        let total = self.total();
        let bounds =
            untried(moment.tried, self.arms.len()).map(|it| (it, self.arms[it].bound(total)));
        let best = bounds.reduce(|best, next| if next.1 > best.1 { next } else { best });
        match best {
            Some((index, _)) => picked(index, 1.0),
            None => Decision::Exhausted,
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        for arm in &mut self.arms {
            arm.plays *= GAMMA;
            arm.rewarded *= GAMMA;
            arm.reward *= GAMMA;
        }
        self.arms[flight.route].plays += 1.0;
        None
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let reward = match end.outcome {
            Outcome::Success => HALF_S / (HALF_S + now.since(flight.sent).as_secs_f64()),
            outcome if is_failure(outcome) => 0.0,
            _ => return,
        };
        let arm = &mut self.arms[flight.route];
        arm.rewarded += 1.0;
        arm.reward += reward;
    }

    fn glimpse(&self, _: Time) -> Vec<Glimpse> {
        by_weight(self.arms.iter().map(Arm::mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::Drive;

    #[test]
    fn every_arm_is_played_once_then_the_bound_decides() {
        let mut drive = Drive::new(&[1.0; 3], DUcb::new);
        for expect in 0..3 {
            assert_eq!(drive.index(&[]), expect);
            drive.call(
                expect,
                [6000, 2000, 20][expect],
                [Outcome::Success, Outcome::Success, Outcome::ServerError][expect],
            );
        }
        let means: Vec<_> = drive.policy.arms.iter().map(Arm::mean).collect();
        for (mean, expect) in means.iter().zip([0.25, 0.5, 0.0]) {
            assert!((mean - expect).abs() < 1e-9, "{means:?}");
        }
        assert_eq!(drive.index(&[]), 1);
        assert_eq!(drive.index(&[1]), 0);
        assert_eq!(drive.pick(&[0, 1, 2]), Decision::Exhausted);
    }

    #[test]
    fn the_bound_is_the_published_one() {
        let arm = Arm {
            plays: 4.0,
            rewarded: 2.0,
            reward: 1.0,
        };
        // 1/2 + 2·√(ln(100)/2/4) = 2.01742
        assert!(
            (arm.bound(100.0) - 2.017_42).abs() < 1e-4,
            "{}",
            arm.bound(100.0)
        );
    }

    #[test]
    fn a_play_counts_before_its_reward_and_the_past_fades() {
        let mut drive = Drive::new(&[1.0; 2], DUcb::new);
        let picks: Vec<_> = (0..40)
            .map(|_| {
                let index = drive.index(&[]);
                drive.begin(index);
                index
            })
            .collect();
        assert_eq!(
            picks.iter().sum::<usize>(),
            20,
            "no herd while rewards are awaited"
        );
        for _ in 0..4000 {
            drive.call(0, 2000, Outcome::Success);
        }
        let arms = &drive.policy.arms;
        assert!(
            (arms[0].plays - 400.0).abs() < 1.0,
            "1/(1 − γ) plays are remembered"
        );
        assert!(arms[1].plays < 0.01 && drive.index(&[]) == 1);
    }

    #[test]
    fn most_plays_go_to_the_better_arm() {
        let mut drive = Drive::new(&[1.0; 2], DUcb::new);
        let mut plays = [0; 2];
        for _ in 0..2000 {
            let index = drive.index(&[]);
            plays[index] += 1;
            let outcome = [Outcome::Success, Outcome::ServerError][index];
            drive.call(index, 500, outcome);
        }
        assert!(plays[0] > 1900 - 300 && plays[1] > 20, "{plays:?}");
    }
}
