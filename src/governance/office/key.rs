//! How does a key get its secret, another one, and an end?
//!
//! # Invariants
//! - A secret is made of fresh random bytes and is told once.
//! - A key has two secrets at most: its own, and the one before it until its grace has passed.
//! - Revoking is for ever.

use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;

use crate::config::{Kind, Secret};
use crate::store::Kept;

use super::super::credential::{RANDOM, make};
use super::desk::{Asked, Office};
use super::item::{Found, Item};
use super::refusal::OfficeError;

/// Longest time for which the secret before is taken, seconds: 90 days; whoever needs longer makes a second key.
pub const LONGEST_GRACE: i64 = 90 * 86_400;

impl Office {
    /// Gives a key another secret and tells it, this once; the one before is taken for so many seconds more, 0 to [`LONGEST_GRACE`].
    ///
    /// One that was still taken from the last time is not any more.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn rotate(
        &self,
        asked: &Asked<'_>,
        name: &str,
        grace: i64,
    ) -> Result<(Found, Secret), OfficeError> {
        let mut rng = self.turn();
        let (before, kept) = self.own_key(asked, name)?;
        let (secret, fresh) = self.credential(&mut rng);
        let until = asked.at.div_euclid(1_000_000) + grace.clamp(0, LONGEST_GRACE);
        let item = Arc::new(Item {
            changed: asked.at,
            kept: Some(Kept {
                former: (grace > 0).then_some((kept.digest, until)),
                ..fresh
            }),
            ..Item::clone(&before)
        });
        let found = item.found(Kind::Key, name);
        let both = (Some(before), Some(item));
        self.commit_one(asked, (Kind::Key, name), "rotated", both)?;
        Ok((found, secret))
    }

    /// Ends a key for ever, the secret before its own included; it stays in the list and in bills.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn revoke(&self, asked: &Asked<'_>, name: &str) -> Result<Found, OfficeError> {
        let _turn = self.turn();
        let (before, kept) = self.own_key(asked, name)?;
        let item = Arc::new(Item {
            changed: asked.at,
            kept: Some(Kept {
                former: None,
                revoked: Some(asked.at),
                ..kept
            }),
            ..Item::clone(&before)
        });
        let found = item.found(Kind::Key, name);
        let both = (Some(before), Some(item));
        self.commit_one(asked, (Kind::Key, name), "revoked", both)?;
        Ok(found)
    }

    /// A key that was made and is not revoked.
    fn own_key(&self, asked: &Asked<'_>, name: &str) -> Result<(Arc<Item>, Kept), OfficeError> {
        let item = self.own(asked, Kind::Key, name)?;
        let kept = item.kept.ok_or_else(|| OfficeError::Unknown {
            kind: Kind::Key,
            name: name.to_owned(),
        })?;
        match kept.revoked {
            Some(_) => Err(OfficeError::Revoked(name.to_owned())),
            None => Ok((item, kept)),
        }
    }

    /// A secret and what is kept of it.
    pub(super) fn credential(&self, rng: &mut StdRng) -> (Secret, Kept) {
        let mut random = [0; RANDOM];
        rng.fill_bytes(&mut random);
        let secret = make(&random);
        let digest = *self.pepper.digest(secret.expose().as_bytes()).bytes();
        let kept = Kept {
            digest,
            former: None,
            revoked: None,
        };
        (secret, kept)
    }
}
