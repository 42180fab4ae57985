//! Anthropic's dialect: messages, the count of their tokens, and models.
//!
//! # Invariants
//! - Between two sides that both speak it, a request leaves with the bytes it came with, except the model's name: cache marks and signed thoughts survive.

pub mod answer;
mod block;
pub mod error;
pub mod events;
pub mod models;
pub mod request;
mod stop;
mod usage;
pub mod watch;
