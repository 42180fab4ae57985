//! The only file that names atomics: std's, or loom's when the models run.
//!
//! Everything else in the crate imports from here, so that `--cfg loom` swaps them all at once.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
