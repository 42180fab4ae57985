//! Can anybody spend more than a budget has, however many ask at once?
//!
//! Each tier in turn has one dollar and is the tightest, while many clients ask for all kinds of answers, some of which fail and some of which nobody waits for.
//! A thread of its own looks at every account as often as it can; in the end the books are held against what the stand-ins say that they answered.
//! `cargo test` runs it small and always from the same seed; `cargo test --release --test spend -- --clients 1000 --requests 100000` runs it whole, and `--seed` and `--tier` say otherwise.
//!
//! # Invariants
//! - At every look, spent + reserved ≤ limit on every account.
//! - What is charged for answers is what they cost, to the token.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one has no harness to print for it"
)]

mod audit;
mod client;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/harness.rs"]
mod harness;
mod mix;
mod sample;
mod stage;

use std::process::ExitCode;

use clap::Parser;
use harness::Harness;
use stage::{Tier, Trial};

/// Has many clients spend one dollar.
#[derive(Debug, Parser)]
struct Arguments {
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Requests of all clients together, for each tier.
    #[arg(long, default_value_t = 2_000)]
    requests: u64,
    /// Worker threads of the gateway.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// The seed of the mix of requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only tiers whose name contains this.
    #[arg(long)]
    tier: Option<String>,
    /// What `cargo test` is asked for by name, of whatever binary it is.
    names: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    #[command(flatten)]
    harness: Harness,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_asked =
        arguments.names.is_empty() || arguments.names.iter().any(|name| "spend".contains(&**name));
    if arguments.list || !is_asked {
        return ExitCode::SUCCESS;
    }
    let Arguments {
        clients,
        requests,
        workers,
        seed,
        ..
    } = arguments;
    println!("spend: {clients} clients, {requests} requests a tier, seed {seed}");
    let wanted = |tier: &Tier| arguments.tier.iter().all(|it| tier.name().contains(&**it));
    for tier in Tier::ALL.into_iter().filter(wanted) {
        let trial = Trial {
            tier,
            clients,
            requests,
            workers,
            seed,
        };
        // Everything that must hold is asserted on the way.
        println!("{}", trial.run());
    }
    ExitCode::SUCCESS
}
