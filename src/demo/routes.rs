//! How does the gateway see its routes right now?
//!
//! Reads the very statistics that decide: state and counters of each route, and the scores from scoring's own explanation of a typical request.
//!
//! # Invariants
//! - Read only; nothing here changes a decision.
//! - Routes are in the order of the cast.

use std::collections::VecDeque;
use std::sync::Arc;

use scoring::Class;
use scoring::health::State;
use scoring::outcome::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Tried};
use scoring::time::{Span, Time};

use super::script::{CAST, MODEL, ROUTES, between};
use crate::proxy::Shared;

/// Readings of the outcome counters kept: four a second over more than the longest window.
const READINGS: usize = 128;

/// The median request, for which scores are shown.
const TYPICAL: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 1_020,
    max_tokens: Some(129),
    deadline: None,
    probe_ok: false,
    affinity: None,
};

/// One route at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) state: State,
    /// Best expected cost over its own; 0..=1.
    pub(super) score: f32,
    /// Attempts in flight.
    pub(super) in_flight: u32,
    /// Attempts begun since the start.
    pub(super) begun: u64,
    /// Share of the last seconds' attempts that failed; `None` without any.
    pub(super) errors: Option<f64>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            state: State::Healthy,
            score: 1.0,
            in_flight: 0,
            begun: 0,
            errors: None,
        }
    }
}

/// Attempts ended on a route, and how many of them in failure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ended {
    all: u64,
    failed: u64,
}

/// Reads the routes of a running gateway.
#[derive(Debug)]
pub(super) struct Observer {
    shared: Arc<Shared>,
    window: Span,
    readings: VecDeque<(Span, [Ended; ROUTES])>,
}

impl Observer {
    /// An observer whose error shares look back for `window`.
    pub(super) fn new(shared: Arc<Shared>, window: Span) -> Self {
        Self {
            shared,
            window,
            readings: VecDeque::new(),
        }
    }

    /// The routes at `now`, which is `at` since the beginning.
    pub(super) fn read(&mut self, at: Span, now: Time) -> [Standing; ROUTES] {
        let mut standings = [Standing::default(); ROUTES];
        let mut ended = [Ended::default(); ROUTES];
        let serving = self.shared.serving.load();
        let Some(model) = serving
            .routing
            .find(MODEL)
            .map(|index| &serving.routing.models[index])
        else {
            return standings;
        };
        let explained = select::explain(&model.pool, &TYPICAL, &Tried::default(), now);
        for (target, explained) in model.targets.iter().zip(&explained.candidates) {
            let name = |actor: &super::script::Actor| actor.name == target.identity.provider;
            let Some(route) = CAST.iter().position(name) else {
                continue;
            };
            let view = target.route.view(now);
            ended[route] = Ended::of(&view.outcomes);
            standings[route] = Standing {
                state: view.state,
                score: explained.score,
                in_flight: view.inflight,
                begun: view.dispatched,
                errors: None,
            };
        }
        self.remember(at, ended);
        for (route, standing) in standings.iter_mut().enumerate() {
            standing.errors = self.errors(route);
        }
        standings
    }

    fn remember(&mut self, at: Span, ended: [Ended; ROUTES]) {
        self.readings.push_back((at, ended));
        let outdated = between(self.window, at);
        while self
            .readings
            .get(1)
            .is_some_and(|reading| reading.0 <= outdated)
            || self.readings.len() > READINGS
        {
            self.readings.pop_front();
        }
    }

    fn errors(&self, route: usize) -> Option<f64> {
        let (from, to) = (
            self.readings.front()?.1[route],
            self.readings.back()?.1[route],
        );
        let all = to.all - from.all;
        (all > 0).then(|| (to.failed - from.failed) as f64 / all as f64)
    }
}

impl Ended {
    fn of(outcomes: &[u64; Outcome::COUNT]) -> Self {
        let counted = Outcome::ALL
            .iter()
            .filter(|outcome| outcome.effect().counts_attempt);
        counted.fold(Self::default(), |sum, outcome| {
            let count = outcomes[outcome.index()];
            let failed = outcome.effect().error_weight > 0.0;
            Self {
                all: sum.all + count,
                failed: sum.failed + if failed { count } else { 0 },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_of_the_route_counts() {
        let mut outcomes = [0; Outcome::COUNT];
        for (outcome, count) in [
            (Outcome::Success, 7),
            (Outcome::Overloaded, 2),
            (Outcome::TimedOut, 1),
            (Outcome::Canceled, 50),
            (Outcome::Rejected, 50),
        ] {
            outcomes[outcome.index()] = count;
        }
        assert_eq!(Ended::of(&outcomes), Ended { all: 10, failed: 3 });
    }
}
