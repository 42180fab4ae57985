//! What does JSON say, apart from how it is laid out?
//!
//! Fields stand in the order of their names, space between values is gone, texts are escaped in one way only, and numbers keep their digits.
//!
//! # Invariants
//! - Two texts come out equal if and only if they hold the same values.
//! - An object that names a field twice is refused: readers disagree on which one counts.
//! - The time is that of reading and of sorting names; the depth of recursion is what [`shape`] allows.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::meeting::Malformed;
use super::super::shape;

/// What stands in the place of a text that was taken out; canonical JSON holds no such byte.
const HOLE: u8 = 0;

/// A value; texts that need no escapes are those of the source.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    /// The digits as they were written.
    Number(&'a str),
    /// Borrowed only where it stands in JSON as it is.
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// By name.
    Object(Vec<(Cow<'a, str>, Self)>),
    /// The place of a text that was taken out, with its length where that is needed to put it back.
    Hole(Option<usize>),
}

impl<'a> Node<'a> {
    /// Reads a whole JSON text.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Malformed> {
        shape::check(json)?;
        let text =
            std::str::from_utf8(json).map_err(|_| Malformed::new("the body is not UTF-8"))?;
        // What follows relies on the grammar.
        let valid: &RawValue = serde_json::from_str(text)?;
        Cursor {
            text: valid.get(),
            at: 0,
        }
        .value()
    }

    /// Writes it in the one way.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Text(text) => quote(text, out),
            Self::List(list) => {
                out.push(b'[');
                for (at, item) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    quote(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            Self::Hole(length) => {
                out.push(HOLE);
                if let Some(length) = length {
                    out.extend_from_slice(length.to_string().as_bytes());
                }
                out.push(HOLE);
            }
        }
    }

    /// An object's fields; those of anything else are none.
    pub(super) fn fields(&self) -> &[(Cow<'a, str>, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// A list's items; those of anything else are none.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    /// A text's words.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An object's field of this name, unless it is null.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let mut fields = self.fields().iter();
        let found = fields.find(|(key, _)| is_called(key, name));
        found
            .map(|(_, value)| value)
            .filter(|it| **it != Self::Null)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let mut fields = fields.iter_mut();
        let found = fields.find(|(key, _)| is_called(key, name));
        found.map(|(_, value)| value)
    }

    /// Takes an object's field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let at = fields.iter().position(|(key, _)| is_called(key, name))?;
        Some(fields.remove(at).1)
    }

    /// Whether anything stands under this name that is not empty and not false.
    pub(super) fn asks(&self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Self::Null | Self::Flag(false)) => false,
            Some(Self::List(list)) => !list.is_empty(),
            Some(Self::Object(fields)) => !fields.is_empty(),
            Some(Self::Text(text)) => !text.is_empty(),
            Some(_) => true,
        }
    }
}

/// Whether a field is of this name; Google's names, which have capitals, may also be written with underscores in their place.
pub(super) fn is_called(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut key = key.bytes();
    // Nothing between the two: readers know these two ways only.
    let same = name.bytes().all(|byte| {
        if byte.is_ascii_uppercase() {
            return key.next() == Some(b'_') && key.next() == Some(byte.to_ascii_lowercase());
        }
        key.next() == Some(byte)
    });
    same && key.next().is_none()
}

fn quote(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // A string always serialises, and memory takes whatever is written.
    let _ = serde_json::to_writer(out, text);
}

/// Walks over JSON that is known to be valid.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    fn value(&mut self) -> Result<Node<'a>, Malformed> {
        match self.next() {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => Ok(Node::Text(self.string()?)),
            b't' => Ok(self.word(4, Node::Flag(true))),
            b'f' => Ok(self.word(5, Node::Flag(false))),
            b'n' => Ok(self.word(4, Node::Null)),
            _ => Ok(self.number()),
        }
    }

    fn word(&mut self, length: usize, node: Node<'a>) -> Node<'a> {
        self.at += length;
        node
    }

    fn number(&mut self) -> Node<'a> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let end = rest.bytes().position(|byte| !digit(byte));
        let (digits, _) = rest.split_at(end.unwrap_or(rest.len()));
        // Whatever it is, it is stepped over.
        self.at += digits.len().max(1);
        Node::Number(digits)
    }

    fn list(&mut self) -> Result<Node<'a>, Malformed> {
        self.at += 1;
        let mut list = Vec::new();
        loop {
            match self.next() {
                b']' | 0 => {
                    self.at += 1;
                    return Ok(Node::List(list));
                }
                b',' => self.at += 1,
                _ => list.push(self.value()?),
            }
        }
    }

    fn object(&mut self) -> Result<Node<'a>, Malformed> {
        self.at += 1;
        let mut fields = Vec::new();
        loop {
            match self.next() {
                b'}' | 0 => break,
                b',' => self.at += 1,
                _ => {
                    let name = self.string()?;
                    // Past the colon.
                    self.next();
                    self.at += 1;
                    fields.push((name, self.value()?));
                }
            }
        }
        self.at += 1;
        fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if fields
            .windows(2)
            .any(|pair| matches!(pair, [(one, _), (other, _)] if one == other))
        {
            return Err(Malformed::new("an object names a field twice"));
        }
        Ok(Node::Object(fields))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let begin = self.at;
        let bytes = self.text.as_bytes();
        let (mut at, mut escaped) = (begin + 1, false);
        while let Some(rest) = bytes.get(at..)
            && let Some(found) = memchr::memchr2(b'"', b'\\', rest)
        {
            at += found;
            if bytes.get(at) == Some(&b'"') {
                break;
            }
            escaped = true;
            at += 2;
        }
        self.at = at + 1;
        if escaped {
            let quoted = self.text.get(begin..=at).unwrap_or_default();
            return Ok(Cow::Owned(serde_json::from_str(quoted)?));
        }
        Ok(Cow::Borrowed(
            self.text.get(begin + 1..at).unwrap_or_default(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> Result<String, Malformed> {
        let mut out = Vec::new();
        Node::read(json.as_bytes())?.write(&mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn layout_is_gone_and_values_stay() {
        for (json, expected) in [
            (
                " { \"b\" : [ 1 , 1.0,1e2 , -0 ] , \"a\":\tnull } ",
                "{\"a\":null,\"b\":[1,1.0,1e2,-0]}",
            ),
            (
                r#"{"\u0061":"\u0041\/\u00e9\n\u0001\"\\"}"#,
                "{\"a\":\"A/é\\n\\u0001\\\"\\\\\"}",
            ),
            ("[]", "[]"),
            ("{}", "{}"),
            ("\"\"", "\"\""),
            ("7", "7"),
            ("[true,false,null,[{}]]", "[true,false,null,[{}]]"),
            (
                r#"{"ab":1,"a":2,"é":3,"":4}"#,
                "{\"\":4,\"a\":2,\"ab\":1,\"é\":3}",
            ),
        ] {
            let once = canonical(json).unwrap();
            assert_eq!(once, expected, "{json}");
            assert_eq!(canonical(&once).unwrap(), expected, "{json}");
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(
                value,
                serde_json::from_str::<serde_json::Value>(&once).unwrap()
            );
        }
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "nul",
            "[1 2]",
            "\"\\ud800\"",
            "{} x",
            "01",
        ] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
        assert!(Node::read(b"\"\xff\"").is_err());
        assert!(Node::read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn google_writes_names_in_two_ways() {
        for (key, name, same) in [
            ("max_output_tokens", "maxOutputTokens", true),
            ("maxOutputTokens", "maxOutputTokens", true),
            ("max_outputTokens", "maxOutputTokens", false),
            ("max_output_token", "maxOutputTokens", false),
            ("maxoutputtokens", "maxOutputTokens", false),
            ("max__output_tokens", "maxOutputTokens", false),
            ("max_output_tokens_", "maxOutputTokens", false),
            ("max_tokens", "max_tokens", true),
            ("maxTokens", "max_tokens", false),
        ] {
            assert_eq!(is_called(key, name), same, "{key} {name}");
        }
    }
}
