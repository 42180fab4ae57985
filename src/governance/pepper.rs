//! Where is the installation's pepper?
//!
//! In a file of its own beside the database, made at the first start: whoever takes a copy of the database alone has hashes that lead nowhere.
//!
//! # Invariants
//! - It is never in the database, an export or a message.
//! - One that is there is never replaced: without it no key that was made here is known any more.
//! - A crash leaves a whole one or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rand::CryptoRng;

use super::credential::Pepper;

/// The file's name in the data folder.
const FILE: &str = "pepper";

/// What it is called while it is written.
const UNFINISHED: &str = "pepper.new";

/// Bytes in it: as many as the hash has.
const BYTES: usize = 32;

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// It cannot be read or made.
    #[error("{path} cannot be used: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is there and is not one.
    #[error(
        "{0} is damaged: restore it from a backup; without it no key that was made here is known, and removing it makes a new one"
    )]
    Damaged(PathBuf),
}

/// The pepper of a data folder; made of random bytes if there is none yet.
///
/// The folder belongs to this process.
///
/// # Errors
/// [`PepperError`]
pub fn pepper(folder: &Path, rng: &mut impl CryptoRng) -> Result<Pepper, PepperError> {
    let path = folder.join(FILE);
    let unusable = |source| PepperError::Unusable {
        path: path.clone(),
        source,
    };
    match File::open(&path) {
        Ok(file) => {
            let mut bytes = Vec::with_capacity(BYTES);
            let read = file.take(BYTES as u64 + 1).read_to_end(&mut bytes);
            read.map_err(unusable)?;
            let whole: Result<[u8; BYTES], _> = bytes.try_into();
            whole
                .map(|bytes| Pepper::new(&bytes))
                .map_err(|_| PepperError::Damaged(path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0; BYTES];
            rng.fill_bytes(&mut bytes);
            write(folder, &bytes).map_err(unusable)?;
            Ok(Pepper::new(&bytes))
        }
        Err(error) => Err(unusable(error)),
    }
}

/// Writes the file whole, safe from a loss of power.
fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // Why: a link fails where a file is, and a renaming would replace it.
    fs::hard_link(&unfinished, folder.join(FILE))?;
    fs::remove_file(&unfinished)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::office::tests::Folder;
    use super::*;

    #[test]
    fn it_is_made_once_and_read_by_its_owner_alone() {
        let folder = Folder::new();
        let first = pepper(&folder.0, &mut StdRng::seed_from_u64(1)).unwrap();
        let again = pepper(&folder.0, &mut StdRng::seed_from_u64(2)).unwrap();
        assert_eq!(first.digest(b"x"), again.digest(b"x"));
        let file = fs::metadata(folder.0.join(FILE)).unwrap();
        assert_eq!((file.len(), file.permissions().mode() & 0o777), (32, 0o600));
        let names: Vec<_> = fs::read_dir(&folder.0).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn a_rest_of_a_crash_is_swept_away_and_a_damaged_one_is_not() {
        let folder = Folder::new();
        fs::write(folder.0.join(UNFINISHED), b"half").unwrap();
        pepper(&folder.0, &mut StdRng::seed_from_u64(1)).unwrap();
        for damaged in [&b"short"[..], &[7; 33]] {
            fs::write(folder.0.join(FILE), damaged).unwrap();
            let refused = pepper(&folder.0, &mut StdRng::seed_from_u64(1));
            assert!(matches!(refused, Err(PepperError::Damaged(_))));
            assert_eq!(fs::read(folder.0.join(FILE)).unwrap(), damaged);
        }
    }
}
