//! Has the share of wrong hits changed since the time before?
//!
//! Two windows' shares are compared at their effective sizes, with one wrong and one right hit added to each (Agresti and Caffo), which keeps a single wrong hit of few from raising an alarm.
//!
//! # Invariants
//! - A window with nothing settled has no drift.
//! - An alarm is raised for more wrong hits only.

use serde::Serialize;

use super::estimate::Tally;

/// From which statistic on a change is shown: 1 in 20 windows without any change shows one.
const SHOWN: f64 = 1.96;

/// From which statistic on an alarm is raised: 1 in 200 windows without any change raises one.
///
/// Lower wakes an operator of fifty workflows every week for nothing; higher sees a doubling later.
const ALARM: f64 = 2.58;

/// Which way the share of wrong hits went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// More are wrong, and an operator should look.
    Alarm,
    /// More are wrong.
    Up,
    /// No more or fewer than chance explains.
    Level,
    /// Fewer are wrong.
    Down,
}

/// A window against the one before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The share of wrong hits now less that before, -1..=1.
    pub change: f64,
    /// The change in standard errors; positive is more wrong.
    pub statistic: f64,
    /// What that means.
    pub trend: Trend,
}

/// Compares the newest window with the one before; none if either has nothing settled.
#[must_use]
pub fn drift(newest: &Tally, before: &Tally) -> Option<Drift> {
    let (now, many_now) = newest.settled();
    let (then, many_then) = before.settled();
    if many_now <= 0.0 || many_then <= 0.0 {
        return None;
    }
    let adjusted = |share: f64, many: f64| (share * many + 1.0) / (many + 2.0);
    let (left, right) = (adjusted(now, many_now), adjusted(then, many_then));
    let variance =
        left * (1.0 - left) / (many_now + 2.0) + right * (1.0 - right) / (many_then + 2.0);
    let statistic = (left - right) / variance.sqrt();
    let trend = if statistic >= ALARM {
        Trend::Alarm
    } else if statistic >= SHOWN {
        Trend::Up
    } else if statistic <= -SHOWN {
        Trend::Down
    } else {
        Trend::Level
    };
    Some(Drift {
        change: now - then,
        statistic,
        trend,
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::cache::audit::compare::Verdict;

    fn window(right: u32, wrong: u32) -> Tally {
        let mut tally = Tally::default();
        (0..right).for_each(|_| tally.add(Verdict::Same, 0.03));
        (0..wrong).for_each(|_| tally.add(Verdict::Different, 0.03));
        tally
    }

    #[test]
    fn windows_and_their_trend() {
        for (now, before, expected) in [
            ((300, 0), (300, 0), Some(Trend::Level)),
            ((270, 30), (297, 3), Some(Trend::Alarm)),
            ((297, 3), (270, 30), Some(Trend::Down)),
            ((292, 8), (298, 2), Some(Trend::Level)),
            ((290, 10), (298, 2), Some(Trend::Up)),
            ((1, 1), (300, 0), Some(Trend::Up)),
            ((0, 0), (300, 0), None),
            ((300, 0), (0, 0), None),
        ] {
            let found = drift(&window(now.0, now.1), &window(before.0, before.1));
            assert_eq!(
                found.map(|found| found.trend),
                expected,
                "{now:?} {before:?} {found:?}"
            );
        }
    }

    #[test]
    fn chance_seldom_raises_an_alarm_and_a_fivefold_share_mostly_does() {
        let mut rng = StdRng::seed_from_u64(11);
        let mut draw = |share: f64| {
            let wrong = (0..500).filter(|_| rng.random_bool(share)).count();
            window(
                500 - u32::try_from(wrong).unwrap(),
                u32::try_from(wrong).unwrap(),
            )
        };
        let mut alarms = |now, before| {
            (0..1_000)
                .filter(|_| {
                    drift(&draw(now), &draw(before)).is_some_and(|it| it.trend == Trend::Alarm)
                })
                .count()
        };
        let (one, five, jump) = (alarms(0.01, 0.01), alarms(0.05, 0.05), alarms(0.05, 0.01));
        eprintln!("alarms in 1000: none at 1 % {one}, none at 5 % {five}, 1 % to 5 % {jump}");
        assert!(
            one <= 15 && five <= 15 && jump >= 800,
            "{one} {five} {jump}"
        );
    }
}
