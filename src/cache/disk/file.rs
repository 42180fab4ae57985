//! How is the file opened, and when is it not fit to be used?
//!
//! A new one is made whole under another name and then renamed, so that whatever is at the path is either a finished database or nothing of ours.
//! One that is there is held before it is judged: SQLite's exclusive lock keeps everybody out for as long as it is open, and needs no shared memory beside the file.
//!
//! # Invariants
//! - What another process holds is never judged, let alone set aside.
//! - Nothing is written to a file before it is known to be ours.
//! - Write-ahead log, so that a process that dies leaves the last whole transaction.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::aside::{self, with};
use super::fault::DiskError;
use super::master::folder;
use super::notes;
use super::schema::{self, Kind};
use super::vault::Vault;

/// How long a lock is waited for: as long as somebody with a shell may have looked, since no other gateway should have it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes of the write-ahead log at which it is moved into the database, and that it is cut to then: what the disk needs beyond the limit.
const LOG_BYTES: i64 = 8 << 20;

/// Bytes of a page: several answers of some KiB fit in one, where 4 KiB would leave a third of each empty.
const PAGE_BYTES: i64 = 16 << 10;

/// A note that only the right master key finds.
const CHECK: &str = "\0master";

/// Why a file was not opened.
#[derive(Debug)]
enum Trouble {
    /// It can be set aside, and why.
    Unfit(String),
    /// It cannot be used now.
    Error(DiskError),
}

impl From<DiskError> for Trouble {
    fn from(error: DiskError) -> Self {
        Self::Error(error)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let passing = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::OutOfMemory
            )
        );
        if passing {
            Self::Error(error.into())
        } else {
            Self::Unfit(format!("it is damaged ({error})"))
        }
    }
}

/// Opens the database at a path, which this process has locked, or makes it; and tells what was set aside for it.
///
/// # Errors
/// [`DiskError`]
pub(super) fn open(
    path: &Path,
    vault: &mut Vault,
) -> Result<(Connection, Option<String>), DiskError> {
    let unusable = |source| unusable(path, source);
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => return Err(DiskError::NotAFile(path.to_owned())),
        Ok(about) if about.len() > 0 => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => return Ok((made(path, vault)?, None)),
    }
    let why = match opened(path, vault) {
        Ok(connection) => return Ok((connection, None)),
        Err(Trouble::Error(DiskError::Unwritable)) if is_writable(path) => {
            "it is damaged (it says that it may not be written)".to_owned()
        }
        Err(Trouble::Error(error)) => return Err(error),
        Err(Trouble::Unfit(why)) => why,
    };
    let aside = set_aside(path)?;
    let told = format!(
        "{} was set aside as {}: {why}",
        path.display(),
        aside.display()
    );
    Ok((made(path, vault)?, Some(told)))
}

/// Sets the database aside; its new path.
///
/// # Errors
/// As the system says.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, DiskError> {
    aside::set_aside(path).map_err(|source| unusable(path, source))
}

/// Says which file the system's word is about.
pub(super) fn unusable(path: &Path, source: io::Error) -> DiskError {
    let path = path.to_owned();
    DiskError::Unusable { path, source }
}

/// Opens what is there.
fn opened(path: &Path, vault: &mut Vault) -> Result<Connection, Trouble> {
    let mut connection = held(path)?;
    match schema::kind(&connection)? {
        Kind::Ours => {}
        Kind::Newer => return Err(Trouble::Unfit("a newer version wrote it".to_owned())),
        Kind::Foreign => {
            let why = "it is another application's, or its head is damaged";
            return Err(Trouble::Unfit(why.to_owned()));
        }
    }
    connection.execute_batch("ROLLBACK")?;
    schema::migrate(&mut connection)?;
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let vacuum: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if found != "ok" || vacuum != 2 || !schema::is_whole(&connection)? {
        return Err(Trouble::Unfit("it is damaged".to_owned()));
    }
    if notes::read(&connection, vault, CHECK)?.is_none() {
        let why = "it was written with another master key";
        return Err(Trouble::Unfit(why.to_owned()));
    }
    settle(&connection)?;
    Ok(connection)
}

/// A connection that nobody else has beside it, in a transaction.
fn held(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// How a file that is ours is written.
fn settle(connection: &Connection) -> Result<(), Trouble> {
    // A crash of the machine may lose the last answers, and a cache may; it damages nothing.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    schema::stamp(connection)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::Error(DiskError::Unwritable));
    }
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let pages = LOG_BYTES / PAGE_BYTES;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Pages that become free are overwritten, since one may hold the key of somebody who is forgotten.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    Ok(())
}

/// Moves the write-ahead log into the database and cuts it off; whether nobody was in the way.
pub(super) fn cut_log(connection: &Connection) -> Result<bool, DiskError> {
    let cut = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = connection.query_row(cut, [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Makes a new one in the place of nothing, or of an empty file.
fn made(path: &Path, vault: &mut Vault) -> Result<Connection, DiskError> {
    let unfinished = with(path, ".new");
    discard_beside(&unfinished)?;
    discard_beside(path)?;
    discard(&unfinished)?;
    let unusable = |source| unusable(path, source);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(&unfinished).map_err(unusable)?;
    let mut connection = connect(&unfinished)?;
    // It is made safe at once, in the end.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    schema::migrate(&mut connection)?;
    notes::write(&connection, vault, (CHECK, b"ours"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    file.sync_all().map_err(unusable)?;
    fs::rename(&unfinished, path).map_err(unusable)?;
    let folder = File::open(folder(path)).map_err(unusable)?;
    folder.sync_all().map_err(unusable)?;
    opened(path, vault).map_err(|trouble| match trouble {
        Trouble::Error(error) => error,
        Trouble::Unfit(why) => DiskError::Damaged(why),
    })
}

/// Removes what SQLite may have left beside a database.
pub(super) fn discard_beside(path: &Path) -> Result<(), DiskError> {
    aside::BESIDE
        .iter()
        .try_for_each(|suffix| discard(&with(path, suffix)))
}

/// Removes what may be there.
fn discard(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path, error)),
        _ => Ok(()),
    }
}

/// Whether the system lets the file be written, whatever is in it.
fn is_writable(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}
