//! What does a client present, and as what is it kept?
//!
//! A key that is made here is `sk-tt-`, 160 random bits in 32 letters and digits, and seven more that check them: a typing mistake is found without a look-up, and a scanner for leaked secrets knows it by sight.
//! It is shown once; what is kept is its keyed hash, by which it is found again.
//! The hash is keyed with the installation's own pepper, so that a stolen table of hashes cannot be tried out elsewhere, and a look-up by it tells nothing by its timing: who asks cannot choose the hash.
//!
//! # Invariants
//! - No formatter shows a key or the pepper.
//! - Equal texts have equal digests under one pepper; nothing shorter than the whole text is looked up.

use std::fmt;

use aws_lc_rs::hmac;

use crate::config::{Secret, VirtualKey};

/// How every key that is made here begins.
pub const PREFIX: &str = "sk-tt-";

/// Random bytes of a key: 160 bits cannot be guessed.
pub const RANDOM: usize = 20;

/// Letters of the random part, five bits each.
const BODY: usize = RANDOM * 8 / BITS;

/// Letters of the check, which hold its 32 bits.
const CHECK: usize = 7;

/// Bits in a letter.
const BITS: usize = 5;

/// Letters and digits that are not mistaken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A key that was made here, or well imitated.
    Ours,
    /// It begins like one and its check does not fit, or it is too long: nothing to look up.
    Broken,
    /// Anything else, which an operator may have chosen.
    Foreign,
}

/// A keyed hash of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest as it is kept.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to keep.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What keys the hashes of one installation.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(***)")
    }
}

impl Pepper {
    /// Takes 32 random bytes that the installation keeps.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The digest of a credential.
    #[must_use]
    pub fn digest(&self, presented: &[u8]) -> Digest {
        let tag = hmac::sign(&self.0, presented);
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        Digest(digest)
    }
}

/// Makes a key of random bytes.
#[must_use]
pub fn make(random: &[u8; RANDOM]) -> Secret {
    let mut text = PREFIX.to_owned();
    text.extend(spelled(random, BODY).map(char::from));
    let check = crc32fast::hash(text.as_bytes()).to_be_bytes();
    text.extend(spelled(&check, CHECK).map(char::from));
    Secret::new(text)
}

/// Looks at a credential without looking it up.
#[must_use]
pub fn form(presented: &[u8]) -> Form {
    if presented.len() > VirtualKey::LONGEST_SECRET {
        return Form::Broken;
    }
    if !presented.starts_with(PREFIX.as_bytes()) {
        return Form::Foreign;
    }
    let Some((text, check)) = presented.split_at_checked(PREFIX.len() + BODY) else {
        return Form::Broken;
    };
    let expected = crc32fast::hash(text).to_be_bytes();
    if spelled(&expected, CHECK).eq(check.iter().copied()) {
        Form::Ours
    } else {
        Form::Broken
    }
}

/// Spells bytes, five bits a letter, the last filled up with zeros.
fn spelled(bytes: &[u8], letters: usize) -> impl Iterator<Item = u8> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letter = move |letter: usize| {
        let bits = (0..BITS).fold(0, |value, place| value << 1 | bit(letter * BITS + place));
        LETTERS[usize::from(bits)]
    };
    (0..letters).map(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_and_known_again() {
        for (random, text) in [
            ([0; RANDOM], "sk-tt-00000000000000000000000000000000"),
            ([0xff; RANDOM], "sk-tt-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"),
        ] {
            let key = make(&random);
            assert!(key.expose().starts_with(text));
            assert_eq!(key.expose().len(), 45);
            assert_eq!(form(key.expose().as_bytes()), Form::Ours);
        }
    }

    #[test]
    fn every_single_mistake_is_found() {
        let key = make(b"a random text of 160");
        let key = key.expose().as_bytes();
        for at in PREFIX.len()..key.len() {
            for letter in LETTERS {
                let mut wrong = key.to_vec();
                wrong[at] = *letter;
                let expected = if wrong == key {
                    Form::Ours
                } else {
                    Form::Broken
                };
                assert_eq!(form(&wrong), expected);
            }
            assert_eq!(form(&key[..at]), Form::Broken);
        }
        let longer = [key, b"0"].concat();
        assert_eq!(form(&longer), Form::Broken);
    }

    #[test]
    fn other_secrets_are_somebody_elses() {
        for text in ["", "sk-tt", "sk-proj-123", "Bearer", "a secret of my own"] {
            assert_eq!(form(text.as_bytes()), Form::Foreign, "{text}");
        }
        assert_eq!(form(&[b'x'; VirtualKey::LONGEST_SECRET]), Form::Foreign);
        assert_eq!(form(&[b'x'; VirtualKey::LONGEST_SECRET + 1]), Form::Broken);
    }

    #[test]
    fn digests_are_keyed_and_whole() {
        let (one, other) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        let digest = one.digest(b"sk-tt-key");
        assert_eq!(digest, one.digest(b"sk-tt-key"));
        assert_ne!(digest, other.digest(b"sk-tt-key"));
        // Twenty equal letters and a different end: an identity never hangs on a part of the text.
        assert_ne!(
            one.digest(b"aaaaaaaaaaaaaaaaaaaa1"),
            one.digest(b"aaaaaaaaaaaaaaaaaaaa2")
        );
        assert_eq!(format!("{one:?}"), "Pepper(***)");
    }
}
