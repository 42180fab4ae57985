//! Which key opens which row?
//!
//! # Invariants
//! - A data key is found by its tenant and its wrapped bytes, so that what is known here never outlives a change of the table.

use std::collections::HashMap;

use rand::Rng;
use rand::rngs::StdRng;
use rusqlite::types::ValueRef;

use super::fault::DiskError;
use super::master::MasterKey;
use super::rows::{Known, Row};
use super::seal::{Purpose, SECRET, Sealer};

/// Data keys that are kept unwrapped: unwrapping costs some microseconds, and one has about 300 bytes.
const UNWRAPPED: usize = 1_024;

/// Bytes of a row's key, which stand before the payload.
const KEY: usize = 32;

/// The secrets, and where new ones come from.
#[derive(Debug)]
pub(super) struct Vault {
    pub(super) master: MasterKey,
    pub(super) rng: StdRng,
    unwrapped: HashMap<([u8; 16], Vec<u8>), Sealer>,
    /// Sealed texts that did not open.
    pub(super) damaged: u64,
}

/// A row as it is kept.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub(super) id: i64,
    pub(super) tenant: ValueRef<'a>,
    pub(super) wrapped: ValueRef<'a>,
    pub(super) stored: ValueRef<'a>,
    pub(super) expires: ValueRef<'a>,
    pub(super) sealed: ValueRef<'a>,
}

impl<'a> Kept<'a> {
    /// What is selected to make one.
    pub(super) const COLUMNS: &'static str =
        "rows.id, tenants.tenant, tenants.key, rows.stored, rows.expires, rows.sealed";

    /// Takes what was selected.
    pub(super) fn of(row: &'a rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant: row.get_ref(1)?,
            wrapped: row.get_ref(2)?,
            stored: row.get_ref(3)?,
            expires: row.get_ref(4)?,
            sealed: row.get_ref(5)?,
        })
    }
}

impl Vault {
    pub(super) fn new(master: MasterKey, rng: StdRng) -> Self {
        Self {
            master,
            rng,
            unwrapped: HashMap::new(),
            damaged: 0,
        }
    }

    /// Forgets what is unwrapped.
    pub(super) fn forget(&mut self) {
        self.unwrapped = HashMap::new();
    }

    /// A new data key, and what is kept of it.
    pub(super) fn mint(&mut self, tenant: &[u8; 16]) -> Result<(Sealer, Vec<u8>), DiskError> {
        let mut secret = [0; SECRET];
        self.rng.fill_bytes(&mut secret);
        let (master, rng) = (&self.master.0, &mut self.rng);
        let wrapped = master.seal(Purpose::Key, tenant, &[&secret], rng)?;
        Ok((Sealer::new(&secret), wrapped))
    }

    /// The data key; none if it is not this tenant's or damaged.
    pub(super) fn unwrap(&mut self, tenant: &[u8; 16], wrapped: &[u8]) -> Option<Sealer> {
        let place = (*tenant, wrapped.to_vec());
        if let Some(known) = self.unwrapped.get(&place) {
            return Some(known.clone());
        }
        let secret = self.master.0.open(Purpose::Key, tenant, wrapped)?;
        let secret: [u8; SECRET] = secret.try_into().ok()?;
        let sealer = Sealer::new(&secret);
        if self.unwrapped.len() >= UNWRAPPED {
            self.unwrapped.clear();
        }
        self.unwrapped.insert(place, sealer.clone());
        Some(sealer)
    }

    /// Seals a row's key and payload.
    pub(super) fn seal(&mut self, sealer: &Sealer, row: &Row<'_>) -> Result<Vec<u8>, DiskError> {
        let bound = bound(row.id, &row.tenant, row.stored_s, row.expires_s);
        let parts: [&[u8]; 2] = [&row.key, row.payload];
        sealer.seal(Purpose::Row, &bound, &parts, &mut self.rng)
    }

    /// A row and its payload; none, and it is counted, if it is not what was put there.
    pub(super) fn open(&mut self, kept: &Kept<'_>) -> Option<(Known, Vec<u8>)> {
        let opened = self.try_open(kept);
        self.damaged += u64::from(opened.is_none());
        opened
    }

    fn try_open(&mut self, kept: &Kept<'_>) -> Option<(Known, Vec<u8>)> {
        let id = kept.id.cast_unsigned();
        let tenant: [u8; 16] = kept.tenant.as_blob().ok()?.try_into().ok()?;
        let (stored_s, expires_s) = (kept.stored.as_i64().ok()?, kept.expires.as_i64().ok()?);
        let sealer = self.unwrap(&tenant, kept.wrapped.as_blob().ok()?)?;
        let bound = bound(id, &tenant, stored_s, expires_s);
        let sealed = kept.sealed.as_blob().ok()?;
        let mut payload = sealer.open(Purpose::Row, &bound, sealed)?;
        let key = *payload.first_chunk::<KEY>()?;
        payload.drain(..KEY);
        let known = Known {
            id,
            tenant,
            key,
            stored_s,
            expires_s,
            bytes: payload.len() as u64,
        };
        Some((known, payload))
    }
}

/// What a row is bound to; each part has a length of its own that never changes.
fn bound(id: u64, tenant: &[u8; 16], stored_s: i64, expires_s: i64) -> [u8; 40] {
    let mut bound = [0; 40];
    let parts = id.to_be_bytes().into_iter().chain(*tenant);
    let parts = parts.chain(stored_s.to_be_bytes());
    let parts = parts.chain(expires_s.to_be_bytes());
    for (to, from) in bound.iter_mut().zip(parts) {
        *to = from;
    }
    bound
}
