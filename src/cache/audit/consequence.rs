//! What became of an entry whose answer was checked?
//!
//! The policy decides it; records carry it.
//!
//! # Invariants
//! - Only an answer that was found wrong has a consequence.

use serde::{Deserialize, Serialize};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Nothing.
    Keep,
    /// It is served from this similarity on.
    RaiseFloor(f64),
    /// It is removed.
    Evict,
}
