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
use scoring::cost::Rates;
use scoring::health::State;
use scoring::latency::Model;
use scoring::retry::{Committed, Failure, RetryBudget, RetryPolicy};
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, RouteView, ToldLimits};
use scoring::select::{
    Candidate, Decision, Explained, Gate, Mode, Pick, Pool, ShedReason, Tried, explain, select,
};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::walk::{Next, Setback, Walk};
use scoring::{Class, Outcome};

const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 1_000,
    max_tokens: Some(101),
    deadline: None,
    probe_ok: true,
    affinity: None,
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
        affinity_ms: 0.0,
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
            rates: Rates {
                input: 150_000.0,
                cached: 15_000.0,
                output: 600_000.0,
            },
        });
    Pool::new(candidates.collect(), tuning)
}

/// Routes never measured that cost 2040 ms and their price: one nano-dollar per input token is 1 ms.
fn priced(prices_ms: &[f64], weights: &[f32]) -> Pool {
    let mut tuning = Tuning::default();
    tuning.cost.ms_per_millidollar = 1_000.0;
    let candidates = prices_ms
        .iter()
        .zip(weights)
        .map(|(&price_input, &weight)| Candidate {
            route: route(ToldLimits::default()),
            weight,
            rates: Rates {
                input: price_input as f32 * 1e3,
                ..Rates::default()
            },
        });
    Pool::new(candidates.collect(), tuning)
}

/// What [`ASK`] would meet in `pool`.
fn explained(pool: &Pool, seconds: f64) -> Vec<Explained> {
    explain(pool, &ASK, &Tried::default(), at(seconds)).candidates
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
fn one_failure_of_one_makes_fifteen_percent_of_which_four_are_priced() {
    let routes = [route(ToldLimits::default())];
    let view = fail(&routes[0], 1.0);
    close(view.parent_rate, 0.020_59);
    // p = 15.2 %, less √(p(1−p)/11) = 10.8 %.
    close(view.failure, lowered(0.152, 11.0));
    close(view.failure, 0.043_8);
    // 2040 ms, and with 4.4 % the 0.1 ms that it took to fail and the 1000 ms that a failure is worth.
    let pool = pool_of(&routes, &[1.0], Tuning::default());
    close(explained(&pool, 1.0)[0].cost.total(), 2_083.8);
}

/// A chance of failure less one standard error of so many attempts.
fn lowered(rate: f32, attempts: f32) -> f32 {
    (rate - (rate * (1.0 - rate) / attempts).sqrt()).max(0.0)
}

#[test]
fn one_standard_error_and_no_more_is_forgiven() {
    let route = route(ToldLimits::default());
    for nth in 0..100 {
        let outcome = [Outcome::Success, Outcome::ServerError][usize::from(nth % 10 == 9)];
        send(&route, PICK, 1.0, 1.0, outcome);
    }
    // p_parent = 10.05/150, p_slow = (10 + 20·6.7 %)/120, p = (10 + 10·p_slow)/110.
    let slow = (10.0 + 20.0 * 10.05 / 150.0) / 120.0;
    let rate = (10.0 + 10.0 * slow) / 110.0;
    let view = route.view(at(1.0));
    close(view.failure, lowered(rate, 110.0));
    close(view.failure, 0.071_0);
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
    // p = 16.75 %, less √(p(1−p)/10) = 11.8 %.
    close(other.view(at(1.0)).failure, lowered(10.05 / 60.0, 10.0));
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
    // One in a thousand is less than one standard error of ten attempts: nothing is charged for it.
    close(terms.model_ms, 2_040.0);
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
fn the_last_two_of_a_hundred_places_stay_empty() {
    let told = ToldLimits {
        concurrency: Some(100),
        ..ToldLimits::default()
    };
    let routes = [route(told)];
    let pool = pool_of(&routes, &[1.0], Tuning::default());
    let mut rng = SmallRng::seed_from_u64(1);
    let mut running = vec![];
    for taken in 0..100 {
        let decision = select(&pool, &ASK, &Tried::default(), at(1.0), &mut rng);
        let gate = explained(&pool, 1.0)[0].gate;
        let (expected, mode) = match taken {
            0..95 => (Gate::Cold, Mode::Normal),
            95..98 => (Gate::Hot, Mode::Hot),
            _ => {
                assert_eq!(gate, Gate::Full, "{taken} taken");
                let Decision::Shed {
                    reason: ShedReason::Full,
                    retry_after,
                } = decision
                else {
                    panic!("{decision:?} with {taken} taken")
                };
                assert!(retry_after > Span::ZERO);
                continue;
            }
        };
        assert_eq!(gate, expected, "{taken} taken");
        let Decision::Picked(pick) = decision else {
            panic!("{decision:?} with {taken} taken")
        };
        assert_eq!(pick.mode, mode, "{taken} taken");
        running.push(Attempt::begin(Arc::clone(&routes[0]), &ASK, &pick, at(1.0)));
    }
    assert_eq!(running.len(), 98);
}

#[test]
fn a_refusal_of_a_full_minute_says_when_there_is_room() {
    let told = ToldLimits {
        requests_per_minute: Some(600),
        ..ToldLimits::default()
    };
    let routes = [route(told)];
    let pool = pool_of(&routes, &[1.0], Tuning::default());
    let mut rng = SmallRng::seed_from_u64(1);
    let ask =
        |seconds: f64, rng: &mut SmallRng| select(&pool, &ASK, &Tried::default(), at(seconds), rng);
    let (mut sent, mut now) = (0, 1.0);
    let retry_after = loop {
        match ask(now, &mut rng) {
            Decision::Picked(pick) => {
                let attempt = Attempt::begin(Arc::clone(&routes[0]), &ASK, &pick, at(now));
                attempt.finish(&End::of(Outcome::Success), at(now));
                sent += 1;
            }
            Decision::Shed { retry_after, .. } => break retry_after,
            Decision::Exhausted => panic!("exhausted"),
        }
        assert!(sent <= 600);
    };
    now += retry_after.as_secs_f64() + 0.001;
    assert!(
        matches!(ask(now, &mut rng), Decision::Picked(_)),
        "still full after {retry_after:?}"
    );
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
        // A pool of one sees no other request: the probe is due after 900 s.
        now += 901.0;
        let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), at(now), &mut rng)
        else {
            panic!("nothing picked")
        };
        assert_eq!(pick.mode, Mode::Probe);
        send(&routes[0], pick, now, now, Outcome::ServerError);
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
        let now = 1_000.0 + f64::from(i);
        shares.push((routes[0].view(at(now)).share * 100.0).round() as u32);
        let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), at(now), &mut rng)
        else {
            panic!("nothing picked")
        };
        modes.push(pick.mode);
        send(&routes[0], pick, now, now + 0.5, Outcome::Success);
    }
    assert_eq!(modes.iter().filter(|&&mode| mode == Mode::Probe).count(), 5);
    assert_eq!([shares[5], shares[10], shares[15]], [15, 30, 60]);
    assert_eq!(routes[0].view(at(1_060.0)).state, State::Healthy);
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
    let pool = pool_of(&routes, &[1.0, 1.0], Tuning::default());
    for i in 0..1_160 {
        let outcome = if i % 20 == 19 && i < 1_000 {
            Outcome::ServerError
        } else {
            Outcome::Success
        };
        send(&routes[0], PICK, 1.0, 1.0, outcome);
        if i == 999 {
            // LCB = 0.05 − √(0.05·0.95/1000) = 0.0431, which would leave 0.29 %; doubt is at its most and leaves 1/(1 + e^6.59).
            close(routes[0].view(at(1.0)).doubt, 160.0);
            close(explained(&pool, 1.0)[0].taper * 100.0, 0.137);
        }
    }
    // 160 successes have undone the doubt: 50 of 1160 are 4.31 %, LCB = 3.71 %; (1 / 3.71)⁴ = 0.0053.
    let [failing, other] = [0, 1].map(|i| explained(&pool, 1.0)[i]);
    close(routes[0].view(at(1.0)).doubt, 0.0);
    close(failing.taper * 100.0, 0.526);
    close(other.taper, 1.0);
}

#[test]
fn doubt_is_undone_by_forty_four_successes_or_by_time() {
    let route = route(ToldLimits::default());
    close(fail(&route, 1.0).doubt, 44.0);
    for _ in 0..43 {
        send(&route, PICK, 1.0, 1.0, Outcome::Success);
    }
    close(route.view(at(1.0)).doubt, 1.0);
    send(&route, PICK, 1.0, 1.0, Outcome::Success);
    close(route.view(at(1.0)).doubt, 0.0);
    fail(&route, 2.0);
    send(&route, PICK, 2.0, 2.0, Outcome::Success);
    assert!((fail(&route, 2.0).doubt - 87.0).abs() < 0.1);
    // 87/e² = 11.8.
    assert!((route.view(at(62.0)).doubt - 11.8).abs() < 0.2);
}

#[test]
fn a_doubt_of_ninety_leaves_three_quarters() {
    let routes = [route(ToldLimits::default()), route(ToldLimits::default())];
    let pool = pool_of(&routes, &[1.0, 1.0], Tuning::default());
    // Healthy for long, so that the slow rate is far below 1 %; then three failures among 42 successes.
    for i in 0..2_000 {
        succeed(&routes[0], 1.0, 1.0);
        succeed(&routes[1], 1.0, 1.0);
        if i >= 1_957 && (i - 1_957) % 14 == 0 && i < 1_999 {
            fail(&routes[0], 3.04);
        }
    }
    let doubt = routes[0].view(at(3.04)).doubt;
    close(doubt, 90.0);
    let [doubted, other] = [0, 1].map(|i| explained(&pool, 3.04)[i]);
    assert!((doubted.taper - 0.75).abs() < 0.01, "{}", doubted.taper);
    assert!(
        (doubted.propensity - 0.75 / 1.75).abs() < 0.01,
        "{}",
        doubted.propensity
    );
    close(doubted.propensity + other.propensity, 1.0);
}

#[test]
fn what_is_no_sample_forgives_nothing() {
    let route = route(ToldLimits::default());
    fail(&route, 1.0);
    fail(&route, 1.0);
    // 88·e^(−20/30) = 45.2.
    for _ in 0..20 {
        for outcome in [Outcome::RateLimited, Outcome::Rejected, Outcome::Canceled] {
            send(&route, PICK, 21.0, 21.0, outcome);
        }
        close(route.view(at(21.0)).doubt, 45.2);
    }
}

#[test]
fn an_overdue_first_byte_is_noticed_at_three_predictions_and_a_third() {
    let attempt = Attempt::begin(route(ToldLimits::default()), &ASK, &PICK, at(1.0));
    // Nothing measured: e^(3 × 0) is below 3, so 3 × 540 ms.
    let wait = attempt.overdue_at().since(at(1.0)).as_millis_f64();
    assert!((wait - 1_620.0).abs() < 1.0, "{wait}");
}

#[test]
fn noise_prolongs_the_wait_to_twenty_predictions_but_not_of_a_probe() {
    let wait = |swing: f64, mode: Mode| {
        let route = route(ToldLimits::default());
        for i in 0..200 {
            let factor = if i % 2 == 0 { swing } else { -swing };
            succeed(&route, 1.0 + f64::from(i) * 0.02, factor.exp());
        }
        let pick = Pick { mode, ..PICK };
        let attempt = Attempt::begin(Arc::clone(&route), &ASK, &pick, at(10.0));
        let view = route.view(at(10.0)).classes[Class::ChatStream.index()];
        let factor = attempt.overdue_at().since(at(10.0)).as_millis_f64() / 540.0;
        (factor as f32 / view.drift.max(1.0), view.scale)
    };
    let (factor, scale) = wait(0.6, Mode::Normal);
    assert!((0.6..0.9).contains(&scale), "{scale}");
    assert!(
        (factor / (3.0 * scale).exp() - 1.0).abs() < 0.02,
        "{factor}"
    );
    let (factor, _) = wait(1.2, Mode::Normal);
    assert!((factor - 20.0).abs() < 0.1, "{factor}");
    let (factor, _) = wait(1.2, Mode::Probe);
    assert!(factor <= 3.0 + 1e-3, "{factor}");
}

#[test]
fn an_overdue_attempt_that_times_out_is_told_once() {
    let route = route(ToldLimits::default());
    for i in 0..100 {
        succeed(&route, 1.0 + f64::from(i) * 0.02, 1.0);
    }
    let drift = |seconds: f64| route.view(at(seconds)).classes[Class::ChatStream.index()].drift;
    let mut attempt = Attempt::begin(Arc::clone(&route), &ASK, &PICK, at(10.0));
    attempt.overdue(at(11.7));
    let told = drift(30.0);
    assert!(told > 1.02, "{told}");
    attempt.finish(&End::of(Outcome::TimedOut), at(30.0));
    close(drift(30.0), told);
}

#[test]
fn a_route_that_comes_back_is_forgiven_most_of_its_drift() {
    let route = route(ToldLimits::default());
    for i in 0..200 {
        succeed(&route, 1.0 + f64::from(i) * 0.02, 4.0);
    }
    for _ in 0..4 {
        fail(&route, 10.0);
    }
    let drift = || {
        let chat = route.view(at(20.0)).classes[Class::ChatStream.index()];
        chat.drift.ln()
    };
    let before = drift();
    assert!(before > 1.0, "{before}");
    let resort = Pick {
        mode: Mode::Panic,
        ..PICK
    };
    for nth in 1..=5 {
        let mut attempt = Attempt::begin(Arc::clone(&route), &ASK, &resort, at(17.84));
        attempt.first_byte(at(20.0));
        assert_eq!(route.view(at(20.0)).state == State::Recovering, nth == 5);
        attempt.finish(&End::of(Outcome::Success), at(20.0));
    }
    // 5 % of what four times as slow is.
    assert!((drift() - 0.05 * 4f32.ln()).abs() < 0.02, "{}", drift());
}

#[test]
fn steady_noise_is_centred() {
    let route = route(ToldLimits::default());
    let mut rng = SmallRng::seed_from_u64(20_260_102);
    let ask = Ask {
        class: Class::Embedding,
        ..ASK
    };
    let (mut sum, mut scales, mut read, mut now) = (0.0, 0.0, 0.0, 1.0);
    for i in 0..40_000 {
        let attempt = Attempt::begin(Arc::clone(&route), &ask, &PICK, at(now));
        let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        now += 0.020 * (0.5 * normal).exp();
        attempt.finish(&End::of(Outcome::Success), at(now));
        if i % 10 == 0 {
            route.fit(at(now));
        }
        if i >= 10_000 {
            let class = route.view(at(now)).classes[Class::Embedding.index()];
            (sum, scales) = (sum + class.drift.ln(), scales + class.scale);
            read += 1.0;
        }
    }
    let (mean, scale) = (sum / read, scales / read);
    println!("mean {mean} scale {scale}");
    // ½·0.25/(1 + 1.3·0.25) = 0.094.
    assert!((mean + 0.094).abs() < 0.03, "mean {mean}");
    assert!((scale - 0.5).abs() < 0.05, "scale {scale}");
}

/// Costs of 1, 1.1, 1.2 and 1.5 times the least: whole in the band twice, half at its edge, outside.
const EDGE_PRICES: [f64; 4] = [0.0, 204.0, 408.0, 1_020.0];
const EDGE_WEIGHTS: [f32; 4] = [5.0, 3.0, 1.0, 1.0];

/// A candidate's share of the draw: weights 5 + 3 + ½·1.
fn share(index: usize) -> f32 {
    [5.0, 3.0, 0.5, 0.0][index] / 8.5
}

#[test]
fn the_edge_of_the_band_is_soft() {
    let pool = priced(&[0.0, 408.0], &[1.0, 1.0]);
    let [best, edge] = [0, 1].map(|i| explained(&pool, 1.0)[i]);
    close(edge.cost.total() / best.cost.total(), 1.2);
    // (1.25 − 1.2)/0.1 of its weight.
    close(edge.propensity, 1.0 / 3.0);
    close(best.propensity, 2.0 / 3.0);
    assert!(edge.in_band);
    for (ratio, left) in [
        (1.0, 1.0),
        (1.15, 1.0),
        (1.175, 0.75),
        (1.225, 0.25),
        (1.251, 0.0),
    ] {
        let pool = priced(&[0.0, 2_040.0 * (ratio - 1.0)], &[1.0, 1.0]);
        let propensity = explained(&pool, 1.0)[1].propensity;
        close(propensity, left / (1.0 + left));
    }
}

#[test]
fn a_band_without_width_still_holds_the_best() {
    for (band, edge) in [(0.0, 0.0), (0.0, 1e-9), (0.15, 0.0), (0.0, 0.1)] {
        let mut tuning = Tuning::default();
        (tuning.draw.band, tuning.draw.edge) = (band, edge);
        tuning.check().unwrap();
        let routes = [route(ToldLimits::default()), route(ToldLimits::default())];
        let pool = pool_of(&routes, &[1.0, 3.0], tuning);
        let propensities: Vec<_> = explained(&pool, 1.0)
            .iter()
            .map(|it| it.propensity)
            .collect();
        close(propensities[0], 0.25);
        close(propensities[1], 0.75);
    }
}

#[test]
fn a_million_draws_match_their_propensities() {
    let pool = priced(&EDGE_PRICES, &EDGE_WEIGHTS);
    let (seed, draws) = (20_260_101, 1_000_000);
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut picked, mut expected, mut variance) = ([0f64; 4], [0f64; 4], [0f64; 4]);
    let mut explored = 0u32;
    let now = at(12.0);
    for i in 0..draws {
        let before = (i % 97 == 0).then(|| explained(&pool, 12.0));
        let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), now, &mut rng) else {
            panic!("nothing picked")
        };
        picked[pick.index] += 1.0;
        explored += u32::from(pick.mode == Mode::Explored);
        if let Some(before) = before {
            let sum: f32 = before.iter().map(|it| it.propensity).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{before:?}");
            assert!((before[pick.index].propensity - pick.propensity).abs() < 1e-5);
        }
        // What is saved changes from one pick to the next: 0.9 of the weights' share while an exploration can be paid for.
        let chance = if pick.mode == Mode::Explored {
            pick.propensity
        } else {
            (1.0 - pick.propensity / share(pick.index)).max(0.0)
        };
        for index in 0..4 {
            let p = if index == 3 {
                f64::from(chance)
            } else {
                f64::from((1.0 - chance) * share(index))
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
    assert!(rate > 0.009 && rate <= 0.01, "explored {rate}");
}

#[test]
fn exploration_costs_at_most_a_hundredth_of_the_best() {
    let draws = 200_000;
    // The ratio to the best, the expected part of the picks, and the most that they cost more, in costs of the best.
    for (ratio, rate, most) in [
        (1.5, 0.01, 0.005),
        (2.0, 0.01, 0.01),
        (3.0, 0.005, 0.01),
        (4.0, 0.003_33, 0.01),
        (10.0, 0.003_33, 0.03),
    ] {
        let pool = priced(&[0.0, 2_040.0 * (ratio - 1.0)], &[1.0, 1.0]);
        let mut rng = SmallRng::seed_from_u64(20_260_103);
        let mut explored = 0u32;
        for _ in 0..draws {
            let Decision::Picked(pick) = select(&pool, &ASK, &Tried::default(), at(1.0), &mut rng)
            else {
                panic!("nothing picked")
            };
            assert_eq!(pick.index == 1, pick.mode == Mode::Explored);
            explored += u32::from(pick.mode == Mode::Explored);
        }
        let found = f64::from(explored) / f64::from(draws);
        assert!(
            found <= rate * 1.005 && found > rate * 0.9,
            "{ratio}: explored {found}"
        );
        let excess = found * (ratio - 1.0);
        assert!(excess <= most * 1.005, "{ratio}: costs {excess}");
    }
}

#[test]
fn no_exploration_means_none() {
    let mut tuning = Tuning::default();
    tuning.draw.explore = 0.0;
    tuning.cost.ms_per_millidollar = 1_000.0;
    let priced = priced(&[0.0, 4_080.0], &[1.0, 1.0]);
    let pool = Pool::new(priced.candidates().to_vec(), tuning);
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..1_000 {
        let decision = select(&pool, &ASK, &Tried::default(), at(1.0), &mut rng);
        assert!(matches!(decision, Decision::Picked(pick) if pick.index == 0));
    }
}

#[test]
fn two_routes_and_a_fallback_make_three_attempts_of_which_two_are_paid() {
    let pools = [priced(&[0.0, 0.0], &[1.0, 1.0]), priced(&[0.0], &[1.0])];
    let (budget, now) = (RetryBudget::new(&Tuning::default()), at(1.0));
    let mut rng = SmallRng::seed_from_u64(1);
    let mut walk = Walk::begin(2, &budget, now);
    let failure = Failure {
        outcome: Outcome::TimedOut,
        retry_after: None,
        committed: Committed::No,
    };
    let mut asked = vec![];
    while let Some(model) = walk.model() {
        let decision = select(&pools[model], &ASK, walk.tried(), now, &mut rng);
        let Some(pick) = walk.take(&decision) else {
            continue;
        };
        asked.push((model, pick.index));
        let setback = Setback {
            policy: &RetryPolicy::default(),
            failure: &failure,
            candidates: pools[model].candidates().len(),
            larger_context: false,
            deadline_left: Span::from_secs(60),
        };
        if walk.failed(&setback, &budget, now, &mut rng) == Next::Stop {
            break;
        }
    }
    assert_eq!(asked.len(), 3);
    assert_eq!(asked.iter().map(|it| it.0).collect::<Vec<_>>(), [0, 0, 1]);
    assert_ne!(asked[0], asked[1], "the other route first");
    assert!((budget.left(now) - 498.0).abs() < 1e-6);
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
