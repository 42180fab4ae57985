//! Which tables are there, and is a file one of ours?
//!
//! `user_version` counts the steps that a file has taken; the rest is taken in one transaction each.
//! The text of the tables is compared with what it would be in a new file, so that one damaged byte in it is found before it misleads.
//!
//! # Invariants
//! - A step that was released is never changed; a change is a new step.
//! - A file of a newer version or of another application is never written to.

use rusqlite::Connection;

/// What says that the file is ours: `TTCA`.
const APPLICATION: i32 = 0x5454_4341;

/// The steps, in order.
///
/// `stored` and `expires` are s since 1970; `key`, `sealed` and `value` are sealed texts; a note's `name` is hashed.
/// A tenant's number is never given twice.
const STEPS: &[&str] = &["
CREATE TABLE tenants (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL
) STRICT;
CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX rows_tenant ON rows (tenant);
CREATE INDEX rows_stored ON rows (stored);
CREATE INDEX rows_expires ON rows (expires);
CREATE TABLE notes (
    name BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours, of this version or an older one.
    Ours,
    /// Ours, of a newer version.
    Newer,
    /// Somebody else's.
    Foreign,
}

/// Looks at a file without writing to it.
pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let ask = |what| connection.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
    let taken = ask("user_version")?;
    Ok(
        if ask("application_id")? != i64::from(APPLICATION) || taken < 1 {
            Kind::Foreign
        } else if usize::try_from(taken).is_ok_and(|taken| taken > STEPS.len()) {
            Kind::Newer
        } else {
            Kind::Ours
        },
    )
}

/// Brings a file up to date.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let taken: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    for (step, sql) in STEPS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Writes the version anew: a file that says that it may not be written does not go unseen until the first row.
pub(super) fn stamp(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", STEPS.len() as i64)
}

/// Whether the tables are as they were made.
pub(super) fn is_whole(connection: &Connection) -> rusqlite::Result<bool> {
    let mut new = Connection::open_in_memory()?;
    migrate(&mut new)?;
    Ok(tables(connection)? == tables(&new)?)
}

/// The text of all tables and indices.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let mut all =
        connection.prepare("SELECT name, tbl_name, sql FROM sqlite_schema ORDER BY name")?;
    let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}
