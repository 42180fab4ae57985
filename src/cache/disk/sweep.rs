//! What is removed when, and what becomes of its room?
//!
//! First what has expired, then the oldest beyond the limit.
//! Freed pages are used again; those beyond an eighth of the file, or beyond the limit, are given back to the file system.
//!
//! # Invariants
//! - One call removes at most [`AT_ONCE`] rows of either kind and gives back at most [`PAGES`], so that the keeper is free again soon.

use rusqlite::{Connection, params};

use super::aside;
use super::database::{Disk, used};
use super::fault::DiskError;
use super::file::unusable;
use super::tenants;

/// Rows that one call removes of either kind: with what it gives back, a tenth of a second.
const AT_ONCE: usize = 2_000;

/// Pages that one call gives back: 16 MiB.
const PAGES: u64 = 1_024;

/// The part of a file's pages that may stay free, since new rows will need them.
const FREE: u64 = 8;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that had expired.
    pub expired: usize,
    /// Rows that were the oldest beyond the limit.
    pub evicted: usize,
    /// Bytes of the pages in use now.
    pub bytes: u64,
    /// Whether there is more to be done: to be called again soon.
    pub more: bool,
}

impl Disk {
    /// Removes what has expired, then the oldest rows beyond the limit, and gives room back.
    ///
    /// Where an operator has removed the file meanwhile, it is begun anew.
    ///
    /// # Errors
    /// [`DiskError`]; what was removed until then is.
    pub fn sweep(&mut self, now_s: i64) -> Result<Swept, DiskError> {
        self.heed_removal()?;
        let (limit, path) = (self.limits.bytes, self.path.clone());
        self.attempt(|connection, _| {
            aside::tidy(&path, now_s).map_err(|source| unusable(&path, source))?;
            let expired = connection.execute(
                "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
                params![now_s, AT_ONCE as i64],
            )?;
            let evicted = evict(connection, limit)?;
            if expired + evicted > 0 {
                tenants::prune(connection)?;
            }
            let more = give_back(connection, limit)?;
            Ok(Swept {
                expired,
                evicted,
                bytes: used(connection)?,
                more: more || expired == AT_ONCE || evicted >= AT_ONCE,
            })
        })
    }
}

/// Removes the oldest rows until the rest is within the limit; tells how many.
fn evict(connection: &mut Connection, limit: u64) -> Result<usize, DiskError> {
    let mut evicted = 0;
    while evicted < AT_ONCE {
        let over = used(connection)?.saturating_sub(limit);
        if over == 0 {
            break;
        }
        let oldest = oldest(connection, over, AT_ONCE - evicted)?;
        if oldest.is_empty() {
            break;
        }
        evicted += super::rows::remove(connection, oldest)?;
    }
    Ok(evicted)
}

/// The oldest rows that have about so many bytes, at most so many.
fn oldest(connection: &Connection, bytes: u64, most: usize) -> Result<Vec<u64>, DiskError> {
    let mut all =
        connection.prepare("SELECT id, length(sealed) FROM rows ORDER BY stored, id LIMIT ?1")?;
    let mut rows = all.query([most as i64])?;
    let (mut oldest, mut sum) = (Vec::new(), 0);
    while sum < bytes
        && let Some(row) = rows.next()?
    {
        oldest.push(row.get::<_, i64>(0)?.cast_unsigned());
        sum += row.get::<_, i64>(1)?.cast_unsigned();
    }
    Ok(oldest)
}

/// Gives free pages back; whether there are more to give.
fn give_back(connection: &Connection, limit: u64) -> Result<bool, DiskError> {
    let ask = |what: &str| -> Result<u64, DiskError> {
        let asked: i64 = connection.pragma_query_value(None, what, |row| row.get(0))?;
        Ok(asked.cast_unsigned())
    };
    let (pages, free) = (ask("page_count")?, ask("freelist_count")?);
    let within = (limit / ask("page_size")?.max(1)).saturating_sub(pages.saturating_sub(free));
    let surplus = free.saturating_sub(within.min(pages / FREE));
    if surplus > 0 {
        let now = surplus.min(PAGES);
        let mut freed = connection.prepare(&format!("PRAGMA incremental_vacuum({now})"))?;
        let mut steps = freed.query([])?;
        while steps.next()?.is_some() {}
    }
    Ok(surplus > PAGES)
}
