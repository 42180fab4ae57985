//! Where do requests outlive a restart?
//!
//! In one SQLite file with a row for each block, so that the database has a four-thousandth of the work.
//! What came since the last full block is appended as parts, once a second; they become a block when the file is opened again.
//!
//! # Invariants
//! - A turn's work is there whole or not at all, whenever the process dies.
//! - What is damaged is set aside, never removed at once; what another process writes to is not touched.
//! - A turn removes a few blocks at most, so that it ends soon.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::database::StoreError;
use super::aside;
use super::block::Block;
use super::open::Open;
use super::row::Texts;
use super::shelf::{Sealed, Shelf, Work, place};
use super::summary::Summary;
use super::tables;

/// Blocks that a turn removes, at most.
const AT_ONCE: usize = 4;

/// Texts that a turn removes, at most: some MiB.
const TEXTS_AT_ONCE: usize = 512;

/// Pages that a turn gives back, at most: 8 MiB.
const PAGES_AT_ONCE: u32 = 1_024;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What ended before this goes, µs since 1970.
    pub since_us: u64,
    /// Bytes that the file's pages in use may have; the oldest blocks go beyond.
    pub bytes: u64,
}

/// The file, as its writer holds it.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    connection: Connection,
    /// What was set aside for it, in words.
    aside: Option<String>,
    /// Let go with this.
    _lock: File,
}

impl Disk {
    /// Opens the file or makes it, and has the shelf's numbers begin behind its own.
    ///
    /// # Errors
    /// [`StoreError`]; it can be tried again.
    pub fn open(path: &Path, shelf: &Shelf) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let (connection, aside) = match opened(path, shelf) {
            Err(StoreError::Damaged) => {
                let aside = aside::set_aside(path).map_err(failed)?;
                let told = format!(
                    "{} was damaged and is set aside as {}",
                    path.display(),
                    aside.display()
                );
                (opened(path, shelf)?, Some(told))
            }
            opened => (opened?, None),
        };
        Ok(Self {
            path: path.to_owned(),
            connection,
            aside,
            _lock: lock,
        })
    }

    /// What was set aside when it was opened, in words.
    pub fn take_aside(&mut self) -> Option<String> {
        self.aside.take()
    }

    /// Sets the file aside, which was found damaged; where it is now.
    ///
    /// # Errors
    /// The system's.
    pub fn set_aside(self) -> io::Result<PathBuf> {
        let Self {
            path, connection, ..
        } = self;
        drop(connection);
        aside::set_aside(&path)
    }

    /// Whether the file is still at its place: an operator may have removed it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// Writes what the shelf has and the file has not.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is written then, and it can be tried again.
    pub fn write(&mut self, shelf: &Shelf) -> Result<(), StoreError> {
        let work = shelf.work();
        if work.is_empty() {
            return Ok(());
        }
        self.commit(&work)?;
        shelf.is_written(&work);
        Ok(())
    }

    fn commit(&mut self, work: &Work) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for sealed in &work.sealed {
            insert(&transaction, sealed)?;
            transaction
                .prepare("DELETE FROM parts WHERE number = ?1")?
                .execute([sealed.number.cast_signed()])?;
        }
        if let Some((number, from, _, bytes)) = &work.part {
            transaction
                .prepare("INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3)")?
                .execute(params![number.cast_signed(), *from as i64, bytes])?;
        }
        insert_texts(&transaction, &work.texts)?;
        transaction.commit()?;
        Ok(())
    }

    /// Removes the oldest of what need not be kept; whether there is more to be removed.
    ///
    /// # Errors
    /// [`StoreError`]; what was removed until then is.
    pub fn prune(&mut self, limits: &Limits) -> Result<bool, StoreError> {
        let mut removed = 0;
        while removed < AT_ONCE {
            let crowded = used(&self.connection)? > limits.bytes;
            let Some((number, to_us)) = oldest(&self.connection)? else {
                break;
            };
            if !crowded && to_us >= limits.since_us {
                break;
            }
            let transaction = self.connection.transaction()?;
            let first = place(number + 1, 0).cast_signed();
            let texts = transaction.execute(
                "DELETE FROM texts WHERE place IN (SELECT place FROM texts WHERE place < ?1 ORDER BY place LIMIT ?2)",
                params![first, TEXTS_AT_ONCE as i64],
            )?;
            let all = texts < TEXTS_AT_ONCE;
            if all {
                transaction.execute(
                    "DELETE FROM blocks WHERE number = ?1",
                    [number.cast_signed()],
                )?;
            }
            transaction.commit()?;
            removed += 1;
            if !all {
                removed = AT_ONCE;
            }
        }
        if removed > 0 {
            let give = format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})");
            let mut freed = self.connection.prepare(&give)?;
            let mut pages = freed.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(removed >= AT_ONCE)
    }

    /// Bytes of the file's pages in use.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn bytes(&self) -> Result<u64, StoreError> {
        used(&self.connection)
    }

    /// Lets every write fail, or none, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn refuse_writes(&self, refuse: bool) {
        self.connection
            .pragma_update(None, "query_only", refuse)
            .unwrap();
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Failed(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Takes the lock beside the file, so that no other process writes to it.
fn lock(path: &Path) -> Result<File, StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let lock = options.open(aside::with(path, ".lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn opened(path: &Path, shelf: &Shelf) -> Result<Connection, StoreError> {
    // SQLite would let everybody read it.
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map_err(failed)?;
    let mut connection = tables::open(path)?;
    let last = join(&mut connection)?;
    shelf.begin_behind(last);
    Ok(connection)
}

/// Makes blocks of the parts that are left; the greatest number that is there.
fn join(connection: &mut Connection) -> Result<u64, StoreError> {
    let transaction = connection.transaction()?;
    let parts: Vec<(i64, Vec<u8>)> = transaction
        .prepare("SELECT number, bytes FROM parts ORDER BY number, row")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for same in parts.chunk_by(|one, other| one.0 == other.0) {
        let mut open = Open::default();
        for (_, bytes) in same {
            let block = Block::new(bytes.clone().into_boxed_slice()).ok_or(StoreError::Damaged)?;
            let reader = block.reader().ok_or(StoreError::Damaged)?;
            for at in 0..block.len() {
                open.push(&reader.row(at), reader.legs(at).into_iter());
            }
        }
        let sealed = Sealed::of(same[0].0.cast_unsigned(), &open);
        insert(&transaction, &sealed.ok_or(StoreError::Damaged)?)?;
    }
    transaction.execute("DELETE FROM parts", [])?;
    let last: Option<i64> =
        transaction.query_row("SELECT max(number) FROM blocks", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

fn insert(connection: &Connection, sealed: &Sealed) -> Result<(), StoreError> {
    connection
        .prepare("INSERT OR REPLACE INTO blocks VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            sealed.number.cast_signed(),
            sealed.summary.encode(),
            sealed.summary.sieve_bytes(),
            sealed.block.bytes(),
        ])?;
    Ok(())
}

fn insert_texts(connection: &Connection, all: &[(u64, Arc<Texts>)]) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let mut insert =
        connection.prepare("INSERT OR REPLACE INTO texts VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (at, texts) in all {
        let said = texts.said.as_ref();
        insert.execute(params![
            at.cast_signed(),
            texts.decisions,
            said.map(|it| &it.request),
            said.map(|it| &it.response),
            said.map(|it| it.cut),
        ])?;
    }
    Ok(())
}

/// The oldest block, and when its last request arrived.
fn oldest(connection: &Connection) -> Result<Option<(u64, u64)>, StoreError> {
    let mut first =
        connection.prepare("SELECT number, summary FROM blocks ORDER BY number LIMIT 1")?;
    let found: Option<(i64, Vec<u8>)> = first
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(number, summary)| {
        // What cannot be read need not be kept.
        let to_us = Summary::decode(&summary).map_or(0, |it| it.to_us);
        (number.cast_unsigned(), to_us)
    }))
}

/// Bytes of the pages in use.
fn used(connection: &Connection) -> Result<u64, StoreError> {
    let ask = |what: &str| connection.pragma_query_value(None, what, |row| row.get::<_, i64>(0));
    let used = ask("page_count")? - ask("freelist_count")?;
    Ok((used * ask("page_size")?).cast_unsigned())
}
