//! What do the tables of the file mean together?
//!
//! Raw tables become a [`Config`]: defaults are applied, names become indexes, and what only shows across keys is checked (an exposed listener without a token, a fallback that leads back).
//! It is a function of its arguments alone: environment and files come through [`Surroundings`].
//!
//! # Invariants
//! - Every problem is reported; a value with a problem takes its default, so that checking goes on.
//! - The result is used only if nothing was reported.

mod allowance;
mod cache;
mod governance;
mod graph;
mod made;
mod models;
mod observe;
mod providers;
mod rules;
mod scoring;
mod tenants;
mod workflows;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

pub(super) use made::resolve_made;
pub use providers::RESERVED_HEADERS;

use super::raw::{
    RawAdmin, RawConfig, RawLog, RawLogFormat, RawLogLevel, RawServer, RawTimeouts, RawTrace,
};
use super::report::Problem;
use super::secret::Secret;
use super::settings::{Admin, Config, Log, LogFormat, LogLevel, Server, Timeouts, Trace};
use super::source::Source;
use super::units::written_duration;
use super::written::{At, Period, SecretText};
use models::index;
use tenants::named;

/// Smallest `max_head`, bytes: the HTTP reader's own buffer.
const LEAST_HEAD: usize = 8 << 10;

/// What a configuration needs to know besides its text.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment variable of a name.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The bytes of a file that the configuration names.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Cores of the machine: the default number of workers.
    pub cores: NonZeroUsize,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings")
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}

/// Resolves the tables; problems go into `source`.
pub(super) fn resolve(
    raw: RawConfig,
    around: &Surroundings<'_>,
    source: &mut Source<'_>,
) -> Config {
    let mut resolver = Resolver {
        source,
        around,
        teams: named(&raw.teams),
        keys: named(&raw.keys),
    };
    let server = resolver.server(&raw.server);
    let admin = resolver.admin(&raw.admin, server.listen);
    let timeouts = resolver.timeouts(&raw.timeouts, "timeouts", Timeouts::default());
    let tuning = resolver.tuning(&raw.scoring, &raw.retry);
    let shadow = resolver.shadow(&raw.scoring, tuning);
    let retry = resolver.retry(&raw.retry);
    let providers = resolver.providers(&raw.providers);
    resolver.stand_ins(&raw);
    let models = resolver.models(&raw, &providers, timeouts, retry);
    let governance = resolver.governance(raw.governance.as_ref());
    let cache = resolver.cache(&raw.cache, &governance.data, &index(&raw.models));
    resolver.meanings(&models, &cache);
    let tenants = resolver.tenants(&raw, &providers, &models);
    let prices = resolver.prices(&raw);
    let requests = resolver.requests(&raw.requests, &governance.data);
    let request_log = raw.request_log.as_ref();
    let request_log = request_log.and_then(|raw| resolver.request_log(raw));
    let otlp = raw.otlp.as_ref().and_then(|raw| resolver.otlp(raw));
    Config {
        server,
        admin,
        timeouts,
        retry,
        tuning,
        shadow,
        providers,
        models,
        cache,
        governance,
        tenants,
        prices,
        mock: raw.mock,
        trace: raw.trace.and_then(|raw| trace(&raw)),
        requests,
        request_log,
        otlp,
        log: log(&raw.log),
        settings: std::sync::Arc::default(),
    }
}

/// Resolving in progress.
struct Resolver<'r, 's> {
    source: &'r mut Source<'s>,
    around: &'r Surroundings<'r>,
    /// Teams that are declared, which rules may name.
    teams: Vec<String>,
    /// Virtual keys that are declared, which rules may name.
    keys: Vec<String>,
}

impl Resolver<'_, '_> {
    fn server(&mut self, raw: &RawServer) -> Server {
        let default = Server::default();
        let token = self.token(raw.token.as_ref(), "server.token");
        let listen = raw.listen.as_ref().map_or(default.listen, |at| at.value.0);
        if let Some(at) = &raw.listen {
            self.guarded(listen, token.as_ref(), &at.span, "server");
        }
        let max_head = raw
            .max_head
            .as_ref()
            .map_or(default.max_head, |at| at.value.0);
        if let Some(at) = raw.max_head.as_ref().filter(|_| max_head < LEAST_HEAD) {
            self.source.report(
                Problem::new("server.max_head", at.span.clone(), "max_head is too small")
                    .expected("expected at least \"8KiB\""),
            );
        }
        if let Some(at) = raw.max_body.as_ref().filter(|at| at.value.0 == 0) {
            self.source.report(
                Problem::new("server.max_body", at.span.clone(), "max_body is zero")
                    .expected("expected at least \"1B\""),
            );
        }
        Server {
            listen,
            workers: raw
                .workers
                .as_ref()
                .and_then(|at| NonZeroUsize::new(at.value as usize))
                .unwrap_or(self.around.cores),
            token,
            max_body: raw
                .max_body
                .as_ref()
                .map_or(default.max_body, |at| at.value.0),
            max_head,
            max_connections: number(raw.max_connections.as_ref(), default.max_connections),
            drain: self.period(raw.drain.as_ref(), default.drain),
            header_timeout: self.positive(
                raw.header_timeout.as_ref(),
                "server.header_timeout",
                default.header_timeout,
            ),
            body_timeout: self.positive(
                raw.body_timeout.as_ref(),
                "server.body_timeout",
                default.body_timeout,
            ),
            keep_alive: self.positive(
                raw.keep_alive.as_ref(),
                "server.keep_alive",
                default.keep_alive,
            ),
        }
    }

    fn admin(&mut self, raw: &RawAdmin, data_plane: SocketAddr) -> Admin {
        let token = self.token(raw.token.as_ref(), "admin.token");
        let listen = raw.listen.as_ref().map_or(Admin::LISTEN, |at| at.value.0);
        if let Some(at) = &raw.listen {
            self.guarded(listen, token.as_ref(), &at.span, "admin");
            let everywhere = data_plane.ip().is_unspecified() || listen.ip().is_unspecified();
            let same = data_plane.ip() == listen.ip() || everywhere;
            if listen.port() != 0 && listen.port() == data_plane.port() && same {
                self.source.report(
                    Problem::new(
                        "admin.listen",
                        at.span.clone(),
                        "[admin] and [server] listen at one address",
                    )
                    .expected("expected another port than the data plane's")
                    .help(format!("the default is \"{}\"", Admin::LISTEN)),
                );
            }
        }
        Admin { listen, token }
    }

    /// Refuses a listener that strangers can reach and that asks nobody who they are.
    fn guarded(
        &mut self,
        listen: SocketAddr,
        token: Option<&Secret>,
        span: &Range<usize>,
        table: &str,
    ) {
        let token_path = format!("{table}.token");
        if listen.ip().to_canonical().is_loopback()
            || token.is_some()
            || self.source.is_reported(&token_path)
        {
            return;
        }
        let path = format!("{table}.listen");
        let message = format!("[{table}] listens beyond this machine without a token");
        self.source.report(Problem::new(path, span.clone(), message)
            .expected("reachable by others")
            .help(format!(
                "add `token = \"${{TRIMTAB_TOKEN}}\"` to [{table}], or listen at \"127.0.0.1:{}\"",
                listen.port()
            )));
    }

    fn token(&mut self, raw: Option<&At<SecretText>>, path: &str) -> Option<Secret> {
        let at = raw?;
        let secret = self.secret(at, path);
        Some(secret)
    }

    /// Takes a credential; one that is empty is a problem, usually a variable that is set to nothing.
    fn secret(&mut self, at: &At<SecretText>, path: &str) -> Secret {
        let secret = at.value.0.clone();
        let sendable = |byte: u8| (0x21..0x7f).contains(&byte);
        if secret.expose().trim().is_empty() {
            self.source.report(
                Problem::new(path, at.span.clone(), "the credential is empty")
                    .expected("expected a credential")
                    .help("check that the environment variable is not set to nothing"),
            );
        } else if !secret.expose().bytes().all(sendable) {
            self.source.report(Problem::new(path, at.span.clone(), "the credential has spaces, line breaks or other characters that no header can carry")
                .expected("expected visible ASCII characters only")
                .help("check for a line break at the end of the variable"));
        }
        secret
    }

    fn timeouts(&mut self, raw: &RawTimeouts, path: &str, default: Timeouts) -> Timeouts {
        let mut at = |raw: Option<&At<Period>>, key: &str, default| {
            self.positive(raw, &format!("{path}.{key}"), default)
        };
        Timeouts {
            connect: at(raw.connect.as_ref(), "connect", default.connect),
            head: at(raw.head.as_ref(), "head", default.head),
            first_token: at(raw.first_token.as_ref(), "first_token", default.first_token),
            between_tokens: at(
                raw.between_tokens.as_ref(),
                "between_tokens",
                default.between_tokens,
            ),
            total: at(raw.total.as_ref(), "total", default.total),
            tail: self.period(raw.tail.as_ref(), default.tail),
            min_tokens_per_second: raw
                .min_tokens_per_second
                .as_ref()
                .map_or(default.min_tokens_per_second, |at| at.value),
        }
    }

    fn period(&self, raw: Option<&At<Period>>, default: Duration) -> Duration {
        raw.map_or(default, |at| at.value.0)
    }

    /// Takes a duration that may not be zero.
    fn positive(&mut self, raw: Option<&At<Period>>, path: &str, default: Duration) -> Duration {
        let value = self.period(raw, default);
        if let Some(at) = raw.filter(|_| value.is_zero()) {
            let key = path.rsplit('.').next().unwrap_or(path);
            self.source.report(
                Problem::new(
                    path,
                    at.span.clone(),
                    format!("{key} is zero: everything would time out"),
                )
                .expected("expected a duration above zero")
                .help(format!("the default is {:?}", written_duration(default))),
            );
        }
        value
    }
}

fn number(raw: Option<&At<u32>>, default: usize) -> usize {
    raw.map_or(default, |at| at.value as usize)
}

fn trace(raw: &RawTrace) -> Option<Trace> {
    Some(Trace {
        path: raw.path.as_ref()?.value.clone().into(),
        queue: number(raw.queue.as_ref(), Trace::QUEUE),
    })
}

fn log(raw: &RawLog) -> Log {
    Log {
        level: raw
            .level
            .as_ref()
            .map_or_else(LogLevel::default, |at| match at.value {
                RawLogLevel::Off => LogLevel::Off,
                RawLogLevel::Error => LogLevel::Error,
                RawLogLevel::Warn => LogLevel::Warn,
                RawLogLevel::Info => LogLevel::Info,
                RawLogLevel::Debug => LogLevel::Debug,
                RawLogLevel::Trace => LogLevel::Trace,
            }),
        format: raw
            .format
            .as_ref()
            .map_or_else(LogFormat::default, |at| match at.value {
                RawLogFormat::Text => LogFormat::Text,
                RawLogFormat::Json => LogFormat::Json,
            }),
    }
}
