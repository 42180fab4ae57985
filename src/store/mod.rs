//! Where is history kept?
//!
//! In one SQLite file: ledger entries, what accounts have spent, what was used day by day, who was made to ask and to pay, and who changed what.
//! It knows rows and questions, not what they mean; `governance` decides what is written.
//!
//! # Invariants
//! - One thread writes; readers have connections of their own and stop nobody.
//! - Nothing that serves a request waits for it: a full, locked or broken database costs history its freshness and no one an answer.
//! - A batch of rows is written whole, together with how far the journal was read, or not at all.

mod audit;
mod batch;
mod database;
mod entry;
mod export;
pub mod requests;
mod retention;
mod schema;
mod tenants;
mod usage;
mod writer;

#[cfg(test)]
mod tests;

pub use audit::{Audited, Broken, Change, Head};
pub use batch::{Batch, Day, DayKey, Shift, Total};
pub use database::{Database, StoreError};
pub use entry::{Entry, State, Used};
pub use export::{CSV_HEAD, Filter, Page, Row};
pub use retention::Keep;
pub use tenants::{Kept, Made, Write};
pub use usage::{Group, Range, Usage};
pub use writer::{Busy, Pending, Writer};
