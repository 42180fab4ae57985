//! Reads everything that is watched: metrics, the routes' statistics, and how a typical request would be decided.
//!
//! # Invariants
//! - Nothing is written, and no lock is held that a request could want.
//! - Handles are resolved once for each name of the configuration, and again only when its routes change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scoring::Class;
use scoring::outcome::Outcome;
use scoring::retry::RetryBudget;
use scoring::route::{Ask, RouteView};
use scoring::select::{Explained, Tried, explain};
use scoring::time::Time;

use super::sample::{
    Levels, Marks, Member, ModelNow, Place, Reading, RouteCounts, RouteNow, Sent, Totals,
};
use crate::observe::Counter;
use crate::observe::events::Events;
use crate::observe::metrics::{Metrics, RouteHandles};
use crate::routing::{Identity, Model, Registry, Snapshot, Target};

/// Input tokens of a typical request where none was seen: a page of text.
const TYPICAL_INPUT: u64 = 500;

/// Largest input of a typical request; beyond it a count of tokens is a mistake.
const LARGEST_INPUT: u64 = 1 << 20;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The models that are served now.
    pub routing: &'a Snapshot,
    /// The routes' statistics.
    pub registry: &'a Registry,
    /// What is counted.
    pub metrics: &'a Metrics,
    /// What is left for extra attempts.
    pub budget: &'a RetryBudget,
    /// Where what has changed is noted.
    pub events: &'a Events,
    /// The evidence at which a circuit opens, as its CUSUM counts.
    pub threshold: f32,
}

/// The counters of what was sent to each route of a model, in the order of its pool.
type Counters = Vec<(Arc<str>, Counter)>;

/// The handles that were resolved so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    sent: BTreeMap<Box<str>, (Arc<str>, Counters)>,
    routes: BTreeMap<Arc<str>, RouteHandles>,
}

/// A route as the registry has it.
pub(super) type Listed = (Arc<str>, Identity, RouteView);

/// The routes' statistics at `now`, by name.
pub(super) fn views(registry: &Registry, now: Time) -> Vec<Listed> {
    let all = registry.all().into_iter();
    all.map(|(identity, route)| (identity.to_string().into(), identity, route.view(now)))
        .collect()
}

impl Reader {
    /// Reads everything; the pools of `wanted` models are explained beside those that are some route's largest.
    pub(super) fn read(
        &mut self,
        scene: &Scene<'_>,
        listed: Vec<Listed>,
        wanted: &BTreeSet<Arc<str>>,
        now: Time,
    ) -> Reading {
        let models = &scene.routing.models;
        let homes = homes(models);
        let views: BTreeMap<&str, &RouteView> = listed
            .iter()
            .map(|(name, _, view)| (&**name, view))
            .collect();
        let needed: BTreeSet<usize> = homes.values().map(|home| home.0).collect();
        let mut sent = BTreeMap::new();
        let of_models: Vec<ModelNow> = models
            .iter()
            .enumerate()
            .map(|(index, model)| {
                let name = self.sent_of(scene.metrics, model, &mut sent);
                let is_looked_at = needed.contains(&index) || wanted.contains(&name);
                let explained = is_looked_at.then(|| explained(model, &views, now));
                ModelNow {
                    is_workflow: model.gate.is_some(),
                    fallbacks: names(models, &model.fallbacks),
                    routes: members(model, explained.as_deref()),
                    name,
                }
            })
            .collect();
        let users = users(&of_models);
        let mut routes = BTreeMap::new();
        let of_routes: Vec<RouteNow> = listed
            .into_iter()
            .map(|(name, identity, view)| {
                let handles = self.route(scene.metrics, &name);
                let counts = RouteCounts {
                    dispatched: view.dispatched,
                    outcomes: view.outcomes,
                    ttft: handles.ttft.spread(),
                };
                routes.insert(Arc::clone(&name), counts);
                RouteNow {
                    models: users.get(&*name).cloned().unwrap_or_default(),
                    place: homes.get(&*name).map(|&home| place(&of_models, home)),
                    name,
                    identity,
                    view,
                }
            })
            .collect();
        self.forget(models, &routes);
        let marks = Marks {
            at: now,
            gateway: totals(scene.metrics),
            routes,
            models: sent,
        };
        Reading {
            marks,
            levels: levels(scene, now),
            routes: of_routes,
            models: of_models,
        }
    }

    /// Counts what was sent for a model, and gives its name.
    fn sent_of(
        &mut self,
        metrics: &Metrics,
        model: &Model,
        into: &mut BTreeMap<Arc<str>, Sent>,
    ) -> Arc<str> {
        let is_same = |known: &[(Arc<str>, Counter)]| {
            known.len() == model.targets.len()
                && known
                    .iter()
                    .zip(&model.targets)
                    .all(|(known, target)| Arc::ptr_eq(&known.0, &target.name))
        };
        let known = self.sent.get(&model.name);
        if !known.is_some_and(|(_, known)| is_same(known)) {
            let counter = |target: &Target| {
                let name = Arc::clone(&target.name);
                let counter = metrics.sent(&model.name, &name);
                (name, counter)
            };
            let counters = model.targets.iter().map(counter).collect();
            let name: Arc<str> = Arc::from(&*model.name);
            self.sent.insert(model.name.clone(), (name, counters));
        }
        let Some((name, counters)) = self.sent.get(&model.name) else {
            return Arc::from(&*model.name);
        };
        let counts = counters
            .iter()
            .map(|(route, counter)| (Arc::clone(route), counter.get()));
        into.insert(Arc::clone(name), counts.collect());
        Arc::clone(name)
    }

    fn route(&mut self, metrics: &Metrics, name: &Arc<str>) -> &RouteHandles {
        let entry = self.routes.entry(Arc::clone(name));
        entry.or_insert_with(|| metrics.route(name))
    }

    /// Forgets the handles of what is served no more: whoever holds one keeps its series alive.
    fn forget(&mut self, models: &[Model], routes: &BTreeMap<Arc<str>, RouteCounts>) {
        self.routes.retain(|name, _| routes.contains_key(name));
        let is_served = |name: &str| models.iter().any(|model| *model.name == *name);
        self.sent.retain(|name, _| is_served(name));
    }
}

/// Sums over every model and route that was ever served: requests of a former configuration may still end.
fn totals(metrics: &Metrics) -> Totals {
    let (answered, unanswered) = metrics.cache();
    let (models, routes) = (metrics.of_all_models(), metrics.of_all_routes());
    Totals {
        endings: models.endings(),
        durations: models.durations(),
        overhead: metrics.overhead.spread(),
        ttft: routes.ttft.spread(),
        tokens_in: models.tokens_in.get(),
        tokens_out: models.tokens_out.get(),
        spend: routes.spend.get(),
        saved: models.saved.get(),
        answered,
        unanswered,
        failovers: routes.failovers(),
    }
}

fn levels(scene: &Scene<'_>, now: Time) -> Levels {
    Levels {
        inflight: scene.metrics.inflight.get(),
        connections: scene.metrics.open.get(),
        retry_left: scene.budget.left(now),
        records_dropped: scene.metrics.stories_dropped.get(),
    }
}

/// For each route its model with the most routes, and its place there.
fn homes(models: &[Model]) -> BTreeMap<&str, (usize, usize)> {
    let mut homes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (index, model) in models.iter().enumerate() {
        for (at, target) in model.targets.iter().enumerate() {
            let home = homes.entry(&target.name).or_insert((index, at));
            if models[home.0].targets.len() < model.targets.len() {
                *home = (index, at);
            }
        }
    }
    homes
}

fn place(models: &[ModelNow], (model, at): (usize, usize)) -> Place {
    let model = &models[model];
    let member = model.routes.get(at);
    Place {
        model: Arc::clone(&model.name),
        weight_share: member.map_or(0.0, |member| member.weight_share),
        explained: member.and_then(|member| member.explained),
    }
}

fn names(models: &[Model], of: &[usize]) -> Vec<Arc<str>> {
    let found = of.iter().filter_map(|&index| models.get(index));
    found.map(|model| Arc::from(&*model.name)).collect()
}

/// The models that use each route.
fn users(models: &[ModelNow]) -> BTreeMap<&str, Vec<Arc<str>>> {
    let mut users: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
    for model in models {
        for member in &model.routes {
            let known = users.entry(&member.route).or_default();
            // A route may stand in a model twice.
            if known.last().is_none_or(|last| *last != model.name) {
                known.push(Arc::clone(&model.name));
            }
        }
    }
    users
}

fn members(model: &Model, explained: Option<&[Explained]>) -> Vec<Member> {
    let candidates = model.pool.candidates();
    let all: f64 = candidates.iter().map(|it| f64::from(it.weight)).sum();
    let pairs = candidates.iter().zip(&model.targets).enumerate();
    pairs
        .map(|(index, (candidate, target))| Member {
            route: Arc::clone(&target.name),
            weight: f64::from(candidate.weight),
            weight_share: f64::from(candidate.weight) / all,
            explained: explained.and_then(|it| it.get(index)).copied(),
        })
        .collect()
}

/// How a typical request to a model would be decided.
fn explained(model: &Model, views: &BTreeMap<&str, &RouteView>, now: Time) -> Vec<Explained> {
    let targets = model.targets.iter();
    let views = targets.filter_map(|target| views.get(&*target.name).copied());
    let ask = typical(views);
    explain(&model.pool, &ask, &Tried::default(), now).candidates
}

/// A request like those that these routes have served.
fn typical<'a>(views: impl Iterator<Item = &'a RouteView> + Clone) -> Ask {
    let is_measured = |class: &Class| {
        views
            .clone()
            .any(|view| view.classes[class.index()].measured)
    };
    let class = Class::ALL.into_iter().find(is_measured);
    let served: u64 = views
        .clone()
        .map(|view| view.outcomes[Outcome::Success.index()])
        .sum();
    let tokens: u64 = views.map(|view| view.tokens_in).sum();
    let mean = tokens.checked_div(served).filter(|&mean| mean > 0);
    let mean = mean.unwrap_or(TYPICAL_INPUT).min(LARGEST_INPUT);
    Ask {
        class: class.unwrap_or(Class::ChatStream),
        input_tokens: u32::try_from(mean).unwrap_or(u32::MAX),
        max_tokens: None,
        deadline: None,
        probe_ok: false,
        affinity: None,
    }
}
