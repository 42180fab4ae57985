//! How does a response stream?
//!
//! # Invariants
//! - Every event has its `event:` line and its `sequence_number`, which counts from 0 without a gap.

mod reader;
mod step;
mod writer;

pub use reader::Reader;
pub(super) use step::Steps;
pub use writer::{MAX_KEPT, Writer};

#[cfg(test)]
mod tests;
