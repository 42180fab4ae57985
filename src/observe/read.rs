//! What do the metrics stand at? Read by the watch, once a second, so that it counts nothing of its own on the path.
//!
//! # Invariants
//! - Reading changes nothing, and is a number of relaxed loads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Spread;
use super::handles::{Format, Metrics, ModelHandles, RouteHandles};
use super::kinds::Ending;
use super::meter::{Counter, Sheet};

/// Attempts begun, by model and route: what shares are worked out of. Not exposed, since models times routes are too many labels.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<BTreeMap<[Box<str>; 2], Counter>>);

impl Sent {
    fn of(&self, model: &str, route: &str) -> Counter {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry([model.into(), route.into()])
            .or_default()
            .clone()
    }

    /// Forgets what no snapshot and nobody else counts.
    pub(super) fn prune(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, counter| counter.is_shared());
    }
}

impl Metrics {
    /// The counter of attempts begun on a route for a model; the same over reloads.
    #[must_use]
    pub fn sent(&self, model: &str, route: &str) -> Counter {
        self.sent.of(model, route)
    }

    /// All that was counted, as Prometheus' text, without what is read at a scrape.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.expose(Format::Text, Sheet::default());
        String::from_utf8(text).unwrap_or_default()
    }

    /// What all models have counted so far, those that are no more included.
    #[must_use]
    pub fn of_all_models(&self) -> ModelHandles {
        ModelHandles::of(&self.models.sum())
    }

    /// What all routes have counted so far, those that are no more included.
    #[must_use]
    pub fn of_all_routes(&self) -> RouteHandles {
        RouteHandles::of(&self.routes.sum())
    }

    /// Requests that the cache answered, and those that asked it in vain.
    #[must_use]
    pub fn cache(&self) -> (u64, u64) {
        let [asked, answered] = self.asked();
        (answered, asked.saturating_sub(answered))
    }
}

impl ModelHandles {
    /// Requests ended, by [`Ending`].
    #[must_use]
    pub fn endings(&self) -> [u64; Ending::ALL.len()] {
        Ending::ALL.map(|ending| self.ended_so(ending))
    }

    /// How long they took.
    #[must_use]
    pub fn durations(&self) -> Spread {
        let [whole, stream] = self.lasted();
        let mut all = whole.spread();
        all.add(&stream.spread());
        all
    }
}

impl RouteHandles {
    /// Requests that left the route for another one.
    #[must_use]
    pub fn failovers(&self) -> u64 {
        self.left()
    }
}
