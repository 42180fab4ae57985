//! What the whole model does over time: seeded simulations on virtual time, no threads and no sleeping.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failing test should say where"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::cost::Rates;
use scoring::health::State;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
use scoring::select::{Candidate, Decision, Mode, Pool, Tried, select};
use scoring::time::Time;
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

/// What happens to one attempt.
#[derive(Clone, Copy)]
struct Fate {
    first_ms: f64,
    rest_ms: f64,
    outcome: Outcome,
}

impl Fate {
    fn fine(first_ms: f64, rest_ms: f64) -> Self {
        Self {
            first_ms,
            rest_ms,
            outcome: Outcome::Success,
        }
    }

    fn fails(after_ms: f64, outcome: Outcome) -> Self {
        Self {
            first_ms: after_ms,
            rest_ms: 0.0,
            outcome,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: f64,
    route: usize,
    mode: Mode,
    first_attempt: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    FirstByte(usize),
    Overdue(usize),
    Finish(usize),
    Fit,
}

struct Running {
    attempt: Option<Attempt<Arc<Route>>>,
    fate: Fate,
    tried: Tried,
    ask: Ask,
}

/// A pool, its providers' behaviour and the traffic.
struct World<F: FnMut(usize, f64, &mut SmallRng) -> Fate> {
    pool: Pool,
    provider: F,
    rng: SmallRng,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    running: Vec<Running>,
    sent: Vec<Sent>,
    served: Vec<(f64, Option<usize>)>,
    period: Box<dyn Fn(&mut SmallRng) -> f64>,
    attempts: u32,
    /// Whether a panic pick is refused, as a gateway with a fallback model does.
    falls_back: bool,
}

const START: u64 = 1_000_000;

fn routes(weights: &[f32]) -> Pool {
    let tuning = Tuning::default();
    let candidate = |&weight: &f32| {
        let route = Route::new(
            Arc::new(Parent::new()),
            &Prior::default(),
            &ToldLimits::default(),
            &tuning,
        );
        Candidate {
            route: Arc::new(route),
            weight,
            rates: Rates::default(),
        }
    };
    Pool::new(weights.iter().map(candidate).collect(), tuning)
}

fn noisy(ms: f64, sigma: f64, rng: &mut SmallRng) -> f64 {
    let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    ms * (sigma * normal).exp()
}

impl<F: FnMut(usize, f64, &mut SmallRng) -> Fate> World<F> {
    fn new(pool: Pool, seed: u64, per_second: f64, provider: F) -> Self {
        println!("seed {seed}");
        let period =
            Box::new(move |rng: &mut SmallRng| -(1.0 - rng.random::<f64>()).ln() / per_second);
        let mut world = Self {
            pool,
            provider,
            rng: SmallRng::seed_from_u64(seed),
            now: START,
            queue: BinaryHeap::new(),
            sequence: 0,
            running: Vec::new(),
            sent: Vec::new(),
            served: Vec::new(),
            period,
            attempts: 3,
            falls_back: false,
        };
        world.push(0.0, Event::Arrival);
        world.push(0.25, Event::Fit);
        world
    }

    fn push(&mut self, seconds: f64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((
            self.now + (seconds * 1e6) as u64,
            self.sequence,
            event,
        )));
    }

    fn seconds(&self) -> f64 {
        (self.now - START) as f64 / 1e6
    }

    fn time(&self) -> Time {
        Time::from_micros(self.now)
    }

    fn run(&mut self, seconds: f64) {
        let end = START + (seconds * 1e6) as u64;
        while let Some(&Reverse((at, _, _))) = self.queue.peek() {
            if at > end {
                break;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else {
                break;
            };
            self.now = at;
            self.step(event);
        }
        self.now = end;
    }

    fn step(&mut self, event: Event) {
        let now = self.time();
        match event {
            Event::Arrival => {
                let gap = (self.period)(&mut self.rng);
                self.push(gap, Event::Arrival);
                let ask = Ask {
                    class: Class::ChatStream,
                    input_tokens: 200 + (self.rng.random::<u32>() % 1_500),
                    max_tokens: None,
                    deadline: None,
                    probe_ok: true,
                    affinity: None,
                };
                self.send(ask, Tried::default());
            }
            Event::Fit => {
                self.push(0.25, Event::Fit);
                for candidate in self.pool.candidates() {
                    candidate.route.fit(now);
                    candidate.route.sweep(now);
                }
            }
            Event::FirstByte(id) => {
                if let Some(attempt) = &mut self.running[id].attempt {
                    attempt.first_byte(now);
                }
            }
            Event::Overdue(id) => {
                if let Some(attempt) = &mut self.running[id].attempt {
                    attempt.overdue(now);
                }
            }
            Event::Finish(id) => self.finish(id),
        }
    }

    fn send(&mut self, ask: Ask, tried: Tried) {
        let now = self.time();
        let Decision::Picked(pick) = select(&self.pool, &ask, &tried, now, &mut self.rng) else {
            self.served.push((self.seconds(), None));
            return;
        };
        if self.falls_back && pick.mode == Mode::Panic {
            self.served.push((self.seconds(), None));
            return;
        }
        let at = self.seconds();
        self.sent.push(Sent {
            at,
            route: pick.index,
            mode: pick.mode,
            first_attempt: tried.is_empty(),
        });
        let fate = (self.provider)(pick.index, at, &mut self.rng);
        let route = Arc::clone(&self.pool.candidates()[pick.index].route);
        let attempt = Attempt::begin(route, &ask, &pick, now);
        let id = self.running.len();
        let overdue = attempt.overdue_at().since(now).as_secs_f64();
        let mut tried = tried;
        tried.insert(pick.index);
        self.running.push(Running {
            attempt: Some(attempt),
            fate,
            tried,
            ask,
        });
        self.push(overdue, Event::Overdue(id));
        if fate.outcome == Outcome::Success {
            self.push(fate.first_ms / 1e3, Event::FirstByte(id));
        }
        self.push((fate.first_ms + fate.rest_ms) / 1e3, Event::Finish(id));
    }

    fn finish(&mut self, id: usize) {
        let now = self.time();
        let seconds = self.seconds();
        let jitter = self.rng.random::<f32>();
        let Running {
            fate, tried, ask, ..
        } = self.running[id];
        let Some(attempt) = self.running[id].attempt.take() else {
            return;
        };
        let tokens = (fate.rest_ms / 15.0) as u32 + 1;
        let index = self
            .pool
            .candidates()
            .iter()
            .position(|c| std::ptr::eq(&raw const *c.route, attempt.route()));
        let output_tokens = (fate.outcome == Outcome::Success).then_some(tokens);
        attempt.finish(
            &End {
                output_tokens,
                jitter,
                ..End::of(fate.outcome)
            },
            now,
        );
        if fate.outcome == Outcome::Success {
            self.served.push((seconds, index));
        } else if tried.count() < self.attempts {
            self.send(ask, tried);
        } else {
            self.served.push((seconds, None));
        }
    }

    fn share(&self, route: usize, from: f64, to: f64) -> f64 {
        let window = || {
            self.sent
                .iter()
                .filter(|s| s.first_attempt && s.at >= from && s.at < to)
        };
        window().filter(|s| s.route == route).count() as f64 / window().count().max(1) as f64
    }
}

#[test]
fn a_killed_route_is_left_within_half_a_second_and_taken_back_within_fifteen() {
    for seed in 1..=5 {
        let (dies, revives) = (60.0, 120.0);
        let mut world = World::new(routes(&[1.0, 1.0, 1.0]), seed, 500.0, |route, at, rng| {
            if route == 0 && (dies..revives).contains(&at) {
                return Fate::fails(5.0, Outcome::Unreachable);
            }
            Fate::fine(noisy(300.0, 0.2, rng), 900.0)
        });
        world.run(180.0);
        let before = world.share(0, 30.0, dies);
        let after = world.share(0, dies + 0.5, revives);
        let back = world.share(0, revives + 15.0, revives + 20.0);
        let whole = world.share(0, revives + 30.0, revives + 60.0);
        println!("before {before:.3} dead {after:.5} back {back:.3} whole {whole:.3}");
        assert!(
            (before - 1.0 / 3.0).abs() < 0.02,
            "share in health {before}"
        );
        assert!(after < 0.01, "share while dead {after}");
        assert!(back > 1.0 / 6.0, "share after 15 s {back}");
        assert!(whole > 0.9 / 3.0, "share after 30 s {whole}");
        assert!(
            world.served.iter().all(|(_, by)| by.is_some()),
            "every request was served"
        );
    }
}

#[test]
fn failing_fast_attracts_nobody() {
    let mut world = World::new(routes(&[1.0; 4]), 7, 100.0, |route, _, rng| match route {
        0 => Fate::fails(2.0, Outcome::ServerError),
        _ => Fate::fine(noisy(400.0, 0.2, rng), 4_000.0),
    });
    world.run(300.0);
    let share = world.share(0, 1.0, 300.0);
    println!("share of the dead route {share:.5}");
    assert!(share < 0.003, "share of a route that fails at once {share}");
}

#[test]
fn sixty_seconds_of_503_at_one_request_in_four_seconds() {
    for (seed, warm) in [(1, 0.0), (2, 0.0), (3, 400.0), (4, 400.0)] {
        let dies = warm;
        let mut world = World::new(routes(&[1.0]), seed, 0.25, |_, at, rng| {
            if (dies..dies + 60.0).contains(&at) {
                return Fate::fails(20.0, Outcome::Overloaded);
            }
            Fate::fine(noisy(300.0, 0.1, rng), 600.0)
        });
        world.period = Box::new(|_| 4.0);
        world.falls_back = true;
        world.attempts = 1;
        world.run(dies + 80.0);
        let during = world
            .sent
            .iter()
            .filter(|s| s.at >= dies && s.at < dies + 60.0)
            .count();
        let back = world
            .sent
            .iter()
            .find(|s| s.at >= dies + 60.0)
            .map(|s| s.at - dies - 60.0);
        println!(
            "attempts {during} back after {back:?} {:?}",
            world
                .sent
                .iter()
                .filter(|s| s.at >= dies)
                .map(|s| s.at - dies)
                .collect::<Vec<_>>()
        );
        assert!(during <= 5, "{during} attempts in the outage");
        assert!(
            back.is_some_and(|after| after <= 16.0),
            "back after {back:?}"
        );
    }
}

#[test]
fn one_request_a_second_leaves_a_bad_route_after_a_few() {
    let (mut worst, mut first, mut bad) = (0, 0u32, 0u32);
    for seed in 1..=10 {
        let mut world = World::new(routes(&[1.0; 4]), seed, 1.0, |route, at, rng| {
            if route == 0 && at >= 300.0 {
                return Fate::fails(200.0, Outcome::ServerError);
            }
            Fate::fine(noisy(400.0, 0.2, rng), 1_500.0)
        });
        world.run(900.0);
        let demoted = world
            .sent
            .iter()
            .filter(|s| s.route == 0 && s.at >= 300.0 && s.mode == Mode::Normal)
            .count();
        worst = worst.max(demoted);
        first += world.sent.iter().filter(|s| s.first_attempt).count() as u32;
        bad += world
            .sent
            .iter()
            .filter(|s| s.first_attempt && s.route == 0 && s.at >= 300.0)
            .count() as u32;
    }
    println!("worst {worst}; first attempts failed {bad} of {first}");
    assert!(worst <= 10, "{worst} samples before demotion");
}

#[test]
fn a_black_hole_is_left_within_three_seconds() {
    let mut world = World::new(routes(&[1.0; 4]), 3, 100.0, |route, at, rng| {
        if route == 0 && at >= 60.0 {
            return Fate::fails(30_000.0, Outcome::TimedOut);
        }
        Fate::fine(noisy(400.0, 0.2, rng), 2_000.0)
    });
    world.run(90.0);
    let share = world.share(0, 63.0, 90.0);
    println!("share after 3 s {share:.4}");
    assert!(share < 0.125, "share after three seconds {share}");
}

#[test]
fn twice_as_slow_is_left_within_three_seconds() {
    let mut world = World::new(routes(&[1.0; 4]), 3, 100.0, |route, at, rng| {
        let slow = if route == 0 && at >= 60.0 { 2.0 } else { 1.0 };
        Fate::fine(noisy(400.0 * slow, 0.2, rng), 2_000.0 * slow)
    });
    world.run(120.0);
    let (share, later) = (world.share(0, 63.0, 66.0), world.share(0, 66.0, 120.0));
    println!("share after 3 s {share:.4}, later {later:.4}");
    assert!(
        share < 0.125 && later < 0.05,
        "share {share}, later {later}"
    );
}

#[test]
fn weights_hold_in_health() {
    let weights = [5.0, 3.0, 1.0, 1.0];
    let mut deviation = 0.0;
    for seed in 1..=4 {
        let mut world = World::new(routes(&weights), seed, 100.0, |route, _, rng| {
            let ms = [400.0, 420.0, 405.0, 430.0][route];
            if rng.random::<f64>() < 0.003 {
                return Fate::fails(100.0, Outcome::ServerError);
            }
            Fate::fine(noisy(ms, 0.4, rng), noisy(2_000.0, 0.3, rng))
        });
        world.run(600.0);
        let off: f64 = (0..4)
            .map(|r| (world.share(r, 60.0, 600.0) - f64::from(weights[r]) / 10.0).abs())
            .sum();
        println!(
            "half L1 {:.4} {:?}",
            off / 2.0,
            (0..4)
                .map(|r| world.share(r, 60.0, 600.0))
                .collect::<Vec<_>>()
        );
        deviation += off / 2.0 / 4.0;
    }
    assert!(deviation < 0.02, "mean half L1 deviation {deviation}");
}

#[test]
fn a_brown_out_is_left_and_forgiven() {
    let mut world = World::new(routes(&[1.0; 4]), 11, 100.0, |route, at, rng| {
        let rate = if route == 0 && (60.0..360.0).contains(&at) {
            0.4
        } else {
            0.002
        };
        if rng.random::<f64>() < rate {
            return Fate::fails(150.0, Outcome::ServerError);
        }
        Fate::fine(noisy(400.0, 0.2, rng), 1_500.0)
    });
    world.run(420.0);
    let share = world.share(0, 61.0, 360.0);
    let whole = world.share(0, 390.0, 420.0);
    println!("share in brown-out {share:.4}, after {whole:.4}");
    assert!(share < 0.02, "share in the brown-out {share}");
    assert!(whole > 0.9 * 0.25, "share 30 s after it {whole}");
}

#[test]
fn a_rejected_key_is_held_for_minutes() {
    let mut world = World::new(routes(&[1.0, 1.0]), 5, 20.0, |route, at, rng| {
        if route == 0 && at >= 10.0 {
            return Fate::fails(50.0, Outcome::KeyRejected);
        }
        Fate::fine(noisy(300.0, 0.2, rng), 500.0)
    });
    world.run(309.0);
    let asked = world
        .sent
        .iter()
        .filter(|s| s.route == 0 && s.at >= 10.0)
        .count();
    println!("asked {asked}");
    assert!(asked <= 8, "{asked} attempts with a rejected key");
    assert_eq!(
        world.pool.candidates()[0].route.view(world.time()).state,
        State::KeyHeld
    );
}

#[test]
fn our_own_quota_never_opens_a_circuit() {
    let mut world = World::new(routes(&[1.0, 1.0]), 5, 20.0, |route, _, rng| {
        if route == 0 {
            return Fate::fails(50.0, Outcome::RateLimited);
        }
        Fate::fine(noisy(300.0, 0.2, rng), 500.0)
    });
    world.run(60.0);
    let view = world.pool.candidates()[0].route.view(world.time());
    assert_eq!(view.state, State::Healthy);
    assert!(view.cusum < 0.1 && view.failure < 0.01, "{view:?}");
}

#[test]
fn with_everything_down_requests_are_still_tried() {
    let mut world = World::new(routes(&[1.0, 1.0]), 5, 50.0, |_, at, rng| {
        if (30.0..60.0).contains(&at) {
            return Fate::fails(10.0, Outcome::ServerError);
        }
        Fate::fine(noisy(300.0, 0.2, rng), 500.0)
    });
    world.run(75.0);
    assert!(
        world
            .sent
            .iter()
            .any(|s| s.mode == Mode::Panic && s.at > 40.0)
    );
    let served = world
        .served
        .iter()
        .filter(|(at, by)| *at > 62.0 && by.is_some())
        .count();
    let failed = world
        .served
        .iter()
        .filter(|(at, by)| *at > 62.0 && by.is_none())
        .count();
    println!("served {served} failed {failed}");
    assert!(failed == 0 && served > 500);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new(routes(&[1.0, 2.0]), 99, 50.0, |_, _, rng| {
            Fate::fine(noisy(300.0, 0.5, rng), 400.0)
        });
        world.run(30.0);
        world
            .sent
            .iter()
            .map(|s| (s.at.to_bits(), s.route))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
