//! Which figures have a history, and how several of them become one?
//!
//! # Invariants
//! - The order of a list is that of the columns; names are those of the API.

use scoring::ceiling::Dimension;
use scoring::health::State;

use super::tick::{GatewayTick, RouteTick};

/// What becomes of several figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Their mean; of rates, that is their sum over the time.
    Mean,
    /// The largest.
    Most,
    /// The state that is worst.
    Worst,
}

impl Fold {
    /// Two figures, or the sum of some and one more.
    pub(super) fn add(self, sum: f64, value: f64) -> f64 {
        match self {
            Self::Mean => sum + value,
            Self::Most => sum.max(value),
            Self::Worst if severity(value) > severity(sum) => value,
            Self::Worst => sum,
        }
    }
}

/// How bad a state is, by its number.
fn severity(state: f64) -> u8 {
    match state as u8 {
        0 => 0,
        1 => 1,
        4 => 2,
        3 => 3,
        _ => 4,
    }
}

/// The number of a state, as `provider_circuit_state` has it.
pub(super) const fn number(state: State) -> u8 {
    state as u8
}

/// A series.
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    pub(super) fold: Fold,
    of: fn(&T) -> Option<f64>,
}

const fn mean<T>(name: &'static str, of: fn(&T) -> Option<f64>) -> Column<T> {
    let fold = Fold::Mean;
    Column { name, fold, of }
}

const fn most<T>(name: &'static str, of: fn(&T) -> Option<f64>) -> Column<T> {
    let fold = Fold::Most;
    Column { name, fold, of }
}

/// The series of the gateway.
pub(super) const GATEWAY: [Column<GatewayTick>; 24] = [
    mean("rps", |it| Some(it.rps)),
    mean("inflight", |it| Some(it.inflight as f64)),
    mean("ok", |it| Some(it.ok)),
    mean("client_error", |it| Some(it.client_error)),
    mean("upstream_error", |it| Some(it.upstream_error)),
    mean("shed", |it| Some(it.shed)),
    mean("client_gone", |it| Some(it.client_gone)),
    mean("internal", |it| Some(it.internal)),
    mean("success", |it| it.success),
    mean("duration_p50_ms", |it| it.duration_p50_ms),
    mean("duration_p95_ms", |it| it.duration_p95_ms),
    mean("duration_p99_ms", |it| it.duration_p99_ms),
    mean("ttft_p50_ms", |it| it.ttft_p50_ms),
    mean("ttft_p95_ms", |it| it.ttft_p95_ms),
    mean("overhead_p50_us", |it| it.overhead_p50_us),
    mean("overhead_p99_us", |it| it.overhead_p99_us),
    mean("tokens_in", |it| Some(it.tokens_in)),
    mean("tokens_out", |it| Some(it.tokens_out)),
    mean("spend_per_hour", |it| Some(it.spend_per_hour)),
    mean("saved_per_hour", |it| Some(it.saved_per_hour)),
    mean("cache_hit_ratio", |it| it.cache_hit_ratio),
    mean("failovers", |it| Some(it.failovers)),
    mean("retry_budget_left", |it| Some(it.retry_budget_left)),
    mean("connections", |it| Some(it.connections as f64)),
];

/// The series of a route.
pub(super) const ROUTE: [Column<RouteTick>; 20] = [
    mean("score", |it| it.score),
    Column {
        name: "state",
        fold: Fold::Worst,
        of: |it| Some(f64::from(number(it.apart.state))),
    },
    mean("rps", |it| Some(it.rps)),
    mean("share", |it| it.share),
    mean("weight_share", |it| it.weight_share),
    mean("inflight", |it| Some(f64::from(it.inflight))),
    mean("error_rate", |it| it.error_rate),
    mean("ttft_ms", |it| it.apart.ttft_ms),
    mean("predicted_ms", |it| it.apart.predicted_ms),
    mean("tpot_ms", |it| it.apart.tpot_ms),
    most("utilisation", |it| Some(it.utilisation)),
    mean("limit_rpm", |it| limit(it, Dimension::Requests)),
    mean("limit_tpm", |it| limit(it, Dimension::Tokens)),
    mean("headroom_rpm", |it| left(it, Dimension::Requests)),
    mean("headroom_tpm", |it| left(it, Dimension::Tokens)),
    mean("latency", |it| it.terms_ms.map(|terms| terms.latency)),
    mean("drift", |it| it.terms_ms.map(|terms| terms.drift)),
    mean("utilisation_ms", |it| {
        it.terms_ms.map(|terms| terms.utilisation)
    }),
    mean("failure", |it| it.terms_ms.map(|terms| terms.failure)),
    mean("price", |it| it.terms_ms.map(|terms| terms.price)),
];

/// The series of all routes at once: score, rate, state and share.
pub(super) const OF_ALL: [&str; 4] = ["score", "rps", "state", "share"];

/// Where the series of [`OF_ALL`] stand.
pub(super) fn of_all() -> [usize; OF_ALL.len()] {
    OF_ALL.map(|name| {
        let at = ROUTE.iter().position(|column| column.name == name);
        at.unwrap_or(0)
    })
}

fn limit(route: &RouteTick, dimension: Dimension) -> Option<f64> {
    route.ceiling(dimension).map(|(limit, _)| limit)
}

fn left(route: &RouteTick, dimension: Dimension) -> Option<f64> {
    route.ceiling(dimension).map(|(_, left)| left)
}

fn row<T, const N: usize>(columns: &[Column<T>; N], of: &T) -> [f32; N] {
    columns
        .each_ref()
        .map(|column| (column.of)(of).map_or(f32::NAN, |value| value as f32))
}

/// The gateway's figures of one second.
pub(super) fn gateway_row(tick: &GatewayTick) -> [f32; GATEWAY.len()] {
    row(&GATEWAY, tick)
}

/// A route's figures of one second.
pub(super) fn route_row(tick: &RouteTick) -> [f32; ROUTE.len()] {
    row(&ROUTE, tick)
}
