//! Do the guards keep wrong answers out of the semantic cache, and what do they cost?
//!
//! `pairs.jsonl` holds pairs of texts of which it is known whether one answer serves both; `design.txt` and `held-out.txt` hold what they are made from, and `README.md` how.
//! The guards were tuned on the design half only; the bar is asserted on both.
//! `cosines.csv` holds the similarity that a model gives to each pair, so that no model is needed here.
//!
//! `--write` writes `pairs.jsonl` anew; otherwise it must be what the generator makes.
//! `--table` prints the whole sweep, `--slips` each pair that is decided wrongly at the default threshold (`--half design` those of one half).
//!
//! # Invariants
//! - At [`measure::THRESHOLD`] at most one hit in a hundred is false, on either half.
//! - Nothing here needs the network or a model.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one has no harness to print for it"
)]

mod cosines;
#[path = "../support/harness.rs"]
mod harness;
mod make;
mod measure;
mod noise;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use harness::Harness;
use make::Pair;

/// Tries the guards on labelled pairs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Writes the pairs anew instead of checking them; their similarities must then be computed anew, too.
    #[arg(long)]
    write: bool,
    /// Prints the sweep over thresholds and the kinds.
    #[arg(long)]
    table: bool,
    /// Prints the pairs that are decided wrongly.
    #[arg(long)]
    slips: bool,
    /// Only this half, for `--slips`.
    #[arg(long, default_value = "design")]
    half: String,
    /// What `cargo test` is asked for by name, of whatever binary it is.
    names: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    #[command(flatten)]
    harness: Harness,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.list {
        println!("pairs: test\n\n1 test, 0 benchmarks");
        return;
    }
    if !arguments.names.is_empty()
        && !arguments
            .names
            .iter()
            .any(|name| "pairs".contains(name.as_str()))
    {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs");
    let made = make::pairs();
    if arguments.write {
        fs::write(folder.join("pairs.jsonl"), text(&made)).unwrap();
        println!(
            "{} pairs written; now compute their similarities (README.md)",
            made.len()
        );
        return;
    }
    check(&folder, &made);
    let cosines = cosines::read(
        &folder.join("cosines.csv"),
        text(&made).as_bytes(),
        made.len(),
    );
    let judged = measure::judge(made, &cosines);
    if arguments.table {
        measure::sweep(&judged);
        measure::by_kind(&judged);
    }
    if arguments.slips {
        measure::slips(&judged, &arguments.half);
    }
    measure::assert_bars(&judged);
}

/// The file's text.
fn text(pairs: &[Pair]) -> String {
    let lines = pairs
        .iter()
        .map(|pair| serde_json::to_string(pair).unwrap() + "\n");
    lines.collect()
}

/// Fails unless the file is what the generator makes, and of the shape that was promised.
fn check(folder: &Path, made: &[Pair]) {
    let file: PathBuf = folder.join("pairs.jsonl");
    let read = fs::read_to_string(&file).unwrap();
    assert!(
        read == text(made),
        "{} is not what the generator makes; run `cargo test --test pairs -- --write`",
        file.display()
    );
    let same = made.iter().filter(|pair| pair.same).count();
    assert!(made.len() >= 3_000, "{} pairs", made.len());
    let share = same as f64 / made.len() as f64;
    assert!((0.35..=0.45).contains(&share), "{share:.3} are the same");
    println!("{} pairs, {same} of them the same", made.len());
}
