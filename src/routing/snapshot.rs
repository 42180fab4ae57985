//! Models and their routes, as one immutable value.
//!
//! # Invariants
//! - `targets` and the pool's candidates of a model have the same order and length.
//! - A model-route × provider-key pair is one candidate; its weight is the route's times the key's share among the provider's keys,
//!   so a provider with two keys does not get twice the traffic.

use std::collections::HashMap;
use std::sync::Arc;

use scoring::cost::Rates;
use scoring::retry::RetryPolicy;
use scoring::route::Route;
use scoring::select::{Candidate, Pool, Shadow};
use scoring::shadow::Tally;

use super::gate::Gate;
use super::registry::{Identity, Registry};
use super::sessions::Home;
use crate::config::{Config, Provider, RouteSpec, Timeouts};

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
    /// All candidates; what is fitted and shown.
    pub pool: Pool,
    /// What each candidate is, in the pool's order.
    pub targets: Vec<Target>,
    /// The candidates that can serve one purpose, each set once.
    choices: Vec<Choice>,
    /// For each purpose its place in `choices`.
    choice_of: Vec<usize>,
    /// Models to fall back to, in order.
    pub fallbacks: Vec<usize>,
    /// The model that takes prompts too long for this one.
    pub larger_context: Option<usize>,
    /// What is counted of the constants that are tried beside the live ones, if any are.
    pub tally: Option<Arc<Tally>>,
    /// What bounds its requests, if it is a workflow.
    pub gate: Option<Arc<Gate>>,
    /// The clocks of its attempts.
    pub clocks: Timeouts,
    /// How its attempts are retried.
    pub retry: RetryPolicy,
}

/// Candidates to choose from for one purpose.
#[derive(Debug)]
pub struct Choice {
    /// The candidates, for selection.
    pub pool: Pool,
    /// Where each stands in the model's `targets`.
    pub targets: Vec<usize>,
    /// What each is to the sessions that it serves.
    pub homes: Vec<Home>,
    /// The constants that are tried beside the live ones, if any are.
    pub shadow: Option<Shadow>,
}

/// What the tokens of a route cost; prices are somebody else's affair, here they are numbers.
pub type Rating<'a> = &'a dyn Fn(&Provider, &RouteSpec) -> Rates;

/// What requests may ask of a route, and which providers can do it.
///
/// What a purpose is, is the request path's affair; here it is a number.
#[derive(Clone, Copy)]
pub struct Purposes<'a> {
    /// How many there are.
    pub count: usize,
    /// Whether a provider's model can serve the purpose of this number.
    pub serves: &'a dyn Fn(&Provider, &str, usize) -> bool,
}

impl std::fmt::Debug for Purposes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Purposes")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// The candidates for a purpose; none where no route of the model can serve it.
    #[must_use]
    pub fn choice(&self, purpose: usize) -> Option<&Choice> {
        let choice = self.choices.get(*self.choice_of.get(purpose)?)?;
        (!choice.targets.is_empty()).then_some(choice)
    }
}

/// What a candidate is.
#[derive(Debug)]
pub struct Target {
    /// Its identity across reloads.
    pub identity: Identity,
    /// The same as text.
    pub name: Arc<str>,
    /// Its statistics.
    pub route: Arc<Route>,
    /// The provider's index in the configuration.
    pub provider: usize,
    /// The key's index in the provider's list.
    pub key: usize,
    /// The most output tokens that its model writes, if known.
    pub max_output_tokens: Option<u32>,
}

impl Snapshot {
    /// Builds the snapshot of a checked configuration, with prices by `rating`.
    #[must_use]
    pub fn new(
        config: &Config,
        registry: &Registry,
        purposes: Purposes<'_>,
        rating: Rating<'_>,
    ) -> Self {
        let models: Vec<Model> = config
            .models
            .iter()
            .map(|model| build(config, model, registry, (purposes, rating)))
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

fn build(
    config: &Config,
    model: &crate::config::Model,
    registry: &Registry,
    (purposes, rating): (Purposes<'_>, Rating<'_>),
) -> Model {
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
                rates: rating(provider, spec),
            });
            targets.push(Target {
                name: identity.to_string().into(),
                identity,
                route,
                provider: spec.provider,
                key: index,
                max_output_tokens: spec.max_output_tokens,
            });
        }
    }
    let (choices, choice_of) = choices(config, &candidates, &targets, purposes);
    let tally = config.shadow.map(|shadow| {
        let tunings = [config.tuning, shadow.tuning];
        let identities = targets.iter().map(|target| target.identity.clone());
        registry.tally(&model.name, tunings, identities)
    });
    Model {
        tally,
        name: model.name.as_str().into(),
        pool: Pool::new(candidates, config.tuning),
        targets,
        choices,
        choice_of,
        fallbacks: model.fallbacks.clone(),
        larger_context: model.larger_context,
        gate: model.workflow.is_some().then(|| registry.gate(&model.name)),
        clocks: model.timeouts,
        retry: model.retry,
    }
}

/// The sets of candidates that serve each purpose; purposes that the same candidates serve share a set, so that they share its exploration too.
fn choices(
    config: &Config,
    candidates: &[Candidate],
    targets: &[Target],
    purposes: Purposes<'_>,
) -> (Vec<Choice>, Vec<usize>) {
    let mut choices: Vec<Choice> = Vec::new();
    let choice_of = (0..purposes.count)
        .map(|purpose| {
            let serves = |target: &Target| {
                let provider = &config.providers[target.provider];
                (purposes.serves)(provider, &target.identity.model, purpose)
            };
            let able: Vec<usize> = (0..targets.len())
                .filter(|&index| serves(&targets[index]))
                .collect();
            if let Some(known) = choices.iter().position(|choice| choice.targets == able) {
                return known;
            }
            let among = able.iter().map(|&index| candidates[index].clone());
            choices.push(Choice {
                pool: Pool::new(among.collect(), config.tuning),
                homes: able
                    .iter()
                    .map(|&it| Home::of(&targets[it].identity))
                    .collect(),
                targets: able,
                shadow: config.shadow.map(|shadow| Shadow::new(&shadow.tuning)),
            });
            choices.len() - 1
        })
        .collect();
    (choices, choice_of)
}
