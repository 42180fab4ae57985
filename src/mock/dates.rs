//! Instants and spans in the forms that providers write into headers.
//!
//! # Invariants
//! - A told wait is never shorter than the real one: everything rounds up.

use std::time::Duration;

use scoring::time::Span;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A calendar date and time of day, UTC.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    weekday: usize,
}

/// A span as Go prints it to the millisecond: `12ms`, `1s`, `41.724s`, `6m0s`, `1h2m3s`.
pub(super) fn go(span: Span) -> String {
    let millis = span.as_micros().div_ceil(1_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let (seconds, fraction) = (millis / 1_000 % 60, millis % 1_000);
    let mut text = match (hours, minutes) {
        (0, 0) => String::new(),
        (0, _) => format!("{minutes}m"),
        _ => format!("{hours}h{minutes}m"),
    };
    text.push_str(&seconds.to_string());
    if fraction > 0 {
        text.push_str(format!(".{fraction:03}").trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// Whole seconds of a span, rounded up.
pub(super) fn whole_seconds(span: Span) -> u64 {
    span.as_micros().div_ceil(1_000_000)
}

/// Whole milliseconds of a span, rounded up.
pub(super) fn whole_millis(span: Span) -> u64 {
    span.as_micros().div_ceil(1_000)
}

/// `2025-08-21T12:40:59Z`, rounded up to the second.
pub(super) fn rfc3339(unix: Duration) -> String {
    let it = civil(seconds_up(unix));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        it.year, it.month, it.day, it.hour, it.minute, it.second
    )
}

/// `Thu, 21 Aug 2025 12:40:59 GMT`, rounded up to the second.
pub(super) fn http(unix: Duration) -> String {
    let it = civil(seconds_up(unix));
    let month = MONTHS[it.month as usize - 1];
    let weekday = WEEKDAYS[it.weekday];
    format!(
        "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
        it.day, it.year, it.hour, it.minute, it.second
    )
}

fn seconds_up(unix: Duration) -> u64 {
    unix.as_secs() + u64::from(unix.subsec_nanos() > 0)
}

/// The proleptic Gregorian date of a Unix time, by counting from 1 March of year 0 in 400-year eras.
fn civil(unix: u64) -> Civil {
    let days = unix / 86_400;
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: of_year - (153 * month_from_march + 2) / 5 + 1,
        hour: unix / 3_600 % 24,
        minute: unix / 60 % 60,
        second: unix % 60,
        weekday: (days % 7) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_look_like_go() {
        for (micros, text) in [
            (0, "0s"),
            (12_000, "12ms"),
            (1, "1ms"),
            (1_000_000, "1s"),
            (41_724_000, "41.724s"),
            (5_290_000, "5.29s"),
            (360_000_000, "6m0s"),
            (3_723_000_000, "1h2m3s"),
        ] {
            assert_eq!(go(Span::from_micros(micros)), text);
        }
    }

    #[test]
    fn dates_are_right_at_the_edges_of_the_calendar() {
        for (unix, date, header) in [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                951_782_400,
                "2000-02-29T00:00:00Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                1_755_780_059,
                "2025-08-21T12:40:59Z",
                "Thu, 21 Aug 2025 12:40:59 GMT",
            ),
            (
                4_107_542_399,
                "2100-02-28T23:59:59Z",
                "Sun, 28 Feb 2100 23:59:59 GMT",
            ),
            (
                4_107_542_400,
                "2100-03-01T00:00:00Z",
                "Mon, 01 Mar 2100 00:00:00 GMT",
            ),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(unix)), date);
            assert_eq!(http(Duration::from_secs(unix)), header);
        }
    }

    #[test]
    fn a_fraction_of_a_second_rounds_up() {
        assert_eq!(rfc3339(Duration::from_millis(1)), "1970-01-01T00:00:01Z");
        assert_eq!(whole_seconds(Span::from_millis(1)), 1);
        assert_eq!(whole_millis(Span::from_micros(1)), 1);
    }
}
