//! A report made by hand: four policies, three scenarios, one bar missed.
//!
//! It stands in for a replay where only the telling of it is tested, and shows what the page looks like.
//!
//! # Invariants
//! - It is the same at every call.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use sim::measure::{Reason, RouteSeries, Series, Why};
use sim::report::{Estimate, Outcome, Report, Standing, Verdict};

/// Steps of a series.
pub(crate) const STEPS: usize = 120;
/// Seconds in a step.
pub(crate) const STEP_S: f64 = 10.0;
/// When `c` fails, in steps.
const FAULT: std::ops::Range<usize> = 40..80;

const ROUTES: [&str; 3] = ["a", "b", "c"];

/// The report.
pub(crate) fn report() -> Report {
    let pack = vec![verdict("G15", "regret_mean", (None, Some(0.03)), 0.0213)];
    let scenarios = vec![healthy(), brown_out(), ceilings()];
    Report {
        version: "0.1.0".to_owned(),
        seeds: vec![1, 2, 3],
        subject: "trimtab".to_owned(),
        holds: false,
        scenarios,
        pack,
        production: None,
    }
}

fn healthy() -> Outcome {
    let policies = [
        ("trimtab", 801.2, 0.0162, 1.0),
        ("static-weighted", 812.9, 0.0311, 1.0),
        ("p2c-peak-ewma", 806.0, 0.0223, 1.0),
        ("oracle-weighted", 788.4, 0.0, 1.0),
    ];
    let standing = |(name, cost, regret, success): (&str, f64, f64, f64)| {
        let metrics = [
            ("cost_ms", cost, 1.9),
            ("regret", regret, 0.0008),
            ("success", success, 0.0),
            ("share_deviation", regret / 4.0, 0.0004),
            ("refused", 0.0, 0.0),
        ];
        standing(name, &metrics)
    };
    Outcome {
        name: "s01-healthy".to_owned(),
        question: "Does it leave alone what works?".to_owned(),
        policies: policies.into_iter().map(standing).collect(),
        bars: vec![verdict("G2", "regret", (None, Some(0.02)), 0.0162)],
        incident: None,
    }
}

fn brown_out() -> Outcome {
    let rows = [
        ("trimtab", 822.4, 0.0251, 0.999_98, 0.9954, 1.0025, 1.06),
        (
            "static-weighted",
            1104.7,
            0.3512,
            0.9921,
            0.8972,
            1.0711,
            1.93,
        ),
        (
            "p2c-peak-ewma",
            1049.3,
            0.2891,
            0.9933,
            0.9088,
            1.0632,
            1.71,
        ),
        ("oracle-weighted", 802.1, 0.0, 1.0, 0.9981, 1.0009, 1.02),
    ];
    let mut seed = 20;
    let standing = |row: (&str, f64, f64, f64, f64, f64, f64)| {
        let (name, cost, regret, success, first, attempts, p99) = row;
        let metrics = [
            ("cost_ms", cost, 3.1),
            ("regret", regret, 0.0017),
            ("success", success, 0.000_01),
            ("first_attempt", 1.0 - (1.0 - first) / 2.0, 0.0001),
            ("first_attempt_incident", first, 0.0003),
            ("attempts", attempts, 0.0002),
            ("p50", 1.01, 0.001),
            ("p99", p99, 0.01),
            ("detect_s", if first > 0.99 { 1.42 } else { 38.5 }, 0.2),
        ];
        seed += 1;
        Standing {
            series: Some(series(name, seed)),
            ..standing(name, &metrics)
        }
    };
    Outcome {
        name: "s02-brown-out".to_owned(),
        question: "Does a route that browns out lose its traffic before users notice?".to_owned(),
        policies: rows.into_iter().map(standing).collect(),
        bars: vec![
            verdict("G3", "success", (Some(0.9999), None), 0.999_98),
            verdict("G3", "first_attempt_incident", (Some(0.997), None), 0.9954),
            verdict("G3", "attempts", (None, Some(1.005)), 1.0025),
        ],
        incident: Some((400.0, 800.0)),
    }
}

fn ceilings() -> Outcome {
    let rows = [
        ("trimtab", 931.0, 0.0188, 0.31, 0.0214),
        ("static-weighted", 1211.4, 0.3262, 118.3, 0.0),
        ("p2c-peak-ewma", 1390.2, 0.5219, 241.7, 0.0),
        ("oracle-weighted", 913.8, 0.0, 0.0, 0.0203),
    ];
    let standing = |(name, cost, regret, refused, shed): (&str, f64, f64, f64, f64)| {
        let metrics = [
            ("cost_ms", cost, 6.5),
            ("regret", regret, 0.0032),
            ("success", 0.98, 0.0004),
            ("refused", refused, 0.02),
            ("refused_learned", refused / 3.0, 0.02),
            ("shed", shed, 0.001),
        ];
        standing(name, &metrics)
    };
    Outcome {
        name: "s05-ceilings".to_owned(),
        question: "Are ceilings that nobody told us found without running into them?".to_owned(),
        policies: rows.into_iter().map(standing).collect(),
        bars: vec![
            verdict("G7", "refused_learned", (None, Some(0.5)), 0.103),
            Verdict {
                note: "p2c-peak-ewma was as good".to_owned(),
                ..verdict("G8", "goodput", (Some(0.97), None), 0.981)
            },
        ],
        incident: None,
    }
}

fn standing(name: &str, metrics: &[(&str, f64, f64)]) -> Standing {
    let estimate = |(name, mean, half): &(&str, f64, f64)| {
        let estimate = Estimate {
            mean: *mean,
            half: Some(*half),
            seeds: vec![mean - half, *mean, mean + half],
        };
        ((*name).to_owned(), estimate)
    };
    Standing {
        policy: name.to_owned(),
        metrics: metrics.iter().map(estimate).collect(),
        series: None,
    }
}

fn verdict(goal: &str, metric: &str, bounds: (Option<f64>, Option<f64>), value: f64) -> Verdict {
    let (at_least, at_most) = bounds;
    Verdict {
        goal: goal.to_owned(),
        metric: metric.to_owned(),
        at_least,
        at_most,
        value: Some(value),
        holds: at_least.is_none_or(|it| value >= it) && at_most.is_none_or(|it| value <= it),
        note: String::new(),
    }
}

/// The failure rate of `c` at a step.
fn truth(step: usize) -> f64 {
    if FAULT.contains(&step) {
        0.02 + 0.38 * (step - FAULT.start) as f64 / FAULT.len() as f64
    } else {
        0.0
    }
}

/// The part of its weight that `c` gets.
fn part(name: &str, step: usize) -> f64 {
    let ramp = (step.saturating_sub(FAULT.end + 2) as f64 / 6.0).min(1.0);
    match name {
        "trimtab" if step < FAULT.start + 4 => 1.0,
        "trimtab" => ramp,
        "oracle-weighted" if FAULT.contains(&step) => 0.0,
        "p2c-peak-ewma" => 1.0 - truth(step) / 2.0,
        _ => 1.0,
    }
}

fn series(name: &str, seed: u64) -> Series {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut near = |value: f64, spread: f64| value * (1.0 + spread * (rng.random::<f64>() - 0.5));
    let mut series = Series {
        step_s: STEP_S,
        routes: ROUTES.map(route).to_vec(),
        ..Series::default()
    };
    for step in 0..STEPS {
        let part = part(name, step);
        let total = 2.0 + part;
        for (at, route) in series.routes.iter_mut().enumerate() {
            let (weight, fails) = if at == 2 {
                (part, truth(step))
            } else {
                (1.0, 0.0)
            };
            let picks = near(1000.0 * weight / total, 0.1).round();
            route.picks.push(picks as u32);
            route.failures.push((picks * fails).round() as u32);
            route.refused.push(u32::from(step % 17 == 0 && at == 1));
            route
                .score
                .push((near(0.96, 0.03) * part.max(1.0 - fails * 2.0).min(weight)) as f32);
            route.state.push(if weight == 0.0 {
                2
            } else {
                u8::from(weight < 1.0)
            });
            route
                .truth
                .push((1.0 + 2.5 * fails + 0.03 * at as f64) as f32);
        }
        let lost = 1000.0 * part / total * truth(step) * truth(step);
        series.p50.push(near(1.01, 0.02) as f32);
        series
            .p99
            .push(near(1.05 + 6.0 * lost / 100.0, 0.06) as f32);
        series.arrived.push(1000);
        series.lost.push(lost as u32);
        series.shed.push(0);
        if name == "trimtab" {
            series.why.push(why(step, part, &mut near));
        }
    }
    series
}

fn route(name: &str) -> RouteSeries {
    RouteSeries {
        name: name.to_owned(),
        ..RouteSeries::default()
    }
}

/// Why ours chose as it did at a step at which `c` gets that part of its weight.
fn why(step: usize, part: f64, near: &mut impl FnMut(f64, f64) -> f64) -> Why {
    let open = part == 0.0;
    let fails = if open { 0.6 } else { truth(step) };
    let close = !open && fails < 0.01;
    let total = if close { 2.0 + part } else { 2.0 };
    let (gate, state) = match part {
        _ if open => ("open", "open"),
        it if it < 1.0 => ("recovering", "recovering"),
        _ => ("cold", "healthy"),
    };
    let healthy = |at: usize, near: &mut dyn FnMut(f64, f64) -> f64| Reason {
        gate: "cold",
        state: "healthy",
        model_ms: near(780.0 + 14.0 * at as f64, 0.01) as f32,
        drift_ms: near(if at == 1 { -22.0 } else { 9.0 }, 0.4) as f32,
        utilisation_ms: if at == 2 { 40.0 } else { 0.0 },
        failure_ms: 1.9,
        price_ms: 12.0,
        affinity_ms: 0.0,
        failure: 0.001,
        utilisation: near(0.5 + 0.2 * at as f64, 0.05) as f32,
        score: near(0.98, 0.02) as f32,
        weight: 1.0,
        part: 1.0,
        in_band: true,
        propensity: (1.0 / total) as f32,
    };
    let c = healthy(2, near);
    let c = Reason {
        gate,
        state,
        model_ms: c.model_ms * (1.0 - fails) as f32,
        failure_ms: (fails * 1900.0) as f32,
        failure: fails as f32,
        score: (800.0 / (800.0 + fails * 1900.0)) as f32,
        part: part as f32,
        in_band: close,
        propensity: if close { (part / total) as f32 } else { 0.0 },
        ..c
    };
    Why {
        mode: "normal",
        routes: vec![healthy(0, near), healthy(1, near), c],
    }
}
