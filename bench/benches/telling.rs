//! What does it cost to tell of a request: its spans for a collector, and its line in the log?
//!
//! # Invariants
//! - Once its buffers have grown, telling allocates nothing; the bench stops if it does.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use scoring::cost::Terms;
use scoring::outcome::Outcome;
use scoring::select::{Mode, Pick};
use scoring::time::Span;
use trimtab::config::{Nano, Who};
use trimtab::observe::context::Context;
use trimtab::observe::otlp::{Batch, Teller};
use trimtab::observe::story::{Leg, Story, Tokens, Via};
use trimtab::observe::{Ending, journal, otlp};

/// Requests that are told before a buffer is taken: a batch of spans, and 64 KiB of lines or so.
const TOGETHER: u32 = 100;

const TOKENS: Tokens = Tokens {
    input: 1_200,
    cached: 1_024,
    cache_write: 0,
    output: 350,
    reasoning: 128,
};

fn leg() -> Leg {
    let via = Via {
        route: "openai-eu/gpt-4o-mini-2024-07-18/key-a@eu-west".into(),
        provider: "openai-eu".into(),
        vendor: "openai".into(),
        model: "gpt-4o-mini-2024-07-18".into(),
        key: "key-a".into(),
        region: "eu-west".into(),
        host: "api.example.com".into(),
        port: 443,
    };
    let cost = Terms {
        model_ms: 412.5,
        drift_ms: 12.0,
        utilisation_ms: 0.5,
        failure_ms: 3.25,
        price_ms: 0.0,
        affinity_ms: -4.0,
    };
    Leg {
        via: Arc::new(via),
        pick: Pick {
            index: 0,
            propensity: 0.7,
            mode: Mode::Normal,
            score: 0.98,
            band: 2,
            cost,
        },
        began: Span::from_micros(310),
        sent: Some(Span::from_micros(40)),
        first: Some(Span::from_micros(250_000)),
        took: Span::from_micros(1_250_000),
        outcome: Outcome::Success,
        status: 200,
        tokens: TOKENS,
        cost: Nano::new(391_000),
    }
}

/// A stream that was answered at the first attempt, with everything that can be told of it.
fn story() -> Story {
    let who = Who {
        key: "mobile-app".into(),
        team: Some("growth".into()),
        customer: Some("acme".into()),
    };
    Story {
        id: "req-deadbeef00000012"
            .parse()
            .unwrap_or_else(|_| unreachable!("letters and digits make a header")),
        number: 1,
        at_us: 1_790_000_000_123_456,
        took: Span::from_micros(1_251_007),
        overhead: Span::from_micros(42),
        first: Some(Span::from_micros(250_310)),
        endpoint: "chat",
        surface: "openai",
        model: Some("gpt-4o-mini".into()),
        asked: None,
        workflow: None,
        stream: true,
        max_tokens: Some(1_000),
        who: Some(Arc::new(who)),
        session: Some(77),
        status: 200,
        ending: Ending::Ok,
        fault: None,
        legs: vec![leg()],
        tokens: TOKENS,
        cost: Nano::new(391_000),
        saved: Nano::ZERO,
        cache: "MISS",
        trace: Some(Context {
            trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            parent: Some(0xb7ad_6b71_6920_3331),
            span: 0x00f0_67aa_0ba9_02b7,
            sampled: true,
            state: None,
        }),
        decisions: Vec::new(),
        content: None,
    }
}

/// Tells `times` requests, by `one`, and takes what was gathered now and then.
fn batches(times: u64, mut one: impl FnMut(), mut taken: impl FnMut()) {
    for number in 1..=times {
        one();
        if number % u64::from(TOGETHER) == 0 {
            taken();
        }
    }
}

fn spans(c: &mut Criterion) {
    let story = story();
    let teller = Teller::new("trimtab", "00000000-0000-4000-8000-000000000000");
    let batch = std::cell::RefCell::new(Batch::default());
    let one = || {
        let story = black_box(&story);
        if otlp::wanted(story, true) {
            batch.borrow_mut().add(|pen| otlp::write(pen, story));
        }
    };
    let taken = || drop(black_box(teller.seal(&mut batch.borrow_mut())));
    batches(200, one, taken);
    let allocated = measure(|| batches(u64::from(TOGETHER) - 1, one, taken));
    assert_eq!(allocated.count_total, 0, "writing spans allocates");
    taken();
    c.bench_function("telling/spans", |b| {
        b.iter_custom(|times| {
            let began = std::time::Instant::now();
            batches(times, one, taken);
            began.elapsed()
        });
    });
}

fn line(c: &mut Criterion) {
    let story = story();
    let lines = std::cell::RefCell::new(Vec::new());
    let one = || journal::write(&mut lines.borrow_mut(), black_box(&story));
    let taken = || {
        black_box(&*lines.borrow());
        lines.borrow_mut().clear();
    };
    batches(200, one, taken);
    let allocated = measure(|| batches(u64::from(TOGETHER), one, taken));
    assert_eq!(allocated.count_total, 0, "writing lines allocates");
    c.bench_function("telling/line", |b| {
        b.iter_custom(|times| {
            let began = std::time::Instant::now();
            batches(times, one, taken);
            began.elapsed()
        });
    });
}

criterion_group!(benches, spans, line);
criterion_main!(benches);
