//! What do models cost, and where is that known from?
//!
//! # Invariants
//! - A price that nobody knows is told as unknown, never as zero.

mod book;
mod bound;
mod catalogue;
mod keep;
mod line;
mod sheet;
mod tariff;
mod update;

pub use book::{Book, NotRead, vendor};
pub use catalogue::{BadCatalogue, Catalogue};
pub use keep::{NotKept, keep};
pub use line::BadLine;
pub use sheet::BadSheet;
pub use tariff::{Above, Cost, Picture, Rates, Tariff, Tier, Used};
pub use update::{BadList, Difference, compare, read};
