//! How long are entries kept?
//!
//! By age and by room; the sums of days, accounts and the audit log stay.
//!
//! # Invariants
//! - What is open or in doubt is never removed.
//! - One call removes at most [`AT_ONCE`] entries, so that the writer is free again soon.

use rusqlite::params;

use super::database::{Database, StoreError};

/// Entries that one call removes: some tens of milliseconds.
const AT_ONCE: u32 = 5_000;

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Entries begun before this are removed, µs since 1970.
    pub since: Option<i64>,
    /// Bytes that the database may have before the oldest entries are removed.
    pub bytes: Option<u64>,
}

impl Database {
    /// Removes what need not be kept; tells how many entries were removed, and is to be called again while that is not zero.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn prune(&mut self, keep: &Keep) -> Result<usize, StoreError> {
        let crowded = match keep.bytes {
            Some(bytes) => self.bytes()? > bytes,
            None => false,
        };
        let before = if crowded { Some(i64::MAX) } else { keep.since };
        let Some(before) = before else {
            return Ok(0);
        };
        let removed = self.connection.execute(
            "DELETE FROM entries WHERE number IN (SELECT number FROM entries WHERE at < ?1 AND state IN (1, 3) ORDER BY at LIMIT ?2)",
            params![before, AT_ONCE],
        )?;
        if removed > 0 {
            let mut freed = self.connection.prepare("PRAGMA incremental_vacuum(2000)")?;
            let mut pages = freed.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(removed)
    }

    /// Bytes of the database that are in use.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let ask = |what: &str| -> Result<i64, StoreError> {
            Ok(self
                .connection
                .pragma_query_value(None, what, |row| row.get(0))?)
        };
        let used = ask("page_count")? - ask("freelist_count")?;
        Ok((used * ask("page_size")?).cast_unsigned())
    }
}
