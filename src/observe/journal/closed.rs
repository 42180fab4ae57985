//! Which files were closed, and which of them have to go?
//!
//! A closed file keeps its name, with the instant of its closing before the ending: `requests.2026-11-26T10-00-00-000Z.jsonl`.
//!
//! # Invariants
//! - Only files with such names are ever removed.
//! - Sorted by name they are sorted by time.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::stamp::{read, stamp};

/// µs in a millisecond, which names tell apart.
const MILLI: u64 = 1_000;

/// Names that are tried before a file is left as it is: more than files can be closed in the time that a name stands for.
const MOST_NAMES: u64 = 1_000;

/// How the files that were closed are called.
#[derive(Debug)]
pub(super) struct Names {
    folder: PathBuf,
    /// What stands before the instant, and after it.
    prefix: String,
    suffix: String,
    last_us: u64,
}

/// A file that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// When, µs since 1970.
    pub(super) at_us: u64,
    pub(super) bytes: u64,
    pub(super) path: PathBuf,
}

impl Names {
    /// Those of the files that were this one.
    pub(super) fn of(path: &Path) -> Self {
        let part =
            |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let suffix = part(path.extension()).map_or_else(String::new, |ending| format!(".{ending}"));
        Self {
            folder: match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                _ => PathBuf::from("."),
            },
            prefix: format!("{}.", part(path.file_stem()).unwrap_or_default()),
            suffix,
            last_us: 0,
        }
    }

    /// A name that no file has and that comes after all names given before; none if there are too many.
    pub(super) fn next(&mut self, now_us: u64) -> Option<PathBuf> {
        let first = now_us.max(self.last_us.saturating_add(MILLI));
        (0..MOST_NAMES).find_map(|later| {
            let at_us = first.saturating_add(later * MILLI);
            let instant = stamp(at_us, *b"--");
            let instant = std::str::from_utf8(&instant).ok()?;
            let name = format!("{}{instant}{}", self.prefix, self.suffix);
            let path = self.folder.join(name);
            if path.symlink_metadata().is_ok() {
                return None;
            }
            self.last_us = at_us;
            Some(path)
        })
    }

    /// The files that there are.
    ///
    /// # Errors
    /// The file system's, when the folder cannot be read.
    pub(super) fn all(&self) -> io::Result<Vec<Closed>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(at_us) = self.at(entry.file_name()) else {
                continue;
            };
            let told = entry.metadata()?;
            if told.is_file() {
                all.push(Closed {
                    at_us,
                    bytes: told.len(),
                    path: entry.path(),
                });
            }
        }
        Ok(all)
    }

    fn at(&self, name: OsString) -> Option<u64> {
        let name = name.into_string().ok()?;
        let rest = name.strip_prefix(&self.prefix)?;
        read(rest.strip_suffix(&self.suffix)?)
    }
}

/// Those that have to go: all closed before an instant, and of the others the oldest, so that no more than so many bytes stay.
pub(super) fn outlived(mut all: Vec<Closed>, before_us: u64, most: u64) -> Vec<Closed> {
    all.sort_by_key(|closed| std::cmp::Reverse(closed.at_us));
    let mut bytes = 0_u64;
    all.retain(|closed| {
        bytes = bytes.saturating_add(closed.bytes);
        closed.at_us < before_us || bytes > most
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_go_and_then_the_oldest() {
        let closed = |at_us, bytes| Closed {
            at_us,
            bytes,
            path: PathBuf::new(),
        };
        let all = || vec![closed(3, 10), closed(1, 10), closed(5, 10), closed(4, 10)];
        let check = |before_us, most, expected: &[u64]| {
            let gone = outlived(all(), before_us, most);
            let gone: Vec<u64> = gone.iter().map(|it| it.at_us).collect();
            assert_eq!(gone, expected, "before {before_us}, {most} bytes");
        };
        check(0, 40, &[]);
        check(0, 39, &[1]);
        check(0, 20, &[3, 1]);
        check(4, 40, &[3, 1]);
        check(4, 10, &[4, 3, 1]);
        check(0, 0, &[5, 4, 3, 1]);
    }

    #[test]
    fn names_tell_our_files_from_others() {
        let names = Names::of(Path::new("logs/requests.jsonl"));
        let at = |name: &str| names.at(name.into()).is_some();
        assert!(at("requests.2026-11-26T10-00-00-000Z.jsonl"));
        for other in [
            "requests.jsonl",
            "requests.2026-11-26.jsonl",
            "requests.2026-11-26T10-00-00-000Z.jsonl.gz",
            "requests.2026-11-26T10-00-00-000Z",
            "other.2026-11-26T10-00-00-000Z.jsonl",
            "requests.backup.jsonl",
        ] {
            assert!(!at(other), "{other}");
        }
        let bare = Names::of(Path::new("requests"));
        assert!(
            bare.at("requests.2026-11-26T10-00-00-000Z".into())
                .is_some()
        );
        assert_eq!(bare.folder, Path::new("."));
    }
}
