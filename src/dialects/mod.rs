//! Wire formats, one folder each: parse a request, inspect a response, tell errors; and what vendors say about their limits.
//!
//! # Invariants
//! - Pure bytes in, bytes out: no I/O, no clock, no knowledge of routes.
//! - No input panics, and none makes the work or the memory grow beyond the input's own size.
//! - Unknown fields, field order and the text of numbers survive, because bytes are spliced and never re-serialised.

pub mod anthropic;
pub mod bedrock;
pub mod bridge;
pub mod canonical;
pub mod classify;
mod claude;
mod coded;
pub mod cohere;
pub mod convert;
pub mod counting;
mod counts;
pub mod failure;
mod family;
pub mod fixed;
pub mod foreign;
pub mod format;
pub mod gemini;
pub mod joint;
mod lenient;
pub mod limits;
pub mod meeting;
pub mod openai;
pub mod overhear;
pub mod passage;
mod percent;
pub mod replay;
pub mod responses;
pub mod retry_after;
mod schema;
pub mod seen;
mod settings;
pub mod shape;
mod spent;
pub mod tap;
pub mod vertex;
pub mod words;
