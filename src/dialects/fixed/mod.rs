//! Puts a workflow's fixed parameters, model and instructions into a client's request.
//!
//! Parameters are named as in chat completions; where another format has another name or place for one, it goes there, and where a format has none, it is left out and named.
//! A name that is not known here goes to the top of the request as it is.
//!
//! # Invariants
//! - What is fixed replaces what the client wrote for the same thing, under any of its names; everything else keeps its bytes and its order.
//! - A field that is read here and occurs twice is refused: a provider might read the other one.
//! - No parameter is left out silently: whatever does not reach the provider is in [`Omitted`] or among the losses of the translation.

mod apply;
mod fields;
mod instructions;
mod omitted;
mod seat;
mod unheard;

#[cfg(test)]
mod tests;

pub use apply::Fixed;
pub use omitted::Omitted;
pub use unheard::{Unheard, unheard};
