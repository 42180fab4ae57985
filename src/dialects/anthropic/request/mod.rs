//! A request for a message: read from a client, written for a provider.
//!
//! # Invariants
//! - As of [`meeting`](super::super::meeting).

mod content;
mod read;
#[cfg(test)]
mod tests;
mod thinking;
mod turns;
mod write;

pub use read::read;
pub use write::write;
