//! How do lines get into a file that others read, move away and run out of room for?
//!
//! # Invariants
//! - What is in the file are whole lines: half of one that could not be written is cut off before the next is written.
//! - Another file's lines are never cut off, and no other file is ever removed.
//! - Lines that cannot be written are given up, so that nothing piles up in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use memchr::{memchr_iter, memrchr};

use super::closed::{Names, outlived};
use crate::config::RequestLog;

/// What our lines begin with.
const BEGINNING: &[u8] = b"{\"ts\":\"";

/// How far the beginning of a half-written line is looked for, bytes: what is written at once.
const LOOKED_BACK: u64 = 128 << 10;

/// µs in a second.
const SECOND: i64 = 1_000_000;

/// A file of lines, and those that it was before.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    /// Bytes after which another file is begun.
    rotate: u64,
    /// How long closed files are kept, µs, and bytes of them.
    days_us: u64,
    size: u64,
    names: Names,
    open: Option<Open>,
    /// What went wrong with other files than the one that is written.
    pub(super) trouble: Option<io::Error>,
}

/// Lines that were given up, and why.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) lines: u64,
    pub(super) why: io::Error,
}

impl Lines {
    /// Opens the file, and removes what was closed too long ago.
    ///
    /// # Errors
    /// The file system's, when the file cannot be opened for appending.
    pub(super) fn open(settings: &RequestLog, now_us: u64) -> io::Result<Self> {
        let days_us = settings.days.seconds().saturating_mul(SECOND);
        let mut lines = Self {
            path: settings.path.clone(),
            rotate: settings.rotate as u64,
            days_us: u64::try_from(days_us).unwrap_or(u64::MAX),
            size: settings.size as u64,
            names: Names::of(&settings.path),
            open: Some(Open::new(&settings.path)?),
            trouble: None,
        };
        lines.trouble = lines.remove_old(now_us).err();
        Ok(lines)
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// [`GivenUp`]: those of them that are not in the file.
    pub(super) fn append(&mut self, lines: &[u8], now_us: u64) -> Result<(), GivenUp> {
        let failed = |written: usize| {
            move |why| GivenUp {
                lines: memchr_iter(b'\n', &lines[written..]).count() as u64,
                why,
            }
        };
        self.make_room(lines.len() as u64, now_us);
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(&self.path).map_err(failed(0))?),
        };
        open.write(lines)
            .map_err(|(written, why)| failed(written)(why))
    }

    /// Closes the file if it is full; if that cannot be, it is written on.
    fn make_room(&mut self, bytes: u64, now_us: u64) {
        let is_full = |open: &Open| open.length > 0 && open.length + bytes > self.rotate;
        if !self.open.as_ref().is_some_and(is_full) {
            return;
        }
        let Some(name) = self.names.next(now_us) else {
            return;
        };
        let closed = std::fs::rename(&self.path, name).and_then(|()| {
            self.open = None;
            self.remove_old(now_us)
        });
        if let Err(why) = closed {
            self.trouble = Some(why);
        }
    }

    /// Goes on in a new file if this one was moved away or removed.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        match std::fs::metadata(&self.path) {
            Ok(told) if (told.dev(), told.ino()) == open.id => {
                // Somebody who copies and then cuts leaves the same file, shorter.
                open.length = open.length.min(told.len());
                Ok(())
            }
            Ok(_) => self.reopen(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.reopen(),
            Err(error) => Err(error),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        self.open = Some(Open::new(&self.path)?);
        Ok(())
    }

    /// Removes closed files that are too old, or too many.
    ///
    /// # Errors
    /// The file system's; what could be removed was.
    pub(super) fn remove_old(&mut self, now_us: u64) -> io::Result<()> {
        let before_us = now_us.saturating_sub(self.days_us);
        let mut result = Ok(());
        for closed in outlived(self.names.all()?, before_us, self.size) {
            let removed = std::fs::remove_file(&closed.path);
            result = result.and(removed);
        }
        result
    }
}

/// The file that is written to.
#[derive(Debug)]
struct Open {
    file: File,
    /// Device and number, which tell it from others of its name.
    id: (u64, u64),
    /// Bytes of whole lines.
    length: u64,
    /// Whether half a line follows them.
    torn: bool,
}

impl Open {
    fn new(path: &std::path::Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let told = file.metadata()?;
        let mut open = Self {
            id: (told.dev(), told.ino()),
            length: told.len(),
            torn: false,
            file,
        };
        if told.is_file() {
            open.mend_end()?;
        }
        Ok(open)
    }

    /// Cuts half a line off that a process left which was killed; what is none of ours is completed instead.
    fn mend_end(&mut self) -> io::Result<()> {
        let from = self.length.saturating_sub(LOOKED_BACK);
        let mut end = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(LOOKED_BACK).read_to_end(&mut end)?;
        let whole = match memrchr(b'\n', &end) {
            Some(last) => last + 1,
            None => 0,
        };
        let half = &end[whole..];
        if half.is_empty() {
            return Ok(());
        }
        let known = BEGINNING.len().min(half.len());
        if half[..known] == BEGINNING[..known] {
            self.length = from + whole as u64;
            return self.file.set_len(self.length);
        }
        self.file.write_all(b"\n")?;
        self.length += 1;
        Ok(())
    }

    /// Writes lines; how many bytes of whole ones are in the file if not all are.
    fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.mend().map_err(|why| (0, why))?;
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return Err(self.tear(lines, written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.tear(lines, written, error)),
            }
        }
        self.length += written as u64;
        Ok(())
    }

    /// Notes how far writing got.
    fn tear(&mut self, lines: &[u8], written: usize, why: io::Error) -> (usize, io::Error) {
        let whole = memrchr(b'\n', &lines[..written]).map_or(0, |last| last + 1);
        self.length += whole as u64;
        self.torn = written > whole;
        // What cannot be cut off now is before the next line.
        let _ = self.mend();
        (whole, why)
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }
}
