//! What does a client need to use the gateway, and does it work?
//!
//! For each client the exact settings are printed, with the address and the name of the variable that holds the token.
//! Then the call is made that this client makes, against the running gateway, and what went wrong is told with what to do.
//!
//! # Invariants
//! - The token itself is never printed.
//! - Nothing is called but the gateway.
//! - `docs/CLIENTS.md` shows what is printed; a test says so.

mod advice;
mod answer;
mod call;
mod client;
mod facts;
mod live;
mod page;
mod settings;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

pub use client::Client;
pub(crate) use facts::lenient;
pub use page::page;

/// What is asked of the doctor.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The client; without one, all are listed.
    #[arg(value_enum)]
    pub client: Option<Client>,
    /// The configuration file of the gateway.
    #[arg(long, default_value = "config.toml", env = "TRIMTAB_CONFIG")]
    pub config: PathBuf,
    /// Where the gateway is, if not where the configuration says; plain http only.
    #[arg(long)]
    pub url: Option<String>,
    /// The model to ask for; the first of the configuration otherwise.
    #[arg(long)]
    pub model: Option<String>,
    /// Makes the call that the client makes (the default).
    #[arg(long, overrides_with = "no_live")]
    pub live: bool,
    /// Only prints the settings.
    #[arg(long)]
    pub no_live: bool,
}

/// What the doctor has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The settings and what came of the calls.
    pub text: String,
    /// Whether everything that was tried worked.
    pub holds: bool,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The address is no URL.
    #[error("{0:?} is not a URL such as \"http://127.0.0.1:8080\"")]
    Url(String),
    /// The address needs TLS.
    #[error(
        "https is not supported here: give the gateway's own address, such as --url http://127.0.0.1:8080, or --no-live"
    )]
    Https,
    /// The gateway's address cannot be used.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// The runtime cannot be had.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Prints a client's settings and tries them.
///
/// # Errors
/// [`DoctorError`]; what fails at the gateway is no error but told in [`Said`].
pub fn run(options: &Options) -> Result<Said, DoctorError> {
    let Some(client) = options.client else {
        return Ok(Said {
            text: list(),
            holds: true,
        });
    };
    let mut facts = facts::gather(options)?;
    let mut text = String::new();
    for note in &facts.notes {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "note: {note}");
    }
    if options.no_live {
        text.push_str(&settings::told(client, &facts));
        return Ok(Said { text, holds: true });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let checkup =
        tokio::task::LocalSet::new().block_on(&runtime, live::check(client, &mut facts))?;
    // Why: only the gateway knows a model where the configuration named none.
    text.push_str(&settings::told(client, &facts));
    text.push('\n');
    text.push_str(&checkup.text);
    Ok(Said {
        text,
        holds: checkup.holds,
    })
}

fn list() -> String {
    let mut text = "Clients whose settings `trimtab doctor CLIENT` prints and tries:\n".to_owned();
    for client in Client::ALL {
        let _ = writeln!(text, "  {:<22}{}", client.name(), client.title());
    }
    text
}
