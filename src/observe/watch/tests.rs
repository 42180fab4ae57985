//! Ticks of made-up readings, and a whole watch over a made-up gateway.

use std::sync::Arc;

use scoring::health::State;
use scoring::outcome::Outcome;
use scoring::route::{Prior, Route, RouteView, ToldLimits};
use scoring::time::Time;
use scoring::tuning::Tuning;

use super::sample::{
    Levels, Marks, Member, ModelNow, Past, Place, Reading, RouteCounts, RouteNow, Totals,
};
use super::tick::{self, Apart, RouteTick};
use crate::observe::Spread;
use crate::routing::Identity;

/// What a route of which nothing is known looks like.
pub(super) fn view() -> RouteView {
    let told = ToldLimits::default();
    let route = Route::new(Arc::default(), &Prior::default(), &told, &Tuning::default());
    route.view(at(1.0))
}

pub(super) fn at(seconds: f64) -> Time {
    Time::from_micros((seconds * 1e6) as u64 + 1_000_000)
}

/// A route's second in which nothing happens.
pub(super) fn route_tick(name: &str) -> RouteTick {
    RouteTick {
        route: Arc::from(name),
        provider: String::new(),
        model: String::new(),
        key: String::new(),
        region: String::new(),
        models: Vec::new(),
        state: "healthy",
        score: None,
        rps: 0.0,
        share: None,
        weight_share: None,
        inflight: 0,
        ttft_p50_ms: None,
        error_rate: None,
        utilisation: 0.0,
        hold: None,
        steered: None,
        terms_ms: None,
        ceilings: Vec::new(),
        apart: Apart {
            state: State::Healthy,
            ttft_ms: None,
            predicted_ms: None,
            tpot_ms: None,
        },
    }
}

/// Marks at an instant: what was sent to each route of the only model `m`, and how many of that failed.
pub(super) fn marks(at: Time, routes: &[(&str, u64, u64)]) -> Marks {
    let counts = |&(name, sent, failed): &(&str, u64, u64)| {
        let mut counts = RouteCounts {
            dispatched: sent,
            ..RouteCounts::default()
        };
        counts.outcomes[Outcome::Success.index()] = sent - failed;
        counts.outcomes[Outcome::ServerError.index()] = failed;
        (Arc::from(name), counts)
    };
    let sent = routes
        .iter()
        .map(|(name, sent, _)| (Arc::from(*name), *sent));
    Marks {
        at,
        gateway: Totals::default(),
        routes: routes.iter().map(counts).collect(),
        models: [(Arc::from("m"), sent.collect())].into(),
    }
}

/// A reading of the same, with the operator's weights and each route's state.
pub(super) fn reading(at: Time, routes: &[(&str, u64, u64)], as_is: &[(f64, State)]) -> Reading {
    let marks = marks(at, routes);
    let all: f64 = as_is.iter().map(|(weight, _)| weight).sum();
    let pairs = routes.iter().zip(as_is);
    let now = pairs.clone().map(|((name, ..), (weight, state))| RouteNow {
        name: Arc::from(*name),
        identity: Identity {
            provider: (*name).to_owned(),
            model: "gpt".to_owned(),
            key: "k".to_owned(),
            region: String::new(),
        },
        view: RouteView {
            state: *state,
            dispatched: marks.routes[*name].dispatched,
            outcomes: marks.routes[*name].outcomes,
            ..view()
        },
        models: vec![Arc::from("m")],
        place: Some(Place {
            model: Arc::from("m"),
            weight_share: weight / all,
            explained: None,
        }),
    });
    let members = pairs.clone().map(|((name, ..), (weight, _))| Member {
        route: Arc::from(*name),
        weight: *weight,
        weight_share: weight / all,
        explained: None,
    });
    let model = ModelNow {
        name: Arc::from("m"),
        is_workflow: false,
        fallbacks: Vec::new(),
        routes: members.collect(),
    };
    Reading {
        routes: now.collect(),
        models: vec![model],
        levels: Levels::default(),
        marks,
    }
}

#[test]
fn rates_are_of_the_last_second_and_the_rest_of_the_last_ten() {
    const BOUNDS: &[u64] = &[1_000, 2_000, 4_000];
    let mut past = Past::default();
    for second in 0..15_u64 {
        let mut then = marks(
            at(second as f64),
            &[("a", 9 * second, 0), ("b", second, second)],
        );
        then.gateway.endings = [10 * second, 0, second, 0, 0, 0];
        then.gateway.durations = Spread::new(BOUNDS, vec![0, 10 * second, 0, 0], 0);
        then.gateway.answered = 3 * second;
        then.gateway.unanswered = second;
        then.gateway.spend = 0.01 * second as f64;
        past.push(then);
    }
    let both = [(1.0, State::Healthy), (1.0, State::Open)];
    let mut now = reading(at(15.0), &[("a", 9 * 15, 0), ("b", 15, 15)], &both);
    now.marks.gateway = Totals {
        endings: [160, 0, 15, 0, 4, 0],
        durations: Spread::new(BOUNDS, vec![0, 150, 0, 0], 0),
        answered: 45,
        unanswered: 15,
        spend: 0.15,
        ..Totals::default()
    };
    let tick = tick::tick(&now, &past, 7);
    let close = |value: f64, expected: f64| {
        assert!((value - expected).abs() < 1e-5, "{value} {expected}");
    };
    let gateway = &tick.gateway;
    close(gateway.rps, 25.0);
    close(gateway.ok, 20.0);
    close(gateway.upstream_error, 1.0);
    close(gateway.client_gone, 4.0);
    close(gateway.success.unwrap(), 20.0 / 21.0);
    close(gateway.duration_p50_ms.unwrap(), 1.5);
    close(gateway.duration_p99_ms.unwrap(), 1.99);
    close(gateway.cache_hit_ratio.unwrap(), 0.75);
    close(gateway.spend_per_hour, 36.0);
    assert_eq!(gateway.ttft_p50_ms, None);
    let (a, b) = (&tick.routes[0], &tick.routes[1]);
    close(a.rps, 9.0);
    close(a.share.unwrap(), 0.9);
    close(b.share.unwrap(), 0.1);
    close(b.weight_share.unwrap(), 0.5);
    assert_eq!((a.error_rate, b.error_rate), (Some(0.0), Some(1.0)));
    assert_eq!(a.hold, None);
    assert_eq!(b.hold.unwrap().reason, "circuit_open");
    let json = serde_json::to_value(&tick).unwrap();
    assert_eq!(json["at_us"], 7);
    assert_eq!(json["gateway"]["ttft_p95_ms"], serde_json::Value::Null);
    assert_eq!(json["routes"][0]["terms_ms"], serde_json::Value::Null);
    assert_eq!(json["gateway"]["dropped"]["spans"], 0);
}

#[test]
fn the_first_tick_claims_nothing() {
    let now = reading(at(0.0), &[("a", 100, 50)], &[(1.0, State::Healthy)]);
    let tick = tick::tick(&now, &Past::default(), 0);
    assert!(tick.gateway.rps.abs() < f64::EPSILON);
    assert_eq!(tick.gateway.success, None);
    assert_eq!(
        (tick.routes[0].share, tick.routes[0].error_rate),
        (None, None)
    );
}

#[test]
fn a_route_that_began_anew_counts_from_nothing() {
    let mut past = Past::default();
    past.push(marks(at(0.0), &[("a", 500, 500)]));
    let now = reading(at(1.0), &[("a", 3, 0)], &[(1.0, State::Healthy)]);
    let tick = tick::tick(&now, &past, 0);
    assert!(tick.routes[0].rps.abs() < f64::EPSILON);
    assert_eq!(tick.routes[0].error_rate, Some(0.0));
}

#[test]
fn numbers_have_six_digits() {
    for (value, shown) in [
        (0.0, "0"),
        (1.0 / 3.0, "0.333333"),
        (-12_345.678_9, "-12345.7"),
        (2_000_000.0, "2000000"),
        (1.234_567_8e-7, "0.000000123457"),
        (f64::NAN, "0"),
    ] {
        assert_eq!(tick::rounded(value).to_string(), shown);
    }
}
