//! Where do answers outlive a restart?
//!
//! In one SQLite file, sealed: whoever has the folder without the master key reads neither an answer nor what was asked.
//! The payloads are opaque; what an entry is and when it is worth keeping is the rest of the cache's to know.
//! Each tenant has a random data key of its own, wrapped by the master key, so that a tenant is forgotten by forgetting its key.
//!
//! In the clear are: a row's number, its two instants, its length, and a tenant's 16 bytes with how many rows it has.
//! Nothing is padded: who has the file sees how long each payload is.
//! What was current once stays authentic: who can write to the file can put an older state of it back, and no more than that.
//!
//! # Invariants
//! - What does not authenticate under its own number, tenant and instants is never returned.
//! - A batch of rows is there whole or not at all, whenever the process dies.
//! - What cannot be opened is set aside, never removed at once; what another process uses is not touched.
//! - Everything here blocks: it belongs to the cache keeper's thread, and nothing that serves a request waits for it.

mod aside;
mod database;
mod fault;
mod file;
mod master;
mod notes;
mod rows;
mod schema;
mod seal;
mod sweep;
mod tenants;
mod vault;

#[cfg(test)]
mod tests;

pub use database::{Disk, Limits, Opened};
pub use fault::DiskError;
pub use master::{KeyError, MasterKey};
pub use rows::{Known, Loaded, Row};
pub use sweep::Swept;
