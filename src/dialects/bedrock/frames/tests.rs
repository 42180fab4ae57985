//! Frames that AWS publishes, frames written here, and what is wrong with others.
//!
//! # Invariants
//! - What is written here is written by the description, not by the code that is tested.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;

/// A frame with these headers, all of them strings.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut inside = Vec::new();
    for (name, value) in headers {
        inside.push(u8::try_from(name.len()).unwrap());
        inside.extend_from_slice(name.as_bytes());
        inside.push(7);
        inside.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        inside.extend_from_slice(value.as_bytes());
    }
    raw(&inside, payload)
}

fn raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(headers.len() + payload.len() + AROUND).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    frame(&headers, payload.as_bytes())
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn push(bytes: &[u8]) -> Result<Vec<Frame>, Broken> {
    Frames::default().push(Bytes::copy_from_slice(bytes))
}

/// The frame with headers of every type from the test data of `aws-smithy-eventstream`; it has no `:message-type`.
const EVERY_TYPE: &str = "000000960000007a8bb495fb0474727565000566616c736501046279746502320573686f7274034e2003696e74040007a120046c6f6e67050000000ba43b740005627974657306000a736f6d6520627974657303737472070008736f6d65207374720474696d6508000000012a05f200047575696409b79bc914de214e13b8b2bc47e85b7f0b736f6d65207061796c6f616401a05860";

#[test]
fn a_published_frame_is_taken_apart() {
    let bytes = hex(EVERY_TYPE);
    let headers = &bytes[PRELUDE..PRELUDE + 0x7a];
    assert_eq!(raw(headers, b"some payload"), bytes);
    Headers::read(headers).unwrap();
    assert_eq!(push(&bytes), Err(Broken::Malformed));
    let mut with_type = headers.to_vec();
    with_type.extend_from_slice(b"\x0d:message-type\x07\x00\x05event");
    let frames = push(&raw(&with_type, b"some payload")).unwrap();
    assert_eq!(frames[0].payload, "some payload");
}

#[test]
fn events_exceptions_and_errors_are_told_apart() {
    let exception = frame(
        &[
            (":message-type", "exception"),
            (":exception-type", "throttlingException"),
        ],
        br#"{"message":"Too many tokens"}"#,
    );
    let error = frame(
        &[
            (":message-type", "error"),
            (":error-code", "InternalError"),
            (":error-message", "oh \"no\""),
        ],
        b"",
    );
    let bytes = [event("messageStart", "{}"), exception, error].concat();
    let frames = push(&bytes).unwrap();
    let seen: Vec<(&str, Kind, &[u8])> = frames
        .iter()
        .map(|frame| (&*frame.event, frame.kind, &*frame.payload))
        .collect();
    assert_eq!(
        seen,
        [
            ("messageStart", Kind::Event, b"{}".as_slice()),
            (
                "throttlingException",
                Kind::Exception,
                br#"{"error":{"type":"throttlingException","message":"Too many tokens"}}"#
            ),
            (
                "InternalError",
                Kind::Error,
                br#"{"error":{"type":"InternalError","message":"oh \"no\""}}"#
            ),
        ]
    );
}

#[test]
fn broken_streams_are_refused() {
    let good = event("e", "{}");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let last = good.len() - 1;
    let mut long = u32::MAX.to_be_bytes().to_vec();
    long.extend_from_slice(&0_u32.to_be_bytes());
    long.extend_from_slice(&crc32fast::hash(&long).to_be_bytes());
    let mut short = 15_u32.to_be_bytes().to_vec();
    short.extend_from_slice(&0_u32.to_be_bytes());
    short.extend_from_slice(&crc32fast::hash(&short).to_be_bytes());
    let cases = [
        ("prelude", with(3, 0xff), Broken::Checksum),
        ("header", with(14, b'x'), Broken::Checksum),
        ("sum", with(last, !good[last]), Broken::Checksum),
        ("too long", long, Broken::TooLong),
        ("too short", short, Broken::Malformed),
        ("unknown type", raw(b"\x01a\x0a", b""), Broken::Malformed),
        ("name cut", raw(b"\x05a", b""), Broken::Malformed),
        (
            "value cut",
            raw(b"\x01a\x07\x00\x09b", b""),
            Broken::Malformed,
        ),
        ("no type", raw(b"", b"{}"), Broken::Malformed),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(push(&bytes), Err(expected), "{name}");
    }
}

#[test]
fn what_came_before_a_break_counts_and_nothing_after() {
    let mut bytes = event("a", "1");
    let mut bad = event("b", "2");
    let last = bad.len() - 1;
    bad[last] ^= 1;
    bytes.extend_from_slice(&bad);
    let mut frames = Frames::default();
    assert_eq!(frames.push(Bytes::from(bytes)).unwrap().len(), 1);
    for _ in 0..2 {
        let more = Bytes::from(event("c", "3"));
        assert_eq!(frames.push(more), Err(Broken::Checksum));
    }
    assert!(frames.held.is_empty());
}

/// A frame that is whole but makes no sense is a break, too, and stays one.
#[test]
fn what_follows_a_senseless_frame_does_not_count() {
    let senseless = raw(b"", b"{}");
    let bytes = [event("a", "1"), senseless].concat();
    let mut frames = Frames::default();
    assert_eq!(frames.push(Bytes::from(bytes)).unwrap().len(), 1);
    assert!(!frames.at_boundary());
    let more = Bytes::from(event("c", "3"));
    assert_eq!(frames.push(more), Err(Broken::Malformed));
}

#[test]
fn an_end_within_a_frame_is_noticed() {
    let mut frames = Frames::default();
    let bytes = Bytes::from(event("a", "1"));
    frames.push(bytes.slice(..20)).unwrap();
    assert!(!frames.at_boundary());
    frames.push(bytes.slice(20..)).unwrap();
    assert!(frames.at_boundary());
}

proptest! {
    #[test]
    fn splitting_anywhere_changes_nothing(
        payloads in vec(".{0,40}", 0..6),
        cuts in vec(any::<u16>(), 0..12),
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|text| event("e", text)).collect();
        let whole = push(&stream).unwrap();
        prop_assert_eq!(whole.len(), payloads.len());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (stream.len() + 1)).collect();
        cuts.push(stream.len());
        cuts.sort_unstable();
        let (mut frames, mut seen, mut from) = (Frames::default(), Vec::new(), 0);
        for cut in cuts {
            seen.extend(frames.push(Bytes::copy_from_slice(&stream[from..cut])).unwrap());
            from = cut;
        }
        prop_assert_eq!(seen, whole);
        prop_assert!(frames.at_boundary());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), headers in vec(any::<u8>(), 0..60)) {
        let _ = push(&bytes);
        let _ = push(&raw(&headers, &bytes));
    }
}
