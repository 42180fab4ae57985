//! What do checked hits and recorded questions say of the semantic cache?
//!
//! `trimtab cache audit` reports from the gateway's own files how often semantic hits were wrong; `trimtab cache simulate` tries thresholds on recorded questions, offline.
//! Both read files only: neither asks a running gateway anything.
//!
//! # Invariants
//! - Nothing is written.
//! - What cannot be read is told with its place; nothing is left out silently.

mod simulate;
mod trace;
mod weekly;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::cache::embed::LoadError;
use crate::config::Report;

pub use simulate::Simulate;
pub use trace::TraceError;
pub use weekly::Weekly;

/// What there is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For whoever reads the output.
    pub text: String,
    /// Beside it, for people.
    pub remarks: String,
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The configuration is not valid.
    #[error("{}", .0.render(crate::config::Paint::Plain))]
    Config(Report),
    /// The questions cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The embedder cannot be used.
    #[error("the embedder cannot be used: {0}")]
    Embedder(#[from] LoadError),
    /// There is none in this process.
    #[error(
        "there is no embedder: name the folder of a sentence-transformer by --embedder, or in [cache.embedder] of the configuration"
    )]
    NoEmbedder,
    /// A question has no vector.
    #[error("{file}:{line}: {why}")]
    Question {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// A number makes no sense.
    #[error("{0}")]
    Senseless(String),
}

/// What is studied.
#[derive(Clone, Debug)]
pub enum Study {
    /// How often semantic hits were wrong.
    Audit(Weekly),
    /// What thresholds would have done.
    Simulate(Simulate),
}

/// Studies, and says what came out.
///
/// # Errors
/// [`StudyError`]
pub fn run(study: &Study) -> Result<Said, StudyError> {
    match study {
        Study::Audit(options) => weekly::run(options),
        Study::Simulate(options) => simulate::run(options),
    }
}
