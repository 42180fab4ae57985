//! Where does the traffic go, and when did it move?
//!
//! Counters of attempts begun are read several times a second; the share of a route is its part of what was begun within the last seconds.
//! A shift is timed from cause to effect: from the instant the sick route begins to degrade until its share is below half of its own, and from its recovery until it is above half again.
//!
//! # Invariants
//! - Memory is bounded by [`READINGS`].
//! - Shares are of attempts begun, retries included, the same for both sides.

use std::collections::VecDeque;

use scoring::time::Span;

use super::script::{Phase, ROUTES, SICK, Story, between};

/// Readings kept: four a second over more than the longest window.
const READINGS: usize = 128;

/// Attempts below which a window says nothing about shares.
const FEW: u64 = 8;

/// What part of its own share a route must lose, and regain, for traffic to have moved.
const HALF: f64 = 0.5;

/// Attempts begun lately.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    window: Span,
    readings: VecDeque<(Span, [u64; ROUTES])>,
}

/// When traffic left the sick route and came back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shift {
    /// Its share over the whole healthy phase.
    pub(super) before: Option<f64>,
    /// From the first sign of trouble until below half of that.
    pub(super) away: Option<Span>,
    /// From the end of the trouble until above half of that.
    pub(super) back: Option<Span>,
}

impl Shares {
    pub(super) fn new(window: Span) -> Self {
        Self {
            window,
            readings: VecDeque::new(),
        }
    }

    /// Takes a reading of the counters.
    pub(super) fn push(&mut self, at: Span, begun: [u64; ROUTES]) {
        self.readings.push_back((at, begun));
        let outdated = between(self.window, at);
        // The newest reading that is older than the window is what the window is measured against.
        while self
            .readings
            .get(1)
            .is_some_and(|reading| reading.0 <= outdated)
            || self.readings.len() > READINGS
        {
            self.readings.pop_front();
        }
    }

    /// The share of `route`; `None` while too little was begun.
    pub(super) fn of(&self, route: usize) -> Option<f64> {
        let ((_, from), (_, to)) = (self.readings.front()?, self.readings.back()?);
        part(
            route,
            std::array::from_fn(|route| to[route].saturating_sub(from[route])),
        )
    }

    /// The counters as last read.
    pub(super) fn latest(&self) -> Option<[u64; ROUTES]> {
        self.readings.back().map(|reading| reading.1)
    }
}

impl Shift {
    /// Looks whether traffic has moved by `at`.
    pub(super) fn turn(&mut self, at: Span, story: Story, shares: &Shares) {
        let phase = story.phase(at);
        if phase == Phase::Healthy {
            self.before = shares.latest().and_then(|begun| part(SICK, begun));
            return;
        }
        let (Some(before), Some(share)) = (self.before, shares.of(SICK)) else {
            return;
        };
        let trouble = matches!(phase, Phase::Degrading | Phase::Bad);
        if trouble && self.away.is_none() && share < HALF * before {
            self.away = Some(between(story.start(Phase::Degrading), at));
        }
        if !trouble && self.away.is_some() && self.back.is_none() && share >= HALF * before {
            self.back = Some(between(story.start(Phase::Recovered), at));
        }
    }
}

fn part(route: usize, begun: [u64; ROUTES]) -> Option<f64> {
    let sum: u64 = begun.iter().sum();
    (sum >= FEW).then(|| begun[route] as f64 / sum as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the shares compared are exact")]

    use super::*;

    const WINDOW: Span = Span::from_secs(2);

    /// Plays a run in which the sick route gets `share(second)` of 100 attempts a second.
    fn play(share: impl Fn(u64) -> u64) -> Shift {
        let (mut shares, mut shift) = (Shares::new(WINDOW), Shift::default());
        let mut begun = [0; ROUTES];
        for second in 0..=180 {
            let at = Span::from_secs(second);
            shares.push(at, begun);
            shift.turn(at, Story::new(1.0), &shares);
            begun[SICK] += share(second);
            begun[1] += 100 - share(second);
        }
        shift
    }

    #[test]
    fn a_share_is_of_the_window_only() {
        let mut shares = Shares::new(WINDOW);
        assert_eq!(shares.of(0), None);
        for (second, begun) in [
            (0, [0, 0, 0]),
            (1, [50, 50, 0]),
            (2, [50, 150, 0]),
            (3, [50, 250, 0]),
        ] {
            shares.push(Span::from_secs(second), begun);
        }
        assert_eq!((shares.of(0), shares.of(1)), (Some(0.0), Some(1.0)));
        assert_eq!(shares.readings.len(), 3);
        (0..1_000).for_each(|at| shares.push(Span::from_micros(3_000_000 + at), [50, 250, 0]));
        assert!(shares.readings.len() <= READINGS);
    }

    #[test]
    fn a_shift_is_timed_from_its_cause() {
        let shift = play(|second| if (70..140).contains(&second) { 1 } else { 50 });
        assert_eq!(shift.before, Some(0.5));
        assert_eq!(shift.away, Some(Span::from_secs(12)));
        assert_eq!(shift.back, Some(Span::from_secs(6)));
    }

    #[test]
    fn static_weights_never_shift() {
        let shift = play(|_| 50);
        assert_eq!((shift.away, shift.back), (None, None));
        let gone = play(|second| if second > 70 { 0 } else { 50 });
        assert!(gone.away.is_some() && gone.back.is_none());
    }
}
