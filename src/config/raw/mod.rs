//! What may be written in the file?
//!
//! One struct a table, as serde reads it and as schemars describes it: the doc comment of a field is its description in the schema and in the reference page, and its default is the constant that [`resolve`](super::resolve) applies.
//! Everything is optional here, also what a reader must write: what is missing has been reported before, and resolving goes on with the rest so that all errors are found at once.
//!
//! # Invariants
//! - Unknown keys are refused.
//! - Every field has a description; a test says so.

mod cache;
mod constants;
mod governance;
mod observe;
mod routes;
mod tenants;
mod workflows;

use schemars::JsonSchema;
use scoring::retry::RetryPolicy;
use scoring::tuning::Tuning;
use serde::Deserialize;

pub(super) use cache::{
    RawAudit, RawCache, RawCaching, RawEmbedder, RawLayers, RawSharing, RawStart,
};

pub(super) use governance::{RawGovernance, RawPrice, RawSync, RawUnknownPrice};

pub(super) use tenants::{
    RawAtProvider, RawBudget, RawCustomer, RawKeyProviders, RawRateLimits, RawStyle, RawTeam,
    RawVirtualKey,
};

pub(super) use routes::{
    RawDialect, RawHttpVersion, RawKey, RawLimitDialect, RawModel, RawProvider, RawRoute,
    RawStreamRecovery,
};

pub(super) use workflows::{Json, RawLimits, RawRule, RawWorkflow};

pub(super) use constants::{Override, RawScoring};
pub(super) use observe::{RawKeep, RawOtlp, RawRequestLog, RawRequests};

use super::settings::{Admin, Server, Timeouts, Trace};
use super::units::{shortest, written_duration, written_size, written_span};
use super::written::{Address, At, Named, Period, SecretText, Size};

/// The configuration of Trimtab, an adaptive gateway for AI model traffic.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Trimtab configuration")]
pub(super) struct RawConfig {
    /// The data plane: where clients connect, and what is taken from them.
    pub(super) server: RawServer,
    /// The admin plane: metrics, the admin API and the dashboard, at an address of their own.
    pub(super) admin: RawAdmin,
    /// The clocks of a request, for models that do not set their own.
    pub(super) timeouts: RawTimeouts,
    /// How failures are retried, for models that do not set their own, and the budget that all share.
    pub(super) retry: RawRetry,
    /// Constants of the scoring, to be changed after a replay has shown the effect.
    pub(super) scoring: RawScoring,
    /// Recording of decisions and outcomes for replay; nothing is recorded unless this table is written.
    pub(super) trace: Option<RawTrace>,
    /// What is kept of requests, for the dashboard and `/api/requests`.
    pub(super) requests: RawRequests,
    /// The log of requests; nothing is logged unless this table is written.
    pub(super) request_log: Option<RawRequestLog>,
    /// Where traces are sent; none are made unless this table is written.
    pub(super) otlp: Option<RawOtlp>,
    /// What is logged, and how.
    pub(super) log: RawLog,
    /// Whom the gateway calls, by name. The name stands in logs, metrics and route names.
    pub(super) providers: Named<RawProvider>,
    /// What clients may ask for, by the name that they put into `model`.
    pub(super) models: Named<RawModel>,
    /// Endpoints of their own, by name: a model with parameters, instructions, limits and rules that hold for every request.
    pub(super) workflows: Named<RawWorkflow>,
    /// The response cache: what all cached answers share.
    pub(super) cache: RawCache,
    /// How virtual keys are asked for, and how money is kept.
    pub(super) governance: Option<RawGovernance>,
    /// Who is billed, by name.
    pub(super) customers: Named<RawCustomer>,
    /// Keys that share budgets and limits, by name.
    pub(super) teams: Named<RawTeam>,
    /// Virtual keys, by name: what clients present, and what each may use and spend. The name stands in logs, metrics and bills.
    pub(super) keys: Named<RawVirtualKey>,
    /// Prices that go before those of the catalogue, by `VENDOR/MODEL` or `PROVIDER/MODEL`; the model by its name there.
    pub(super) prices: Named<RawPrice>,
    /// Stand-in providers inside the process, for trying things out without an account: a provider whose `base_url` is `mock` is served by the one of its name.
    pub(super) mock: Option<crate::mock::Script>,
}

/// The data plane: where clients connect, and what is taken from them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Server")]
pub(super) struct RawServer {
    /// Address that clients connect to. Beyond loopback a `token` is required.
    #[schemars(extend("default" = Server::LISTEN.to_string()))]
    pub(super) listen: Option<At<Address>>,
    /// Worker threads, each with its own connections; 1 to 256. The default is one per core.
    #[schemars(range(min = 1, max = 256))]
    pub(super) workers: Option<At<u32>>,
    /// Credential that every client presents as `Authorization: Bearer`. The default is none: anybody who reaches the address is served.
    pub(super) token: Option<At<SecretText>>,
    /// Largest request body. A larger one is answered with 413.
    #[schemars(extend("default" = written_size(Server::MAX_BODY)))]
    pub(super) max_body: Option<At<Size>>,
    /// Largest request head: request line and headers; at least 8KiB. A larger one is answered with 431.
    #[schemars(extend("default" = written_size(Server::MAX_HEAD)))]
    pub(super) max_head: Option<At<Size>>,
    /// Client connections open at once, over all workers. Further ones are closed at once.
    #[schemars(range(min = 1), extend("default" = Server::MAX_CONNECTIONS))]
    pub(super) max_connections: Option<At<u32>>,
    /// Time that requests in flight are given to end at shutdown; `"0s"` ends them at once.
    #[schemars(extend("default" = written_duration(Server::DRAIN)))]
    pub(super) drain: Option<At<Period>>,
    /// Time for a client to send a whole request head.
    #[schemars(extend("default" = written_duration(Server::HEADER_TIMEOUT)))]
    pub(super) header_timeout: Option<At<Period>>,
    /// Time for a client to send a whole request body.
    #[schemars(extend("default" = written_duration(Server::BODY_TIMEOUT)))]
    pub(super) body_timeout: Option<At<Period>>,
    /// Time that an idle client connection is kept open.
    #[schemars(extend("default" = written_duration(Server::KEEP_ALIVE)))]
    pub(super) keep_alive: Option<At<Period>>,
}

/// The admin plane: metrics, the admin API and the dashboard, at an address of their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Admin")]
pub(super) struct RawAdmin {
    /// Address of metrics, the admin API and the dashboard. Beyond loopback a `token` is required.
    #[schemars(extend("default" = Admin::LISTEN.to_string()))]
    pub(super) listen: Option<At<Address>>,
    /// Credential that every admin request presents as `Authorization: Bearer`. The default is none.
    pub(super) token: Option<At<SecretText>>,
}

/// The clocks of a request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Timeouts")]
pub(super) struct RawTimeouts {
    /// Time to open a connection to a provider, name lookup and TLS included.
    #[schemars(extend("default" = written_duration(Timeouts::CONNECT)))]
    pub(super) connect: Option<At<Period>>,
    /// Time from the request's last byte to the response head.
    #[schemars(extend("default" = written_duration(Timeouts::HEAD)))]
    pub(super) head: Option<At<Period>>,
    /// Time from the response head to the first content token of a stream. Until then another route may still answer.
    #[schemars(extend("default" = written_duration(Timeouts::FIRST_TOKEN)))]
    pub(super) first_token: Option<At<Period>>,
    /// Longest silence between two tokens of a stream.
    #[schemars(extend("default" = written_duration(Timeouts::BETWEEN_TOKENS)))]
    pub(super) between_tokens: Option<At<Period>>,
    /// Time for the whole request, retries and fallbacks included.
    #[schemars(extend("default" = written_duration(Timeouts::TOTAL)))]
    pub(super) total: Option<At<Period>>,
    /// Time that a stream may take after its finish reason to send usage and its end marker; `"0s"` waits for neither.
    #[schemars(extend("default" = written_duration(Timeouts::TAIL)))]
    pub(super) tail: Option<At<Period>>,
    /// Tokens per second that a stream must make, over the last ten seconds and from ten seconds after its first token on; a slower one is treated like one that has fallen silent. An event with content counts as one token unless the provider tells more. 0 asks for none.
    #[schemars(range(max = 1_000), extend("default" = Timeouts::MIN_TOKENS_PER_SECOND))]
    pub(super) min_tokens_per_second: Option<At<u32>>,
}

/// How failures are retried, and the budget that all requests share.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Retry")]
pub(super) struct RawRetry {
    /// Attempts of one request in all, the first included; 1 never retries.
    #[schemars(range(min = 1, max = 16), extend("default" = RetryPolicy::default().max_attempts))]
    pub(super) max_attempts: Option<At<u32>>,
    /// Extra attempts on one route before the next route is tried.
    #[schemars(range(max = 15), extend("default" = RetryPolicy::default().same_route))]
    pub(super) same_route: Option<At<u32>>,
    /// First back-off before the same route is tried again; it doubles each time, and each is jittered.
    #[schemars(extend("default" = written_span(RetryPolicy::default().base)))]
    pub(super) base: Option<At<Period>>,
    /// Longest back-off.
    #[schemars(extend("default" = written_span(RetryPolicy::default().cap)))]
    pub(super) cap: Option<At<Period>>,
    /// Extra attempts allowed per client request, over all requests: 0.1 adds at most a tenth to a failing provider's load.
    #[schemars(range(min = 0.0, max = 1.0), extend("default" = shortest(Tuning::default().retry.ratio)))]
    pub(super) budget_ratio: Option<At<f64>>,
    /// Extra attempts per second that are allowed however few requests there are.
    #[schemars(range(min = 0.0, max = 1_000.0), extend("default" = shortest(Tuning::default().retry.per_second)))]
    pub(super) budget_floor_per_second: Option<At<f64>>,
    /// Most extra attempts that are saved up in quiet times.
    #[schemars(range(min = 1.0, max = 100_000.0), extend("default" = shortest(Tuning::default().retry.cap)))]
    pub(super) budget_cap: Option<At<f64>>,
}

/// Attempts and back-off of one model's requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ModelRetry")]
pub(super) struct RawModelRetry {
    /// Attempts of one request in all, the first included; 1 never retries. The default is that of `[retry]`.
    #[schemars(range(min = 1, max = 16))]
    pub(super) max_attempts: Option<At<u32>>,
    /// Extra attempts on one route before the next route is tried. The default is that of `[retry]`.
    #[schemars(range(max = 15))]
    pub(super) same_route: Option<At<u32>>,
    /// First back-off before the same route is tried again. The default is that of `[retry]`.
    pub(super) base: Option<At<Period>>,
    /// Longest back-off. The default is that of `[retry]`.
    pub(super) cap: Option<At<Period>>,
}

/// Recording of decisions and outcomes for replay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trace")]
pub(super) struct RawTrace {
    /// File that records are appended to; a relative path is relative to the directory the gateway is started in.
    #[schemars(required, length(min = 1))]
    pub(super) path: Option<At<String>>,
    /// Records that may wait to be written; more are dropped and counted, and requests never wait.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = Trace::QUEUE))]
    pub(super) queue: Option<At<u32>>,
}

/// What is logged, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Log")]
pub(super) struct RawLog {
    /// The least severe event that is logged.
    #[schemars(extend("default" = "info"))]
    pub(super) level: Option<At<RawLogLevel>>,
    /// How a log line is written.
    #[schemars(extend("default" = "text"))]
    pub(super) format: Option<At<RawLogFormat>>,
}

/// The least severe event that is logged.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawLogLevel {
    /// Nothing at all.
    Off,
    /// What needs a person.
    Error,
    /// What may need a person soon.
    Warn,
    /// Starts, stops and changes of state.
    Info,
    /// One line a request.
    Debug,
    /// One line a step.
    Trace,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RawLogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
