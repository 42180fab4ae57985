//! How does a body in Anthropic's dialect become one that Vertex AI takes?
//!
//! Vertex AI is told the model by the path, and the version of the dialect by a field instead of a header.
//!
//! # Invariants
//! - All other fields keep their order and their bytes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::meeting::Malformed;

/// The only version of Anthropic's dialect that Vertex AI knows.
pub const VERSION: &str = "vertex-2023-10-16";

/// The body without `model` and with `anthropic_version`.
///
/// # Errors
/// [`Malformed`] when it is no JSON object.
pub fn anthropic(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    let Fields(fields) = serde_json::from_slice(body)?;
    let mut out = Vec::with_capacity(body.len() + VERSION.len() + 32);
    out.extend_from_slice(b"{\"anthropic_version\":\"");
    out.extend_from_slice(VERSION.as_bytes());
    out.push(b'"');
    for (name, value) in fields {
        if matches!(&*name, "model" | "anthropic_version") {
            continue;
        }
        out.push(b',');
        serde_json::to_writer(&mut out, &name)?;
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    Ok(out)
}

/// An object's fields in their order, each value as its text.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            fields.push((name, value));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_model_and_version_change() {
        let body = br#" {"max_tokens": 5,"model":"claude","messages":[ {"b":1.0,"a":"\u00e9"} ],"anthropic_version":"x","s\"":null,"stream":true}"#;
        assert_eq!(
            String::from_utf8(anthropic(body).unwrap()).unwrap(),
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[ {"b":1.0,"a":"\u00e9"} ],"s\"":null,"stream":true}"#
        );
        assert_eq!(
            anthropic(b"{}").unwrap(),
            br#"{"anthropic_version":"vertex-2023-10-16"}"#
        );
        for bad in ["", "[]", "{", "{}x", "{\"a\":}"] {
            assert!(anthropic(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
