//! The OpenAI dialect: chat completions, completions, embeddings and models.
//!
//! Between two sides that both speak it, bytes are looked at (`peek`, `response`, `watch`) and spliced; with any other dialect it
//! meets in [`chat`](crate::chat) through `request`, `answer`, `events`, `completions` and `embeddings`.
//!
//! # Invariants
//! - To a provider of the same dialect, a request leaves with the bytes it came with, except the model's name and, in a stream, `stream_options.include_usage`.

pub mod answer;
pub mod completions;
pub mod embeddings;
pub mod error;
pub mod events;
pub mod form;
pub mod media;
mod message;
pub mod peek;
pub mod request;
pub mod response;
pub mod splice;
mod template;
pub(super) mod thoughts;
mod tokens;
pub mod watch;
