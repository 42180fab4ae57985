//! Server-sent events as they pass by.
//!
//! # Invariants
//! - Splitting the bytes anywhere changes nothing about the events found.
//! - Memory held for one stream is bounded by [`sse::MAX_EVENT`].

pub mod sse;
