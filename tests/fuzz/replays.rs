//! Can any scenario or recorded trace break whoever reads it for a replay?
//!
//! # Invariants
//! - A trace has no more requests than its file has lines, and they come in order.

use std::path::PathBuf;

use rand::RngExt;
use rand::rngs::SmallRng;
use sim::scenario;
use sim::trace::{self, Format};

use crate::corpus;
use crate::mutate::Kind;
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::{all, harvested_texts};

/// Formats of one file whose lines are requests.
const FORMATS: [Option<Format>; 7] = [
    None,
    Some(Format::Azure),
    Some(Format::AzureMultimodal),
    Some(Format::Mooncake),
    Some(Format::BurstGpt),
    Some(Format::AccessLog),
    Some(Format::Recording),
];

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let mut traces: Vec<Vec<u8>> = corpus::TRACES
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    traces.extend(harvested_texts("sim/src/trace/read"));
    let target = |name, seeds, check: fn(&[u8], &mut SmallRng) -> Result<(), String>| Target {
        name,
        kind: Kind::Lines,
        seeds,
        growth: MOST_GROWTH,
        check: Box::new(check),
    };
    vec![
        target("scenario", all("sim/scenarios", ".toml"), played).keeping_trees(),
        target("trace", traces, recorded),
    ]
}

fn played(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    match scenario::read("s", &text) {
        Err(mistakes) if mistakes.to_string().is_empty() => {
            Err("a mistake is not told: ".to_owned())
        }
        _ => Ok(()),
    }
}

fn recorded(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    // Traces are read from files only.
    let name = format!("fuzzed-trace-{}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let format = FORMATS[rng.random_range(0..FORMATS.len())];
    std::fs::write(&path, input).map_err(|error| format!("no file: {error}"))?;
    let read = trace::read(&path, format);
    std::fs::remove_file(&path).map_err(|error| format!("no file: {error}"))?;
    let Ok(read) = read else {
        return Ok(());
    };
    let requests = &read.trace.requests;
    let lines = input.split(|byte| b"\r\n".contains(byte)).count();
    if requests.len() > lines {
        return Err(format!("{} requests of {lines} lines", requests.len()));
    }
    if !requests.is_sorted_by_key(|request| request.at) {
        return Err("requests out of order: ".to_owned());
    }
    Ok(())
}
