//! Where do the ledger's files lie?
//!
//! What the ledger asks of a disk is a few calls, so that tests can put one in its place that fails, fills up and tears.
//!
//! # Invariants
//! - An `append` is one system call and is not tried again here.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// A folder of append-only files.
pub trait Disk: Debug + Send + std::marker::Sync {
    /// Makes a file that is not there yet.
    ///
    /// # Errors
    /// As the system says; `AlreadyExists` if it is there.
    fn create(&self, name: &str) -> io::Result<Box<dyn Log>>;

    /// Opens a file to be continued, making it if need be, and tells its length in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, name: &str) -> io::Result<(Box<dyn Log>, u64)>;

    /// The names of all files.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Reads from a position on until the buffer is full or the file ends; tells how much.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes what was created and removed survive a loss of power.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is appended to.
pub trait Log: Debug + Send + std::marker::Sync {
    /// Appends by one `write`; tells how many bytes went in.
    ///
    /// # Errors
    /// As the system says.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts the file to a length.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes what was appended survive a loss of power (`fdatasync`).
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the file system, held by one process at a time.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Its lock is let go with it.
    _lock: File,
}

/// The file that says that a process has the folder.
const LOCK: &str = "lock";

impl Folder {
    /// The folder at a path, made if it is not there, for the gateway's own user alone.
    ///
    /// Two processes in one folder would each put in doubt what the other has in flight.
    ///
    /// # Errors
    /// As the system says; `ResourceBusy` if another process has it.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process uses this ledger folder: give each its own",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// How files of the ledger are opened: appended to, and read by nobody else.
fn appending() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    options
}

impl Disk for Folder {
    fn create(&self, name: &str) -> io::Result<Box<dyn Log>> {
        let file = appending().create_new(true).open(self.path.join(name))?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Log>, u64)> {
        let file = appending().create(true).open(self.path.join(name))?;
        let len = file.metadata()?.len();
        Ok((Box::new(file), len))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = File::open(self.path.join(name))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Log for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        file.write(bytes)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
