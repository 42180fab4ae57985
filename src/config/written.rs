//! What is a value before it is resolved?
//!
//! The scalar types of the raw configuration: each reads one TOML value and says in the schema how it is written.
//! The pre-pass of [`shape`](super::shape) has refused every value that these would refuse, with a better message.
//!
//! # Invariants
//! - [`At`] knows the bytes of the file its value stands at.
//! - [`Named`] keeps the order of the file.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::mock::Fault;

use super::period::Length;
use super::routes::{BaseUrl, Endpoint, Scheme};
use super::secret::Secret;
use super::units;

/// What an address looks like, for error messages.
pub(super) const ADDRESS_EXPECTED: &str =
    "an address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

/// What a base URL looks like, for error messages.
pub(super) const URL_EXPECTED: &str = "\"mock\", or a URL of http or https without credentials, query or fragment, such as \"https://api.openai.com/v1\"";

/// What a period of the calendar looks like, for error messages.
const PERIOD_EXPECTED: &str =
    "a number of at least 1 and one of m, h, d, w, M, Q, Y, such as \"1d\", and ten years at most";

/// What an instant looks like, for error messages.
const INSTANT_EXPECTED: &str = "a date, a time and an offset, such as \"2027-01-01T00:00:00Z\"";

/// What a fault looks like, for error messages.
const FAULT_EXPECTED: &str = "the name of a fault, such as \"503\", \"429\" or \"cut-40\"";

/// A value and the bytes of the file it stands at.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A table whose keys are names, in the order of the file.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, T)>);

/// A duration, written as `"250ms"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period(pub(super) Duration);

/// A period of the calendar, written as `"1d"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch(pub(super) Length);

/// An instant, written as `"2027-01-01T00:00:00Z"`; seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct When(pub(super) i64);

/// A size in bytes, written as `"32MiB"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) usize);

/// An address to listen at, written as `"127.0.0.1:8080"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address(pub(super) SocketAddr);

/// A provider's place, written as a URL or `"mock"`.
#[derive(Clone, Debug)]
pub(super) struct Place(pub(super) Endpoint);

/// A credential, written as it is or as `"${NAME}"`.
#[derive(Clone, Debug)]
pub(super) struct SecretText(pub(super) Secret);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self {
            value: spanned.into_inner(),
            span,
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Vec<(At<String>, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        let mut entries = deserializer.deserialize_map(Entries(PhantomData))?;
        entries.sort_by_key(|(name, _)| name.span.start);
        Ok(Self(entries))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

/// Gives a type that is written as a string its reading and its schema.
macro_rules! written_as_string {
    ($type:ident, $format:literal, $read:expr, $schema:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                let read: fn(&str) -> Option<$type> = $read;
                // Why: the text may come from the environment, so the message must not repeat it.
                read(&text).ok_or_else(|| D::Error::custom(concat!("not a ", $format)))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

written_as_string!(Period, "duration", |text| units::duration(text).map(Period), {
    "type": "string",
    "format": "trimtab-duration",
    "pattern": "^[0-9]+(\\.[0-9]{1,6})? ?(us|ms|s|m|h)$|\\$\\{",
    "examples": ["250ms", "10s", "5m"],
});
written_as_string!(Stretch, "period", |text| text.parse().ok().map(Stretch), {
    "type": "string",
    "format": "trimtab-period",
    "pattern": "^[0-9]+[mhdwMQY]$|\\$\\{",
    "examples": ["1d", "1M"],
});
written_as_string!(When, "expires", |text| instant(text).map(When), {
    "type": "string",
    "format": "trimtab-instant",
    "examples": ["2027-01-01T00:00:00Z"],
});
written_as_string!(Size, "size", |text| units::size(text).map(Size), {
    "type": "string",
    "format": "trimtab-size",
    "pattern": "^[0-9]+(\\.[0-9]{1,6})? ?(B|KiB|MiB|GiB|kB|MB|GB)$|\\$\\{",
    "examples": ["64KiB", "32MiB"],
});
written_as_string!(Address, "address", |text| text.parse().ok().map(Address), {
    "type": "string",
    "format": "trimtab-address",
    "pattern": ":[0-9]+$|\\$\\{",
    "examples": ["127.0.0.1:8080", "[::1]:8080"],
});
written_as_string!(Place, "base_url", |text| endpoint(text).map(Place), {
    "type": "string",
    "format": "trimtab-base_url",
    "pattern": "^mock$|^https?://|\\$\\{",
    "examples": ["https://api.openai.com/v1", "mock"],
});
written_as_string!(SecretText, "secret", |text| Some(SecretText(Secret::new(text))), {
    "type": "string",
    "writeOnly": true,
    "examples": ["${OPENAI_API_KEY}"],
});

/// Says what was expected of a string of this `format`; `None` if `text` is one, or if any string is.
pub(super) fn misfit(format: &str, text: &str) -> Option<&'static str> {
    let (fits, expected) = match format {
        "trimtab-duration" => (units::duration(text).is_some(), units::DURATION_EXPECTED),
        "trimtab-size" => (units::size(text).is_some(), units::SIZE_EXPECTED),
        "trimtab-address" => (text.parse::<SocketAddr>().is_ok(), ADDRESS_EXPECTED),
        "trimtab-base_url" => (endpoint(text).is_some(), URL_EXPECTED),
        "trimtab-period" => (text.parse::<Length>().is_ok(), PERIOD_EXPECTED),
        "trimtab-instant" => (instant(text).is_some(), INSTANT_EXPECTED),
        "trimtab-fault" => (text.parse::<Fault>().is_ok(), FAULT_EXPECTED),
        _ => return None,
    };
    (!fits).then_some(expected)
}

/// The second that an instant of RFC 3339 lies in.
fn instant(text: &str) -> Option<i64> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(instant.as_second())
}

/// Takes a base URL apart; `None` unless it has a scheme of http or https, a host, no credentials, no query and no fragment.
pub(super) fn endpoint(text: &str) -> Option<Endpoint> {
    if text == "mock" {
        return Some(Endpoint::Mock);
    }
    let uri: http::Uri = text.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let authority = uri.authority()?;
    // Why: `Uri` drops a fragment silently, and keeps credentials in the authority.
    let unwanted = text.contains('#') || uri.query().is_some() || authority.as_str().contains('@');
    let host = authority.host().trim_matches(['[', ']']);
    let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
    let port = match (authority.port_u16(), after_host.contains(':')) {
        (Some(0), _) | (None, true) => return None,
        (Some(port), _) => port,
        (None, false) => scheme.default_port(),
    };
    if unwanted || host.is_empty() {
        return None;
    }
    Some(Endpoint::Url(BaseUrl {
        scheme,
        host: host.to_owned(),
        port,
        path: uri.path().trim_end_matches('/').to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn base_urls() {
        let cases = [
            (
                "https://api.openai.com/v1",
                Some("https://api.openai.com/v1"),
            ),
            (
                "https://api.openai.com/v1/",
                Some("https://api.openai.com/v1"),
            ),
            ("https://api.openai.com", Some("https://api.openai.com")),
            ("http://127.0.0.1:8000/v1", Some("http://127.0.0.1:8000/v1")),
            ("http://[::1]:8000/v1", Some("http://[::1]:8000/v1")),
            ("http://[::1]/v1", Some("http://[::1]/v1")),
            (
                "https://example.com:443/a/b",
                Some("https://example.com/a/b"),
            ),
            ("api.openai.com/v1", None),
            ("ftp://example.com", None),
            ("https://", None),
            ("https://user:pass@example.com/v1", None),
            ("https://example.com/v1?key=1", None),
            ("https://example.com/v1#top", None),
            ("https://example.com:0/v1", None),
            ("https://example.com:99999/v1", None),
            ("https://exa mple.com/v1", None),
            ("", None),
        ];
        for (text, shown) in cases {
            let read = match endpoint(text) {
                Some(Endpoint::Url(url)) => Some(url.to_string()),
                _ => None,
            };
            assert_eq!(read.as_deref(), shown, "{text}");
        }
        assert_eq!(endpoint("mock"), Some(Endpoint::Mock));
    }

    #[test]
    fn an_ipv6_host_has_no_brackets() {
        let Some(Endpoint::Url(url)) = endpoint("http://[2001:db8::1]:81") else {
            panic!("refused");
        };
        assert_eq!((url.host.as_str(), url.port), ("2001:db8::1", 81));
        assert_eq!(url.authority(), "[2001:db8::1]:81");
    }
}
