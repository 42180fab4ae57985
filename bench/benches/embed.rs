//! What does it cost to make a vector of a text, on one thread?
//!
//! `TRIMTAB_EMBEDDER` names a sentence-transformers folder; without it one of MiniLM's shape is written, whose random weights cost the same.
//! Times are CPU time of this thread, so that a busy machine does not slow them by waiting.
//!
//! # Invariants
//! - A text has exactly the tokens that it is said to have.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::panic, reason = "a bench has no other way to fail")]

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use bench::encoder::Encoder;
use bench::process::thread_cpu;
use bench::report::{Bar, Bound, bars, table};
use bench::samples::median;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use trimtab::cache::embed::{Embed as _, Local};

/// Where the model is, if not of random weights.
const FOLDER: &str = "TRIMTAB_EMBEDDER";

/// Tokens of the texts: a short question, a usual one, a long one.
const TOKENS: [usize; 3] = [16, 60, 128];

/// What a usual question may take, ms: much longer, and asking a provider would be as quick.
const USUAL_MS: f64 = 10.0;

/// Vectors that a median is of.
const ROUNDS: usize = 101;

fn load() -> Local {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Local::load(Path::new(&folder)).unwrap_or_else(|error| panic!("{error}"));
    }
    let encoder = Encoder::write().unwrap_or_else(|error| panic!("{error:#}"));
    Local::load(encoder.path()).unwrap_or_else(|error| panic!("{error}"))
}

/// A text of so many tokens.
fn text(local: &Local, tokens: usize) -> String {
    let mut text = String::new();
    while local.tokens(&text) < tokens {
        text.push_str("word ");
    }
    assert_eq!(local.tokens(&text), tokens, "{text:?}");
    text
}

fn embed(local: &Local, text: &str) -> Duration {
    let from = thread_cpu();
    let vector = local.embed(black_box(text));
    let spent = thread_cpu().saturating_sub(from);
    black_box(vector.unwrap_or_else(|error| panic!("{error}")));
    spent
}

fn embedding(criterion: &mut Criterion) {
    let local = load();
    let mut group = criterion.benchmark_group("embed");
    group.sample_size(20);
    for tokens in TOKENS {
        let text = text(&local, tokens);
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| embed(&local, &text)).sum());
        });
    }
    group.finish();

    let medians = TOKENS.map(|tokens| {
        let text = text(&local, tokens);
        let times: Vec<f64> = (0..ROUNDS)
            .map(|_| embed(&local, &text).as_secs_f64() * 1e3)
            .collect();
        median(&times)
    });
    let rows: Vec<Vec<String>> = TOKENS
        .iter()
        .zip(medians)
        .map(|(tokens, median)| vec![tokens.to_string(), format!("{median:.2}")])
        .collect();
    let title = format!("tokens, {}", local.name());
    let bar = Bar {
        name: "a text of 60 tokens",
        value: medians[1],
        bound: Bound::AtMost(USUAL_MS),
        unit: "ms",
    };
    let table = table(&[&title, "CPU ms, median"], &rows);
    let told = writeln!(std::io::stdout().lock(), "{table}\n{}", bars(&[bar]));
    told.unwrap_or_else(|error| panic!("printing: {error}"));
}

criterion_group!(benches, embedding);
criterion_main!(benches);
