//! How does an office begin in its data folder?
//!
//! # Invariants
//! - The folder is its user's alone, since hashes and spending are in it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;

use crate::store::{Database, StoreError, Writer};

use super::super::pepper::{PepperError, pepper};
use super::desk::{Office, Opening};

/// The database's name in the data folder.
pub const DATABASE: &str = "ledger.db";

/// Why an office cannot begin in a folder.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The folder cannot be made.
    #[error("the data folder {path} cannot be used: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("{path}: {source}")]
    Store {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// There is no pepper.
    #[error(transparent)]
    Pepper(#[from] PepperError),
    /// The system starts no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

impl Office {
    /// Opens the database and the pepper of a data folder, making what is not there; `changed` is told after each change.
    ///
    /// # Errors
    /// [`BeginError`]
    pub fn begin(
        folder: &Path,
        mut rng: StdRng,
        changed: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Self, BeginError> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|source| BeginError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let pepper = pepper(folder, &mut rng)?;
        let file = folder.join(DATABASE);
        let failed = |source| BeginError::Store {
            path: file.clone(),
            source,
        };
        let database = Database::open(&file).map_err(failed)?;
        let made = database.made().map_err(failed)?;
        let store = Writer::start(database).map_err(BeginError::Thread)?;
        Ok(Self::open(Opening {
            store: Arc::new(store),
            file,
            made,
            pepper,
            rng,
            changed,
        }))
    }
}
