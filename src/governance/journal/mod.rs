//! How is what was reserved known after a crash?
//!
//! Before a request leaves, a record of what it may cost is appended to a file by one `write`; when it has ended, a record of what it did cost follows.
//! Each worker writes a file of its own, so nobody waits for anybody; a control thread opens the next file ahead, syncs what was written and says how far each file may be read.
//!
//! # Invariants
//! - A record is in its file whole or not at all: what a failed write left behind is taken back before the next one.
//! - A writer neither locks, allocates nor reads the clock.
//! - Nobody reads a live file further than its writer has said.

mod append;
mod control;
mod disk;
mod names;
mod reader;
mod record;
mod writer;

#[cfg(test)]
pub(crate) mod faulty;
#[cfg(test)]
pub(crate) mod tests;

pub use append::JournalError;
pub use control::{Journal, Readable, Tended};
pub use disk::{Disk, Folder, Log};
pub use names::{Kind, Labels, Name, Names, NamesError, Read, read_names};
pub use reader::{Found, Reader};
pub use record::{
    Adjust, Flags, Parties, Record, Reserve, Roll, SIZE, SLOTS, Settle, Slot, Slots, TooManySlots,
};
pub use writer::Writer;

/// What an attempt used, as records and rows hold it.
pub use crate::store::Used as Tokens;
