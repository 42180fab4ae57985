//! How does a catalogue get into its folder whole, or not at all?
//!
//! It goes into a new file beside the one that is there, which is synced and then takes its name; who reads meanwhile has the old one or the new one.
//!
//! # Invariants
//! - When anything fails, the catalogue that was there is there still, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::book::Book;
use super::catalogue::Catalogue;

/// The catalogue could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct NotKept {
    path: PathBuf,
    source: io::Error,
}

/// Puts a catalogue into this folder, which is made where it is missing.
///
/// # Errors
/// [`NotKept`]; nothing has changed then.
pub fn keep(catalogue: &Catalogue, folder: &Path) -> Result<PathBuf, NotKept> {
    let path = folder.join(Book::FILE);
    let beside = folder.join(format!("{}.{}.part", Book::FILE, std::process::id()));
    let written = fs::create_dir_all(folder)
        .and_then(|()| write_new(&beside, catalogue.text()))
        .and_then(|()| fs::rename(&beside, &path))
        // The new name is safe from a loss of power once its folder is.
        .and_then(|()| File::open(folder)?.sync_all());
    match written {
        Ok(()) => Ok(path),
        Err(source) => {
            // What cannot be removed was never made, or has its new name.
            let _ = fs::remove_file(&beside);
            Err(NotKept { path, source })
        }
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_is_there_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("trimtab-keep-{}", std::process::id()));
        let deep = folder.join("data");
        let list = |text: &str| Catalogue::parse(text.to_owned()).unwrap();
        for text in ["a/b\ti=1\n", "a/b\ti=2\n"] {
            let path = keep(&list(text), &deep).unwrap();
            assert_eq!(fs::read_to_string(path).unwrap(), text);
            assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
        }
        // A folder in the place of the file cannot be replaced.
        let blocked = folder.join("blocked");
        fs::create_dir_all(blocked.join(Book::FILE).join("full")).unwrap();
        let error = keep(&list("a/b\ti=1\n"), &blocked).unwrap_err();
        assert!(error.to_string().contains(Book::FILE), "{error}");
        assert_eq!(
            fs::read_dir(&blocked).unwrap().count(),
            1,
            "nothing is left"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
