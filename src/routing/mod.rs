//! Which routes can serve a model?
//!
//! The configuration's models, providers and keys become [`Model`]s with a pool of candidates each.
//! A route's statistics live in the [`Registry`] under the route's identity, so a reload that changes weights, keys or prices of others keeps them.
//!
//! # Invariants
//! - A [`Snapshot`] never changes after it is built.
//! - Rules choose by the request's facts alone; a workflow's gate is the same across reloads.
//! - A session is remembered by its hash, and its route by its identity.
//! - One identity has one set of statistics, whichever models use it.

mod gate;
mod makers;
mod registry;
pub mod rules;
mod sessions;
mod snapshot;

pub use gate::{Full, Gate, Pass};
pub use makers::{Maker, Makers};
pub use registry::{Identity, Registry};
pub use sessions::{Home, Session, Sessions, Turn};
pub use snapshot::{Choice, Model, Purposes, Rating, Snapshot, Target};
