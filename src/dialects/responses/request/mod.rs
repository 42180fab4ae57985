//! What does a client ask for in the Responses dialect, and how is a provider asked in it?
//!
//! # Invariants
//! - What refers to something stored elsewhere (`previous_response_id`, `conversation`, `item_reference`, `prompt`) is a loss of meaning:
//!   only a route that is served verbatim can know it.

pub(in super::super::responses) mod items;
mod read;
pub(in super::super::responses) mod tools;
mod turns;
mod write;

pub use read::{read, read_recalling};
pub use write::write;

#[cfg(test)]
mod tests;
