//! How long does the semantic cache look for a neighbour, and decide about it?
//!
//! # Invariants
//! - Every measured question is free of allocations; the bench stops if it is not.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use allocation_counter::measure;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trimtab::cache::semantic::index::Index;
use trimtab::cache::semantic::policy::{
    Calibration, EntryFloor, Question, Settings, Source, Truth, decide,
};

/// Entries of an index.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Numbers in a vector: a small sentence transformer's.
const WIDTH: usize = 384;

/// What strangers have in common, as a share of their squared length: none, and as much as in a namespace of one subject.
const CROWDS: [f32; 2] = [0.0, 0.5];

/// The least similarity asked for.
const LEAST: f32 = 0.85;

fn vector(rng: &mut SmallRng, common: &[f32], crowd: f32) -> Vec<f32> {
    // The sum of a few uniform draws is near enough to normal.
    let draw = |_| (0..4).map(|_| rng.random::<f32>()).sum::<f32>() - 2.0;
    let own: Vec<f32> = (0..WIDTH).map(draw).collect();
    let length = own.iter().map(|x| x * x).sum::<f32>().sqrt();
    let mix = |(x, y): (&f32, &f32)| x / length * (1.0 - crowd).sqrt() + y * crowd.sqrt();
    own.iter().zip(common).map(mix).collect()
}

/// An index and questions, one of them near to an entry.
fn filled(size: usize, crowd: f32) -> (Index, Vec<Vec<f32>>) {
    let rng = &mut SmallRng::seed_from_u64(7);
    let common = vector(rng, &[0.0; WIDTH], 0.0);
    let vectors: Vec<_> = (0..size).map(|_| vector(rng, &common, crowd)).collect();
    let index = Index::new(WIDTH);
    let all: Vec<_> = (0..).zip(vectors.iter().map(Vec::as_slice)).collect();
    assert!(index.insert_all(&all).is_ok(), "all have the index's width");
    let mut questions: Vec<_> = (0..15).map(|_| vector(rng, &common, crowd)).collect();
    let other = vector(rng, &common, crowd);
    let near = vectors[size / 2].iter().zip(&other);
    questions.push(near.map(|(x, y)| x + 0.3 * y).collect());
    (index, questions)
}

fn nearest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("nearest");
    for crowd in CROWDS {
        for size in SIZES {
            let (index, questions) = filled(size, crowd);
            let mut turn = questions.iter().cycle();
            let mut ask = || {
                turn.next()
                    .map_or(0, |question| index.nearest(question, LEAST).len())
            };
            ask();
            let counted = measure(|| {
                black_box((0..32).map(|_| ask()).sum::<usize>());
            });
            assert_eq!(counted.count_total, 0, "a question allocates");
            let name = format!("crowd {crowd}");
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(&mut ask);
            });
        }
    }
}

fn write(criterion: &mut Criterion) {
    let (index, questions) = filled(10_000, 0.0);
    criterion.bench_function("insert and remove", |bencher| {
        bencher.iter(|| {
            let kept = index.insert(u64::MAX, &questions[0]);
            (kept, index.remove(u64::MAX))
        });
    });
}

fn policy(criterion: &mut Criterion) {
    let settings = Settings::default();
    let mut calibration = Calibration::default();
    let rng = &mut SmallRng::seed_from_u64(7);
    for _ in 0..5_000 {
        let similarity = 0.75 + 0.25 * rng.random::<f32>();
        calibration.see(similarity);
        let truth = if rng.random_bool(0.01) {
            Truth::Different
        } else {
            Truth::Same
        };
        let _ = calibration.label(similarity, truth, Source::Shadow, &settings);
    }
    criterion.bench_function("settle", |bencher| {
        bencher.iter(|| calibration.settle(&settings));
    });
    let standing = calibration.standing(&settings);
    let floor = EntryFloor::default();
    criterion.bench_function("decide", |bencher| {
        bencher.iter(|| {
            let question = Question {
                similarity: black_box(0.93),
                floor: &floor,
                tightened: None,
            };
            decide(&question, standing, &settings)
        });
    });
}

criterion_group!(benches, nearest, write, policy);
criterion_main!(benches);
