//! Does any input make a parser panic, hang, swell, or answer differently when the same bytes come in other pieces?
//!
//! Each target is one reader, or a reader and the writer it meets, fed with mutations of good input.
//! `cargo test` runs each shortly, always from the same seed; `cargo test --test fuzz -- --seconds 60` runs each for a minute from a new one, and `--seed N` and `--target NAME` say otherwise.
//! A finding is shrunk, shown with the seed that leads to it, and kept in a file that `--input FILE` runs again.
//!
//! # Invariants
//! - The same seed, target and number of inputs try the same inputs.
//! - An input may take [`run::MOST_CPU`] of processor time and [`run::MOST_GROWTH`] times its size in memory, beyond [`run::FREE_MEMORY`]; more only where trees of any shape are kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one has no harness to print for it"
)]

mod answers;
mod corpus;
mod edges;
mod frames;
#[path = "../support/harness.rs"]
mod harness;
mod memory;
mod most;
mod mutate;
mod paths;
mod pictures;
mod replays;
mod requests;
mod rescue;
mod run;
mod seeds;
mod sse;
mod streams;
mod told;
mod tree;
mod workflows;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use harness::Harness;
use run::{Runner, Target};

/// The seed where `--seconds` is not given, so that a change fails by what it changes.
const USUAL_SEED: u64 = 1;

/// How long a target runs where `--seconds` is not given: all of them in a few seconds, and each long enough to try its seeds.
const USUAL_SECONDS: f64 = 0.1;

/// Feeds mutations of good input to every parser.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long each target runs [default: 0.1, from a fixed seed].
    #[arg(long)]
    seconds: Option<f64>,
    /// The seed of all randomness; with --seconds it is drawn if absent, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Only targets whose name contains this.
    #[arg(long)]
    target: Option<String>,
    /// Runs the targets on this file alone, with many salts.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Only names the targets.
    #[arg(long)]
    list: bool,
    /// What `cargo test` is asked for by name, of whatever binary it is.
    names: Vec<String>,
    #[command(flatten)]
    harness: Harness,
}

fn targets() -> Vec<Target> {
    let mut targets = requests::targets();
    targets.extend(answers::targets());
    targets.extend(streams::targets());
    targets.extend(told::targets());
    targets.extend(pictures::targets());
    targets.extend(edges::targets());
    targets.extend(workflows::targets());
    targets.extend(memory::targets());
    targets.extend(rescue::targets());
    targets.extend(paths::targets());
    targets.extend(replays::targets());
    targets.extend(most::targets());
    targets
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = |target: &Target| {
        let asked = arguments.target.iter().all(|it| target.name.contains(it));
        let names = &arguments.names;
        asked && (names.is_empty() || names.iter().any(|it| target.name.contains(it)))
    };
    let targets: Vec<Target> = targets().into_iter().filter(wanted).collect();
    if arguments.list {
        for target in &targets {
            println!("{}", target.name);
        }
        return ExitCode::SUCCESS;
    }
    let usual = arguments.seconds.is_none();
    let drawn = || if usual { USUAL_SEED } else { run::drawn() };
    let seed = arguments.seed.unwrap_or_else(drawn);
    let seconds = arguments.seconds.unwrap_or(USUAL_SECONDS);
    println!("{} fuzz targets, seed {seed}", targets.len());
    let runner = Runner::start(seed);
    let mut found = 0;
    for target in &targets {
        let finding = match &arguments.input {
            Some(path) => runner.replay(target, &std::fs::read(path).unwrap()),
            None => runner.run(target, Duration::from_secs_f64(seconds)),
        };
        if let Some(finding) = finding {
            found += 1;
            println!("{finding}");
        }
    }
    // A name that is another binary's test is no mistake; a target that is none is one.
    if found == 0 && (!targets.is_empty() || arguments.target.is_none()) {
        return ExitCode::SUCCESS;
    }
    println!("{found} targets failed");
    ExitCode::FAILURE
}
