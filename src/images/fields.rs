//! How is a client's field taken out of a request, whether it was written in JSON or in a form?
//!
//! A form has only text, so a number is read out of text there and nowhere else.
//! What nobody takes is left over, and goes to the vendor under its own name.
//!
//! # Invariants
//! - A field of the wrong type or out of range is named in the error, never ignored; `null` is absent.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::request::Malformed;

/// The longest value of a field that is a word or a name, in bytes.
const WORD: usize = 256;

/// How the request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// As JSON, with types.
    Json,
    /// As a form, in text.
    Form,
}

/// The fields that have not been taken.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    written: Written,
}

impl Fields {
    pub(super) const fn new(map: Map<String, Value>, written: Written) -> Self {
        Self { map, written }
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.map
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// A text of any length.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "must be a string")),
        }
    }

    /// A word or a name, which is short.
    pub(super) fn word(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        let text = self.text(name)?;
        if text.as_ref().is_some_and(|text| text.len() > WORD) {
            return Err(wrong(name, &format!("may have at most {WORD} bytes")));
        }
        Ok(text)
    }

    /// One of a closed list of words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Malformed> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == text);
        let listed = || {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            wrong(name, &format!("must be one of: {}", all.join(", ")))
        };
        found.map(|(_, value)| Some(*value)).ok_or_else(listed)
    }

    /// A whole number in a range.
    pub(super) fn whole(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Malformed> {
        let number = match (self.take(name), self.written) {
            (None, _) => return Ok(None),
            (Some(Value::Number(number)), _) => number.as_u64(),
            (Some(Value::String(text)), Written::Form) => text.trim().parse().ok(),
            (Some(_), _) => None,
        };
        let (from, to) = (range.start(), range.end());
        let problem = || wrong(name, &format!("must be a whole number from {from} to {to}"));
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(problem)
    }

    /// A number in a range.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, Malformed> {
        let number = match (self.take(name), self.written) {
            (None, _) => return Ok(None),
            (Some(Value::Number(number)), _) => number.as_f64(),
            (Some(Value::String(text)), Written::Form) => text.trim().parse().ok(),
            (Some(_), _) => None,
        };
        let (from, to) = (range.start(), range.end());
        let problem = || wrong(name, &format!("must be a number from {from} to {to}"));
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(problem)
    }

    /// Whether a switch is on; off where nothing is said.
    pub(super) fn switch(&mut self, name: &'static str) -> Result<Switch, Malformed> {
        match (self.take(name), self.written) {
            (None | Some(Value::Bool(false)), _) => Ok(Switch::Off),
            (Some(Value::Bool(true)), _) => Ok(Switch::On),
            (Some(Value::String(text)), Written::Form) if text == "true" => Ok(Switch::On),
            (Some(Value::String(text)), Written::Form) if text == "false" => Ok(Switch::Off),
            _ => Err(wrong(name, "must be true or false")),
        }
    }
}

/// Whether a switch is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Off,
    On,
}

/// The complaint about a field.
pub(super) fn wrong(name: &'static str, problem: &str) -> Malformed {
    Malformed::new(name, format!("`{name}` {problem}."))
}
