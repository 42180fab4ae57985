//! A word without its ending and in one spelling, so that inflections and the two sides of the ocean agree.
//!
//! The result is a key, not a word: it only has to be the same for what means the same, and different for what does not.
//! `-er` and `-est` stay, as do all prefixes: they change the answer.

/// Shorter words are left as they are.
const SHORTEST: usize = 4;

/// Longer words are no words.
const LONGEST: usize = 32;

/// Writes the stem of a lower-case word to `out`.
pub(super) fn stem(word: &str, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(word.as_bytes());
    if word.len() < SHORTEST
        || word.len() > LONGEST
        || !word.bytes().all(|b| b.is_ascii_lowercase())
    {
        return;
    }
    plural(out);
    verb(out);
    for (end, least) in [(&b"ly"[..], 6), (b"ment", 8), (b"ation", 9)] {
        if out.len() >= least && out.ends_with(end) {
            out.truncate(out.len() - end.len());
            break;
        }
    }
    spelling(out);
    undouble(out);
    if out.len() >= 4 && out.ends_with(b"e") {
        out.pop();
    }
}

/// Takes the plural's ending off.
fn plural(word: &mut Vec<u8>) {
    let keep = [&b"ss"[..], b"us", b"is"];
    if !word.ends_with(b"s") || keep.iter().any(|end| word.ends_with(end)) {
        return;
    }
    if word.len() > 4 && word.ends_with(b"ies") {
        word.truncate(word.len() - 3);
        word.push(b'y');
        return;
    }
    let hissing = [&b"sses"[..], b"xes", b"ches", b"shes", b"oes"];
    let cut = if word.len() > 4 && hissing.iter().any(|end| word.ends_with(end)) {
        2
    } else {
        1
    };
    word.truncate(word.len() - cut);
}

/// Takes `-ing` and `-ed` off where a stem with a vowel is left.
fn verb(word: &mut Vec<u8>) {
    if word.len() > 4 && word.ends_with(b"ied") {
        word.truncate(word.len() - 3);
        word.push(b'y');
        return;
    }
    for end in [&b"ing"[..], b"ed"] {
        if word.ends_with(end) {
            let left = &word[..word.len() - end.len()];
            if left.len() >= 3 && left.iter().any(|b| b"aeiouy".contains(b)) {
                word.truncate(left.len());
            }
            return;
        }
    }
}

/// Brings British and American spelling together.
fn spelling(word: &mut Vec<u8>) {
    if word.len() >= 5
        && let Some(at) = word.windows(3).position(|three| three == b"our")
    {
        word.remove(at + 1);
    }
    let ends: [(&[u8], &[u8]); 8] = [
        (b"tre", b"ter"),
        (b"bre", b"ber"),
        (b"ogue", b"og"),
        (b"isation", b"ization"),
        (b"ise", b"ize"),
        (b"yse", b"yze"),
        (b"is", b"iz"),
        (b"ys", b"yz"),
    ];
    for (british, american) in ends {
        if word.len() >= 5 && word.ends_with(british) {
            word.truncate(word.len() - british.len());
            word.extend_from_slice(american);
            return;
        }
    }
}

/// Makes a double consonant at the end a single one.
fn undouble(word: &mut Vec<u8>) {
    if let [.., before, last] = word.as_slice()
        && before == last
        && !b"aeiou".contains(last)
    {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> String {
        let mut out = Vec::new();
        stem(word, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn inflections_and_spellings_agree() {
        for (a, b) in [
            ("files", "file"),
            ("boxes", "box"),
            ("policies", "policy"),
            ("making", "make"),
            ("planned", "planning"),
            ("travelled", "traveling"),
            ("selling", "sell"),
            ("colours", "color"),
            ("favourite", "favorite"),
            ("organise", "organizing"),
            ("analysed", "analyze"),
            ("centre", "centers"),
            ("catalogue", "catalogs"),
            ("cancelled", "cancel"),
            ("quickly", "quick"),
            ("tried", "tries"),
        ] {
            assert_eq!(of(a), of(b), "{a} and {b}");
        }
    }

    #[test]
    fn what_changes_the_answer_stays() {
        for (a, b) in [
            ("fast", "faster"),
            ("employer", "employee"),
            ("install", "uninstall"),
            ("string", "strong"),
            ("analysis", "analyst"),
            ("careful", "careless"),
        ] {
            assert_ne!(of(a), of(b), "{a} and {b}");
        }
    }
}
