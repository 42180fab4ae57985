//! What do models cost, and where is that known from?
//!
//! # Invariants
//! - A price that nobody knows is told as unknown, never as zero.

mod tariff;

pub use tariff::{Above, Cost, Rates, Tariff, Tier, Used};
