//! The fields of a JSON object, each as the text that was written.
//!
//! # Invariants
//! - A field that is read here and occurs twice is refused: a provider might read the other one.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::seat::same;
use crate::dialects::format::Format;
use crate::dialects::meeting::Malformed;

/// Fields of an object under construction: names and the JSON text of their values.
pub(super) type Written<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The fields of an object, in the order written.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The client's only field of this name.
pub(super) fn once<'c, 'a>(
    format: Format,
    client: &'c [(Cow<'a, str>, &'a RawValue)],
    name: &str,
) -> Result<Option<&'c (Cow<'a, str>, &'a RawValue)>, Malformed> {
    let mut found = client.iter().filter(|(known, _)| same(format, known, name));
    let first = found.next();
    match found.next() {
        Some(_) => Err(Malformed::new(format!("`{name}` occurs twice"))),
        None => Ok(first),
    }
}

/// Adds the client's fields that are not written yet.
pub(super) fn merge<'a>(
    format: Format,
    written: &mut Written<'a>,
    client: &[(Cow<'a, str>, &'a RawValue)],
) {
    let fixed = written.len();
    for (name, value) in client {
        let is_written = |(known, _): &(Cow<'_, str>, _)| same(format, known, name);
        if !written[..fixed].iter().any(is_written) {
            written.push((name.clone(), value.get().into()));
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn object(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let room: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let mut out = String::with_capacity(room + 2);
    out.push('{');
    for (place, (name, value)) in fields.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}
