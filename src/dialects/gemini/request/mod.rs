//! What is asked, read from a client and written for a provider?
//!
//! # Invariants
//! - Model and streaming stand in the path: the body of a stream is that of a whole answer.

mod read;
mod schema;
mod thinking;
mod turns;
mod write;

#[cfg(test)]
mod tests;

pub use read::read;
pub use write::write;
