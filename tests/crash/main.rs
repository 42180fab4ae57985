//! What of the books is left when the gateway is killed, its disk is full, or somebody looks for secrets?
//!
//! The real binary on a folder of its own, before stand-ins that live in this process and so survive it.
//! `cargo test` runs it small and always from the same seed; `cargo test --release --test crash -- --kills 100 --seed 7` kills it a hundred times, and `--trial` runs one alone.
//!
//! # Invariants
//! - Nothing is lost and nothing is charged twice, whenever the process dies.
//! - Nothing waits for a fixed time: what is waited for is seen to happen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one has no harness to print for it"
)]

mod binary;
mod books;
mod cache;
mod canary;
#[expect(dead_code, reason = "no client leaves early here")]
#[path = "../spend/client.rs"]
mod client;
#[cfg(target_os = "linux")]
mod disk;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/harness.rs"]
mod harness;
mod kill;
#[cfg(target_os = "linux")]
mod log;

use std::process::ExitCode;

use clap::Parser;
use harness::Harness;

/// Lets the gateway suffer.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often it is killed.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// The seed of what is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often it is killed while it keeps answers.
    #[arg(long, default_value_t = 5)]
    cache_kills: u32,
    /// Only the trials whose name contains this: kill, disk, log, canary, cache-kill, cache-full.
    #[arg(long)]
    trial: Option<String>,
    /// What `cargo test` is asked for by name, of whatever binary it is.
    names: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
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
    // Everything that must hold is asserted on the way.
    if is_asked("kill") {
        println!("kill: {}", kill::run(arguments.seed, arguments.kills));
    }
    #[cfg(target_os = "linux")]
    if is_asked("disk") {
        println!("disk: {}", disk::run());
    }
    #[cfg(target_os = "linux")]
    if is_asked("log") {
        println!("log: {}", log::run());
    }
    if is_asked("cache-kill") {
        println!(
            "cache-kill: {}",
            cache::killed(arguments.seed, arguments.cache_kills)
        );
    }
    #[cfg(target_os = "linux")]
    if is_asked("cache-full") {
        println!("cache-full: {}", cache::full());
    }
    if is_asked("canary") {
        println!("canary: {}", canary::run());
    }
    ExitCode::SUCCESS
}
