//! When was that, in words of fixed width?
//!
//! # Invariants
//! - Everything is UTC, and a function of the instant that is passed in.

use jiff::Timestamp;

/// An instant of the log, RFC 3339 with milliseconds: `2026-11-26T10:00:00.123Z`.
const LENGTH: usize = 24;

/// µs in a second, and seconds in a day.
const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400;

/// Writes an instant, µs since 1970, with these marks between hours, minutes, seconds and milliseconds.
///
/// Why by hand: it is in every line, and formatting by a calendar takes as long as the rest of it.
#[must_use]
pub(super) fn stamp(unix_us: u64, [colon, dot]: [u8; 2]) -> [u8; LENGTH] {
    let (days, second) = (unix_us / SECOND / DAY, unix_us / SECOND % DAY);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], second / 3_600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    digits(&mut text[20..23], unix_us / 1_000 % 1_000);
    (text[13], text[16], text[19]) = (colon, colon, dot);
    text
}

/// Reads an instant that was written with dashes for all marks; µs since 1970.
#[must_use]
pub(super) fn read(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != LENGTH {
        return None;
    }
    let shape = b"dddd-dd-ddTdd-dd-dd-dddZ";
    let fits = bytes.iter().zip(shape).all(|(byte, wanted)| match wanted {
        b'd' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    if !fits {
        return None;
    }
    let usual = format!(
        "{}:{}:{}.{}",
        &text[..13],
        &text[14..16],
        &text[17..19],
        &text[20..]
    );
    let at: Timestamp = usual.parse().ok()?;
    u64::try_from(at.as_microsecond()).ok()
}

/// The date of a day, counted from the first of 1970.
const fn civil(days: u64) -> (u64, u64, u64) {
    // Counted in years that begin in March, so that the leap day is the last; eras are of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_month)
}

fn digits(room: &mut [u8], mut number: u64) {
    for place in room.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for day in (0..60_000)
            .step_by(7)
            .chain([59, 60, 11_016, 11_017, 47_541])
        {
            let us = (day * DAY + 3_723) * SECOND + 45_678;
            let at = Timestamp::from_microsecond(us as i64).unwrap();
            let expected = at.strftime("%Y-%m-%dT%H:%M:%S.045Z").to_string();
            assert_eq!(stamp(us, *b":.").as_slice(), expected.as_bytes());
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let us = 1_790_000_000_123_000;
        let text = stamp(us, *b"--");
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(text, "2026-09-21T14-13-20-123Z");
        assert_eq!(read(text), Some(us));
        for bad in [
            "",
            "2026-09-21T14:13:20.123Z",
            "2026-13-21T14-13-20-123Z",
            "2026-09-21T14-13-20-123",
            "2026-09-21T14-13-20-12éZ",
            "aaaa-09-21T14-13-20-123Z",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
