//! Over which stretch of time does a budget hold?
//!
//! An aligned budget begins anew at the calendar's boundaries in a time zone; a rolling one counts what was spent in any stretch of its length.
//!
//! # Invariants
//! - Windows of one schedule follow each other without a gap and without overlap, also over changes of daylight saving time.
//! - Everything is a function of the instant that is passed in.

use jiff::tz::TimeZone;

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
#[error("a period is a number of at least 1 and one of m, h, d, w, M, Q, Y, such as \"1d\"")]
pub struct NotALength;
