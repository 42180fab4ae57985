//! What the benches and the overhead harness share: a load generator, a fixed upstream, child processes and their cost.
//!
//! Nothing here is part of the product; it measures the product from outside, as a client and as the kernel see it.
//!
//! # Invariants
//! - A response that is not complete and right counts as a failure, and a run with failures says so.
//! - Figures that are compared come from one run on one machine, in alternating rounds.

pub mod agent;
pub mod decisions;
pub mod encoder;
pub mod load;
pub mod process;
pub mod promises;
pub mod proxy;
pub mod report;
pub mod samples;
pub mod streams;
pub mod upstream;
pub mod watchers;
