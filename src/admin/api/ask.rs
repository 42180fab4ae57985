//! What does a request say?
//!
//! Parameters of path and query are checked by the route's own list, so that a handler finds only what is valid and documented.
//!
//! # Invariants
//! - A parameter that the route does not know, or that is there twice, is refused: it would be left out silently.
//! - Times are µs since 1970.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Rows of a page where none are asked for.
pub(super) const PAGE: u32 = 100;

/// Most rows of a page.
pub(super) const LONGEST_PAGE: u32 = 1_000;

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) form: Form,
}

/// What a parameter looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// A whole number in this range.
    Number(i64, i64),
    /// A day as `2026-01-31`, UTC, or an instant as `2026-01-31T08:00:00Z`.
    When,
    /// `true` or `false`.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// A request that was matched with its route.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// The parameters of the path, in order.
    pub(super) path: Vec<String>,
    /// The parameters of the query.
    pub(super) query: BTreeMap<&'static str, String>,
    /// The body.
    pub(super) body: Map<String, Value>,
}

impl Ask {
    /// The first parameter of the path.
    pub(super) fn name(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A time, µs since 1970.
    pub(super) fn when(&self, name: &str) -> Option<i64> {
        when(self.text(name)?)
    }

    /// Rows of the page that is asked for.
    pub(super) fn limit(&self) -> u32 {
        let limit = self.number("limit").and_then(|it| u32::try_from(it).ok());
        limit.unwrap_or(PAGE)
    }
}

/// Takes a query apart.
pub(super) fn query(
    text: &str,
    known: &[Param],
) -> Result<BTreeMap<&'static str, String>, Refusal> {
    let mut found = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = (decoded(name, Plus::Space), decoded(value, Plus::Space));
        let (Some(name), Some(value)) = decoded else {
            return Err(Refusal::invalid(
                name,
                "the query is not UTF-8 text, percent-encoded",
            ));
        };
        let Some(param) = known.iter().find(|param| param.name == name) else {
            let names: Vec<&str> = known.iter().map(|param| param.name).collect();
            let names = match names.as_slice() {
                [] => "there are none here".to_owned(),
                names => format!("they are {}", names.join(", ")),
            };
            return Err(Refusal::invalid(
                &name,
                format!("there is no parameter {name:?}; {names}"),
            ));
        };
        if let Some(expected) = param.form.misfit(&value) {
            let message = format!("{value:?} is not a valid {name}; expected {expected}");
            return Err(Refusal::invalid(name, message));
        }
        if found.insert(param.name, value).is_some() {
            return Err(Refusal::invalid(&name, format!("{name:?} is there twice")));
        }
    }
    Ok(found)
}

impl Form {
    /// What was expected, if a text is something else.
    fn misfit(self, text: &str) -> Option<String> {
        let fits = match self {
            Self::Text => true,
            Self::Number(least, most) => {
                let number = text.parse::<i64>();
                number.is_ok_and(|number| (least..=most).contains(&number))
            }
            Self::When => when(text).is_some(),
            Self::Flag => matches!(text, "true" | "false"),
            Self::Choice(words) => words.contains(&text),
        };
        (!fits).then(|| match self {
            Self::Number(least, i64::MAX) => format!("a whole number from {least} on"),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::When => {
                "a day such as 2026-01-31, or an instant such as 2026-01-31T08:00:00Z".to_owned()
            }
            Self::Flag => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Text => String::new(),
        })
    }
}

/// The time that a text says, µs since 1970.
fn when(text: &str) -> Option<i64> {
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => instant,
        Err(_) if text.contains(':') => return None,
        Err(_) => {
            let day: Date = text.parse().ok()?;
            let midnight = day.to_datetime(Time::midnight());
            TimeZone::UTC.to_timestamp(midnight).ok()?
        }
    };
    Some(instant.as_microsecond())
}

/// What a plus sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    /// Itself, as in a path.
    Itself,
    /// A space, as in a query.
    Space,
}

/// A text without its percent-encoding; none if that is not UTF-8 or broken.
pub(super) fn decoded(text: &str, plus: Plus) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            b'+' if plus == Plus::Space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Param] = &[
        Param {
            name: "limit",
            about: "",
            form: Form::Number(1, 9),
        },
        Param {
            name: "from",
            about: "",
            form: Form::When,
        },
        Param {
            name: "group",
            about: "",
            form: Form::Text,
        },
    ];

    #[test]
    fn queries_are_taken_apart() {
        let read = query("limit=3&group=tag%3Aa+b&from=2026-01-31", KNOWN).unwrap();
        assert_eq!(read["group"], "tag:a b");
        let ask = Ask {
            query: read,
            ..Ask::default()
        };
        assert_eq!(
            (ask.limit(), ask.when("from")),
            (3, Some(1_769_817_600_000_000))
        );
        for (text, param, words) in [
            ("limit=0", "limit", "from 1 to 9"),
            ("limit=10", "limit", "from 1 to 9"),
            ("limit=x", "limit", "from 1 to 9"),
            ("limit", "limit", "from 1 to 9"),
            ("limit=1&limit=1", "limit", "twice"),
            ("from=yesterday", "from", "2026-01-31"),
            ("from=2026-01-31T08:00", "from", "2026-01-31"),
            ("from=2026-02-30", "from", "2026-01-31"),
            ("lmit=1", "lmit", "they are limit, from, group"),
            ("group=%ff", "group", "UTF-8"),
            ("group=%4", "group", "UTF-8"),
        ] {
            let refused = query(text, KNOWN).unwrap_err();
            assert_eq!(refused.param.as_deref(), Some(param), "{text}");
            assert!(
                refused.message.contains(words),
                "{text}: {}",
                refused.message
            );
        }
        assert_eq!(when("2026-01-31T01:00:00+01:00"), when("2026-01-31"));
        assert_eq!(decoded("a+b%2Fc", Plus::Itself).as_deref(), Some("a+b/c"));
    }
}
