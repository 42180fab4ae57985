//! Does the adaptive policy hold its bound on streams whose truth is known?
//!
//! The stream is made to look like Banking77 under a small sentence transformer: 77 intents, three of a topic, phrasings of unequal popularity, and lines whose label is another intent's the more often, the farther they are from any phrasing.
//! A fixed threshold of 0.94 then serves 23 % of its lines, 2.3 % of them wrongly.

use std::thread;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::super::index::{Index, MOST, Near, Nearest, Unfit};
use super::super::policy::{Settings, Start};
use super::{Conditions, Line, Policy, Shelf, Slice, replay, sweep};

const LINES: usize = 10_000;
const INTENTS: usize = 77;
const PHRASINGS: usize = 14;
const WIDTH: usize = 64;
const SHUFFLES: u64 = 20;

/// How a stream's labels are.
struct Noise {
    /// The share of labels that are another intent's, however plain the line.
    floor: f64,
    /// What is added to it for the lines farthest from any phrasing.
    far: f64,
}

const BANKING: Noise = Noise {
    floor: 0.009,
    far: 0.12,
};

/// A namespace of plain questions: a tenth of the errors.
const PLAIN: Noise = Noise {
    floor: 0.0005,
    far: 0.01,
};

fn direction(rng: &mut StdRng) -> Vec<f32> {
    // Twelve uniform draws add up to something near enough to normal.
    let normal = |_| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    unit((0..WIDTH).map(normal).collect())
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    vector
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A vector near to another, in a random direction.
fn near(rng: &mut StdRng, of: &[f32], by: f32) -> Vec<f32> {
    let off = direction(rng);
    unit(of.iter().zip(&off).map(|(x, y)| x + by * y).collect())
}

/// The lines, each with its own number as its features.
fn stream(seed: u64, noise: &Noise) -> Vec<Line<usize>> {
    let rng = &mut StdRng::seed_from_u64(seed);
    let topics: Vec<_> = (0..INTENTS.div_ceil(3)).map(|_| direction(rng)).collect();
    let phrasings: Vec<Vec<Vec<f32>>> = (0..INTENTS)
        .map(|intent| {
            let intent = near(rng, &topics[intent / 3], 0.35);
            (0..PHRASINGS).map(|_| near(rng, &intent, 0.4)).collect()
        })
        .collect();
    (0..LINES)
        .map(|features| {
            let intent = rng.random_range(0..INTENTS);
            let popular = rng.random::<f64>().powf(1.6) * 14.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 14"
            )]
            let phrasing = (popular as usize).min(PHRASINGS - 1);
            let off = 0.1 + 0.59 * rng.random::<f64>();
            let doubt = noise.floor + noise.far * (off / 0.69).powi(3);
            let stray = rng.random::<f64>() < doubt;
            let other = (intent / 3 * 3 + (intent + 1) % 3).min(INTENTS - 1);
            #[expect(clippy::cast_possible_truncation, reason = "a length")]
            let vector = near(rng, &phrasings[intent][phrasing], off as f32);
            let answer = if stray { other } else { intent } as u64;
            Line {
                vector,
                features,
                answer,
            }
        })
        .collect()
}

/// For every line the others that are near, so that shuffles need not search again.
fn neighbours(lines: &[Line<usize>], least: f32) -> Vec<Vec<(f32, usize)>> {
    let mut found: Vec<Vec<(f32, usize)>> = vec![Vec::new(); lines.len()];
    let mut topics: Vec<Vec<usize>> = vec![Vec::new(); INTENTS.div_ceil(3)];
    for line in lines {
        let topic = usize::try_from(line.answer).unwrap() / 3;
        for other in &topics[topic] {
            let similarity = dot(&line.vector, &lines[*other].vector);
            if similarity >= least {
                found[line.features].push((similarity, *other));
                found[*other].push((similarity, line.features));
            }
        }
        topics[topic].push(line.features);
    }
    for near in &mut found {
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    found
}

/// Entries whose neighbours are known beforehand.
struct Known<'a> {
    neighbours: &'a [Vec<(f32, usize)>],
    /// The entry that each line of the stream is.
    entries: Vec<Option<u64>>,
}

impl Shelf<usize> for Known<'_> {
    fn nearest(&self, line: &Line<usize>, least: f32) -> Nearest {
        let mut nearest = Nearest::new(least);
        let held = self.neighbours[line.features].iter();
        held.filter_map(|(similarity, other)| Some((*similarity, self.entries[*other]?)))
            .take(MOST)
            .for_each(|(similarity, id)| {
                nearest.offer(Near { id, similarity });
            });
        nearest
    }

    fn insert(&mut self, id: u64, line: &Line<usize>) -> Result<(), Unfit> {
        self.entries[line.features] = Some(id);
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        for entry in self.entries.iter_mut().filter(|entry| **entry == Some(id)) {
            *entry = None;
        }
    }
}

/// A stream, and what its shuffles have in common.
struct Stage {
    lines: Vec<Line<usize>>,
    neighbours: Vec<Vec<(f32, usize)>>,
}

impl Stage {
    fn new(noise: &Noise) -> Self {
        let lines = stream(1, noise);
        let neighbours = neighbours(&lines, 0.8);
        Self { lines, neighbours }
    }

    fn shuffle(&self, policy: &Policy, judge_error: f64, seed: u64) -> Slice {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut lines = self.lines.clone();
        lines.shuffle(&mut rng);
        let mut shelf = Known {
            neighbours: &self.neighbours,
            entries: vec![None; lines.len()],
        };
        let conditions = Conditions {
            policy: policy.clone(),
            veto: |_: &usize, _: &usize| false,
            judge_error,
            slices: 1,
        };
        let report = replay(&lines, &mut shelf, &conditions, &mut rng);
        report.unwrap().total()
    }

    fn shuffles(&self, policy: &Policy, judge_error: f64) -> Vec<Slice> {
        let half = |seeds: std::ops::Range<u64>| -> Vec<Slice> {
            let one = |seed| self.shuffle(policy, judge_error, seed);
            seeds.map(one).collect()
        };
        thread::scope(|scope| {
            let first = scope.spawn(|| half(0..SHUFFLES / 2));
            let mut all = half(SHUFFLES / 2..SHUFFLES);
            all.extend(first.join().unwrap());
            all
        })
    }

    fn prove(&self, max_error: f64, judge_error: f64) -> Vec<Slice> {
        let settings = Settings {
            max_error,
            start: Start::Prove,
            ..Settings::default()
        };
        let totals = self.shuffles(&Policy::Adaptive(settings), judge_error);
        for (seed, total) in totals.iter().enumerate() {
            let share = total.wrong_share();
            assert!(
                share <= max_error,
                "seed {seed}: {share} of {max_error}: {total:?}"
            );
        }
        totals
    }
}

fn mean(totals: &[Slice]) -> f64 {
    let sum: f64 = totals.iter().map(Slice::hit_rate).sum();
    sum / f64::from(u32::try_from(totals.len()).unwrap())
}

/// In 20 of 20: a proof errs in one window of twenty at most, and when it does the share is hardly above the bound.
#[test]
fn the_bound_holds_on_shuffled_replays() {
    let stage = Stage::new(&BANKING);
    let fixed = mean(&stage.shuffles(&Policy::Static(0.94), 0.0));
    // One hit in seventy is wrong however near it is: nothing can be proven, and nothing is served.
    assert!(mean(&stage.prove(0.01, 0.0)) < 0.01);
    stage.prove(0.02, 0.0);
    let adaptive = mean(&stage.prove(0.05, 0.0));
    assert!(adaptive > fixed + 0.02, "{adaptive} beside {fixed}");
    stage.prove(0.05, 0.03);
}

#[test]
fn plain_questions_earn_hits_under_a_strict_bound() {
    let stage = Stage::new(&PLAIN);
    let fixed = mean(&stage.shuffles(&Policy::Static(0.94), 0.0));
    let strict = mean(&stage.prove(0.01, 0.0));
    assert!(strict > fixed, "{strict} beside {fixed}");
    let usual = mean(&stage.prove(0.02, 0.0));
    assert!(usual > strict, "{usual} beside {strict}");
    // A judge that errs costs hits and not the bound.
    let misjudged = mean(&stage.prove(0.05, 0.03));
    assert!(misjudged > 0.05, "{misjudged}");
}

/// What the operator trusts holds here, so the policy leaves it alone, but for what labels seem to say at times.
#[test]
fn a_trusted_threshold_serves_from_the_first_question_on() {
    let stage = Stage::new(&BANKING);
    let settings = Settings {
        max_error: 0.05,
        ..Settings::default()
    };
    let fixed = mean(&stage.shuffles(&Policy::Static(0.94), 0.0));
    let totals = stage.shuffles(&Policy::Adaptive(settings), 0.0);
    assert!(totals.iter().all(|total| total.wrong_share() <= 0.05));
    assert!(mean(&totals) > fixed + 0.1, "{}", mean(&totals));
}

fn line(vector: [f32; 2], features: &'static str, answer: u64) -> Line<&'static str> {
    let vector = vector.to_vec();
    Line {
        vector,
        features,
        answer,
    }
}

fn differ(line: &&str, stored: &&str) -> bool {
    line != stored
}

/// Two answers, one of them asked for in words that only a guard tells apart.
fn four() -> Vec<Line<&'static str>> {
    vec![
        line([1.0, 0.0], "red", 1),
        line([0.99, 0.05], "blue", 2),
        line([0.99, 0.04], "blue", 2),
        line([0.0, 1.0], "red", 3),
    ]
}

#[test]
fn every_row_replays_for_itself() {
    let settings = Settings {
        threshold: 0.95,
        trial_share: 1.0,
        ..Settings::default()
    };
    let rows = sweep(&four(), &[0.9, 1.1], &settings, differ, 7).unwrap();
    let got: Vec<_> = rows
        .iter()
        .map(|row| {
            let total = row.report.total();
            (
                row.threshold,
                row.guarded,
                total.hits,
                total.wrong,
                total.vetoed,
            )
        })
        .collect();
    let expect = [
        // Without guards the second and the third line are served the first one's answer.
        (Some(0.9), false, 2, 2, 0),
        (Some(0.9), true, 1, 0, 1),
        (Some(1.1), false, 0, 0, 0),
        (Some(1.1), true, 0, 0, 0),
        // The first wrong answer is audited, and no second is served.
        (None, false, 1, 1, 0),
        (None, true, 1, 0, 1),
    ];
    assert_eq!(got, expect);
    assert_eq!(
        sweep(&four(), &[0.9, 1.1], &settings, differ, 7).unwrap(),
        rows
    );
    assert!(
        sweep(&[], &[0.9], &settings, differ, 7).unwrap()[0]
            .report
            .slices
            .is_empty()
    );
}

#[test]
fn a_line_of_another_width_is_refused() {
    let mut lines = four();
    lines[2].vector.push(1.0);
    let refused = sweep(&lines, &[0.9], &Settings::default(), differ, 7);
    assert_eq!(refused, Err(Unfit::Width { got: 3, want: 2 }));
}

#[test]
fn slices_add_up() {
    let lines = stream(3, &BANKING);
    let mut rng = StdRng::seed_from_u64(3);
    let conditions = Conditions {
        policy: Policy::Static(0.9),
        veto: |_: &usize, _: &usize| false,
        judge_error: 0.0,
        slices: 4,
    };
    let mut shelf = Index::new(WIDTH);
    let report = replay(&lines[..510], &mut shelf, &conditions, &mut rng).unwrap();
    let lengths: Vec<_> = report.slices.iter().map(|slice| slice.requests).collect();
    assert_eq!(lengths, [128, 128, 128, 126]);
    let total = report.total();
    assert_eq!(total.requests - total.hits, shelf.len() as u64);
}
