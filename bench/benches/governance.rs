//! How long does it take to pay for one attempt?
//!
//! What it can use at most is read from its body, a short one and a long one.
//! Four tiers with two budgets each are reserved on and settled, alone and while a hundred thousand accounts wait for their windows to end.
//!
//! # Invariants
//! - Reading a conversation, reserving, settling and a turn with nothing due are free of allocations; the bench stops if they are not.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use trimtab::config::{Length, Nano, Schedule, Style, Unit};
use trimtab::dialects::format::Endpoint;
use trimtab::governance::{Account, Charge, Turns, reserve};
use trimtab::proxy::{Most, Served};

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

/// A conversation of about so many bytes.
fn chat(bytes: usize) -> Bytes {
    let turn = r#"{"role":"user","content":"Say in \"one\" sentence what a trim tab does, and why.\nThen stop."},"#;
    let turns = turn.repeat(bytes / turn.len());
    let turns = turns.trim_end_matches(',');
    Bytes::from(format!(
        r#"{{"model":"m","max_completion_tokens":100,"messages":[{turns}]}}"#
    ))
}

/// A conversation with a picture of about so many bytes.
fn picture(bytes: usize) -> Bytes {
    let data = "A".repeat(bytes);
    Bytes::from(format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
    ))
}

fn most(body: &Bytes) {
    let served = Served {
        model: "m",
        tariff: None,
        max_output: None,
        assumed_output: 4_096,
    };
    let most = Most::of(Endpoint::Chat, black_box(body), "application/json", None);
    black_box(most.used(black_box(&served)));
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("most");
    for (name, body) in [
        ("chat of 1 KiB", chat(1 << 10)),
        ("chat of 16 KiB", chat(16 << 10)),
        ("chat of 1 MiB", chat(1 << 20)),
        ("picture of 1 MiB", picture(1 << 20)),
    ] {
        let counted = measure(|| most(&body));
        assert_eq!(counted.count_total, 0, "{name} allocates");
        group.bench_function(name, |bencher| bencher.iter(|| most(&body)));
    }
    group.finish();
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

criterion_group!(benches, reading, governance);
criterion_main!(benches);
