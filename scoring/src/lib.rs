//! Decides where a request goes.
//!
//! One currency (expected milliseconds), three gates (circuit, ceilings, capability), one draw.
//! The model, its formulae and its defaults are on one page in the crate's `README.md`.
//!
//! # Invariants
//! - Nothing here blocks, fails, reads a clock or an RNG of its own: every function takes `now` and an RNG.
//! - Selecting and recording allocate nothing.
//! - The same state and the same inputs give the same answer.

mod atomics;
mod cell;
mod ewma;
mod float;
mod rules;

pub mod affinity;
pub mod ceiling;
pub mod cost;
pub mod health;
pub mod latency;
pub mod outcome;
pub mod pace;
pub mod refill;
pub mod retry;
pub mod route;
pub mod select;
pub mod shadow;
pub mod time;
pub mod tuning;
pub mod walk;

pub use latency::Class;
pub use outcome::Outcome;

#[cfg(loom)]
#[doc(hidden)]
pub mod internals;
