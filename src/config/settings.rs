//! What does the gateway run with?
//!
//! The checked configuration as the rest of the gateway reads it: real types, defaults applied, names replaced by indexes.
//! Only [`resolve`](super) builds one from a file; tests may fill the plain fields themselves, starting from `default()`.
//!
//! # Invariants
//! - Each default is a constant of the type it belongs to, with its reason; the schema and the reference page quote the same constant.
//! - Durations are `std::time::Duration`, sizes are bytes.
//! - A listener beyond loopback has a token.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scoring::retry::RetryPolicy;
use scoring::tuning::Tuning;

use super::cache::Cache;
use super::effective::Setting;
use super::governance::Governance;
use super::observe::{Otlp, RequestLog, Requests};
use super::prices::PriceOverride;
use super::routes::{Model, Provider};
use super::secret::Secret;
use super::tenants::Tenants;

/// The whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The data plane's listener.
    pub server: Server,
    /// The admin plane's listener.
    pub admin: Admin,
    /// The clocks of an attempt, for models that do not set their own.
    pub timeouts: Timeouts,
    /// Attempts and back-off, for models that do not set their own.
    pub retry: RetryPolicy,
    /// The constants of scoring; the budget of `[retry]` is its `retry` group.
    pub tuning: Tuning,
    /// The constants that are tried beside them, if any are.
    pub shadow: Option<Shadow>,
    /// Whom we call, in the order written.
    pub providers: Vec<Provider>,
    /// What clients may ask for, in the order written.
    pub models: Vec<Model>,
    /// What all cached answers share.
    pub cache: Cache,
    /// How virtual keys are asked for, and how money is kept.
    pub governance: Governance,
    /// Customers, teams and virtual keys.
    pub tenants: Tenants,
    /// Prices that go before the catalogue's, by `vendor/model` or `provider/model`, in the order written.
    pub prices: Vec<(String, PriceOverride)>,
    /// Stand-in providers to run inside the process; none unless `[mock]` is written.
    pub mock: Option<crate::mock::Script>,
    /// Where decisions and outcomes are recorded; nowhere by default.
    pub trace: Option<Trace>,
    /// What is kept of requests.
    pub requests: Requests,
    /// Where requests are logged; nowhere by default.
    pub request_log: Option<RequestLog>,
    /// Where traces are sent; nowhere by default.
    pub otlp: Option<Otlp>,
    /// What is logged.
    pub log: Log,
    /// Every key as it is written or left to its default; none where there is no file.
    pub settings: Arc<[Setting]>,
}

impl Config {
    /// Whether a ledger is kept: `[governance]` is written, or somebody is declared who may ask or pays.
    #[must_use]
    pub fn is_governed(&self) -> bool {
        let Tenants {
            customers,
            teams,
            keys,
        } = &self.tenants;
        self.governance.is_written
            || !(customers.is_empty() && teams.is_empty() && keys.is_empty())
            || self.providers.iter().any(|it| !it.budgets.is_empty())
    }
}

/// The data plane's listener and the limits of its HTTP front.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address that clients connect to.
    pub listen: SocketAddr,
    /// Worker threads, each with its own connections; by default one per core.
    pub workers: NonZeroUsize,
    /// Credential that every client presents; none means that nobody is asked.
    pub token: Option<Secret>,
    /// Largest request body, bytes.
    pub max_body: usize,
    /// Largest request head, bytes.
    pub max_head: usize,
    /// Client connections open at once, over all workers.
    pub max_connections: usize,
    /// Time that requests in flight are given at shutdown.
    pub drain: Duration,
    /// Time for a client to send a whole request head.
    pub header_timeout: Duration,
    /// Time for a client to send a whole request body.
    pub body_timeout: Duration,
    /// Time that an idle client connection is kept open.
    pub keep_alive: Duration,
}

/// The admin plane's listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Address of metrics, the admin API and the dashboard.
    pub listen: SocketAddr,
    /// Credential that every admin request presents; none means that nobody is asked.
    pub token: Option<Secret>,
}

/// The clocks of one attempt, and of the whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to open a connection, name lookup and TLS included.
    pub connect: Duration,
    /// Time from the request's last byte to the response head.
    pub head: Duration,
    /// Time from the response head to the first content token of a stream.
    pub first_token: Duration,
    /// Longest silence between two tokens of a stream.
    pub between_tokens: Duration,
    /// Time for the whole request, retries and fallbacks included.
    pub total: Duration,
    /// Time that a stream may take after its finish reason to send usage and its end marker.
    pub tail: Duration,
    /// Tokens per second below which a stream counts as stalled; 0 asks for none.
    pub min_tokens_per_second: u32,
}

/// Constants that are tried beside the live ones, without effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shadow {
    /// All of them; those that are not tried are the live ones.
    pub tuning: Tuning,
    /// Share of the first attempts that are asked, above 0 and up to 1.
    pub sample: f32,
}

/// The recording of decisions and outcomes, for replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// File that is appended to.
    pub path: PathBuf,
    /// Records that may wait to be written; more are dropped and counted.
    pub queue: usize,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The least severe event that is logged.
    pub level: LogLevel,
    /// How a log line is written.
    pub format: LogFormat,
}

/// The least severe event that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// What needs a person.
    Error,
    /// What may need a person soon.
    Warn,
    /// Starts, stops and changes of state: the default.
    #[default]
    Info,
    /// One line a request.
    Debug,
    /// One line a step.
    Trace,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: the default.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Server {
    /// Loopback, so that a fresh start exposes nothing; 8080 as its peers use.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    /// 32 MiB: ten photographs inline in base64 pass; 64 such bodies at once still fit a small machine.
    pub const MAX_BODY: usize = 32 << 20;
    /// 64 KiB: four times what browsers with heavy cookies send; larger invites memory held by strangers.
    pub const MAX_HEAD: usize = 64 << 10;
    /// 10,000 connections: at 16 KiB each, 160 MB in the worst case.
    pub const MAX_CONNECTIONS: usize = 10_000;
    /// 30 s: within the grace period of the usual orchestrators.
    pub const DRAIN: Duration = Duration::from_secs(30);
    /// 10 s: a mobile client on a bad link sends a head in less; a slow-loris holds a slot no longer.
    pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
    /// 60 s: 32 MiB at 5 Mbit/s.
    pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
    /// 75 s: longer than the usual load balancer's 60 s, so that the balancer closes first and never writes to a closed socket.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
}

impl Default for Server {
    /// The defaults, with one worker: the number of cores is the caller's to know.
    fn default() -> Self {
        Self {
            listen: Self::LISTEN,
            workers: NonZeroUsize::MIN,
            token: None,
            max_body: Self::MAX_BODY,
            max_head: Self::MAX_HEAD,
            max_connections: Self::MAX_CONNECTIONS,
            drain: Self::DRAIN,
            header_timeout: Self::HEADER_TIMEOUT,
            body_timeout: Self::BODY_TIMEOUT,
            keep_alive: Self::KEEP_ALIVE,
        }
    }
}

impl Admin {
    /// Loopback, so that a fresh start exposes nothing; 9090 as metrics endpoints commonly use.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Self::LISTEN,
            token: None,
        }
    }
}

impl Timeouts {
    /// 5 s: two lost SYNs (1 s + 2 s) and a TLS handshake still fit.
    pub const CONNECT: Duration = Duration::from_secs(5);
    /// 60 s: a long answer that is not streamed sends its head only when it is complete.
    pub const HEAD: Duration = Duration::from_secs(60);
    /// 10 s: far beyond a healthy prefill; a route that needs longer is better replaced while that is still possible.
    pub const FIRST_TOKEN: Duration = Duration::from_secs(10);
    /// 30 s: a provider's own keep-alive comments come every 15 s or so; two missing ones mean a dead stream.
    pub const BETWEEN_TOKENS: Duration = Duration::from_secs(30);
    /// 600 s: the default of the official client libraries, so that the client gives up first.
    pub const TOTAL: Duration = Duration::from_secs(600);
    /// 2 s: usage follows the finish reason within milliseconds; the client already has its answer.
    pub const TAIL: Duration = Duration::from_secs(2);
    /// 0, none: what is too slow depends on the model and on who reads.
    pub const MIN_TOKENS_PER_SECOND: u32 = 0;
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Self::CONNECT,
            head: Self::HEAD,
            first_token: Self::FIRST_TOKEN,
            between_tokens: Self::BETWEEN_TOKENS,
            total: Self::TOTAL,
            tail: Self::TAIL,
            min_tokens_per_second: Self::MIN_TOKENS_PER_SECOND,
        }
    }
}

impl Trace {
    /// 8,192 records: a second of writing stalled at 5,000 requests/s, about 2 MB.
    pub const QUEUE: usize = 8_192;
}

impl Shadow {
    /// 0.03: asking takes 2.4 µs among 64 routes (0.6 among 16), so 73 ns (19) for each request in the mean; at 10 requests a second some 26,000 are asked a day.
    pub const SAMPLE: f32 = 0.03;
}

impl LogLevel {
    /// Names the level as `tracing` filters spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
