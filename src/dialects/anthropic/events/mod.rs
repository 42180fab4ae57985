//! The stream of a message: read from a provider, written for a client.
//!
//! # Invariants
//! - As of [`meeting`](super::super::meeting).

mod read;
#[cfg(test)]
mod tests;
mod whole;
mod write;

pub use read::Reader;
pub use write::Writer;
