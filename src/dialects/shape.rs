//! Is JSON of a shape that its readers can afford?
//!
//! A reader that keeps values as trees takes up to some hundred bytes for an object of two, so it is objects and lists that are counted, not bytes.
//!
//! # Invariants
//! - Nothing is kept, and what stands in strings does not count.

/// Deepest nesting accepted, levels; no known client exceeds a third of it.
pub const MAX_DEPTH: usize = 128;

/// Most objects and lists accepted; the longest conversations have some ten thousand.
pub const MAX_CONTAINERS: usize = 100_000;

/// Why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// It is nested too deeply.
    #[error("the body is nested more than {MAX_DEPTH} levels deep")]
    Depth,
    /// It has too many values with values inside.
    #[error("the body holds more than {MAX_CONTAINERS} objects and lists")]
    Containers,
}

/// Refuses JSON that nests beyond [`MAX_DEPTH`] or holds more than [`MAX_CONTAINERS`].
///
/// # Errors
/// [`Excess`], in words for the client.
pub fn check(json: &[u8]) -> Result<(), Excess> {
    within(json, MAX_DEPTH, MAX_CONTAINERS)
}

fn within(json: &[u8], most_deep: usize, most: usize) -> Result<(), Excess> {
    if memchr::memchr2_iter(b'{', b'[', json).count() <= most_deep.min(most) {
        return Ok(());
    }
    let (mut depth, mut containers, mut at) = (0_usize, 0_usize, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            // Most of a body is text, and an agent's has brackets enough to get here.
            b'"' => at = behind_string(json, at),
            b'{' | b'[' => {
                depth += 1;
                containers += 1;
                if depth > most_deep {
                    return Err(Excess::Depth);
                }
                if containers > most {
                    return Err(Excess::Containers);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The offset behind the string whose text begins at `at`.
fn behind_string(json: &[u8], mut at: usize) -> usize {
    while let Some(rest) = json.get(at..)
        && let Some(found) = memchr::memchr2(b'"', b'\\', rest)
    {
        if rest[found] == b'"' {
            return at + found + 1;
        }
        // What is escaped ends nothing.
        at += found + 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nests_counts() {
        let of = |piece: &str, times| format!("[{}0]", piece.repeat(times));
        assert_eq!(check(of("{},", MAX_CONTAINERS - 1).as_bytes()), Ok(()));
        let many = of("{},", MAX_CONTAINERS);
        assert_eq!(check(many.as_bytes()), Err(Excess::Containers));
        let quoted = of("\"{[\\\"\",", MAX_CONTAINERS);
        assert_eq!(check(quoted.as_bytes()), Ok(()));
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = |levels: usize| format!("{}0{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(check(deep(MAX_DEPTH).as_bytes()), Ok(()));
            assert_eq!(check(deep(MAX_DEPTH + 1).as_bytes()), Err(Excess::Depth));
            let beside = format!("[{}]", vec![deep(MAX_DEPTH - 1); 3].join(","));
            assert_eq!(check(beside.as_bytes()), Ok(()));
        }
    }

    /// The same, byte by byte.
    fn plainly_within(json: &[u8], most_deep: usize, most: usize) -> Result<(), Excess> {
        let (mut depth, mut containers) = (0_usize, 0_usize);
        let (mut quoted, mut escaped) = (false, false);
        for &byte in json {
            match (quoted, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => quoted = !quoted,
                (false, b'{' | b'[') => {
                    depth += 1;
                    containers += 1;
                }
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > most_deep {
                return Err(Excess::Depth);
            }
            if containers > most {
                return Err(Excess::Containers);
            }
        }
        Ok(())
    }

    #[test]
    fn every_short_text_is_as_it_is_byte_by_byte() {
        const LETTERS: &[u8; 6] = b"{]\"\\a[";
        let mut refused = 0;
        for number in 0..LETTERS.len().pow(7) {
            let letter = |place: u32| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()];
            let text: Vec<u8> = (0..7).map(letter).collect();
            let expected = plainly_within(&text, 2, 3);
            assert_eq!(within(&text, 2, 3), expected, "{text:?}");
            refused += u32::from(expected.is_err());
        }
        assert!(refused > 1_000, "{refused}");
    }
}
