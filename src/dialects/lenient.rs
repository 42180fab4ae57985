//! How are the parts of an answer read that nobody depends on, whatever shape a provider gives them?
//!
//! A usage object in an odd shape must not cost the client its answer: what is not as expected is absent.
//!
//! # Invariants
//! - A value of any kind is read without an error, and nothing is allocated for it; only an object that names a field twice is refused.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::seen::{self, Service};

/// Declares a type that is deserialised by looking at a value without keeping it.
macro_rules! glance {
    ($type:ty, $visitor:ident) => {
        struct $visitor;

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

/// Visits what no field of interest is: it is absent.
macro_rules! absent {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

/// Passes over a list; returns how many elements it has.
pub(super) fn drain_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<u32, A::Error> {
    let mut count = 0;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Passes over an object; returns how many fields it has.
pub(super) fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<u32, A::Error> {
    let mut count = 0;
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// An object; anything else is as good as an empty one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lenient<T>(pub(super) T);

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    absent!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Lenient<T>, A::Error> {
        drain_seq(seq).map(|_| Lenient::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Lenient<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Lenient)
    }
}

/// A number, if it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(Option<f64>);

glance!(Number, NumberVisitor);

impl Number {
    /// A count, if an honest provider may have sent it; fractions are cut off.
    pub(super) fn count(self) -> Option<u32> {
        seen::honest(self.0?).and_then(|count| u32::try_from(count).ok())
    }
}

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    absent!(visit_bool: bool, visit_str: &str);
    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number(Some(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Number, A::Error> {
        drain_seq(seq).map(|_| Number(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Number, A::Error> {
        drain_map(map).map(|_| Number(None))
    }
}

/// A length of time in seconds, which some vendors write as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seconds(Option<f64>);

glance!(Seconds, SecondsVisitor);

impl Seconds {
    /// Milliseconds, if an honest provider may have sent them.
    pub(super) fn millis(self) -> Option<u32> {
        let millis = (self.0? * 1_000.0).round();
        seen::honest(millis).and_then(|millis| u32::try_from(millis).ok())
    }
}

impl<'de> Visitor<'de> for SecondsVisitor {
    type Value = Seconds;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    absent!(visit_bool: bool);
    fn visit_u64<E>(self, value: u64) -> Result<Seconds, E> {
        Ok(Seconds(Some(value as f64)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Seconds, E> {
        Ok(Seconds(Some(value as f64)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Seconds, E> {
        Ok(Seconds(Some(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Seconds, E> {
        Ok(Seconds(value.trim().parse().ok()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Seconds, A::Error> {
        drain_seq(seq).map(|_| Seconds(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Seconds, A::Error> {
        drain_map(map).map(|_| Seconds(None))
    }
}

/// A class of service by its name; absent for the standard one and for what is no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tier(pub(super) Option<Service>);

glance!(Tier, TierVisitor);

impl<'de> Visitor<'de> for TierVisitor {
    type Value = Tier;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    absent!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    fn visit_str<E>(self, name: &str) -> Result<Tier, E> {
        Ok(Tier(Service::named(name)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Tier, A::Error> {
        drain_seq(seq).map(|_| Tier(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tier, A::Error> {
        drain_map(map).map(|_| Tier(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct All {
        count: Number,
        length: Seconds,
        tier: Tier,
        inner: Lenient<Inner>,
    }

    #[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Inner {
        count: Number,
    }

    #[test]
    fn whatever_stands_there_is_read() {
        for odd in [
            "null",
            "true",
            "-1",
            "1e18",
            "7.9",
            "\"7\"",
            "\"x\"",
            "[]",
            "[1,[2]]",
            "{}",
            "{\"a\":{}}",
        ] {
            let json =
                format!(r#"{{"count":{odd},"length":{odd},"tier":{odd},"inner":{odd},"x":{odd}}}"#);
            let all: All = serde_json::from_str(&json).unwrap();
            let (count, millis) = match odd {
                "7.9" => (Some(7), Some(7_900)),
                "\"7\"" => (None, Some(7_000)),
                _ => (None, None),
            };
            assert_eq!(all.count.count(), count, "{odd}");
            assert_eq!(all.length.millis(), millis, "{odd}");
            assert_eq!((all.tier.0, all.inner.0.count.count()), (None, None));
        }
        let json = r#"{"count":5,"length":0.25,"tier":"flex","inner":{"count":6,"y":1}}"#;
        let all: All = serde_json::from_str(json).unwrap();
        assert_eq!(
            (all.count.count(), all.inner.0.count.count()),
            (Some(5), Some(6))
        );
        assert_eq!(
            (all.length.millis(), all.tier.0),
            (Some(250), Some(Service::Flex))
        );
    }
}
