//! How is what is kept made unreadable to whoever has the files alone?
//!
//! AES-256-GCM; a sealed text is a salt (16 bytes), a nonce (12), the ciphertext, as long as the text, and a tag (16).
//! Every text has a key of its own, derived from the secret by HMAC-SHA256 over the purpose and the salt.
//!
//! Why not a counter: it would go back where a backup is restored or the machine loses power, and a nonce used twice under one key gives the key away.
//! Why not a random nonce under the secret itself: 96 bits repeat too soon for a busy tenant, after some 2³² texts.
//! Salt and nonce together are 224 random bits, and among 2⁶⁴ texts of one secret two are the same with a chance of 2⁻⁹⁷.
//!
//! # Invariants
//! - What is sealed for one purpose, or bound to one thing, opens for no other.
//! - No formatter shows a secret.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use rand::CryptoRng;

use super::fault::DiskError;

/// Bytes of a secret: what HMAC-SHA256 and AES-256 take.
pub(super) const SECRET: usize = 32;

/// Random bytes that a text's own key is derived from.
const SALT: usize = 16;

/// Bytes of the cipher's nonce.
const NONCE: usize = 12;

/// Bytes before the ciphertext.
const HEAD: usize = SALT + NONCE;

/// Bytes by which a sealed text is longer than the text.
pub(super) const OVERHEAD: usize = HEAD + 16;

/// What something is sealed for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// A tenant's data key, under the master key.
    Key,
    /// A row, under its tenant's data key.
    Row,
    /// A note, under the master key.
    Note,
}

impl Purpose {
    /// What goes before the salt; none begins like another, and a change of the format changes its number.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Key => b"trimtab cache key 1",
            Self::Row => b"trimtab cache row 1",
            Self::Note => b"trimtab cache note 1",
        }
    }
}

/// The same for names of notes, which are hashed.
const NAME: &[u8] = b"trimtab cache name 1";

/// A secret that keys are derived from.
#[derive(Clone)]
pub(super) struct Sealer(hmac::Key);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// Takes random bytes.
    pub(super) fn new(secret: &[u8; SECRET]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Seals a text, given in parts, and binds it to what it belongs to.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn seal(
        &self,
        purpose: Purpose,
        bound: &[u8],
        parts: &[&[u8]],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, DiskError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut sealed = Vec::with_capacity(length + OVERHEAD);
        sealed.resize(HEAD, 0);
        rng.fill_bytes(&mut sealed);
        for part in parts {
            sealed.extend_from_slice(part);
        }
        let (head, text) = sealed.split_at_mut(HEAD);
        let (key, nonce) = self.derive(purpose, head).ok_or(DiskError::TooLong)?;
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(bound), text)
            .map_err(|_| DiskError::TooLong)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The text; none if it is not what was sealed, for this purpose and bound to this.
    pub(super) fn open(&self, purpose: Purpose, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (head, text) = sealed.split_at_checked(HEAD)?;
        let (key, nonce) = self.derive(purpose, head)?;
        let mut text = text.to_vec();
        let length = key
            .open_in_place(nonce, Aad::from(bound), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }

    /// What a note's name is found by, since a name may tell something.
    pub(super) fn name(&self, name: &str) -> [u8; 32] {
        self.digest(NAME, name.as_bytes())
    }

    /// The key and nonce of the text that begins like this.
    fn derive(&self, purpose: Purpose, head: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let (salt, nonce) = head.split_at_checked(SALT)?;
        let key = self.digest(purpose.label(), salt);
        let key = UnboundKey::new(&AES_256_GCM, &key).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        Some((LessSafeKey::new(key), nonce))
    }

    fn digest(&self, label: &[u8], of: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label);
        context.update(of);
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn only_the_same_secret_purpose_and_binding_open_it() {
        let mut rng = StdRng::seed_from_u64(1);
        let (one, other) = (Sealer::new(&[1; SECRET]), Sealer::new(&[2; SECRET]));
        let parts: [&[u8]; 2] = [b"what ", b"was said"];
        let sealed = one.seal(Purpose::Row, b"7", &parts, &mut rng).unwrap();
        assert_eq!(sealed.len(), 13 + OVERHEAD);
        let open = one.open(Purpose::Row, b"7", &sealed);
        assert_eq!(open.as_deref(), Some(&b"what was said"[..]));
        assert_eq!(one.open(Purpose::Row, b"8", &sealed), None);
        assert_eq!(one.open(Purpose::Note, b"7", &sealed), None);
        assert_eq!(other.open(Purpose::Row, b"7", &sealed), None);
    }

    #[test]
    fn no_byte_of_it_can_be_changed_or_left_out() {
        let mut rng = StdRng::seed_from_u64(2);
        let sealer = Sealer::new(&[1; SECRET]);
        let sealed = sealer
            .seal(Purpose::Row, b"", &[b"text"], &mut rng)
            .unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << (at % 8);
            assert_eq!(sealer.open(Purpose::Row, b"", &changed), None, "{at}");
            assert_eq!(sealer.open(Purpose::Row, b"", &sealed[..at]), None, "{at}");
        }
    }

    #[test]
    fn equal_texts_are_sealed_unlike_and_names_apart() {
        let mut rng = StdRng::seed_from_u64(3);
        let sealer = Sealer::new(&[1; SECRET]);
        let mut seal = || {
            sealer
                .seal(Purpose::Note, b"", &[b"text"], &mut rng)
                .unwrap()
        };
        let (one, two) = (seal(), seal());
        assert_ne!(one[..SALT], two[..SALT]);
        assert_ne!(one[HEAD..], two[HEAD..]);
        assert_ne!(sealer.name("a"), sealer.name("b"));
        assert_eq!(format!("{sealer:?}"), "Sealer(***)");
    }
}
