//! What was told of the gateway so far.
//!
//! # Invariants
//! - Bounded: a quarter of an hour of figures, and the last events.
//! - What a gateway of another version leaves out is nothing, not an error.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::follow::News;

/// Seconds of figures that are kept: more than the widest screen has columns.
const SECONDS: usize = 900;

/// Events that are kept: more than the tallest screen has lines.
const EVENTS: usize = 200;

/// Routes whose figures are kept.
const ROUTES: usize = 256;

/// The gateway in a second.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gateway {
    pub(super) rps: f64,
    pub(super) inflight: i64,
    pub(super) success: Option<f64>,
    pub(super) duration_p50_ms: Option<f64>,
    pub(super) duration_p95_ms: Option<f64>,
    pub(super) ttft_p50_ms: Option<f64>,
    pub(super) ttft_p95_ms: Option<f64>,
    pub(super) overhead_p50_us: Option<f64>,
    pub(super) overhead_p99_us: Option<f64>,
    pub(super) spend_per_hour: f64,
    pub(super) saved_per_hour: f64,
    pub(super) cache_hit_ratio: Option<f64>,
    pub(super) failovers: f64,
    pub(super) connections: i64,
}

/// A route in a second.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Route {
    pub(super) route: String,
    pub(super) models: Vec<String>,
    pub(super) state: String,
    pub(super) score: Option<f64>,
    pub(super) rps: f64,
    pub(super) share: Option<f64>,
    pub(super) weight_share: Option<f64>,
    pub(super) inflight: u32,
    pub(super) ttft_p50_ms: Option<f64>,
    pub(super) error_rate: Option<f64>,
    pub(super) utilisation: f64,
    pub(super) hold: Option<Hold>,
    pub(super) steered: Option<String>,
    pub(super) terms_ms: Option<Map<String, Value>>,
    pub(super) ceilings: Vec<Ceiling>,
}

/// Why a route is set aside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Hold {
    pub(super) reason: String,
    pub(super) seconds_left: f64,
}

/// A ceiling of a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ceiling {
    pub(super) dimension: String,
    pub(super) source: String,
    pub(super) limit: f64,
    pub(super) headroom: f64,
}

/// Something that has changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) at_us: u64,
    pub(super) kind: String,
    pub(super) what: String,
}

/// A second as it is told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tick {
    pub(super) at_us: u64,
    pub(super) gateway: Gateway,
    pub(super) routes: Vec<Route>,
    pub(super) events: Vec<Event>,
}

/// Figures over time; none is NaN.
pub(super) type Line = VecDeque<f64>;

/// A route's lines: score and rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub(super) score: Line,
    pub(super) rps: Line,
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) version: String,
    pub(super) tick: Tick,
    /// Whether there was a tick yet.
    pub(super) is_told: bool,
    /// Why the gateway is gone, if it is.
    pub(super) gone: Option<String>,
    pub(super) events: VecDeque<Event>,
    pub(super) rps: Line,
    pub(super) success: Line,
    pub(super) routes: BTreeMap<String, Lines>,
}

fn push(line: &mut Line, value: Option<f64>) {
    if line.len() == SECONDS {
        line.pop_front();
    }
    line.push_back(value.unwrap_or(f64::NAN));
}

impl Seen {
    /// Takes news.
    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Hello(hello) => {
                let version = hello["version"].as_str();
                self.version = version.unwrap_or_default().to_owned();
                self.gone = None;
            }
            News::Tick(tick) => self.second(serde_json::from_value(tick).unwrap_or_default()),
            News::Gone(why) => self.gone = Some(why),
            News::Over(_) => {}
        }
    }

    fn second(&mut self, tick: Tick) {
        self.gone = None;
        self.is_told = true;
        push(&mut self.rps, Some(tick.gateway.rps));
        push(&mut self.success, tick.gateway.success);
        for route in &tick.routes {
            if self.routes.len() >= ROUTES && !self.routes.contains_key(&route.route) {
                self.routes.clear();
            }
            let lines = self.routes.entry(route.route.clone()).or_default();
            push(&mut lines.score, route.score);
            push(&mut lines.rps, Some(route.rps));
        }
        for event in &tick.events {
            if self.events.len() == EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event.clone());
        }
        self.tick = tick;
    }
}
