//! Who has a data key, and how is one forgotten?
//!
//! Whoever has no key has no row that can be read, in this file or in any copy of its rows.
//! Where the key itself was copied with the file, as in a backup, only the master key stands between.
//!
//! # Invariants
//! - A forgotten key is in no file of the folder: its page is overwritten, the log cut off, and what was set aside removed.
//!   What the file system or the drive keeps of overwritten blocks is beyond reach.
//! - A key that cannot be unwrapped is replaced, and the rows under it are gone.

use rusqlite::{Connection, OptionalExtension, params};

use super::aside;
use super::database::Disk;
use super::fault::DiskError;
use super::file::{self, unusable};
use super::seal::Sealer;
use super::vault::Vault;

/// Rows that one transaction removes, so that the log stays short.
const AT_ONCE: i64 = 2_000;

impl Disk {
    /// Forgets a tenant: erases its data key, so that nothing under it can be read any more, then its rows; tells how many.
    ///
    /// Whether it was known or not, the log is cut off and files that were set aside, which may hold the key, are removed; so asking again finishes what an error left.
    ///
    /// # Errors
    /// [`DiskError`]; the key may still be there: ask again.
    pub fn forget_tenant(&mut self, tenant: [u8; 16]) -> Result<usize, DiskError> {
        let path = self.path.clone();
        self.attempt(|connection, vault| {
            vault.forget();
            let select = "SELECT number FROM tenants WHERE tenant = ?1";
            let number: Option<i64> = connection
                .query_row(select, [tenant], |row| row.get(0))
                .optional()?;
            erase(connection, tenant)?;
            aside::clear(&path).map_err(|source| unusable(&path, source))?;
            match number {
                Some(number) => remove_rows(connection, number),
                None => Ok(0),
            }
        })
    }
}

/// Erases a tenant's key from every file.
///
/// Why all others are written anew: where pages were split and joined, what SQLite leaves between the cells of one may be a copy of a key, and only a page that becomes free is overwritten whole.
fn erase(connection: &mut Connection, tenant: [u8; 16]) -> Result<(), DiskError> {
    let transaction = connection.transaction()?;
    let mut select =
        transaction.prepare("SELECT number, tenant, key FROM tenants WHERE tenant <> ?1")?;
    let others = select.query_map([tenant], |row| {
        Ok::<(i64, Vec<u8>, Vec<u8>), _>((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let others: Vec<_> = others.collect::<Result<_, _>>()?;
    drop(select);
    transaction.execute("DELETE FROM tenants", [])?;
    let mut insert =
        transaction.prepare("INSERT INTO tenants (number, tenant, key) VALUES (?1, ?2, ?3)")?;
    for (number, tenant, key) in others {
        insert.execute(params![number, tenant, key])?;
    }
    drop(insert);
    transaction.commit()?;
    if file::cut_log(connection)? {
        Ok(())
    } else {
        Err(DiskError::Locked)
    }
}

/// Removes all rows under a number.
fn remove_rows(connection: &Connection, number: i64) -> Result<usize, DiskError> {
    let mut removed = 0;
    loop {
        let some = connection.execute(
            "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE tenant = ?1 LIMIT ?2)",
            [number, AT_ONCE],
        )?;
        if some == 0 {
            return Ok(removed);
        }
        removed += some;
    }
}

/// Removes the keys of those of whom nothing is kept.
pub(super) fn prune(connection: &Connection) -> Result<(), DiskError> {
    connection.execute(
        "DELETE FROM tenants WHERE NOT EXISTS (SELECT 1 FROM rows WHERE rows.tenant = tenants.number)",
        [],
    )?;
    Ok(())
}

/// A tenant's number and data key, made if there is none.
pub(super) fn key(
    connection: &Connection,
    vault: &mut Vault,
    tenant: &[u8; 16],
) -> Result<(i64, Sealer), DiskError> {
    let select = "SELECT number, key FROM tenants WHERE tenant = ?1";
    let unwrap = |row: &rusqlite::Row<'_>| {
        let wrapped = row.get_ref(1)?.as_blob().ok();
        let sealer = wrapped.and_then(|wrapped| vault.unwrap(tenant, wrapped));
        Ok((row.get(0)?, sealer))
    };
    let found: Option<(i64, Option<Sealer>)> =
        connection.query_row(select, [tenant], unwrap).optional()?;
    match found {
        Some((number, Some(sealer))) => return Ok((number, sealer)),
        Some((number, None)) => {
            vault.damaged += 1;
            connection.execute("DELETE FROM rows WHERE tenant = ?1", [number])?;
            connection.execute("DELETE FROM tenants WHERE number = ?1", [number])?;
        }
        None => {}
    }
    let (sealer, wrapped) = vault.mint(tenant)?;
    connection.execute(
        "INSERT INTO tenants (tenant, key) VALUES (?1, ?2)",
        params![tenant, wrapped],
    )?;
    Ok((connection.last_insert_rowid(), sealer))
}
