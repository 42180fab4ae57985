//! How are prices kept up to date, and what does a model cost?
//!
//! `trimtab prices update FILE` takes over a price list, `diff` says what it would change, and `show MODEL` tells a price and where it is known from.
//! Nothing is fetched: an operator decides whose list is taken, and when.
//!
//! # Invariants
//! - A list that cannot be read changes nothing, and one that makes known prices jump is taken over only when that is asked for.
//! - A price that nobody knows is told as unknown.

mod error;
mod list;
mod show;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use error::PricesError;

/// What is to be done about prices.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Takes over a price list: LiteLLM's model_prices_and_context_window.json, or a catalogue as this command writes it. A running gateway takes it at its next reload (SIGHUP).
    Update(Update),
    /// Says what a price list would change.
    Diff(Diff),
    /// Tells what a model costs, and where that is known from.
    Show(Show),
}

/// Where the gateway keeps its data.
#[derive(Clone, Debug, clap::Args)]
pub struct Data {
    /// The configuration file, which names the folder of governance.
    #[arg(long, default_value = "config.toml", env = "TRIMTAB_CONFIG")]
    pub config: PathBuf,
    /// That folder itself; no configuration is read then.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// A list that is taken over.
#[derive(Clone, Debug, clap::Args)]
pub struct Update {
    /// The price list.
    pub file: PathBuf,
    /// Takes it over although known prices change by more than half.
    #[arg(long)]
    pub accept_jumps: bool,
    /// Where to.
    #[command(flatten)]
    pub into: Data,
}

/// A list that is compared.
#[derive(Clone, Debug, clap::Args)]
pub struct Diff {
    /// The price list.
    pub file: PathBuf,
    /// With what.
    #[command(flatten)]
    pub with: Data,
}

/// A model whose price is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    /// A model of the configuration, VENDOR/MODEL, or a model's name at whatever vendor.
    pub model: String,
    /// The configuration file; without one, prices are the catalogue's.
    #[arg(long, env = "TRIMTAB_CONFIG")]
    pub config: Option<PathBuf>,
}

/// What a command has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What was asked for.
    pub text: String,
    /// What is remarkable about it, for the error stream.
    pub remarks: String,
    /// Whether it is done; a model without any price is none.
    pub holds: bool,
}

/// Does what is to be done.
///
/// # Errors
/// [`PricesError`]; nothing has changed then.
pub fn run(command: &Command) -> Result<Said, PricesError> {
    match command {
        Command::Update(update) => list::update(update),
        Command::Diff(diff) => list::diff(diff),
        Command::Show(show) => show::show(show),
    }
}
