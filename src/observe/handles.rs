//! All that is counted, as the rest of the gateway sees it: handles that were resolved when a snapshot was built.
//!
//! # Invariants
//! - Whoever counts holds a handle; nothing is looked up by a label while a request is served.
//! - Every family is in every exposition that has a sample of it, whatever the format.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use scoring::outcome::Outcome;
use scoring::time::{Span, Time};

use super::journal;
use super::kinds::{Cached, Ending, Fault, Lookup, Refused, Retrier, Tier};
use super::meter::{
    All, Amount, Counter, Counters, Dialect, Exposition, Histogram, Kind, Layout, Metric, Of,
    Protobuf, Sheet, Subject, Subjects, Text,
};
use super::metrics as names;
use super::otlp::Spans;
use super::read::Sent;

/// Models that have series of their own, at most; further ones are counted as `other`.
const MOST_MODELS: usize = 1_024;

/// Routes that have series of their own, at most.
const MOST_ROUTES: usize = 4_096;

/// Series of a family up to which those that have counted nothing are shown as well, so that a first count is seen as one.
///
/// In larger families they would be most of the exposition.
const SHOWN_EMPTY: usize = 1_024;

/// How an exposition is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text, version 0.0.4.
    Text,
    /// `OpenMetrics` text 1.0.
    OpenMetrics,
    /// Prometheus' protobuf messages, with native histograms.
    Protobuf,
}

/// Tokens of an attempt, by what providers bill them as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Input that was neither read from nor written to the provider's prompt cache.
    Uncached,
    /// Input that was read from it.
    CacheRead,
    /// Input that was written to it.
    CacheWrite,
    /// Output but reasoning.
    Answer,
    /// Reasoning.
    Reasoning,
}

/// Requests that are being served: those begun less those ended.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    begun: Counter,
    ended: Counter,
}

impl InFlight {
    /// One more.
    pub fn inc(&self) {
        self.begun.inc();
    }

    /// One less.
    pub fn dec(&self) {
        self.ended.inc();
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> i64 {
        // Those that have ended are read first, so that none is missing among those begun.
        let ended = self.ended.get();
        self.begun.get().wrapping_sub(ended).cast_signed()
    }
}

/// All metrics of the process.
pub struct Metrics {
    /// Requests begun.
    pub started: Counter,
    /// Requests being served.
    pub inflight: InFlight,
    /// The gateway's own time in a request: all but what was spent on providers.
    pub overhead: Histogram,
    /// Client connections accepted.
    pub connections: Counter,
    /// Client connections that are open.
    pub open: InFlight,
    /// Trace records that found the queue full.
    pub trace_dropped: Counter,
    /// Finished requests that nobody could be told of: the queue was full.
    pub stories_dropped: Counter,
    /// Finished requests that could not be kept: the disk did not take them.
    pub requests_not_kept: Counter,
    /// What became of lines of the log of requests.
    pub log_lines: journal::Counts,
    /// What became of the spans of traces.
    pub spans: Spans,
    pub(super) sent: Sent,
    refusals: Counters,
    rejections: Counters,
    retries: Counters,
    reloads: Counters,
    lookups: Counters,
    /// Whether the last reload was taken over. A statistic; it guards nothing.
    reload_good: AtomicBool,
    /// When the configuration that runs was taken over, µs since 1970. A statistic; it guards nothing.
    reloaded_us: AtomicU64,
    process: Subjects,
    pub(super) models: Subjects,
    pub(super) routes: Subjects,
    unknown_model: ModelHandles,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The handles of one model, resolved once.
#[derive(Clone, Debug)]
pub struct ModelHandles {
    requests: Counters,
    errors: Counters,
    duration_whole: Histogram,
    duration_stream: Histogram,
    speed: Histogram,
    /// Input tokens, as providers report them.
    pub tokens_in: Counter,
    /// Output tokens, as providers report them.
    pub tokens_out: Counter,
    cached: Counters,
    /// Input tokens of answers that were kept.
    pub saved_in: Counter,
    /// Output tokens of answers that were kept.
    pub saved_out: Counter,
    /// What answers that were kept did cost the first time, dollars.
    pub saved: Amount,
}

impl ModelHandles {
    pub(super) fn of(subject: &Subject) -> Self {
        let at = |metric, row| subject.counters(metric).at(row);
        Self {
            requests: subject.counters(names::REQUESTS),
            errors: subject.counters(names::ERRORS),
            duration_whole: subject.histogram((names::DURATION, 0)),
            duration_stream: subject.histogram((names::DURATION, 1)),
            speed: subject.histogram((names::SPEED, 0)),
            tokens_in: at(names::TOKENS, 0),
            tokens_out: at(names::TOKENS, 1),
            cached: subject.counters(names::CACHE_REQUESTS),
            saved_in: at(names::CACHE_TOKENS, 0),
            saved_out: at(names::CACHE_TOKENS, 1),
            saved: subject.amount(names::CACHE_DOLLARS),
        }
    }

    /// Counts a request that asked the response cache.
    pub fn cached(&self, status: Cached) {
        self.cached.inc(status as usize);
    }

    /// Counts a request that has ended.
    pub fn ended(&self, ending: Ending, stream: bool, took: Span) {
        self.requests.inc(ending as usize);
        if stream {
            self.duration_stream.observe(took);
        } else {
            self.duration_whole.observe(took);
        }
    }

    /// Requests that have ended so.
    pub(super) fn ended_so(&self, ending: Ending) -> u64 {
        self.requests.get(ending as usize)
    }

    /// How long they took: whole answers, and streams.
    pub(super) const fn lasted(&self) -> [&Histogram; 2] {
        [&self.duration_whole, &self.duration_stream]
    }

    /// Counts whose fault it was that a request did not end well.
    pub fn failed(&self, fault: Fault) {
        self.errors.inc(fault as usize);
    }

    /// Counts a stream that was answered: so many output tokens, in this time after the first.
    pub fn streamed(&self, tokens: u32, took: Span) {
        let micros = took.as_micros();
        if tokens > 1 && micros > 0 {
            let millionths = u64::from(tokens - 1) * 1_000_000_000_000 / micros;
            self.speed.observe_millionths(millionths);
        }
    }
}

/// The handles of one route, resolved once.
#[derive(Clone, Debug)]
pub struct RouteHandles {
    attempts: Counters,
    failovers: Counters,
    tokens: Counters,
    truncations: Counters,
    /// Attempts that were begun because another route had failed.
    pub arrivals: Counter,
    /// Streams that came to a halt, or were too slow.
    pub stalls: Counter,
    image_jobs: [Histogram; 3],
    /// Time to first content token of streams.
    pub ttft: Histogram,
    /// What its attempts cost, dollars.
    pub spend: Amount,
}

impl RouteHandles {
    pub(super) fn of(subject: &Subject) -> Self {
        Self {
            attempts: subject.counters(names::ATTEMPTS),
            failovers: subject.counters(names::FAILOVERS),
            tokens: subject.counters(names::PROVIDER_TOKENS),
            truncations: subject.counters(names::TRUNCATIONS),
            arrivals: subject.counter(names::ARRIVALS),
            stalls: subject.counter(names::STALLS),
            image_jobs: [0, 1, 2].map(|phase| subject.histogram((names::IMAGE_JOBS, phase))),
            ttft: subject.histogram((names::TTFT, 0)),
            spend: subject.amount(names::SPEND),
        }
    }

    /// Counts an attempt that has ended.
    pub fn attempt(&self, outcome: Outcome) {
        self.attempts.inc(outcome.index());
    }

    /// Counts a request that left this route for another one.
    pub fn failover(&self, reason: Outcome) {
        self.failovers.inc(reason.index());
    }

    /// Requests that have left this route for another one.
    pub(super) fn left(&self) -> u64 {
        let all = Outcome::ALL.iter();
        all.map(|outcome| self.failovers.get(outcome.index())).sum()
    }

    /// Counts tokens of an attempt.
    pub fn tokens(&self, kind: TokenKind, count: u32) {
        if count > 0 {
            self.tokens.inc_by(kind as usize, count.into());
        }
    }

    /// Counts pictures that were made in this time, of which the vendor worked so long, where it tells.
    pub fn pictured(&self, took: Span, worked: Option<Span>) {
        let [total, queue, run] = &self.image_jobs;
        total.observe(took);
        if let Some(worked) = worked {
            run.observe(worked);
            let waited = took.as_micros().saturating_sub(worked.as_micros());
            queue.observe(Span::from_micros(waited));
        }
    }

    /// Counts a stream that broke off, and whether another route took it up.
    pub fn truncated(&self, recovered: Recovered) {
        self.truncations.inc(recovered as usize);
    }
}

/// Whether a stream that broke off was taken up by another route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It was not.
    No,
    /// It was.
    Yes,
}

impl Default for Metrics {
    fn default() -> Self {
        let subjects = |of, most| Subjects::new(Layout::new(names::ALL, of), most);
        let process = subjects(Of::Process, 0);
        let models = subjects(Of::Model, MOST_MODELS);
        let it = process.other();
        Self {
            started: it.counter(names::STARTED),
            inflight: InFlight::default(),
            overhead: it.histogram((names::OVERHEAD, 0)),
            connections: it.counter(names::CONNECTIONS),
            trace_dropped: it.counter(names::TRACE_DROPPED),
            stories_dropped: it.counter(names::STORIES_DROPPED),
            requests_not_kept: it.counter(names::STORE_DROPPED),
            log_lines: journal::Counts {
                written: it.counter(names::LOG_LINES),
                dropped: it.counter(names::LOG_LINES_DROPPED),
            },
            spans: Spans::new(
                it.counter(names::SPANS_SENT),
                it.counters(names::SPANS_DROPPED),
            ),
            sent: Sent::default(),
            open: InFlight::default(),
            refusals: it.counters(names::REFUSED),
            rejections: it.counters(names::BUDGET_REJECTIONS),
            retries: it.counters(names::CLIENT_RETRIES),
            reloads: it.counters(names::RELOADS),
            lookups: it.counters(names::CACHE_LOOKUPS),
            reload_good: AtomicBool::new(true),
            reloaded_us: AtomicU64::new(0),
            unknown_model: ModelHandles::of(models.other()),
            process,
            models,
            routes: subjects(Of::Route, MOST_ROUTES),
        }
    }
}

impl Metrics {
    /// The handles of a configured model.
    #[must_use]
    pub fn model(&self, name: &str) -> ModelHandles {
        ModelHandles::of(&self.models.get(name))
    }

    /// The handles of requests that name no configured model.
    #[must_use]
    pub const fn unknown_model(&self) -> &ModelHandles {
        &self.unknown_model
    }

    /// The handles of a route.
    #[must_use]
    pub fn route(&self, name: &str) -> RouteHandles {
        RouteHandles::of(&self.routes.get(name))
    }

    /// Counts a request that was not let in, or not paid for.
    pub fn refused(&self, why: Refused) {
        self.refusals.inc(why as usize);
    }

    /// Counts an attempt that a spent budget did not pay for.
    pub fn rejected(&self, tier: Tier) {
        self.rejections.inc(tier as usize);
    }

    /// Counts a request that an SDK has sent before.
    pub fn retried(&self, by: Retrier) {
        self.retries.inc(by as usize);
    }

    /// Counts a look into the response cache.
    pub fn looked(&self, lookup: Lookup) {
        self.lookups.inc(lookup as usize);
    }

    /// The configuration was taken over, at this time in µs since 1970.
    pub fn reloaded(&self, unix_us: u64) {
        self.reloads.inc(0);
        self.began(unix_us);
    }

    /// A configuration runs from this time on, in µs since 1970.
    pub fn began(&self, unix_us: u64) {
        self.reload_good.store(true, Ordering::Relaxed);
        self.reloaded_us.store(unix_us, Ordering::Relaxed);
    }

    /// The configuration was refused; the one before stays.
    pub fn reload_refused(&self) {
        self.reloads.inc(1);
        self.reload_good.store(false, Ordering::Relaxed);
    }

    /// Reloads that were taken over, and that were refused.
    #[must_use]
    pub fn reloads(&self) -> (u64, u64) {
        (self.reloads.get(0), self.reloads.get(1))
    }

    /// Forgets models and routes that no snapshot has held for a while.
    pub fn prune(&self, now: Time) {
        self.models.prune(now);
        self.routes.prune(now);
        self.sent.prune();
    }

    /// Requests that asked the cache, and those of them that it answered.
    pub(super) fn asked(&self) -> [u64; 2] {
        // By the index of `Lookup`.
        let [hit, miss, coalesced, semantic] = [0, 1, 2, 3].map(|it| self.lookups.get(it));
        [hit + miss + coalesced, hit + coalesced + semantic]
    }

    /// Adds what the metrics know of themselves.
    fn read(&self, sheet: &mut Sheet) {
        let good = self.reload_good.load(Ordering::Relaxed);
        sheet.set(names::RELOAD_GOOD, f64::from(u8::from(good)));
        let at = self.reloaded_us.load(Ordering::Relaxed) as f64 / 1e6;
        sheet.set(names::RELOAD_TIME, at);
        sheet.set(names::OPEN, self.open.get() as f64);
        let [asked, answered] = self.asked().map(|count| count as f64);
        let ratio = answered / asked.max(1.0);
        sheet.set(names::CACHE_RATIO, ratio.min(1.0));
        for (family, refused) in [
            (names::REQUESTS.name, self.models.refused()),
            (names::ATTEMPTS.name, self.routes.refused()),
        ] {
            sheet.add(names::SERIES_DROPPED, &[family], refused as f64);
        }
        let left_out: Vec<_> = sheet.left_out().collect();
        for (family, count) in left_out {
            sheet.add(names::SERIES_DROPPED, &[family], count as f64);
        }
    }

    /// The exposition, with what was read for it.
    #[must_use]
    pub(crate) fn expose(&self, format: Format, mut sheet: Sheet) -> Vec<u8> {
        let mut to: Box<dyn Exposition> = match format {
            Format::Text => Box::new(Text::new(Dialect::Prometheus)),
            Format::OpenMetrics => Box::new(Text::new(Dialect::OpenMetrics)),
            Format::Protobuf => Box::new(Protobuf::default()),
        };
        self.read(&mut sheet);
        let models = self.models.all();
        let routes = self.routes.all();
        let process = self.process.all();
        // Endings are read once and before beginnings, so that the sum holds in every scrape.
        let ended = self.models.snapshot(&models, names::REQUESTS);
        let all: u64 = ended.iter().flatten().sum();
        let started = self.started.get();
        let retired = self.models.forgotten(names::REQUESTS);
        let inflight = started.saturating_sub(all + retired.iter().sum::<u64>());
        for (row, count) in names::REQUESTS.rows.iter().zip(&retired) {
            sheet.add(names::RETIRED, &[row[0]], *count as f64);
        }
        sheet.set(names::INFLIGHT, inflight as f64);
        for metric in names::ALL {
            match metric.of {
                Of::Reading => sheet.write(metric, &mut *to),
                Of::Process => {
                    let counted = self.process.snapshot(&process, metric);
                    let counted = if metric.name == names::STARTED.name {
                        vec![vec![started]]
                    } else {
                        counted
                    };
                    write(metric, &process, &counted, &mut *to);
                }
                Of::Model if metric.name == names::REQUESTS.name => {
                    write(metric, &models, &ended, &mut *to);
                }
                Of::Model => {
                    let counted = self.models.snapshot(&models, metric);
                    write(metric, &models, &counted, &mut *to);
                }
                Of::Route => {
                    let counted = self.routes.snapshot(&routes, metric);
                    write(metric, &routes, &counted, &mut *to);
                }
            }
        }
        to.finish()
    }
}

/// Writes what was counted of a metric: for each subject its rows' cells, one after the other.
fn write(metric: &Metric, subjects: &All, counted: &[Vec<u64>], to: &mut dyn Exposition) {
    let cells = metric.kind.cells();
    let lines = match metric.kind {
        Kind::Histogram(scale) => scale.lines(),
        _ => 1,
    };
    let shows_empty = subjects.len() * metric.rows.len() * lines <= SHOWN_EMPTY;
    let mut begun = false;
    for ((name, _), counted) in subjects.iter().zip(counted) {
        let own = metric.rows.iter().zip(counted.chunks_exact(cells));
        for (row, cells) in own {
            if !shows_empty && cells.iter().all(|count| *count == 0) {
                continue;
            }
            if !std::mem::replace(&mut begun, true) {
                to.family(metric);
            }
            let subject = (metric.of != Of::Process).then_some(&**name);
            let values = subject.into_iter().chain(row.iter().copied());
            let labels: Vec<_> = metric.labels.iter().copied().zip(values).collect();
            match (metric.kind, cells) {
                (Kind::Histogram(scale), [counts @ .., sum]) => {
                    to.histogram(&labels, (scale, counts, scale.unit(*sum)));
                }
                (Kind::Dollars, [nano, ..]) => to.value(&labels, *nano as f64 / 1e9),
                (_, [count, ..]) => to.value(&labels, *count as f64),
                (_, []) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.expose(Format::Text, Sheet::default())).unwrap()
    }

    #[test]
    fn the_promised_names_are_exposed() {
        let metrics = Metrics::default();
        let model = metrics.model("m");
        metrics.started.inc();
        model.ended(Ending::UpstreamError, true, Span::from_millis(3));
        model.failed(Fault::Truncated);
        model.saved.inc_by(0.25);
        metrics.route("p/m/k").failover(Outcome::ServerError);
        let text = text(&metrics);
        for line in [
            "router_requests_started_total 1",
            "router_inflight_requests 0",
            "router_requests_total{model=\"m\",outcome=\"upstream_error\"} 1",
            "router_errors_total{model=\"m\",error_type=\"upstream_truncated\"} 1",
            "router_request_duration_seconds_count{model=\"m\",stream=\"true\"} 1",
            "router_request_duration_seconds_bucket{model=\"m\",stream=\"true\",le=\"+Inf\"} 1",
            "router_cache_saved_dollars_total{model=\"m\"} 0.25",
            "provider_failover_total{from=\"p/m/k\",reason=\"server_error\"} 1",
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn names_are_told_once_and_as_prometheus_wants_them() {
        let mut names: Vec<&str> = names::ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), names::ALL.len());
        for metric in names::ALL {
            let is_total = metric.name.ends_with("_total");
            let grows = matches!(metric.kind, Kind::Counter | Kind::Dollars);
            assert_eq!(is_total, grows, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            if metric.of != Of::Reading {
                let own = metric.labels.len() - usize::from(metric.of != Of::Process);
                let filled = |row: &[&str; 2]| row.iter().filter(|it| !it.is_empty()).count();
                assert!(
                    metric.rows.iter().all(|row| filled(row) == own),
                    "{}",
                    metric.name
                );
            }
        }
    }

    #[test]
    fn retired_models_leave_their_sums() {
        let metrics = Metrics::default();
        let minutes = |minutes: u64| Time::from_micros(minutes * 60_000_000);
        for turn in 0..2_000 {
            let model = metrics.model(&format!("m{turn}"));
            metrics.started.inc();
            model.ended(Ending::Ok, false, Span::from_millis(1));
            metrics.prune(minutes(turn));
        }
        metrics.started.inc();
        let text = text(&metrics);
        let sum = |name: &str| -> f64 {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines
                .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
                .sum()
        };
        assert!(sum("router_requests_retired_total{") > 1_900.0);
        let ended = sum("router_requests_total{") + sum("router_requests_retired_total{");
        assert_eq!((ended, sum("router_inflight_requests ")), (2_000.0, 1.0));
        assert!(text.len() < 100_000, "{}", text.len());
    }
}
