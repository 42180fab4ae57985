//! Every interleaving of two threads leaves what some serial order of them would leave.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p scoring --release --test loom`.
#![cfg(loom)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test should say where"
)]

use std::sync::Arc;

use loom::thread;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::cost::Rates;
use scoring::internals::{Ceilings, Errors, circuit_bits};
use scoring::refill::Refill;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
use scoring::select::{Candidate, Decision, Mode, Pick, Pool, Tried, select};
use scoring::time::Time;
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 10,
    max_tokens: Some(5),
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

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn route() -> Arc<Route> {
    Arc::new(Route::new(
        Arc::new(Parent::new()),
        &Prior::default(),
        &ToldLimits::default(),
        &Tuning::default(),
    ))
}

/// Every interleaving with at most this many preemptions; two find what any number finds in words updated by one loop.
fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 50_000;
    builder.check(body);
}

#[test]
fn counts_equal_some_serial_order() {
    let samples = [(100, 1.0, 0.0), (107, 1.0, 1.0), (103, 1.0, 1.5)];
    let serial = move |order: [usize; 3]| {
        let errors = Errors::default();
        for (tick, attempts, failures) in order.map(|i| samples[i]) {
            errors.add(tick, attempts, failures);
        }
        errors.bits()
    };
    loom::model(move || {
        let expected = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ]
        .map(serial);
        let errors = Arc::new(Errors::default());
        let threads = [0, 1].map(|i| {
            let errors = Arc::clone(&errors);
            let (tick, attempts, failures) = samples[i];
            thread::spawn(move || errors.add(tick, attempts, failures))
        });
        let (tick, attempts, failures) = samples[2];
        errors.add(tick, attempts, failures);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(
            expected.contains(&errors.bits()),
            "{:#x} is no serial order of {expected:#x?}",
            errors.bits()
        );
    });
}

#[test]
fn charges_equal_some_serial_order() {
    let serial = |first: u32, second: u32| {
        let ceilings = Ceilings::new(60, 6_000);
        ceilings.charge(first, at(10));
        ceilings.charge(second, at(10));
        ceilings.utilisation(at(10)).to_bits()
    };
    loom::model(move || {
        let expected = [serial(700, 50), serial(50, 700)];
        let ceilings = Arc::new(Ceilings::new(60, 6_000));
        let other = Arc::clone(&ceilings);
        let thread = thread::spawn(move || other.charge(700, at(10)));
        ceilings.charge(50, at(10));
        thread.join().unwrap();
        let found = ceilings.utilisation(at(10)).to_bits();
        assert!(
            expected.contains(&found),
            "{} is neither of {:?}",
            f32::from_bits(found),
            expected.map(f32::from_bits)
        );
    });
}

#[test]
fn one_probe_at_a_time() {
    model(2, || {
        let route = route();
        for _ in 0..4 {
            Attempt::begin(&*route, &ASK, &PICK, at(10))
                .finish(&End::of(Outcome::ServerError), at(10));
        }
        let candidate = Candidate {
            route: Arc::clone(&route),
            weight: 1.0,
            rates: Rates::default(),
        };
        let pool = Arc::new(Pool::new(vec![candidate], Tuning::default()));
        let choose = |pool: &Pool| match select(
            pool,
            &ASK,
            &Tried::default(),
            // A pool of one sees no other request: the probe is due after 900 s.
            at(1_000),
            &mut SmallRng::seed_from_u64(1),
        ) {
            Decision::Picked(pick) => pick.mode,
            other => panic!("{other:?}"),
        };
        let other = Arc::clone(&pool);
        let thread = thread::spawn(move || choose(&other));
        let modes = [choose(&pool), thread.join().unwrap()];
        let probes = modes.iter().filter(|&&mode| mode == Mode::Probe).count();
        assert_eq!(probes, 1, "{modes:?}");
    });
}

#[test]
fn the_in_flight_count_never_leaks() {
    model(2, || {
        let route = route();
        let other = Arc::clone(&route);
        let thread = thread::spawn(move || drop(Attempt::begin(&*other, &ASK, &PICK, at(10))));
        drop(Attempt::begin(&*route, &ASK, &PICK, at(10)));
        thread.join().unwrap();
        let view = route.view(at(10));
        assert_eq!(
            (
                view.inflight,
                view.dispatched,
                view.outcomes[Outcome::Canceled.index()]
            ),
            (0, 2, 2)
        );
    });
}

#[test]
fn the_circuit_equals_some_serial_order() {
    let end = |route: &Route, outcome| {
        Attempt::begin(route, &ASK, &PICK, at(10)).finish(&End::of(outcome), at(10))
    };
    let prepared = move || {
        let route = route();
        for _ in 0..3 {
            end(&route, Outcome::ServerError);
        }
        route
    };
    let quiet = |route: &Arc<Route>| circuit_bits(route);
    // Why: bits of the CUSUM depend on the rates that each order had read, so only what the circuit decided is compared.
    let position = move |bits: u64| bits >> 61;
    let serial = move |first, second| {
        let route = prepared();
        end(&route, first);
        end(&route, second);
        position(quiet(&route))
    };
    model(1, move || {
        let expected = [
            serial(Outcome::KeyRejected, Outcome::ServerError),
            serial(Outcome::ServerError, Outcome::KeyRejected),
        ];
        let route = prepared();
        let other = Arc::clone(&route);
        let thread = thread::spawn(move || end(&other, Outcome::KeyRejected));
        end(&route, Outcome::ServerError);
        thread.join().unwrap();
        let found = position(quiet(&route));
        assert!(
            expected.contains(&found),
            "{found} is neither of {expected:?}"
        );
    });
}

/// What two threads spend of an allowance of two is as much as there is, whoever gives back in between.
#[test]
fn an_allowance_is_spent_once() {
    model(3, || {
        let refill = Arc::new(Refill::default());
        let other = Arc::clone(&refill);
        let beside = thread::spawn(move || {
            let first = other.spend(1, 2, at(100)).is_ok();
            if first {
                other.give_back(1, 2);
            }
            other.spend(1, 2, at(100)).is_ok()
        });
        let spent = refill.spend(2, 2, at(100)).is_ok();
        let both = beside.join().unwrap();
        let left = refill.spend(1, 2, at(100)).is_ok();
        assert!(!(spent && both), "three of two");
        assert_eq!(
            left, !spent,
            "the other thread leaves one, this one nothing"
        );
    });
}
