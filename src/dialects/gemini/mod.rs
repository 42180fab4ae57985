//! The Gemini dialect: `generateContent` and its stream, embeddings, token counts and models; Vertex speaks the same bodies.
//!
//! A model and whether it streams stand in the path, not in the body.
//! Field names are read in camelCase and in snake_case, since Google takes both and its own clients mix them; they are written in camelCase.
//! Sources: the REST reference of `generativelanguage` v1beta and the types of `google-genai` 3.6.
//!
//! # Invariants
//! - A stream has no end marker: its last event is the one with a reason to finish.
//! - What only Google signs goes back to Google unchanged; another maker's signature travels in base64, because clients decode the field.

pub mod answer;
pub mod array;
pub mod embed;
pub mod error;
pub mod events;
mod finish;
mod ids;
mod media;
mod modality;
pub mod models;
mod part;
pub mod request;
pub mod response;
mod signature;
mod usage;
pub mod watch;
mod wire;
mod written;
