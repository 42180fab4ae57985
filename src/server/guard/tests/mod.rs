//! Tests of the guard: a corpus with verdicts, splits, chunked bodies, and hyper behind it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot build its input has failed"
)]

mod corpus;
mod live;
mod random;

use super::chunks::{Chunks, Progress};
use super::follower::{Ending, Follower};
use super::*;
use corpus::HEADS;

/// The head's limit in tests, bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What a follower made of some bytes.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    passed: usize,
    heads: u64,
    ending: Option<Ending>,
    refusal: Option<(u64, Violation)>,
}

/// Follows pieces one after another.
fn follow<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut follower = Follower::new(MAX_HEAD);
    let passed = pieces.into_iter().map(|piece| follower.follow(piece)).sum();
    Seen {
        passed,
        heads: follower.heads(),
        ending: follower.ending(),
        refusal: follower.refusal(),
    }
}

/// The violation found in a whole head.
fn verdict(head: &str) -> Option<Violation> {
    let seen = follow([head.as_bytes()]);
    assert_eq!(seen.heads == 1, seen.refusal.is_none(), "{head:?}");
    seen.refusal.map(|(number, violation)| {
        assert_eq!(number, 0);
        violation
    })
}

#[test]
fn the_corpus_has_its_verdicts() {
    assert!(HEADS.len() >= 60);
    for (head, expected) in HEADS {
        assert_eq!(verdict(head), *expected, "{head:?}");
    }
}

#[test]
fn splits_change_nothing() {
    for (head, _) in HEADS {
        let bytes = [head.as_bytes(), b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let whole = follow([&bytes[..]]);
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(follow([left, right]), whole, "{head:?} at {at}");
        }
        assert_eq!(follow(bytes.chunks(1)), whole, "{head:?} by bytes");
        assert_eq!(follow(bytes.chunks(3)), whole, "{head:?} by threes");
    }
}

#[test]
fn nothing_follows_an_offending_head() {
    let good = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let after = "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
    for (bad, expected) in HEADS {
        let Some(violation) = *expected else { continue };
        let text = format!("{good}{bad}{after}");
        let seen = follow([text.as_bytes()]);
        assert_eq!(seen.passed, good.len() + bad.len(), "{bad:?}");
        assert_eq!(seen.refusal, Some((1, violation)), "{bad:?}");
        assert_eq!(seen.ending, Some(Ending::Refused), "{bad:?}");
    }
}

#[test]
fn a_violation_is_known_before_its_head_ends() {
    let mut follower = Follower::new(MAX_HEAD);
    follower.follow(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\nX-Y");
    assert_eq!(follower.refusal(), Some((0, Violation::RepeatedHost)));
    assert_eq!(follower.ending(), None);
    assert_eq!(follower.follow(b": z\r\n\r\nmore"), 7);
    assert_eq!(follower.ending(), Some(Ending::Refused));
    assert_eq!(follower.follow(b"more"), 0);
}

#[test]
fn pipelined_messages_pass_untouched() {
    let text = concat!(
        "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost:\n\n",
        "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "5;name=\"a;b\"\r\nGET /\r\n1F \t;x\r\n\r\n\r\nTRACE / HTTP/1.1\r\n\r\n0123456\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n",
        "GET /d HTTP/1.0\r\n\r\n",
    );
    let whole = follow([text.as_bytes()]);
    let expected = Seen {
        passed: text.len(),
        heads: 4,
        ending: None,
        refusal: None,
    };
    assert_eq!(whole, expected);
    for at in 0..=text.len() {
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(follow([left, right]), expected, "at {at}");
    }
}

#[test]
fn a_long_body_is_skipped_by_arithmetic() {
    let mut follower = Follower::new(MAX_HEAD);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n\n\n\n";
    assert_eq!(follower.follow(head), head.len());
    assert_eq!(follower.follow(&[b'\n'; 999_996]), 999_996);
    assert_eq!(follower.follow(b"\nGET"), 4);
    assert_eq!(follower.refusal(), None);
    assert_eq!(follower.follow(b" /\\ HTTP/1.1\r\n"), 14);
    assert_eq!(follower.refusal(), Some((1, Violation::Path)));
}

#[test]
fn a_long_line_is_refused_and_not_kept() {
    let name = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let fits = format!("{name}{}\r\n\r\n", "x".repeat(MAX_HEAD - 4));
    assert_eq!(verdict(&fits), None);
    assert_eq!(follow(fits.as_bytes().chunks(1000)).refusal, None);
    let long = format!("{name}{}\r\n\r\nGET", "x".repeat(MAX_HEAD - 3));
    for pieces in [1, 1000, long.len()] {
        let seen = follow(long.as_bytes().chunks(pieces));
        assert_eq!(seen.refusal, Some((0, Violation::HeadTooLarge)));
        assert_eq!(seen.passed, long.len() - 3);
    }
    assert_eq!(Violation::HeadTooLarge.status(), 431);
    assert_eq!(Violation::Path.status(), 400);
}

#[test]
fn chunked_bodies() {
    for (body, expected) in [
        ("0\r\n\r\n", Progress::Done),
        ("000\r\n\r\n", Progress::Done),
        ("5\r\nhello\r\n0\r\n\r\n", Progress::Done),
        (
            "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
            Progress::Done,
        ),
        ("1;a=b;c=\"d\"\r\nx\r\n0;last\r\n\r\n", Progress::Done),
        ("1 \t\r\nx\r\n0\t;y\r\n\r\n", Progress::Done),
        ("0\r\nA: b\r\nC: d\r\n\r\n", Progress::Done),
        ("2\r\n\r\n\r\n0\r\n\r\n", Progress::Done),
        ("5\r\nhello\r\n0\r\n", Progress::Inside),
        ("5\r\nhel", Progress::Inside),
        ("ffffffffffffffff\r\n", Progress::Inside),
        ("10000000000000000", Progress::Broken),
        ("\r", Progress::Broken),
        (";", Progress::Broken),
        ("-", Progress::Broken),
        ("+", Progress::Broken),
        (" ", Progress::Broken),
        ("0x", Progress::Broken),
        ("5 5", Progress::Broken),
        ("5\n", Progress::Broken),
        ("5\rh", Progress::Broken),
        ("5;a\n", Progress::Broken),
        ("5;a\rb", Progress::Broken),
        ("1\r\nxy", Progress::Broken),
        ("1\r\nx\n", Progress::Broken),
        ("1\r\nx\ry", Progress::Broken),
        ("0\r\n\n", Progress::Broken),
        ("0\r\n\rx", Progress::Broken),
        ("0\r\nA: b\n", Progress::Broken),
        ("0\r\nA: b\rx", Progress::Broken),
    ] {
        for piece in 1..=body.len() {
            let mut chunks = Chunks::default();
            let mut end = (0, Progress::Inside);
            for piece in body.as_bytes().chunks(piece) {
                let (used, progress) = chunks.follow(piece);
                end = (end.0 + used, progress);
            }
            assert_eq!(end, (body.len(), expected), "{body:?} by {piece}");
        }
    }
    let (used, progress) = Chunks::default().follow(b"0\r\n\r\nGET /");
    assert_eq!((used, progress), (5, Progress::Done));
}

#[test]
fn the_verdict_is_for_the_offending_request() {
    let verdict = Verdict::default();
    let service = verdict.clone();
    assert_eq!(service.next(), None);
    verdict.refuse(2, Violation::Path);
    verdict.refuse(3, Violation::Target);
    assert_eq!(service.next(), None);
    assert!(!verdict.is_told());
    assert_eq!(service.next(), Some(Violation::Path));
    assert!(verdict.is_told());
    assert_eq!(service.next(), Some(Violation::Path));
}

#[test]
fn http2_is_recognised() {
    for (first, expected) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12"[..], true),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
        (b"PRI", true),
        (b"PRI * HTTP/2.0", true),
        (b"PR", false),
        (b"", false),
        (b"PRI * HTTP/1.1\r\n", false),
        (b"PRO", false),
        (b"POST / HTTP/1.1\r\n", false),
    ] {
        assert_eq!(is_http2_preface(first), expected, "{first:?}");
    }
}
