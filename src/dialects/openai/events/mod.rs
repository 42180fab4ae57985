//! What is a streamed answer in OpenAI's dialect?
//!
//! # Invariants
//! - A stream that ends without a finish reason never gets an end marker.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::Reader;
pub use write::Writer;

pub(super) use write::event;
