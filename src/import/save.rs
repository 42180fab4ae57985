//! How is a file written whole or not at all?
//!
//! The text goes into a new file beside the wanted one, which then takes its name; a reader sees the old file or the new one, never a part.
//!
//! # Invariants
//! - A file that is there is replaced only with [`Overwrite::Yes`].
//! - Nothing is left behind when writing fails.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::ImportError;

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    No,
    Yes,
}

impl From<bool> for Overwrite {
    fn from(force: bool) -> Self {
        if force { Self::Yes } else { Self::No }
    }
}

/// Refuses a file that is there, unless it may be replaced.
pub(super) fn refuse_existing(path: &Path, overwrite: Overwrite) -> Result<(), ImportError> {
    if overwrite == Overwrite::No && fs::symlink_metadata(path).is_ok() {
        return Err(ImportError::Exists(path.to_owned()));
    }
    Ok(())
}

/// Writes `text` as the file `path`.
pub(super) fn save(path: &Path, text: &str, overwrite: Overwrite) -> Result<(), ImportError> {
    refuse_existing(path, overwrite)?;
    let failed = |source| ImportError::Write {
        path: path.to_owned(),
        source,
    };
    let beside = beside(path);
    let written = write_new(&beside, text).and_then(|()| match overwrite {
        Overwrite::Yes => fs::rename(&beside, path),
        // Why: a link fails where the name is taken meanwhile; a rename would replace it.
        Overwrite::No => fs::hard_link(&beside, path).and_then(|()| fs::remove_file(&beside)),
    });
    written.map_err(|error| {
        // What cannot be removed was never made, or is reported by the error itself.
        let _ = fs::remove_file(&beside);
        if error.kind() == io::ErrorKind::AlreadyExists {
            ImportError::Exists(path.to_owned())
        } else {
            failed(error)
        }
    })
}

/// The name of the new file, in the same directory so that it can take the wanted name.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_file_that_is_there_stays_unless_it_may_be_replaced() {
        let folder = std::env::temp_dir().join(format!("trimtab-save-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config.toml");
        save(&file, "one", Overwrite::No).unwrap();
        let refused = save(&file, "two", Overwrite::No);
        assert!(matches!(refused, Err(ImportError::Exists(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        save(&file, "three", Overwrite::Yes).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing is left behind"
        );
        let nowhere = folder.join("missing").join("config.toml");
        assert!(matches!(
            save(&nowhere, "x", Overwrite::No),
            Err(ImportError::Write { .. })
        ));
        fs::remove_dir_all(&folder).unwrap();
    }
}
