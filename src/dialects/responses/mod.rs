//! OpenAI's Responses dialect: what the official SDKs, Vercel's AI SDK and Codex speak by default.
//!
//! A response is a list of items (messages, reasoning, calls), and its stream tells the life of every item.
//! Sources: openai-python 3.57 (`types/responses`), `@ai-sdk/openai` 4.0 (its schemas refuse what lacks a field), Codex's `sse/responses.rs`.
//!
//! # Invariants
//! - A response ends with `response.completed`, `.incomplete` or `.failed`, never with `[DONE]`.
//! - An item's id is made of its response's id and its place, so that whoever knows the one finds the other.

pub mod answer;
pub mod error;
pub mod events;
mod item;
pub mod names;
mod object;
pub mod peek;
pub mod recall;
pub mod request;
mod tokens;
pub mod watch;
