//! What is seen each second: rates of this second, percentiles and shares of the last ten.
//!
//! A pure function of this reading and those before.
//!
//! # Invariants
//! - What nothing is known of is none, never zero.
//! - Numbers are rounded to six digits: more is noise, and would be sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use scoring::Class;
use scoring::ceiling::Dimension;
use scoring::health::State;
use scoring::route::Steering;
use scoring::time::{Span, Time};
use serde::Serialize;
use serde_json::Value;

use super::sample::{Marks, Past, Reading, Recent, RouteNow, Totals};
use crate::observe::kinds::Ending;

/// Digits that are shown of a number.
const DIGITS: i32 = 6;

/// Seconds in an hour.
const HOUR: f64 = 3_600.0;

/// One second, as it is told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tick {
    pub(super) at_us: u64,
    pub(super) gateway: GatewayTick,
    pub(super) routes: Vec<RouteTick>,
    /// What has changed since the last one.
    pub(super) events: Vec<Value>,
}

/// The gateway in one second.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct GatewayTick {
    pub(super) rps: f64,
    pub(super) inflight: i64,
    pub(super) ok: f64,
    pub(super) client_error: f64,
    pub(super) upstream_error: f64,
    pub(super) shed: f64,
    pub(super) client_gone: f64,
    pub(super) internal: f64,
    pub(super) success: Option<f64>,
    pub(super) duration_p50_ms: Option<f64>,
    pub(super) duration_p95_ms: Option<f64>,
    pub(super) duration_p99_ms: Option<f64>,
    pub(super) ttft_p50_ms: Option<f64>,
    pub(super) ttft_p95_ms: Option<f64>,
    pub(super) overhead_p50_us: Option<f64>,
    pub(super) overhead_p99_us: Option<f64>,
    pub(super) tokens_in: f64,
    pub(super) tokens_out: f64,
    pub(super) spend_per_hour: f64,
    pub(super) saved_per_hour: f64,
    pub(super) cache_hit_ratio: Option<f64>,
    pub(super) failovers: f64,
    pub(super) retry_budget_left: f64,
    pub(super) connections: i64,
    pub(super) dropped: Dropped,
}

/// What was lost since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Dropped {
    /// Finished requests that nobody could be told of.
    pub(super) records: u64,
    /// Spans that could not be sent.
    pub(super) spans: u64,
    /// Lines of the log of requests that could not be written.
    pub(super) log_lines: u64,
}

/// A route in one second.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RouteTick {
    pub(super) route: Arc<str>,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) key: String,
    pub(super) region: String,
    pub(super) models: Vec<Arc<str>>,
    pub(super) state: &'static str,
    pub(super) score: Option<f64>,
    pub(super) rps: f64,
    pub(super) share: Option<f64>,
    pub(super) weight_share: Option<f64>,
    pub(super) inflight: u32,
    pub(super) ttft_p50_ms: Option<f64>,
    pub(super) error_rate: Option<f64>,
    pub(super) utilisation: f64,
    pub(super) hold: Option<Hold>,
    pub(super) steered: Option<&'static str>,
    pub(super) terms_ms: Option<TermsTold>,
    pub(super) ceilings: Vec<CeilingTold>,
    /// What only the history shows.
    #[serde(skip)]
    pub(super) apart: Apart,
}

/// Why and how long a route is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Hold {
    pub(super) reason: &'static str,
    pub(super) seconds_left: f64,
}

/// The terms of an expected cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TermsTold {
    pub(super) latency: f64,
    pub(super) drift: f64,
    pub(super) utilisation: f64,
    pub(super) failure: f64,
    pub(super) price: f64,
}

/// A ceiling, as it is told.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CeilingTold {
    pub(super) dimension: &'static str,
    pub(super) source: &'static str,
    pub(super) limit: f64,
    pub(super) headroom: f64,
}

/// What a route's history shows beside its tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart {
    pub(super) state: State,
    pub(super) ttft_ms: Option<f64>,
    pub(super) predicted_ms: Option<f64>,
    pub(super) tpot_ms: Option<f64>,
}

impl RouteTick {
    /// The limit of a dimension and what is left of it.
    pub(super) fn ceiling(&self, dimension: Dimension) -> Option<(f64, f64)> {
        let mut ceilings = self.ceilings.iter();
        let found = ceilings.find(|ceiling| ceiling.dimension == dimension.name());
        found.map(|ceiling| (ceiling.limit, ceiling.headroom))
    }
}

/// Forms the tick of a reading; events are added by whoever keeps them.
pub(super) fn tick(reading: &Reading, past: &Past, at_us: u64) -> Tick {
    let routes = reading.routes.iter();
    Tick {
        at_us,
        gateway: gateway(reading, past),
        routes: routes.map(|it| route(it, &reading.marks, past)).collect(),
        events: Vec::new(),
    }
}

/// A number with as many digits as are shown.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let places = DIGITS - 1 - value.abs().log10().floor() as i32;
    // Why two ways: a power of ten below one is not exact, and would leave digits behind.
    if places >= 0 {
        let scale = 10_f64.powi(places.min(300));
        (value * scale).round() / scale
    } else {
        let scale = 10_f64.powi(-places);
        (value / scale).round() * scale
    }
}

/// µs as ms.
fn millis(micros: Option<f64>) -> Option<f64> {
    micros.map(|micros| rounded(micros / 1e3))
}

fn gateway(reading: &Reading, past: &Past) -> GatewayTick {
    let (now, at) = (&reading.marks.gateway, reading.marks.at);
    let begun = Marks {
        at,
        gateway: now.clone(),
        ..Marks::default()
    };
    let last = past.last().unwrap_or(&begun);
    let oldest = past.oldest().unwrap_or(&begun);
    let rate = Rate::between(last.at, at);
    let over = Rate::between(oldest.at, at);
    let (before, long_before) = (&last.gateway, &oldest.gateway);
    let endings: [u64; Ending::ALL.len()] =
        std::array::from_fn(|it| now.endings[it].saturating_sub(before.endings[it]));
    let [
        ok,
        client_error,
        upstream_error,
        shed,
        client_gone,
        internal,
    ] = endings;
    let durations = now.durations.since(&long_before.durations);
    let ttft = now.ttft.since(&long_before.ttft);
    let overhead = now.overhead.since(&long_before.overhead);
    let judged = ok + upstream_error + shed + internal;
    let hits = now.answered.saturating_sub(long_before.answered);
    let asked = hits + now.unanswered.saturating_sub(long_before.unanswered);
    let share = |part: u64, all: u64| (all > 0).then(|| rounded(part as f64 / all as f64));
    let more = |of: fn(&Totals) -> u64| rate.of(of(now).saturating_sub(of(before)));
    let hourly = |of: fn(&Totals) -> f64| rounded(over.scale * (of(now) - of(long_before)) * HOUR);
    let levels = &reading.levels;
    GatewayTick {
        rps: rate.of(endings.iter().sum()),
        inflight: levels.inflight,
        ok: rate.of(ok),
        client_error: rate.of(client_error),
        upstream_error: rate.of(upstream_error),
        shed: rate.of(shed),
        client_gone: rate.of(client_gone),
        internal: rate.of(internal),
        success: share(ok, judged),
        duration_p50_ms: millis(durations.quantile_us(0.5)),
        duration_p95_ms: millis(durations.quantile_us(0.95)),
        duration_p99_ms: millis(durations.quantile_us(0.99)),
        ttft_p50_ms: millis(ttft.quantile_us(0.5)),
        ttft_p95_ms: millis(ttft.quantile_us(0.95)),
        overhead_p50_us: overhead.quantile_us(0.5).map(rounded),
        overhead_p99_us: overhead.quantile_us(0.99).map(rounded),
        tokens_in: more(|it| it.tokens_in),
        tokens_out: more(|it| it.tokens_out),
        spend_per_hour: hourly(|it| it.spend),
        saved_per_hour: hourly(|it| it.saved),
        cache_hit_ratio: share(hits, asked),
        failovers: more(|it| it.failovers),
        retry_budget_left: rounded(levels.retry_left),
        connections: levels.connections,
        dropped: Dropped {
            records: levels.records_dropped,
            ..Dropped::default()
        },
    }
}

/// What turns a count into a rate.
#[derive(Clone, Copy)]
struct Rate {
    /// One over the seconds; 0 where no time has passed.
    scale: f64,
}

impl Rate {
    fn between(then: Time, now: Time) -> Self {
        let seconds = now.since(then).as_secs_f64();
        let scale = if seconds > 0.0 { 1.0 / seconds } else { 0.0 };
        Self { scale }
    }

    /// So many in that time, per second.
    fn of(self, count: u64) -> f64 {
        rounded(count as f64 * self.scale)
    }
}

fn route(it: &RouteNow, marks: &Marks, past: &Past) -> RouteTick {
    let (now, view) = (marks.at, &it.view);
    let counts = marks.routes.get(&it.name);
    let (last, oldest) = (past.last(), past.oldest());
    let ttft_since = |then: Option<&Marks>| {
        let before = then?.routes.get(&it.name)?;
        Some(counts?.ttft.since(&before.ttft))
    };
    let begun = last.and_then(|then| {
        let before = then.routes.get(&it.name)?.dispatched;
        Some(Rate::between(then.at, now).of(view.dispatched.saturating_sub(before)))
    });
    let place = it.place.as_ref();
    let explained = place.and_then(|place| place.explained);
    let share = place.and_then(|place| share(marks, oldest, &place.model, &it.name));
    let ceilings = view.ceilings.ceilings.iter().flatten();
    RouteTick {
        route: Arc::clone(&it.name),
        provider: it.identity.provider.clone(),
        model: it.identity.model.clone(),
        key: it.identity.key.clone(),
        region: it.identity.region.clone(),
        models: it.models.clone(),
        state: view.state.name(),
        score: explained.map(|explained| rounded(f64::from(explained.score))),
        rps: begun.unwrap_or(0.0),
        share: share.map(rounded),
        weight_share: place.map(|place| rounded(place.weight_share)),
        inflight: view.inflight,
        ttft_p50_ms: millis(ttft_since(oldest).and_then(|ttft| ttft.quantile_us(0.5))),
        error_rate: Recent::of(view, &it.name, now, oldest)
            .error_rate()
            .map(rounded),
        utilisation: rounded(f64::from(view.ceilings.utilisation)),
        hold: hold(it, now),
        steered: steered(&it.view.steering),
        terms_ms: explained.map(|explained| TermsTold {
            latency: rounded(f64::from(explained.cost.model_ms)),
            drift: rounded(f64::from(explained.cost.drift_ms)),
            utilisation: rounded(f64::from(explained.cost.utilisation_ms)),
            failure: rounded(f64::from(explained.cost.failure_ms)),
            price: rounded(f64::from(explained.cost.price_ms)),
        }),
        ceilings: ceilings
            .map(|ceiling| CeilingTold {
                dimension: ceiling.dimension.name(),
                source: ceiling.source.name(),
                limit: rounded(ceiling.limit),
                headroom: rounded(ceiling.headroom),
            })
            .collect(),
        apart: apart(it, ttft_since(last).and_then(|ttft| ttft.mean_us())),
    }
}

/// A route's share of what a model's routes were sent since an earlier reading.
fn share(now: &Marks, then: Option<&Marks>, model: &str, route: &str) -> Option<f64> {
    let sent = now.models.get(model)?;
    let before: BTreeMap<&str, u64> = then?
        .models
        .get(model)?
        .iter()
        .map(|(route, count)| (&**route, *count))
        .collect();
    let fresh = |(route, count): &(Arc<str>, u64)| {
        // Why: a route that was not there before has counted all since.
        count.saturating_sub(before.get(&**route).copied().unwrap_or(0))
    };
    let all: u64 = sent.iter().map(fresh).sum();
    let own = sent.iter().filter(|(name, _)| &**name == route).map(fresh);
    (all > 0).then(|| own.sum::<u64>() as f64 / all as f64)
}

/// What an operator wants of a route.
fn steered(steering: &Steering) -> Option<&'static str> {
    if steering.drained.is_some() {
        Some("drained")
    } else {
        steering.pinned_until.map(|_| "pinned")
    }
}

/// Why a route is set aside, and for how long.
pub(super) fn hold(it: &RouteNow, now: Time) -> Option<Hold> {
    let seconds = |span: Span| rounded(span.as_secs_f64());
    if let Some((until, reason)) = it.view.ceilings.hold {
        return Some(Hold {
            reason: reason.name(),
            seconds_left: seconds(until.since(now)),
        });
    }
    let reason = match it.view.state {
        State::KeyHeld => "key_rejected",
        State::Unsupported => "unsupported",
        State::Open => "circuit_open",
        State::Healthy | State::Degraded | State::Probing | State::Recovering | State::Drained => {
            return None;
        }
    };
    Some(Hold {
        reason,
        seconds_left: seconds(it.view.wait.unwrap_or(Span::ZERO)),
    })
}

fn apart(it: &RouteNow, ttft_us: Option<f64>) -> Apart {
    let stream = &it.view.classes[Class::ChatStream.index()];
    let drift = f64::from(stream.drift);
    let ttft_ms = millis(ttft_us);
    let per_token = f64::from(stream.model.per_output_us) / 1e3 * drift;
    Apart {
        state: it.view.state,
        ttft_ms,
        predicted_ms: ttft_ms
            .filter(|_| drift > 0.0)
            .map(|ms| rounded(ms / drift)),
        tpot_ms: stream.measured.then(|| rounded(per_token)),
    }
}
