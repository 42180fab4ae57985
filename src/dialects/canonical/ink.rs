//! How are values written so that no two sequences of them look alike?
//!
//! Every value is preceded by its tag or its length, and what may be absent says whether it is there.
//!
//! # Invariants
//! - From what was written the values can be told again: two sequences of the same kinds of values are equal as bytes only if they are equal.

use serde_json::Value;

/// Bytes to which values are added.
#[derive(Debug, Default)]
pub(super) struct Ink(pub(super) Vec<u8>);

impl Ink {
    /// Which of several things follows.
    pub(super) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    /// A number, seven bits to a byte.
    pub(super) fn size(&mut self, size: u64) {
        let mut left = size;
        while left >= 0x80 {
            self.0.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, count: usize) {
        self.size(count as u64);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    /// A number that may have a fraction; both zeros are the same.
    pub(super) fn number(&mut self, number: f64) {
        self.0
            .extend_from_slice(&(number + 0.0).to_bits().to_be_bytes());
    }

    /// What may be absent.
    pub(super) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Texts in their order.
    pub(super) fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    /// A value of JSON, its fields by name.
    pub(super) fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(0),
            Value::Bool(flag) => {
                self.tag(1);
                self.flag(*flag);
            }
            Value::Number(number) => {
                self.tag(2);
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.tag(3);
                self.text(text);
            }
            Value::Array(list) => {
                self.tag(4);
                self.count(list.len());
                list.iter().for_each(|item| self.json(item));
            }
            Value::Object(fields) => {
                self.tag(5);
                self.count(fields.len());
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| *name);
                for (name, value) in fields {
                    self.text(name);
                    self.json(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_looks_like_something_else() {
        let of = |write: &dyn Fn(&mut Ink)| {
            let mut ink = Ink::default();
            write(&mut ink);
            ink.0
        };
        let all = [
            of(&|ink| ink.texts(&["ab".to_owned(), "c".to_owned()])),
            of(&|ink| ink.texts(&["a".to_owned(), "bc".to_owned()])),
            of(&|ink| ink.texts(&["abc".to_owned()])),
            of(&|ink| ink.maybe(None::<&str>, Ink::text)),
            of(&|ink| ink.maybe(Some(""), Ink::text)),
            of(&|ink| ink.json(&json!({"a": [1, "1"]}))),
            of(&|ink| ink.json(&json!({"a": [[1], "1"]}))),
            of(&|ink| ink.json(&json!({"a": [1.0, "1"]}))),
            of(&|ink| ink.json(&json!({"a": {"1": "1"}}))),
            of(&|ink| ink.text(&"x".repeat(127))),
            of(&|ink| ink.text(&"x".repeat(128))),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        assert_eq!(of(&|ink| ink.number(0.0)), of(&|ink| ink.number(-0.0)));
        assert_ne!(of(&|ink| ink.number(0.5)), of(&|ink| ink.number(0.25)));
        assert_eq!(of(&|ink| ink.size(300)), [0xac, 2]);
    }
}
