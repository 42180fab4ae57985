//! Which tables are in the file, and how is it opened?
//!
//! # Invariants
//! - A step that was released is never changed; a change is a new step.
//! - A file of a newer version is refused, not guessed at.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::database::StoreError;

/// What says that the file is ours: `TTRQ`.
const APPLICATION: i32 = 0x5454_5251;

/// How long a lock is waited for: nobody else writes, and readers stop nobody.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bytes that the write-ahead log is cut to after a checkpoint.
const LOG_BYTES: i64 = 16 << 20;

/// Bytes of a page: a block is two dozen of them, and a second's part one or two.
const PAGE_BYTES: i64 = 8 << 10;

/// The steps, in order.
///
/// What is looked at to leave a block out stands before its bytes, so that those are not read for it.
const STEPS: &[&str] = &["
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    summary BLOB NOT NULL,
    sieve BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE parts (
    number INTEGER NOT NULL,
    row INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (number, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE texts (
    place INTEGER PRIMARY KEY,
    decisions TEXT NOT NULL,
    request TEXT,
    response TEXT,
    cut INTEGER
) STRICT;
"];

/// Opens the file for writing, with its tables.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    // Only a file without tables takes these.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A loss of power may cost the last seconds; it damages nothing.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update_and_check(
        None,
        "wal_autocheckpoint",
        LOG_BYTES / PAGE_BYTES,
        |_| Ok(()),
    )?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the file for questions; none if it is not there yet.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    let taken: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((taken > 0).then_some(connection))
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let ask = |what: &str| connection.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
    let (taken, ours) = (ask("user_version")?, ask("application_id")?);
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    if taken > 0 && ours != i64::from(APPLICATION) {
        return Err(StoreError::Damaged);
    }
    if taken > STEPS.len() {
        return Err(StoreError::Newer);
    }
    for (step, sql) in STEPS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
