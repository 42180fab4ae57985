//! Over which stretch of time does a budget hold?
//!
//! An aligned budget begins anew at the calendar's boundaries in a time zone; a rolling one counts what was spent in any stretch of its length.
//!
//! Where a length is a multiple of its unit, multiples are counted from the beginning of 1970 in the zone, weeks from its first Monday: `2M` begins in January, March and so on, `2Y` in even years.
//! Minutes and hours are counted from each local midnight (more than a day of them from each local new year) by the time that passes; a rest that is shorter than the length belongs to the last window before it.
//! So `6h` begins at 00:00, 06:00, 12:00 and 18:00, `5h` at 00:00, 05:00, 10:00 and 15:00, and no budget is renewed sooner for it.
//!
//! # Invariants
//! - Windows of one schedule follow each other without a gap and without overlap, also over changes of daylight saving time.
//! - Everything is a function of the instant that is passed in.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Seconds in a day without a change of the clock.
const DAY: i64 = 86_400;

/// The longest period, seconds: ten years; anything longer is a slip of the unit.
const LONGEST: i64 = 10 * 366 * DAY;

/// Where days and months are counted from.
const EPOCH: Date = date(1970, 1, 1);

/// The day, counted from [`EPOCH`], that is its first Monday.
const MONDAY: i64 = 4;

/// The instants that the calendar is asked for, seconds since 1970: the years 69 to 9892, so that no boundary leaves what it can express.
const KNOWN: std::ops::RangeInclusive<i64> = -60_000_000_000..=250_000_000_000;

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`, from Monday on
    Week,
    /// `M`
    Month,
    /// `Q`
    Quarter,
    /// `Y`
    Year,
}

/// A length of time as an operator writes it, such as `5m`, `1d` or `1M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// How many; at least 1.
    pub count: u32,
    /// Of what.
    pub unit: Unit,
}

/// How windows lie in time.
#[derive(Clone, Debug, PartialEq)]
pub enum Style {
    /// They begin at the calendar's boundaries in this zone.
    Aligned(TimeZone),
    /// Every stretch of the length counts.
    Rolling,
}

/// A length and how its windows lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// How long a window is.
    pub length: Length,
    /// How windows lie.
    pub style: Style,
}

/// A stretch of time, seconds since 1970; it holds its start and not its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first second in it.
    pub start: i64,
    /// The first second after it.
    pub end: i64,
}

/// Why a text is no length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a period is a number of at least 1 and one of m, h, d, w, M, Q, Y, such as \"1d\", and ten years at most"
)]
pub struct NotALength;

impl Unit {
    /// Every unit, and the letter it is written with.
    const LETTERS: [(char, Self); 7] = [
        ('m', Self::Minute),
        ('h', Self::Hour),
        ('d', Self::Day),
        ('w', Self::Week),
        ('M', Self::Month),
        ('Q', Self::Quarter),
        ('Y', Self::Year),
    ];

    /// The longest that one of it lasts, seconds; a change of the clock left aside.
    const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 31 * DAY,
            Self::Quarter => 92 * DAY,
            Self::Year => 366 * DAY,
        }
    }
}

impl Length {
    /// How long it lasts at most, seconds; 60 to ten years.
    ///
    /// A month counts as 31 days, a quarter as 92 and a year as 366.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::from(self.count) * self.unit.seconds()
    }
}

impl FromStr for Length {
    type Err = NotALength;

    fn from_str(text: &str) -> Result<Self, NotALength> {
        let last = text.chars().next_back().ok_or(NotALength)?;
        let known = Unit::LETTERS.iter().find(|(letter, _)| *letter == last);
        let &(letter, unit) = known.ok_or(NotALength)?;
        let digits = text.strip_suffix(letter).unwrap_or_default();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotALength);
        }
        let count = digits.parse().map_err(|_| NotALength)?;
        let length = Self { count, unit };
        let fits = count >= 1 && length.seconds() <= LONGEST;
        fits.then_some(length).ok_or(NotALength)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Unit::LETTERS.iter().find(|(_, unit)| *unit == self.unit);
        let letter = known.map_or(' ', |(letter, _)| *letter);
        write!(f, "{}{letter}", self.count)
    }
}

impl Window {
    /// Whether an instant lies in it.
    #[must_use]
    pub const fn holds(self, unix_seconds: i64) -> bool {
        self.start <= unix_seconds && unix_seconds < self.end
    }
}

impl Schedule {
    /// How long a window is at most, seconds; see [`Length::seconds`].
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.length.seconds()
    }

    /// The window that an instant lies in: of an aligned schedule the calendar's, of a rolling one the stretch that ends with that second.
    ///
    /// An instant that no calendar knows is taken for the nearest that it does.
    #[must_use]
    pub fn window_at(&self, unix_seconds: i64) -> Window {
        let at = unix_seconds.clamp(*KNOWN.start(), *KNOWN.end());
        match &self.style {
            Style::Aligned(zone) => self.length.window_at(zone, at),
            Style::Rolling => Window {
                start: at + 1 - self.seconds(),
                end: at + 1,
            },
        }
    }
}

impl Length {
    /// The window of this length that an instant lies in.
    fn window_at(self, zone: &TimeZone, at: i64) -> Window {
        let count = i64::from(self.count);
        match self.unit {
            Unit::Minute | Unit::Hour => {
                let long = self.seconds() > DAY;
                let around = if long { Steps::YEAR } else { Steps::DAY };
                part(around.window_at(zone, at), self.seconds(), at)
            }
            Unit::Day => Steps::Days { count, from: 0 }.window_at(zone, at),
            Unit::Week => {
                let (count, from) = (7 * count, MONDAY);
                Steps::Days { count, from }.window_at(zone, at)
            }
            Unit::Month => Steps::Months(count).window_at(zone, at),
            Unit::Quarter => Steps::Months(3 * count).window_at(zone, at),
            Unit::Year => Steps::Months(12 * count).window_at(zone, at),
        }
    }
}

/// The part of `whole` that holds `at` when it is cut into as many parts of `length` seconds as it holds, one at least; the last takes the rest.
fn part(whole: Window, length: i64, at: i64) -> Window {
    let last = ((whole.end - whole.start) / length - 1).max(0);
    let number = ((at - whole.start) / length).min(last);
    let start = whole.start + number * length;
    let end = if number == last {
        whole.end
    } else {
        start + length
    };
    Window { start, end }
}

/// Steps of whole days or whole months through the calendar, numbered.
#[derive(Clone, Copy, Debug)]
enum Steps {
    /// So many days each, one step beginning `from` days after [`EPOCH`].
    Days { count: i64, from: i64 },
    /// So many months each, one step beginning at [`EPOCH`].
    Months(i64),
}

impl Steps {
    const DAY: Self = Self::Days { count: 1, from: 0 };
    const YEAR: Self = Self::Months(12);

    /// The number of the step that a date lies in.
    fn number(self, date: Date) -> i64 {
        match self {
            Self::Days { count, from } => {
                let days = date.duration_since(EPOCH).as_secs() / DAY;
                (days - from).div_euclid(count)
            }
            Self::Months(count) => {
                let years = i64::from(date.year()) - i64::from(EPOCH.year());
                (12 * years + i64::from(date.month()) - 1).div_euclid(count)
            }
        }
    }

    /// The first date of a step.
    fn first(self, number: i64) -> Date {
        match self {
            Self::Days { count, from } => {
                EPOCH.saturating_add(SignedDuration::from_secs((number * count + from) * DAY))
            }
            Self::Months(count) => {
                let months = number * count;
                let year = i64::from(EPOCH.year()) + months.div_euclid(12);
                let month = months.rem_euclid(12) + 1;
                let first = i16::try_from(year).ok().zip(i8::try_from(month).ok());
                first
                    .and_then(|(year, month)| Date::new(year, month, 1).ok())
                    .unwrap_or(Date::MAX)
            }
        }
    }

    /// When a step begins: at the first midnight of its first date, or right after it where the clock leaps over midnight.
    fn start(self, number: i64, zone: &TimeZone) -> i64 {
        let midnight = self.first(number).at(0, 0, 0, 0);
        let start = zone.to_timestamp(midnight).unwrap_or(Timestamp::MAX);
        start.as_second()
    }

    /// The step that an instant lies in.
    fn window_at(self, zone: &TimeZone, at: i64) -> Window {
        let instant = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut number = self.number(zone.to_datetime(instant).date());
        // Why: where the clock is set back over midnight, yesterday's date comes again after today has begun.
        while self.start(number + 1, zone) <= at {
            number += 1;
        }
        while self.start(number, zone) > at {
            number -= 1;
        }
        Window {
            start: self.start(number, zone),
            end: self.start(number + 1, zone),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn aligned(length: &str, zone: &str) -> Schedule {
        Schedule {
            length: length.parse().unwrap(),
            style: Style::Aligned(TimeZone::get(zone).unwrap()),
        }
    }

    #[test]
    fn lengths_are_read_and_printed() {
        for (text, seconds) in [
            ("5m", 300),
            ("24h", 86_400),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1M", 31 * DAY),
            ("1Q", 92 * DAY),
            ("1Y", 366 * DAY),
            ("10Y", LONGEST),
        ] {
            let length: Length = text.parse().unwrap();
            assert_eq!((length.seconds(), &*length.to_string()), (seconds, text));
        }
        for bad in [
            "",
            "d",
            "1",
            "0d",
            "-1d",
            "+1d",
            "1.5h",
            "1 d",
            "1D",
            "1s",
            "d1",
            "1é",
            "11Y",
            "4294967295m",
            "99999999999d",
        ] {
            assert_eq!(bad.parse::<Length>(), Err(NotALength), "{bad}");
        }
    }

    /// Length, zone, an instant, and the start and end of its window.
    const BOUNDARIES: &str = "
        1d  UTC                2026-03-29T12:00:00Z 2026-03-29T00:00:00Z 2026-03-30T00:00:00Z
        # A day of 23 hours, and one of 25.
        1d  Europe/Berlin      2026-03-29T12:00:00Z 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z
        1d  Europe/Berlin      2026-10-25T12:00:00Z 2026-10-24T22:00:00Z 2026-10-25T23:00:00Z
        24h Europe/Berlin      2026-10-25T22:30:00Z 2026-10-24T22:00:00Z 2026-10-25T23:00:00Z
        1h  Europe/Berlin      2026-10-25T01:30:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z
        6h  Europe/Berlin      2026-07-01T05:00:00Z 2026-07-01T04:00:00Z 2026-07-01T10:00:00Z
        5h  UTC                2026-07-01T23:59:59Z 2026-07-01T15:00:00Z 2026-07-02T00:00:00Z
        36h UTC                2026-01-02T13:00:00Z 2026-01-02T12:00:00Z 2026-01-04T00:00:00Z
        5m  Asia/Kathmandu     2026-01-01T00:03:00Z 2026-01-01T00:00:00Z 2026-01-01T00:05:00Z
        1h  Asia/Kathmandu     2026-01-01T00:03:00Z 2025-12-31T23:15:00Z 2026-01-01T00:15:00Z
        # Midnight is leapt over: the day begins at one.
        1d  America/Sao_Paulo  2018-11-04T03:00:00Z 2018-11-04T03:00:00Z 2018-11-05T02:00:00Z
        # The thirtieth of December was left out.
        1d  Pacific/Apia       2011-12-30T09:59:59Z 2011-12-29T10:00:00Z 2011-12-30T10:00:00Z
        1d  Pacific/Apia       2011-12-30T10:00:00Z 2011-12-30T10:00:00Z 2011-12-31T10:00:00Z
        1w  UTC                2026-11-26T12:00:00Z 2026-11-23T00:00:00Z 2026-11-30T00:00:00Z
        1M  Europe/Berlin      2024-02-29T12:00:00Z 2024-01-31T23:00:00Z 2024-02-29T23:00:00Z
        2M  UTC                2024-02-29T12:00:00Z 2024-01-01T00:00:00Z 2024-03-01T00:00:00Z
        1Q  UTC                2026-11-26T12:00:00Z 2026-10-01T00:00:00Z 2027-01-01T00:00:00Z
        1Y  UTC                2026-11-26T12:00:00Z 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z
        2Y  UTC                2027-11-26T12:00:00Z 2026-01-01T00:00:00Z 2028-01-01T00:00:00Z
        # The clock was set back over midnight: what came again belongs to the new day.
        1d  America/St_Johns   2010-11-07T03:00:00Z 2010-11-07T02:30:00Z 2010-11-08T03:30:00Z
    ";

    #[test]
    fn windows_begin_at_the_calendars_boundaries() {
        let rows = BOUNDARIES.lines().map(str::trim);
        let rows: Vec<Vec<&str>> = rows
            .filter(|row| !row.is_empty() && !row.starts_with('#'))
            .map(|row| row.split_whitespace().collect())
            .collect();
        assert_eq!(rows.len(), 20);
        for row in rows {
            let window = aligned(row[0], row[1]).window_at(instant(row[2]));
            let expected = Window {
                start: instant(row[3]),
                end: instant(row[4]),
            };
            assert_eq!(window, expected, "{row:?}");
        }
    }

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/Sao_Paulo",
        "America/St_Johns",
        "America/Havana",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ];

    /// Follows windows from one instant to another and checks that they tile.
    fn tile(schedule: &Schedule, from: i64, to: i64) {
        let mut window = schedule.window_at(from);
        while window.end < to {
            let next = schedule.window_at(window.end);
            assert_eq!(next.start, window.end, "{schedule:?}");
            assert!(next.end > next.start, "{schedule:?} {next:?}");
            assert_eq!(schedule.window_at(next.start), next, "{schedule:?}");
            assert_eq!(schedule.window_at(next.end - 1), next, "{schedule:?}");
            window = next;
        }
    }

    #[test]
    fn windows_tile_fifty_years() {
        let (from, to) = (
            instant("1985-01-01T00:00:00Z"),
            instant("2035-06-01T00:00:00Z"),
        );
        for zone in ZONES {
            for length in ["1d", "3d", "1w", "1M", "5M", "1Q", "1Y", "3Y", "36h", "12h"] {
                tile(&aligned(length, zone), from, to);
            }
        }
    }

    fn schedule() -> impl Strategy<Value = Schedule> {
        let unit = prop::sample::select(Unit::LETTERS.map(|(_, unit)| unit).to_vec());
        let zone = prop::sample::select(ZONES.to_vec());
        (1_u32..100, unit, zone).prop_filter_map("ten years at most", |(count, unit, zone)| {
            let length = Length { count, unit };
            let style = Style::Aligned(TimeZone::get(zone).unwrap());
            (length.seconds() <= LONGEST).then_some(Schedule { length, style })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn an_instant_lies_in_one_window(schedule in schedule(), at in 0_i64..4_000_000_000) {
            let window = schedule.window_at(at);
            prop_assert!(window.holds(at));
            prop_assert_eq!(schedule.window_at(window.start), window);
            prop_assert_eq!(schedule.window_at(window.end - 1), window);
            prop_assert_eq!(schedule.window_at(window.end).start, window.end);
            prop_assert_eq!(schedule.window_at(window.start - 1).end, window.start);
            prop_assert!(window.end - window.start <= 2 * schedule.seconds() + 2 * DAY);
        }

        #[test]
        fn any_instant_has_a_window(schedule in schedule(), at: i64) {
            let window = schedule.window_at(at);
            prop_assert!(window.start < window.end);
        }

        #[test]
        fn printed_lengths_read_back(schedule in schedule()) {
            let length = schedule.length;
            prop_assert_eq!(length.to_string().parse(), Ok(length));
        }
    }

    #[test]
    fn a_rolling_window_ends_with_the_instant() {
        let schedule = Schedule {
            length: "5m".parse().unwrap(),
            style: Style::Rolling,
        };
        let window = schedule.window_at(1_000);
        assert_eq!((window.start, window.end), (701, 1_001));
        assert_eq!(schedule.seconds(), 300);
    }
}
