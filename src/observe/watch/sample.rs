//! What is read at one instant: plain data, so that everything formed of it can be tested with made-up readings.
//!
//! # Invariants
//! - Counts only go up while a route lives; a smaller count than before means that it began anew.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use scoring::outcome::Outcome;
use scoring::route::RouteView;
use scoring::select::Explained;
use scoring::time::Time;

use crate::observe::Spread;
use crate::observe::kinds::Ending;
use crate::routing::Identity;

/// Readings that are looked back on: the last 10 s, so that a quiet gateway shows percentiles too.
pub(super) const LOOK_BACK: usize = 10;

/// What the gateway has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Requests ended, by [`Ending`].
    pub(super) endings: [u64; Ending::ALL.len()],
    /// How long requests took.
    pub(super) durations: Spread,
    /// The gateway's own part of it.
    pub(super) overhead: Spread,
    /// Time to first token, over all routes.
    pub(super) ttft: Spread,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    /// Dollars.
    pub(super) spend: f64,
    /// Dollars.
    pub(super) saved: f64,
    /// Requests that the cache answered.
    pub(super) answered: u64,
    /// Requests that asked it in vain.
    pub(super) unanswered: u64,
    pub(super) failovers: u64,
}

/// What stands at a level, and is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Levels {
    pub(super) inflight: i64,
    /// Open connections of clients.
    pub(super) connections: i64,
    /// Extra attempts that could be paid for.
    pub(super) retry_left: f64,
    /// Requests that nobody could be told of.
    pub(super) records_dropped: u64,
}

/// What a route has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RouteCounts {
    /// Attempts begun.
    pub(super) dispatched: u64,
    /// Attempts ended, by [`Outcome`].
    pub(super) outcomes: [u64; Outcome::COUNT],
    pub(super) ttft: Spread,
}

/// Attempts begun for one model, by route, in the order of its pool.
pub(super) type Sent = Vec<(Arc<str>, u64)>;

/// Everything that is counted, at one instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) at: Time,
    pub(super) gateway: Totals,
    pub(super) routes: BTreeMap<Arc<str>, RouteCounts>,
    pub(super) models: BTreeMap<Arc<str>, Sent>,
}

/// What is known of one route now.
#[derive(Clone, Debug)]
pub(super) struct RouteNow {
    pub(super) name: Arc<str>,
    pub(super) identity: Identity,
    pub(super) view: RouteView,
    /// The models that use it.
    pub(super) models: Vec<Arc<str>>,
    /// Where it stands in its largest pool; none where no model uses it.
    pub(super) place: Option<Place>,
}

/// A route's place in a pool.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The pool's model.
    pub(super) model: Arc<str>,
    /// The operator's weight as a share of the pool's; 0..=1.
    pub(super) weight_share: f64,
    pub(super) explained: Option<Explained>,
}

/// What is known of one model now.
#[derive(Clone, Debug)]
pub(super) struct ModelNow {
    pub(super) name: Arc<str>,
    pub(super) is_workflow: bool,
    pub(super) fallbacks: Vec<Arc<str>>,
    /// In the order of its pool.
    pub(super) routes: Vec<Member>,
}

/// A route of a model.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) route: Arc<str>,
    /// The operator's weight.
    pub(super) weight: f64,
    /// The same as a share of the pool's; 0..=1.
    pub(super) weight_share: f64,
    /// How a typical request would be decided, where that was looked at.
    pub(super) explained: Option<Explained>,
}

/// One reading.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) marks: Marks,
    pub(super) levels: Levels,
    pub(super) routes: Vec<RouteNow>,
    pub(super) models: Vec<ModelNow>,
}

/// What was counted at the readings before, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(VecDeque<Marks>);

impl Past {
    /// Takes a reading over, and forgets what is too old to be looked back on.
    pub(super) fn push(&mut self, marks: Marks) {
        if self.0.len() == LOOK_BACK {
            self.0.pop_front();
        }
        self.0.push_back(marks);
    }

    /// The oldest.
    pub(super) fn oldest(&self) -> Option<&Marks> {
        self.0.front()
    }

    /// The one before this one.
    pub(super) fn last(&self) -> Option<&Marks> {
        self.0.back()
    }
}

/// Outcomes of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Recent {
    pub(super) outcomes: [u64; Outcome::COUNT],
    /// Its length, seconds.
    pub(super) seconds: f64,
}

impl Recent {
    /// What a route has ended since an earlier reading.
    pub(super) fn of(view: &RouteView, name: &str, now: Time, then: Option<&Marks>) -> Self {
        let Some(then) = then else {
            return Self::default();
        };
        let before = then.routes.get(name).map(|counts| counts.outcomes);
        let before = before.unwrap_or_default();
        Self {
            outcomes: std::array::from_fn(|it| view.outcomes[it].saturating_sub(before[it])),
            seconds: now.since(then.at).as_secs_f64(),
        }
    }

    /// Attempts that tell of the route's health, and how many of them failed.
    pub(super) fn failures(&self) -> (u64, u64) {
        let mut counted = (0, 0);
        for (outcome, count) in self.each() {
            if outcome.effect().counts_attempt {
                counted.0 += count;
                counted.1 += if is_failure(outcome) { count } else { 0 };
            }
        }
        counted
    }

    /// The share of attempts that failed; none where none ended.
    pub(super) fn error_rate(&self) -> Option<f64> {
        let (all, failed) = self.failures();
        (all > 0).then(|| failed as f64 / all as f64)
    }

    /// The kinds of failures, the most frequent first.
    pub(super) fn kinds(&self) -> Vec<(Outcome, u64)> {
        let failed = |(outcome, count): &(Outcome, u64)| *count > 0 && is_failure(*outcome);
        let mut kinds: Vec<_> = self.each().filter(failed).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// Every outcome and how often it came.
    pub(super) fn each(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.outcomes)
    }
}

fn is_failure(outcome: Outcome) -> bool {
    outcome.effect().error_weight > 0.0
}
