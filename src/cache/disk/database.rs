//! What does the cache's keeper hold of its disk?
//!
//! # Invariants
//! - No error ends it: what failed can be asked again, and what is damaged is begun anew.
//! - One process has the file; the lock beside it is held for as long as this lives.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};
use rusqlite::Connection;

use super::aside::{self, with};
use super::fault::{DiskError, is_damage};
use super::file::{self, unusable};
use super::master::{MasterKey, folder};
use super::vault::Vault;

/// The part of the cache that outlives a restart.
#[derive(Debug)]
pub struct Disk {
    pub(super) path: PathBuf,
    pub(super) limits: Limits,
    vault: Vault,
    /// None while what was damaged or removed is not begun anew.
    connection: Option<Connection>,
    /// Which file it is: device and number; none while there is none.
    file: Option<(u64, u64)>,
    /// Let go with this, after the connection.
    _lock: File,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the database's pages in use, what it needs for itself included; a sweep removes the oldest rows beyond.
    pub bytes: u64,
}

/// What was found at opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What was set aside and why, for the operator; none if the file was fit or is the first.
    pub rebuilt: Option<String>,
    /// Rows that are there, expired ones included.
    pub rows: u64,
    /// Bytes of the pages in use.
    pub bytes: u64,
}

impl Disk {
    /// Opens the database at a path such as `data/cache.db`, or makes it and its folder.
    ///
    /// What cannot be opened (damaged, foreign, of a newer version, of another master key) is set aside, and the message is in [`Opened`].
    /// It reads the whole file once, to find damage.
    /// The generator is one for secrets; this one is seeded by it.
    ///
    /// # Errors
    /// [`DiskError`]; the file is as it was.
    pub fn open(
        path: &Path,
        master: &MasterKey,
        limits: Limits,
        now_s: i64,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Opened), DiskError> {
        let path = std::path::absolute(path).map_err(|source| unusable(path, source))?;
        // A link's target is what SQLite's own files are beside.
        let path = path.canonicalize().unwrap_or(path);
        let lock = lock(&path)?;
        let mut vault = Vault::new(master.clone(), StdRng::from_rng(rng));
        let (connection, rebuilt) = file::open(&path, &mut vault)?;
        aside::tidy(&path, now_s).map_err(|source| unusable(&path, source))?;
        let count = "SELECT count(*) FROM rows";
        let rows: i64 = connection.query_row(count, [], |row| row.get(0))?;
        let opened = Opened {
            rebuilt,
            rows: rows.cast_unsigned(),
            bytes: used(&connection)?,
        };
        let disk = Self {
            limits,
            vault,
            connection: Some(connection),
            file: identity(&path),
            path,
            _lock: lock,
        };
        Ok((disk, opened))
    }

    /// How many sealed texts did not authenticate since the opening, and were removed.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.vault.damaged
    }

    /// Takes over another limit; the next sweep heeds it.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes of the pages in use.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn bytes(&mut self) -> Result<u64, DiskError> {
        self.attempt(|connection, _| used(connection))
    }

    /// Does something with the database; where it turns out to be damaged, begins it anew.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Connection, &mut Vault) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.reopen()?,
        };
        match work(&mut connection, &mut self.vault) {
            Err(DiskError::Failed(error)) if is_damage(&error) => {
                drop(connection);
                let aside = file::set_aside(&self.path)?;
                self.connection = Some(self.reopen()?);
                let told = format!("it was set aside as {} ({error})", aside.display());
                Err(DiskError::Damaged(told))
            }
            done => {
                if matches!(done, Err(DiskError::Full)) {
                    // What the log gives back may be the room that removing rows needs; if it cannot, there is nothing to lose.
                    let _ = file::cut_log(&connection);
                }
                // One that is stuck in a transaction would refuse the next.
                if connection.is_autocommit() {
                    self.connection = Some(connection);
                }
                done
            }
        }
    }

    /// Lets go of a file that is not at its path any more, since what is written to it is lost; the next attempt opens what is there, or begins anew.
    ///
    /// # Errors
    /// If what SQLite kept beside it, which would be taken for the new one's, cannot be removed.
    pub(super) fn heed_removal(&mut self) -> Result<(), DiskError> {
        if identity(&self.path) == self.file {
            return Ok(());
        }
        self.connection = None;
        file::discard_beside(&self.path)?;
        self.file = identity(&self.path);
        Ok(())
    }

    fn reopen(&mut self) -> Result<Connection, DiskError> {
        let (connection, rebuilt) = file::open(&self.path, &mut self.vault)?;
        self.file = identity(&self.path);
        if let Some(told) = rebuilt {
            tracing::warn!("{told}");
        }
        Ok(connection)
    }

    /// The connection, for tests that look behind it.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().unwrap()
    }
}

/// Which file is at a path: device and number.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.dev(), about.ino()))
}

/// Locks the database for this process, by a file beside it that says nothing else.
fn lock(path: &Path) -> Result<File, DiskError> {
    let mut maker = DirBuilder::new();
    let made = maker.recursive(true).mode(0o700).create(folder(path));
    made.map_err(|source| unusable(folder(path), source))?;
    let name = with(path, ".lock");
    let mut options = OpenOptions::new();
    let lock = options.create(true).append(true).mode(0o600).open(&name);
    let lock = lock.map_err(|source| unusable(&name, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DiskError::Locked),
        Err(TryLockError::Error(source)) => Err(unusable(&name, source)),
    }
}

/// Bytes of the pages in use.
pub(super) fn used(connection: &Connection) -> Result<u64, DiskError> {
    let ask = |what: &str| -> Result<i64, DiskError> {
        Ok(connection.pragma_query_value(None, what, |row| row.get(0))?)
    };
    let used = ask("page_count")? - ask("freelist_count")?;
    Ok((used * ask("page_size")?).cast_unsigned())
}
