//! Models and their routes, as one immutable value.
//!
//! # Invariants
//! - `targets` and the pool's candidates of a model have the same order and length.
//! - A model-route × provider-key pair is one candidate; its weight is the route's times the key's share among the provider's keys,
//!   so a provider with two keys does not get twice the traffic.

use std::collections::HashMap;
use std::sync::Arc;

use scoring::retry::RetryPolicy;
use scoring::route::Route;
use scoring::select::{Candidate, Pool};

use super::registry::{Identity, Registry};
use crate::config::{Config, Timeouts};

/// All models.
#[derive(Debug)]
pub struct Snapshot {
    by_name: HashMap<Box<str>, usize>,
    /// The models, in the order configured.
    pub models: Vec<Model>,
}

/// A name that clients ask for, with its routes.
#[derive(Debug)]
pub struct Model {
    /// The name that clients ask for.
    pub name: Box<str>,
    /// The candidates, for selection.
    pub pool: Pool,
    /// What each candidate is, in the pool's order.
    pub targets: Vec<Target>,
    /// Models to fall back to, in order.
    pub fallbacks: Vec<usize>,
    /// The model that takes prompts too long for this one.
    pub larger_context: Option<usize>,
    /// The clocks of its attempts.
    pub clocks: Timeouts,
    /// How its attempts are retried.
    pub retry: RetryPolicy,
}

/// What a candidate is.
#[derive(Debug)]
pub struct Target {
    /// Its identity across reloads.
    pub identity: Identity,
    /// Its statistics.
    pub route: Arc<Route>,
    /// The provider's index in the configuration.
    pub provider: usize,
    /// The key's index in the provider's list.
    pub key: usize,
}

impl Snapshot {
    /// Builds the snapshot of a checked configuration.
    #[must_use]
    pub fn new(config: &Config, registry: &Registry) -> Self {
        let models: Vec<Model> = config
            .models
            .iter()
            .map(|model| build(config, model, registry))
            .collect();
        let by_name = models
            .iter()
            .enumerate()
            .map(|(index, model)| (model.name.clone(), index))
            .collect();
        Self { by_name, models }
    }

    /// The index of the model with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

fn build(config: &Config, model: &crate::config::Model, registry: &Registry) -> Model {
    let mut candidates = Vec::new();
    let mut targets = Vec::new();
    for spec in &model.routes {
        let provider = &config.providers[spec.provider];
        let shares: f32 = provider.keys.iter().map(|key| key.weight).sum();
        for (index, key) in provider.keys.iter().enumerate() {
            let identity = Identity {
                provider: provider.name.clone(),
                model: spec.model.clone(),
                key: key.name.clone(),
                region: provider.region.clone(),
            };
            let route = registry.route(&identity, &key.limits, &config.tuning);
            candidates.push(Candidate {
                route: Arc::clone(&route),
                weight: spec.weight * key.weight / shares,
                price_input: spec.price_input,
                price_output: spec.price_output,
            });
            targets.push(Target {
                identity,
                route,
                provider: spec.provider,
                key: index,
            });
        }
    }
    Model {
        name: model.name.as_str().into(),
        pool: Pool::new(candidates, config.tuning),
        targets,
        fallbacks: model.fallbacks.clone(),
        larger_context: model.larger_context,
        clocks: model.timeouts,
        retry: model.retry,
    }
}
