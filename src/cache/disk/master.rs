//! Where is the key that wraps all others?
//!
//! In a file of its own beside the database, made at the first start, as the pepper of the virtual keys is: whoever takes a copy of the database alone can read nothing of it.
//!
//! # Invariants
//! - It is never in the database or a message.
//! - One that is there is never replaced: without it nothing that was kept can be read.
//! - A crash leaves a whole one or none, and of two processes that start at once one makes it.
//! - One that others than its owner may read is refused: it may have been read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::CryptoRng;

use super::seal::{SECRET, Sealer};

/// What everybody but the owner may do with a file.
const OTHERS: u32 = 0o077;

/// Random bytes in the name that it has while it is written, so that no two processes write to the same.
const UNFINISHED: usize = 8;

/// The installation's key for its cache.
#[derive(Clone, Debug)]
pub struct MasterKey(pub(super) Sealer);

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("{path} cannot be used: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error(
        "{path} has mode {mode:03o} and holds the key of the cache: `chmod 600` it, or remove it if somebody may have read it, and what was cached with it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is there and is not one.
    #[error(
        "{path} is damaged: a key has {SECRET} bytes and it is no file of that size; restore it from a backup, or remove it, and what was cached with it is set aside"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl MasterKey {
    /// Takes 32 random bytes that the installation keeps.
    #[must_use]
    pub fn new(secret: &[u8; SECRET]) -> Self {
        Self(Sealer::new(secret))
    }

    /// The key in a file such as `data/cache.key`; made of random bytes, its folder too, if there is none yet.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn of_file(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, KeyError> {
        let unusable = |source| KeyError::Unusable {
            path: path.to_owned(),
            source,
        };
        if let Some(key) = read(path)? {
            return Ok(key);
        }
        let (mut secret, mut unique) = ([0; SECRET], [0; UNFINISHED]);
        rng.fill_bytes(&mut secret);
        rng.fill_bytes(&mut unique);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{:016x}", u64::from_be_bytes(unique)));
        let unfinished = path.with_file_name(name);
        let written = write(path, &unfinished, &secret);
        // It may not be there, and a rest of it is no harm: nothing was sealed with it.
        let _ = fs::remove_file(&unfinished);
        match written {
            Ok(()) => Ok(Self::new(&secret)),
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                read(path)?.ok_or_else(|| unusable(error))
            }
            Err(error) => Err(unusable(error)),
        }
    }
}

/// The key that is there, if one is.
fn read(path: &Path) -> Result<Option<MasterKey>, KeyError> {
    let unusable = |source| KeyError::Unusable {
        path: path.to_owned(),
        source,
    };
    let damaged = || KeyError::Damaged {
        path: path.to_owned(),
    };
    // Why first: opening a pipe would wait for whoever writes to it.
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => return Err(damaged()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    }
    let file = File::open(path).map_err(unusable)?;
    let mode = file.metadata().map_err(unusable)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(KeyError::Exposed { path, mode });
    }
    let mut bytes = Vec::with_capacity(SECRET + 1);
    let whole = file.take(SECRET as u64 + 1).read_to_end(&mut bytes);
    whole.map_err(unusable)?;
    let secret: [u8; SECRET] = bytes.try_into().map_err(|_| damaged())?;
    Ok(Some(MasterKey::new(&secret)))
}

/// Writes the file whole, safe from a loss of power.
fn write(path: &Path, unfinished: &Path, secret: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(unfinished)?;
    file.write_all(secret)?;
    file.sync_all()?;
    // Why: a link fails where a file is, and a renaming would replace it.
    fs::hard_link(unfinished, path)?;
    fs::remove_file(unfinished)?;
    File::open(folder)?.sync_all()
}

/// The folder that a path is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::tests::Folder;
    use super::*;

    /// Something that only its key opens.
    fn sign(key: &MasterKey) -> [u8; 32] {
        key.0.name("x")
    }

    #[test]
    fn it_is_made_once_with_its_folder_and_read_by_its_owner_alone() {
        let folder = Folder::new();
        let path = folder.0.join("not/there/cache.key");
        let first = MasterKey::of_file(&path, &mut StdRng::seed_from_u64(1)).unwrap();
        let again = MasterKey::of_file(&path, &mut StdRng::seed_from_u64(2)).unwrap();
        assert_eq!(sign(&first), sign(&again));
        let file = fs::metadata(&path).unwrap();
        assert_eq!((file.len(), file.mode() & 0o777), (32, 0o600));
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(format!("{first:?}"), "MasterKey(Sealer(***))");
    }

    #[test]
    fn one_that_others_may_read_is_refused_with_the_fix() {
        let folder = Folder::new();
        let path = folder.0.join("cache.key");
        for mode in [0o644, 0o640, 0o604, 0o660, 0o610] {
            fs::write(&path, [7; SECRET]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = MasterKey::of_file(&path, &mut StdRng::seed_from_u64(1)).unwrap_err();
            assert!(matches!(refused, KeyError::Exposed { .. }));
            let said = refused.to_string();
            assert!(said.contains("chmod 600"), "{said}");
            assert!(said.contains(&format!("{mode:o}")), "{said}");
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            MasterKey::of_file(&path, &mut StdRng::seed_from_u64(1)).unwrap();
        }
    }

    #[test]
    fn one_of_another_size_is_refused_and_left_as_it_is() {
        let folder = Folder::new();
        let path = folder.0.join("cache.key");
        for damaged in [&b""[..], b"short", &[7; 33]] {
            fs::write(&path, damaged).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let refused = MasterKey::of_file(&path, &mut StdRng::seed_from_u64(1));
            assert!(matches!(refused, Err(KeyError::Damaged { .. })));
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let refused = MasterKey::of_file(&path, &mut StdRng::seed_from_u64(1));
        assert!(matches!(refused, Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn many_that_start_at_once_agree() {
        let folder = Folder::new();
        let path = folder.0.join("cache.key");
        let signs: Vec<_> = std::thread::scope(|scope| {
            let start = |seed| {
                let path = &path;
                scope.spawn(move || {
                    sign(&MasterKey::of_file(path, &mut StdRng::seed_from_u64(seed)).unwrap())
                })
            };
            let started: Vec<_> = (0..8).map(start).collect();
            started.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(signs.iter().all(|it| *it == signs[0]));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }
}
