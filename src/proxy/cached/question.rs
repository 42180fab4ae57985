//! What is asked, by whom, and how is it to be told?
//!
//! # Invariants
//! - Who pays decides whose answers are seen; nothing that a client writes does.
//! - Whatever changes an answer is in the key: the model and its routes as they are configured, everything that was asked, and the betas that were asked for.

use http::HeaderName;

use super::super::life::Life;
use super::super::plan::Plan;
use super::super::respond::Failed;
use super::controls::Controls;
use super::recall::{self, Words};
use crate::cache::{Entry, Key, Library, Manner, Scope};
use crate::config::{Caching, Embedder, Layers, Sharing};
use crate::dialects::canonical::{self, Canonical, Sameness};
use crate::dialects::failure::Failure;
use crate::dialects::format::{Endpoint, Format};
use crate::dialects::openai::peek::UsageWish;
use crate::dialects::replay::Form;

/// Headers that change what a provider answers.
const BETAS: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// Which of its versions is asked of Anthropic's API.
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The versions that the official SDKs ask for, the first also where nobody says one: their words are the same.
const USUAL: [&[u8]; 2] = [b"2023-06-01", b"2026-10-21"];

/// A stream of chat completions that ends with its usage.
const WITH_USAGE: u8 = 1;

/// A stream of Gemini's that is a JSON array.
const LISTED: u8 = 2;

/// A request, as the cache sees it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) caching: Caching,
    pub(super) controls: Controls,
    pub(super) scope: Scope,
    pub(super) key: Key,
    pub(super) manner: Manner,
    /// What was read of the request; none where its bytes were known, or nobody asks what they mean.
    canonical: Option<Canonical>,
    /// Its words, where they are compared by what they mean.
    pub(super) words: Option<Words>,
}

impl Question {
    /// The question that a request is; none where the cache is not to be asked.
    ///
    /// # Errors
    /// What the client is told of its own controls.
    pub(super) fn of(life: &Life, plan: &Plan<'_>) -> Result<Option<Self>, Box<Failed>> {
        let caching = &life.serving.config.models[plan.named].cache;
        let asked = plan.asked;
        if caching.layers == Layers::Off || plan.resume.is_some() {
            return Ok(None);
        }
        let controls = Controls::read(&asked.headers)
            .map_err(|why| Box::new(Failed::local(Failure::BadRequest, &why)))?;
        if controls.no_store || asked.endpoint.is_form() || asked.endpoint.is_count() {
            return Ok(None);
        }
        let library = &life.worker.shared.lasting.library;
        let scope = scope(life, library, caching.scope);
        let manner = manner(plan);
        let around = Around::of(life, plan);
        let letter = library.key(
            scope,
            &[
                b"letter",
                around.name,
                around.mark,
                &[manner.endpoint, u8::from(manner.streamed)],
                around.betas[0],
                around.betas[1],
                around.version,
                asked.query.as_deref().unwrap_or_default().as_bytes(),
                &asked.body,
            ],
        );
        let mut question = Self {
            caching: caching.clone(),
            controls,
            scope,
            key: letter,
            manner,
            canonical: None,
            words: None,
        };
        if let Some(key) = library.shelf().meaning(&letter) {
            question.key = key;
            return Ok(Some(question));
        }
        let Ok(canonical) = canonical::read(asked.endpoint, &asked.body, plan.peek.stream) else {
            return Ok(None);
        };
        // Models draw at 1 where nothing is said.
        let temperature = canonical.temperature.unwrap_or(1.0);
        if caching
            .max_temperature
            .is_some_and(|most| temperature > most)
        {
            return Ok(None);
        }
        let text = canonical.text.as_deref().unwrap_or_default();
        let whose = whose(&canonical, caching.across_users);
        let kind = [b"meaning".as_slice(), text.as_bytes()];
        question.key = library.key(scope, &around.parts(kind, whose, &canonical.frame));
        library.shelf().learn(letter, question.key);
        // It is held as long as its answer takes, so only where it is asked again.
        question.canonical = (caching.layers == Layers::Semantic).then_some(canonical);
        Ok(Some(question))
    }
}

impl Question {
    /// What was read of the request.
    pub(super) fn canonical(&mut self, plan: &Plan<'_>) -> Option<&Canonical> {
        if self.canonical.is_none() {
            let asked = plan.asked;
            self.canonical = canonical::read(asked.endpoint, &asked.body, plan.peek.stream).ok();
        }
        self.canonical.as_ref()
    }

    /// Everything that was asked but the last words; none where answers cannot be told in other words, or no words are last.
    pub(super) fn partition(&mut self, life: &Life, plan: &Plan<'_>) -> Option<Key> {
        let (scope, across_users) = (self.scope, self.caching.across_users);
        let canonical = self.canonical(plan)?;
        if canonical.sameness != Sameness::Meaning || canonical.text.is_none() {
            return None;
        }
        let library = &life.worker.shared.lasting.library;
        let around = Around::of(life, plan);
        let embedder = embedder(life);
        let whose = whose(canonical, across_users);
        let kind = [b"partition".as_slice(), embedder.as_bytes()];
        Some(library.key(scope, &around.parts(kind, whose, &canonical.frame)))
    }

    /// The number of the key that asks; 0 where nobody has one.
    pub(super) fn author(life: &Life) -> u32 {
        life.payer.as_ref().map_or(0, |payer| payer.number)
    }

    /// Whether an answer is the same key's that asks.
    pub(super) fn is_own(life: &Life, entry: &Entry) -> bool {
        Self::author(life) == entry.author
    }
}

/// What an answer depends on besides what is asked.
struct Around<'a> {
    name: &'a [u8],
    mark: &'a [u8],
    betas: [&'a [u8]; 2],
    version: &'a [u8],
    /// What goes on to the provider of what is asked in the address.
    query: &'a [u8],
}

impl<'a> Around<'a> {
    /// Everything that makes a key of this kind, with what is asked and by which end user.
    fn parts(&self, kind: [&'a [u8]; 2], whose: [&'a [u8]; 2], frame: &'a [u8]) -> [&'a [u8]; 11] {
        [
            kind[0],
            kind[1],
            self.name,
            self.mark,
            self.betas[0],
            self.betas[1],
            self.version,
            self.query,
            whose[0],
            whose[1],
            frame,
        ]
    }

    fn of(life: &'a Life, plan: &'a Plan<'_>) -> Self {
        let asked = plan.asked;
        let said = |name: &HeaderName| {
            let value = asked.headers.get(name);
            value.map_or(&[][..], |value| value.as_bytes())
        };
        let messages = asked.endpoint.format() == Format::Messages;
        let query = asked.query.as_deref().filter(|_| messages);
        let version = said(&VERSION);
        Self {
            name: life.serving.names[plan.named].as_bytes(),
            mark: life.serving.marks[plan.model].as_bytes(),
            betas: BETAS.each_ref().map(said),
            version: if messages && !USUAL.contains(&version) {
                version
            } else {
                &[]
            },
            query: query.unwrap_or_default().as_bytes(),
        }
    }
}

/// What turns texts into vectors now: vectors of two embedders are not compared.
fn embedder(life: &Life) -> Box<str> {
    if let Some(pool) = &life.worker.shared.lasting.embedder {
        return pool.name().into();
    }
    let serving = &life.serving;
    match serving.config.cache.embedder {
        Some(Embedder::Model(model)) => recall::embedder(serving, model),
        _ => "".into(),
    }
}

/// The end user, where answers are not shared by all: whether there is one, and who.
fn whose(canonical: &Canonical, across_users: bool) -> [&[u8]; 2] {
    let user = canonical.user.as_deref().filter(|_| !across_users);
    match user {
        Some(user) => [&[1], user.as_bytes()],
        None => [&[0], &[]],
    }
}

/// Whose answers a request sees.
fn scope(life: &Life, library: &Library, sharing: Sharing) -> Scope {
    let Some(payer) = life.payer.as_deref() else {
        return library.scope(sharing, Scope::NOBODY);
    };
    let group = match sharing {
        Sharing::Key => None,
        Sharing::Team => payer.team.as_deref(),
        Sharing::Customer => payer.customer.as_deref(),
        Sharing::All => return library.scope(sharing, b""),
    };
    match group {
        Some(group) => library.scope(sharing, group.name.as_bytes()),
        // A name that is given out again has the number that it had: what a key has left is forgotten when it ends.
        None => library.scope(Sharing::Key, &payer.number.to_be_bytes()),
    }
}

/// How the client wants to be told.
fn manner(plan: &Plan<'_>) -> Manner {
    let endpoint = plan.asked.endpoint;
    let query = plan.asked.query.as_deref().unwrap_or_default();
    let is_events = query.split('&').any(|pair| pair == "alt=sse");
    let variety = match endpoint.format() {
        Format::Chat | Format::Completions
            if plan.peek.stream && plan.peek.usage == UsageWish::Asked =>
        {
            WITH_USAGE
        }
        _ if endpoint == Endpoint::StreamGenerate && !is_events => LISTED,
        _ => 0,
    };
    Manner {
        endpoint: u8::try_from(endpoint.index()).unwrap_or(u8::MAX),
        streamed: plan.peek.stream,
        variety,
    }
}

/// The endpoint whose words an answer is told in.
pub(super) fn endpoint(manner: Manner) -> Endpoint {
    let known = Endpoint::ALL.get(usize::from(manner.endpoint));
    known.copied().unwrap_or(Endpoint::Chat)
}

/// Whether it is told whole, as events or as a list.
pub(super) const fn form(manner: Manner) -> Form {
    match manner {
        Manner {
            streamed: false, ..
        } => Form::Whole,
        Manner {
            variety: LISTED, ..
        } => Form::Listed,
        Manner { .. } => Form::Stream,
    }
}
