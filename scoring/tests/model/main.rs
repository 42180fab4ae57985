//! Any sequence of operations leaves a route as it leaves a plain, single-threaded twin of it.
//!
//! The twin keeps exact decayed sums in `f64` and the circuit as an ordinary enum; nothing is packed, rounded or atomic.
//! Where the two could rightly differ by rounding (a CUSUM next to its threshold, a waiting time that ends within a tick), the case is left there.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test should say where"
)]

mod twin;

use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::ceiling::Dimension;
use scoring::cost::Rates;
use scoring::health::State;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits, Until};
use scoring::select::{Candidate, Decision, Mode, Pool, Tried, explain, select};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};
use twin::{Place, Role, Twin, TwinAttempt};

const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 1_000,
    max_tokens: Some(101),
    deadline: None,
    probe_ok: true,
    affinity: None,
};
/// First byte predicted by the prior for [`ASK`], in s.
const PREDICTED: f64 = 0.540;

#[derive(Clone, Copy, Debug)]
enum Op {
    Send,
    FirstByte(usize),
    Overdue(usize),
    End(usize, Outcome),
    Drop(usize),
    Wait(f64),
    Sweep,
    Steer(Hand),
}

/// What an operator does.
#[derive(Clone, Copy, Debug)]
enum Hand {
    /// For so many seconds, or until it is undone.
    Drain(Option<f64>),
    Undrain,
    Pin(f64),
    Unpin,
    Release,
    Overrule(Dimension, Option<u32>),
}

impl Hand {
    fn apply(self, route: &Route, now: f64) {
        match self {
            Self::Drain(None) => route.drain(Until::Undone),
            Self::Drain(Some(seconds)) => route.drain(Until::At(at(now + seconds))),
            Self::Undrain => route.undrain(),
            Self::Pin(seconds) => route.pin(at(now + seconds)),
            Self::Unpin => route.unpin(),
            Self::Release => route.release(at(now)),
            Self::Overrule(dimension, limit) => route.overrule(dimension, limit, at(now)),
        }
    }
}

fn hand() -> impl Strategy<Value = Hand> {
    let dimension = prop::sample::select(Dimension::ALL.to_vec());
    prop_oneof![
        1 => prop::option::of(0.1f64..5.0).prop_map(Hand::Drain),
        2 => Just(Hand::Undrain),
        2 => (0.1f64..5.0).prop_map(Hand::Pin),
        1 => Just(Hand::Unpin),
        3 => Just(Hand::Release),
        2 => (dimension, prop::option::of(1u32..100_000)).prop_map(|(it, limit)| Hand::Overrule(it, limit)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Success),
        6 => prop::sample::select(vec![Outcome::ServerError, Outcome::Overloaded, Outcome::Disconnected, Outcome::TimedOut,
            Outcome::Unreachable, Outcome::Truncated]),
        1 => prop::sample::select(vec![Outcome::Rejected, Outcome::Canceled]),
        1 => prop::sample::select(vec![Outcome::KeyRejected]),
    ];
    prop_oneof![
        8 => Just(Op::Send),
        3 => (0usize..8).prop_map(Op::FirstByte),
        1 => (0usize..8).prop_map(Op::Overdue),
        8 => ((0usize..8), outcome).prop_map(|(which, outcome)| Op::End(which, outcome)),
        1 => (0usize..8).prop_map(Op::Drop),
        4 => (0.0f64..3.0).prop_map(Op::Wait),
        1 => (10.0f64..400.0).prop_map(Op::Wait),
        1 => Just(Op::Sweep),
        2 => hand().prop_map(Op::Steer),
    ]
}

struct Pair {
    pool: Pool,
    twin: Twin,
    running: Vec<(Attempt<Arc<Route>>, TwinAttempt)>,
    now: f64,
    begun: u64,
    ended: [u64; Outcome::COUNT],
}

fn at(seconds: f64) -> Time {
    Time::from_micros(1_000_000 + (seconds * 1e6) as u64)
}

fn pool(tuning: Tuning, told: ToldLimits, len: usize) -> Pool {
    let candidate = |_| {
        let route = Route::new(Arc::new(Parent::new()), &Prior::default(), &told, &tuning);
        Candidate {
            route: Arc::new(route),
            weight: 1.0,
            rates: Rates::default(),
        }
    };
    Pool::new((0..len).map(candidate).collect(), tuning)
}

impl Pair {
    fn new() -> Self {
        let pool = pool(Tuning::default(), ToldLimits::default(), 1);
        Self {
            pool,
            twin: Twin::new(),
            running: vec![],
            now: 1.0,
            begun: 0,
            ended: [0; Outcome::COUNT],
        }
    }

    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        let now = self.now;
        match op {
            Op::Wait(seconds) => self.now += seconds,
            Op::Sweep => self.pool.candidates()[0].route.sweep(at(now)),
            // The twin has no ceilings.
            Op::Steer(Hand::Overrule(..)) => {}
            Op::Steer(hand) => {
                hand.apply(&self.pool.candidates()[0].route, now);
                match hand {
                    Hand::Drain(seconds) => {
                        self.twin.drained = seconds.map_or(f64::INFINITY, |it| now + it);
                    }
                    Hand::Undrain => self.twin.drained = 0.0,
                    Hand::Pin(seconds) => self.twin.pinned = now + seconds,
                    Hand::Unpin => self.twin.pinned = 0.0,
                    Hand::Release => self.twin.release(now),
                    Hand::Overrule(..) => {}
                }
            }
            Op::Send => {
                if self.running.len() == 8 {
                    return Ok(());
                }
                let mode = self.twin.pick(now);
                let mut rng = SmallRng::seed_from_u64(1);
                let decision = select(&self.pool, &ASK, &Tried::default(), at(now), &mut rng);
                if self.twin.unsure {
                    return Ok(());
                }
                let Some(mode) = mode else {
                    prop_assert_eq!(decision, Decision::Exhausted);
                    return Ok(());
                };
                let Decision::Picked(pick) = decision else {
                    return Err(TestCaseError::fail("the only route was not picked"));
                };
                prop_assert_eq!(pick.mode, mode);
                let role = match mode {
                    Mode::Probe => Role::Probe,
                    Mode::Panic => Role::LastResort,
                    _ => Role::Regular,
                };
                let route = Arc::clone(&self.pool.candidates()[0].route);
                let twin = TwinAttempt {
                    role,
                    started: now,
                    first: None,
                    late: false,
                    credited: false,
                };
                self.running
                    .push((Attempt::begin(route, &ASK, &pick, at(now)), twin));
                self.begun += 1;
            }
            Op::FirstByte(which) => {
                if let Some((attempt, twin)) = self.running.get_mut(which) {
                    attempt.first_byte(at(now));
                    self.twin.first_byte(now, twin);
                }
            }
            Op::Overdue(which) => {
                if let Some((attempt, twin)) = self.running.get_mut(which) {
                    attempt.overdue(at(now));
                    self.twin.overdue(now, twin);
                }
            }
            Op::End(which, outcome) => self.end(which, Some(outcome)),
            Op::Drop(which) => self.end(which, None),
        }
        Ok(())
    }

    fn end(&mut self, which: usize, outcome: Option<Outcome>) {
        if which >= self.running.len() {
            return;
        }
        let (attempt, twin) = self.running.remove(which);
        let overdue = attempt.overdue_at().since(attempt.started()).as_secs_f64();
        match outcome {
            Some(outcome) => {
                attempt.finish(&End::of(outcome), at(self.now));
                self.twin.end(self.now, outcome, &twin, overdue * 5.0 / 3.0);
            }
            None => {
                drop(attempt);
                self.twin.end(
                    twin.first.unwrap_or(twin.started),
                    Outcome::Canceled,
                    &twin,
                    0.0,
                );
                self.twin.unsure |= twin.role == Role::Probe;
            }
        }
        self.ended[outcome.unwrap_or(Outcome::Canceled).index()] += 1;
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let view = self.pool.candidates()[0].route.view(at(self.now));
        prop_assert_eq!(view.inflight as usize, self.running.len());
        prop_assert_eq!(view.dispatched, self.begun);
        prop_assert_eq!(view.outcomes, self.ended);
        prop_assert_eq!(view.dropped, 0);
        let near = |real: f32, exact: f64| (f64::from(real) - exact).abs() <= 0.15 + 0.03 * exact;
        let (fast, slow) = (self.twin.fast.at(self.now), self.twin.slow.at(self.now));
        prop_assert!(
            near(view.attempts_fast, fast.attempts),
            "fast {} {}",
            view.attempts_fast,
            fast.attempts
        );
        prop_assert!(
            near(view.attempts_slow, slow.attempts),
            "slow {} {}",
            view.attempts_slow,
            slow.attempts
        );
        let drained = view.state == State::Drained;
        prop_assert_eq!(drained, self.twin.drained > self.now);
        prop_assert!(
            drained || self.twin.agrees(view.state),
            "{:?} but {:?}",
            view.state,
            self.twin.place
        );
        prop_assert_eq!(view.doublings, self.twin.mult);
        prop_assert!(
            (f64::from(view.cusum) - self.twin.cusum).abs() < 0.3,
            "cusum {} {}",
            view.cusum,
            self.twin.cusum
        );
        let doubt = self.twin.doubt_at(self.now);
        prop_assert!(
            (f64::from(view.doubt) - doubt).abs() < 5.0,
            "doubt {} {}",
            view.doubt,
            doubt
        );
        prop_assert!((0.0..=1.0).contains(&view.failure), "{}", view.failure);
        if let Place::Recovering { ramp, .. } = self.twin.place {
            prop_assert!(
                (view.share - 0.15 * (1u32 << ramp) as f32).abs() < 1e-3,
                "share {}",
                view.share
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_equals_the_twin(ops in prop::collection::vec(op(), 1..120)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op)?;
            if pair.twin.unsure {
                break;
            }
            pair.compare()?;
        }
        pair.running.clear();
        prop_assert_eq!(pair.pool.candidates()[0].route.view(at(pair.now)).inflight, 0);
    }

    #[test]
    fn every_cost_is_finite_and_every_decision_lawful(
        ops in prop::collection::vec((0usize..5, op()), 1..150),
        told in prop::option::of(1u32..200),
        input in 0u32..2_000_000,
        most in prop::option::of(0u32..200_000),
        tried in prop::collection::vec(0usize..5, 0..5),
        seed in any::<u64>(),
    ) {
        let limits = ToldLimits { concurrency: told, requests_per_minute: told, ..ToldLimits::default() };
        let pool = pool(Tuning::default(), limits, 5);
        let mut rng = SmallRng::seed_from_u64(seed);
        let ask = Ask { input_tokens: input, max_tokens: most, ..ASK };
        let mut excluded = Tried::default();
        tried.iter().for_each(|&index| excluded.insert(index));
        let mut running: Vec<Attempt<Arc<Route>>> = vec![];
        let mut now = 1.0;
        for (which, op) in ops {
            match op {
                Op::Wait(seconds) => now += seconds,
                Op::Sweep => pool.candidates().iter().for_each(|c| { c.route.fit(at(now)); c.route.sweep(at(now)); }),
                Op::FirstByte(i) => if let Some(attempt) = running.get_mut(i) { attempt.first_byte(at(now)) },
                Op::Overdue(i) => if let Some(attempt) = running.get_mut(i) { attempt.overdue(at(now)) },
                Op::End(i, outcome) if i < running.len() => {
                    let end = End { output_tokens: Some(u32::MAX / 7), retry_after: Some(Span::from_secs(1)), ..End::of(outcome) };
                    running.remove(i).finish(&end, at(now));
                }
                Op::Drop(i) if i < running.len() => drop(running.remove(i)),
                Op::Steer(hand) => hand.apply(&pool.candidates()[which].route, now),
                _ => {
                    let explanation = explain(&pool, &ask, &excluded, at(now));
                    for candidate in &explanation.candidates {
                        let total = candidate.cost.total();
                        prop_assert!(total.is_finite() && total > 0.0, "{:?}", candidate);
                        prop_assert!((0.0..=1.0).contains(&candidate.score) && (0.0..=1.0).contains(&candidate.propensity));
                    }
                    let drained = |index: usize| pool.candidates()[index].route.view(at(now)).state == State::Drained;
                    let sum: f32 = explanation.candidates.iter().map(|it| it.propensity).sum();
                    prop_assert!(explanation.mode.is_none() || (sum - 1.0).abs() < 1e-4, "{}", sum);
                    match select(&pool, &ask, &excluded, at(now), &mut rng) {
                        Decision::Picked(pick) => {
                            prop_assert!(!drained(pick.index));
                            prop_assert_eq!(explanation.mode == Some(Mode::Pinned), pick.mode == Mode::Pinned);
                            prop_assert!(!excluded.contains(pick.index));
                            prop_assert!(pick.propensity > 0.0 && pick.propensity <= 1.0 + 1e-6, "{:?}", pick);
                            let route = Arc::clone(&pool.candidates()[(pick.index + which) % 5].route);
                            let route = if pick.mode == Mode::Probe { Arc::clone(&pool.candidates()[pick.index].route) } else { route };
                            running.push(Attempt::begin(route, &ask, &pick, at(now)));
                        }
                        Decision::Shed { retry_after, .. } => prop_assert!(retry_after > Span::ZERO),
                        Decision::Exhausted => prop_assert!((0..5).all(|it| excluded.contains(it) || drained(it)), "exhausted with {:?}", excluded),
                    }
                }
            }
        }
    }

    #[test]
    fn more_failures_more_latency_or_more_load_never_make_a_route_cheaper(
        failures in 0u32..40, more in 0u32..10, slower in 0.0f64..2.0, busy in 0u32..10,
    ) {
        let cost = |failures: u32, slower: f64, busy: u32| {
            let told = ToldLimits { concurrency: Some(40), ..ToldLimits::default() };
            let pool = pool(Tuning::default(), told, 1);
            let route = &pool.candidates()[0].route;
            let pick = match select(&pool, &ASK, &Tried::default(), at(1.0), &mut SmallRng::seed_from_u64(1)) {
                Decision::Picked(pick) => pick,
                other => panic!("{other:?}"),
            };
            let begin = |from: f64| Attempt::begin(Arc::clone(route), &ASK, &pick, at(from));
            for i in 0..200 {
                let from = 1.0 + f64::from(i) * 0.01;
                let mut attempt = begin(from);
                let first = from + PREDICTED * slower.exp();
                attempt.first_byte(at(first));
                attempt.finish(&End { output_tokens: Some(1), ..End::of(Outcome::Success) }, at(first));
            }
            for _ in 0..failures {
                begin(9.0).finish(&End::of(Outcome::ServerError), at(9.0));
            }
            let running: Vec<_> = (0..busy * 4).map(|_| begin(9.0)).collect();
            let cost = explain(&pool, &ASK, &Tried::default(), at(9.0)).candidates[0].cost.total();
            drop(running);
            cost
        };
        let base = cost(failures, slower, busy);
        prop_assert!(cost(failures + more, slower, busy) >= base * 0.999);
        prop_assert!(cost(failures, slower + 0.3, busy) >= base);
        prop_assert!(cost(failures, slower, busy + 1) >= base * 0.999);
    }
}
