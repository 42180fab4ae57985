//! Which bytes of a text can stand in a URL, and how are the others written?
//!
//! # Invariants
//! - What comes out is ASCII; unreserved characters (RFC 3986, §2.3) stay, and every other byte is `%XX` with capital digits, as AWS demands for signing.

/// Appends a text, with every byte encoded that is neither unreserved nor in `kept`.
pub(super) fn encode(text: &str, kept: &[u8], out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if unreserved || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// A text as one segment of a path, or as a value in a form.
#[must_use]
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(text, b"", &mut out);
    out
}

/// A text of which any byte may be written `%XX`; what is no such code stays as it is.
#[must_use]
pub(super) fn decode(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            // The number's reader takes a sign, too.
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_bytes_and_those_kept_stay() {
        assert_eq!(segment("aZ0-._~"), "aZ0-._~");
        assert_eq!(segment("a/b c+ü%"), "a%2Fb%20c%2B%C3%BC%25");
        let mut out = String::new();
        encode("/a@b", b"/@", &mut out);
        assert_eq!(out, "/a@b");
    }

    #[test]
    fn names_in_paths_are_decoded_once() {
        for (written, name) in [
            ("gpt-4o", "gpt-4o"),
            ("org%2Fname", "org/name"),
            ("org/name", "org/name"),
            ("a%252Fb", "a%2Fb"),
            ("a%2", "a%2"),
            ("a%zz", "a%zz"),
            ("a%+5", "a%+5"),
        ] {
            assert_eq!(decode(written), name);
        }
    }
}
