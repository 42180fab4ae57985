//! What does it cost to write down what a request reserves and settles?
//!
//! On a real file in the build folder, with the control thread's work done between; the tail is what a request feels, so each pair is also timed alone.
//!
//! # Invariants
//! - A pair of appends is free of allocations; the bench stops if it is not.
//! - The tail is shown beside its bar, at most 5 µs for both writes at p99 on an idle disk.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;
use bench::samples::Samples;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use trimtab::config::Nano;
use trimtab::governance::books::Books;
use trimtab::governance::journal::{
    Disk, Flags, Folder, Journal, Parties, Reserve, Settle, Slot, Slots, Sync, Tokens, Writer,
};
use trimtab::store::Database;

/// Pairs that are timed alone.
const PAIRS: u128 = 200_000;

/// Pairs after which the control thread's turn comes, outside of what is timed: a second's worth at a high rate.
const TURN: u128 = 20_000;

/// What a pair may take at p99, ns.
const BAR_NS: u64 = 5_000;

/// Pairs in a transaction of the books: what they read at once.
const READ: u128 = 2_048;

/// A journal in a folder that is removed with it.
struct Desk {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    journal: Journal,
    writer: Writer,
    id: u128,
}

impl Desk {
    fn new() -> Self {
        let name = format!("journal-{}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // One that a stopped run left behind.
        let _ = std::fs::remove_dir_all(&path);
        let folder = Folder::open(path.clone());
        let disk: Arc<dyn Disk> = match folder {
            Ok(folder) => Arc::new(folder),
            Err(error) => panic_with(&error),
        };
        let mut journal = match Journal::open(Arc::clone(&disk), Sync::Os) {
            Ok(journal) => journal,
            Err(error) => panic_with(&error),
        };
        let writer = journal.writer(1);
        let mut desk = Self {
            path,
            disk,
            journal,
            writer,
            id: 0,
        };
        desk.journal.tend(2);
        desk.pair();
        desk
    }

    /// A reservation and its settlement, on four tiers with three budgets each.
    fn pair(&mut self) {
        self.id += 1;
        let mut slots = Slots::default();
        for account in 1..=12 {
            let start = 1_800_000_000;
            let pushed = slots.push(Slot { account, start });
            assert!(pushed.is_ok(), "twelve accounts fit");
        }
        let (id, at) = (self.id, 1_800_000_000_000_000);
        let parties = Parties {
            key: 20,
            model: 21,
            route: 22,
            labels: 23,
        };
        let reserve = Reserve {
            id,
            at,
            amount: Nano::new(1_000),
            parties,
            request: 1,
            price: 1,
            slots,
        };
        let settle = Settle {
            id,
            at,
            amount: Nano::new(400),
            parties,
            request: 1,
            tokens: Tokens::default(),
            flags: Flags::default(),
            slots,
        };
        let written = self
            .writer
            .reserve(std::hint::black_box(&reserve))
            .and_then(|()| self.writer.settle(std::hint::black_box(&settle)));
        assert!(written.is_ok(), "{written:?}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What is left is in the build folder.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Stops the bench: there is nothing to measure.
#[expect(clippy::panic, reason = "a bench without a disk has no result")]
fn panic_with(error: &dyn std::fmt::Display) -> ! {
    panic!("{error}")
}

/// Times pairs alone, and shows the tail.
fn tail(desk: &mut Desk) {
    let mut samples = Samples::with_capacity(PAIRS as usize);
    for pair in 0..PAIRS {
        if pair % TURN == 0 {
            desk.journal.tend(3);
        }
        let from = Instant::now();
        desk.pair();
        samples.push(from.elapsed());
    }
    let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| samples.percentile_nanos(percent));
    let verdict = if p99 <= BAR_NS { "held" } else { "missed" };
    // Nobody may be looking.
    let _ = writeln!(
        std::io::stderr(),
        "reserve and settle: p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns; bar p99 {BAR_NS} ns {verdict}"
    );
}

fn append(criterion: &mut Criterion) {
    let mut desk = Desk::new();
    let counted = measure(|| (0..1_000).for_each(|_| desk.pair()));
    assert_eq!(counted.count_total, 0, "a pair allocates");
    tail(&mut desk);
    criterion.bench_function("reserve and settle", |bencher| {
        bencher.iter_batched(|| (), |()| desk.pair(), BatchSize::PerIteration);
    });
}

fn ingest(criterion: &mut Criterion) {
    let mut desk = Desk::new();
    let mut database = match Database::open(&desk.path.join("ledger.db")) {
        Ok(database) => database,
        Err(error) => panic_with(&error),
    };
    let mut books = Books::new(Arc::clone(&desk.disk));
    let mut group = criterion.benchmark_group("books");
    group.sample_size(20);
    group.throughput(Throughput::Elements(2 * READ as u64));
    group.bench_function("read and commit", |bencher| {
        bencher.iter_batched_ref(
            || {
                for _ in 0..READ {
                    desk.pair();
                }
                desk.journal.tend(4);
                desk.journal.files().unwrap_or_default()
            },
            |files| {
                let pass = books.ingest(&mut database, files);
                assert!(pass.is_ok(), "{pass:?}");
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, append, ingest);
criterion_main!(benches);
