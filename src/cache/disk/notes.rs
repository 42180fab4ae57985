//! What else is remembered?
//!
//! Small values by name, sealed under the master key: what the policy has learned.
//! Their names are hashed, since a name may tell who is served.
//!
//! # Invariants
//! - A value is found by the name that it was written under and by no other.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::Disk;
use super::fault::DiskError;
use super::seal::Purpose;
use super::vault::Vault;

impl Disk {
    /// Writes a small value down under a name, in the place of the one before.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn note(&mut self, name: &str, value: &[u8]) -> Result<(), DiskError> {
        self.attempt(|connection, vault| write(connection, vault, (name, value)))
    }

    /// Reads what was written under a name; one that does not authenticate is removed, counted, and not there.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn read_note(&mut self, name: &str) -> Result<Option<Vec<u8>>, DiskError> {
        self.attempt(|connection, vault| Ok(read(connection, vault, name)?))
    }
}

/// Writes a note: its name and value.
pub(super) fn write(
    connection: &Connection,
    vault: &mut Vault,
    (name, value): (&str, &[u8]),
) -> Result<(), DiskError> {
    let master = &vault.master.0;
    let sealed = master.seal(Purpose::Note, name.as_bytes(), &[value], &mut vault.rng)?;
    connection.execute(
        "INSERT OR REPLACE INTO notes (name, value) VALUES (?1, ?2)",
        params![master.name(name), sealed],
    )?;
    Ok(())
}

/// Reads a note.
pub(super) fn read(
    connection: &Connection,
    vault: &mut Vault,
    name: &str,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let master = &vault.master.0;
    let hashed = master.name(name);
    let select = "SELECT value FROM notes WHERE name = ?1";
    let open = |row: &rusqlite::Row<'_>| {
        let sealed = row.get_ref(0)?.as_blob().ok();
        Ok(sealed.and_then(|it| master.open(Purpose::Note, name.as_bytes(), it)))
    };
    let found = connection.query_row(select, [hashed], open).optional()?;
    if let Some(None) = found {
        vault.damaged += 1;
        connection.execute("DELETE FROM notes WHERE name = ?1", [hashed])?;
    }
    Ok(found.flatten())
}
