//! Sessions stay with their routes as long as the tokens that these keep are worth it, and no longer.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::affinity::{Affinity, cached_tokens};
use scoring::cost::Rates;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
use scoring::select::{Candidate, Decision, Mode, Pick, Pool, Tried, explain, select};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::{Class, Outcome};

/// 20 000 tokens: 800 ms of the prior's 5125 ms.
const ASK: Ask = Ask {
    class: Class::ChatStream,
    input_tokens: 20_000,
    max_tokens: None,
    deadline: None,
    probe_ok: false,
    affinity: None,
};

fn at(seconds: f64) -> Time {
    Time::from_micros((seconds * 1e6) as u64)
}

/// A pool, its clock and its generator.
struct Scene {
    pool: Pool,
    now: f64,
    rng: SmallRng,
}

impl Scene {
    /// Routes of these weights that were measured to answer as the prior says; prices are the same for all.
    fn new(weights: &[f32], tuning: Tuning) -> Self {
        let told = ToldLimits {
            requests_per_minute: Some(60_000),
            ..ToldLimits::default()
        };
        let candidate = |&weight: &f32| Candidate {
            route: Arc::new(Route::new(
                Arc::new(Parent::new()),
                &Prior::default(),
                &told,
                &tuning,
            )),
            weight,
            rates: Rates {
                input: 2_500_000.0,
                cached: 250_000.0,
                output: 10_000_000.0,
            },
        };
        let mut scene = Self {
            pool: Pool::new(weights.iter().map(candidate).collect(), tuning),
            now: 100.0,
            rng: SmallRng::seed_from_u64(5),
        };
        for _ in 0..40 {
            for index in 0..weights.len() {
                scene.serve(index, 1.0, Outcome::Success);
            }
        }
        scene
    }

    /// Two equal routes and the constants as they are.
    fn pair() -> Self {
        Self::new(&[1.0, 1.0], Tuning::default())
    }

    /// Sends a request to one route, whose first byte comes after `factor` times what the prior says.
    fn serve(&mut self, index: usize, factor: f64, outcome: Outcome) {
        let route = Arc::clone(&self.pool.candidates()[index].route);
        let pick = Pick {
            index,
            propensity: 1.0,
            mode: Mode::Normal,
            score: 1.0,
            band: 1,
            cost: scoring::cost::Terms::default(),
        };
        let mut attempt = Attempt::begin(route, &ASK, &pick, at(self.now));
        let first = self.now + 1.3 * factor;
        if outcome == Outcome::Success {
            attempt.first_byte(at(first));
        }
        // Only the first byte is timed: without output tokens the rest says nothing.
        attempt.finish(&End::of(outcome), at(first));
        self.now = first + 0.05;
    }

    /// What is picked; seed 5.
    fn select(&mut self, ask: &Ask, tried: &Tried) -> Option<Pick> {
        match select(&self.pool, ask, tried, at(self.now), &mut self.rng) {
            Decision::Picked(pick) => Some(pick),
            Decision::Shed { .. } | Decision::Exhausted => None,
        }
    }

    /// Of 1000 requests, how many each route gets, and how many follow.
    fn shares(&mut self, ask: &Ask) -> (Vec<u32>, u32) {
        let mut shares = vec![0; self.pool.candidates().len()];
        let mut followed = 0;
        for _ in 0..1_000 {
            if let Some(pick) = self.select(ask, &Tried::default()) {
                shares[pick.index] += 1;
                followed += u32::from(pick.mode == Mode::Followed);
            }
        }
        assert_eq!(shares.iter().sum::<u32>(), 1_000, "refused, seed 5");
        (shares, followed)
    }

    fn affinity_ms(&self, ask: &Ask, index: usize) -> f32 {
        let explained = explain(&self.pool, ask, &Tried::default(), at(self.now));
        let candidates = &explained.candidates;
        let sum: f32 = candidates.iter().map(|it| it.propensity).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        let others = candidates.iter().filter(|it| it.index != index);
        assert!(others.clone().all(|it| it.cost.affinity_ms.abs() < 1e-6));
        candidates[index].cost.affinity_ms
    }
}

fn at_home(candidate: usize, cached_tokens: u32) -> Ask {
    let affinity = Affinity {
        candidate,
        cached_tokens,
    };
    Ask {
        affinity: Some(affinity),
        ..ASK
    }
}

#[test]
fn a_session_stays_among_equals_and_others_are_drawn() {
    let mut scene = Scene::pair();
    for home in 0..2 {
        let saved = scene.affinity_ms(&at_home(home, 18_000), home);
        assert!((-740.0..-600.0).contains(&saved), "{saved}");
        let (shares, followed) = scene.shares(&at_home(home, 18_000));
        assert_eq!((shares[home], followed), (1_000, 1_000));
    }
    let (shares, followed) = scene.shares(&ASK);
    assert!(
        shares.iter().all(|it| (440..560).contains(it)),
        "{shares:?}"
    );
    assert_eq!(followed, 0);
}

#[test]
fn what_is_no_longer_kept_is_no_reason_to_stay() {
    let mut scene = Scene::pair();
    let cached = cached_tokens(20_000, 20_000, Span::from_secs(301));
    let (shares, followed) = scene.shares(&at_home(0, cached));
    assert!((440..560).contains(&shares[0]), "{shares:?}");
    assert_eq!(followed, 0);
    let mut off = Tuning::default();
    off.cost.affinity = 0.0;
    let mut scene = Scene::new(&[1.0, 1.0], off);
    let (shares, followed) = scene.shares(&at_home(0, 20_000));
    assert!((440..560).contains(&shares[0]), "{shares:?}");
    assert_eq!(followed, 0);
}

#[test]
fn a_session_stays_for_no_more_than_its_tokens_are_worth() {
    // The home's answers take 29 % longer: 1500 ms more, and 18 000 tokens save at most 720.
    let mut scene = Scene::pair();
    for _ in 0..60 {
        scene.serve(0, 1.29, Outcome::Success);
        scene.serve(1, 1.0, Outcome::Success);
    }
    let saved = scene.affinity_ms(&at_home(0, 18_000), 0);
    assert!(saved < -600.0, "it is well, if slow: {saved}");
    let (shares, followed) = scene.shares(&at_home(0, 18_000));
    assert_eq!(followed, 0);
    assert!(shares[0] < 600, "{shares:?}");
}

#[test]
fn weights_hold_for_new_sessions_and_bind_no_old_one() {
    let mut scene = Scene::new(&[9.0, 1.0], Tuning::default());
    let (shares, _) = scene.shares(&ASK);
    assert!((870..930).contains(&shares[0]), "{shares:?}");
    let (shares, followed) = scene.shares(&at_home(1, 18_000));
    assert_eq!((shares[1], followed), (1_000, 1_000));
}

#[test]
fn a_route_that_is_not_well_has_no_sessions() {
    let worth = |scene: &Scene| scene.affinity_ms(&at_home(0, 18_000), 0);
    let none = |saved: f32| saved.abs() < 1e-6;
    // Slow against its own baseline.
    let mut slow = Scene::pair();
    assert!(!none(worth(&slow)));
    for _ in 0..40 {
        slow.serve(0, 3.0, Outcome::Success);
    }
    assert!(none(worth(&slow)));
    // Open.
    let mut open = Scene::pair();
    for _ in 0..12 {
        open.serve(0, 1.0, Outcome::ServerError);
    }
    assert!(none(worth(&open)));
    let (_, followed) = open.shares(&at_home(0, 18_000));
    assert_eq!(followed, 0);
    // Doubted: it fails too rarely to be set aside.
    let mut doubted = Scene::pair();
    for _ in 0..3 {
        doubted.serve(0, 1.0, Outcome::ServerError);
        for _ in 0..3 {
            doubted.serve(0, 1.0, Outcome::Success);
        }
    }
    assert!(none(worth(&doubted)));
    // At its ceiling: 60 000 a minute, all of it taken.
    let mut full = Scene::pair();
    let route = Arc::clone(&full.pool.candidates()[0].route);
    let pick = full.select(&ASK, &Tried::default()).unwrap();
    let begin = || Attempt::begin(Arc::clone(&route), &ASK, &pick, at(full.now));
    let flights: Vec<_> = (0..59_000).map(|_| begin()).collect();
    assert!(none(worth(&full)));
    let (shares, followed) = full.shares(&at_home(0, 18_000));
    assert_eq!((shares[0], followed), (0, 0));
    drop(flights);
}

#[test]
fn what_was_tried_or_does_not_exist_is_not_followed() {
    let mut scene = Scene::pair();
    let mut tried = Tried::default();
    tried.insert(0);
    let pick = scene.select(&at_home(0, 18_000), &tried).unwrap();
    assert_eq!((pick.index, pick.mode), (1, Mode::Normal));
    let (shares, followed) = scene.shares(&at_home(7, 18_000));
    assert_eq!((shares[0] + shares[1], followed), (1_000, 0));
}

#[test]
fn kept_tokens_save_their_price_too() {
    let mut tuning = Tuning::default();
    tuning.cost.ms_per_millidollar = 100.0;
    let plain = Scene::pair().affinity_ms(&at_home(0, 10_000), 0);
    let priced = Scene::new(&[1.0, 1.0], tuning).affinity_ms(&at_home(0, 10_000), 0);
    // 10 000 tokens at 2.25 µ$ less are 22.5 m$.
    assert!((priced - plain + 2_250.0).abs() < 5.0, "{priced} {plain}");
}

#[test]
fn a_hit_is_not_taken_for_speed_nor_a_miss_for_an_ailment() {
    // Sessions whose route keeps nine tenths: their first bytes come after 580 ms instead of 1300.
    let mut scene = Scene::pair();
    let drift = |scene: &Scene| {
        let view = scene.pool.candidates()[0].route.view(at(scene.now));
        view.classes[Class::ChatStream.index()].drift
    };
    for round in 0..60 {
        let route = Arc::clone(&scene.pool.candidates()[0].route);
        let ask = at_home(0, 18_000);
        let pick = Pick {
            index: 0,
            ..scene.select(&ask, &Tried::default()).unwrap()
        };
        let mut attempt = Attempt::begin(route, &ask, &pick, at(scene.now));
        // Every tenth has been forgotten.
        let first = if round % 10 == 9 { 1.3 } else { 0.58 };
        attempt.first_byte(at(scene.now + first));
        attempt.finish(&End::of(Outcome::Success), at(scene.now + first));
        scene.now += 0.5;
        let drift = drift(&scene);
        assert!((0.93..1.07).contains(&drift), "{round}: {drift}");
    }
}
