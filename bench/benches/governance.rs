//! How long does it take to pay for one attempt?
//!
//! Four tiers with two budgets each are reserved on and settled, alone and while a hundred thousand accounts wait for their windows to end.
//!
//! # Invariants
//! - Reserving, settling and a turn with nothing due are free of allocations; the bench stops if they are not.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use trimtab::config::{Length, Nano, Schedule, Style, Unit};
use trimtab::governance::{Account, Charge, Turns, reserve};

/// Four tiers with two budgets each.
const BUDGETS: usize = 8;

/// Accounts of a large installation.
const ACCOUNTS: usize = 100_000;

/// What an attempt reserves, and what it costs.
const RESERVED: Nano = Nano::new(2_000);
const ACTUAL: Nano = Nano::new(1_000);

/// Enough for every turn of the bench.
const LIMIT: Nano = Nano::new(Nano::MAX.get() - 1);

/// A rolling budget of a day.
fn rolling() -> Schedule {
    let length = Length {
        count: 1,
        unit: Unit::Day,
    };
    Schedule {
        length,
        style: Style::Rolling,
    }
}

fn charges(accounts: &[Arc<Account>]) -> Vec<Charge> {
    let charge = |account: &Arc<Account>| Charge {
        account: Arc::clone(account),
        limit: LIMIT,
        hard: true,
        number: 1,
        length: rolling().length,
    };
    accounts.iter().map(charge).collect()
}

fn pay(charges: &[Charge]) {
    if let Ok(hold) = reserve(&[black_box(charges)], black_box(RESERVED)) {
        hold.settle(black_box(ACTUAL));
    }
}

fn refuse_allocations(name: &str, mut act: impl FnMut()) {
    let counted = measure(|| (0..10_000).for_each(|_| act()));
    assert_eq!(counted.count_total, 0, "{name} allocates");
}

fn governance(criterion: &mut Criterion) {
    let accounts: Vec<_> = (0..ACCOUNTS)
        .map(|_| Arc::new(Account::new(&rolling(), 0)))
        .collect();
    let mut turns = Turns::default();
    for account in &accounts {
        turns.add(account, rolling());
    }

    let few = charges(&accounts[..BUDGETS]);
    refuse_allocations("paying", || pay(&few));
    let mut group = criterion.benchmark_group("governance");
    group.bench_function("reserve and settle", |bencher| bencher.iter(|| pay(&few)));

    let all = charges(&accounts);
    let mut chains = all.chunks_exact(BUDGETS).cycle();
    group.bench_function("reserve and settle, 100,000 accounts", |bencher| {
        bencher.iter(|| chains.next().into_iter().for_each(pay));
    });

    refuse_allocations("a turn with nothing due", || {
        black_box(turns.turn(black_box(1)));
    });
    group.bench_function("turn with nothing due", |bencher| {
        bencher.iter(|| turns.turn(black_box(1)));
    });
    let mut now = 0;
    group.sample_size(10);
    group.bench_function("turn of all 100,000", |bencher| {
        bencher.iter(|| {
            now += 2_700;
            turns.turn(black_box(now))
        });
    });
    group.finish();
}

criterion_group!(benches, governance);
criterion_main!(benches);
