//! What may clients ask for?
//!
//! # Invariants
//! - One [`Model`] a table of the file, in its order, also for one with problems, so that indexes agree.
//! - No ring of fallbacks, and none of larger contexts; the two may meet.

use std::collections::BTreeMap;

use scoring::retry::RetryPolicy;

use super::super::cache::Caching;
use super::super::nearest::nearest;
use super::super::raw::{RawConfig, RawModel, RawRoute, RawStreamRecovery};
use super::super::report::Problem;
use super::super::routes::{Model, Provider, RouteSpec, StreamRecovery};
use super::super::settings::Timeouts;
use super::super::shape::{join, suggestion};
use super::super::written::{At, Named};
use super::Resolver;
use super::graph::rings;

/// Most routes of one model, keys multiplied in: what one draw can tell apart.
const MOST_ROUTES: usize = 256;

/// Longest model name, bytes: names become metric labels and header values.
const LONGEST_NAME: usize = 128;

/// Names and their indexes.
pub(super) type Index<'n> = BTreeMap<&'n str, usize>;

impl Resolver<'_, '_> {
    pub(super) fn models(
        &mut self,
        raw: &RawConfig,
        providers: &[Provider],
        timeouts: Timeouts,
        retry: RetryPolicy,
    ) -> Vec<Model> {
        let tables = &raw.models;
        if tables.0.is_empty() && !self.source.is_reported("models") && self.source.is_clean() {
            self.source.report(
                Problem::of_file("defines no model, so no request could be served").help(
                    "add a table [models.NAME] with `routes = [{ provider = \"...\" }]`; config.toml in the repository shows one",
                ),
            );
        }
        let provider_index = index(&raw.providers);
        let model_index = index(tables);
        let mut models = Vec::with_capacity(tables.0.len());
        for (name, raw) in &tables.0 {
            let path = join("models", &name.value);
            self.model_name(&path, name);
            let routes = self.routes(raw, name, &path, &provider_index);
            let routed = routes
                .iter()
                .map(|route| providers[route.provider].keys.len());
            let count: usize = routed.sum();
            if count > MOST_ROUTES {
                self.source.report(
                    Problem::new(
                        &*path,
                        name.span.clone(),
                        format!("{path} has {count} routes, keys multiplied in"),
                    )
                    .expected(format!("expected at most {MOST_ROUTES}")),
                );
            }
            models.push(Model {
                fallbacks: self.fallbacks(&raw.fallbacks, &path, &model_index),
                rules: self.rules(&raw.rules, &path, &model_index),
                larger_context: raw.larger_context.as_ref().and_then(|at| {
                    self.model_named(at, &format!("{path}.larger_context"), &model_index)
                }),
                stream_recovery: recovery(raw.stream_recovery.as_ref()).unwrap_or_default(),
                cache: self.caching(&raw.cache, &format!("{path}.cache"), &Caching::default()),
                timeouts: self.timeouts(&raw.timeouts, &format!("{path}.timeouts"), timeouts),
                retry: self.model_retry(&raw.retry, &format!("{path}.retry"), retry),
                ..Model::new(&*name.value, routes)
            });
        }
        self.rings(tables, &models);
        self.workflows(&raw.workflows, &mut models, &model_index);
        models
    }

    fn model_name(&mut self, path: &str, name: &At<String>) {
        let text = &name.value;
        if text.starts_with(Model::WORKFLOWS) {
            let message = format!("{text:?} is the name of a workflow");
            let problem = Problem::new(path, name.span.clone(), message);
            self.source.report(
                problem
                    .expected("expected a name that does not begin with \"workflows/\"")
                    .help("a workflow is a table [workflows.NAME]"),
            );
        }
        let sendable = text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if text.is_empty() || text.len() > LONGEST_NAME || !sendable {
            let quoted = self.source.quote(&name.span);
            self.source.report(
                Problem::new(path, name.span.clone(), format!("{quoted} cannot be a model's name")).expected(
                    format!("expected 1 to {LONGEST_NAME} visible ASCII characters without quotes, backslashes and spaces"),
                ),
            );
        }
    }

    fn routes(
        &mut self,
        raw: &RawModel,
        name: &At<String>,
        model: &str,
        providers: &Index<'_>,
    ) -> Vec<RouteSpec> {
        let mut routes: Vec<RouteSpec> = Vec::new();
        for (index, raw) in raw.routes.iter().flatten().enumerate() {
            let path = format!("{model}.routes[{index}]");
            let Some(at) = &raw.provider else {
                continue;
            };
            let Some(&provider) = providers.get(at.value.as_str()) else {
                self.unknown_provider(at, &format!("{path}.provider"), providers);
                continue;
            };
            if let Some(at) = &raw.price_as {
                self.priced(at, &format!("{path}.price_as"));
            }
            let route = route(raw, provider, &name.value);
            let twin = |other: &RouteSpec| other.provider == provider && other.model == route.model;
            if routes.iter().any(twin) {
                self.source.report(
                    Problem::new(
                        format!("{path}.provider"),
                        at.span.clone(),
                        format!(
                            "{model} has two routes to {:?} at {:?}",
                            route.model, at.value
                        ),
                    )
                    .expected("the same route as one before")
                    .help("keep one of them and add their weights"),
                );
            }
            routes.push(route);
        }
        routes
    }

    fn unknown_provider(&mut self, at: &At<String>, path: &str, providers: &Index<'_>) {
        let quoted = self.source.quote(&at.span);
        let meant = nearest(&at.value, providers.keys().copied());
        let help = match (meant, providers.is_empty()) {
            (Some(_), _) => String::new(),
            (None, true) => "add a table [providers.NAME]".to_owned(),
            (None, false) => {
                let names: Vec<&str> = providers.keys().copied().collect();
                format!("the providers are {}", names.join(", "))
            }
        };
        self.source.report(
            Problem::new(
                path,
                at.span.clone(),
                format!("no provider is named {quoted}{}", suggestion(meant)),
            )
            .expected("expected the NAME of a [providers.NAME]")
            .help(help),
        );
    }

    pub(super) fn fallbacks(
        &mut self,
        raw: &[At<String>],
        model: &str,
        models: &Index<'_>,
    ) -> Vec<usize> {
        let mut fallbacks = Vec::with_capacity(raw.len());
        for (index, at) in raw.iter().enumerate() {
            let path = format!("{model}.fallbacks[{index}]");
            let Some(target) = self.model_named(at, &path, models) else {
                continue;
            };
            if fallbacks.contains(&target) {
                self.source.report(
                    Problem::new(
                        path,
                        at.span.clone(),
                        format!("{model} falls back to {:?} twice", at.value),
                    )
                    .expected("named before")
                    .help("remove it: each model is tried once"),
                );
                continue;
            }
            fallbacks.push(target);
        }
        fallbacks
    }

    pub(super) fn model_named(
        &mut self,
        at: &At<String>,
        path: &str,
        models: &Index<'_>,
    ) -> Option<usize> {
        let found = models.get(at.value.as_str()).copied();
        if found.is_none() {
            let quoted = self.source.quote(&at.span);
            let meant = nearest(&at.value, models.keys().copied());
            let names: Vec<&str> = models.keys().copied().collect();
            let help = match meant {
                Some(_) => String::new(),
                None => format!("the models are {}", names.join(", ")),
            };
            self.source.report(
                Problem::new(
                    path,
                    at.span.clone(),
                    format!("no model is named {quoted}{}", suggestion(meant)),
                )
                .expected("expected the NAME of a [models.NAME]")
                .help(help),
            );
        }
        found
    }

    /// Reports rings of fallbacks and of larger contexts, each at the first reference of its first model.
    fn rings(&mut self, raw: &Named<RawModel>, models: &[Model]) {
        let fallbacks: Vec<Vec<usize>> = models.iter().map(|it| it.fallbacks.clone()).collect();
        let larger: Vec<Vec<usize>> = models
            .iter()
            .map(|it| it.larger_context.into_iter().collect())
            .collect();
        for (references, key) in [(fallbacks, "fallbacks"), (larger, "larger_context")] {
            for ring in rings(&references) {
                let Some(&first) = ring.first() else {
                    continue;
                };
                let (name, table) = &raw.0[first];
                let next = ring.get(1).unwrap_or(&first);
                let target = &models[*next].name;
                let named = table.fallbacks.iter().find(|at| at.value == *target);
                let at = if key == "fallbacks" {
                    named
                } else {
                    table.larger_context.as_ref()
                };
                let round: Vec<String> = ring
                    .iter()
                    .chain([&first])
                    .map(|index| format!("{:?}", models[*index].name))
                    .collect();
                self.source.report(
                    Problem::new(
                        format!("{}.{key}", join("models", &name.value)),
                        at.map_or_else(|| name.span.clone(), |at| at.span.clone()),
                        format!(
                            "following {key} leads back to where it began: {}",
                            round.join(" to ")
                        ),
                    )
                    .expected("part of a ring")
                    .help("remove one of these references"),
                );
            }
        }
    }
}

/// What becomes of a stream that breaks off, if it is written.
pub(super) fn recovery(raw: Option<&At<RawStreamRecovery>>) -> Option<StreamRecovery> {
    raw.map(|at| match at.value {
        RawStreamRecovery::Error => StreamRecovery::Error,
        RawStreamRecovery::Restart => StreamRecovery::Restart,
        RawStreamRecovery::Continue => StreamRecovery::Continue,
    })
}

fn route(raw: &RawRoute, provider: usize, model: &str) -> RouteSpec {
    let upstream = raw.model.as_ref().map_or(model, |at| at.value.as_str());
    let price = |raw: &Option<At<f64>>| {
        raw.as_ref().map_or(0.0, |at| {
            at.value * RouteSpec::NANODOLLARS_PER_DOLLAR_PER_MILLION
        })
    };
    RouteSpec {
        weight: raw
            .weight
            .as_ref()
            .map_or(RouteSpec::WEIGHT, |at| at.value as f32),
        max_output_tokens: raw.max_output_tokens.as_ref().map(|at| at.value),
        price_input: price(&raw.price_input),
        price_output: price(&raw.price_output),
        price_as: raw.price_as.as_ref().map(|at| at.value.clone()),
        ..RouteSpec::new(provider, upstream)
    }
}

pub(super) fn index<T>(named: &Named<T>) -> Index<'_> {
    let names = named.0.iter().enumerate();
    names
        .map(|(index, (name, _))| (name.value.as_str(), index))
        .collect()
}
