//! What is cached, for whom, and where?
//!
//! # Invariants
//! - No model is cached semantically without something that turns questions into vectors.

use super::super::cache::{Audit, Cache, Caching, Embedder, Layers, Sharing, Start};
use super::super::money::Nano;
use super::super::raw::{
    RawAudit, RawCache, RawCaching, RawEmbedder, RawLayers, RawSharing, RawStart,
};
use super::super::report::Problem;
use super::super::routes::Model;
use super::super::written::{At, Size};
use super::Resolver;
use super::models::Index;

/// Smallest `memory` and `keep_size`, bytes: less does not hold a single long answer.
const LEAST: usize = 64 << 10;

/// Smallest `disk_size`, bytes: less does not hold the tables of an empty database.
const LEAST_DISK: usize = 1 << 20;

/// Slowest pace, seconds between events: beyond it clients take the stream for dead.
const SLOWEST: u64 = 1;

impl Resolver<'_, '_> {
    pub(super) fn cache(
        &mut self,
        raw: &RawCache,
        governance: &std::path::Path,
        models: &Index<'_>,
    ) -> Cache {
        let default = Cache::default();
        let folder = self.source.file().parent();
        let beside = |text: &str| folder.map_or_else(|| text.into(), |folder| folder.join(text));
        let data = raw.data.as_ref();
        let data = data.map_or_else(|| governance.to_owned(), |at| beside(&at.value));
        let is_kept = raw.disk.as_ref().is_some_and(|at| at.value);
        let disk_size = self.at_least(
            raw.disk_size.as_ref(),
            "cache.disk_size",
            (LEAST_DISK, Cache::DISK),
        );
        if let Some(at) = raw
            .pace
            .as_ref()
            .filter(|at| at.value.0.as_secs_f64() > SLOWEST as f64)
        {
            self.source.report(
                Problem::new("cache.pace", at.span.clone(), "pace is too slow")
                    .expected(format!("expected at most \"{SLOWEST}s\"")),
            );
        }
        let (embedder, patience) = self.embedder(raw.embedder.as_ref(), models);
        Cache {
            memory: self.at_least(raw.memory.as_ref(), "cache.memory", (LEAST, default.memory)),
            disk: is_kept.then_some(disk_size),
            data,
            largest: raw
                .largest
                .as_ref()
                .map_or(default.largest, |at| at.value.0),
            single_flight: raw
                .single_flight
                .as_ref()
                .map_or(default.single_flight, |at| at.value),
            wait: self.positive(raw.wait.as_ref(), "cache.wait", default.wait),
            pace: self.period(raw.pace.as_ref(), default.pace),
            writes_per_minute: raw
                .writes_per_minute
                .as_ref()
                .map_or(default.writes_per_minute, |at| at.value),
            scope_share: raw
                .scope_share
                .as_ref()
                .map_or(default.scope_share, |at| at.value),
            embedder,
            patience,
            audit: self.audit(&raw.audit, models),
        }
    }

    /// A size that is not below the least.
    pub(super) fn at_least(
        &mut self,
        raw: Option<&At<Size>>,
        path: &str,
        (least, default): (usize, usize),
    ) -> usize {
        let Some(at) = raw else {
            return default;
        };
        if at.value.0 < least {
            let key = path.rsplit('.').next().unwrap_or(path);
            self.source.report(
                Problem::new(path, at.span.clone(), format!("{key} is too small")).expected(
                    format!(
                        "expected at least {:?}",
                        super::super::units::written_size(least)
                    ),
                ),
            );
        }
        at.value.0
    }

    fn embedder(
        &mut self,
        raw: Option<&RawEmbedder>,
        models: &Index<'_>,
    ) -> (Option<Embedder>, std::time::Duration) {
        let Some(raw) = raw else {
            return (None, Cache::PATIENCE);
        };
        let path = "cache.embedder";
        let usual = match raw.model {
            Some(_) => Cache::REMOTE_PATIENCE,
            None => Cache::PATIENCE,
        };
        let patience = self.positive(raw.patience.as_ref(), "cache.embedder.patience", usual);
        let embedder = match (&raw.folder, &raw.model) {
            (Some(folder), None) => {
                let beside = self.source.file().parent();
                let text = &*folder.value;
                let full = beside.map_or_else(|| text.into(), |beside| beside.join(text));
                Some(Embedder::Folder(full))
            }
            (None, Some(at)) => self
                .model_named(at, "cache.embedder.model", models)
                .map(Embedder::Model),
            (Some(_), Some(at)) => {
                self.source.report(
                    Problem::new(path, at.span.clone(), "[cache.embedder] has two embedders")
                        .expected("expected one of `folder` and `model`"),
                );
                None
            }
            (None, None) => {
                self.source.report(
                    Problem::of_file("[cache.embedder] names no embedder").help(
                        "add `folder = \"PATH\"` of a sentence-transformer, or `model = \"NAME\"` of a model that serves embeddings",
                    ),
                );
                None
            }
        };
        (embedder, patience)
    }

    fn audit(&mut self, raw: &RawAudit, models: &Index<'_>) -> Audit {
        let default = Audit::default();
        let judge = raw.judge.as_ref();
        Audit {
            share: raw.share.as_ref().map_or(default.share, |at| at.value),
            budget: raw
                .budget
                .as_ref()
                .and_then(|at| Nano::from_dollars(at.value))
                .unwrap_or(default.budget),
            judge: judge.and_then(|at| self.model_named(at, "cache.audit.judge", models)),
            keep: raw.keep.as_ref().map_or(default.keep, |at| at.value.0),
            keep_size: self.at_least(
                raw.keep_size.as_ref(),
                "cache.audit.keep_size",
                (LEAST, default.keep_size),
            ),
            content: raw.content.as_ref().map_or(default.content, |at| at.value),
        }
    }

    /// What a model or workflow says of its answers, over what holds where it says nothing.
    pub(super) fn caching(&mut self, raw: &RawCaching, path: &str, default: &Caching) -> Caching {
        Caching {
            layers: raw
                .layers
                .as_ref()
                .map_or(default.layers, |at| match at.value {
                    RawLayers::Off => Layers::Off,
                    RawLayers::Exact => Layers::Exact,
                    RawLayers::Semantic => Layers::Semantic,
                }),
            ttl: self.positive(raw.ttl.as_ref(), &format!("{path}.ttl"), default.ttl),
            scope: raw
                .scope
                .as_ref()
                .map_or(default.scope, |at| match at.value {
                    RawSharing::Key => Sharing::Key,
                    RawSharing::Team => Sharing::Team,
                    RawSharing::Customer => Sharing::Customer,
                    RawSharing::All => Sharing::All,
                }),
            across_users: raw
                .across_users
                .as_ref()
                .map_or(default.across_users, |at| at.value),
            max_temperature: raw
                .max_temperature
                .as_ref()
                .map_or(default.max_temperature, |at| Some(at.value)),
            threshold: raw
                .threshold
                .as_ref()
                .map_or(default.threshold, |at| at.value),
            max_error: raw
                .max_error
                .as_ref()
                .map_or(default.max_error, |at| at.value),
            start: raw
                .start
                .as_ref()
                .map_or(default.start, |at| match at.value {
                    RawStart::Trust => Start::Trust,
                    RawStart::Prove => Start::Prove,
                }),
            turns: raw.turns.as_ref().map_or(default.turns, |at| at.value),
        }
    }

    /// Reports models that are cached by meaning although nothing tells what a text means.
    pub(super) fn meanings(&mut self, models: &[Model], cache: &Cache) {
        let semantic = |model: &&Model| model.cache.layers == Layers::Semantic;
        let Some(model) = models.iter().find(semantic) else {
            return;
        };
        if cache.embedder.is_none() && self.source.is_clean() {
            self.source.report(
                Problem::of_file(format!(
                    "{:?} is cached semantically, but there is no embedder",
                    model.name
                ))
                .help("add [cache.embedder] with `folder` or `model`, or say `layers = \"exact\"`"),
            );
        }
    }
}
