//! Is a JSON object whole, told from its pieces as they come?
//!
//! # Invariants
//! - Of text that begins as an object, exactly the first brace that closes it makes it whole; nothing but space can follow.
//! - A piece is looked at once.

/// How far an object has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole {
    depth: u32,
    in_string: bool,
    escaped: bool,
    done: bool,
}

impl Whole {
    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.done {
                return;
            }
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.done = self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether it is whole.
    pub(super) const fn is_done(self) -> bool {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_brace_makes_it_whole() {
        for text in [
            "{}",
            r#"{"a":[1,{"b":"}"}],"c":"\"}"}"#,
            r#"{"a":"\\"}"#,
            "{\"ü\":\"{{{\"}",
        ] {
            let mut whole = Whole::default();
            for (at, letter) in text.char_indices() {
                assert!(!whole.is_done(), "{text} at {at}");
                whole.take(letter.encode_utf8(&mut [0; 4]));
            }
            assert!(whole.is_done(), "{text}");
        }
        assert!(!Whole::default().is_done());
    }
}
