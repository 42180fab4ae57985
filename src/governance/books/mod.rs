//! What has everybody spent, after whatever happened?
//!
//! The journals are read from where they were read last, and what they say is added to the database: that is recovery and everyday bookkeeping alike.
//! At a start everything is read before anything is served; what was reserved and never settled is then *in doubt*: it stays charged as reserved, is listed, and an operator says what it did cost.
//!
//! # Invariants
//! - An attempt is charged once, in whatever order and however often its records are read.
//! - What is reserved stays charged until its settlement or an operator's correction is read.
//! - A journal is removed only when all of it survives a loss of power in the database and nothing reserved in it is in flight.

mod balance;
mod ingest;
mod keeper;
mod merge;

#[cfg(test)]
mod tests;

pub use balance::{Balance, SLICES, Spent, balances};
pub use ingest::{Books, BooksError, Counts, Pass, Recovered};
pub use keeper::{Counted, Keeper, Running};
pub use merge::correction;
