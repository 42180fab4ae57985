//! Numbers, however they are written: digits, signs, words.

/// The number words below one hundred; `one` is mostly a pronoun and not among them.
pub(super) const NUMBER_WORDS: [&str; 27] = [
    "zero",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
];

/// The value of a number word.
pub(super) fn number_word(word: &str) -> Option<u8> {
    let at = NUMBER_WORDS.iter().position(|known| *known == word)?;
    let at = u8::try_from(if at == 0 { 0 } else { at + 1 }).ok()?;
    Some(if at <= 20 { at } else { (at - 18) * 10 })
}

/// A chunk that starts with a digit: its number, and the letters after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numeral<'a> {
    pub(super) number: &'a str,
    pub(super) suffix: &'a str,
}

/// Takes the number at the start of a chunk: digits with points, commas, colons and slashes inside.
pub(super) fn numeral(chunk: &str) -> Option<Numeral<'_>> {
    if !chunk.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let inside = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ':' | '/');
    let end = chunk.find(|c| !inside(c)).unwrap_or(chunk.len());
    let number = chunk[..end].trim_end_matches(['.', ',', ':', '/']);
    Some(Numeral {
        number,
        suffix: &chunk[number.len()..],
    })
}

/// Appends a number in its one form: no thousands commas, no leading noughts.
pub(super) fn push_plain(number: &str, out: &mut String) {
    let start = out.len();
    let mut rest = number;
    while rest.len() > 1 && rest.starts_with('0') && rest.as_bytes()[1].is_ascii_digit() {
        rest = &rest[1..];
    }
    let bytes = rest.as_bytes();
    for (at, c) in rest.char_indices() {
        let digits = bytes[at + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if !(c == ',' && digits == 3) {
            out.push(c);
        }
    }
    if out.len() == start {
        out.push('0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_words_have_values() {
        for (word, value) in [
            ("zero", 0),
            ("seven", 7),
            ("nineteen", 19),
            ("twenty", 20),
            ("thirty", 30),
            ("ninety", 90),
        ] {
            assert_eq!(number_word(word), Some(value));
        }
        assert_eq!(number_word("often"), None);
    }

    #[test]
    fn numbers_have_one_form() {
        for (written, plain) in [
            ("1,500", "1500"),
            ("1,5", "1,5"),
            ("007", "7"),
            ("0", "0"),
            ("0.5", "0.5"),
            ("1.2.3", "1.2.3"),
            ("08:30", "8:30"),
        ] {
            let mut out = String::new();
            push_plain(written, &mut out);
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn a_unit_follows_its_number() {
        assert_eq!(
            numeral("5km"),
            Some(Numeral {
                number: "5",
                suffix: "km"
            })
        );
        assert_eq!(
            numeral("12."),
            Some(Numeral {
                number: "12",
                suffix: "."
            })
        );
        assert_eq!(numeral("v1"), None);
    }
}
