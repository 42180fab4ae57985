//! What do bytes look like in base64, and what does a text in it stand for, however its writer wrote it?
//!
//! Vendors and their clients disagree on the alphabet and on padding; the coding itself is the `base64` crate's.
//!
//! # Invariants
//! - Written is the standard alphabet with padding; read are both alphabets, with and without padding.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};

/// Reads texts whose padding is cut off; bits that belong to no byte do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

/// The bytes in base64.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes that a text stands for; `None` if it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = standard(text.trim_end_matches('=').to_owned());
    LENIENT.decode(text).ok()
}

/// The same base64 in the standard alphabet: Google's Python client writes media in the other one, which other providers refuse.
pub(super) fn standard(text: String) -> String {
    if !text.contains(['-', '_']) {
        return text;
    }
    text.replace('-', "+").replace('_', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_are_written_and_read() {
        // RFC 4648, section 10.
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(
                decode(coded.trim_end_matches('=')).unwrap(),
                plain.as_bytes()
            );
        }
        assert_eq!(decode("-_8"), decode("+/8="));
        assert_eq!(standard("-_8=".to_owned()), "+/8=");
        for bad in ["A", "a b", "Zg=a", "trimtab:"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
