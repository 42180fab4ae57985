//! The data plane's front: listeners, limits, paths, credentials.
//!
//! # Invariants
//! - A request whose framing is ambiguous, or whose head or body is too large, is refused before anything else looks at it.
//! - A connection is served by one worker thread from its first byte to its last.
//! - Once draining has begun no connection takes another request; those in flight are finished.

mod body;
mod connection;
mod credential;
pub mod guard;
mod intake;
pub mod paths;
mod roster;
mod service;
mod worker;

pub use worker::{Front, Handoff, Hub, run};
