//! What is left of an answer when only its wording counts?
//!
//! Case, white space, punctuation and Markdown are dropped; what carries meaning is kept even if it looks like punctuation: the sign and the point of a number, what stands between two digits, operators and currencies, and whatever stands in a fenced block of code.
//!
//! # Invariants
//! - Two texts with different numbers or different letters never come out equal.
//! - The result has single spaces between its words and none at its ends.

/// What opens and closes a block of code.
const FENCE: &str = "```";

/// An answer as its words, in small letters.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    let mut out = Words::default();
    let mut code = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(FENCE) {
            code = !code;
        } else if code {
            for word in line.split_whitespace() {
                out.word(word);
            }
        } else {
            prose(unmarked(line), &mut out);
        }
    }
    out.text
}

/// A line without what makes it a heading, a quotation or an item.
fn unmarked(line: &str) -> &str {
    let mut rest = line;
    for mark in ["# ", "> ", "- ", "* ", "+ ", "• "] {
        let stripped = if mark == "# " {
            rest.trim_start_matches('#').strip_prefix(' ')
        } else {
            rest.strip_prefix(mark)
        };
        rest = stripped.unwrap_or(rest).trim_start();
    }
    rest
}

/// Words that are put together letter by letter.
#[derive(Default)]
struct Words {
    text: String,
    apart: bool,
}

impl Words {
    fn letter(&mut self, letter: char) {
        if self.apart && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.apart = false;
        self.text.push(letter);
    }

    const fn end(&mut self) {
        self.apart = true;
    }

    fn word(&mut self, word: &str) {
        self.end();
        word.chars().for_each(|letter| self.letter(letter));
        self.end();
    }
}

fn prose(line: &str, out: &mut Words) {
    let letters: Vec<char> = line.chars().filter(|letter| !is_unseen(*letter)).collect();
    out.end();
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| letters.get(at)).copied();
        let after = letters.get(index + 1).copied();
        if letter.is_alphanumeric() {
            letter.to_lowercase().for_each(|small| out.letter(small));
        } else if letter.is_whitespace() {
            out.end();
        } else {
            match kept(dash(letter), before, after, &letters[index + 1..]) {
                Kept::Within(letter) => out.letter(letter),
                Kept::Alone(letter) => out.word(letter.encode_utf8(&mut [0; 4])),
                Kept::Begins(letter) => {
                    out.end();
                    out.letter(letter);
                }
                Kept::Gap => out.end(),
                Kept::No => {}
            }
        }
    }
    out.end();
}

/// What becomes of a letter that is neither letter, digit nor white space.
enum Kept {
    /// It belongs to the word around it.
    Within(char),
    /// It is a word.
    Alone(char),
    /// It begins a word.
    Begins(char),
    /// It parts two words.
    Gap,
    /// It leaves no trace.
    No,
}

fn kept(letter: char, before: Option<char>, after: Option<char>, rest: &[char]) -> Kept {
    let digit = |side: Option<char>| side.is_some_and(char::is_numeric);
    let word = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
    if digit(before) && digit(after) {
        return if letter == ',' && is_thousand(rest) {
            Kept::No
        } else {
            Kept::Within(letter)
        };
    }
    match letter {
        '\'' | '’' if word(before) && word(after) => Kept::No,
        '-' | '.' if digit(after) && !word(before) => Kept::Begins(letter),
        '!' if after == Some('=') || (word(after) && !word(before)) => Kept::Alone(letter),
        '*' | '_' if word(before) && word(after) => Kept::Within(letter),
        '#' if digit(after) || before.is_some_and(char::is_alphabetic) => Kept::Alone(letter),
        _ if is_punctuation(letter) => Kept::Gap,
        _ => Kept::Alone(letter),
    }
}

/// Whether a comma before these letters groups thousands: three digits and no more.
fn is_thousand(rest: &[char]) -> bool {
    let digits = rest.iter().take_while(|letter| letter.is_numeric()).count();
    digits == 3
}

/// The dashes that writers put for a minus, as one.
const fn dash(letter: char) -> char {
    match letter {
        '−' | '–' | '—' | '‐' | '‑' => '-',
        other => other,
    }
}

/// Whether a letter is dropped where it is no part of a number.
fn is_punctuation(letter: char) -> bool {
    const MARKS: &str = ".,;:!?\"'`()[]{}-*_#|\\…“”„‚‘’«»‹›·•、。，！？：；（）「」『』¿¡";
    MARKS.contains(letter)
}

/// Whether a letter is neither seen nor white space: it could hide in one text what stands in the other.
pub(super) fn is_unseen(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\t' | '\n' | '\r'))
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording_alone_counts() {
        for (left, right) in [
            ("Paris.", "  **PARIS** "),
            ("# Heading\n\n- one\n- two", "heading one, two"),
            ("> It's a `well-known` fact!", "Its a well known fact"),
            ("1,234,567 units", "1234567 Units."),
            ("It is 5% of $20", "it is 5 % of $ 20"),
            ("“Yes” – she said…", "\"Yes\", she said."),
            ("−5 degrees", "-5 degrees"),
            ("naïve\u{200b} Straße", "NAÏVE straße"),
            ("a\r\nb", "a b"),
            ("| a | b |\n|---|---|", "a b"),
        ] {
            assert_eq!(plain(left), plain(right));
        }
    }

    #[test]
    fn what_carries_meaning_is_kept() {
        for (left, right) in [
            ("5", "-5"),
            ("1.5", "15"),
            ("1.5", "1 5"),
            ("3/4", "34"),
            ("10:30", "1030"),
            ("1,23", "123"),
            ("C++", "C"),
            ("C#", "C"),
            ("a < b", "a > b"),
            ("a == b", "a != b"),
            ("!ready", "ready"),
            ("2*3", "23"),
            ("5%", "5"),
            ("$5", "€5"),
            ("👍", "👎"),
            ("```\nx[0]\n```", "```\nx(0)\n```"),
            ("```\nFoo\n```", "```\nfoo\n```"),
            (".5", "5"),
        ] {
            assert_ne!(plain(left), plain(right), "{left} {right}");
        }
    }

    #[test]
    fn nothing_but_punctuation_is_nothing() {
        for text in ["", " \n", "...", "**", "---", "\u{202e}"] {
            assert_eq!(plain(text), "");
        }
    }
}
