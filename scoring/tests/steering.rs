//! What an operator does with a route decides before anything else, and undone it leaves no trace.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "a failing test should say where"
)]

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::ceiling::{Dimension, HoldReason, LimitReport, Reading, Source};
use scoring::cost::{Rates, Terms};
use scoring::health::State;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits, Until};
use scoring::select::{
    Candidate, Decision, Gate, Mode, Pick, Pool, ShedReason, Tried, all_but_cheapest, explain,
    select,
};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 100,
    max_tokens: Some(100),
    deadline: None,
    probe_ok: false,
    affinity: None,
};

const PICK: Pick = Pick {
    index: 0,
    propensity: 1.0,
    mode: Mode::Normal,
    score: 1.0,
    band: 1,
    cost: Terms {
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
        Arc::default(),
        &Prior::default(),
        &told,
        &Tuning::default(),
    ))
}

fn pool(told: &[ToldLimits], weights: &[f32]) -> Pool {
    let candidates = told.iter().zip(weights).map(|(&told, &weight)| Candidate {
        route: route(told),
        weight,
        rates: Rates::default(),
    });
    Pool::new(candidates.collect(), Tuning::default())
}

fn plain(weights: &[f32]) -> Pool {
    pool(&vec![ToldLimits::default(); weights.len()], weights)
}

fn of(pool: &Pool, index: usize) -> &Arc<Route> {
    &pool.candidates()[index].route
}

fn decide(pool: &Pool, tried: &[usize], seconds: f64, seed: u64) -> Decision {
    let mut all = Tried::default();
    tried.iter().for_each(|&index| all.insert(index));
    let mut rng = SmallRng::seed_from_u64(seed);
    select(pool, &ASK, &all, at(seconds), &mut rng)
}

#[track_caller]
fn picked(pool: &Pool, tried: &[usize], seconds: f64) -> (usize, Mode) {
    match decide(pool, tried, seconds, 1) {
        Decision::Picked(pick) => (pick.index, pick.mode),
        other => panic!("{other:?}"),
    }
}

fn gates(pool: &Pool, seconds: f64) -> Vec<Gate> {
    let explained = explain(pool, &ASK, &Tried::default(), at(seconds));
    explained.candidates.iter().map(|it| it.gate).collect()
}

fn end(route: &Arc<Route>, seconds: f64, outcome: Outcome) {
    Attempt::begin(Arc::clone(route), &ASK, &PICK, at(seconds))
        .finish(&End::of(outcome), at(seconds));
}

fn refuse(route: &Arc<Route>, seconds: f64, wait: Option<Span>) {
    let refused = End {
        retry_after: wait,
        ..End::of(Outcome::RateLimited)
    };
    Attempt::begin(Arc::clone(route), &ASK, &PICK, at(seconds)).finish(&refused, at(seconds));
}

fn fail_until_open(route: &Arc<Route>, seconds: f64) {
    (0..9).for_each(|_| end(route, seconds, Outcome::ServerError));
    assert_eq!(route.view(at(seconds)).state, State::Open);
}

/// Whatever stands between a route and its requests, and the gate that it shows.
type Ailment = (&'static str, fn(&Arc<Route>), Gate);

const AILMENTS: [Ailment; 7] = [
    ("nothing", |_| {}, Gate::Cold),
    ("failures", |it| fail_until_open(it, 1.0), Gate::Open),
    (
        "a rejected key",
        |it| end(it, 1.0, Outcome::KeyRejected),
        Gate::Held,
    ),
    (
        "a model that is not there",
        |it| end(it, 1.0, Outcome::Unsupported),
        Gate::Incapable,
    ),
    (
        "a wait that was asked for",
        |it| refuse(it, 1.0, Some(Span::from_secs(3_000))),
        Gate::Blocked,
    ),
    (
        "a limit that is used up",
        |it| {
            it.overrule(Dimension::Concurrency, Some(1), at(1.0));
            std::mem::forget(Attempt::begin(Arc::clone(it), &ASK, &PICK, at(1.0)));
        },
        Gate::Full,
    ),
    (
        "a limit that is nearly used up",
        |it| {
            it.overrule(Dimension::Concurrency, Some(100), at(1.0));
            for _ in 0..96 {
                std::mem::forget(Attempt::begin(Arc::clone(it), &ASK, &PICK, at(1.0)));
            }
        },
        Gate::Hot,
    ),
];

#[test]
fn a_drained_route_is_drained_whatever_else_it_is() {
    for (name, ail, gate) in AILMENTS {
        let pool = plain(&[1.0, 1.0]);
        ail(of(&pool, 0));
        assert_eq!(gates(&pool, 1.0), [gate, Gate::Cold], "{name}");
        of(&pool, 0).drain(Until::Undone);
        of(&pool, 0).pin(at(60.0));
        assert_eq!(gates(&pool, 1.0), [Gate::Drained, Gate::Cold], "{name}");
        assert_eq!(of(&pool, 0).view(at(1.0)).state, State::Drained, "{name}");
        assert!(!of(&pool, 0).admits(), "{name}");
        for seed in 0..200 {
            let Decision::Picked(pick) = decide(&pool, &[], 1_000.0, seed) else {
                panic!("{name}");
            };
            assert_eq!(pick.index, 1, "{name}");
        }
        assert_eq!(
            decide(&pool, &[1], 1_000.0, 1),
            Decision::Exhausted,
            "{name}"
        );
        of(&pool, 0).undrain();
        of(&pool, 0).unpin();
        assert_eq!(
            gates(&pool, 1.0),
            [gate, Gate::Cold],
            "{name}: without a trace"
        );
    }
}

#[test]
fn a_drain_ends_at_its_instant_and_the_sweep_only_tidies_up() {
    for sweeps in [false, true] {
        let pool = plain(&[1.0]);
        of(&pool, 0).drain(Until::At(at(10.0)));
        let steering = of(&pool, 0).steering(at(9.0));
        assert_eq!(steering.drained, Some(Until::At(at(10.0))));
        for (seconds, drained) in [(0.0, true), (9.9, true), (10.0, false), (99.0, false)] {
            if sweeps {
                of(&pool, 0).sweep(at(seconds));
            }
            let refused = decide(&pool, &[], seconds, 1) == Decision::Exhausted;
            assert_eq!(refused, drained, "{seconds}");
            assert_eq!(
                of(&pool, 0).steering(at(seconds)).drained.is_some(),
                drained
            );
        }
        assert_eq!(of(&pool, 0).admits(), sweeps);
    }
}

#[test]
fn all_drained_is_no_route_and_one_full_beside_them_is_worth_a_wait() {
    let pool = plain(&[1.0, 1.0, 1.0]);
    (0..3).for_each(|index| of(&pool, index).drain(Until::Undone));
    assert_eq!(decide(&pool, &[], 1.0, 1), Decision::Exhausted);
    let explained = explain(&pool, &ASK, &Tried::default(), at(1.0));
    assert_eq!(explained.mode, None);
    assert!(explained.candidates.iter().all(|it| it.propensity == 0.0));
    of(&pool, 2).undrain();
    refuse(of(&pool, 2), 1.0, Some(Span::from_secs(60)));
    let Decision::Shed { reason, .. } = decide(&pool, &[], 1.0, 1) else {
        panic!("it is blocked");
    };
    assert_eq!(reason, ShedReason::Blocked);
}

#[test]
fn a_pin_decides_as_long_as_its_route_may_be_used() {
    for (name, ail, gate) in AILMENTS {
        let pool = plain(&[1.0, 1000.0]);
        ail(of(&pool, 0));
        of(&pool, 0).pin(at(60.0));
        let expected = match gate {
            Gate::Cold | Gate::Hot => (0, Mode::Pinned),
            _ => (1, Mode::Normal),
        };
        assert_eq!(picked(&pool, &[], 1.0), expected, "{name}");
        let explained = explain(&pool, &ASK, &Tried::default(), at(1.0));
        assert_eq!(explained.mode, Some(expected.1), "{name}");
        assert_eq!(explained.candidates[expected.0].propensity, 1.0, "{name}");
        assert_eq!(picked(&pool, &[0], 1.0).0, 1, "{name}: it was tried");
        of(&pool, 0).unpin();
        assert_eq!(gates(&pool, 1.0)[0], gate, "{name}");
        assert_ne!(picked(&pool, &[], 1.0).1, Mode::Pinned, "{name}");
    }
}

#[test]
fn a_recovering_route_may_be_pinned_and_no_probe_is_sent_meanwhile() {
    let pool = plain(&[1.0, 1.0]);
    let probe = Pick {
        mode: Mode::Probe,
        ..PICK
    };
    fail_until_open(of(&pool, 0), 1.0);
    of(&pool, 0).release(at(1.0));
    of(&pool, 1).pin(at(60.0));
    assert_eq!(picked(&pool, &[], 1.0), (1, Mode::Pinned), "no probe");
    of(&pool, 1).unpin();
    for seconds in [1.0, 4.0, 7.0, 10.0, 13.0] {
        assert_eq!(picked(&pool, &[], seconds), (0, Mode::Probe));
        Attempt::begin(Arc::clone(of(&pool, 0)), &ASK, &probe, at(seconds))
            .finish(&End::of(Outcome::Success), at(seconds));
    }
    assert_eq!(gates(&pool, 13.0)[0], Gate::Recovering);
    of(&pool, 0).pin(at(60.0));
    assert_eq!(picked(&pool, &[], 13.0), (0, Mode::Pinned));
    assert_eq!(picked(&pool, &[], 60.0).1, Mode::Normal, "it has ended");
}

#[test]
fn several_pinned_routes_share_by_weight() {
    let pool = plain(&[1.0, 3.0, 7.0, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 2.0]);
    let pinned = [(0, 1.0), (1, 3.0), (8, 1.0), (9, 2.0)];
    for (index, _) in pinned {
        of(&pool, index).pin(at(60.0));
    }
    let explained = explain(&pool, &ASK, &Tried::default(), at(1.0));
    let mut counts = [0_u32; 10];
    for seed in 0..7_000 {
        let Decision::Picked(pick) = decide(&pool, &[], 1.0, seed) else {
            panic!("{seed}");
        };
        assert_eq!(pick.mode, Mode::Pinned);
        assert_eq!(pick.propensity, explained.candidates[pick.index].propensity);
        counts[pick.index] += 1;
    }
    for (index, weight) in pinned {
        let expected = 1_000.0 * weight;
        let sigmas = (f64::from(counts[index]) - expected) / expected.sqrt();
        assert!(sigmas.abs() < 5.0, "{index}: {}", counts[index]);
        let propensity = explained.candidates[index].propensity;
        assert!((propensity - weight as f32 / 7.0).abs() < 1e-6);
    }
    assert_eq!(counts.iter().sum::<u32>(), 7_000);
    let sum: f32 = explained.candidates.iter().map(|it| it.propensity).sum();
    assert!((sum - 1.0).abs() < 1e-6);
}

#[test]
fn what_is_cheapest_does_not_go_before_a_pin() {
    let tuning = Tuning::default();
    let candidates = [1.0, 2.0].map(|price| Candidate {
        route: route(ToldLimits::default()),
        weight: 1.0,
        rates: Rates {
            input: price,
            output: price,
            ..Rates::default()
        },
    });
    let pool = Pool::new(candidates.to_vec(), tuning);
    let dearer = || all_but_cheapest(&pool, &ASK, &Tried::default(), at(1.0));
    assert!(dearer().contains(1));
    of(&pool, 1).pin(at(60.0));
    assert!(dearer().is_empty());
    of(&pool, 0).drain(Until::Undone);
    of(&pool, 1).unpin();
    assert!(dearer().contains(0) && !dearer().contains(1));
}

#[test]
fn a_release_ends_what_holds_a_route() {
    for (name, ail, gate) in AILMENTS {
        let pool = plain(&[1.0, 1.0]);
        ail(of(&pool, 0));
        of(&pool, 0).release(at(1.0));
        let view = of(&pool, 0).view(at(1.0));
        assert_eq!(view.ceilings.hold, None, "{name}");
        match gate {
            Gate::Open | Gate::Held | Gate::Incapable => {
                assert_eq!(view.state, State::Probing, "{name}");
                // Not even a request that is no good probe waits.
                assert_eq!(picked(&pool, &[], 1.0), (0, Mode::Probe), "{name}");
                assert_eq!(picked(&pool, &[], 1.0).0, 1, "{name}: one at a time");
                of(&pool, 0).release(at(1.0));
                assert_eq!(picked(&pool, &[], 1.0).0, 1, "{name}: it is under way");
            }
            Gate::Blocked => assert_eq!(gates(&pool, 1.0)[0], Gate::Cold, "{name}"),
            // An operator's own limit is no hold.
            gate => assert_eq!(gates(&pool, 1.0)[0], gate, "{name}"),
        }
    }
}

#[test]
fn a_released_key_that_is_rejected_again_is_held_as_the_first_time() {
    let pool = plain(&[1.0, 1.0]);
    end(of(&pool, 0), 1.0, Outcome::KeyRejected);
    for _ in 0..3 {
        let view = of(&pool, 0).view(at(1.0));
        assert_eq!((view.state, view.doublings), (State::KeyHeld, 0));
        of(&pool, 0).release(at(1.0));
        let Decision::Picked(pick) = decide(&pool, &[], 1.0, 1) else {
            panic!("a probe is due");
        };
        assert_eq!((pick.index, pick.mode), (0, Mode::Probe));
        Attempt::begin(Arc::clone(of(&pool, 0)), &ASK, &pick, at(1.0))
            .finish(&End::of(Outcome::KeyRejected), at(1.0));
    }
}

#[test]
fn a_release_fills_what_a_provider_emptied_and_not_what_was_told() {
    let told = ToldLimits {
        requests_per_minute: Some(10),
        ..ToldLimits::default()
    };
    let spent = |remaining: f64| LimitReport {
        tokens: Some(Reading {
            limit: Some(60_000.0),
            remaining: Some(remaining),
            reset: Some(Span::from_secs(60)),
            ..Reading::default()
        }),
        ..LimitReport::default()
    };
    let pool = pool(&[told], &[1.0]);
    let mut attempt = Attempt::begin(Arc::clone(of(&pool, 0)), &ASK, &PICK, at(1.0));
    attempt.limits(&spent(0.0), at(1.0));
    attempt.finish(&End::of(Outcome::Success), at(1.0));
    let full = of(&pool, 0).view(at(1.0));
    let of_tokens =
        |view: &scoring::route::RouteView| view.ceilings.ceilings[1].unwrap().utilisation;
    assert!(of_tokens(&full) > 0.98);
    of(&pool, 0).release(at(1.0));
    let released = of(&pool, 0).view(at(1.0));
    assert!(of_tokens(&released) < 0.01);
    let requests = |view: &scoring::route::RouteView| view.ceilings.ceilings[0].unwrap().headroom;
    assert_eq!(requests(&full), requests(&released));
}

#[test]
fn an_operators_limit_goes_before_all_others_and_leaves_them_as_they_were() {
    let told = ToldLimits {
        requests_per_minute: Some(60),
        tokens_per_minute: Some(60_000),
        input_tokens_per_minute: Some(60_000),
        output_tokens_per_minute: Some(60_000),
        concurrency: Some(60),
    };
    for told in [told, ToldLimits::default()] {
        let route = route(told);
        let of = |dimension: Dimension| route.view(at(1.0)).ceilings.ceilings[dimension.index()];
        let before = Dimension::ALL.map(of);
        for dimension in Dimension::ALL {
            for limit in [7, 4_000_000] {
                route.overrule(dimension, Some(limit), at(1.0));
                let shown = of(dimension).unwrap();
                assert_eq!(shown.source, Source::Operator, "{dimension:?}");
                assert!(
                    (shown.limit / f64::from(limit) - 1.0).abs() < 1e-6,
                    "{shown:?}"
                );
                let overrides = route.steering(at(1.0)).overrides;
                assert_eq!(overrides[dimension.index()], Some(limit));
            }
        }
        for dimension in Dimension::ALL {
            route.overrule(dimension, None, at(1.0));
        }
        assert_eq!(Dimension::ALL.map(of), before);
        assert_eq!(route.steering(at(1.0)), Default::default());
    }
}

#[test]
fn an_operators_limit_is_kept_and_no_header_moves_it() {
    let pool = plain(&[1.0]);
    of(&pool, 0).overrule(Dimension::Requests, Some(100), at(1.0));
    let report = LimitReport {
        requests: Some(Reading {
            limit: Some(10.0),
            remaining: Some(0.0),
            reset: Some(Span::from_secs(60)),
            ..Reading::default()
        }),
        ..LimitReport::default()
    };
    for _ in 0..50 {
        let mut attempt = Attempt::begin(Arc::clone(of(&pool, 0)), &ASK, &PICK, at(1.0));
        attempt.limits(&report, at(1.0));
        attempt.finish(&End::of(Outcome::Success), at(1.0));
    }
    let view = of(&pool, 0).view(at(1.0)).ceilings;
    assert_eq!(view.hold, None);
    assert!((view.ceilings[0].unwrap().headroom - 50.0).abs() < 0.1);
    of(&pool, 0).overrule(Dimension::Requests, Some(50), at(1.0));
    let Decision::Shed { reason, .. } = decide(&pool, &[], 1.0, 1) else {
        panic!("what was taken stays taken");
    };
    assert_eq!(reason, ShedReason::Full);
    of(&pool, 0).overrule(Dimension::Requests, Some(1_000), at(1.0));
    assert_eq!(gates(&pool, 1.0), [Gate::Cold]);
    of(&pool, 0).overrule(Dimension::Requests, None, at(1.0));
    let known = of(&pool, 0).view(at(1.0)).ceilings.ceilings[0].unwrap();
    assert_eq!((known.source, known.limit.round()), (Source::Header, 10.0));
}

#[test]
fn a_refusal_still_holds_a_route_with_an_operators_limit() {
    let pool = plain(&[1.0, 1.0]);
    of(&pool, 0).overrule(Dimension::Requests, Some(1_000), at(1.0));
    refuse(of(&pool, 0), 1.0, Some(Span::from_secs(30)));
    let hold = of(&pool, 0).view(at(1.0)).ceilings.hold;
    assert_eq!(hold.map(|(_, reason)| reason), Some(HoldReason::RetryAfter));
    assert_eq!(gates(&pool, 1.0)[0], Gate::Blocked);
    // Whatever an operator does meanwhile, the hold goes on.
    of(&pool, 0).pin(at(60.0));
    of(&pool, 0).drain(Until::At(at(2.0)));
    assert_eq!(gates(&pool, 3.0)[0], Gate::Blocked);
    of(&pool, 0).sweep(at(3.0));
    assert_eq!(gates(&pool, 3.0)[0], Gate::Blocked);
    assert_eq!(of(&pool, 0).view(at(3.0)).ceilings.hold, hold);
    assert_eq!(picked(&pool, &[], 59.0), (0, Mode::Pinned), "and ends");
}

#[test]
fn a_route_inherits_how_its_elder_is_steered_and_nothing_else() {
    let elder = route(ToldLimits::default());
    fail_until_open(&elder, 1.0);
    elder.drain(Until::Undone);
    elder.pin(at(60.0));
    elder.overrule(Dimension::Concurrency, Some(9), at(1.0));
    elder.overrule(Dimension::Tokens, Some(99), at(1.0));
    let heir = Arc::new(Route::new(
        Arc::new(Parent::new()),
        &Prior::default(),
        &ToldLimits::default(),
        &Tuning::default(),
    ));
    heir.inherit(&elder);
    assert_eq!(heir.steering(at(1.0)), elder.steering(at(1.0)));
    assert_eq!(heir.view(at(1.0)).state, State::Drained);
    heir.undrain();
    assert_eq!(heir.view(at(1.0)).state, State::Healthy);
    assert_eq!(elder.view(at(1.0)).state, State::Drained);
}
