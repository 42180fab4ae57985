//! Why is nothing done about prices?

use std::io;
use std::path::PathBuf;

use crate::config::Report;
use crate::governance::prices::{BadList, NotKept};

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// The configuration has problems, which its report tells.
    #[error("the configuration is not valid")]
    Config(Report),
    /// The price list cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is larger than any price list.
    #[error("{} is larger than {most} MiB, which no price list is", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The largest size, mebibytes.
        most: usize,
    },
    /// It is no price list.
    #[error("{} is not taken over: {source}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: BadList,
    },
    /// It makes known prices jump.
    #[error("{} is not taken over, because known prices change by more than half; --accept-jumps takes it over:\n{jumps}", path.display())]
    Jumps {
        /// The file.
        path: PathBuf,
        /// Which.
        jumps: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}
