//! How long does a provider ask us to wait?
//!
//! Three headers, four ways to write a time and two places in a body say it; all become one [`Span`] from now.
//! What is said wrongly is not said: the caller then backs off by its own rule instead of by a guess.
//!
//! # Invariants
//! - Whatever [`from_headers`] and [`from_body`] return is at most [`LONGEST`].
//! - Negative, unparsable or longer waits are `None`, and the next place that may hold a wait is read instead.
//! - An HTTP date that has passed is [`Span::ZERO`]: the wait is over.
//! - Fractions below a microsecond are dropped.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use memchr::memmem;
use scoring::time::Span;

/// The longest wait that is believed: a day, 86 400 s, the longest quota window that providers reset.
///
/// Beyond it a provider is wrong or means money; believing it would close a route until a restart.
pub const LONGEST: Span = Span::from_secs(86_400);

/// Bytes of a body that are searched: error objects are below 4 KiB, so 64 KiB only bounds the work.
pub(crate) const SEARCHED: usize = 64 * 1024;

/// Digits before the point that a number may have; more is no wait and no quota.
const DIGITS: usize = 15;

/// Nanoseconds in a microsecond, the resolution of [`Span`].
const NS_PER_US: u64 = 1_000;
/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;
/// Nanoseconds in a second.
const NS_PER_SEC: u64 = 1_000_000_000;

/// Phrases that a wait follows in prose, less the first letter, whose case varies.
const PHRASES: [&[u8]; 3] = [b"ry again in ", b"etry after ", b"etry in "];

/// The wait in `retry-after-ms`, `x-ms-retry-after-ms` or `retry-after`: the first of these that holds a valid one.
///
/// `unix_now` is the wall clock since the Unix epoch, against which an HTTP date is read.
#[must_use]
pub fn from_headers(headers: &HeaderMap, unix_now: Duration) -> Option<Span> {
    let millis = |name| bounded(plain(headers.get(name)?.as_bytes(), NS_PER_MS)?);
    millis("retry-after-ms")
        .or_else(|| millis("x-ms-retry-after-ms"))
        .or_else(|| {
            let value = headers.get(http::header::RETRY_AFTER)?.as_bytes();
            bounded(plain(value, NS_PER_SEC).or_else(|| until_date(value, unix_now))?)
        })
}

/// The wait in an error body: Google's `retryDelay`, else the prose "try again in 1.5s" or "retry after 26 seconds".
#[must_use]
pub fn from_body(body: &[u8]) -> Option<Span> {
    let body = &body[..body.len().min(SEARCHED)];
    retry_delay(body).or_else(|| {
        let said = |phrase: &[u8]| {
            memmem::find_iter(body, phrase)
                .filter_map(|at| bounded(prose(&body[at + phrase.len()..])?))
                .next()
        };
        PHRASES.into_iter().find_map(said)
    })
}

/// A duration as Go writes it, such as `12ms`, `6m0s` or `1h2m3.5s`; `None` if negative or above 584 years.
#[must_use]
pub fn go_duration(text: &str) -> Option<Span> {
    go_span(text.as_bytes())
}

/// [`go_duration`] of bytes.
pub(crate) fn go_span(text: &[u8]) -> Option<Span> {
    let mut rest = text.strip_prefix(b"+").unwrap_or(text);
    if rest == b"0" {
        return Some(Span::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = Decimal::read(rest)?;
        let (unit, after) = word(after, |byte| byte != b'.' && !byte.is_ascii_digit());
        total = total.checked_add(number.times(go_unit(unit)?)?)?;
        rest = after;
    }
    Some(Span::from_micros(total / NS_PER_US))
}

/// A plain number of units of `unit_ns` nanoseconds with nothing but blanks around it.
pub(crate) fn plain(text: &[u8], unit_ns: u64) -> Option<Span> {
    let (number, rest) = Decimal::read(text.trim_ascii())?;
    if !rest.is_empty() {
        return None;
    }
    Some(Span::from_micros(number.times(unit_ns)? / NS_PER_US))
}

/// A plain number of seconds.
pub(crate) fn plain_secs(text: &[u8]) -> Option<Span> {
    plain(text, NS_PER_SEC)
}

/// A number without a sign: digits with an optional fraction, of which millionths are kept.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    /// The part before the point.
    whole: u64,
    /// The part after the point, in millionths; 0..1 000 000.
    millionths: u64,
}

impl Decimal {
    /// The number that `text` begins with, and what follows it.
    fn read(text: &[u8]) -> Option<(Self, &[u8])> {
        let (whole, digits, mut rest) = digits(text, DIGITS)?;
        let mut number = Self {
            whole,
            millionths: 0,
        };
        let mut seen = digits;
        if let Some(after) = rest.strip_prefix(b".") {
            let kept = &after[..after.len().min(6)];
            let (value, kept, _) = self::digits(kept, 6)?;
            number.millionths = value * 10_u64.pow(6 - u32::try_from(kept).unwrap_or(6));
            let end = after.iter().position(|byte| !byte.is_ascii_digit());
            rest = &after[end.unwrap_or(after.len())..];
            seen += kept;
        }
        (seen > 0).then_some((number, rest))
    }

    /// Nanoseconds in this many units of `unit_ns` nanoseconds, the latter at most an hour.
    fn times(self, unit_ns: u64) -> Option<u64> {
        let part = self.millionths * unit_ns / 1_000_000;
        self.whole.checked_mul(unit_ns)?.checked_add(part)
    }
}

/// The digits that `text` begins with: their value, their count and what follows; `None` above `most` digits.
fn digits(text: &[u8], most: usize) -> Option<(u64, usize, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let end = end.unwrap_or(text.len());
    if end > most {
        return None;
    }
    let value = text[..end]
        .iter()
        .fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
    Some((value, end, &text[end..]))
}

/// Nanoseconds in one of Go's units.
fn go_unit(unit: &[u8]) -> Option<u64> {
    Some(match unit {
        b"s" => NS_PER_SEC,
        b"ms" => NS_PER_MS,
        b"m" => 60 * NS_PER_SEC,
        b"h" => 3_600 * NS_PER_SEC,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => NS_PER_US,
        b"ns" => 1,
        _ => return None,
    })
}

/// Nanoseconds in a unit as prose names it.
fn prose_unit(unit: &[u8]) -> Option<u64> {
    let is = |names: &[&str]| {
        let named = |name: &&str| unit.eq_ignore_ascii_case(name.as_bytes());
        names.iter().any(named)
    };
    Some(if is(&["seconds", "second", "secs", "sec", "s"]) {
        NS_PER_SEC
    } else if is(&["milliseconds", "millisecond", "ms"]) {
        NS_PER_MS
    } else if is(&["minutes", "minute", "mins", "min", "m"]) {
        60 * NS_PER_SEC
    } else if is(&["hours", "hour", "h"]) {
        3_600 * NS_PER_SEC
    } else {
        return None;
    })
}

/// The wait that `text` begins with: a Go duration, or a number, a blank and a unit's name.
fn prose(text: &[u8]) -> Option<Span> {
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte >= 0x80;
    let (word, rest) = word(text, in_word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    go_span(word).or_else(|| {
        let (number, after) = Decimal::read(word)?;
        let (unit, _) = self::word(rest.strip_prefix(b" ")?, |byte| byte.is_ascii_alphabetic());
        let unit = prose_unit(unit)?;
        let span = Span::from_micros(number.times(unit)? / NS_PER_US);
        after.is_empty().then_some(span)
    })
}

/// The longest beginning of `text` whose bytes all pass, and the rest.
fn word(text: &[u8], inside: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !inside(byte));
    text.split_at(end.unwrap_or(text.len()))
}

/// The wait in the first `"retryDelay": "19s"`.
fn retry_delay(body: &[u8]) -> Option<Span> {
    let name = b"\"retryDelay\"";
    let rest = &body[memmem::find(body, name)? + name.len()..];
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().position(|&byte| byte == b'"')?;
    bounded(go_span(&rest[..end])?)
}

/// Time from `unix_now` to an HTTP date; zero if it has passed.
fn until_date(value: &[u8], unix_now: Duration) -> Option<Span> {
    let date = httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(unix_now).into())
}

/// The span, unless it exceeds [`LONGEST`].
fn bounded(span: Span) -> Option<Span> {
    (span <= LONGEST).then_some(span)
}

#[cfg(test)]
mod tests;
