//! What did a model answer, in the Responses dialect?
//!
//! # Invariants
//! - What was written is read as the same parts, but for tools that the client names differently than the model.

mod read;
mod write;

pub use read::read;
pub(super) use read::{RawItem, RawResponse};
pub use write::{write, write_named};
