//! The shadow beside the live decision, on random pools: the same where constants are, a twin pool's where they are not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::Class;
use scoring::affinity::Affinity;
use scoring::cost::Rates;
use scoring::outcome::Outcome;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
use scoring::select::{
    Candidate, Compared, Decision, Mode, Pool, Shadow, Tried, explain, select, select_beside,
};
use scoring::shadow::{self, Tally, Weight};
use scoring::time::{Span, Time};
use scoring::tuning::{Tuning, acts_on_choice, constants};

/// A pool with a past that a seed decides, and the instant it has come to.
struct Past {
    candidates: Vec<Candidate>,
    pool: Pool,
    now: Time,
    rng: SmallRng,
}

const CLASSES: [Class; 2] = [Class::Chat, Class::ChatStream];

fn ask(rng: &mut SmallRng, candidates: usize) -> Ask {
    Ask {
        class: CLASSES[rng.random_range(0..2)],
        input_tokens: rng.random_range(10..4_000),
        max_tokens: rng.random_bool(0.5).then(|| rng.random_range(1..800)),
        deadline: None,
        probe_ok: rng.random_bool(0.5),
        affinity: rng.random_bool(0.3).then(|| Affinity {
            candidate: rng.random_range(0..candidates),
            cached_tokens: rng.random_range(1..3_000),
        }),
    }
}

impl Past {
    fn new(seed: u64, tuning: Tuning) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let count = [1, 2, 3, 5, 12, 30, 100][rng.random_range(0..7)];
        let parent = Arc::new(Parent::default());
        let limited = rng.random_bool(0.3);
        let candidates: Vec<Candidate> = (0..count)
            .map(|_| {
                let told = ToldLimits {
                    requests_per_minute: limited.then(|| rng.random_range(5..200)),
                    ..ToldLimits::default()
                };
                let route = Route::new(Arc::clone(&parent), &Prior::default(), &told, &tuning);
                Candidate {
                    route: Arc::new(route),
                    weight: rng.random_range(0.1..5.0),
                    rates: Rates {
                        input: rng.random_range(1e4..1e6),
                        cached: 1e3,
                        output: rng.random_range(1e4..1e6),
                    },
                }
            })
            .collect();
        let mut past = Self {
            pool: Pool::new(candidates.clone(), tuning),
            candidates,
            now: Time::from_micros(10_000_000),
            rng,
        };
        past.live_through();
        past
    }

    /// Serves some requests; some routes are slow, some fail.
    fn live_through(&mut self) {
        let count = self.candidates.len();
        let pace: Vec<u64> = (0..count)
            .map(|_| self.rng.random_range(200..500))
            .collect();
        let sick = self.rng.random_range(0..count * 2);
        for turn in 0..80 + 10 * count {
            self.now = self
                .now
                .plus(Span::from_millis(self.rng.random_range(1..200)));
            let ask = ask(&mut self.rng, count);
            let mut tried = Tried::default();
            let spared = self.rng.random_range(0..count);
            // Every route is asked now and then, whatever is known of it.
            if turn < 5 * count {
                (0..count)
                    .filter(|&it| it != spared)
                    .for_each(|it| tried.insert(it));
            }
            let decision = select(&self.pool, &ask, &tried, self.now, &mut self.rng);
            let Decision::Picked(pick) = decision else {
                continue;
            };
            let route = Arc::clone(&self.candidates[pick.index].route);
            let attempt = Attempt::begin(route, &ask, &pick, self.now);
            let fails = pick.index == sick && self.rng.random_bool(0.6);
            let outcome = [Outcome::Success, Outcome::ServerError][usize::from(fails)];
            let end = End {
                output_tokens: Some(30),
                ..End::of(outcome)
            };
            attempt.finish(&end, self.now.plus(Span::from_millis(pace[pick.index])));
            if turn % 20 == 0 {
                self.pool.fit(self.now.plus(Span::from_millis(600)));
            }
        }
        self.now = self.now.plus(Span::from_secs(self.rng.random_range(1..9)));
    }

    fn beside(&mut self, shadow: &Shadow, ask: &Ask) -> (Decision, Compared, Vec<[f32; 2]>) {
        let mut chances = vec![[0.0; 2]; self.candidates.len()];
        let (decision, compared) = select_beside(
            (&self.pool, shadow),
            (ask, &Tried::default()),
            self.now,
            &mut self.rng,
            |index, live, shadow| chances[index] = [live, shadow],
        );
        (decision, compared, chances)
    }
}

/// Live constants that make use of everything that a choice can depend on.
fn live() -> Tuning {
    let mut tuning = Tuning::default();
    tuning.cost.ms_per_millidollar = 0.05;
    tuning.draw.explore_stale = Span::from_millis(200);
    tuning
}

/// Another tuning, in which some of what acts on the choice is different.
fn other(seed: u64) -> Tuning {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut tuning = live();
    for constant in constants().iter().filter(|it| acts_on_choice(it.name)) {
        let before = tuning;
        if rng.random_bool(0.3) {
            let least = (constant.least)(&tuning);
            let most = constant
                .most
                .min((constant.get)(&tuning).mul_add(2.0, 0.01));
            (constant.set)(&mut tuning, rng.random_range(least..=most.max(least)));
        }
        if tuning.check().is_err() {
            tuning = before;
        }
    }
    tuning
}

#[test]
fn equal_constants_choose_alike_to_the_bit() {
    let (mut draws, mut probes, mut explored) = (0, 0, 0);
    for seed in 0..60 {
        let mut past = Past::new(seed, live());
        let shadow = Shadow::new(&live());
        for _ in 0..30 {
            past.now = past.now.plus(Span::from_millis(300));
            let ask = ask(&mut past.rng, past.candidates.len());
            let (decision, compared, chances) = past.beside(&shadow, &ask);
            for [live, shadow] in chances {
                assert_eq!(live.to_bits(), shadow.to_bits(), "seed {seed}");
            }
            assert_eq!(compared.overlap.to_bits(), 1.0_f32.to_bits(), "seed {seed}");
            assert_eq!(compared.live.to_bits(), compared.shadow.to_bits());
            assert_eq!(compared.live_refuses, compared.shadow_refuses);
            assert!(compared.unsupported <= 0.0);
            if let Decision::Picked(pick) = decision {
                assert_eq!(pick.propensity.to_bits(), compared.live.to_bits());
                draws += u32::from(pick.mode == Mode::Normal);
                probes += u32::from(pick.mode == Mode::Probe);
                explored += u32::from(pick.mode == Mode::Explored);
            }
        }
    }
    assert!(
        draws > 300 && probes > 0 && explored > 0,
        "{draws}, {probes}, {explored}"
    );
}

/// The live decision does not know of the shadow.
#[test]
fn the_live_decision_is_the_one_without_a_shadow() {
    for seed in 0..40 {
        let (mut with, mut without) = (Past::new(seed, live()), Past::new(seed, live()));
        let shadow = Shadow::new(&other(seed));
        let asked = ask(&mut SmallRng::seed_from_u64(seed), with.candidates.len());
        let (decision, ..) = with.beside(&shadow, &asked);
        let tried = Tried::default();
        let plain = select(&without.pool, &asked, &tried, without.now, &mut without.rng);
        assert_eq!(decision, plain, "seed {seed}");
    }
}

/// The shadow's probabilities are those of a pool of the same routes that goes by its constants.
#[test]
fn other_constants_choose_as_a_pool_of_their_own() {
    let mut differing = 0;
    for seed in 0..100 {
        let (mut base, mut tried_out) = (live(), other(seed));
        (base.draw.explore, tried_out.draw.explore) = (0.0, 0.0);
        let mut past = Past::new(seed, base);
        let shadow = Shadow::new(&tried_out);
        let twin = Pool::new(past.candidates.clone(), tried_out);
        let ask = ask(&mut past.rng, past.candidates.len());
        // The twin refreshes its expected lengths on its first decision.
        let _ = select(
            &twin,
            &ask,
            &Tried::default(),
            past.now,
            &mut SmallRng::seed_from_u64(0),
        );
        let of_twin = explain(&twin, &ask, &Tried::default(), past.now);
        let (decision, compared, chances) = past.beside(&shadow, &ask);
        if matches!(decision, Decision::Picked(pick) if pick.mode == Mode::Probe)
            || of_twin.mode == Some(Mode::Probe)
        {
            continue;
        }
        let mut overlap = 0.0;
        for (told, [live, shadow]) in of_twin.candidates.iter().zip(&chances) {
            assert!((told.propensity - shadow).abs() < 1e-6, "seed {seed}");
            overlap += live.min(*shadow);
        }
        if !compared.live_refuses && !compared.shadow_refuses {
            assert!((overlap - compared.overlap).abs() < 1e-5, "seed {seed}");
        }
        differing += u32::from(compared.overlap < 0.999);
    }
    assert!(differing > 15, "{differing}");
}

/// Two routes of which one is far outside the band: how often the shadow would explore it.
#[test]
fn the_shadow_explores_on_its_own_account() {
    for (explore, least, most) in [(0.0, 0.0, 0.0), (0.005, 0.002, 0.006), (0.02, 0.01, 0.024)] {
        let mut base = Tuning::default();
        base.draw.explore_stale = Span::ZERO;
        let mut tuning = base;
        tuning.draw.explore = explore;
        let mut past = Past::new(4, base);
        past.candidates.truncate(2);
        for (index, candidate) in past.candidates.iter_mut().enumerate() {
            let model = Prior {
                ttft: Span::from_millis([500, 1_200][index]),
                tpot: Span::from_millis(1),
                ..Prior::default()
            };
            let (parent, told) = (Arc::new(Parent::default()), ToldLimits::default());
            candidate.route = Arc::new(Route::new(parent, &model, &told, &base));
        }
        assert_eq!(past.candidates.len(), 2);
        past.pool = Pool::new(past.candidates.clone(), base);
        // Measured, so that each counts as what it is.
        for (index, millis) in [(0, 500), (1, 1_200)] {
            for _ in 0..60 {
                past.now = past.now.plus(Span::from_millis(20));
                let mut tried = Tried::default();
                tried.insert(1 - index);
                let ask = ask(&mut past.rng, 2);
                let ask = Ask {
                    class: Class::Embedding,
                    affinity: None,
                    ..ask
                };
                let decision = select(&past.pool, &ask, &tried, past.now, &mut past.rng);
                let Decision::Picked(pick) = decision else {
                    panic!("{decision:?}");
                };
                let route = Arc::clone(&past.candidates[index].route);
                let attempt = Attempt::begin(route, &ask, &pick, past.now);
                let ended = past.now.plus(Span::from_millis(millis));
                attempt.finish(&End::of(Outcome::Success), ended);
            }
        }
        past.now = past.now.plus(Span::from_secs(2));
        past.pool.fit(past.now);
        let shadow = Shadow::new(&tuning);
        let ask = Ask {
            class: Class::Embedding,
            input_tokens: 10,
            max_tokens: None,
            deadline: None,
            probe_ok: false,
            affinity: None,
        };
        let mut share = 0.0;
        for _ in 0..10_000 {
            let (_, _, chances) = past.beside(&shadow, &ask);
            share += chances[1][1] / 10_000.0;
        }
        assert!((least..=most).contains(&share), "{explore}: {share}");
    }
}

/// Both policies over a static world: the interval holds the difference that the probabilities make.
#[test]
fn the_interval_covers_what_the_probabilities_make() {
    const SEEDS: u64 = 40;
    let mut covered = 0;
    for seed in 0..SEEDS {
        let mut base = Tuning::default();
        (base.draw.explore, base.draw.band) = (0.0, 0.5);
        let mut tuning = base;
        (tuning.draw.band, tuning.draw.edge) = (0.05, 0.2);
        let mut past = Past::new(2, base);
        past.rng = SmallRng::seed_from_u64(seed);
        let count = past.candidates.len();
        let (shadow, tally) = (Shadow::new(&tuning), Tally::new(count));
        let ask = Ask {
            class: Class::Chat,
            input_tokens: 100,
            max_tokens: None,
            deadline: None,
            probe_ok: false,
            affinity: None,
        };
        let law = |index: usize| 300.0 + 40.0 * index as f64;
        let mut truth = 0.0;
        for _ in 0..1_500 {
            let (decision, compared, chances) = past.beside(&shadow, &ask);
            for (index, [live, shadow]) in chances.into_iter().enumerate() {
                tally.considered(index, live, shadow);
                truth += f64::from(shadow - live) * law(index) / 1_500.0;
            }
            tally.decided(&compared);
            let Decision::Picked(pick) = decision else {
                panic!("{decision:?}");
            };
            let end = shadow::End {
                first_succeeded: true,
                cost_ms: law(pick.index) * past.rng.random_range(0.2..1.8),
                ttft_ms: None,
            };
            tally.ended(Weight::of(&compared).unwrap(), &end);
        }
        let report = tally.report();
        let told = report.cost_ms.unwrap();
        assert!(report.agreement < 0.95, "{report:?}");
        let shares: f64 = report.routes.iter().map(|it| it.shadow).sum();
        assert!((shares - 1.0).abs() < 1e-3, "{report:?}");
        covered += u64::from((told.low..=told.high).contains(&truth));
    }
    assert!(covered * 10 >= SEEDS * 9, "{covered} of {SEEDS}");
}
