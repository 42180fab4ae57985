//! How are signatures told, Google's own and those of other makers?
//!
//! # Invariants
//! - Google's own is kept as it is.
//! - A signature made elsewhere is written in base64, since clients decode the field; it is found again by what it begins with.

use std::borrow::Cow;

use super::super::coded;
use crate::chat::{Maker, Signature};

/// The documented stand-in for a signature that was never there; Gemini 3 demands one. Source: "Thought signatures", ai.google.dev.
pub(super) const SKIPPED: &str = "skip_thought_signature_validator";

/// The same in base64, for clients, which decode the field.
pub(super) const SKIPPED_IN_BASE64: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// What base64 of a marked signature begins with: that of `trimtab:`, as far as the next letter cannot change it.
const MARKED: &str = "dHJpbXRhYj";

/// Reads a `thoughtSignature`; the stand-in and the empty one are none.
pub(super) fn read(text: &str) -> Option<Signature> {
    if matches!(text, "" | SKIPPED | SKIPPED_IN_BASE64) {
        return None;
    }
    let marked = text.starts_with(MARKED).then(|| coded::decode(text));
    let marked = marked.flatten().and_then(|it| String::from_utf8(it).ok());
    let foreign = marked.map(|marked| Signature::read(&marked, Maker::Google));
    let foreign = foreign.filter(|signature| signature.maker != Maker::Google);
    Some(foreign.unwrap_or_else(|| Signature::new(Maker::Google, text)))
}

/// Writes a `thoughtSignature`.
pub(super) fn write(signature: &Signature) -> Cow<'_, str> {
    if signature.maker == Maker::Google {
        return Cow::Borrowed(&signature.text);
    }
    Cow::Owned(coded::encode(signature.written(Maker::Google).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_that_of_chat() {
        let foreign = Signature::new(Maker::Anthropic, "sig");
        assert!(write(&foreign).starts_with(MARKED));
        assert_eq!(read(&write(&foreign)), Some(foreign));
        for own in ["c2ln", MARKED, "dHJpbXRhYjo", "not base64!"] {
            assert_eq!(read(own), Some(Signature::new(Maker::Google, own)));
        }
        for none in ["", SKIPPED, SKIPPED_IN_BASE64] {
            assert_eq!(read(none), None);
        }
        assert_eq!(coded::encode(SKIPPED.as_bytes()), SKIPPED_IN_BASE64);
    }
}
