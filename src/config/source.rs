//! What may be shown of the file, and what has been found wrong with it so far?
//!
//! The text that is being checked, the places in it that hold secrets, and the problems collected.
//! Messages quote what stands in the file, through [`Source::quote`], and never a value after `${NAME}` was replaced.
//!
//! # Invariants
//! - The masked text has the length, the lines and the characters' boundaries of the original.
//! - What is masked is at most letters and digits: quotes and `${NAME}` stay, so that a reader recognises the line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::report::{Problem, Report};

/// Words that, left of a `=`, announce a credential; for lines that did not parse.
const TELLTALE: [&str; 7] = [
    "secret",
    "token",
    "key",
    "password",
    "authorization",
    "header",
    "credential",
];

/// Longest quotation, characters; names are shorter, and longer ones are cut.
const LONGEST_QUOTE: usize = 60;

/// The text that is being checked, with the problems found in it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    secrets: Vec<Range<usize>>,
    places: BTreeMap<String, Range<usize>>,
    problems: Vec<Problem>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self {
            file,
            text,
            secrets: Vec::new(),
            places: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// The file.
    pub(super) fn file(&self) -> &'a Path {
        self.file
    }

    /// Adds a problem.
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Says whether a problem at this path was reported; a later check of the same value would only repeat it.
    pub(super) fn is_reported(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.path == path)
    }

    /// Says whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Remembers where the value at `path` stands.
    pub(super) fn note(&mut self, path: &str, span: Range<usize>) {
        self.places.insert(path.to_owned(), span);
    }

    /// Where the value at `path` stands, or the nearest table around it that stands somewhere.
    pub(super) fn place_of(&self, path: &str) -> Option<Range<usize>> {
        let mut path = path;
        loop {
            if let Some(span) = self.places.get(path) {
                return Some(span.clone());
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Keeps these bytes out of everything that is shown.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.secrets.push(span);
    }

    /// What stands in the file at these bytes, with secrets masked and control characters escaped; in quotation marks.
    pub(super) fn quote(&self, span: &Range<usize>) -> String {
        let (start, end) = on_boundaries(self.text, span);
        let hidden = self
            .secrets
            .iter()
            .any(|secret| secret.start < end && start < secret.end);
        if hidden {
            return "\"***\"".to_owned();
        }
        let inside = self.text[start..end].trim_matches(['"', '\'']);
        let short: String = inside.chars().take(LONGEST_QUOTE).collect();
        format!("{short:?}")
    }

    /// Whether something is replaced in the string that stands at these bytes.
    pub(super) fn is_expanded(&self, span: &Range<usize>) -> bool {
        let (start, end) = on_boundaries(self.text, span);
        self.text[start..end].contains("${")
    }

    /// Where a part of a string's value stands; the whole string where it is not written as it reads.
    pub(super) fn inside(
        &self,
        span: &Range<usize>,
        value: &str,
        part: Option<&Range<usize>>,
    ) -> Range<usize> {
        let (start, end) = on_boundaries(self.text, span);
        let written = self.text[start..end].find(value);
        match (written, part) {
            (Some(at), Some(part)) if !value.is_empty() => {
                start + at + part.start..start + at + part.end
            }
            _ => span.clone(),
        }
    }

    /// Ends the check: the problems with the masked text, or nothing if there are none.
    pub(super) fn into_report(self) -> Option<Report> {
        if self.problems.is_empty() {
            return None;
        }
        let text = mask(self.text, &self.secrets);
        Some(Report::new(self.file, text, self.problems))
    }

    /// Makes the report of a text that does not parse, where no place of a secret is known.
    pub(super) fn into_syntax_report(mut self, problem: Problem) -> Report {
        self.hide_by_telltale();
        let text = mask(self.text, &self.secrets);
        Report::new(self.file, text, vec![problem])
    }

    /// Hides what follows the first `=` of each line that names a credential, and every line that assigns nothing.
    fn hide_by_telltale(&mut self) {
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let lower = line.to_ascii_lowercase();
            let assigned = line.find('=');
            if TELLTALE.iter().any(|word| lower.contains(word)) {
                let from = start + assigned.unwrap_or(0);
                self.secrets.push(from..start + line.len());
            } else if assigned.is_none() && !line.trim_start().starts_with('[') {
                // Why: it may be the continuation of a credential written over several lines.
                self.secrets.push(start..start + line.len());
            }
            start += line.len();
        }
    }
}

/// Replaces letters and digits within `secrets` by asterisks, except `${NAME}`.
fn mask(text: &str, secrets: &[Range<usize>]) -> String {
    let mut hidden = vec![false; text.len()];
    for span in secrets {
        for index in span.clone() {
            if let Some(flag) = hidden.get_mut(index) {
                *flag = true;
            }
        }
    }
    let mut masked = String::with_capacity(text.len());
    let mut shown_until = 0;
    for (index, letter) in text.char_indices() {
        if text[index..].starts_with("${") && !text[..index].ends_with('$') {
            let name = text[index + 2..]
                .bytes()
                .take_while(|b| is_name_byte(*b))
                .count();
            let closed = text.as_bytes().get(index + 2 + name) == Some(&b'}');
            shown_until = if closed {
                index + 3 + name
            } else {
                shown_until
            };
        }
        let keep = index < shown_until || !hidden[index] || !letter.is_alphanumeric();
        if keep {
            masked.push(letter);
        } else {
            // Why: as many bytes as before, so that places in the text stay what they were.
            masked.push(['*', '·', '•', '🞄'][letter.len_utf8() - 1]);
        }
    }
    masked
}

/// Widens a span to whole characters, inside the text; an end before the start becomes the start.
pub(super) fn on_boundaries(text: &str, span: &Range<usize>) -> (usize, usize) {
    let start = floor_boundary(text, span.start);
    let mut end = span.end.clamp(start, text.len().max(start));
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

/// The last character boundary at or before `index`.
pub(super) fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Says whether a byte may stand in the name of an environment variable.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_letters_and_keeps_length_and_references() {
        let cases = [
            ("secret = \"sk-1\"", 9..15, "secret = \"**-*\""),
            ("secret = \"${KEY}x\"", 9..18, "secret = \"${KEY}*\""),
            ("secret = \"$${KEY}\"", 9..18, "secret = \"$${***}\""),
            ("secret = \"${KEY\"", 9..16, "secret = \"${***\""),
            ("s = \"é\"", 4..8, "s = \"·\""),
        ];
        for (text, span, shown) in cases {
            assert_eq!(mask(text, &[span]), shown);
        }
    }

    #[test]
    fn a_file_that_does_not_parse_hides_credentials_by_their_names() {
        let mut source = Source::new(Path::new("c"), "a = 1\nsecret = \"sk-1\nsk-2\n[x]\n");
        source.hide_by_telltale();
        let shown = mask(source.text, &source.secrets);
        assert_eq!(shown, "a = 1\nsecret = \"**-*\n**-*\n[x]\n");
    }

    #[test]
    fn quotes_the_source() {
        let mut source = Source::new(Path::new("c"), "a = 'b\u{1b}'\nsecret = \"sk-1\"");
        source.hide(18..24);
        assert_eq!(source.quote(&(4..8)), "\"b\\u{1b}\"");
        assert_eq!(source.quote(&(18..24)), "\"***\"");
        assert_eq!(source.quote(&(900..901)), "\"\"");
    }
}
