//! How are durations and sizes written?
//!
//! One number and one unit: `"250ms"`, `"1.5s"`, `"32MiB"`; a bare number is refused, because nobody can tell its unit.
//! Each format has its parser, its printer and the words that say what is expected, so that errors, schema and reference agree.
//!
//! # Invariants
//! - Parsing what was printed gives the same value back, for every duration of whole microseconds and every size.

use std::time::Duration;

/// What a duration looks like, for error messages.
pub(super) const DURATION_EXPECTED: &str =
    "a number and one of the units us, ms, s, m, h, such as \"250ms\"";

/// What a size looks like, for error messages.
pub(super) const SIZE_EXPECTED: &str =
    "a number and one of the units B, KiB, MiB, GiB, kB, MB, GB, such as \"32MiB\"";

/// Duration units and their length in microseconds, longest first.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
    ("µs", 1),
];

/// Size units and their length in bytes; the binary ones first, longest first, as sizes are printed.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Longest duration that is accepted, microseconds: a year; anything longer is a slip of the unit.
const LONGEST_US: u64 = 366 * 24 * 3_600_000_000;

/// Largest size that is accepted, bytes: 1 TiB; anything larger is a slip of the unit.
const LARGEST_BYTES: u64 = 1 << 40;

/// Reads a duration; `None` unless it is one number and one unit, a year at most.
pub(super) fn duration(text: &str) -> Option<Duration> {
    // Why: zero is zero in every unit.
    let micros = if text == "0" {
        0
    } else {
        scaled(text, &DURATION_UNITS, LONGEST_US)?
    };
    Some(Duration::from_micros(micros))
}

/// Reads a size in bytes; `None` unless it is one number and one unit, 1 TiB at most.
pub(super) fn size(text: &str) -> Option<usize> {
    usize::try_from(scaled(text, &SIZE_UNITS, LARGEST_BYTES)?).ok()
}

/// Writes a duration in the longest unit that divides it.
pub(super) fn written_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return "0s".to_owned();
    }
    longest(micros, &DURATION_UNITS)
}

/// Writes one of scoring's spans in the longest unit that divides it.
pub(super) fn written_span(span: scoring::time::Span) -> String {
    written_duration(Duration::from_micros(span.as_micros()))
}

/// The shortest decimal number that reads back as `value`: 0.1, where widening the bits gives 0.10000000149.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Writes a size in the longest binary unit that divides it.
pub(super) fn written_size(bytes: usize) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    longest(bytes as u64, &SIZE_UNITS[..4])
}

fn longest(amount: u64, units: &[(&str, u64)]) -> String {
    for (unit, length) in units {
        if amount.is_multiple_of(*length) {
            return format!("{}{unit}", amount / length);
        }
    }
    amount.to_string()
}

/// Splits `text` into number and unit and multiplies exactly; up to six decimals, nothing below the smallest unit.
fn scaled(text: &str, units: &[(&str, u64)], most: u64) -> Option<u64> {
    let text = text.trim();
    let split = text.find(char::is_alphabetic)?;
    let (number, unit) = (text[..split].trim_end(), &text[split..]);
    let (_, length) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let denominator = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let whole = whole.parse::<u64>().ok()?.checked_mul(*length)?;
    let part = fraction.parse::<u64>().ok()?.checked_mul(*length)? / denominator;
    whole.checked_add(part).filter(|amount| *amount <= most)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        let cases: [(&str, Option<u64>); 17] = [
            ("250ms", Some(250_000)),
            ("1.5s", Some(1_500_000)),
            ("10 s", Some(10_000_000)),
            ("2m", Some(120_000_000)),
            ("1h", Some(3_600_000_000)),
            ("7us", Some(7)),
            ("7µs", Some(7)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("5", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.s", None),
            ("1e3s", None),
            ("5 seconds", None),
            ("99999999999999999999h", None),
        ];
        for (text, micros) in cases {
            assert_eq!(duration(text), micros.map(Duration::from_micros), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("32MiB", Some(32 << 20)),
            ("64KiB", Some(64 << 10)),
            ("1.5KiB", Some(1536)),
            ("10MB", Some(10_000_000)),
            ("17B", Some(17)),
            ("17", None),
            ("1 TiB", None),
            ("2048GiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_durations_read_back(micros in 0..LONGEST_US) {
            let value = Duration::from_micros(micros);
            prop_assert_eq!(duration(&written_duration(value)), Some(value));
        }

        #[test]
        fn printed_sizes_read_back(bytes in 0..=LARGEST_BYTES) {
            let value = usize::try_from(bytes).unwrap();
            prop_assert_eq!(size(&written_size(value)), Some(value));
        }

        #[test]
        fn anything_is_read_or_refused(text in ".*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
