//! Is one word the other, mistyped?
//!
//! Only slips that seldom make another word count: two letters swapped, one doubled or not, one left out inside, a neighbour hit in a long word.
//! Pairs that are both words stand in the tables; names and identifiers are never tried.

/// The shortest word in which a swap or a doubled letter is believed; shorter ones are too often other words.
const SHORTEST: usize = 5;

/// The shortest word from which a letter may be missing.
const SHORTEST_MISSING: usize = 6;

/// The shortest word in which a neighbour may be hit.
const SHORTEST_HIT: usize = 6;

/// Longer words are no words.
const LONGEST: usize = 32;

/// The rows of the keyboard: neighbours stand beside each other.
const ROWS: [&[u8]; 3] = [b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];

/// Whether one lower-case ASCII word is a slip of the other.
pub(super) fn slipped(one: &str, other: &str) -> bool {
    let (long, short) = if one.len() >= other.len() {
        (one.as_bytes(), other.as_bytes())
    } else {
        (other.as_bytes(), one.as_bytes())
    };
    let letters = |word: &[u8]| word.iter().all(u8::is_ascii_lowercase);
    if short.len() + 1 < SHORTEST || long.len() > LONGEST || !letters(long) || !letters(short) {
        return false;
    }
    if long.first() != short.first() {
        return false;
    }
    match long.len() - short.len() {
        0 => swapped(long, short) || neighbour_hit(long, short),
        1 => missing(long, short),
        _ => false,
    }
}

/// Whether two letters beside each other have changed places.
fn swapped(one: &[u8], other: &[u8]) -> bool {
    let Some(at) = one.iter().zip(other).position(|(a, b)| a != b) else {
        return false;
    };
    one.len() >= SHORTEST
        && at + 1 < one.len()
        && one[at] == other[at + 1]
        && one[at + 1] == other[at]
        && one[at + 2..] == other[at + 2..]
}

/// Whether one letter inside is its neighbour on the keyboard.
fn neighbour_hit(one: &[u8], other: &[u8]) -> bool {
    let mut unequal = one.iter().zip(other).filter(|(a, b)| a != b);
    let (Some((a, b)), None) = (unequal.next(), unequal.next()) else {
        return false;
    };
    one.len() >= SHORTEST_HIT
        && one.last() == other.last()
        && ROWS
            .iter()
            .any(|row| row.windows(2).any(|two| two == [*a, *b] || two == [*b, *a]))
}

/// Whether the short word lacks one letter of the long one: half of a double, or any inside.
fn missing(long: &[u8], short: &[u8]) -> bool {
    let at = long
        .iter()
        .zip(short)
        .position(|(a, b)| a != b)
        .unwrap_or(short.len());
    if long[at + 1..] != short[at..] {
        return false;
    }
    let double = at > 0 && long[at] == long[at - 1];
    if double {
        long.len() >= SHORTEST
    } else {
        long.len() >= SHORTEST_MISSING && at > 0 && at + 1 < long.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen() {
        for (a, b) in [
            ("password", "passwrod"),
            ("address", "adress"),
            ("receipt", "reciept"),
            ("account", "acount"),
            ("delivery", "dellivery"),
            ("invoice", "invoixe"),
            ("symptoms", "symptons"),
        ] {
            assert!(slipped(a, b) && slipped(b, a), "{a} and {b}");
        }
    }

    #[test]
    fn other_words_are_not_slips() {
        for (a, b) in [
            ("cat", "cut"),
            ("table", "tablet"),
            ("effect", "affect"),
            ("employer", "employee"),
            ("import", "export"),
            ("same", "same"),
            ("straße", "strasse"),
        ] {
            assert!(!slipped(a, b) && !slipped(b, a), "{a} and {b}");
        }
    }
}
