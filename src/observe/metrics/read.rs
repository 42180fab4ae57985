//! What do the metrics stand at? Read by the watch, once a second, so that it counts nothing of its own on the path.
//!
//! # Invariants
//! - Reading changes nothing, and is a number of relaxed loads.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Metrics, ModelHandles, RouteHandles};
use crate::observe::Spread;
use crate::observe::kinds::Ending;

/// Attempts begun, by model and route: what shares are worked out of. Not exposed, since models times routes are too many labels.
pub(super) type Sent = Family<ByModelRoute, Counter>;

/// A route of a model.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ByModelRoute {
    model: String,
    route: String,
}

impl Metrics {
    /// The counter of attempts begun on a route for a model; the same over reloads.
    #[must_use]
    pub fn sent(&self, model: &str, route: &str) -> Counter {
        let labels = ByModelRoute {
            model: model.to_owned(),
            route: route.to_owned(),
        };
        self.sent.get_or_create(&labels).clone()
    }

    /// Requests that the cache answered, and those that asked it in vain.
    #[must_use]
    pub fn cache(&self) -> (u64, u64) {
        (self.cached.answered.get(), self.cached.unanswered.get())
    }
}

impl ModelHandles {
    /// Requests ended, by [`Ending`].
    #[must_use]
    pub fn endings(&self) -> [u64; Ending::ALL.len()] {
        self.requests.each_ref().map(Counter::get)
    }

    /// How long they took.
    #[must_use]
    pub fn durations(&self) -> Spread {
        let mut all = self.duration_whole.spread();
        all.add(&self.duration_stream.spread());
        all
    }
}

impl RouteHandles {
    /// Requests that left the route for another one.
    #[must_use]
    pub fn failovers(&self) -> u64 {
        self.failovers.iter().map(Counter::get).sum()
    }
}
