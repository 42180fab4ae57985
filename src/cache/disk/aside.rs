//! What becomes of a file that cannot be opened?
//!
//! It is renamed to `cache.db.broken-N`, with what SQLite keeps beside it, so that whoever has the right key or version can name it back.
//! At most [`KEPT`] are kept and none longer than [`KEPT_S`], since what is in them does not expire.
//!
//! # Invariants
//! - Only regular files that are named so are ever removed.
//! - What is beside a database goes first, so that an old log never meets a new database.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::master::folder;

/// How many are kept: this one and the one before, each as large as a cache may be.
const KEPT: usize = 2;

/// Seconds that one is kept after it was set aside: a week, in which somebody looks.
const KEPT_S: i64 = 7 * 24 * 3_600;

/// What SQLite keeps beside a database.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Between the database's name and the number.
const BROKEN: &str = ".broken-";

/// Renames a database and what is beside it; the new path.
///
/// # Errors
/// As the system says.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut there = list(path)?;
    let number = there.last().map_or(1, |last| last.saturating_add(1));
    let aside = named(path, number);
    for suffix in BESIDE {
        match fs::rename(with(path, suffix), with(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    File::open(folder(path))?.sync_all()?;
    there.push(number);
    for number in there.iter().rev().skip(KEPT) {
        remove(&named(path, *number))?;
    }
    Ok(aside)
}

/// Removes those that nobody has looked at for too long.
///
/// # Errors
/// As the system says.
pub(super) fn tidy(path: &Path, now_s: i64) -> io::Result<()> {
    for number in list(path)? {
        let aside = named(path, number);
        // A renaming changes it, and a write does.
        if fs::symlink_metadata(&aside)?.ctime() < now_s.saturating_sub(KEPT_S) {
            remove(&aside)?;
        }
    }
    Ok(())
}

/// Removes all of them.
///
/// # Errors
/// As the system says.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    list(path)?
        .into_iter()
        .try_for_each(|number| remove(&named(path, number)))
}

/// The numbers of those that are there, in order.
fn list(path: &Path) -> io::Result<Vec<u32>> {
    let prefix = with(path, BROKEN);
    let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.as_encoded_bytes().strip_prefix(prefix);
        let number = number.and_then(|it| str::from_utf8(it).ok()?.parse().ok());
        // Why the name again: `+1` and `01` are numbers as well, and not ours.
        let number = number.filter(|it| named(path, *it).file_name() == Some(&name));
        if let Some(number) = number
            && entry.file_type()?.is_file()
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove(aside: &Path) -> io::Result<()> {
    for suffix in BESIDE {
        match fs::remove_file(with(aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_file(aside)
}

fn named(path: &Path, number: u32) -> PathBuf {
    with(path, &format!("{BROKEN}{number}"))
}

/// A path with something behind its name.
pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Folder;
    use super::*;

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(&folder.0).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_few_are_kept_with_what_is_beside_them_and_nothing_else_is_touched() {
        let folder = Folder::new();
        let path = folder.0.join("cache.db");
        let others = ["cache.db.broken-01", "cache.db.broken-x", "ledger.db"];
        for name in others {
            fs::write(folder.0.join(name), "foreign").unwrap();
        }
        for number in 1..=4 {
            fs::write(&path, format!("{number}")).unwrap();
            fs::write(with(&path, "-wal"), format!("log {number}")).unwrap();
            let aside = set_aside(&path).unwrap();
            assert_eq!(aside, folder.0.join(format!("cache.db.broken-{number}")));
        }
        let left = ["cache.db.broken-3", "cache.db.broken-4"];
        let logs = ["cache.db.broken-3-wal", "cache.db.broken-4-wal"];
        let mut expected = [&others[..], &left, &logs].concat();
        expected.sort_unstable();
        assert_eq!(names(&folder), expected);
        assert_eq!(fs::read_to_string(folder.0.join(left[1])).unwrap(), "4");
        let log = fs::read_to_string(folder.0.join(logs[1])).unwrap();
        assert_eq!(log, "log 4");
        clear(&path).unwrap();
        assert_eq!(names(&folder), others);
    }

    #[test]
    fn none_is_kept_for_longer_than_a_week() {
        let folder = Folder::new();
        let path = folder.0.join("cache.db");
        fs::write(&path, "damaged").unwrap();
        let aside = set_aside(&path).unwrap();
        let then = fs::metadata(&aside).unwrap().ctime();
        tidy(&path, then + KEPT_S).unwrap();
        assert!(aside.exists());
        tidy(&path, then + KEPT_S + 1).unwrap();
        assert!(!aside.exists());
    }
}
