//! Why was something not done?
//!
//! # Invariants
//! - Each says what to do about it, and none shows a secret.

use crate::config::{Kind, Report};
use crate::store::{Busy, StoreError};

use super::live::NotAdjusted;

/// Why the office did not do what it was asked; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// What was written is not valid.
    #[error("{}", first(.0))]
    Invalid(Box<Report>),
    /// A secret was written.
    #[error("the secret of a key is made here and shown once: leave `secret` out")]
    Secret,
    /// There is none of this name.
    #[error("no {} is named {name:?}", kind.word())]
    Unknown {
        /// What it would be.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// There is one of this name.
    #[error("a {} named {name:?} exists: change it, or choose another name", kind.word())]
    Exists {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The file declares one of this name.
    #[error(
        "{} {name:?} is declared in the configuration file, as [{}.{name}]: change it there",
        kind.word(),
        kind.table()
    )]
    Declared {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Others belong to it.
    #[error(
        "{} {name:?} has {}: delete them first, or with it by ?cascade=true",
        kind.word(),
        listed(others)
    )]
    InUse {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// Who belongs to it.
        others: Vec<(Kind, String)>,
    },
    /// The key is revoked, which is for ever.
    #[error("key {0:?} is revoked, which is for ever: make another one")]
    Revoked(String),
    /// No more can be made.
    #[error("{0} customers, teams and keys were made: delete some first")]
    Full(usize),
    /// The ledger has no such entry.
    #[error("the ledger has no entry {0:032x}, or keeps it no more")]
    NoEntry(u128),
    /// The attempt is in flight.
    #[error("entry {0:032x} is in flight: it is settled when the attempt ends")]
    InFlight(u128),
    /// The accounts are not there yet.
    #[error("the accounts are not open yet: try again")]
    NotOpen,
    /// The ledger did not take the correction.
    #[error(transparent)]
    NotAdjusted(#[from] NotAdjusted),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database has too much to do.
    #[error("{0}: try again")]
    Busy(#[from] Busy),
}

impl From<Report> for OfficeError {
    fn from(report: Report) -> Self {
        Self::Invalid(Box::new(report))
    }
}

/// The first problem in one sentence, and how many more there are.
fn first(report: &Report) -> String {
    let Some(problem) = report.problems().first() else {
        return String::new();
    };
    let mut text = problem.message.clone();
    for part in [&problem.expected, &problem.help] {
        if !part.is_empty() {
            text.push_str("; ");
            text.push_str(part);
        }
    }
    match report.problems().len() {
        1 => text,
        more => format!("{text} (and {} more)", more - 1),
    }
}

/// Names of those who belong to one, the first few of them.
fn listed(others: &[(Kind, String)]) -> String {
    const SHOWN: usize = 5;
    let shown = others.iter().take(SHOWN);
    let mut text: Vec<String> = shown
        .map(|(kind, name)| format!("{} {name:?}", kind.word()))
        .collect();
    if others.len() > SHOWN {
        text.push(format!("{} more", others.len() - SHOWN));
    }
    text.join(", ")
}
