//! Which requests a key admits: hundreds in a row against every kind of limit.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::Outcome;

use crate::play::agree;
use crate::scene::{Asked, Scene};

/// Requests of a sequence.
const REQUESTS: u64 = 300;

/// Requests at odd instants about `gap_ms` apart, of odd lengths, half of them without `max_tokens`.
fn drawn(seed: u64, gap_ms: u64) -> Vec<Asked> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut at = 0;
    let mut next = || {
        at += rng.random_range(1..2 * gap_ms);
        let input = rng.random_range(1..800);
        let asked = match rng.random_range(0..6) {
            0 => Asked::embedding(at, input),
            1 | 2 => Asked::whole(at, input),
            _ => Asked::stream(at, input),
        };
        if asked.class.decodes() && rng.random_bool(0.5) {
            asked.most(rng.random_range(1..200))
        } else {
            asked
        }
    };
    (0..REQUESTS).map(|_| next()).collect()
}

/// Limits, and the mean gap in ms that is too much for them.
const SEQUENCES: [(&str, u64); 16] = [
    ("rpm = 60", 300),
    ("tpm = 20000", 400),
    ("itpm = 16000", 400),
    ("otpm = 3000", 500),
    ("rpd = 150", 2_000),
    ("rpm = 120, burst = '1s'", 250),
    ("tpm = 60000, burst = '3s'", 250),
    ("rpm = 60, slice = '1s'", 400),
    ("rpm = 90, slice = '10s'", 300),
    ("rpm = 50, slice = '7s', burst = '500ms'", 400),
    ("tpm = 20000, settle = true", 300),
    (
        "otpm = 4000, tpm = 30000, settle = true, unset_max_tokens = 400",
        400,
    ),
    ("tpm = 25000, unset_max_tokens = 500", 500),
    ("rpm = 60, tpm = 20000, charge_refused = true", 400),
    ("rpm = 40, charge_refused = true, slice = '10s'", 1_000),
    (
        "rpm = 70, tpm = 30000, itpm = 25000, otpm = 5000, rpd = 200, burst = '20s', settle = true",
        500,
    ),
];

#[test]
fn keys_admit_the_same_requests() {
    for (seed, (limits, gap_ms)) in (1..).zip(SEQUENCES) {
        let dialect = crate::dialects::DIALECTS[seed as usize % 8];
        let scene =
            Scene::paced("ttft = '7ms'\nttft_per_token = 10.0\ntpot = '1ms'\nnoise = 0.0\n")
                .limits(dialect, limits)
                .answer(12);
        let fates = agree(&scene, &drawn(seed, gap_ms));
        let admitted = fates
            .iter()
            .filter(|it| it.outcome == Outcome::Success)
            .count();
        assert!(
            (20..280).contains(&admitted),
            "seed {seed}: {limits}: {admitted}"
        );
    }
}

/// A refused request that comes back when it was told to is admitted, and 20 ms earlier, twice what rounding forgives, it is not.
#[test]
fn waits_are_exact() {
    for (limits, wait) in [
        ("rpm = 6, burst = '10s'", 10_000),
        ("tpm = 600, burst = '10s'", 4_000),
        ("rpm = 60, slice = '10s'", 10_000),
    ] {
        let scene = Scene::paced("ttft = '0'\nttft_per_token = 0.0\ntpot = '0'\nnoise = 0.0\n")
            .limits("open-ai", limits)
            .answer(20);
        let taken = if limits.contains("slice") { 10 } else { 1 };
        let mut asked: Vec<_> = (0..taken).map(|at| Asked::whole(at as u64, 60)).collect();
        asked.extend([20, wait - 20, wait + 2].map(|at| Asked::whole(at, 40)));
        let fates = agree(&scene, &asked);
        let outcomes: Vec<_> = fates[taken..].iter().map(|it| it.outcome).collect();
        let refused = Outcome::RateLimited;
        assert_eq!(outcomes, [refused, refused, Outcome::Success], "{limits}");
    }
}
