//! Whose answers are these?
//!
//! # Invariants
//! - Two scopes are equal only if the same tenant and the same breadth made them; what a tenant is called cannot be read from its scope.

use aws_lc_rs::hmac;

use crate::config::Sharing;

/// Bytes of a scope's name.
const NAMED: usize = 16;

/// What keys are made with; who has it not can neither make nor guess one.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// A secret of 32 random bytes; what is kept on disk is found again only with the same.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The digest of parts, those of one list before those of the other, each with its length, so that no two such lists are the same bytes.
    pub(super) fn digest(&self, parts: [&[&[u8]]; 2]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts.into_iter().flatten() {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope([u8; NAMED]);

impl Scope {
    /// Who asks where nobody has a key.
    pub const NOBODY: &[u8] = b"nobody";

    /// The scope of a tenant: `who` is the number or name of what `sharing` says, the same for everybody who shares.
    #[must_use]
    pub fn new(secret: &Secret, sharing: Sharing, who: &[u8]) -> Self {
        let digest = secret.digest([&[b"scope", sharing.name().as_bytes(), who], &[]]);
        let mut name = [0; NAMED];
        name.copy_from_slice(&digest[..NAMED]);
        Self(name)
    }

    /// A scope that was kept.
    #[must_use]
    pub const fn kept(name: [u8; NAMED]) -> Self {
        Self(name)
    }

    /// Its name, which tells nobody whose it is.
    #[must_use]
    pub const fn name(&self) -> &[u8; NAMED] {
        &self.0
    }
}

/// What an answer is found by: what was asked, by whom.
///
/// There is none without a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    scope: Scope,
    digest: [u8; 32],
}

impl Key {
    /// The key of what these parts say, within a scope.
    #[must_use]
    pub fn new(secret: &Secret, scope: Scope, parts: &[&[u8]]) -> Self {
        let whose: [&[u8]; 2] = [b"key", scope.name()];
        Self {
            scope,
            digest: secret.digest([&whose, parts]),
        }
    }

    /// A key that was kept.
    #[must_use]
    pub const fn kept(scope: Scope, digest: [u8; 32]) -> Self {
        Self { scope, digest }
    }

    /// Whose it is.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// What tells it from every other.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn whoever_asks_for_the_same_has_the_same_key() {
        let secret = Secret::new(&[7; 32]);
        let scope = |who: &[u8]| Scope::new(&secret, Sharing::Key, who);
        let key = |who: &[u8], parts: &[&[u8]]| Key::new(&secret, scope(who), parts);
        assert_eq!(key(b"a", &[b"x"]), key(b"a", &[b"x"]));
        assert_ne!(key(b"a", &[b"x"]), key(b"b", &[b"x"]));
        assert_ne!(key(b"a", &[b"x", b"y"]), key(b"a", &[b"xy"]));
        assert_ne!(key(b"a", &[b"x", b""]), key(b"a", &[b"x"]));
        let other = Secret::new(&[8; 32]);
        let elsewhere = Key::new(&other, Scope::new(&other, Sharing::Key, b"a"), &[b"x"]);
        assert_ne!(elsewhere.digest(), key(b"a", &[b"x"]).digest());
        let team = Scope::new(&secret, Sharing::Team, b"a");
        assert_ne!(team, scope(b"a"));
    }

    /// A million pairs of a tenant and a request, few of each, so that many requests are alike: no two tenants ever have one key.
    #[test]
    fn no_key_is_two_tenants() {
        let seed = 20_261_126;
        let mut rng = StdRng::seed_from_u64(seed);
        let secret = Secret::new(&[7; 32]);
        let mut digests = HashSet::new();
        let mut pairs = HashSet::new();
        for _ in 0..1_000_000 {
            let (who, what) = (rng.random_range(0..1_000_u32), rng.random_range(0..500_u32));
            let scope = Scope::new(&secret, Sharing::Key, &who.to_be_bytes());
            let key = Key::new(&secret, scope, &[&what.to_be_bytes()]);
            pairs.insert((who, what));
            digests.insert(*key.digest());
        }
        assert_eq!(digests.len(), pairs.len(), "seed {seed}");
    }
}
