//! Tests of the waits that providers write.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot build its input has failed"
)]

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2025-08-21T12:40:00Z, in seconds since the epoch.
const NOW: Duration = Duration::from_secs(1_755_780_000);

fn micros(span: Option<Span>) -> Option<u64> {
    span.map(Span::as_micros)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

#[test]
fn go_durations() {
    for (text, expected) in [
        ("12ms", Some(12_000)),
        ("1s", Some(1_000_000)),
        ("6m0s", Some(360_000_000)),
        ("41.724s", Some(41_724_000)),
        ("2m59.56s", Some(179_560_000)),
        ("1h2m3.5s", Some(3_723_500_000)),
        ("23h59m59s", Some(86_399_000_000)),
        ("720h0m0s", Some(2_592_000_000_000)),
        ("1.5h", Some(5_400_000_000)),
        ("250us", Some(250)),
        ("250\u{b5}s", Some(250)),
        ("250\u{3bc}s", Some(250)),
        ("1500ns", Some(1)),
        (".5s", Some(500_000)),
        ("+2s", Some(2_000_000)),
        ("0", Some(0)),
        ("0s", Some(0)),
        ("1.123456789s", Some(1_123_456)),
        ("", None),
        ("+", None),
        (".s", None),
        ("5", None),
        ("s", None),
        ("-1s", None),
        ("1s ", None),
        ("1 s", None),
        ("1S", None),
        ("1d", None),
        ("1e3s", None),
        ("inf", None),
        ("9999999999999999s", None),
        ("999999999999999h", None),
        ("1..5s", None),
    ] {
        assert_eq!(micros(go_duration(text)), expected, "{text:?}");
    }
}

#[test]
fn one_header() {
    for (name, value, expected) in [
        ("retry-after", "2", Some(2_000_000)),
        ("retry-after", "0", Some(0)),
        ("retry-after", "1.5", Some(1_500_000)),
        ("retry-after", " 7 ", Some(7_000_000)),
        ("retry-after", "86400", Some(86_400_000_000)),
        ("retry-after", "86401", None),
        ("retry-after", "1000000000000000000000", None),
        ("retry-after", "-1", None),
        ("retry-after", "+1", None),
        ("retry-after", "1e2", None),
        ("retry-after", "NaN", None),
        ("retry-after", "inf", None),
        ("retry-after", "", None),
        ("retry-after", "soon", None),
        ("retry-after", "2, 3", None),
        (
            "retry-after",
            "Thu, 21 Aug 2025 12:40:59 GMT",
            Some(59_000_000),
        ),
        (
            "retry-after",
            "Thursday, 21-Aug-25 12:40:59 GMT",
            Some(59_000_000),
        ),
        ("retry-after", "Thu Aug 21 12:40:59 2025", Some(59_000_000)),
        ("retry-after", "Thu, 21 Aug 2025 12:39:00 GMT", Some(0)),
        (
            "retry-after",
            "Fri, 22 Aug 2025 12:40:00 GMT",
            Some(86_400_000_000),
        ),
        ("retry-after", "Fri, 22 Aug 2025 12:40:01 GMT", None),
        ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("retry-after", "Thu, 21 Aug 2025 99:40:59 GMT", None),
        ("retry-after-ms", "350", Some(350_000)),
        ("retry-after-ms", "350.25", Some(350_250)),
        ("retry-after-ms", "86400001", None),
        ("retry-after-ms", "-5", None),
        ("x-ms-retry-after-ms", "1200", Some(1_200_000)),
        ("x-ms-retry-after-ms", "no", None),
    ] {
        let found = from_headers(&headers(&[(name, value)]), NOW);
        assert_eq!(micros(found), expected, "{name}: {value}");
    }
}

#[test]
fn the_finest_valid_header_wins() {
    for (pairs, expected) in [
        (
            &[("retry-after", "1"), ("retry-after-ms", "350")][..],
            Some(350_000),
        ),
        (
            &[("retry-after", "1"), ("x-ms-retry-after-ms", "900")],
            Some(900_000),
        ),
        (
            &[("x-ms-retry-after-ms", "900"), ("retry-after-ms", "350")],
            Some(350_000),
        ),
        (
            &[("retry-after", "1"), ("retry-after-ms", "-350")],
            Some(1_000_000),
        ),
        (
            &[
                ("retry-after", "3"),
                ("retry-after-ms", ""),
                ("x-ms-retry-after-ms", "x"),
            ],
            Some(3_000_000),
        ),
        (&[("date", "Thu, 21 Aug 2025 12:40:59 GMT")], None),
        (&[], None),
    ] {
        let found = from_headers(&headers(pairs), NOW);
        assert_eq!(micros(found), expected, "{pairs:?}");
    }
}

#[test]
fn bodies() {
    for (body, expected) in [
        ("… Requested 1. Please try again in 1.5s.", Some(1_500_000)),
        (
            "… Requested 8172. Please try again in 41.724s. Visit https://x",
            Some(41_724_000),
        ),
        ("Please try again in 350ms.", Some(350_000)),
        ("Please try again in 6m0s.", Some(360_000_000)),
        ("Please try again in 1h2m3.5s.", Some(3_723_500_000)),
        ("Try again in 7 seconds.\"}", Some(7_000_000)),
        ("Please retry after 26 seconds.", Some(26_000_000)),
        ("Please retry after 1 second.", Some(1_000_000)),
        ("Retry after 500 milliseconds", Some(500_000)),
        ("try again in 2 minutes", Some(120_000_000)),
        ("try again in 1 hour", Some(3_600_000_000)),
        ("Please retry in 19.508s.", Some(19_508_000)),
        (r#"{"retryDelay":"19s"}"#, Some(19_000_000)),
        (r#"{"retryDelay" : "3.700s"}"#, Some(3_700_000)),
        (
            r#"{"message":"Please retry in 4s.","retryDelay":"3s"}"#,
            Some(3_000_000),
        ),
        (
            r#"{"message":"Please retry in 4s.","retryDelay":"-3s"}"#,
            Some(4_000_000),
        ),
        ("try again in a moment, or try again in 2s", Some(2_000_000)),
        ("try again in 24h0m0s", Some(86_400_000_000)),
        ("try again in 25h", None),
        ("try again in -3s", None),
        ("try again in 3", None),
        ("try again in 3 bananas", None),
        ("try again in 3x seconds", None),
        ("try again in ", None),
        ("try again later", None),
        (r#"{"retryDelay":"19"}"#, None),
        (r#"{"retryDelay":19}"#, None),
        (r#"{"retryDelay":"19s"#, None),
        (r#"{"retryDelay""#, None),
        ("", None),
    ] {
        assert_eq!(micros(from_body(body.as_bytes())), expected, "{body:?}");
    }
}

#[test]
fn a_body_is_searched_to_its_bound_only() {
    let mut body = vec![b' '; SEARCHED];
    body.extend_from_slice(b"try again in 2s");
    assert_eq!(from_body(&body), None);
    assert_eq!(micros(from_body(&body[100..])), Some(2_000_000));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = go_span(&bytes);
        let _ = plain_secs(&bytes);
        let mut prose = b"try again in ".to_vec();
        prose.extend_from_slice(&bytes);
        for body in [&bytes, &prose] {
            prop_assert!(from_body(body).is_none_or(|span| span <= LONGEST));
        }
        let mut map = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            map.insert("retry-after", value);
        }
        prop_assert!(from_headers(&map, NOW).is_none_or(|span| span <= LONGEST));
    }

    #[test]
    fn number_like_text_never_panics(text in "[0-9.+\\-nuµmsh ]{0,40}") {
        let _ = go_duration(&text);
        let _ = from_body(format!("retry after {text}").as_bytes());
    }

    #[test]
    fn written_durations_are_read(hours in 0_u64..24, minutes in 0_u64..60, millis in 0_u64..60_000) {
        let text = format!("{hours}h{minutes}m{}.{:03}s", millis / 1_000, millis % 1_000);
        let expected = (hours * 3_600 + minutes * 60) * 1_000 + millis;
        prop_assert_eq!(go_duration(&text), Some(Span::from_millis(expected)));
    }
}
