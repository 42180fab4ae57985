//! The public traces themselves, where their folder is at hand.
//!
//! `TRIMTAB_TRACES` names it; else it is looked for beside the checkout. Without it these tests say so and pass.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::scenario::{Arrivals, Lengths, Traffic};
use crate::trace::synthetic;

/// The file called `name`, if the folder is there.
fn recorded(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("TRIMTAB_TRACES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces"),
    };
    if folder.is_dir() {
        return Some(folder.join(name));
    }
    eprintln!(
        "skipped: there are no recorded traces at {}",
        folder.display()
    );
    None
}

/// Mean, p50, p95, p99 and maximum.
fn figures(values: impl Iterator<Item = u32>) -> [f64; 5] {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    let at = |share: f64| f64::from(values[(share * values.len() as f64) as usize]);
    let mean = values.iter().map(|&it| f64::from(it)).sum::<f64>() / values.len() as f64;
    [
        mean,
        at(0.5),
        at(0.95),
        at(0.99),
        f64::from(values[values.len() - 1]),
    ]
}

fn near(found: [f64; 5], wanted: [f64; 5], tolerance: f64) {
    for (one, other) in found.into_iter().zip(wanted) {
        let off = one / other - 1.0;
        assert!(off.abs() <= tolerance, "{found:?}, not {wanted:?}");
    }
}

/// Requests per second, and the gaps' coefficient of variation.
fn arrivals(trace: &Trace) -> (f64, f64) {
    let pairs = trace.requests.windows(2);
    let gaps: Vec<f64> = pairs
        .map(|it| (it[1].at.as_micros() - it[0].at.as_micros()) as f64 / 1e6)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    (1.0 / mean, variance.sqrt() / mean)
}

fn made(lengths: Lengths, conversations: u32) -> Trace {
    let stream = Traffic {
        class: scoring::Class::ChatStream,
        rate: 20.0,
        arrivals: Arrivals::Poisson,
        lengths,
        max_tokens: None,
        deadline: None,
        surges: Vec::new(),
        clients: 0,
        think: Span::ZERO,
        conversations,
    };
    synthetic(&[stream], Span::from_secs(1_500), 1)
}

#[test]
fn azure_2023_is_read_as_analysed_and_generated_alike() {
    let Some(path) = recorded("azure-llm-2023-conv.csv") else {
        return;
    };
    let read = read(&path, None).unwrap();
    assert_eq!(read.format, Format::Azure);
    assert_eq!((read.lines, read.malformed_count), (19_366, 0));
    assert_eq!(read.notes, []);
    let (rate, cv) = arrivals(&read.trace);
    assert!(
        (rate - 5.53).abs() < 0.01 && (cv - 1.09).abs() < 0.01,
        "{rate}, {cv}"
    );
    let (real, made) = (&read.trace.requests, made(Lengths::AzureConv, 0).requests);
    let input = [1_155.0, 1_020.0, 4_083.0, 4_142.0, 14_050.0];
    let output = [211.0, 129.0, 451.0, 601.0, 1_000.0];
    near(figures(real.iter().map(|it| it.input)), input, 0.002);
    near(figures(real.iter().map(|it| it.output)), output, 0.002);
    near(figures(made.iter().map(|it| it.input)), input, 0.05);
    near(figures(made.iter().map(|it| it.output)), output, 0.05);
}

#[test]
fn mooncake_is_read_as_analysed_and_generated_alike() {
    let Some(path) = recorded("mooncake-conversation.jsonl") else {
        return;
    };
    let read = read(&path, None).unwrap();
    assert_eq!(read.format, Format::Mooncake);
    assert_eq!((read.lines, read.malformed_count), (12_031, 0));
    // 1 180 distinct stamps, of which a few have one request alone.
    let [Note::Spread(batches)] = read.notes[..] else {
        panic!("{:?}", read.notes)
    };
    assert!((1_150..=1_180).contains(&batches), "{batches}");
    let (rate, cv) = arrivals(&read.trace);
    // At face value the gaps vary by 3.03 and 90 % are zero.
    assert!((rate - 3.40).abs() < 0.01 && cv < 0.7, "{rate}, {cv}");
    let pairs = read.trace.requests.windows(2);
    assert_eq!(pairs.filter(|it| it[0].at == it[1].at).count(), 0);
    let hit = hits(&read.trace);
    assert!((hit - 0.366).abs() < 0.002, "{hit}");
    let (real, generated) = (&read.trace.requests, made(Lengths::Mooncake, 500));
    let input = [12_035.0, 6_909.0, 39_551.0, 85_400.0, 126_195.0];
    let output = [343.0, 350.0, 698.0, 1_119.0, 2_000.0];
    near(figures(real.iter().map(|it| it.input)), input, 0.002);
    near(figures(real.iter().map(|it| it.output)), output, 0.002);
    near(
        figures(generated.requests.iter().map(|it| it.input)),
        input,
        0.05,
    );
    near(
        figures(generated.requests.iter().map(|it| it.output)),
        output,
        0.05,
    );
    assert!(
        (hits(&generated) - hit).abs() < 0.03,
        "{}",
        hits(&generated)
    );
}

/// Share of all blocks that a cache finds that forgets nothing.
fn hits(trace: &Trace) -> f64 {
    let (mut known, mut hit, mut all) = (BTreeSet::<u64>::new(), 0, 0);
    for request in &trace.requests {
        let blocks = trace.blocks_of(request);
        hit += blocks.iter().take_while(|it| known.contains(*it)).count();
        all += blocks.len();
        known.extend(blocks);
    }
    hit as f64 / all as f64
}
