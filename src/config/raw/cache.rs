//! What may be written about the response cache?
//!
//! # Invariants
//! - As of [`raw`](super).

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::cache::{Audit, Cache, Caching};
use super::super::units::{written_duration, written_size};
use super::super::written::{At, Period, Size, Stretch};

/// The response cache: what all cached answers share. Which models and workflows are cached is said there, by a table `cache`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Cache")]
pub(in crate::config) struct RawCache {
    /// Size of answers that are kept in memory; at least 64KiB.
    #[schemars(extend("default" = written_size(Cache::MEMORY)))]
    pub(in crate::config) memory: Option<At<Size>>,
    /// Whether answers outlive a restart, in `cache.db` beside `cache.key`, encrypted with a key for each scope.
    #[schemars(extend("default" = false))]
    pub(in crate::config) disk: Option<At<bool>>,
    /// Size of answers that are kept on disk; at least 1MiB.
    #[schemars(extend("default" = written_size(Cache::DISK)))]
    pub(in crate::config) disk_size: Option<At<Size>>,
    /// Folder of what is on disk, relative to the directory of this file. The default is that of `[governance]`.
    #[schemars(length(min = 1))]
    pub(in crate::config) data: Option<At<String>>,
    /// Largest answer that is kept.
    #[schemars(extend("default" = written_size(Cache::LARGEST)))]
    pub(in crate::config) largest: Option<At<Size>>,
    /// Whether requests that are alike wait for the first that is under way, streams included.
    #[schemars(extend("default" = true))]
    pub(in crate::config) single_flight: Option<At<bool>>,
    /// How long they wait before they try for themselves.
    #[schemars(extend("default" = written_duration(Cache::WAIT)))]
    pub(in crate::config) wait: Option<At<Period>>,
    /// Time between the events of a stream that is told again, at most 1s; `"0s"` sends them at once.
    #[schemars(extend("default" = written_duration(Cache::default().pace)))]
    pub(in crate::config) pace: Option<At<Period>>,
    /// Answers that one scope may add in a minute: it bounds how fast a single key can fill its share.
    #[schemars(range(min = 1, max = 10_000_000), extend("default" = Cache::WRITES_PER_MINUTE))]
    pub(in crate::config) writes_per_minute: Option<At<u32>>,
    /// Share of `memory` that one scope may hold while others hold anything, 0.01 to 1: beyond it, it gives up its own oldest answers and not theirs.
    #[schemars(range(min = 0.01, max = 1.0), extend("default" = Cache::SCOPE_SHARE))]
    pub(in crate::config) scope_share: Option<At<f64>>,
    /// What turns questions into vectors, for the semantic layer.
    pub(in crate::config) embedder: Option<RawEmbedder>,
    /// How semantic hits are checked.
    pub(in crate::config) audit: RawAudit,
}

/// What turns questions into vectors: one of `folder` and `model`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Embedder")]
pub(in crate::config) struct RawEmbedder {
    /// Folder of a sentence-transformer (`config.json`, `model.safetensors`, `tokenizer.json`), run inside the process; relative to the directory of this file.
    #[schemars(length(min = 1))]
    pub(in crate::config) folder: Option<At<String>>,
    /// Name of a model, as under `[models]`, that serves embeddings. Whoever asks pays for its questions' vectors.
    pub(in crate::config) model: Option<At<String>>,
    /// How long a request waits for its question's vector; without it, it is asked as if there were no semantic layer. The default is 60ms with `folder` and 300ms with `model`.
    pub(in crate::config) patience: Option<At<Period>>,
}

/// How semantic hits are checked: a share of them is asked afresh in the background, and the answers are compared.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CacheAudit")]
pub(in crate::config) struct RawAudit {
    /// Share of semantic hits that is asked afresh, 0 to 1; 0 checks none, and thresholds then only rest on the answers that come anyway.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = Audit::SHARE))]
    pub(in crate::config) share: Option<At<f64>>,
    /// The most that it may spend in a day, dollars. No key's budget pays for it.
    #[schemars(range(min = 0.0, max = 1e6), extend("default" = Audit::BUDGET.dollars()))]
    pub(in crate::config) budget: Option<At<f64>>,
    /// Name of a model that judges where the answers' vectors do not tell whether they say the same. The default is none: such pairs are reported as unsure.
    pub(in crate::config) judge: Option<At<String>>,
    /// How long records are kept, written like a budget's period.
    #[schemars(extend("default" = Audit::KEEP.to_string()))]
    pub(in crate::config) keep: Option<At<Stretch>>,
    /// Size of records from which on the oldest are removed; at least 64KiB.
    #[schemars(extend("default" = written_size(Audit::KEEP_SIZE)))]
    pub(in crate::config) keep_size: Option<At<Size>>,
    /// Whether records hold questions and answers.
    #[schemars(extend("default" = false))]
    pub(in crate::config) content: Option<At<bool>>,
}

/// What is kept of the answers, and for whom. A workflow has what it does not write from its model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Caching")]
pub(in crate::config) struct RawCaching {
    /// Which layers serve: none (`off`), requests that ask for the same (`exact`), or also questions that mean the same (`semantic`), which needs a `[cache.embedder]`.
    #[schemars(extend("default" = "off"))]
    pub(in crate::config) layers: Option<At<RawLayers>>,
    /// How long an answer is served. A client may shorten it for its request.
    #[schemars(extend("default" = written_duration(Caching::TTL)))]
    pub(in crate::config) ttl: Option<At<Period>>,
    /// Who shares answers: the requests of one virtual key (`key`), the keys of one `team` or `customer`, or everybody (`all`).
    #[schemars(extend("default" = "key"))]
    pub(in crate::config) scope: Option<At<RawSharing>>,
    /// Whether requests that name different end users (`user`, `metadata.user_id`) share answers.
    #[schemars(extend("default" = false))]
    pub(in crate::config) across_users: Option<At<bool>>,
    /// The highest temperature whose answers are kept. The default is none: all are.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub(in crate::config) max_temperature: Option<At<f64>>,
    /// Least cosine similarity of a semantic hit, before anything was learned. A client may raise it for its request.
    #[schemars(range(min = 0.7, max = 0.99), extend("default" = Caching::THRESHOLD))]
    pub(in crate::config) threshold: Option<At<f64>>,
    /// Share of semantic hits that may be wrong: thresholds move so that it holds.
    #[schemars(range(min = 0.001, max = 0.5), extend("default" = Caching::MAX_ERROR))]
    pub(in crate::config) max_error: Option<At<f64>>,
    /// What is served before it is proven that the bound holds: what is at least as similar as `threshold`, on the operator's word (`trust`), or nothing (`prove`), which takes some 600 answers to near questions at 0.01.
    #[schemars(extend("default" = "trust"))]
    pub(in crate::config) start: Option<At<RawStart>>,
    /// Longest conversation that the semantic layer answers, in turns of user and model; 1 is a question without a history.
    #[schemars(range(min = 1, max = 100), extend("default" = Caching::TURNS))]
    pub(in crate::config) turns: Option<At<u32>>,
}

/// Which layers of the cache serve.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawLayers {
    /// None.
    Off,
    /// Requests that ask for the same.
    Exact,
    /// These, and questions that mean the same.
    Semantic,
}

/// What the semantic layer serves before it is proven that its bound holds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawStart {
    /// What is similar enough.
    Trust,
    /// Nothing.
    Prove,
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawSharing {
    /// The requests of one virtual key.
    Key,
    /// The keys of one team.
    Team,
    /// The keys of one customer.
    Customer,
    /// Everybody.
    All,
}
