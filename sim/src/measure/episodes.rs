//! When did a bad route lose its traffic, and when did it get it back?
//!
//! An episode is a time in which a fault holds on a route.
//! The route's share of first attempts just before is what it is measured against.
//! Detection is where the running sum of "this pick went there, less half of that share" is highest: up to there it still had more than half, from there on less.
//! Recovery is where the same sum, against a half or nine tenths of the share, is lowest after the fault's end.
//! No window is involved, so nothing is told earlier or later than it was.
//!
//! # Invariants
//! - Picks are in the order of time.

use scoring::time::{Span, Time};

use crate::scenario::Scenario;
use crate::world::{START, worst};

/// The least worst chance of failure that makes an episode.
const BAD_CHANCE: f64 = 0.03;
/// The least slow-down that makes one.
const BAD_FACTOR: f64 = 1.3;
/// How long before an onset the share is measured.
const BEFORE: Span = Span::from_secs(60);
/// The least share before an onset that can be followed.
const LEAST_SHARE: f64 = 0.01;
/// Picks of the route that must be missing at the end of an episode for its loss to be believed.
const NEAR: f64 = 4.0;
/// Most episodes of one run.
const MOST: usize = 1_000;

/// A time in which something is wrong with a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Episode {
    pub(crate) route: usize,
    pub(crate) from: Time,
    pub(crate) until: Time,
}

/// One first attempt: when and to which route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pick {
    pub(crate) at: Time,
    pub(crate) route: u16,
}

/// How an episode went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Course {
    /// Seconds until less than half of the share was left; `None` if it never was.
    pub(crate) detected: Option<f64>,
    /// First attempts sent there until then.
    pub(crate) samples: f64,
    /// Seconds and requests of the pool until half was back; `None` if the run or the calm ended before.
    pub(crate) half: Option<(f64, f64)>,
    /// The same for nine tenths.
    pub(crate) most: Option<(f64, f64)>,
}

/// Every episode of a scenario, in the order of onset.
pub(crate) fn episodes(scenario: &Scenario) -> Vec<Episode> {
    let end = START.plus(scenario.duration);
    let mut list: Vec<Episode> = Vec::new();
    for fault in &scenario.faults {
        let (chance, factor) = worst(fault);
        if chance < BAD_CHANCE && factor < BAD_FACTOR {
            continue;
        }
        let mut shift = Span::ZERO;
        loop {
            let from = START.plus(shift).plus(fault.from);
            let until = fault
                .until
                .map_or(end, |it| START.plus(shift).plus(it))
                .min(end);
            if from >= end || list.len() >= MOST {
                break;
            }
            list.extend(fault.on.iter().map(|&route| Episode { route, from, until }));
            match fault.every {
                Some(every) => shift = shift.plus(every),
                None => break,
            }
        }
    }
    list.sort_by_key(|it| (it.route, it.from));
    list.dedup_by(|next, last| {
        let joined = next.route == last.route && next.from <= last.until;
        if joined {
            last.until = last.until.max(next.until);
        }
        joined
    });
    list.sort_by_key(|it| (it.from, it.route));
    list
}

/// Follows one episode through the picks; `quiet_until` is when the next one on the same route begins.
pub(crate) fn follow(episode: &Episode, picks: &[Pick], quiet_until: Time) -> Option<Course> {
    let at = |time: Time| picks.partition_point(|pick| pick.at < time);
    let there = |pick: &&Pick| usize::from(pick.route) == episode.route;
    let before = &picks[at(episode.from.minus(BEFORE))..at(episode.from)];
    let share = before.iter().filter(there).count() as f64 / before.len().max(1) as f64;
    if share < LEAST_SHARE {
        return None;
    }
    let during = &picks[at(episode.from)..at(episode.until)];
    let lost = turn(during, episode.route, 0.5 * share, 1.0);
    let detected = match lost {
        0 => Some(0.0),
        // So near the end, picks that did not go there are chance.
        _ if lost as f64 + NEAR / share >= during.len() as f64 => None,
        _ => Some(during[lost - 1].at.since(episode.from).as_secs_f64()),
    };
    let after = &picks[at(episode.until)..at(quiet_until)];
    let back = |part: f64| {
        let turned = turn(after, episode.route, part * share, -1.0);
        match turned {
            0 => Some((0.0, 0.0)),
            _ if turned >= after.len() => None,
            _ => {
                let seconds = after[turned - 1].at.since(episode.until).as_secs_f64();
                Some((seconds, turned as f64))
            }
        }
    };
    Some(Course {
        detected,
        samples: during[..lost].iter().filter(there).count() as f64,
        half: back(0.5),
        most: back(0.9),
    })
}

/// How many picks lie before the highest (`sign` 1) or the lowest (−1) point of the sum of "went there" less `level`.
fn turn(picks: &[Pick], route: usize, level: f64, sign: f64) -> usize {
    let (mut sum, mut best, mut turn) = (0.0, 0.0, 0);
    for (index, pick) in picks.iter().enumerate() {
        let went = if usize::from(pick.route) == route {
            1.0
        } else {
            0.0
        };
        sum += sign * (went - level);
        if sum > best {
            (best, turn) = (sum, index + 1);
        }
    }
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// A pick each 10 ms; route 0 gets every fourth, but for `gone`.
    fn picks(gone: std::ops::Range<u64>, until: u64) -> Vec<Pick> {
        let pick = |i: u64| Pick {
            at: at(i * 10),
            route: u16::from(!i.is_multiple_of(4) || gone.contains(&(i * 10))),
        };
        (0..until / 10).map(pick).collect()
    }

    #[test]
    fn detection_and_recovery_are_told_to_the_pick() {
        let episode = Episode {
            route: 0,
            from: at(60_000),
            until: at(90_000),
        };
        let picks = picks(61_000..95_000, 150_000);
        let course = follow(&episode, &picks, at(150_000)).unwrap();
        assert!((course.detected.unwrap() - 0.96).abs() < 0.05, "{course:?}");
        assert!((course.samples - 25.0).abs() < 1.5);
        assert!((course.half.unwrap().0 - 5.0).abs() < 0.05, "{course:?}");
        assert!((course.most.unwrap().0 - 5.0).abs() < 0.05);
    }

    #[test]
    fn what_is_never_noticed_is_told_so() {
        let episode = Episode {
            route: 0,
            from: at(60_000),
            until: at(90_000),
        };
        let course = follow(&episode, &picks(0..0, 120_000), at(120_000)).unwrap();
        assert_eq!(course.detected, None);
    }
}
