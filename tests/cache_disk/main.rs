//! What of the cache's disk is left when its process is killed, or may not write any more?
//!
//! This binary is its own child: it writes rows and says what it has written; the parent kills it, opens the folder and looks.
//! `cargo test` runs it small and always from the same seed; `cargo test --release --test cache_disk -- --trial kill --times 100 --seed 7` kills it a hundred times.
//!
//! # Invariants
//! - What was acknowledged reads back right, and nothing else reads back wrong.
//! - Nothing waits for a fixed time: a child is killed after it has said so much, and a little later at random.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one has no harness to print for it"
)]

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/harness.rs"]
mod harness;
mod kill;
mod refuse;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::Harness;

/// Lets the cache's disk suffer.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often it is killed.
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// The seed of what is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the trials whose name contains this: kill, refuse.
    #[arg(long)]
    trial: Option<String>,
    /// What `cargo test` is asked for by name, of whatever binary it is.
    names: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    /// Be the child of this trial, in this folder.
    #[arg(long, hide = true)]
    child: Option<PathBuf>,
    #[command(flatten)]
    harness: Harness,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_asked = |trial: &str| {
        let names = &arguments.names;
        arguments.trial.iter().all(|it| trial.contains(&**it))
            && (names.is_empty() || names.iter().any(|it| trial.contains(&**it)))
    };
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    if let Some(folder) = &arguments.child {
        match arguments.trial.as_deref() {
            Some("refuse") => refuse::child(folder),
            _ => kill::child(folder, arguments.seed),
        }
        return ExitCode::SUCCESS;
    }
    // Everything that must hold is asserted on the way.
    if is_asked("kill") {
        println!("kill: {}", kill::run(arguments.seed, arguments.times));
    }
    if is_asked("refuse") {
        println!("refuse: {}", refuse::run());
    }
    ExitCode::SUCCESS
}
