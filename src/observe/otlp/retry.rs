//! What does a collector's answer mean, and when is it asked again?
//!
//! The rules are those of OpenTelemetry's protocol: some statuses pass, the others are final, and who says when to come back is believed.
//!
//! # Invariants
//! - Everything here is a function of what is passed in; a batch is tried [`MOST_TRIES`] times at most.

use std::time::Duration;

use super::wire::{self, Field};

/// Tries of one batch: with the pauses between them some two minutes of a collector that is away.
pub(super) const MOST_TRIES: u32 = 8;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause; the longest that a collector may ask for as well, since what waits is dropped in the end.
const LONGEST: Duration = Duration::from_secs(30);

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The collector has the batch, but for as many spans as it rejects, and perhaps has something to say.
    Taken { rejected: u64, message: String },
    /// It may take it later, after this time where it says so.
    Later(Option<Duration>),
    /// It will not.
    Refused,
}

/// What an answer means; `unix` is now.
pub(super) fn told(status: u16, retry_after: Option<&str>, body: &[u8], unix: Duration) -> Told {
    match status {
        200..=299 => partly(body),
        429 | 502 | 503 | 504 => Told::Later(retry_after.and_then(|text| after(text, unix))),
        _ => Told::Refused,
    }
}

/// Reads an `ExportTraceServiceResponse`; nonsense says nothing.
fn partly(mut body: &[u8]) -> Told {
    let (mut rejected, mut message) = (0, String::new());
    while let Some((field, value)) = wire::next(&mut body) {
        let (1, Field::Bytes(mut partial)) = (field, value) else {
            continue;
        };
        while let Some(told) = wire::next(&mut partial) {
            match told {
                (1, Field::Number(count)) => rejected = count,
                (2, Field::Bytes(text)) => message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
    }
    Told::Taken { rejected, message }
}

/// The time that `Retry-After` means: seconds, or an instant.
fn after(text: &str, unix: Duration) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let at = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(unix))
}

/// How long to wait after so many tries; none if there is to be no other. `jitter` is in 0..1.
pub(super) fn pause(tries: u32, asked: Option<Duration>, jitter: f32) -> Option<Duration> {
    if tries >= MOST_TRIES {
        return None;
    }
    if let Some(asked) = asked {
        return Some(asked.min(LONGEST));
    }
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10));
    Some(
        doubled
            .min(LONGEST)
            .mul_f32(0.5 + jitter.clamp(0.0, 1.0) / 2.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(784_111_777);

    #[test]
    fn some_statuses_pass_and_others_are_final() {
        let check = |status, retry_after, expected| {
            assert_eq!(told(status, retry_after, b"", NOW), expected, "{status}");
        };
        let taken = || Told::Taken {
            rejected: 0,
            message: String::new(),
        };
        let seconds = |count| Some(Duration::from_secs(count));
        check(200, None, taken());
        check(202, None, taken());
        for status in [429, 502, 503, 504] {
            check(status, None, Told::Later(None));
            check(status, Some("7"), Told::Later(seconds(7)));
        }
        check(
            503,
            Some("Sun, 06 Nov 1994 08:49:47 GMT"),
            Told::Later(seconds(10)),
        );
        check(
            503,
            Some("Sun, 06 Nov 1994 08:49:07 GMT"),
            Told::Later(seconds(0)),
        );
        check(503, Some("soon"), Told::Later(None));
        for status in [301, 400, 401, 404, 413, 500, 501] {
            check(status, Some("7"), Told::Refused);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_come_to_an_end() {
        let mut seconds = Vec::new();
        for tries in 1.. {
            let Some(pause) = pause(tries, None, 1.0) else {
                break;
            };
            seconds.push(pause.as_secs());
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(1, None, 0.0), Some(FIRST / 2));
        let asked = |asked| pause(1, Some(Duration::from_secs(asked)), 0.5);
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(3_600), Some(LONGEST));
        assert_eq!(pause(MOST_TRIES, Some(FIRST), 0.5), None);
    }
}
