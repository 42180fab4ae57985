//! Which providers, keys and models are there?
//!
//! Routes as configured: a route is one entry of a model's `routes` on one key of its provider.
//! References between them are indexes into the lists of [`Config`](super::Config), checked when the file is resolved.
//!
//! # Invariants
//! - Every provider has at least one key and every model at least one route.
//! - Weights are finite and greater than 0; prices are finite and not negative.
//! - Provider names, model names and key names within a provider are unique.
//! - Following `fallbacks` or `larger_context` never comes back to where it began.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use scoring::ceiling::ToldLimits;
use scoring::retry::RetryPolicy;

use super::cache::Caching;
use super::rules::Rule;
use super::secret::Secret;
use super::settings::Timeouts;
use super::tenants::Budget;
use super::workflow::Workflow;

/// Whom we call: one origin, the dialect it speaks and the keys we hold there.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Name in logs, metrics and route identities.
    pub name: String,
    /// The vendor that it is, as the catalogue of prices calls it; none where nothing tells.
    pub vendor: Option<&'static str>,
    /// Wire format of requests and responses.
    pub dialect: Dialect,
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it tells its rate limits.
    pub limits: LimitDialect,
    /// The version of its API that goes into every request's query; only Azure's deployments need one.
    pub api_version: Option<String>,
    /// What of OpenAI's API it serves; of meaning for OpenAI's dialect and Azure's only.
    pub serves: Serves,
    /// Region of the routes through it; providers of one name and region fail together. Empty by default.
    pub region: String,
    /// HTTP version to speak.
    pub http: HttpVersion,
    /// Time that an idle connection is kept.
    pub idle_timeout: Duration,
    /// Headers put on every request, before the key; the values are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Certificates in PEM that are trusted besides the public ones.
    pub extra_roots: Option<Vec<u8>>,
    /// Credentials; each is a route of its own.
    pub keys: Vec<Key>,
    /// What everybody together may spend there; all of them hold.
    pub budgets: Vec<Budget>,
}

/// One credential at a provider, with its share and its limits.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name in logs, metrics and route identities; never the secret.
    pub name: String,
    /// What is sent; empty means that no credential is sent.
    pub secret: Secret,
    /// Share of the provider's traffic relative to its other keys; greater than 0, default 1.
    pub weight: f32,
    /// Limits that the operator knows; none by default, then they are learned.
    pub limits: ToldLimits,
}

/// A name that clients may ask for, and how it is served: a model, or a workflow on the routes of one.
#[derive(Clone, Debug)]
pub struct Model {
    /// What a client puts into `model`.
    pub name: String,
    /// Ways to serve it; each is multiplied by its provider's keys.
    pub routes: Vec<RouteSpec>,
    /// Models to try when no route of this one is left, in order, as indexes.
    pub fallbacks: Vec<usize>,
    /// Model to try when the prompt is too long for this one, as an index.
    pub larger_context: Option<usize>,
    /// When other models' routes serve it; the first rule that matches decides.
    pub rules: Vec<Rule>,
    /// What makes it a workflow, if it is one.
    pub workflow: Option<Workflow>,
    /// What becomes of a stream that breaks off.
    pub stream_recovery: StreamRecovery,
    /// What is kept of its answers, and for whom.
    pub cache: Caching,
    /// The clocks of its attempts.
    pub timeouts: Timeouts,
    /// Attempts and back-off of its requests.
    pub retry: RetryPolicy,
}

/// What becomes of a stream that breaks off after the client has seen a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamRecovery {
    /// The client is told, and its transfer broken off: the default, since nothing else is certain to be right.
    #[default]
    Error,
    /// Another route begins anew; the client gets what is new, if the beginning is the same.
    Restart,
    /// Another route is asked to go on from there; if it cannot, as `Restart`.
    Continue,
}

/// One way to serve a model.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSpec {
    /// The provider, as an index.
    pub provider: usize,
    /// The model's name at the provider.
    pub model: String,
    /// The most output tokens that the model writes, if known: what a client of another dialect asks above it is cut to it.
    pub max_output_tokens: Option<u32>,
    /// Share of the model's traffic relative to its other routes; greater than 0, default 1.
    pub weight: f32,
    /// Price of an input token, nano-dollars (dollars per million × 1000); 0 means unknown, the default.
    pub price_input: f64,
    /// Price of an output token, nano-dollars (dollars per million × 1000); 0 means unknown, the default.
    pub price_output: f64,
    /// The entry of the catalogue whose prices it has, as `vendor/model`; none: that of its provider and model.
    pub price_as: Option<String>,
}

/// A wire format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's: the default.
    #[default]
    OpenAi,
    /// Azure's: OpenAI's bodies under deployments, with a version in the query.
    Azure,
    /// Anthropic's.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Gemini's bodies on Google Cloud.
    Vertex,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Cohere's, version 2.
    Cohere,
    /// Stability's v2beta: images only, as are the next three.
    Stability,
    /// fal's, its queue or the API that answers at once.
    Fal,
    /// Replicate's predictions.
    Replicate,
    /// Black Forest Labs'.
    Bfl,
}

/// By whose rules a provider of OpenAI's dialect makes images: some that converse like OpenAI do not draw like it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImageRules {
    /// OpenAI's own: requests pass unchanged.
    #[default]
    OpenAi,
    /// Together's.
    Together,
    /// Fireworks'.
    Fireworks,
    /// It makes none.
    None,
}

/// What of OpenAI's API a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serves {
    /// Whether a stream may be asked for its usage, with `stream_options`.
    pub stream_usage: bool,
    /// Whether there is `/responses`; requests for it are else served through chat completions.
    pub responses: bool,
    /// Whether there is `/embeddings`.
    pub embeddings: bool,
    /// Whether there is `/images/…`, and by whose rules.
    pub images: ImageRules,
}

impl Default for Serves {
    /// What most that are compatible with OpenAI do.
    fn default() -> Self {
        Self {
            stream_usage: true,
            responses: false,
            embeddings: true,
            images: ImageRules::OpenAi,
        }
    }
}

/// How a provider tells its rate limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitDialect {
    /// `x-ratelimit-*` with Go durations: the default.
    #[default]
    OpenAi,
    /// `anthropic-ratelimit-*` with RFC 3339 instants.
    Anthropic,
    /// OpenAI's names, with −1 for "not told".
    Azure,
    /// OpenAI's names, where requests are counted per day.
    Groq,
    /// Quota violations in the body of a refusal.
    Gemini,
    /// Nothing is told; limits are learned from refusals.
    None,
}

/// Which HTTP version is spoken to a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1, one request a connection: the default, because one lost packet then stalls one request.
    #[default]
    H1,
    /// HTTP/2, over cleartext by prior knowledge.
    H2,
    /// What TLS negotiates; HTTP/1.1 over cleartext.
    Auto,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The embedded stand-in of the provider's name, declared under `[mock.providers.NAME]`; its address is known once it listens.
    Mock,
    /// A URL.
    Url(BaseUrl),
}

/// A provider's base URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port; 80 or 443 unless written.
    pub port: u16,
    /// What requests' paths begin with, such as `/v1`; no slash at the end, empty for none.
    pub path: String,
}

/// Cleartext or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Provider {
    /// 30 s: below the 60 s or more after which the large providers close, so that we never write to a connection that is being closed.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

    /// Makes a provider at `endpoint` with these keys and every other field at its default.
    #[must_use]
    pub fn new(name: impl Into<String>, endpoint: Endpoint, keys: Vec<Key>) -> Self {
        Self {
            name: name.into(),
            vendor: None,
            dialect: Dialect::default(),
            endpoint,
            limits: LimitDialect::default(),
            api_version: None,
            serves: Serves::default(),
            region: String::new(),
            http: HttpVersion::default(),
            idle_timeout: Self::IDLE_TIMEOUT,
            headers: Vec::new(),
            extra_roots: None,
            keys,
            budgets: Vec::new(),
        }
    }
}

impl Key {
    /// 1: alone or among equals every key has the same share.
    pub const WEIGHT: f32 = 1.0;

    /// Makes a key of weight 1 without limits.
    #[must_use]
    pub fn new(name: impl Into<String>, secret: Secret) -> Self {
        Self {
            name: name.into(),
            secret,
            weight: Self::WEIGHT,
            limits: ToldLimits::default(),
        }
    }
}

impl Model {
    /// What the names of workflows begin with; no model's does.
    pub const WORKFLOWS: &str = "workflows/";

    /// Makes a model with these routes, no fallbacks and the default clocks.
    #[must_use]
    pub fn new(name: impl Into<String>, routes: Vec<RouteSpec>) -> Self {
        Self {
            name: name.into(),
            routes,
            fallbacks: Vec::new(),
            larger_context: None,
            rules: Vec::new(),
            workflow: None,
            stream_recovery: StreamRecovery::default(),
            cache: Caching::default(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
        }
    }
}

impl RouteSpec {
    /// 1: alone or among equals every route has the same share.
    pub const WEIGHT: f32 = 1.0;
    /// Nano-dollars per token in one dollar per million tokens.
    pub const NANODOLLARS_PER_DOLLAR_PER_MILLION: f64 = 1_000.0;

    /// Makes a route of weight 1 and unknown price to `model` at the provider of this index.
    #[must_use]
    pub fn new(provider: usize, model: impl Into<String>) -> Self {
        Self {
            provider,
            model: model.into(),
            max_output_tokens: None,
            weight: Self::WEIGHT,
            price_input: 0.0,
            price_output: 0.0,
            price_as: None,
        }
    }
}

impl Dialect {
    /// Names the dialect as the file spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::Stability => "stability",
            Self::Fal => "fal",
            Self::Replicate => "replicate",
            Self::Bfl => "bfl",
        }
    }

    /// How a provider of this dialect tells its limits unless the operator says otherwise.
    #[must_use]
    pub const fn limits(self) -> LimitDialect {
        match self {
            Self::OpenAi => LimitDialect::OpenAi,
            Self::Azure => LimitDialect::Azure,
            Self::Anthropic => LimitDialect::Anthropic,
            Self::Gemini | Self::Vertex => LimitDialect::Gemini,
            Self::Bedrock
            | Self::Cohere
            | Self::Stability
            | Self::Fal
            | Self::Replicate
            | Self::Bfl => LimitDialect::None,
        }
    }

    /// What the path of a stand-in of this dialect ends with, as that of the real provider's base URL does.
    #[must_use]
    pub const fn stand_in_path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Replicate | Self::Bfl => "/v1",
            Self::Azure => "/openai",
            Self::Gemini => "/v1beta",
            Self::Vertex => "/v1/projects/mock/locations/mock",
            Self::Bedrock => "",
            Self::Cohere => "/v2",
            Self::Stability => "/v2beta",
            Self::Fal => "/queue.fal.run",
        }
    }
}

impl Scheme {
    /// The port that a URL of this scheme means when it names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Names the scheme as URLs spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl BaseUrl {
    /// The `Host` header's value: the port is left out where the scheme implies it.
    #[must_use]
    pub fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        let host = if bracketed {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name();
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}
