//! Which instant does an RFC 3339 timestamp name?
//!
//! Written here because it is sixty lines, and a calendar library is the only other way.
//!
//! # Invariants
//! - Only the years 1970 to 9999 are read; a leap second counts as the second after it.
//! - Nothing but a complete timestamp with a zone is read.

use std::time::Duration;

/// Seconds in a day.
const DAY: u64 = 86_400;

/// Time since the Unix epoch at a timestamp such as `2025-08-21T12:40:59Z`, fractions and zones included.
pub(super) fn since_epoch(text: &[u8]) -> Option<Duration> {
    let text = text.trim_ascii();
    let (stamp, rest) = text.split_at_checked(19)?;
    let shape = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if shape.iter().any(|&(at, mark)| stamp[at] != mark) || !b"Tt ".contains(&stamp[10]) {
        return None;
    }
    let part = |from, to| number(&stamp[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let (nanos, rest) = fraction(rest)?;
    let seconds = days_before(year, month, day) * DAY + hour * 3_600 + minute * 60 + second;
    let seconds = seconds.checked_add_signed(-zone(rest)?)?;
    Some(Duration::new(seconds, nanos))
}

/// The value of digits alone.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(value * 10 + digit)
    })
}

/// Nanoseconds of a fraction of a second, zero without one, and what follows it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(after) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let end = after.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = after.split_at(end);
    let kept = &digits[..digits.len().min(9)];
    let scale = 10_u64.pow(9 - u32::try_from(kept.len()).ok()?);
    let nanos = u32::try_from(number(kept)? * scale).ok()?;
    (end > 0).then_some((nanos, rest))
}

/// Seconds that a zone is ahead of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text.split_first()? {
        (b'Z' | b'z', []) => return Some(0),
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    if rest.len() != 5 || rest[2] != b':' {
        return None;
    }
    let (hours, minutes) = (number(&rest[..2])?, number(&rest[3..])?);
    let ahead = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
    (hours < 24 && minutes < 60).then_some(sign * ahead)
}

/// Whether a year has a 29th of February.
fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days in a month, 1 to 12.
fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a valid date not before it.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let past = year - 1;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(past) - leap_days(1969);
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2025-08-21T12:40:59Z", Some((1_755_780_059, 0))),
            ("2025-08-21t12:40:59z", Some((1_755_780_059, 0))),
            ("2024-02-29T23:59:59Z", Some((1_709_251_199, 0))),
            ("2000-03-01T00:00:00Z", Some((951_868_800, 0))),
            ("9999-12-31T23:59:59Z", Some((253_402_300_799, 0))),
            (
                "2025-08-21T12:40:59.25Z",
                Some((1_755_780_059, 250_000_000)),
            ),
            (
                "2025-08-21T12:40:59.1234567891Z",
                Some((1_755_780_059, 123_456_789)),
            ),
            ("2025-08-21T14:40:59+02:00", Some((1_755_780_059, 0))),
            ("2025-08-21T05:10:59-07:30", Some((1_755_780_059, 0))),
            ("2016-12-31T23:59:60Z", Some((1_483_228_800, 0))),
            ("2025-02-29T00:00:00Z", None),
            ("2100-02-29T00:00:00Z", None),
            ("2025-13-01T00:00:00Z", None),
            ("2025-00-01T00:00:00Z", None),
            ("2025-01-32T00:00:00Z", None),
            ("2025-01-01T24:00:00Z", None),
            ("2025-01-01T00:60:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("2025-08-21T12:40:59", None),
            ("2025-08-21T12:40:59.Z", None),
            ("2025-08-21T12:40:59.5", None),
            ("2025-08-21T12:40:59+0200", None),
            ("2025-08-21T12:40:59+99:00", None),
            ("2025-08-21T12:40:59Zx", None),
            ("2025/08/21T12:40:59Z", None),
            ("+025-08-21T12:40:59Z", None),
            ("1755780059", None),
            ("", None),
        ] {
            let expected = expected.map(|(secs, nanos)| Duration::new(secs, nanos));
            assert_eq!(since_epoch(text.as_bytes()), expected, "{text}");
        }
    }
}
