//! Wire formats, one folder each: parse a request, inspect a response, tell errors; and what vendors say about their limits.
//!
//! # Invariants
//! - Pure bytes in, bytes out: no I/O, no clock, no knowledge of routes.
//! - No input panics, and none makes the work or the memory grow beyond the input's own size.
//! - Unknown fields, field order and the text of numbers survive, because bytes are spliced and never re-serialised.

pub mod limits;
pub mod openai;
pub mod retry_after;
