//! Cases by hand, and whether intervals cover what they say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::estimate::{Kind, WIDTH, estimate};
use super::moments::{Moments, Sum};
use super::{Estimate, Refusal, Tally, Weight};
use crate::select::Compared;
use crate::shadow::End;

/// Sums over requests, each with its quantity and its weight.
fn sums(requests: impl IntoIterator<Item = (f64, f64)>) -> Moments {
    let shared = super::moments::Shared::default();
    for (y, weight) in requests {
        assert_eq!(shared.add(Moments::of(y, weight - 1.0)), 0);
    }
    shared.read()
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * right.abs().max(1.0)
}

/// A choice that the live constants made with one probability and the shadow's would have with another.
fn compared(live: f32, shadow: f32) -> Compared {
    Compared {
        live,
        shadow,
        overlap: 1.0,
        unsupported: 0.0,
        live_refuses: false,
        shadow_refuses: false,
    }
}

fn end(cost_ms: f64) -> End {
    End {
        first_succeeded: true,
        cost_ms,
        ttft_ms: None,
    }
}

/// Half of the requests cost 100, half 300; the shadow sends three quarters to the cheap ones.
#[test]
fn a_case_by_hand() {
    let requests = (0..1_000).flat_map(|_| [(100.0, 1.5), (300.0, 0.5)]);
    let told = estimate(&sums(requests), Kind::Mean).unwrap();
    assert!(
        near(told.live, 200.0) && near(told.shadow, 150.0),
        "{told:?}"
    );
    assert!(near(told.difference, -50.0), "{told:?}");
    // (Σw)²/Σw² = 2000²/(1000·(2.25 + 0.25)).
    assert!(near(told.effective, 1_600.0), "{told:?}");
    // Influences: 1.5·(100−150) − (100−200) = 25 and 0.5·(300−150) − (300−200) = −25.
    let half = WIDTH * 25.0 / 2_000.0_f64.sqrt();
    assert!(near(told.high - told.difference, half), "{told:?}");
    assert!(near(told.difference - told.low, half), "{told:?}");
}

#[test]
fn the_sums_give_what_the_requests_do() {
    let mut rng = SmallRng::seed_from_u64(3);
    let drawn = |_| (rng.random_range(10.0..5_000.0), rng.random_range(0.0..4.0));
    let requests: Vec<(f64, f64)> = (0..5_000).map(drawn).collect();
    let told = estimate(&sums(requests.iter().copied()), Kind::Mean).unwrap();
    let count = requests.len() as f64;
    let weights: f64 = requests.iter().map(|it| it.1).sum();
    let live = requests.iter().map(|it| it.0).sum::<f64>() / count;
    let shadow = requests.iter().map(|it| it.0 * it.1).sum::<f64>() / weights;
    let influence = |(y, w): &(f64, f64)| w * count / weights * (y - shadow) - (y - live);
    let squares: f64 = requests.iter().map(|it| influence(it).powi(2)).sum();
    let half = WIDTH * squares.sqrt() / count;
    assert!((told.difference - (shadow - live)).abs() < 1e-8);
    assert!((told.high - told.low - 2.0 * half).abs() < 1e-8);
}

#[test]
fn equal_choices_differ_by_exactly_nothing() {
    let mut rng = SmallRng::seed_from_u64(11);
    let tally = Tally::new(0);
    for _ in 0..3_000 {
        let chance = rng.random_range(0.01..1.0);
        let same = compared(chance, chance);
        tally.decided(&same);
        let weight = Weight::of(&same).unwrap();
        let end = End {
            first_succeeded: rng.random_bool(0.9),
            cost_ms: rng.random_range(0.1..1e6),
            ttft_ms: Some(rng.random_range(0.1..1e4)),
        };
        tally.ended(weight, &end);
    }
    let report = tally.report();
    for told in [report.success_rate, report.cost_ms, report.ttft_ms] {
        let Estimate {
            live,
            shadow,
            difference,
            low,
            high,
            effective,
            ..
        } = told.unwrap();
        assert!(live.to_bits() == shadow.to_bits(), "{live} and {shadow}");
        assert_eq!([difference, low, high].map(|it| it.abs().to_bits()), [0; 3]);
        assert!(near(effective, 3_000.0));
    }
    assert!(near(report.agreement, 1.0) && report.clipped == 0 && report.dropped == 0);
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |decisions: &[(Compared, u32)]| {
        let tally = Tally::new(0);
        for (compared, times) in decisions {
            for _ in 0..*times {
                tally.decided(compared);
                if let Some(weight) = Weight::of(compared) {
                    tally.ended(weight, &end(100.0));
                }
            }
        }
        tally.report().cost_ms
    };
    assert_eq!(refused(&[]), Err(Refusal::Nothing));
    let thin = refused(&[(compared(0.5, 0.5), 99)]);
    assert!(matches!(thin, Err(Refusal::Thin { needed, .. }) if near(needed, 100.0)));
    assert!(refused(&[(compared(0.5, 0.5), 100)]).is_ok());
    let unsupported = Compared {
        unsupported: 0.5,
        ..compared(0.5, 0.25)
    };
    let mixed = |most| refused(&[(compared(0.5, 0.5), most), (unsupported, 100)]);
    assert!(matches!(mixed(800), Err(Refusal::Unsupported { mass }) if near(mass, 50.0 / 900.0)));
    assert!(mixed(1_000).is_ok());
    // One request in a hundred stands for half of the shadow's.
    let rare = refused(&[(compared(0.01, 0.5), 20), (compared(0.99, 0.5), 1_980)]);
    assert!(matches!(rare, Err(Refusal::Clipped { .. })), "{rare:?}");
    for refusal in [mixed(800), rare, thin, refused(&[])] {
        assert!(refusal.unwrap_err().to_string().len() > 20);
    }
}

#[test]
fn weights_are_clipped_and_counted() {
    let tally = Tally::new(2);
    for (live, shadow) in [(0.02, 0.5), (0.5, 0.5), (0.5, 0.5)] {
        let compared = compared(live, shadow);
        tally.decided(&compared);
        tally.considered(0, live, shadow);
        tally.considered(7, live, shadow);
        tally.ended(Weight::of(&compared).unwrap(), &end(1.0));
    }
    tally.left_out();
    let report = tally.report();
    assert_eq!((report.sampled, report.clipped, report.left_out), (3, 1, 1));
    assert!(
        (report.clipped_share - 5.0 / 27.0).abs() < 1e-6,
        "{report:?}"
    );
    assert!((report.routes[0].shadow - 0.5).abs() < 1e-6);
    assert!((report.routes[0].live - 1.02 / 3.0).abs() < 1e-6);
}

#[test]
fn what_was_refused_weighs_nothing() {
    let refused = Compared {
        live_refuses: true,
        ..compared(1.0, 0.0)
    };
    assert_eq!(Weight::of(&refused), None);
    let tally = Tally::new(0);
    tally.decided(&refused);
    assert_eq!(tally.report().live_refused, 1);
}

/// Failures that were never seen may still be there: all succeeding is no proof.
#[test]
fn a_rate_without_failures_is_not_certain() {
    let requests = || (0..500).flat_map(|_| [(1.0, 1.5), (1.0, 0.5)]);
    let rate = estimate(&sums(requests()), Kind::Rate).unwrap();
    // 3/800 for weights half a unit from 1.
    assert!(near(rate.high, 0.5 * 3.0 / 800.0), "{rate:?}");
    let mean = estimate(&sums(requests()), Kind::Mean).unwrap();
    assert!(mean.high.abs() < 1e-12, "{mean:?}");
}

/// A sum as of a thousand million requests still takes up what comes.
#[test]
fn large_sums_stay_exact() {
    let sum = Sum::default();
    assert!(sum.add(1e9 * 3_333.25));
    for _ in 0..1_000_000 {
        sum.add(0.125);
    }
    assert!((sum.read() - 1e9 * 3_333.25 - 125_000.0).abs() < 400.0);
    // Sums of squares: 10⁹ requests of 60 s, and their variance.
    let many = Moments {
        n: 1e9,
        y: 6e13,
        yy: 1e9 * (6e4_f64.powi(2) + 100.0),
        vy: 0.0,
        vv: 1e8,
        vvy: 6e12,
        vvyy: 1e8 * (6e4_f64.powi(2) + 100.0),
        ..Moments::default()
    };
    let told = estimate(&many, Kind::Mean).unwrap();
    let half = WIDTH * (1e8 * 100.0_f64).sqrt() / 1e9;
    assert!(
        (told.high / half - 1.0).abs() < 1e-3,
        "{told:?}, not {half}"
    );
}

#[test]
fn threads_lose_nothing() {
    let tally = Tally::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let compared = compared(0.5, 0.25);
                    tally.decided(&compared);
                    tally.considered(0, 0.5, 0.25);
                    tally.ended(Weight::of(&compared).unwrap(), &end(2.0));
                }
            });
        }
    });
    let report = tally.report();
    let cost = report.cost_ms.unwrap();
    assert_eq!(report.sampled, 40_000);
    if report.dropped == 0 {
        assert!(near(cost.requests, 40_000.0) && near(cost.live, 2.0));
        assert!(near(report.routes[0].shadow, 0.25));
    }
}

/// What happens to requests on the routes of a world: a chance to fail, and a log-normal cost.
struct World {
    failure: [f64; 3],
    mean_ms: [f64; 3],
    sigma: f64,
    /// Probabilities at a place in time, 0..1, live and the shadow's.
    policies: fn(f64) -> [[f64; 3]; 2],
    /// What everything costs at a place in time, as a factor of its usual.
    factor: fn(f64) -> f64,
}

/// How often the intervals of success and of cost cover the truth, over so many seeds.
fn coverage(world: &World, requests: u32, seeds: u64) -> [f64; 2] {
    let mut covered = [0.0; 2];
    for seed in 0..seeds {
        let mut rng = SmallRng::seed_from_u64(seed);
        let tally = Tally::new(3);
        let mut truth = [0.0; 2];
        for number in 0..requests {
            let at = f64::from(number) / f64::from(requests);
            let [live, shadow] = (world.policies)(at);
            let factor = (world.factor)(at);
            for route in 0..3 {
                let more = (shadow[route] - live[route]) / f64::from(requests);
                truth[0] -= more * world.failure[route];
                truth[1] += more * world.mean_ms[route] * factor;
            }
            let route = drawn(&live, &mut rng);
            let compared = compared(live[route] as f32, shadow[route] as f32);
            let noise = world.sigma * normal(&mut rng) - world.sigma.powi(2) / 2.0;
            let end = End {
                first_succeeded: !rng.random_bool(world.failure[route]),
                cost_ms: world.mean_ms[route] * factor * noise.exp(),
                ttft_ms: None,
            };
            tally.decided(&compared);
            tally.ended(Weight::of(&compared).unwrap(), &end);
        }
        let report = tally.report();
        let told = [report.success_rate, report.cost_ms];
        for (index, told) in told.into_iter().enumerate() {
            let told = told.unwrap();
            let covers = (told.low..=told.high).contains(&truth[index]);
            covered[index] += f64::from(u8::from(covers)) / seeds as f64;
        }
    }
    covered
}

fn drawn(chances: &[f64; 3], rng: &mut SmallRng) -> usize {
    let mut left = rng.random::<f64>();
    for (route, chance) in chances.iter().enumerate() {
        left -= chance;
        if left < 0.0 {
            return route;
        }
    }
    2
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut SmallRng) -> f64 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (core::f64::consts::TAU * angle).cos()
}

#[test]
fn intervals_cover_the_truth() {
    const SEEDS: u64 = 200;
    let worlds: [(&str, World); 3] = [
        (
            "steady",
            World {
                failure: [0.01, 0.02, 0.05],
                mean_ms: [400.0, 500.0, 700.0],
                sigma: 0.5,
                policies: |_| [[0.5, 0.3, 0.2], [0.8, 0.15, 0.05]],
                factor: |_| 1.0,
            },
        ),
        (
            "requests that resemble their neighbours",
            World {
                failure: [0.01, 0.02, 0.05],
                mean_ms: [400.0, 500.0, 700.0],
                sigma: 0.5,
                policies: |at| {
                    if ((at * 10.0) as u32).is_multiple_of(2) {
                        [[0.5, 0.3, 0.2], [0.8, 0.15, 0.05]]
                    } else {
                        [[0.4, 0.4, 0.2], [0.3, 0.3, 0.4]]
                    }
                },
                factor: |at| 1.0 + 2.0 * (at * 12.0).sin().max(0.0),
            },
        ),
        (
            "a route that is hardly chosen",
            World {
                failure: [0.01, 0.01, 0.2],
                mean_ms: [400.0, 500.0, 1_500.0],
                sigma: 1.0,
                policies: |_| [[0.6, 0.37, 0.03], [0.3, 0.5, 0.2]],
                factor: |_| 1.0,
            },
        ),
    ];
    for (name, world) in &worlds {
        let covered = coverage(world, 3_000, SEEDS);
        for share in covered {
            assert!(share >= 0.9, "{name}: {covered:?}, seeds below {SEEDS}");
        }
        // Far too wide would cover as well, and tell nothing.
        assert!(covered[1] <= 0.999, "{name}: {covered:?}");
    }
}
