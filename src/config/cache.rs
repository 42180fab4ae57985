//! What may be answered without asking a provider, and how is it kept?
//!
//! # Invariants
//! - Nothing is cached unless a model or a workflow says so.
//! - Each default is a constant with its reason.

use std::path::PathBuf;
use std::time::Duration;

use super::money::Nano;
use super::period::{Length, Unit};

/// What all cached answers share.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Bytes of answers kept in memory.
    pub memory: usize,
    /// Bytes of answers kept on disk over a restart; none keeps none.
    pub disk: Option<usize>,
    /// Folder of what is on disk, audit records included.
    pub data: PathBuf,
    /// Largest answer that is kept, bytes.
    pub largest: usize,
    /// Whether requests that are alike wait for the first that is under way.
    pub single_flight: bool,
    /// How long they wait before they try for themselves.
    pub wait: Duration,
    /// Time between the events of a stream that is told again; zero sends all at once.
    pub pace: Duration,
    /// Answers that one scope may add in a minute.
    pub writes_per_minute: u32,
    /// Share of `memory` that one scope may hold while others hold anything, above 0 to 1.
    pub scope_share: f64,
    /// What turns texts into vectors; none where no model is cached semantically.
    pub embedder: Option<Embedder>,
    /// How long the path of a request waits for a vector; without it, it is asked as if there were no semantic layer.
    pub patience: Duration,
    /// How semantic hits are checked.
    pub audit: Audit,
}

/// What turns texts into vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Embedder {
    /// A sentence-transformer in this folder, inside the process.
    Folder(PathBuf),
    /// One of the models, as an index, asked over its embeddings routes.
    Model(usize),
}

/// How semantic hits are checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Share of semantic hits that are asked afresh, 0 to 1.
    pub share: f64,
    /// What it may spend in a day.
    pub budget: Nano,
    /// The model that judges where vectors do not tell, as an index.
    pub judge: Option<usize>,
    /// How long records are kept.
    pub keep: Length,
    /// Bytes that records may have before the oldest are removed.
    pub keep_size: usize,
    /// Whether records hold questions and answers.
    pub content: bool,
}

/// What of a model's or workflow's answers is kept, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Caching {
    /// Which layers serve.
    pub layers: Layers,
    /// How long an answer is served.
    pub ttl: Duration,
    /// Who shares answers.
    pub scope: Sharing,
    /// Whether requests that name different end users share answers.
    pub across_users: bool,
    /// The highest temperature whose answers are kept; none keeps all.
    pub max_temperature: Option<f64>,
    /// Least cosine similarity of a semantic hit, before anything was learned; 0.7 to 0.99.
    pub threshold: f64,
    /// Share of semantic hits that may be wrong, above 0 to 0.5: thresholds move so that it holds.
    pub max_error: f64,
    /// What is served before a threshold is proven.
    pub start: Start,
    /// Longest conversation that the semantic layer answers, in turns; 1 is a question without a history.
    pub turns: u32,
}

/// Which layers of the cache serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layers {
    /// None: the default.
    #[default]
    Off,
    /// Requests that ask for the same.
    Exact,
    /// These, and questions that mean the same.
    Semantic,
}

/// What the semantic layer serves before it is proven that its bound holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// What is at least as similar as `threshold`, on the operator's word: the default.
    #[default]
    Trust,
    /// Nothing: every question is asked, and labels the answer that it would have got.
    Prove,
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The requests of one virtual key: the default, since only the operator can know that two keys may read each other's answers.
    #[default]
    Key,
    /// The keys of one team; a key without one is alone.
    Team,
    /// The keys of one customer; a key without one is alone.
    Customer,
    /// Everybody.
    All,
}

impl Sharing {
    /// Every one of them.
    pub const EACH: [Self; 4] = [Self::Key, Self::Team, Self::Customer, Self::All];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Customer => "customer",
            Self::All => "all",
        }
    }
}

impl Cache {
    /// 64 MiB: some 20,000 answers of 2 KiB, beside a gateway that needs 40.
    pub const MEMORY: usize = 64 << 20;
    /// 1 GiB: half a million answers of 2 KiB.
    pub const DISK: usize = 1 << 30;
    /// 1 MiB: longer than any answer of words; pictures are not worth the room unless it is given.
    pub const LARGEST: usize = 1 << 20;
    /// 30 s: most answers are complete by then, and a leader that is later than that is in trouble.
    pub const WAIT: Duration = Duration::from_secs(30);
    /// 6,000: a hundred answers a second, more than one application makes; it bounds how fast a single key can fill its share.
    pub const WRITES_PER_MINUTE: u32 = 6_000;
    /// A half: one busy application still has most of its answers, and all others together keep as much.
    pub const SCOPE_SHARE: f64 = 0.5;
    /// 60 ms: eight times what a question takes in this process, so that a short queue is waited for.
    pub const PATIENCE: Duration = Duration::from_millis(60);
    /// 300 ms, where vectors are asked of a provider: most come by then, and an answer from the cache saves seconds.
    pub const REMOTE_PATIENCE: Duration = Duration::from_millis(300);
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            memory: Self::MEMORY,
            disk: None,
            data: super::Governance::DATA.into(),
            largest: Self::LARGEST,
            single_flight: true,
            wait: Self::WAIT,
            pace: Duration::ZERO,
            writes_per_minute: Self::WRITES_PER_MINUTE,
            scope_share: Self::SCOPE_SHARE,
            embedder: None,
            patience: Self::PATIENCE,
            audit: Audit::default(),
        }
    }
}

impl Audit {
    /// 3 %: a week of ten thousand hits tells a false-hit share of 1 % to within one percentage point.
    pub const SHARE: f64 = 0.03;
    /// One dollar a day.
    pub const BUDGET: Nano = Nano::new(1_000_000_000);
    /// 35 days: a month and the week before it can be compared.
    pub const KEEP: Length = Length {
        count: 35,
        unit: Unit::Day,
    };
    /// 64 MiB: some 200,000 records.
    pub const KEEP_SIZE: usize = 64 << 20;
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            share: Self::SHARE,
            budget: Self::BUDGET,
            judge: None,
            keep: Self::KEEP,
            keep_size: Self::KEEP_SIZE,
            content: false,
        }
    }
}

impl Caching {
    /// One hour: answers age.
    pub const TTL: Duration = Duration::from_secs(3_600);
    /// 0.85: with the lexical guards no pair of the labelled set is served wrongly at it, and more are served than at a plain 0.94; `docs/CACHE.md` has the table. Lower serves some more, and rests on the guards alone.
    pub const THRESHOLD: f64 = 0.85;
    /// 1 %: a wrong answer in a hundred hits.
    pub const MAX_ERROR: f64 = 0.01;
    /// One turn: a question alone. What a follow-up means lies in its history, which a vector of the last question does not see.
    pub const TURNS: u32 = 1;
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            layers: Layers::default(),
            ttl: Self::TTL,
            scope: Sharing::default(),
            across_users: false,
            max_temperature: None,
            threshold: Self::THRESHOLD,
            max_error: Self::MAX_ERROR,
            start: Start::default(),
            turns: Self::TURNS,
        }
    }
}
