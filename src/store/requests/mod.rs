//! Where are finished requests kept, so that ten million of them can be looked through at once?
//!
//! In blocks of some thousand, each packed column by column: some 45 bytes a request, and a fraction of a µs to write.
//! A row of a table with its indexes would cost ten times as much of both.
//! What can be said of a block without reading it is kept beside it, so that most are never read.
//! Texts, which are large and seldom asked for, stand apart.
//!
//! # Invariants
//! - Nothing is known here of what a text means.
//! - Readers never wait for the writer, nor it for them, longer than a block takes to be packed.

mod aside;
mod block;
mod columns;
mod disk;
mod filter;
mod lexicon;
mod open;
mod pack;
mod row;
mod search;
mod shelf;
mod summary;
mod tables;

#[cfg(test)]
mod tests;

pub use disk::{Disk, Limits};
pub use filter::{Field, Filter, Id};
pub use row::{Leg, Row, Said, Texts, Tokens, Via};
pub use search::{Hit, Page, Records, Wish};
pub use shelf::{Shelf, Stay};
