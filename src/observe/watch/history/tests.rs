//! Rings against a plain twin, what coarse steps are made of, and what all of it takes.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::health::State;

use super::super::tests::route_tick;
use super::super::tick::GatewayTick;
use super::*;

#[test]
fn a_short_number_is_within_a_tenth_of_a_percent() {
    let seed = 11;
    let mut rng = SmallRng::seed_from_u64(seed);
    for _ in 0..20_000 {
        let size = 10_f32.powf(rng.random::<f32>() * 14.0 - 5.0);
        let value = if rng.random::<bool>() { size } else { -size };
        let kept = Short::of(value).value();
        let off = ((kept - value) / value).abs();
        assert!(off <= 1.0 / 1_024.0, "{value} became {kept}, seed {seed}");
    }
    for exact in [0.0, 1.0, -1.0, 0.5, 3.0, 100.0, 511.0, 1_000.0, 32_000.0] {
        let kept = Short::of(exact).value();
        assert!((kept - exact).abs() < f32::EPSILON, "{exact} became {kept}");
    }
    assert!(Short::of(f32::NAN).value().is_nan());
    for (extreme, least, most) in [
        (f32::INFINITY, 1e12, f32::MAX),
        (f32::NEG_INFINITY, f32::MIN, -1e12),
        (f32::MIN_POSITIVE, -1e-9, 1e-9),
        (f32::MAX, 1e12, f32::MAX),
    ] {
        let kept = Short::of(extreme).value();
        assert!((least..=most).contains(&kept), "{extreme} became {kept}");
    }
}

#[test]
fn a_ring_is_its_plain_twin() {
    for seed in 0..20 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut ring: Ring<f32> = Ring::new(Window::Hours, 2);
        let mut twin: BTreeMap<u64, f32> = BTreeMap::new();
        let mut step = 0;
        for _ in 0..2_000 {
            let by = rng.random::<f32>();
            step += match by {
                0.0..0.9 => 1,
                0.9..0.995 => u64::from(rng.random_range(0..4_u32)),
                _ => u64::from(rng.random_range(0..1_500_u32)),
            };
            let value = rng.random::<f32>();
            ring.push(step, &[value, -value]);
            twin.entry(step).or_insert(value);
        }
        let table = ring.read(&[1, 0]);
        let rows = Window::Hours.rows() as u64;
        assert!(table.steps.len() as u64 <= rows, "seed {seed}");
        assert_eq!(table.steps.last(), Some(&step), "seed {seed}");
        for (at, step) in table.steps.iter().enumerate() {
            let (negative, value) = (table.columns[0][at], table.columns[1][at]);
            match twin.get(step) {
                Some(known) => {
                    assert!((value - known).abs() < f32::EPSILON, "seed {seed}");
                    assert!((negative + known).abs() < f32::EPSILON, "seed {seed}");
                }
                None => assert!(value.is_nan() && negative.is_nan(), "seed {seed}"),
            }
        }
        let kept = twin.range(table.steps[0]..).count();
        let figures = table.columns[1].iter().filter(|it| !it.is_nan()).count();
        assert_eq!(kept, figures, "nothing is lost, seed {seed}");
    }
}

/// A second with this rate, of the gateway and of a route in this state and use.
fn second(rps: f64, state: State, utilisation: f64) -> Tick {
    let mut route = route_tick("p/m/k");
    route.apart.state = state;
    route.utilisation = utilisation;
    route.error_rate = (rps > 5.0).then_some(0.5);
    Tick {
        at_us: 0,
        gateway: GatewayTick {
            rps,
            ..GatewayTick::default()
        },
        routes: vec![route],
        events: Vec::new(),
    }
}

fn at(second: u64) -> Time {
    Time::from_micros(1_000_000 * (second + 1))
}

/// A route's series of this name, and its steps.
fn series(history: &History, window: Window, name: &str) -> (Vec<u64>, Vec<f32>) {
    let table = history.route("p/m/k", window).unwrap();
    let column = ROUTE.iter().position(|it| it.name == name).unwrap();
    (table.steps, table.columns[column].clone())
}

#[test]
fn coarse_steps_are_means_and_extremes_and_the_one_under_way_is_shown() {
    let mut history = History::default();
    for it in 0..25_u64 {
        let state = match it {
            3 => State::Open,
            4 => State::Recovering,
            12 => State::Degraded,
            _ => State::Healthy,
        };
        history.push(it, &second(it as f64, state, it as f64 / 100.0), at(it));
    }
    let shown = |name| series(&history, Window::Hours, name).1;
    let close = |name, expected: [f32; 3]| {
        let shown = shown(name);
        assert_eq!(shown.len(), 3, "{name}: {shown:?}");
        for (shown, expected) in shown.iter().zip(expected) {
            let off = (shown - expected).abs();
            assert!(off <= expected.abs() * 1e-3, "{name}: {shown} {expected}");
        }
    };
    assert_eq!(series(&history, Window::Hours, "state").0, [0, 1, 2]);
    close("state", [2.0, 1.0, 0.0]);
    close("utilisation", [0.09, 0.19, 0.24]);
    close("error_rate", [0.5, 0.5, 0.5]);
    let (steps, seconds) = series(&history, Window::Quarter, "error_rate");
    assert_eq!(steps.len(), 25);
    assert!(
        seconds[5].is_nan() && !seconds[6].is_nan(),
        "no data is not zero"
    );
    let gateway = history.gateway(Window::Day);
    assert_eq!(gateway.steps, [0]);
    assert!((gateway.columns[0][0] - 12.0).abs() < 0.02, "{gateway:?}");
    assert!(history.route("unknown", Window::Day).is_none());
}

#[test]
fn a_day_of_64_routes_takes_little_more_than_ten_megabytes() {
    let mut history = History::default();
    let tick = second(1.0, State::Healthy, 0.5);
    for it in 0..24 * 3_600 + 60 {
        history.push(it, &tick, at(it));
    }
    let gateway = history.gateway.bytes();
    let route = history.bytes() - gateway;
    assert!(gateway <= 200_000, "{gateway}");
    assert!(route <= 160_000, "{route}");
    assert!(gateway + 4 * route < 1_000_000, "{}", gateway + 4 * route);
    assert!(
        gateway + 64 * route < 12_000_000,
        "{}",
        gateway + 64 * route
    );
    assert_eq!(history.gateway(Window::Quarter).steps.len(), 900);
    assert_eq!(history.gateway(Window::Hours).steps.len(), 721);
    assert_eq!(history.gateway(Window::Day).steps.len(), 1_441);
}

#[test]
fn a_quiet_beginning_takes_little() {
    let mut history = History::default();
    history.push(0, &second(1.0, State::Healthy, 0.5), at(0));
    assert!(history.bytes() < 12_000, "{}", history.bytes());
}

#[test]
fn routes_that_are_gone_are_forgotten_after_a_day_and_first_where_there_are_too_many() {
    let mut history = History::default();
    let with = |names: &[String]| Tick {
        routes: names.iter().map(|name| route_tick(name)).collect(),
        ..second(1.0, State::Healthy, 0.0)
    };
    let names: Vec<String> = (0..MOST).map(|it| format!("r{it:03}")).collect();
    history.push(0, &with(&names), at(0));
    let known = |history: &History, name| history.route(name, Window::Quarter).is_some();
    history.push(1, &with(&["more".to_owned()]), at(1));
    assert!(!known(&history, "more"), "all are there");
    history.push(2, &with(&names[1..]), at(2));
    history.push(10, &with(&names[1..]), at(10));
    history.push(11, &with(&["more".to_owned()]), at(11));
    assert!(known(&history, "more") && !known(&history, "r000"));
    assert!(known(&history, "r001"));
    let day = KEPT.as_micros() / 1_000_000;
    history.push(day + 9, &with(&[]), at(day + 9));
    assert!(known(&history, "r001"), "not yet");
    history.push(day + 10, &with(&[]), at(day + 10));
    assert!(!known(&history, "r001") && known(&history, "more"));
}
