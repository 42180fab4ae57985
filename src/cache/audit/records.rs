//! Where do audit records lie, and for how long?
//!
//! In files named by day and number, `2026-01-31-0001.jsonl`; a file is followed by the next at midnight (UTC) and when it is full, and the oldest are removed.
//! A record is appended by one write, and what a failed write leaves is cut off, as what a killed process has left is on opening.
//!
//! # Invariants
//! - What is read is exactly what was appended with success, up to what was removed as too old or too much.
//! - One process writes into a folder; a second one is refused.
//! - Only files with such names are read, cut or removed.
//!
//! Instants are seconds since 1970.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::reading::{Name, file_name, names};
use super::record::{LINE, Record, Unfit};
use super::sample::DAY;

/// The file whose lock says that the folder is written to.
const LOCK: &str = "lock";

/// Files and folders in the place of the next file that are passed over.
///
/// There is none but by somebody's hand, and then one or two; the bound ends the search.
const PASSED: u32 = 16;

/// For how long and in how much space records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Days whose records are kept, today included, ≥ 1. Default 90.
    pub days: u32,
    /// Bytes after which a file is followed by the next. Default 8 MiB.
    pub bytes_per_file: u64,
    /// Bytes of all files together; the newest file is kept in any case. Default 64 MiB.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            days: 90,
            bytes_per_file: 8 << 20,
            total_bytes: 64 << 20,
        }
    }
}

/// Why a record is not in the files.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Another process writes there.
    #[error("the audit's folder {0} is in use by another gateway: give each its own")]
    InUse(PathBuf),
    /// There is no room left.
    #[error("the audit's disk is full: make room, it goes on by itself")]
    Full,
    /// The record itself is at fault.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Something else.
    #[error("the audit's records at {path} cannot be written: {source}")]
    Failed {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a file must be able to do; a trait, so that tests can tear a write.
pub(super) trait Log {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Log for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// How far a file is good.
#[derive(Debug)]
pub(super) struct End {
    pub(super) len: u64,
    /// Whether there may be rubbish behind `len`.
    pub(super) torn: bool,
}

impl End {
    /// Appends a line whole or not at all.
    pub(super) fn append(&mut self, log: &mut impl Log, line: &[u8]) -> io::Result<()> {
        if self.torn {
            log.cut(self.len)?;
            self.torn = false;
        }
        let result = match log.append(line) {
            Ok(written) if written == line.len() => {
                self.len += written as u64;
                return Ok(());
            }
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) => Err(error),
        };
        self.torn = log.cut(self.len).is_err();
        result
    }
}

/// The files of audit records, opened for writing.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
    limits: Limits,
    /// Held as long as this lives.
    _lock: File,
    open: Option<(Name, File, End)>,
    newest: Option<Name>,
    /// Why old files could not be removed.
    problem: Option<String>,
}

impl Records {
    /// Opens a folder, making it if need be, and cuts off the line that a killed process has left; says so in the messages.
    ///
    /// # Errors
    /// If the folder is in use, or cannot be made, read or written.
    pub fn open(folder: &Path, limits: Limits) -> Result<(Self, Vec<String>), RecordsError> {
        let failed = |source| failed(folder, source);
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(LOCK))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecordsError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let newest = names(folder).map_err(failed)?.last().copied();
        let mut messages = Vec::new();
        if let Some(name) = newest {
            let path = folder.join(file_name(name));
            match mend(&path) {
                Ok(0) => {}
                Ok(cut) => messages.push(format!(
                    "{}: an unfinished record of {cut} bytes was cut off",
                    path.display()
                )),
                Err(error) => messages.push(format!(
                    "{} cannot be gone on with: {error}; the next file is begun",
                    path.display()
                )),
            }
        }
        let records = Self {
            folder: folder.to_owned(),
            limits,
            _lock: lock,
            open: None,
            newest,
            problem: None,
        };
        Ok((records, messages))
    }

    /// Appends a record at an instant; it is in the file when this returns, if not yet on the disk.
    ///
    /// # Errors
    /// If it is not in the files; nothing of it is left, and the next call tries anew.
    pub fn append(&mut self, now: i64, record: &Record) -> Result<(), RecordsError> {
        let line = record.encode()?;
        let today = now.div_euclid(DAY);
        let fits = |name: &Name, end: &End| {
            // A clock that was set back goes on with the file that it had reached.
            name.0 >= today
                && (end.len == 0 || end.len + line.len() as u64 <= self.limits.bytes_per_file)
        };
        let there = |file: &File| file.metadata().is_ok_and(|it| it.nlink() > 0);
        let open = self.open.as_ref();
        if !open.is_some_and(|(name, file, end)| fits(name, end) && there(file)) {
            self.rotate(today)?;
        }
        let Some((name, file, end)) = &mut self.open else {
            return Err(failed(&self.folder, io::ErrorKind::NotFound.into()));
        };
        let name = *name;
        end.append(file, &line)
            .map_err(|source| failed(&self.folder.join(file_name(name)), source))
    }

    /// Why old files could not be removed at the last rotation, told once; records are written nonetheless.
    pub const fn problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Opens the file that comes next, and removes those that are beyond the limits.
    fn rotate(&mut self, today: i64) -> Result<(), RecordsError> {
        let mut name = match (self.newest, &self.open) {
            // After a start, the newest file is gone on with.
            (Some(newest), None) if newest.0 >= today => newest,
            (Some((day, number)), _) if day >= today => (day, number.saturating_add(1)),
            _ => (today, 1),
        };
        fs::create_dir_all(&self.folder).map_err(|source| failed(&self.folder, source))?;
        let mut left = PASSED;
        let (file, len) = loop {
            let path = self.folder.join(file_name(name));
            match create(&path) {
                Ok((file, len)) if len == 0 || len < self.limits.bytes_per_file => {
                    break (file, len);
                }
                Ok(_) => {}
                Err(error) if left > 0 && is_in_the_way(error.kind()) => {}
                Err(error) => return Err(failed(&path, error)),
            }
            left = left.saturating_sub(1);
            name.1 = name.1.saturating_add(1);
        };
        self.newest = Some(name);
        self.open = Some((name, file, End { len, torn: false }));
        if let Err(error) = self.remove(today) {
            self.problem = Some(error.to_string());
        }
        Ok(())
    }

    /// Removes the oldest files as far as they are beyond the limits.
    fn remove(&self, today: i64) -> Result<(), RecordsError> {
        let failed = |source| failed(&self.folder, source);
        let mut files = Vec::new();
        for name in names(&self.folder).map_err(failed)? {
            // What is no file is not ours, and what has gone meanwhile needs no removal.
            let metadata = fs::metadata(self.folder.join(file_name(name)));
            if let Some(metadata) = metadata.ok().filter(fs::Metadata::is_file) {
                files.push((name, metadata.len()));
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let first_kept = today - i64::from(self.limits.days.max(1)) + 1;
        for (name, bytes) in files {
            let beyond = name.0 < first_kept || total > self.limits.total_bytes;
            if Some(name) == self.newest || !beyond {
                break;
            }
            let path = self.folder.join(file_name(name));
            fs::remove_file(&path).map_err(|source| self::failed(&path, source))?;
            total = total.saturating_sub(bytes);
        }
        Ok(())
    }
}

/// Whether a file cannot be written for what it is, so that another one may do.
const fn is_in_the_way(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::IsADirectory | io::ErrorKind::PermissionDenied
    )
}

/// Opens a file to be continued, making it if need be, and tells its length.
fn create(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Cuts off what is behind the last line's end; tells how many bytes.
///
/// What is longer than a record is nothing that this wrote: it is closed as a line of its own, for readers to name.
fn mend(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(LINE as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&file).take(LINE as u64).read_to_end(&mut tail)?;
    let behind = tail.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    if behind == LINE as u64 && from > 0 {
        file.write_all(b"\n")?;
        return Ok(0);
    }
    if behind > 0 {
        file.set_len(len - behind)?;
    }
    Ok(behind)
}

fn failed(path: &Path, source: io::Error) -> RecordsError {
    match source.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::WriteZero => RecordsError::Full,
        _ => RecordsError::Failed {
            path: path.to_owned(),
            source,
        },
    }
}
