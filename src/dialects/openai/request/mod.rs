//! How is a conversation asked for in OpenAI's dialect?
//!
//! # Invariants
//! - A field that is understood but cannot be carried is told by its name; none is dropped silently.
//! - What is written is what every compatible vendor takes, unless the model's name says that it is OpenAI's own.

mod read;
mod script;
#[cfg(test)]
mod tests;
mod turns;
mod write;

pub use read::read;
pub use write::write;

pub(super) use read::{RawStop, choices_of};
