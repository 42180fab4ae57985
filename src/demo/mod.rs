//! Seeing is believing: a gateway, its providers and a client in one process, and a provider that goes bad.
//!
//! [`run`] starts the real gateway on stand-in providers, sends it traffic, and shows how traffic leaves a provider that begins to degrade and returns when it is well.
//! Beside it the same requests go to a second set of the same providers by static weights, so that the difference is measured and not claimed.
//!
//! # Invariants
//! - The gateway is the one that `serve` runs; nothing in it knows of the demo.
//! - Nothing leaves the machine; all listeners are on loopback.
//! - However it ends, the terminal is as it was found.

mod answer;
mod client;
mod latencies;
mod orders;
mod plain;
mod routes;
mod scene;
mod screen;
mod script;
mod shares;
mod stage;
mod summary;
mod tally;
mod twin;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};

pub use summary::Summary;

use crate::app::StartError;
use crate::mock::MockError;
use script::Story;

/// Requests per second unless told otherwise: enough for a quick reaction, little enough for one core.
const RATE: f64 = 40.0;

/// Seed unless told otherwise.
const SEED: u64 = 7;

/// Speeds that leave a story to tell: three minutes in 6 s to half an hour.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=30.0;

/// Requests per second that one process can honestly send, serve and answer twice over.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=500.0;

/// What the demo is asked for.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many times faster the three minutes are told; 0.1 to 30.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Seconds that the whole takes, instead of a speed.
    #[arg(long, conflicts_with = "speed", value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Requests per second; 1 to 500.
    #[arg(long, default_value_t = RATE)]
    pub rate: f64,
    /// Seed of arrivals, lengths, noise and faults.
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
    /// One line of text a second instead of the live screen; implied where the output is no terminal.
    #[arg(long)]
    pub plain: bool,
    /// Loopback address of the gateway, for requests by hand; an ephemeral port by default.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Loopback address of the dashboard; an ephemeral port by default.
    #[arg(long)]
    pub admin: Option<SocketAddr>,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// An option is out of its range.
    #[error("--{option} is {value}: allowed are {least} to {most}")]
    Range {
        /// The option's name.
        option: &'static str,
        /// What was asked for.
        value: f64,
        /// The least allowed.
        least: f64,
        /// The most allowed.
        most: f64,
    },
    /// The gateway would have been open to others, who need no credential in a demo.
    #[error("--{0} {1} is not on loopback; the demo asks nobody for a credential")]
    Exposed(&'static str, SocketAddr),
    /// The gateway cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The twin's providers cannot start.
    #[error("the twin's stand-in providers cannot run: {0}")]
    Mock(#[from] MockError),
    /// The client cannot use an address that the system has given.
    #[error("an address cannot be used: {0}")]
    Address(String),
    /// The terminal, a thread or a runtime cannot be had.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What the demo plays, checked.
#[derive(Clone, Copy, Debug)]
struct Plan {
    story: Story,
    rate: f64,
    seed: u64,
    listen: SocketAddr,
    admin: SocketAddr,
    view: View,
}

/// How the demo shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Screen,
    Plain,
}

impl DemoError {
    fn unusable(error: impl std::fmt::Display) -> Self {
        Self::Address(error.to_string())
    }
}

impl Options {
    fn plan(&self, view: View) -> Result<Plan, DemoError> {
        let speed = match self.duration {
            None => within("speed", self.speed, SPEEDS)?,
            Some(seconds) => {
                let (least, most) = (
                    Story::SECONDS / SPEEDS.end(),
                    Story::SECONDS / SPEEDS.start(),
                );
                Story::SECONDS / within("duration", seconds, least..=most)?
            }
        };
        let listen = on_loopback("listen", self.listen)?;
        let admin = on_loopback("admin", self.admin)?;
        Ok(Plan {
            story: Story::new(speed),
            rate: within("rate", self.rate, RATES)?,
            seed: self.seed,
            listen,
            admin,
            view,
        })
    }

    /// The live screen where there is a terminal that can show it.
    fn view(&self) -> View {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if self.plain || dumb || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            View::Plain
        } else {
            View::Screen
        }
    }
}

/// Where an option says, if that is on loopback; an ephemeral port there if it says nothing.
fn on_loopback(option: &'static str, asked: Option<SocketAddr>) -> Result<SocketAddr, DemoError> {
    let address = asked.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(DemoError::Exposed(option, address))
    }
}

fn within(
    option: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, DemoError> {
    let (least, most) = (*range.start(), *range.end());
    if range.contains(&value) {
        return Ok(value);
    }
    Err(DemoError::Range {
        option,
        value,
        least,
        most,
    })
}

/// Plays the demo to its end, or until somebody has seen enough.
///
/// # Errors
/// [`DemoError`]; nothing is left running then.
pub fn run(options: &Options) -> Result<Summary, DemoError> {
    stage::play(options.plan(options.view())?)
}
