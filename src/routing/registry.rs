//! Where do a route's statistics live while configurations come and go?
//!
//! # Invariants
//! - Looking an identity up twice gives the same statistics.
//! - A route that begins anew is steered as the one before it was; one that no configuration has any more is forgotten with that.
//! - Statistics of routes that no snapshot uses are dropped at the next [`Registry::prune`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use scoring::ceiling::ToldLimits;
use scoring::route::{Parent, Prior, Route};
use scoring::shadow::Tally;
use scoring::tuning::Tuning;

use super::gate::Gate;

/// What makes a route the same route across reloads: provider, upstream model, key and region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The provider's name.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// The key's name.
    pub key: String,
    /// The region; empty when there is none.
    pub region: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.provider, self.model, self.key)?;
        if self.region.is_empty() {
            return Ok(());
        }
        write!(f, "@{}", self.region)
    }
}

/// A route, and what it was built with: it is built anew when that changes.
struct Built {
    told: ToldLimits,
    tuning: Tuning,
    route: Arc<Route>,
}

/// What a shadow has found out about a model, and what it was asked: live constants, its own, and the routes.
struct Trial {
    tunings: [Tuning; 2],
    routes: Vec<Identity>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Known {
    routes: HashMap<Identity, Built>,
    gates: HashMap<Box<str>, Arc<Gate>>,
    trials: HashMap<Box<str>, Trial>,
    parents: HashMap<(String, String), Arc<Parent>>,
}

/// All statistics of the process. Used while a snapshot is built and by housekeeping, never by a request.
#[derive(Default)]
pub struct Registry {
    known: Mutex<Known>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// The statistics of a route: those there are, else new ones.
    ///
    /// Other limits told by the configuration, or other constants, make a route begin anew: what was learned under the old ones does not hold, what operators did does.
    pub fn route(&self, identity: &Identity, told: &ToldLimits, tuning: &Tuning) -> Arc<Route> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let elder = known.routes.get(identity);
        if let Some(built) = elder.filter(|it| it.told == *told && it.tuning == *tuning) {
            return Arc::clone(&built.route);
        }
        let elder = elder.map(|built| Arc::clone(&built.route));
        let place = (identity.provider.clone(), identity.region.clone());
        let parent = Arc::clone(known.parents.entry(place).or_default());
        let route = Arc::new(Route::new(parent, &Prior::default(), told, tuning));
        if let Some(elder) = elder {
            route.inherit(&elder);
        }
        let built = Built {
            told: *told,
            tuning: *tuning,
            route: Arc::clone(&route),
        };
        known.routes.insert(identity.clone(), built);
        route
    }

    /// Does something with the route of this name; `None` if there is none.
    ///
    /// Why here: no route that takes this one's place is built meanwhile.
    pub fn with<T>(&self, name: &str, act: impl FnOnce(&Identity, &Route) -> T) -> Option<T> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = known.routes.iter();
        let (identity, built) = routes.find(|(identity, _)| identity.to_string() == name)?;
        Some(act(identity, &built.route))
    }

    /// The gate of the workflow of this name: the one there is, else a new one.
    pub fn gate(&self, name: &str) -> Arc<Gate> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.gates.entry(name.into()).or_default())
    }

    /// What is counted of the shadow of the model of this name: what there is if live constants, the shadow's and the routes are the same, else anew.
    pub(super) fn tally(
        &self,
        name: &str,
        tunings: [Tuning; 2],
        routes: impl Iterator<Item = Identity>,
    ) -> Arc<Tally> {
        let routes: Vec<Identity> = routes.collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trial) = known.trials.get(name)
            && trial.tunings == tunings
            && trial.routes == routes
        {
            return Arc::clone(&trial.tally);
        }
        let tally = Arc::new(Tally::new(routes.len()));
        let trial = Trial {
            tunings,
            routes,
            tally: Arc::clone(&tally),
        };
        known.trials.insert(name.into(), trial);
        tally
    }

    /// All routes, in the order of their identities.
    #[must_use]
    pub fn all(&self) -> Vec<(Identity, Arc<Route>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known
            .routes
            .iter()
            .map(|(identity, built)| (identity.clone(), Arc::clone(&built.route)))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Forgets the routes and gates that nobody holds any more.
    pub fn prune(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .routes
            .retain(|_, built| Arc::strong_count(&built.route) > 1);
        known.gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        known
            .trials
            .retain(|_, trial| Arc::strong_count(&trial.tally) > 1);
    }
}

#[cfg(test)]
mod tests {
    use scoring::route::Until;
    use scoring::time::Time;

    use super::*;

    fn identity(key: &str) -> Identity {
        Identity {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            key: key.to_owned(),
            region: String::new(),
        }
    }

    #[test]
    fn statistics_survive_by_identity() {
        let registry = Registry::default();
        let (told, tuning) = (ToldLimits::default(), Tuning::default());
        let first = registry.route(&identity("a"), &told, &tuning);
        assert!(Arc::ptr_eq(
            &first,
            &registry.route(&identity("a"), &told, &tuning)
        ));
        assert!(!Arc::ptr_eq(
            &first,
            &registry.route(&identity("b"), &told, &tuning)
        ));
        registry.prune();
        assert_eq!(registry.all().len(), 1);
        let limited = ToldLimits {
            requests_per_minute: Some(5),
            ..told
        };
        assert!(!Arc::ptr_eq(
            &first,
            &registry.route(&identity("a"), &limited, &tuning)
        ));
    }

    #[test]
    fn a_route_that_begins_anew_is_steered_as_before() {
        let now = Time::from_micros(1_000_000);
        let registry = Registry::default();
        let (told, tuning) = (ToldLimits::default(), Tuning::default());
        let first = registry.route(&identity("a"), &told, &tuning);
        assert!(registry.with("p/m/b", |_, _| ()).is_none());
        registry
            .with("p/m/a", |_, route| route.drain(Until::Undone))
            .unwrap();
        let limited = ToldLimits {
            requests_per_minute: Some(5),
            ..told
        };
        let mut other = tuning;
        other.draw.band *= 2.0;
        let second = registry.route(&identity("a"), &limited, &tuning);
        let third = registry.route(&identity("a"), &limited, &other);
        assert!(!Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&second, &third));
        assert_eq!(third.steering(now).drained, Some(Until::Undone));
        registry.with("p/m/a", |_, route| route.undrain()).unwrap();
        assert_eq!(third.steering(now).drained, None);
        drop((first, second, third));
        registry.prune();
        let anew = registry.route(&identity("a"), &limited, &other);
        assert_eq!(anew.steering(now).drained, None);
    }

    #[test]
    fn a_shadow_counts_on_while_it_is_asked_the_same() {
        let registry = Registry::default();
        let (live, mut other) = (Tuning::default(), Tuning::default());
        other.draw.band = 0.3;
        let tally = |tunings, keys: &[&str]| {
            registry.tally("m", tunings, keys.iter().map(|key| identity(key)))
        };
        let first = tally([live, other], &["a"]);
        assert!(Arc::ptr_eq(&first, &tally([live, other], &["a"])));
        assert!(!Arc::ptr_eq(&first, &tally([live, live], &["a"])));
        assert!(!Arc::ptr_eq(&first, &tally([live, other], &["a", "b"])));
        registry.prune();
        let again = tally([live, other], &["a", "b"]);
        assert_eq!(Arc::strong_count(&again), 2);
    }

    #[test]
    fn an_identity_reads_well() {
        let mut id = identity("k");
        assert_eq!(id.to_string(), "p/m/k");
        id.region = "eu".to_owned();
        assert_eq!(id.to_string(), "p/m/k@eu");
    }
}
