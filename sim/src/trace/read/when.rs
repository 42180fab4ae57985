//! When did it happen? Dates and numbers of a file, as µs.
//!
//! Dates are read by hand: two shapes of one notation are all that the traces have, and a calendar crate would be the larger part of the reader.
//!
//! # Invariants
//! - A result is at most [`LATEST_US`], so that differences and sums of a few never overflow.
//! - Nothing here panics, whatever the text.

/// The end of the year 9999 in µs since 1970: beyond it a number is a mistake of units.
pub(super) const LATEST_US: u64 = 253_402_300_800_000_000;

/// `value` in units of `micros` µs, as µs.
///
/// # Errors
/// What is wrong with the number.
pub(super) fn micros(value: f64, micros: f64) -> Result<u64, String> {
    let scaled = value * micros;
    if value.is_nan() {
        Err("is not a number".to_owned())
    } else if value < 0.0 {
        Err("is negative".to_owned())
    } else if scaled > LATEST_US as f64 {
        Err("is beyond the year 9999".to_owned())
    } else {
        Ok(scaled.round() as u64)
    }
}

/// µs of one unit of an epoch time, told from its size: seconds until the year 5138, then ms, µs, ns.
pub(super) fn epoch_unit(value: f64) -> f64 {
    match value {
        small if small < 1e11 => 1e6,
        small if small < 1e14 => 1e3,
        small if small < 1e17 => 1.0,
        _ => 1e-3,
    }
}

/// A date such as `2023-11-16 18:15:46.6805900`, or with `T` between and `Z` or `+02:00` behind, as µs since 1970.
///
/// Without an offset it is taken as UTC; digits below the µs are dropped.
pub(super) fn date(text: &str) -> Option<u64> {
    let (day, time) = text.split_once(['T', ' '])?;
    let (time, offset_s) = offset(time.trim())?;
    let mut day = day.splitn(3, '-');
    let (year, month, date) = (
        digits(day.next()?, 4)?,
        two(day.next()?)?,
        two(day.next()?)?,
    );
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (two(time.next()?)?, two(time.next()?)?);
    let second = time.next().unwrap_or("00");
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let second = two(second)?;
    let within = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&date)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !within {
        return None;
    }
    let clock = days_since_1970(year, month, date) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = u64::try_from(clock - offset_s).ok()?;
    Some(seconds * 1_000_000 + fraction_us(fraction)?)
}

/// The time of day without its offset, and the offset in seconds east.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, offset) = time.split_at(at);
    let (sign, offset) = offset.split_at(1);
    let (hours, minutes) = match offset.split_once(':') {
        Some(pair) => pair,
        None if offset.len() == 4 && offset.is_ascii() => offset.split_at(2),
        None => (offset, "00"),
    };
    let east = two(hours)? * 3_600 + two(minutes)? * 60;
    Some((time.trim_end(), if sign == "-" { -east } else { east }))
}

/// A number of at most two digits.
fn two(text: &str) -> Option<i64> {
    digits(text, 2)
}

/// A number of at most `most` digits, and nothing else.
fn digits(text: &str, most: usize) -> Option<i64> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Digits behind the point, as µs.
fn fraction_us(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let digits = text.bytes().chain(std::iter::repeat(b'0')).take(6);
    Some(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date from then on.
fn days_since_1970(year: i64, month: i64, date: i64) -> i64 {
    let before = year - 1;
    // Days to the end of the year before, less those to the end of 1969.
    let years = before * 365 + before / 4 - before / 100 + before / 400 - 719_162;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + date - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let cases = [
            ("1970-01-01 00:00:00", Some(0)),
            ("2023-11-16 18:15:46.6805900", Some(1_700_158_546_680_590)),
            (
                "2024-05-12 00:00:00.001163+00:00",
                Some(1_715_472_000_001_163),
            ),
            ("2024-05-12 00:00:00+00:00", Some(1_715_472_000_000_000)),
            ("2024-05-12T02:00:00+02:00", Some(1_715_472_000_000_000)),
            ("2024-05-11T22:30:00-0130", Some(1_715_472_000_000_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000)),
            ("2000-03-01 00:00", Some(951_868_800_000_000)),
            ("2023-02-29 00:00:00", None),
            ("1969-12-31 23:59:59", None),
            ("1970-01-01 00:00:00+01:00", None),
            ("2023-13-01 00:00:00", None),
            ("2023-11-16 24:00:00", None),
            ("2023-11-16 18:15:46.", None),
            ("2023-11-16", None),
            ("+023-11-16 00:00:00", None),
            ("2023-11-16 18:15:46.١", None),
            ("2023-11-16 18:15:46+٠٠", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(date(text), expected, "{text}");
        }
    }

    #[test]
    fn odd_numbers_are_refused_with_a_reason() {
        assert_eq!(micros(1.5, 1e6), Ok(1_500_000));
        assert_eq!(micros(0.0, 1e3), Ok(0));
        for (value, word) in [
            (f64::NAN, "not a number"),
            (-1.0, "negative"),
            (f64::NEG_INFINITY, "negative"),
            (f64::INFINITY, "9999"),
            (1e300, "9999"),
        ] {
            let reason = micros(value, 1e6).unwrap_err();
            assert!(reason.contains(word), "{value}: {reason}");
        }
    }

    #[test]
    fn the_unit_of_an_epoch_time_is_told_by_its_size() {
        for value in [1.7e9, 1.7e12, 1.7e15, 1.7e18] {
            let us = micros(value, epoch_unit(value)).unwrap();
            assert_eq!(us, 1_700_000_000_000_000, "{value}");
        }
    }
}
