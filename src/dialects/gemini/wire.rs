//! How are single values of the dialect read, whatever shape a peer gives them?
//!
//! # Invariants
//! - A value of an unexpected kind is absent, not an error, where only its presence or size matters.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads one JSON object; a list that could stand for its fields is refused.
///
/// # Errors
/// `serde_json`'s, when the bytes are not an object of this shape.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    serde_json::from_slice(json)
}

/// What can be told of a value without keeping it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Glance {
    /// Whether it holds anything: not null, not false, not an empty string, list or object.
    pub(super) filled: bool,
    /// The number that it is.
    pub(super) number: Option<f64>,
}

impl Glance {
    const fn filled(filled: bool) -> Self {
        Self {
            filled,
            number: None,
        }
    }

    const fn number(number: f64) -> Self {
        Self {
            filled: true,
            number: Some(number),
        }
    }
}

struct GlanceVisitor;

impl<'de> Deserialize<'de> for Glance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GlanceVisitor)
    }
}

impl<'de> Visitor<'de> for GlanceVisitor {
    type Value = Glance;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Glance, E> {
        Ok(Glance::default())
    }
    fn visit_bool<E>(self, value: bool) -> Result<Glance, E> {
        Ok(Glance::filled(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Glance, E> {
        Ok(Glance::number(value as f64))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Glance, E> {
        Ok(Glance::number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Glance, E> {
        Ok(Glance::number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Glance, E> {
        Ok(Glance::filled(!value.is_empty()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Glance, A::Error> {
        let mut filled = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Glance::filled(filled))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Glance, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Glance::filled(filled))
    }
}

/// A list, or one thing that stands for a list of one, as Google's own examples write `parts`.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }
    fn visit_unit<E>(self) -> Result<OneOrMany<T>, E> {
        Ok(OneOrMany::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(OneOrMany(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
        let one = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(OneOrMany(vec![one]))
    }
}

/// Reads a number, or a number in quotes, as Google's JSON allows.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(f64),
        Quoted(String),
    }
    let value = Option::<Number>::deserialize(deserializer)?;
    Ok(match value {
        None => None,
        Some(Number::Plain(value)) => Some(value),
        Some(Number::Quoted(text)) => Some(text.trim().parse().map_err(serde::de::Error::custom)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stands_for_many() {
        #[derive(serde::Deserialize)]
        struct One {
            #[serde(deserialize_with = "number", default)]
            a: Option<f64>,
        }
        let read = |json: &str| -> Vec<Option<f64>> {
            let all: OneOrMany<One> = serde_json::from_str(json).unwrap();
            all.0.into_iter().map(|one| one.a).collect()
        };
        assert_eq!(read(r#"{"a":1}"#), [Some(1.0)]);
        assert_eq!(read(r#"[{"a":"2"},{}]"#), [Some(2.0), None]);
        assert!(read("null").is_empty());
        assert!(serde_json::from_str::<OneOrMany<One>>("\"x\"").is_err());
        assert!(serde_json::from_str::<OneOrMany<One>>(r#"{"a":"x"}"#).is_err());
    }
}
