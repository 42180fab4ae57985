//! Do the estimates find the truth where it is known, and are they refused where it cannot be found?
//!
//! # Invariants
//! - Everything is recorded in a simulated world; seeds are in the tests.

mod proof;
mod report;
mod tape;
mod worlds;
