//! Does the index answer as a plain list of vectors would?

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fearless_simd::Level;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::probe::limit;
use super::turn::Scratch;
use super::{Index, MOST, TOLERANCE, Unfit, WIDEST};

/// A normal draw, by Box and Muller.
fn normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * rng.random::<f64>().max(1e-300).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

fn unit(mut vector: Vec<f64>) -> Vec<f64> {
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    vector
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn stranger(rng: &mut StdRng, width: usize) -> Vec<f64> {
    unit((0..width).map(|_| normal(rng)).collect())
}

/// A vector whose cosine with `of` is exactly `cosine`.
fn neighbour(rng: &mut StdRng, of: &[f64], cosine: f64) -> Vec<f64> {
    let other = stranger(rng, of.len());
    let along = dot(&other, of);
    let across: Vec<f64> = other.iter().zip(of).map(|(x, y)| x - along * y).collect();
    let across = unit(across);
    let sine = (1.0 - cosine * cosine).sqrt();
    of.iter()
        .zip(&across)
        .map(|(x, y)| cosine * x + sine * y)
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "what embedders give")]
fn narrow(vector: &[f64]) -> Vec<f32> {
    vector.iter().map(|number| *number as f32).collect()
}

/// Unit vectors around a few centres, with a few axes blown up as in an embedder's output.
fn clustered(rng: &mut StdRng, width: usize, count: usize) -> Vec<Vec<f64>> {
    let centres: Vec<_> = (0..20).map(|_| stranger(rng, width)).collect();
    (0..count)
        .map(|at| {
            let mut vector = neighbour(rng, &centres[at % centres.len()], 0.75);
            vector[3] += 0.4;
            vector[width / 2] *= 3.0;
            unit(vector)
        })
        .collect()
}

/// The share of planted neighbours that are found first, and the largest error of a similarity.
fn recall(rng: &mut StdRng, entries: &[Vec<f64>], questions: usize) -> (f64, f64) {
    let index = Index::new(entries[0].len());
    let narrowed: Vec<_> = entries.iter().map(|entry| narrow(entry)).collect();
    let all: Vec<_> = (0..).zip(narrowed.iter().map(Vec::as_slice)).collect();
    index.insert_all(&all).unwrap();
    let (mut found, mut worst) = (0.0, 0.0_f64);
    for at in 0..questions {
        let cosine = 0.85 + 0.15 * rng.random::<f64>();
        let question = neighbour(rng, &entries[at % entries.len()], cosine);
        let cosines = entries.iter().map(|entry| dot(entry, &question));
        let best = cosines.fold(f64::MIN, f64::max);
        let nearest = index.nearest(&narrow(&question), 0.85);
        for near in nearest.iter() {
            let entry = &entries[usize::try_from(near.id).unwrap()];
            worst = worst.max((f64::from(near.similarity) - dot(entry, &question)).abs());
        }
        let first = nearest
            .first()
            .map(|near| dot(&entries[usize::try_from(near.id).unwrap()], &question));
        // Entries within the tolerance of the best are as good as it; one at the very edge may round below it.
        let good = first.is_some_and(|first| first > best - f64::from(TOLERANCE));
        if good || best < 0.85 + f64::from(TOLERANCE) {
            found += 1.0;
        }
    }
    (found / f64::from(u32::try_from(questions).unwrap()), worst)
}

#[test]
fn planted_neighbours_are_found() {
    for (seed, width, count) in [(1, 384, 200), (2, 100, 400), (3, 768, 60)] {
        let rng = &mut StdRng::seed_from_u64(seed);
        let strangers: Vec<_> = (0..count).map(|_| stranger(rng, width)).collect();
        let crowd = clustered(rng, width, count);
        for (kind, entries) in [("random", strangers), ("clustered", crowd)] {
            let (share, worst) = recall(rng, &entries, 1_000);
            assert!(share >= 0.999, "seed {seed}, {kind}, {width}: {share}");
            assert!(worst < f64::from(TOLERANCE), "{kind}, {width}: {worst}");
        }
    }
}

/// The prefilter's bound, by itself: pairs at exactly the least similarity, of vectors that are all but aligned with the axes.
#[test]
fn few_pairs_at_the_least_similarity_have_too_many_differing_signs() {
    let rng = &mut StdRng::seed_from_u64(4);
    for width in [64, 192, 384] {
        for cosine in [0.8, 0.9, 0.98] {
            let missed = (0..1_000)
                .filter(|at| {
                    let mut axis = vec![0.001; width];
                    axis[at % width] = 1.0;
                    let axis = unit(axis);
                    let other = neighbour(rng, &axis, cosine);
                    let (mut left, mut right) = (Scratch::new(), Scratch::new());
                    let left = left.turn(&narrow(&axis)).to_vec();
                    let right = right.turn(&narrow(&other));
                    let pairs = left.iter().zip(right);
                    let differ =
                        pairs.filter(|(a, b)| a.is_sign_negative() != b.is_sign_negative());
                    #[expect(clippy::cast_possible_truncation, reason = "a cosine")]
                    let most = limit(width, cosine as f32);
                    differ.count() as u64 > most
                })
                .count();
            assert!(missed <= 1, "{width} at {cosine}: {missed} of 1,000");
        }
    }
}

/// What `nearest` must hold, given the true cosines of all entries.
fn check(index: &Index, twin: &HashMap<u64, Vec<f64>>, question: &[f64], least: f32, seed: u64) {
    let nearest = index.nearest(&narrow(question), least);
    let slack = f64::from(TOLERANCE);
    for pair in nearest.windows(2) {
        assert!(pair[0].similarity >= pair[1].similarity, "seed {seed}");
    }
    for near in nearest.iter() {
        assert!(near.similarity >= least, "seed {seed}");
        let cosine = dot(&twin[&near.id], question);
        assert!(
            (cosine - f64::from(near.similarity)).abs() < slack,
            "seed {seed}"
        );
    }
    let floor = nearest
        .get(MOST - 1)
        .map_or(least, |near| near.similarity.max(least));
    for (id, vector) in twin {
        let cosine = dot(vector, question);
        if cosine > f64::from(floor) + slack {
            let held = nearest.iter().any(|near| near.id == *id);
            assert!(held, "seed {seed}: {id} at {cosine} is missing");
        }
    }
}

#[test]
fn any_sequence_equals_a_plain_twin() {
    for seed in 0..12 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let width = [1, 64, 96, 130][usize::try_from(seed % 4).unwrap()];
        let index = Index::new(width);
        let mut twin: HashMap<u64, Vec<f64>> = HashMap::new();
        let centre = stranger(rng, width);
        for _ in 0..1_500 {
            let id = rng.random_range(0..700);
            let vector = if width > 1 && rng.random_bool(0.5) {
                neighbour(rng, &centre, 0.93)
            } else {
                stranger(rng, width)
            };
            match rng.random_range(0..10) {
                0..6 => {
                    index.insert(id, &narrow(&vector)).unwrap();
                    twin.insert(id, vector);
                }
                6..9 => assert_eq!(index.remove(id), twin.remove(&id).is_some(), "seed {seed}"),
                _ if width > 1 => check(&index, &twin, &vector, 0.85, seed),
                _ => {}
            }
            assert_eq!(index.len(), twin.len(), "seed {seed}");
        }
        let ids: Vec<u64> = twin.keys().copied().collect();
        for id in ids {
            assert!(index.remove(id), "seed {seed}");
        }
        assert!(index.is_empty() && index.bytes() == 0, "seed {seed}");
    }
}

/// A writer moves a pair of entries together from one place to another; no reader may see them apart, twice, or not at all.
#[test]
fn a_reader_sees_one_published_state() {
    let rng = &mut StdRng::seed_from_u64(9);
    let spots: Vec<Vec<f32>> = (0..40).map(|_| narrow(&stranger(rng, 64))).collect();
    let others: Vec<Vec<f32>> = (0..900).map(|_| narrow(&stranger(rng, 64))).collect();
    let index = Index::new(64);
    let all: Vec<_> = (100..).zip(others.iter().map(Vec::as_slice)).collect();
    index.insert_all(&all).unwrap();
    let put = |spot: &[f32]| index.insert_all(&[(1, spot), (2, spot)]).unwrap();
    put(&spots[0]);
    let done = AtomicBool::new(false);
    let sightings = thread::scope(|scope| {
        let look = || {
            let mut seen = 0;
            let mut round = 0;
            while !done.load(Ordering::Relaxed) || round < spots.len() {
                let nearest = index.nearest(&spots[round % spots.len()], 0.999);
                let pair: Vec<u64> = nearest
                    .iter()
                    .map(|n| n.id)
                    .filter(|id| *id < 100)
                    .collect();
                assert!(pair.is_empty() || pair == [1, 2], "{pair:?}");
                seen += pair.len() / 2;
                round += 1;
            }
            seen
        };
        let readers = [scope.spawn(look), scope.spawn(look)];
        for round in 0..400 {
            put(&spots[round % spots.len()]);
            assert!(index.remove(100 + u64::try_from(round).unwrap()));
        }
        done.store(true, Ordering::Relaxed);
        readers.map(|reader| reader.join().unwrap())
    });
    // The last state stays, so both have met the pair at least once in their last round.
    assert!(sightings.iter().all(|seen| *seen > 0), "{sightings:?}");
}

/// Codes are whole numbers and bits are bits, so no set of instructions rounds differently.
#[test]
fn an_answer_does_not_depend_on_the_processor() {
    let rng = &mut StdRng::seed_from_u64(6);
    let vectors: Vec<_> = clustered(rng, 200, 600);
    let narrowed: Vec<_> = vectors.iter().map(|vector| narrow(vector)).collect();
    let all: Vec<_> = (0..).zip(narrowed.iter().map(Vec::as_slice)).collect();
    let (native, mut plain) = (Index::new(200), Index::new(200));
    plain.level = Level::baseline();
    native.insert_all(&all).unwrap();
    plain.insert_all(&all).unwrap();
    for question in &narrowed[..50] {
        let (a, b) = (native.nearest(question, 0.5), plain.nearest(question, 0.5));
        assert_eq!(a[..], b[..]);
        assert_eq!(a.len(), MOST);
    }
}

#[test]
fn an_unfit_vector_changes_nothing() {
    let index = Index::new(3);
    index.insert(1, &[0.0, 3.0, 4.0]).unwrap();
    let cases: [(&[f32], Unfit); 4] = [
        (&[1.0, 0.0], Unfit::Width { got: 2, want: 3 }),
        (&[0.0; 3], Unfit::Directionless),
        (&[1.0, f32::NAN, 0.0], Unfit::Directionless),
        (&[1.0, f32::INFINITY, 0.0], Unfit::Directionless),
    ];
    for (vector, expect) in cases {
        let batch: [(u64, &[f32]); 2] = [(2, &[1.0, 0.0, 0.0]), (1, vector)];
        assert_eq!(index.insert_all(&batch), Err(expect));
        assert!(index.nearest(vector, 0.0).is_empty());
        assert_eq!(index.len(), 1);
    }
    // A length other than one does not matter.
    let nearest = index.nearest(&[0.0, 0.3, 0.4], 0.9);
    assert_eq!(nearest.len(), 1);
    assert!((nearest[0].similarity - 1.0).abs() < TOLERANCE);
    for width in [0, WIDEST + 1] {
        let refused = Index::new(width).insert(1, &vec![1.0; width]);
        assert_eq!(refused, Err(Unfit::Unsupported(width)));
    }
}

#[test]
fn a_question_allocates_nothing() {
    let rng = &mut StdRng::seed_from_u64(5);
    let index = Index::new(384);
    let vectors: Vec<_> = (0..50).map(|_| narrow(&stranger(rng, 384))).collect();
    let all: Vec<_> = (0..).zip(vectors.iter().map(Vec::as_slice)).collect();
    index.insert_all(&all).unwrap();
    // The first question of a thread makes the snapshot's bookkeeping.
    assert_eq!(index.nearest(&vectors[0], 0.9).len(), 1);
    let counted = allocation_counter::measure(|| {
        assert_eq!(index.nearest(&vectors[7], 0.9)[0].id, 7);
    });
    assert_eq!(counted.count_total, 0);
}
