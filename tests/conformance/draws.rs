//! What is drawn: noise and the share of requests that a fault strikes agree in distribution.
//!
//! Both sides draw from fixed seeds (stand-in 0, world 7), so these tests cannot flicker; the tolerances are those of chance.

use scoring::Outcome;
use scoring::time::Span;

use crate::play::{Pair, play};
use crate::scene::{Asked, Scene};

/// Draws of each side.
const DRAWS: u64 = 2_000;

/// The largest gap between the distributions of two samples of [`DRAWS`] that chance explains: `1.95·√(2/n)`, once in a thousand.
const LARGEST_GAP: f64 = 0.0617;

/// Kolmogorov and Smirnov's distance of two samples.
fn gap(mut one: Vec<f64>, mut other: Vec<f64>) -> f64 {
    one.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let below = |sample: &[f64], value: f64| {
        sample.partition_point(|it| *it <= value) as f64 / sample.len() as f64
    };
    one.iter()
        .chain(&other)
        .map(|value| (below(&one, *value) - below(&other, *value)).abs())
        .fold(0.0, f64::max)
}

/// The value below which a share of the sample lies.
fn quantile(sample: &[f64], share: f64) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(share * (sorted.len() - 1) as f64) as usize]
}

/// Linear correlation.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (a, b) = (mean(one), mean(other));
    let sum = |f: &dyn Fn(f64, f64) -> f64| {
        one.iter()
            .zip(other)
            .map(|(x, y)| f(x - a, y - b))
            .sum::<f64>()
    };
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

/// Logarithms of first token and rest, of either side.
fn phases(pairs: &[Pair]) -> [[Vec<f64>; 2]; 2] {
    let of = |first: Option<Span>, end: Span| {
        let first = first.unwrap().as_micros() as f64;
        [first.ln(), (end.as_micros() as f64 - first).ln()]
    };
    let column = |rows: Vec<[f64; 2]>| [0, 1].map(|at| rows.iter().map(|row| row[at]).collect());
    [
        column(
            pairs
                .iter()
                .map(|it| of(it.seen.first, it.seen.end))
                .collect(),
        ),
        column(
            pairs
                .iter()
                .map(|it| of(it.fate.first, it.fate.end))
                .collect(),
        ),
    ]
}

#[test]
fn noise_is_log_normal_of_median_one_for_each_phase() {
    for sigma in [0.2, 0.8] {
        let keys = format!("ttft = '2s'\nttft_per_token = 0.0\ntpot = '1s'\nnoise = {sigma}\n");
        let scene = Scene::paced(&keys)
            .answer(3)
            .clocks("head = '1h'\nbetween_tokens = '1h'\ntotal = '2h'");
        let asked: Vec<_> = (0..DRAWS)
            .map(|number| Asked::stream(60_000 * number, 1))
            .collect();
        let [seen, fate] = phases(&play(&scene, &asked));
        for phase in [0, 1] {
            let gap = gap(seen[phase].clone(), fate[phase].clone());
            assert!(gap < LARGEST_GAP, "σ {sigma}, phase {phase}: {gap}");
            for (sample, side) in [(&seen, "stand-in"), (&fate, "world")] {
                // Quantiles of the normal distribution; two seconds are the median of either phase.
                for (share, z) in [(0.1, -1.2816), (0.5, 0.0), (0.9, 1.2816), (0.99, 2.3263)] {
                    let expected = 2e6_f64.ln() + sigma * z;
                    let found = quantile(&sample[phase], share);
                    let tolerance = sigma * if share > 0.95 { 0.3 } else { 0.13 };
                    let near = (found - expected).abs() < tolerance;
                    assert!(
                        near,
                        "{side}, σ {sigma}, phase {phase}, {share}: {found} {expected}"
                    );
                }
            }
        }
        for (sample, side) in [(&seen, "stand-in"), (&fate, "world")] {
            let shared = correlation(&sample[0], &sample[1]);
            // Four standard errors.
            assert!(
                shared.abs() < 4.0 / (DRAWS as f64).sqrt(),
                "{side}: {shared}"
            );
        }
    }
}

/// Of each side, how many of the pairs ended so.
fn struck(pairs: &[Pair], outcome: Outcome) -> [f64; 2] {
    let count = |of: &dyn Fn(&Pair) -> Outcome| {
        pairs.iter().filter(|pair| of(pair) == outcome).count() as f64 / pairs.len() as f64
    };
    [count(&|it| it.seen.outcome), count(&|it| it.fate.outcome)]
}

/// Whether a share of so many draws is within four standard errors of the chance.
fn is_near(share: f64, chance: f64, draws: usize) -> bool {
    (share - chance).abs() <= 4.0 * (chance * (1.0 - chance) / draws as f64).sqrt()
}

const AT_ONCE: &str = "ttft = '0'\nttft_per_token = 0.0\ntpot = '0'\nnoise = 0.0\n";

#[test]
fn faults_strike_as_often() {
    // The second strikes 30 % of what the first has left.
    let scene = Scene::paced(AT_ONCE)
        .fault("kind = '503'\nprobability = 0.2")
        .fault("kind = '500'\nprobability = 0.3");
    let asked: Vec<_> = (0..DRAWS)
        .map(|number| Asked::whole(10 * number, 1))
        .collect();
    let pairs = play(&scene, &asked);
    for (outcome, chance) in [
        (Outcome::Overloaded, 0.2),
        (Outcome::ServerError, 0.8 * 0.3),
        (Outcome::Success, 0.8 * 0.7),
    ] {
        for (share, side) in struck(&pairs, outcome)
            .into_iter()
            .zip(["stand-in", "world"])
        {
            assert!(
                is_near(share, chance, pairs.len()),
                "{side}: {outcome:?} {share}"
            );
        }
    }
}

#[test]
fn chances_ramp_alike() {
    // From 10 % to 90 % over 100 s, and again from 120 s on.
    let scene = Scene::paced(AT_ONCE).fault(
        "until = '100s'\nevery = '120s'\nkind = '500'\nprobability = 0.1\nprobability_to = 0.9",
    );
    let asked: Vec<_> = (0..2 * DRAWS)
        .map(|number| Asked::whole(60 * number, 1))
        .collect();
    let pairs = play(&scene, &asked);
    for (part, chance) in [
        (0, 0.18),
        (1, 0.34),
        (2, 0.5),
        (3, 0.66),
        (4, 0.82),
        (5, 0.0),
    ] {
        let within = |pair: &&Pair| pair.asked.at_ms % 120_000 / 20_000 == part;
        let of_part: Vec<_> = pairs.iter().filter(within).cloned().collect();
        for (share, side) in struck(&of_part, Outcome::ServerError)
            .into_iter()
            .zip(["stand-in", "world"])
        {
            let near = is_near(share, chance, of_part.len());
            assert!(near, "{side}, {part}: {share} of {}", of_part.len());
        }
    }
}
