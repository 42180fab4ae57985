//! The worked examples of `README.md`, in its order and with its numbers.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failing test should say where"
)]

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::health::State;
use scoring::latency::Model;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, RouteView, ToldLimits};
use scoring::select::{Candidate, Decision, Mode, Pick, Pool, Tried, explain, select};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 1_000,
    max_tokens: Some(101),
    deadline: None,
    probe_ok: true,
};

const PICK: Pick = Pick {
    index: 0,
    propensity: 1.0,
    mode: Mode::Normal,
    score: 1.0,
    band: 1,
    cost: scoring::cost::Terms {
        model_ms: 0.0,
        drift_ms: 0.0,
        utilisation_ms: 0.0,
        failure_ms: 0.0,
        price_ms: 0.0,
    },
};

fn at(seconds: f64) -> Time {
    Time::from_micros(1_000_000 + (seconds * 1e6) as u64)
}

fn route(told: ToldLimits) -> Arc<Route> {
    Arc::new(Route::new(
        Arc::new(Parent::new()),
        &Prior::default(),
        &told,
        &Tuning::default(),
    ))
}

fn pool_of(routes: &[Arc<Route>], weights: &[f32], tuning: Tuning) -> Pool {
    let candidates = routes
        .iter()
        .zip(weights)
        .map(|(route, &weight)| Candidate {
            route: Arc::clone(route),
            weight,
            price_input: 150.0,
            price_output: 600.0,
        });
    Pool::new(candidates.collect(), tuning)
}

fn send(route: &Arc<Route>, pick: Pick, from: f64, to: f64, outcome: Outcome) {
    Attempt::begin(Arc::clone(route), &ASK, &pick, at(from)).finish(&End::of(outcome), at(to));
}

fn fail(route: &Arc<Route>, seconds: f64) -> RouteView {
    send(route, PICK, seconds, seconds, Outcome::ServerError);
    route.view(at(seconds))
}

/// An attempt whose latency is exactly what the model predicts for [`ASK`].
fn succeed(route: &Arc<Route>, seconds: f64, slower: f64) {
    let mut attempt = Attempt::begin(Arc::clone(route), &ASK, &PICK, at(seconds));
    let first = seconds + 0.540 * slower;
    attempt.first_byte(at(first));
    attempt.finish(
        &End {
            output_tokens: Some(101),
            ..End::of(Outcome::Success)
        },
        at(first + 1.5 * slower),
    );
}

#[track_caller]
fn close(value: f32, expected: f32) {
    assert!(
        (value - expected).abs() <= expected.abs() * 2e-3 + 2e-3,
        "{value} instead of {expected}"
    );
}

#[test]
fn one_failure_of_one_makes_fifteen_percent_of_which_four_are_sure() {
    let view = fail(&route(ToldLimits::default()), 1.0);
    close(view.parent_rate, 0.020_59);
    // 0.152 less √(0.152·0.848/11).
    close(view.failure, 0.043_8);
}

#[test]
fn a_sibling_of_a_failing_key_is_suspect() {
    let parent = Arc::new(Parent::new());
    let sibling = |_| {
        Arc::new(Route::new(
            Arc::clone(&parent),
            &Prior::default(),
            &ToldLimits::default(),
            &Tuning::default(),
        ))
    };
    let [bad, other] = [0, 1].map(sibling);
    for _ in 0..10 {
        fail(&bad, 1.0);
    }
    other.fit(at(1.0));
    // 10.05/60 less √(0.1675·0.8325/10).
    close(other.view(at(1.0)).failure, 0.049_4);
}

#[test]
fn counts_fade_and_the_rate_stays() {
    let route = route(ToldLimits::default());
    for i in 0..40 {
        send(
            &route,
            PICK,
            1.0,
            1.0,
            if i % 4 == 0 {
                Outcome::Overloaded
            } else {
                Outcome::Success
            },
        );
    }
    let (now, later) = (route.view(at(1.0)), route.view(at(4.0)));
    close(now.attempts_fast, 40.0);
    assert!(
        (later.attempts_fast - 40.0 / 1f32.exp()).abs() < 0.15,
        "{}",
        later.attempts_fast
    );
    close(later.error_fast, 0.25);
}

#[test]
fn a_prediction_by_token_counts() {
    let model = Model {
        first_ms: 500.0,
        per_input_us: 40.0,
        per_output_us: 15_000.0,
    };
    close(model.first(1_000.0), 540.0);
    close(model.whole(1_000.0, 101.0), 2_040.0);
    let routes = [route(ToldLimits::default())];
    let explanation = explain(
        &pool_of(&routes, &[1.0], Tuning::default()),
        &ASK,
        &Tried::default(),
        at(1.0),
    );
    let terms = explanation.candidates[0].cost;
    // One in a thousand is less than chance explains of ten attempts.
    close(terms.failure_ms, 0.0);
    close(terms.total(), 2_040.0);
}

#[test]
fn drift_multiplies_the_prediction() {
    let routes = [route(ToldLimits::default())];
    for i in 0..400 {
        succeed(&routes[0], 1.0 + f64::from(i) * 0.05, 2.0);
    }
    let view = routes[0].view(at(22.0));
    let chat = view.classes[Class::ChatStream.index()];
    close(chat.drift, 2.0);
    let explanation = explain(
        &pool_of(&routes, &[1.0], Tuning::default()),
        &ASK,
        &Tried::default(),
        at(22.0),
    );
    let terms = explanation.candidates[0].cost;
    // The model is still the prior's, because nothing was fitted: 2040 ms; steady drift leaves the least scale of 0.05.
    let skew = 0.5 * chat.scale.powi(2) / (1.0 + 1.3 * chat.scale.powi(2));
    close(
        (terms.model_ms + terms.drift_ms) / terms.model_ms,
        (2f32.ln() + skew - 0.2 * chat.scale + 0.1 * chat.scale).exp(),
    );
    assert_eq!(view.state, State::Degraded);
}

#[test]
fn the_fit_takes_the_drift_over() {
    let route = route(ToldLimits::default());
    for i in 0..2_000 {
        let seconds = 1.0 + f64::from(i) * 0.05;
        succeed(&route, seconds, 2.0);
        if i % 5 == 0 {
            route.fit(at(seconds));
        }
    }
    let chat = route.view(at(101.0)).classes[Class::ChatStream.index()];
    assert!(
        (chat.model.whole(1_000.0, 101.0) / 4_080.0 - 1.0).abs() < 0.05,
        "{:?}",
        chat.model
    );
    assert!((chat.drift - 1.0).abs() < 0.05, "{chat:?}");
}

#[test]
fn a_busy_route_costs_an_eighth_more() {
    let told = ToldLimits {
        concurrency: Some(10),
        ..ToldLimits::default()
    };
    let routes = [route(told)];
    let running: Vec<_> = (0..9)
        .map(|_| Attempt::begin(Arc::clone(&routes[0]), &ASK, &PICK, at(1.0)))
        .collect();
    let explanation = explain(
        &pool_of(&routes, &[1.0], Tuning::default()),
        &ASK,
        &Tried::default(),
        at(1.0),
    );
    let terms = explanation.candidates[0].cost;
    close(terms.utilisation_ms / terms.model_ms, 0.125);
    drop(running);
}

#[test]
fn money_becomes_milliseconds() {
    let mut tuning = Tuning::default();
    tuning.cost.ms_per_millidollar = 100.0;
    let routes = [route(ToldLimits::default())];
    let explanation = explain(
        &pool_of(&routes, &[1.0], tuning),
        &ASK,
        &Tried::default(),
        at(1.0),
    );
    // 1000 × 150 + 101 × 600 nano-dollars = 0.2106 thousandths of a dollar.
    close(explanation.candidates[0].cost.price_ms, 21.06);
}

#[test]
fn the_terms_sum_to_the_cost_and_the_score_is_their_ratio() {
    let routes = [route(ToldLimits::default()), route(ToldLimits::default())];
    for i in 0..50 {
        succeed(&routes[0], 1.0 + f64::from(i) * 0.02, 1.0);
        succeed(&routes[1], 1.0 + f64::from(i) * 0.02, 1.4);
    }
    let explanation = explain(
        &pool_of(&routes, &[1.0, 1.0], Tuning::default()),
        &ASK,
        &Tried::default(),
        at(5.0),
    );
    let [best, other] = [0, 1].map(|i| explanation.candidates[i]);
    close(best.score, 1.0);
    close(other.score, best.cost.total() / other.cost.total());
    assert!(best.in_band && !other.in_band);
    let terms = other.cost;
    close(
        terms.total(),
        terms.model_ms + terms.drift_ms + terms.utilisation_ms + terms.failure_ms + terms.price_ms,
    );
}

#[test]
fn four_failures_in_a_row_open_a_busy_route() {
    let route = route(ToldLimits::default());
    for i in 0..200 {
        succeed(&route, 1.0 + f64::from(i) * 0.01, 1.0);
    }
    let first = fail(&route, 5.0);
    close(first.cusum, (0.25f32 / 0.02).ln());
    fail(&route, 5.0);
    assert_eq!(fail(&route, 5.0).state, State::Healthy);
    let fourth = fail(&route, 5.0);
    assert_eq!(fourth.state, State::Open);
    assert!(fourth.wait.unwrap() <= Span::from_millis(1_000));
}

/// The probe that is due once enough requests have passed; those are not sent.
fn probe(pool: &Pool, now: f64, rng: &mut SmallRng) -> Pick {
    for _ in 0..=80 {
        if let Decision::Picked(pick) = select(pool, &ASK, &Tried::default(), at(now), rng)
            && pick.mode == Mode::Probe
        {
            return pick;
        }
    }
    panic!("no probe is due at {now} s")
}

#[test]
fn open_for_one_two_four_and_at_most_eight_seconds() {
    let routes = [route(ToldLimits::default())];
    let pool = pool_of(&routes, &[1.0], Tuning::default());
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..4 {
        fail(&routes[0], 1.0);
    }
    let (mut now, mut waits) = (1.0, vec![]);
    for _ in 0..5 {
        waits.push(routes[0].view(at(now)).wait.unwrap().as_secs_f64().round() as u64);
        now += 20.0;
        send(
            &routes[0],
            probe(&pool, now, &mut rng),
            now,
            now,
            Outcome::ServerError,
        );
    }
    assert_eq!(waits, [1, 2, 4, 8, 8]);
}

#[test]
fn five_probes_and_fifteen_successes_bring_a_route_back() {
    let routes = [route(ToldLimits::default())];
    let pool = pool_of(&routes, &[1.0], Tuning::default());
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..4 {
        fail(&routes[0], 1.0);
    }
    let mut modes = vec![];
    let mut shares = vec![];
    for i in 0..20 {
        let now = 30.0 + f64::from(i);
        shares.push((routes[0].view(at(now)).share * 100.0).round() as u32);
        let pick = if i < 5 {
            probe(&pool, now, &mut rng)
        } else {
            let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), at(now), &mut rng)
            else {
                panic!("nothing picked")
            };
            pick
        };
        modes.push(pick.mode);
        send(&routes[0], pick, now, now + 0.5, Outcome::Success);
    }
    assert_eq!(modes.iter().filter(|&&mode| mode == Mode::Probe).count(), 5);
    assert_eq!([shares[5], shares[10], shares[15]], [15, 30, 60]);
    assert_eq!(routes[0].view(at(60.0)).state, State::Healthy);
}

#[test]
fn a_rejected_key_is_held_for_five_minutes() {
    let route = route(ToldLimits::default());
    send(&route, PICK, 1.0, 1.0, Outcome::KeyRejected);
    let view = route.view(at(1.0));
    assert_eq!(view.state, State::KeyHeld);
    assert!((view.wait.unwrap().as_secs_f64() - 300.0).abs() < 0.1);
}

#[test]
fn a_proven_five_percent_keeps_next_to_nothing_of_the_weight() {
    let routes = [route(ToldLimits::default()), route(ToldLimits::default())];
    for i in 0..1_000 {
        let outcome = if i % 20 == 19 {
            Outcome::ServerError
        } else {
            Outcome::Success
        };
        send(&routes[0], PICK, 1.0, 1.0, outcome);
    }
    let explanation = explain(
        &pool_of(&routes, &[1.0, 1.0], Tuning::default()),
        &ASK,
        &Tried::default(),
        at(1.0),
    );
    // LCB = 0.05 − √(0.05·0.95/1000) = 0.0431; (0.01 / 0.0431)⁴ = 0.0029.
    // The doubt is at its most, 160: 1 / (1 + 9^((160 − 100) / 20)) = 0.00137, which is less.
    close(explanation.candidates[0].taper * 100.0, 0.137);
    close(explanation.candidates[1].taper, 1.0);
}

#[test]
fn an_overdue_first_byte_is_noticed_at_three_predictions_and_a_third() {
    let attempt = Attempt::begin(route(ToldLimits::default()), &ASK, &PICK, at(1.0));
    // Nothing measured: e^(3 × 0) is below 3, so 3 × 540 ms.
    let wait = attempt.overdue_at().since(at(1.0)).as_millis_f64();
    assert!((wait - 1_620.0).abs() < 1.0, "{wait}");
}

#[test]
fn a_million_draws_match_their_propensities() {
    let weights = [5.0f32, 3.0, 1.0, 1.0];
    let routes: Vec<_> = weights
        .iter()
        .map(|_| route(ToldLimits::default()))
        .collect();
    for (index, route) in routes.iter().enumerate() {
        for i in 0..50 {
            succeed(
                route,
                1.0 + f64::from(i) * 0.02,
                if index == 3 { 3.0 } else { 1.0 },
            );
        }
    }
    let pool = pool_of(&routes, &weights, Tuning::default());
    let (seed, draws) = (20_260_101, 1_000_000);
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut picked, mut expected, mut variance) = ([0f64; 4], [0f64; 4], [0f64; 4]);
    let mut explored = 0u32;
    for i in 0..draws {
        // Why: samples stay older than a second, so that exploration has something to do.
        let now = at(12.0 + f64::from(i % 7) * 0.01);
        let before = explain_propensities(&pool, now, i);
        let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), now, &mut rng) else {
            panic!("nothing picked")
        };
        picked[pick.index] += 1.0;
        explored += u32::from(pick.mode == Mode::Explored);
        if let Some(propensities) = before {
            assert!((propensities[pick.index] - pick.propensity).abs() < 1e-5);
        }
        // The exploration token changes what is possible from one pick to the next: 0.9 of the weights' share while there is one.
        let chance = if pick.mode == Mode::Explored {
            pick.propensity
        } else {
            1.0 - pick.propensity / share(&weights, pick.index)
        };
        for index in 0..4 {
            let p = if index == 3 {
                f64::from(chance.max(0.0))
            } else {
                f64::from((1.0 - chance.max(0.0)) * share(&weights, index))
            };
            expected[index] += p;
            variance[index] += p * (1.0 - p);
        }
    }
    for index in 0..4 {
        let sigmas = (picked[index] - expected[index]) / variance[index].sqrt();
        assert!(
            sigmas.abs() < 4.5,
            "candidate {index}: {} picked, {} expected, {sigmas} σ",
            picked[index],
            expected[index]
        );
    }
    let rate = f64::from(explored) / f64::from(draws);
    assert!(rate > 0.005 && rate <= 0.01, "explored {rate}");
}

/// The share of the band's weights; candidate 3 is outside.
fn share(weights: &[f32], index: usize) -> f32 {
    weights[index] / weights[..3].iter().sum::<f32>()
}

/// The explained propensities, for every thousandth pick whose token does not change between the two calls.
fn explain_propensities(pool: &Pool, now: Time, pick: i32) -> Option<Vec<f32>> {
    if pick % 1_000 != 0 || pick == 0 {
        return None;
    }
    let explanation = explain(pool, &ASK, &Tried::default(), now);
    let all: Vec<_> = explanation
        .candidates
        .iter()
        .map(|candidate| candidate.propensity)
        .collect();
    assert!((all.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{all:?}");
    // A token may be completed by the very pick that follows; such a pick is not compared.
    (all[3] > 0.0).then_some(all)
}

#[test]
fn a_draw_is_the_rngs_and_nobody_elses() {
    let routes = [route(ToldLimits::default()), route(ToldLimits::default())];
    let pool = pool_of(&routes, &[3.0, 1.0], Tuning::default());
    let run = |seed| {
        let mut rng = SmallRng::seed_from_u64(seed);
        let picks =
            (0..50).map(
                |_| match select(&pool, &ASK, &Tried::default(), at(1.0), &mut rng) {
                    Decision::Picked(pick) => (pick.index, pick.propensity.to_bits()),
                    other => panic!("{other:?}"),
                },
            );
        (picks.collect::<Vec<_>>(), rng.random::<u32>())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
    let Decision::Picked(pick) = select(
        &pool,
        &ASK,
        &Tried::default(),
        at(1.0),
        &mut SmallRng::seed_from_u64(1),
    ) else {
        panic!()
    };
    close(pick.propensity, if pick.index == 0 { 0.75 } else { 0.25 });
}
