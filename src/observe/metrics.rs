//! Every metric's name, help and labels, in one file.
//!
//! # Invariants
//! - Labels take values from the configuration or from closed lists, never from a client.
//! - `router_requests_started_total` = the sum of `router_requests_total` + `router_inflight_requests`, once nothing moves.

mod read;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use scoring::outcome::Outcome;
use scoring::time::Span;

use super::histogram::Histogram;
use super::journal;
pub use super::kinds::{Cached, Ending, Refused};
use super::otlp::Spans;
use crate::clock;
use crate::routing;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModelOutcome {
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModelCached {
    model: String,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModel {
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModelStream {
    model: String,
    stream: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModelDirection {
    model: String,
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByRouteOutcome {
    route: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByFailover {
    from: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

/// How long requests took.
type Durations = Family<ByModelStream, Histogram, fn() -> Histogram>;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    /// Requests begun.
    pub started: Counter,
    /// Requests being served.
    pub inflight: Gauge<i64, AtomicI64>,
    /// The gateway's own time in a request: all but what was spent on providers.
    pub overhead: Histogram,
    /// Client connections accepted.
    pub connections: Counter,
    /// Client connections that are open.
    pub open: Gauge<i64, AtomicI64>,
    /// Trace records that found the queue full.
    pub trace_dropped: Counter,
    /// Finished requests that nobody could be told of: the queue was full.
    pub stories_dropped: Counter,
    /// Finished requests that could not be kept: the disk did not take them.
    pub requests_not_kept: Counter,
    /// Configurations taken over.
    pub reloads_ok: Counter,
    /// Configurations refused.
    pub reloads_refused: Counter,
    requests: Family<ByModelOutcome, Counter>,
    duration: Durations,
    tokens: Family<ByModelDirection, Counter>,
    cached: CacheFamilies,
    unknown_model: ModelHandles,
    ttft: Family<ByRoute, Histogram, fn() -> Histogram>,
    attempts: Family<ByRouteOutcome, Counter>,
    failovers: Family<ByFailover, Counter>,
    spend: Family<ByRoute, Counter<f64, AtomicU64>>,
    refusals: [Counter; Refused::ALL.len()],
    sent: read::Sent,
    /// What became of the spans of traces.
    pub spans: Spans,
    /// What became of lines of the log of requests.
    pub log_lines: journal::Counts,
}

/// The handles of one model, resolved once.
#[derive(Clone, Debug)]
pub struct ModelHandles {
    requests: [Counter; Ending::ALL.len()],
    duration_whole: Histogram,
    duration_stream: Histogram,
    /// Input tokens, as providers report them.
    pub tokens_in: Counter,
    /// Output tokens, as providers report them.
    pub tokens_out: Counter,
    cached: [Counter; Cached::ALL.len()],
    /// Those of all models that the cache answered.
    answered: Counter,
    /// Those that it did not.
    unanswered: Counter,
    /// Input tokens of answers that were kept.
    pub saved_in: Counter,
    /// Output tokens of answers that were kept.
    pub saved_out: Counter,
    /// What answers that were kept did cost the first time, dollars.
    pub saved: Counter<f64, AtomicU64>,
}

impl ModelHandles {
    /// Counts a request that asked the response cache.
    pub fn cached(&self, status: Cached) {
        self.cached[status as usize].inc();
        let total = match status {
            Cached::Miss => &self.unanswered,
            _ => &self.answered,
        };
        total.inc();
    }

    /// Counts a request that has ended.
    pub fn ended(&self, ending: Ending, stream: bool, took: Span) {
        self.requests[ending as usize].inc();
        if stream {
            self.duration_stream.observe(took);
        } else {
            self.duration_whole.observe(took);
        }
    }
}

/// The handles of one route, resolved once.
#[derive(Clone, Debug)]
pub struct RouteHandles {
    attempts: [Counter; Outcome::ALL.len()],
    failovers: [Counter; Outcome::ALL.len()],
    /// Time to first content token of streams.
    pub ttft: Histogram,
    /// What its attempts cost, dollars.
    pub spend: Counter<f64, AtomicU64>,
}

impl RouteHandles {
    /// Counts an attempt that has ended.
    pub fn attempt(&self, outcome: Outcome) {
        self.attempts[outcome as usize].inc();
    }

    /// Counts a request that left this route for another one.
    pub fn failover(&self, reason: Outcome) {
        self.failovers[reason as usize].inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Registers every metric; the routes' states are read from `routes` at each scrape.
    #[must_use]
    pub fn new(routes: Arc<routing::Registry>) -> Self {
        let requests = Family::default();
        let duration = Family::new_with_constructor(Histogram::of_requests as fn() -> Histogram);
        let tokens = Family::default();
        let cached = CacheFamilies::default();
        let mut registry = Registry::default();
        let mut metrics = Self {
            spans: Spans::register(&mut registry),
            log_lines: journal::Counts::default(),
            registry,
            started: Counter::default(),
            inflight: Gauge::default(),
            overhead: Histogram::of_overhead(),
            connections: Counter::default(),
            open: Gauge::default(),
            sent: Family::default(),
            trace_dropped: Counter::default(),
            stories_dropped: Counter::default(),
            requests_not_kept: Counter::default(),
            reloads_ok: Counter::default(),
            reloads_refused: Counter::default(),
            unknown_model: model_handles((&requests, &duration), &tokens, &cached, "other"),
            requests,
            duration,
            tokens,
            cached,
            ttft: Family::new_with_constructor(Histogram::of_requests as fn() -> Histogram),
            attempts: Family::default(),
            failovers: Family::default(),
            spend: Family::default(),
            refusals: Refused::ALL.map(|_| Counter::default()),
        };
        metrics.register();
        metrics
            .registry
            .register_collector(Box::new(Routes(routes)));
        let ratio = HitRatio {
            answered: metrics.cached.answered.clone(),
            unanswered: metrics.cached.unanswered.clone(),
        };
        metrics.registry.register_collector(Box::new(ratio));
        metrics
    }

    fn register(&mut self) {
        let to = &mut self.registry;
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "What is running", build);
        to.register(
            "router_requests_started",
            "Requests begun",
            self.started.clone(),
        );
        to.register(
            "router_inflight_requests",
            "Requests being served",
            self.inflight.clone(),
        );
        to.register(
            "router_requests",
            "Requests ended, by how",
            self.requests.clone(),
        );
        to.register(
            "router_request_duration_seconds",
            "From a request's head to the last byte of its answer",
            self.duration.clone(),
        );
        to.register(
            "router_overhead_seconds",
            "The gateway's own time in a request, up to the first byte of the answer",
            self.overhead.clone(),
        );
        to.register(
            "router_ttft_seconds",
            "From an attempt's start to its first content token, streams only",
            self.ttft.clone(),
        );
        to.register(
            "router_tokens",
            "Tokens as providers report them",
            self.tokens.clone(),
        );
        to.register(
            "provider_attempts",
            "Attempts ended, by outcome",
            self.attempts.clone(),
        );
        to.register(
            "provider_failover",
            "Requests that left a route for another, by the outcome that made them",
            self.failovers.clone(),
        );
        to.register(
            "router_connections",
            "Client connections accepted",
            self.connections.clone(),
        );
        to.register(
            "trace_records_dropped",
            "Trace records that found the queue full",
            self.trace_dropped.clone(),
        );
        let reloads = Family::<ByResult, Counter>::default();
        self.reloads_ok = reloads.get_or_create(&ByResult { result: "ok" }).clone();
        self.reloads_refused = reloads
            .get_or_create(&ByResult { result: "refused" })
            .clone();
        to.register("config_reload", "Configuration reloads, by result", reloads);
        self.register_spending();
        self.cached.register(&mut self.registry);
    }

    fn register_spending(&mut self) {
        let to = &mut self.registry;
        to.register(
            "router_open_connections",
            "Client connections that are open",
            self.open.clone(),
        );
        to.register(
            "request_records_dropped",
            "Finished requests that found the queue of those who keep or send them full",
            self.stories_dropped.clone(),
        );
        to.register(
            "request_store_dropped",
            "Finished requests that could not be kept: the disk did not take them",
            self.requests_not_kept.clone(),
        );
        to.register(
            "request_log_lines",
            "Lines of the log of requests that were written",
            self.log_lines.written.clone(),
        );
        to.register(
            "request_log_lines_dropped",
            "Lines of the log of requests that could not be written",
            self.log_lines.dropped.clone(),
        );
        to.register(
            "router_spend_dollars",
            "What attempts cost, as far as prices are known, where books are kept",
            self.spend.clone(),
        );
        let refusals = Family::<ByReason, Counter>::default();
        self.refusals =
            Refused::ALL.map(|(_, reason)| refusals.get_or_create(&ByReason { reason }).clone());
        to.register(
            "router_refusals",
            "Requests not let in or not paid for, by why",
            refusals,
        );
    }

    /// The handles of a configured model.
    #[must_use]
    pub fn model(&self, name: &str) -> ModelHandles {
        model_handles(
            (&self.requests, &self.duration),
            &self.tokens,
            &self.cached,
            name,
        )
    }

    /// Counts a request that was not let in, or not paid for.
    pub fn refused(&self, why: Refused) {
        self.refusals[why as usize].inc();
    }

    /// The handles of requests that name no configured model.
    #[must_use]
    pub fn unknown_model(&self) -> &ModelHandles {
        &self.unknown_model
    }

    /// The handles of a route.
    #[must_use]
    pub fn route(&self, name: &str) -> RouteHandles {
        RouteHandles {
            attempts: Outcome::ALL.map(|outcome| {
                let labels = ByRouteOutcome {
                    route: name.to_owned(),
                    outcome: outcome.name(),
                };
                self.attempts.get_or_create(&labels).clone()
            }),
            failovers: Outcome::ALL.map(|outcome| {
                let labels = ByFailover {
                    from: name.to_owned(),
                    reason: outcome.name(),
                };
                self.failovers.get_or_create(&labels).clone()
            }),
            spend: self
                .spend
                .get_or_create(&ByRoute {
                    route: name.to_owned(),
                })
                .clone(),
            ttft: self
                .ttft
                .get_or_create(&ByRoute {
                    route: name.to_owned(),
                })
                .clone(),
        }
    }

    /// The exposition in OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut out, &self.registry);
        out
    }
}

fn model_handles(
    (requests, duration): (&Family<ByModelOutcome, Counter>, &Durations),
    tokens: &Family<ByModelDirection, Counter>,
    cached: &CacheFamilies,
    name: &str,
) -> ModelHandles {
    let lasting = |stream| {
        let model = name.to_owned();
        duration
            .get_or_create(&ByModelStream { model, stream })
            .clone()
    };
    let counted = |of: &Family<ByModelDirection, Counter>, direction| {
        let model = name.to_owned();
        of.get_or_create(&ByModelDirection { model, direction })
            .clone()
    };
    ModelHandles {
        requests: Ending::ALL.map(|ending| {
            let labels = ByModelOutcome {
                model: name.to_owned(),
                outcome: ending.name(),
            };
            requests.get_or_create(&labels).clone()
        }),
        duration_whole: lasting("false"),
        duration_stream: lasting("true"),
        tokens_in: counted(tokens, "input"),
        tokens_out: counted(tokens, "output"),
        cached: Cached::ALL.map(|(_, status)| {
            let model = name.to_owned();
            let labels = ByModelCached { model, status };
            cached.requests.get_or_create(&labels).clone()
        }),
        answered: cached.answered.clone(),
        unanswered: cached.unanswered.clone(),
        saved_in: counted(&cached.tokens, "input"),
        saved_out: counted(&cached.tokens, "output"),
        saved: cached
            .dollars
            .get_or_create(&ByModel {
                model: name.to_owned(),
            })
            .clone(),
    }
}

/// What is counted of the response cache.
#[derive(Debug, Default)]
struct CacheFamilies {
    requests: Family<ByModelCached, Counter>,
    answered: Counter,
    unanswered: Counter,
    tokens: Family<ByModelDirection, Counter>,
    dollars: Family<ByModel, Counter<f64, AtomicU64>>,
}

impl CacheFamilies {
    fn register(&self, to: &mut Registry) {
        to.register(
            "router_cache_requests",
            "Requests that asked the response cache, by what it was to them",
            self.requests.clone(),
        );
        to.register(
            "router_cache_saved_tokens",
            "Tokens of answers that were kept, as providers reported them the first time",
            self.tokens.clone(),
        );
        to.register(
            "router_cache_saved_dollars",
            "What answers that were kept did cost the first time, where books are kept",
            self.dollars.clone(),
        );
    }
}

/// The share of requests that the response cache answered, worked out at each scrape.
#[derive(Debug)]
struct HitRatio {
    answered: Counter,
    unanswered: Counter,
}

impl Collector for HitRatio {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let hits = self.answered.get();
        let all = hits + self.unanswered.get();
        let ratio = hits as f64 / all.max(1) as f64;
        let kind = prometheus_client::metrics::MetricType::Gauge;
        let help = "Share of requests that the response cache answered, of those that asked it, since the start";
        let gauge = encoder.encode_descriptor("cache_hit_ratio", help, None, kind)?;
        ConstGauge::new(ratio).encode(gauge)
    }
}

/// The routes' states, read at each scrape.
#[derive(Debug)]
struct Routes(Arc<routing::Registry>);

impl Collector for Routes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = clock::now();
        let views: Vec<_> = self
            .0
            .all()
            .into_iter()
            .map(|(identity, route)| {
                let labels = ByRoute {
                    route: identity.to_string(),
                };
                (labels, route.view(now))
            })
            .collect();
        let mut gauge =
            |name: &str, help: &str, value: &dyn Fn(&scoring::route::RouteView) -> f64| {
                let kind = prometheus_client::metrics::MetricType::Gauge;
                let mut family = encoder.encode_descriptor(name, help, None, kind)?;
                for (labels, view) in &views {
                    let metric = family.encode_family(labels)?;
                    ConstGauge::new(value(view)).encode(metric)?;
                }
                Ok(())
            };
        gauge(
            "provider_inflight_attempts",
            "Attempts in flight",
            &|view| f64::from(view.inflight),
        )?;
        gauge(
            "provider_circuit_state",
            "0 healthy, 1 degraded, 2 open, 3 probing, 4 recovering, 5 key held, 6 unsupported, 7 drained",
            &|view| f64::from(view.state as u8),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promised_names_are_exposed() {
        let metrics = Metrics::new(Arc::default());
        let model = metrics.model("m");
        model.ended(Ending::Ok, true, Span::from_millis(3));
        metrics.route("p/m/k").failover(Outcome::ServerError);
        metrics.started.inc();
        let text = metrics.text();
        for line in [
            "router_requests_started_total 1",
            "router_requests_total{model=\"m\",outcome=\"ok\"} 1",
            "router_request_duration_seconds_count{model=\"m\",stream=\"true\"} 1",
            "router_request_duration_seconds_bucket{le=\"+Inf\",model=\"m\",stream=\"true\"} 1",
            "provider_failover_total{from=\"p/m/k\",reason=\"server_error\"} 1",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
