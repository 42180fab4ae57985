//! What may be written about providers, keys, models and routes?
//!
//! # Invariants
//! - As of [`raw`](super).

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::routes::{Key, Provider, RouteSpec};
use super::super::units::written_duration;
use super::super::written::{At, Named, Period, Place, SecretText};
use super::{RawBudget, RawCaching, RawModelRetry, RawRule, RawTimeouts};

/// A provider: one origin, the dialect it speaks and the keys held there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Provider")]
pub(in crate::config) struct RawProvider {
    /// A vendor that is known by name, such as `groq`: gives the address, the dialect and the rest of what is not written here.
    pub(in crate::config) vendor: Option<At<String>>,
    /// Wire format of requests and responses. The default is the vendor's, else `openai`.
    pub(in crate::config) dialect: Option<At<RawDialect>>,
    /// Where the provider is, up to the part of the path that all its endpoints share, such as `https://api.openai.com/v1`; or `mock` for the embedded stand-in of the same name under `[mock.providers]`. The default is the vendor's.
    pub(in crate::config) base_url: Option<At<Place>>,
    /// How the provider tells its rate limits. The default is that of its dialect.
    pub(in crate::config) limits: Option<At<RawLimitDialect>>,
    /// Version of Azure's API, such as `2024-10-21`, for base URLs that do not end in `/v1`.
    pub(in crate::config) api_version: Option<At<String>>,
    /// Whether the provider serves OpenAI's Responses API. The default is true for OpenAI, for Azure at a base URL that ends in `/v1` and for stand-ins, else false: then it is served through chat completions.
    pub(in crate::config) responses: Option<At<bool>>,
    /// Region of the routes through it, any name; routes of one provider and region are suspected together when connections fail.
    #[schemars(extend("default" = ""))]
    pub(in crate::config) region: Option<At<String>>,
    /// HTTP version to speak. With `1.1` a lost packet stalls one request only; `2` shares connections; `auto` takes what TLS negotiates.
    #[schemars(extend("default" = "1.1"))]
    pub(in crate::config) http: Option<At<RawHttpVersion>>,
    /// Time that an idle connection is kept. Shorter than the provider's own, so that no request meets a closing connection.
    #[schemars(extend("default" = written_duration(Provider::IDLE_TIMEOUT)))]
    pub(in crate::config) idle_timeout: Option<At<Period>>,
    /// Headers put on every request, such as `{ OpenAI-Organization = "org-1" }`. A credential belongs into `keys`.
    #[serde(default)]
    pub(in crate::config) headers: Named<At<SecretText>>,
    /// File of certificates in PEM to trust besides the public ones; relative to the directory of this file.
    pub(in crate::config) ca_file: Option<At<String>>,
    /// Credentials, each a route of its own. Without any, requests carry no credential.
    #[serde(default)]
    pub(in crate::config) keys: Vec<RawKey>,
    /// What everybody together may spend there; at most four, and all of them hold.
    #[serde(default)]
    pub(in crate::config) budgets: Vec<RawBudget>,
}

/// One credential at a provider, with its share and its limits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Key")]
pub(in crate::config) struct RawKey {
    /// Name in logs, metrics and route names.
    #[schemars(required)]
    pub(in crate::config) name: Option<At<String>>,
    /// The credential: `"${NAME}"` reads it from the environment.
    #[schemars(required)]
    pub(in crate::config) secret: Option<At<SecretText>>,
    /// Share of the provider's traffic relative to its other keys; above 0.
    #[schemars(extend("default" = f64::from(Key::WEIGHT), "exclusiveMinimum" = 0))]
    pub(in crate::config) weight: Option<At<f64>>,
    /// Known limit of requests per minute. Without it the limit is learned from responses, as are the other four.
    #[schemars(range(min = 1))]
    pub(in crate::config) requests_per_minute: Option<At<u32>>,
    /// Known limit of tokens per minute, input and output together.
    #[schemars(range(min = 1))]
    pub(in crate::config) tokens_per_minute: Option<At<u32>>,
    /// Known limit of input tokens per minute.
    #[schemars(range(min = 1))]
    pub(in crate::config) input_tokens_per_minute: Option<At<u32>>,
    /// Known limit of output tokens per minute.
    #[schemars(range(min = 1))]
    pub(in crate::config) output_tokens_per_minute: Option<At<u32>>,
    /// Known limit of requests in flight.
    #[schemars(range(min = 1))]
    pub(in crate::config) concurrency: Option<At<u32>>,
}

/// A name that clients may ask for, and how it is served.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(in crate::config) struct RawModel {
    /// Ways to serve it, at least one; each is multiplied by its provider's keys.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) routes: Option<Vec<RawRoute>>,
    /// Models to try, in order, when no route of this one can answer.
    #[serde(default)]
    pub(in crate::config) fallbacks: Vec<At<String>>,
    /// Model to try when the prompt is too long for this one.
    pub(in crate::config) larger_context: Option<At<String>>,
    /// Rules that send some requests to another model's routes; the first that matches decides, once per request.
    #[serde(default)]
    pub(in crate::config) rules: Vec<RawRule>,
    /// What becomes of a stream that breaks off: the client is told (`error`), another route begins anew and only what is new is sent if the beginning is the same (`restart`), or another route is asked to go on, and one that refuses to is followed by one that begins anew (`continue`). Only text is taken up, within the request's attempts, its time and the retry budget; a tool call that has begun, or for Anthropic's and the Responses API's clients a thought that is not finished, is not. Usage is then that of the whole answer, with the input of the route that ended it. The last two rewrite streams instead of passing them byte by byte, but for requests of which that would lose something (several choices, `logprobs`).
    #[schemars(extend("default" = "error"))]
    pub(in crate::config) stream_recovery: Option<At<RawStreamRecovery>>,
    /// What is kept of the answers, and for whom. Nothing is unless it is written.
    #[serde(default)]
    pub(in crate::config) cache: RawCaching,
    /// Clocks of its requests, where they differ from `[timeouts]`.
    #[serde(default)]
    pub(in crate::config) timeouts: RawTimeouts,
    /// Attempts and back-off of its requests, where they differ from `[retry]`.
    #[serde(default)]
    pub(in crate::config) retry: RawModelRetry,
}

/// One way to serve a model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(in crate::config) struct RawRoute {
    /// Name of the provider, as under `[providers]`.
    #[schemars(required)]
    pub(in crate::config) provider: Option<At<String>>,
    /// The model's name at the provider. The default is the name that clients ask for.
    pub(in crate::config) model: Option<At<String>>,
    /// Most output tokens that the model writes. Clients of another dialect that ask for more are given this many.
    #[schemars(range(min = 1))]
    pub(in crate::config) max_output_tokens: Option<At<u32>>,
    /// Share of the model's traffic relative to its other routes while all are healthy; above 0.
    #[schemars(extend("default" = f64::from(RouteSpec::WEIGHT), "exclusiveMinimum" = 0))]
    pub(in crate::config) weight: Option<At<f64>>,
    /// Price of input, dollars per million tokens; 0 means unknown. An image counts as a token for every 256 pixels of every step: 114,688 where its request says neither size nor steps.
    #[schemars(range(min = 0.0, max = 1e6), extend("default" = 0.0))]
    pub(in crate::config) price_input: Option<At<f64>>,
    /// Price of output, dollars per million tokens; 0 means unknown.
    #[schemars(range(min = 0.0, max = 1e6), extend("default" = 0.0))]
    pub(in crate::config) price_output: Option<At<f64>>,
    /// Entry of the catalogue whose prices the route has, such as `openai/gpt-4o`: for deployments and fine-tunes with names of their own. The default is the provider's vendor and the model's name there.
    pub(in crate::config) price_as: Option<At<String>>,
}

/// A wire format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawDialect {
    /// OpenAI's API, and every provider compatible with it.
    OpenAi,
    /// Azure OpenAI by its deployments; a base URL that ends in `/v1` is its OpenAI-compatible API.
    Azure,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Gemini and Claude models on Google Cloud; a key is a service account's JSON, or an access token.
    Vertex,
    /// Amazon Bedrock's Converse API; a key is `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with a session token after another colon, or a Bedrock API key.
    Bedrock,
    /// Cohere's API, version 2.
    Cohere,
    /// Stability's v2beta API, for images only.
    Stability,
    /// fal's API, for images only: `https://queue.fal.run` is its queue, whose jobs can be cancelled, `https://fal.run` answers at once.
    Fal,
    /// Replicate's predictions, for images only.
    Replicate,
    /// Black Forest Labs' API, for images only.
    Bfl,
}

/// What becomes of a stream that breaks off.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawStreamRecovery {
    /// The client is told, and its transfer broken off.
    Error,
    /// Another route begins anew.
    Restart,
    /// Another route is asked to go on.
    Continue,
}

/// How a provider tells its rate limits.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawLimitDialect {
    /// `x-ratelimit-*` headers.
    OpenAi,
    /// `anthropic-ratelimit-*` headers.
    Anthropic,
    /// `x-ratelimit-*` headers, with -1 where nothing is told.
    Azure,
    /// `x-ratelimit-*` headers that count requests per day.
    Groq,
    /// The body of a refusal tells the quota.
    Gemini,
    /// Nothing is told: limits are learned from refusals.
    None,
}

/// Which HTTP version is spoken to a provider.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::config) enum RawHttpVersion {
    /// HTTP/1.1, one request a connection at a time.
    #[serde(rename = "1.1")]
    H1,
    /// HTTP/2; over cleartext by prior knowledge.
    #[serde(rename = "2")]
    H2,
    /// What TLS negotiates; HTTP/1.1 over cleartext.
    #[serde(rename = "auto")]
    Auto,
}
