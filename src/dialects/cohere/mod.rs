//! The dialect of Cohere's second API: chat, embeddings and reranking.
//!
//! Only providers speak it; of reranking the clients' form is here too, since it is almost the same.
//! Source: Cohere's API reference (v2/chat, v2/embed, v2/rerank) and the types of its Python SDK.
//!
//! # Invariants
//! - A reason to stop that is unknown, or that is an error, never looks like a complete answer.

pub mod answer;
pub mod embed;
pub mod error;
pub mod events;
pub mod request;
pub mod rerank;
mod wire;
