//! What became of one request, told once, for everything that keeps or sends it: the store, the log, the traces.
//!
//! It is filled in while the request lives and handed over whole at its end, so that the path pays for it once however many listen.
//! No text of a prompt or an answer is in it, unless the operator and the key allow it: then it is in [`Content`] and nowhere else.
//!
//! # Invariants
//! - Durations are [`Span`]s from the request's arrival or of a part; instants are µs since 1970.
//! - Names of models, routes and keys come out of the configuration; what a client sent is in `asked` and in `content` only.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use scoring::outcome::Outcome;
use scoring::select::Pick;
use scoring::time::Span;

use super::context::Context;
use super::kinds::{Ending, Fault};
use crate::config::{Nano, Who};

/// How a route is called by those who read of it.
#[derive(Debug)]
pub struct Via {
    /// The route: `provider/model/key@region`.
    pub route: Arc<str>,
    /// The provider's name in the configuration.
    pub provider: Arc<str>,
    /// The vendor, as OpenTelemetry's `gen_ai.provider.name` calls it, such as `openai` or `aws.bedrock`; the provider's name where nothing tells.
    pub vendor: Arc<str>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// The provider key's name.
    pub key: Arc<str>,
    /// The region; empty when there is none.
    pub region: Arc<str>,
    /// The host that is called.
    pub host: Arc<str>,
    /// The port that is called.
    pub port: u16,
}

/// Tokens of one answer, as its provider reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input tokens, cached ones included.
    pub input: u32,
    /// Of those, read from the provider's prompt cache.
    pub cached: u32,
    /// Of those, written to it.
    pub cache_write: u32,
    /// Output tokens, reasoning included.
    pub output: u32,
    /// Of those, reasoning.
    pub reasoning: u32,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Where it went.
    pub via: Arc<Via>,
    /// Why it went there: mode, propensity, score and the terms of the expected cost.
    pub pick: Pick,
    /// When it began, after the request's arrival.
    pub began: Span,
    /// When a live connection had taken the request, after the attempt's beginning.
    pub sent: Option<Span>,
    /// When its first content token came, after the attempt's beginning; streams only.
    pub first: Option<Span>,
    /// How long it lasted.
    pub took: Span,
    /// How it ended.
    pub outcome: Outcome,
    /// The provider's status; 0 where none came.
    pub status: u16,
    /// What it used.
    pub tokens: Tokens,
    /// What it did cost, as far as it is known.
    pub cost: Nano,
}

/// What was said, where that may be kept.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The request's body, cut where it is too long.
    pub request: Bytes,
    /// The answer's, as the client got it, cut where it is too long.
    pub response: Bytes,
    /// Whether anything was cut.
    pub cut: bool,
}

/// One finished request.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its id: the client's own, or `req-` and 16 digits.
    pub id: HeaderValue,
    /// The gateway's own number of it; unlike that of any other request, as far as chance goes.
    pub number: u64,
    /// When it arrived, µs since 1970.
    pub at_us: u64,
    /// From its head to the last byte of its answer.
    pub took: Span,
    /// The gateway's own part of that, up to the first byte of the answer.
    pub overhead: Span,
    /// From its arrival to its answer's first content token; streams only.
    pub first: Option<Span>,
    /// What kind of answer was asked for, such as `chat`; `other` where no path was known.
    pub endpoint: &'static str,
    /// In whose words: `openai`, `anthropic` or `gemini`.
    pub surface: &'static str,
    /// The model's name in the configuration; none where it has none.
    pub model: Option<Arc<str>>,
    /// What was asked for instead, cut to 128 bytes; only where `model` is none.
    pub asked: Option<Box<str>>,
    /// The workflow that it entered.
    pub workflow: Option<Arc<str>>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The most output tokens asked for.
    pub max_tokens: Option<u32>,
    /// Who pays, where that is asked.
    pub who: Option<Arc<Who>>,
    /// The hash of the session whose turn it is.
    pub session: Option<u64>,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// Whose fault it was that it failed, if it did.
    pub fault: Option<Fault>,
    /// The attempts, in order.
    pub legs: Vec<Leg>,
    /// What was answered used, as the client was told.
    pub tokens: Tokens,
    /// What it did cost, over all attempts, as far as it is known.
    pub cost: Nano,
    /// What an answer that was kept did cost the first time.
    pub saved: Nano,
    /// What the cache was to it, as `x-cache-status` says; empty where it was not asked.
    pub cache: &'static str,
    /// The trace that it is part of, where traces are made.
    pub trace: Option<Context>,
    /// The decisions, one for each choice of a route, as JSON; only where they were asked for or drawn.
    pub decisions: Vec<Box<str>>,
    /// What was said, where that is kept.
    pub content: Option<Box<Content>>,
}

impl Story {
    /// The route that answered, or was tried last.
    #[must_use]
    pub fn route(&self) -> Option<&Via> {
        self.legs.last().map(|leg| &*leg.via)
    }

    /// Its id as text; ids are printable ASCII.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}
