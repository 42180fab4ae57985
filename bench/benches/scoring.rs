//! How fast are decisions in the mean, and does another thread slow them?
//!
//! `bench/src/bin/decision.rs` has the tails; this is for comparing two versions of the code.
//!
//! # Invariants
//! - Every measured turn is free of allocations; the bench stops if it is not.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use bench::decisions::Desk;
use bench::process::thread_cpu;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Candidates that decisions are measured among.
const SIZES: [usize; 4] = [2, 4, 16, 64];

/// Threads that share one pool.
const THREADS: [u64; 3] = [1, 2, 4];

/// Candidates of the shared pool: few, so that threads do meet.
const SHARED: usize = 4;

/// Stops the bench if a turn allocates.
fn refuse_allocations(desk: &mut Desk) {
    let counted = measure(|| (0..10_000).for_each(|_| desk.turn()));
    assert_eq!(counted.count_total, 0, "a turn allocates");
}

fn select(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select");
    for size in SIZES {
        let mut desk = Desk::new(size);
        refuse_allocations(&mut desk);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| desk.select());
        });
        let mut desk = Desk::of_sessions(size);
        refuse_allocations(&mut desk);
        group.bench_function(BenchmarkId::new("session", size), |bencher| {
            bencher.iter(|| desk.select());
        });
    }
}

/// A selection with the shadow asked, to be compared with `select` of the same size.
fn shadow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shadow");
    for size in [4, 16, 64] {
        let mut desk = Desk::with_shadow(size);
        let counted = measure(|| {
            for _ in 0..10_000 {
                std::hint::black_box(desk.compare());
            }
        });
        assert_eq!(counted.count_total, 0, "asking the shadow allocates");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| desk.compare());
        });
    }
}

fn record(criterion: &mut Criterion) {
    let mut desk = Desk::new(16);
    let pick = desk.select();
    criterion.bench_function("begin and record", |bencher| {
        bencher.iter(|| {
            if let Some(pick) = &pick {
                desk.begin(pick);
                desk.first_byte();
                desk.finish();
            }
        });
    });
}

fn turn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn");
    let desk = Desk::new(SHARED);
    for threads in THREADS {
        group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
            bencher.iter_custom(|turns| together(&desk, threads, turns));
        });
    }
}

/// The mean CPU time in which each of `threads` takes `turns` turns at one pool: flat if none waits for another.
///
/// CPU time, since there may be fewer cores than threads and other work on them.
fn together(desk: &Desk, threads: u64, turns: u64) -> Duration {
    let start = Barrier::new(usize::try_from(threads).unwrap_or(usize::MAX));
    let all = thread::scope(|scope| {
        let one = |seed| {
            let (mut desk, start) = (desk.beside(seed), &start);
            scope.spawn(move || {
                start.wait();
                let from = thread_cpu();
                (0..turns).for_each(|_| desk.turn());
                thread_cpu().saturating_sub(from)
            })
        };
        let running: Vec<_> = (1..=threads).map(one).collect();
        let ended = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default());
        ended.sum::<Duration>()
    });
    all / u32::try_from(threads).unwrap_or(u32::MAX)
}

criterion_group!(benches, select, shadow, record, turn);
criterion_main!(benches);
