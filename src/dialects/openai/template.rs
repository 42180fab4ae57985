//! Recognises an event that differs from the one before only in the words of one string.
//!
//! A stream of text is one event over and over with another word in it. Once an event has been parsed, the bytes before and after
//! its content string are kept; the next event with the same bytes around a plain string has the same meaning, and need not be parsed.
//! That makes validation of a stream cost about as much as comparing its bytes.
//!
//! # Invariants
//! - An event is recognised only if parsing it would succeed and yield the same [`Seen`]:
//!   the bytes around are those of a valid event up to the inside of a string, and the string between them is valid and not empty.

use memchr::memmem;

use super::super::seen::Seen;

/// What comes before the words of an event. Within another string its quotes would be escaped, so it is the field itself.
const FIELD: &[u8] = b"\"content\":\"";

/// Longest event that is remembered, bytes; longer ones are rare and parsing them is cheap in proportion.
const MAX_REMEMBERED: usize = 4 * 1024;

/// The last parsed event, cut around its content string.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// The whole event; empty when nothing is remembered.
    event: Vec<u8>,
    /// Where the content string's text begins in `event`.
    start: usize,
    /// Where it ends, at its closing quote.
    end: usize,
    seen: Seen,
}

impl Template {
    /// What `data` holds, if it is the remembered event with other words in it.
    pub(super) fn recognise(&self, data: &[u8]) -> Option<Seen> {
        let (before, after) = (&self.event[..self.start], &self.event[self.end..]);
        let words = data.strip_prefix(before)?.strip_suffix(after)?;
        (!self.event.is_empty() && !words.is_empty() && is_plain(words)).then_some(self.seen)
    }

    /// Remembers an event that was parsed, if others like it may follow.
    pub(super) fn remember(&mut self, data: &[u8], seen: Seen) {
        let repeats = seen.content && !seen.finished && !seen.error && seen.usage.is_none();
        if !repeats || data.len() > MAX_REMEMBERED {
            return;
        }
        let Some(field) = memmem::find(data, FIELD) else {
            return;
        };
        let start = field + FIELD.len();
        let Some(end) = string_end(data, start) else {
            return;
        };
        if start == end {
            return;
        }
        self.event.clear();
        self.event.extend_from_slice(data);
        (self.start, self.end, self.seen) = (start, end, seen);
    }
}

/// Where the string whose text begins at `start` has its closing quote.
fn string_end(data: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', data.get(at..)?)?;
        if data[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Whether `text` may stand in a JSON string as it is: no quote, no escape, no control character, valid UTF-8.
fn is_plain(text: &[u8]) -> bool {
    text.iter()
        .all(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\')
        && std::str::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::response;
    use super::*;

    fn event(words: &str) -> String {
        format!(
            r#"{{"id":"c1","choices":[{{"index":0,"delta":{{"content":"{words}"}},"finish_reason":null}}],"usage":null}}"#
        )
    }

    fn template() -> Template {
        let mut template = Template::default();
        let first = event(" w1");
        template.remember(first.as_bytes(), response::read(first.as_bytes()).unwrap());
        template
    }

    #[test]
    fn other_words_are_recognised() {
        let template = template();
        for words in [" w2", "x", "ü", "}", "a longer piece of text"] {
            assert!(
                template.recognise(event(words).as_bytes()).is_some(),
                "{words}"
            );
        }
        for words in ["", "\\n", "\"", "a\"b", "\u{1}"] {
            assert!(
                template.recognise(event(words).as_bytes()).is_none(),
                "{words}"
            );
        }
        assert!(
            template
                .recognise(event("x").replace("c1", "c2").as_bytes())
                .is_none()
        );
        assert!(template.recognise(b"").is_none());
        assert!(Template::default().recognise(b"").is_none());
    }

    proptest! {
        /// Whatever is recognised would have parsed to the same.
        #[test]
        fn recognition_agrees_with_parsing(
            words in proptest::collection::vec(prop_oneof![
                Just(b'"'), Just(b'\\'), Just(b'}'), Just(b','), any::<u8>(), b'a'..=b'z'
            ], 0..12),
            first in "[ a-z\\\\n\"]{0,6}",
        ) {
            let mut template = Template::default();
            let first = event(&first.replace('"', "\\\""));
            if let Ok(seen) = response::read(first.as_bytes()) {
                template.remember(first.as_bytes(), seen);
            }
            let parts = event("\u{0}");
            let (before, after) = parts.split_once('\u{0}').unwrap();
            let mut data = before.as_bytes().to_vec();
            data.extend_from_slice(&words);
            data.extend_from_slice(after.as_bytes());
            if let Some(seen) = template.recognise(&data) {
                prop_assert_eq!(response::read(&data).unwrap(), seen);
            }
        }
    }
}
