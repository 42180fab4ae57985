//! Which routes can serve a model?
//!
//! The configuration's models, providers and keys become [`Model`]s with a pool of candidates each.
//! A route's statistics live in the [`Registry`] under the route's identity, so a reload that changes weights, keys or prices of others keeps them.
//!
//! # Invariants
//! - A [`Snapshot`] never changes after it is built.
//! - One identity has one set of statistics, whichever models use it.

mod registry;
mod snapshot;

pub use registry::{Identity, Registry};
pub use snapshot::{Model, Snapshot, Target};
