//! The guard on random input: it never panics, splits change nothing, valid messages pass, and it agrees with hyper.

use proptest::prelude::*;

use super::live::{exchange, run};
use super::{HEADS, follow};

/// One valid message and the length of its body.
fn message() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let path = "/[a-z0-9:_~-]{1,12}(/[a-z0-9]{1,5}){0,3}(\\?[a-z=/.]{0,9})?";
    let extra = proptest::collection::vec("X-[a-z]{1,9}: [ -~]{0,30}", 0..5);
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    let chunks = proptest::option::of((
        1_usize..20,
        "(;[a-z=\"]{0,9})?",
        "([A-Z][a-z]{0,5}: [a-z]{0,5}\r\n){0,2}",
    ));
    (path, extra, body, chunks).prop_map(|(path, extra, body, chunks)| {
        let mut text = format!("POST {path} HTTP/1.1\r\n");
        for line in &extra {
            text += &format!("{line}\r\n");
        }
        text += "Host: a.example:80\r\n";
        let framing = match chunks {
            Some(_) => "Transfer-Encoding: chunked".to_owned(),
            None => format!("Content-Length: {}", body.len()),
        };
        let mut bytes = format!("{text}{framing}\r\n\r\n").into_bytes();
        let Some((size, extension, trailers)) = chunks else {
            bytes.extend_from_slice(&body);
            return (bytes, body.len());
        };
        for chunk in body.chunks(size) {
            bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("0{extension}\r\n{trailers}\r\n").as_bytes());
        (bytes, body.len())
    })
}

/// Bytes cut into pieces of the given sizes, used in turn.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1_usize..90, 1..8)
}

/// A head before a chunked body.
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Pieces of HTTP that are likely to be seen wrongly.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        4 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 2 => Just("\r\n\r\n"),
        3 => Just("GET / HTTP/1.1\r\nHost: a\r\n"), 2 => Just("POST /a HTTP/1.1\r\nHost: a\r\n"),
        1 => Just("GET / HTTP/1.0\r\n"), 2 => Just("Content-Length: 3\r\n"), 1 => Just("Content-Length: 12\r\n"),
        2 => Just("Transfer-Encoding: chunked\r\n"), 1 => Just("Transfer-Encoding: identity\r\n"),
        1 => Just("Content-Length : 3\r\n"), 1 => Just("Host: b\r\n"), 2 => Just("X: y\r\n"),
        1 => Just("Connection: close\r\n"), 1 => Just("Expect: 100-continue\r\n"),
        2 => Just("0\r\n\r\n"), 2 => Just("3\r\nabc\r\n"), 1 => Just("3;x\r\n"), 1 => Just("abc"), 1 => Just(" "),
        1 => Just("\t"), 1 => Just(":"), 1 => Just("\0"), 1 => Just("%2f"), 1 => Just("ffffffffffffffff\r\n"),
    ];
    proptest::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn valid_messages_pass_untouched(messages in proptest::collection::vec(message(), 1..6), sizes in sizes()) {
        let bytes = messages.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect::<Vec<_>>();
        let seen = follow(cut(&bytes, &sizes));
        prop_assert_eq!(seen.passed, bytes.len());
        prop_assert_eq!(seen.heads, messages.len() as u64);
        prop_assert_eq!((seen.refusal, seen.ending), (None, None));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_splits_change_nothing(
        start in prop_oneof![Just(""), Just("GET / HTTP/1.1\r\n"), Just(CHUNKED)],
        noise in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), fragments()],
        sizes in sizes(),
    ) {
        let bytes = [start.as_bytes(), &noise].concat();
        prop_assert_eq!(follow(cut(&bytes, &sizes)), follow([&bytes[..]]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn hyper_sees_the_same_valid_messages(messages in proptest::collection::vec(message(), 1..5), sizes in sizes()) {
        let bytes = messages.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect::<Vec<_>>();
        let (received, calls, _) = run(exchange(&cut(&bytes, &sizes)));
        prop_assert_eq!(received.matches("HTTP/1.1 200").count(), messages.len());
        let bodies = calls.iter().map(|call| call.1.unwrap_or(usize::MAX)).collect::<Vec<_>>();
        let sent = messages.iter().map(|(_, length)| *length).collect::<Vec<_>>();
        prop_assert_eq!(bodies, sent);
    }

    #[test]
    fn hyper_never_sees_more_requests_than_the_guard(
        bytes in prop_oneof![
            fragments(),
            (0..HEADS.len(), 0..HEADS.len(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(one, two, at, byte)| {
                let mut bytes = [HEADS[one].0, HEADS[two].0].concat().into_bytes();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            }),
        ],
        sizes in sizes(),
    ) {
        let seen = follow([&bytes[..]]);
        let (_, calls, ended) = run(exchange(&cut(&bytes, &sizes)));
        let served = calls.iter().filter(|call| call.0.is_ok()).count() as u64;
        prop_assert!(served <= seen.heads, "{:?}: {:?}", seen, calls);
        let whole = calls.iter().all(|call| call.1.is_ok());
        let told = calls.iter().filter(|call| call.0.is_err()).count();
        // Why the condition: a request that closes the connection, or one that hyper refuses, hides those behind it.
        let closes = bytes.windows(5).any(|window| window == b"close" || window == b"P/1.0");
        if ended.is_ok() && whole && told == 0 && seen.refusal.is_none() && !closes {
            prop_assert_eq!(served, seen.heads, "{:?}", calls);
        }
    }
}
