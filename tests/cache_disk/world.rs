//! What every row is, told from its number alone, so that parent and child agree without a word.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use trimtab::cache::disk::{Disk, Limits, MasterKey, Opened, Row};

/// When everything happens, s since 1970.
pub(crate) const NOW: i64 = 1_600_000_000;

/// More than any trial writes.
const LIMITS: Limits = Limits { bytes: 1 << 30 };

/// A row's content.
#[derive(Debug)]
pub(crate) struct Content {
    id: u64,
    pub(crate) tenant: [u8; 16],
    pub(crate) key: [u8; 32],
    pub(crate) payload: Vec<u8>,
}

/// The content of a number.
pub(crate) fn content(id: u64) -> Content {
    let mut rng = StdRng::seed_from_u64(id);
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    let length = match rng.random_range(0..20) {
        0 => rng.random_range(20_000..100_000),
        _ => rng.random_range(0..4_000),
    };
    Content {
        id,
        tenant: [(id % 5) as u8; 16],
        key,
        payload: key.iter().copied().cycle().take(length).collect(),
    }
}

impl Content {
    /// The row of it; those of every seventh number expire soon.
    pub(crate) fn row(&self) -> Row<'_> {
        Row {
            id: self.id,
            tenant: self.tenant,
            key: self.key,
            stored_s: NOW,
            expires_s: expires_s(self.id),
            payload: &self.payload,
        }
    }
}

/// When the row of a number expires, s since 1970.
pub(crate) fn expires_s(id: u64) -> i64 {
    NOW + if id.is_multiple_of(7) { 10 } else { 1_000 }
}

/// Opens the disk in a folder, with the key beside it.
pub(crate) fn open(folder: &Path) -> (Disk, Opened) {
    let mut rng = trimtab::clock::secrets();
    let master = MasterKey::of_file(&folder.join("cache.key"), &mut rng).unwrap();
    Disk::open(&folder.join("cache.db"), &master, LIMITS, NOW, &mut rng).unwrap()
}
