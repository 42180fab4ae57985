//! The OpenAI dialect: chat completions, completions, embeddings and models.
//!
//! # Invariants
//! - A request leaves with the bytes it came with, except the model's name and, in a stream, `stream_options.include_usage`.

pub mod classify;
pub mod error;
pub mod peek;
pub mod response;
pub mod splice;
pub mod tap;
mod template;
