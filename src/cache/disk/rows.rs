//! How are rows written and read?
//!
//! # Invariants
//! - A batch is one transaction.
//! - A row that is returned is one that was put, with its own number, tenant, key and instants.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, params};

use super::database::Disk;
use super::fault::DiskError;
use super::tenants;
use super::vault::Kept;

/// What is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What it is found by; one that is there already is replaced.
    pub id: u64,
    /// Whose data key seals it.
    pub tenant: [u8; 16],
    /// What the cache finds it by; sealed with the payload.
    pub key: [u8; 32],
    /// When it was stored, s since 1970.
    pub stored_s: i64,
    /// From when on a sweep removes it, s since 1970.
    pub expires_s: i64,
    /// What is sealed.
    pub payload: &'a [u8],
}

/// What is known of a row that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it is found by.
    pub id: u64,
    /// Whose it is.
    pub tenant: [u8; 16],
    /// What the cache finds it by.
    pub key: [u8; 32],
    /// When it was stored, s since 1970.
    pub stored_s: i64,
    /// From when on a sweep removes it, s since 1970.
    pub expires_s: i64,
    /// Bytes of the payload.
    pub bytes: u64,
}

/// What came of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows that were visited.
    pub visited: u64,
    /// Rows that did not authenticate, and were removed.
    pub damaged: u64,
}

impl Disk {
    /// Writes rows down, all or none.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn put(&mut self, rows: &[Row<'_>]) -> Result<(), DiskError> {
        self.attempt(|connection, vault| {
            let transaction = connection.transaction()?;
            let mut keys = HashMap::new();
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO rows (id, tenant, stored, expires, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for row in rows {
                let (number, key) = match keys.entry(row.tenant) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        new.insert(tenants::key(&transaction, vault, &row.tenant)?)
                    }
                };
                let sealed = vault.seal(key, row)?;
                let id = row.id.cast_signed();
                insert.execute(params![id, *number, row.stored_s, row.expires_s, sealed])?;
            }
            drop(insert);
            Ok(transaction.commit()?)
        })
    }

    /// Removes rows; tells how many were there.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn remove(&mut self, ids: &[u64]) -> Result<usize, DiskError> {
        self.attempt(|connection, _| remove(connection, ids.iter().copied()))
    }

    /// Reads a payload, expired or not; one that does not authenticate is removed, counted, and not there.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn read(&mut self, id: u64) -> Result<Option<Vec<u8>>, DiskError> {
        self.attempt(|connection, vault| {
            let select = format!(
                "SELECT {} FROM rows JOIN tenants ON tenants.number = rows.tenant WHERE rows.id = ?1",
                Kept::COLUMNS
            );
            let found = connection
                .query_row(&select, [id.cast_signed()], |row| Ok(vault.open(&Kept::of(row)?)))
                .optional()?;
            if let Some(None) = found {
                remove(connection, [id])?;
            }
            Ok(found.flatten().map(|(_, payload)| payload))
        })
    }

    /// Visits all rows, expired or not, the newest first, until the visitor breaks off; those that do not authenticate are removed.
    ///
    /// # Errors
    /// [`DiskError`]; what was visited until then is right.
    pub fn all(
        &mut self,
        mut visit: impl FnMut(Known, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<Loaded, DiskError> {
        self.attempt(|connection, vault| {
            let mut visited = 0;
            let mut damaged = Vec::new();
            let mut all = connection.prepare(&format!(
                "SELECT {} FROM rows JOIN tenants ON tenants.number = rows.tenant ORDER BY rows.stored DESC, rows.id DESC",
                Kept::COLUMNS
            ))?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let kept = Kept::of(row)?;
                let Some((known, payload)) = vault.open(&kept) else {
                    damaged.push(kept.id.cast_unsigned());
                    continue;
                };
                visited += 1;
                if visit(known, payload).is_break() {
                    break;
                }
            }
            drop(rows);
            drop(all);
            let count = damaged.len() as u64;
            remove(connection, damaged)?;
            Ok(Loaded {
                visited,
                damaged: count,
            })
        })
    }
}

/// Removes rows in one transaction; tells how many were there.
pub(super) fn remove(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = u64>,
) -> Result<usize, DiskError> {
    let transaction = connection.transaction()?;
    let mut delete = transaction.prepare("DELETE FROM rows WHERE id = ?1")?;
    let mut removed = 0;
    for id in ids {
        removed += delete.execute([id.cast_signed()])?;
    }
    drop(delete);
    transaction.commit()?;
    Ok(removed)
}
