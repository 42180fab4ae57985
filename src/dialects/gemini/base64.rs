//! What do bytes look like in base64, and back?
//!
//! # Invariants
//! - Written is the standard alphabet with padding; read are both alphabets, with and without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes in base64.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let six = (word >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'=');
            out.push(char::from(if place <= three.len() { letter } else { b'=' }));
        }
    }
    out
}

/// The bytes that a text stands for; `None` if it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for four in text.chunks(4) {
        if four.len() == 1 {
            return None;
        }
        let mut word = 0;
        for place in 0..4 {
            let six = four.get(place).map_or(Some(0), |letter| value(*letter))?;
            word = word << 6 | six;
        }
        let three = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        out.extend(three.into_iter().take(four.len() - 1));
    }
    Some(out)
}

/// The same base64 in the standard alphabet: Google's Python client writes media in the other one, which other providers refuse.
pub(super) fn standard(text: String) -> String {
    if !text.contains(['-', '_']) {
        return text;
    }
    text.replace('-', "+").replace('_', "/")
}

fn value(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        b'a'..=b'z' => u32::from(letter - b'a') + 26,
        b'0'..=b'9' => u32::from(letter - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
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
