//! Every metric's name, kind, labels and help, in one file; `docs/METRICS.md` is printed from it.
//!
//! Names follow Prometheus' rules: base units, `_total` for what only grows, `_seconds`, `_bytes`, `_dollars`, `_ratio`.
//! What counts them is in [`handles`](super::handles), what reads the others at a scrape in the admin plane.
//!
//! # Invariants
//! - Labels take values from the configuration or from closed lists, never from a client.
//! - `router_requests_started_total` = the sum of `router_requests_total` + `router_requests_retired_total` + `router_inflight_requests`, in every scrape.
//! - The sum of `router_errors_total` = all endings of `router_requests_total` but `ok`.

use scoring::outcome::Outcome;

pub use super::handles::{
    Format, InFlight, Metrics, ModelHandles, Recovered, RouteHandles, TokenKind,
};
pub use super::kinds::{Cached, Ending, Lookup, Refused, Retrier, Tier};
use super::kinds::{Fault, named};
use super::meter::{Metric, Of, Row, Scale, column};
use super::otlp::Lost;

/// Request durations, µs: 1 ms to 10 min, about a factor of two to three apart.
static REQUEST_TIMES: Scale = Scale::new(
    &[
        1_000,
        2_500,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        20_000_000,
        40_000_000,
        80_000_000,
        160_000_000,
        320_000_000,
        600_000_000,
    ],
    (-10, 10),
);

/// Times to the first token, µs: one family has as many histograms as there are routes, hence few bounds.
static FIRST_TOKENS: Scale = Scale::new(
    &[100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000],
    (-7, 7),
);

/// The gateway's own time, µs: 10 µs to 100 ms.
static OVERHEADS: Scale = Scale::new(
    &[
        10, 20, 30, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 10_000, 100_000,
    ],
    (-17, 0),
);

/// Speeds of streams, millionths of a token per second.
static SPEEDS: Scale = Scale::new(
    &[
        2_000_000,
        5_000_000,
        10_000_000,
        20_000_000,
        40_000_000,
        80_000_000,
        160_000_000,
        320_000_000,
        1_000_000_000,
    ],
    (0, 11),
);

const ENDINGS: &[Row] = &column(named!(Ending));
const FAULTS: &[Row] = &column(named!(Fault));
const OUTCOMES: &[Row] = &column(named!(Outcome));
const REFUSALS: &[Row] = &column(named!(Refused));
const CACHED: &[Row] = &column(named!(Cached));
const TIERS: &[Row] = &column(named!(Tier));
const RETRIERS: &[Row] = &column(named!(Retrier));
const STREAMED: &[Row] = &column(["false", "true"]);
const DIRECTIONS: &[Row] = &column(["input", "output"]);
/// By the index of `Phase`.
const PHASES: &[Row] = &column(["total", "queue", "run"]);
/// By the index of [`Lost`].
const LOSSES: &[Row] = &column(named!(Lost));
const RESULTS: &[Row] = &column(["ok", "refused"]);
/// By the index of [`Lookup`].
const LOOKUPS: &[Row] = &[
    ["exact", "hit"],
    ["exact", "miss"],
    ["exact", "coalesced"],
    ["semantic", "hit"],
    ["semantic", "miss"],
];
/// By the index of [`TokenKind`].
const TOKEN_KINDS: &[Row] = &[
    ["input", "uncached"],
    ["input", "cache_read"],
    ["input", "cache_write"],
    ["output", "answer"],
    ["output", "reasoning"],
];

/// Names each metric and lists them all.
macro_rules! table {
    ($($name:ident = $metric:expr;)*) => {
        $(pub(crate) const $name: &Metric = &$metric;)*

        /// All metrics, in the order in which they are written.
        pub(crate) const ALL: &[&Metric] = &[$($name),*];
    };
}

table! {
    // Requests.
    STARTED = Metric::counter("router_requests_started_total", "Requests begun.");
    INFLIGHT = Metric::gauge("router_inflight_requests", "Requests being served.");
    REQUESTS = Metric::counter("router_requests_total", "Requests ended, by how.")
        .of(Of::Model, &["model", "outcome"]).by(ENDINGS);
    RETIRED = Metric::counter("router_requests_retired_total", "Requests ended of models that are configured no more, whose series are gone.")
        .of(Of::Reading, &["outcome"]);
    ERRORS = Metric::counter("router_errors_total", "Requests that did not end well, by whose fault it was.")
        .of(Of::Model, &["model", "error_type"]).by(FAULTS);
    DURATION = Metric::histogram("router_request_duration_seconds", &REQUEST_TIMES, "From a request's head to the last byte of its answer.")
        .of(Of::Model, &["model", "stream"]).by(STREAMED);
    OVERHEAD = Metric::histogram("router_overhead_seconds", &OVERHEADS, "The gateway's own time in a request, up to the first byte of the answer.");
    TTFT = Metric::histogram("router_ttft_seconds", &FIRST_TOKENS, "From an attempt's start to its first content token, streams only.")
        .of(Of::Route, &["route"]);
    SPEED = Metric::histogram("router_output_tokens_per_second", &SPEEDS, "Output tokens per second of streams that were answered, after their first content token.")
        .of(Of::Model, &["model"]);
    TOKENS = Metric::counter("router_tokens_total", "Tokens of answers as clients were told, by direction; provider_tokens_total has all attempts and the kinds.")
        .of(Of::Model, &["model", "direction"]).by(DIRECTIONS);
    REFUSED = Metric::counter("router_refusals_total", "Requests not let in or not paid for, by why.")
        .of(Of::Process, &["reason"]).by(REFUSALS);
    CONNECTIONS = Metric::counter("router_connections_total", "Client connections accepted.");
    OPEN = Metric::gauge("router_open_connections", "Client connections that are open.");
    CLIENT_RETRIES = Metric::counter("client_retries_total", "Requests that an SDK says it has sent before, by the SDK's language.")
        .of(Of::Process, &["sdk"]).by(RETRIERS);
    RETRY_BUDGET = Metric::gauge("router_retry_budget_left", "Extra attempts that all requests together may make now.");

    // Attempts.
    ATTEMPTS = Metric::counter("provider_attempts_total", "Attempts ended, by outcome.")
        .of(Of::Route, &["route", "outcome"]).by(OUTCOMES);
    FAILOVERS = Metric::counter("provider_failover_total", "Requests that left a route for another, by the outcome that made them.")
        .of(Of::Route, &["from", "reason"]).by(OUTCOMES);
    ARRIVALS = Metric::counter("provider_failover_arrivals_total", "Attempts begun on a route because the request's attempt on another one had failed.")
        .of(Of::Route, &["to"]);
    PROVIDER_TOKENS = Metric::counter("provider_tokens_total", "Tokens of all attempts as providers report them, failed ones included, by direction and kind.")
        .of(Of::Route, &["route", "direction", "kind"]).by(TOKEN_KINDS);
    SPEND = Metric::counter("router_spend_dollars_total", "What attempts cost, as far as prices are known, where books are kept.")
        .in_dollars().of(Of::Route, &["route"]);
    TRUNCATIONS = Metric::counter("stream_truncations_total", "Streams that a provider broke off after their first content token, by whether another route took them up.")
        .of(Of::Route, &["route", "recovered"]).by(STREAMED);
    IMAGE_JOBS = Metric::histogram("image_job_seconds", &REQUEST_TIMES, "How long vendors took for pictures: in all, and where they tell how long they worked, that and the rest.")
        .of(Of::Route, &["route", "phase"]).by(PHASES);
    STALLS = Metric::counter("stream_idle_timeouts_total", "Streams that came to a halt or were slower than asked for, so that they were given up.")
        .of(Of::Route, &["route"]);
    INFLIGHT_ATTEMPTS = Metric::gauge("provider_inflight_attempts", "Attempts in flight; where there are more than 1,024 routes, of those that have any.").of(Of::Reading, &["route"]);
    CIRCUIT = Metric::gauge("provider_circuit_state", "0 healthy, 1 degraded, 2 open, 3 probing, 4 recovering, 5 key held, 6 unsupported, 7 drained.").of(Of::Reading, &["route"]);
    SCORE = Metric::gauge("provider_route_score", "Best expected cost among the routes of its largest model over its own, for a typical request; 0 to 1, higher is better.")
        .of(Of::Reading, &["route"]);
    WEIGHT = Metric::gauge("provider_route_weight_ratio", "Share of a model's traffic that the operator's weights give a route while all is well.")
        .of(Of::Reading, &["model", "route"]);
    HOLD = Metric::gauge("provider_hold_seconds", "How long a route is still set aside, and why; only while it is.")
        .of(Of::Reading, &["route", "reason"]);
    REMAINING = Metric::gauge("provider_ratelimit_remaining", "What is left of a ceiling: requests or tokens that could be sent now, or attempts for concurrency; negative if more was taken than it allows.")
        .of(Of::Reading, &["route", "dimension"]);
    LIMIT = Metric::gauge("provider_ratelimit_limit", "A ceiling: requests or tokens a minute, or attempts in flight for concurrency, and where it is known from.")
        .of(Of::Reading, &["route", "dimension", "source"]);
    UTILISATION = Metric::gauge("provider_utilisation_ratio", "The largest share in use of any ceiling, where one is known; 1 is all of it.")
        .of(Of::Reading, &["route"]);

    // Money.
    BUDGET_RATIO = Metric::gauge("budget_spent_ratio", "Share of a budget that is spent in its window, what is in flight included.")
        .of(Of::Reading, &["tier", "name", "provider", "period"]);
    BUDGET_LIMIT = Metric::gauge("budget_limit_dollars", "A budget's limit.")
        .of(Of::Reading, &["tier", "name", "provider", "period"]);
    BUDGET_REJECTIONS = Metric::counter("budget_rejections_total", "Times that a spent budget did not pay for an attempt, by whose it was; router_refusals_total has the requests.")
        .of(Of::Process, &["tier"]).by(TIERS);

    // The cache.
    CACHE_REQUESTS = Metric::counter("router_cache_requests_total", "Requests that asked the response cache, by what it was to them.")
        .of(Of::Model, &["model", "status"]).by(CACHED);
    CACHE_LOOKUPS = Metric::counter("cache_lookups_total", "Looks into a layer of the response cache, by what came of it.")
        .of(Of::Process, &["layer", "result"]).by(LOOKUPS);
    CACHE_RATIO = Metric::gauge("cache_hit_ratio", "Share of requests that the response cache answered, of those that asked it, since the start.");
    CACHE_TOKENS = Metric::counter("router_cache_saved_tokens_total", "Tokens of answers that were kept, as providers reported them the first time.")
        .of(Of::Model, &["model", "direction"]).by(DIRECTIONS);
    CACHE_DOLLARS = Metric::counter("router_cache_saved_dollars_total", "What answers that were kept did cost the first time, where books are kept.")
        .in_dollars().of(Of::Model, &["model"]);
    CACHE_ENTRIES = Metric::gauge("cache_entries", "Answers that are kept in memory.");
    CACHE_BYTES = Metric::gauge("cache_bytes", "Memory that they take.");
    CACHE_AUDITS = Metric::counter("cache_audit_total", "Semantic hits that were checked, by what was found.")
        .of(Of::Reading, &["workflow", "verdict"]);
    CACHE_DRIFT = Metric::gauge("cache_audit_drift_ratio", "Share of wrong answers among semantic hits, as the audit estimates it; only where it knows.")
        .of(Of::Reading, &["workflow"]);
    CACHE_AUDIT_SAVED = Metric::counter("cache_audit_saved_dollars_total", "What semantic hits would have cost, as the audit knows it.")
        .of(Of::Reading, &["workflow"]);
    CACHE_AUDIT_SPENT = Metric::counter("cache_audit_spent_dollars_total", "What audits did cost.")
        .of(Of::Reading, &["workflow"]);
    CACHE_JOBS_DROPPED = Metric::counter("cache_jobs_dropped_total", "Answers that were not learned from because the queue was full.")
        .of(Of::Reading, &[]);
    CACHE_NOT_WRITTEN = Metric::counter("cache_not_written_total", "Answers that could not be written to disk.")
        .of(Of::Reading, &[]);

    // The configuration.
    RELOADS = Metric::counter("config_reload_total", "Configuration reloads, by result.")
        .of(Of::Process, &["result"]).by(RESULTS);
    RELOAD_GOOD = Metric::gauge("config_last_reload_successful", "1 if what the file said when it was last read is what runs, else 0.");
    RELOAD_TIME = Metric::gauge("config_last_reload_success_timestamp_seconds", "When the configuration that runs was taken over.");

    // What the gateway itself could not tell.
    TRACE_DROPPED = Metric::counter("trace_records_dropped_total", "Trace records that found the queue full.");
    STORIES_DROPPED = Metric::counter("request_records_dropped_total", "Finished requests that found the queue of those who keep or send them full.");
    STORE_DROPPED = Metric::counter("request_store_dropped_total", "Finished requests that could not be kept: the disk did not take them.");
    LOG_LINES = Metric::counter("request_log_lines_total", "Lines of the log of requests that were written.");
    LOG_LINES_DROPPED = Metric::counter("request_log_lines_dropped_total", "Lines of the log of requests that could not be written.");
    SPANS_SENT = Metric::counter("otlp_spans_sent_total", "Spans that the collector has taken.");
    SPANS_DROPPED = Metric::counter("otlp_spans_dropped_total", "Spans that did not reach the collector, by why.")
        .of(Of::Process, &["reason"]).by(LOSSES);
    UPDATES_DROPPED = Metric::counter("scoring_updates_dropped_total", "Updates of routes' statistics lost to contention; anything above 0 is a defect.")
        .of(Of::Reading, &[]);
    SERIES_DROPPED = Metric::counter("metrics_series_dropped_total", "Names that found no room in a family and are counted as `other` or not shown.")
        .of(Of::Reading, &["family"]);

    // The process.
    BUILD = Metric::gauge("build_info", "Always 1; what is running.").of(Of::Reading, &["version"]);
    START_TIME = Metric::gauge("process_start_time_seconds", "When the process began, since 1970.");
    CPU = Metric::counter("process_cpu_seconds_total", "Processor time used, by user and system.").of(Of::Reading, &[]);
    RESIDENT = Metric::gauge("process_resident_memory_bytes", "Memory that is resident.");
    VIRTUAL = Metric::gauge("process_virtual_memory_bytes", "Memory that is mapped.");
    OPEN_FILES = Metric::gauge("process_open_fds", "Open file descriptors.");
    MOST_FILES = Metric::gauge("process_max_fds", "File descriptors that may be open.");
    THREADS = Metric::gauge("process_threads", "Threads.");
}
