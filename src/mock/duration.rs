//! How a length of time is written in a script: `"250ms"`, `"2s"`, `"1.5s"`, `"10us"`, `"5m"`, `"1h"`.
//!
//! The unit is part of the text, so that no field needs one in its name and no number is ambiguous.
//!
//! # Invariants
//! - What is accepted is never negative and never above [`LONGEST`].
//! - A number without a unit is refused, except a plain zero.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// The longest duration accepted: 30 days, so that sums of a few never overflow microseconds.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Units and their length in microseconds, longest suffix first where one ends another.
const UNITS: [(&str, f64); 6] = [
    ("ms", 1e3),
    ("us", 1.0),
    ("µs", 1.0),
    ("s", 1e6),
    ("m", 60e6),
    ("h", 3_600e6),
];

/// Reads a duration such as `"250ms"`.
///
/// # Errors
/// Says what is wrong with the text when it is not a number with a unit, negative or above [`LONGEST`].
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, micros) = UNITS
        .iter()
        .find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, *micros)))
        .ok_or_else(|| format!("`{text}` has no unit: write for example \"250ms\" or \"2s\""))?;
    let number: f64 = number.trim().parse().map_err(|_| {
        format!("`{text}` is not a duration: write for example \"250ms\" or \"2s\"")
    })?;
    let micros = (number * micros).round();
    if !(0.0..=LONGEST.as_micros() as f64).contains(&micros) {
        return Err(format!("`{text}` is out of range: 0 to 30 days"));
    }
    Ok(Duration::from_micros(micros as u64))
}

/// Deserialises a duration from its text, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Fails where [`parse`] does.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).map_err(de::Error::custom)
}

/// Deserialises an optional duration from its text.
///
/// # Errors
/// Fails where [`parse`] does.
pub(super) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    text(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_units_are_read() {
        let expected = [
            ("250ms", 250_000),
            ("2s", 2_000_000),
            ("1.5s", 1_500_000),
            ("10us", 10),
            ("10µs", 10),
            ("5m", 300_000_000),
            ("1h", 3_600_000_000),
            ("0", 0),
            (" 3 s ", 3_000_000),
        ];
        for (text, micros) in expected {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for text in ["", "250", "ms", "-1s", "NaNs", "infs", "1e30h", "two s"] {
            let reason = parse(text).err();
            assert!(reason.is_some_and(|it| it.contains('`')), "{text}");
        }
    }
}
