//! An answer arrives with the provider's bytes, as soon as they are there.

use std::time::Duration;

use super::{with_raw, with_stand_in};
use crate::support::{Call, Client, Ended, Mode, Reply, bench, chat, words};

/// Each piece is an event, or a part of one; the middle of a character and of a line are among the cuts.
const PIECES: [&str; 9] = [
    ": a comment\n\n",
    "data: {\"id\":\"x\",  \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\u{e9}\"}}],\"vendor\":[1,2]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"con",
    "tent\":\" w2\"}}]}\n",
    "\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w3\"}}]}\n\ndata: {\"choices\":[{\"index\":0,",
    "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    USAGE,
    "data: [DONE]\n\n",
];

const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":3,\"total_tokens\":6}}\n\n";

fn pieces() -> Vec<&'static [u8]> {
    PIECES.iter().map(|piece| piece.as_bytes()).collect()
}

#[test]
fn a_whole_answer_passes_byte_by_byte() {
    let body = b"{\n  \"id\" : \"x\", \"choices\":[{\"message\":{\"content\":\"\\u0041\"}} ], \"n\":1.50,\n\"extra\":{}}\n\n";
    let reply = Reply::new(
        "200 OK",
        "content-type: application/json; charset=utf-8\r\n",
        body,
    );
    with_raw(reply, async |bench, _raw| {
        let answer = bench.chat(&chat("main", Mode::Whole)).await;
        assert_eq!((answer.status, answer.ended), (200, Ended::Whole));
        assert_eq!(answer.body, body);
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8")
        );
    });
}

#[test]
fn a_stream_passes_byte_by_byte() {
    for apart in [Duration::ZERO, Duration::from_millis(7)] {
        with_raw(Reply::stream(&pieces(), apart), async |bench, _raw| {
            let answer = bench.chat(&chat("main", Mode::Stream)).await;
            assert_eq!((answer.status, answer.ended), (200, Ended::Whole));
            assert_eq!(answer.text(), PIECES.concat());
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
        });
    }
}

/// The chunk that only the gateway asked for is kept for the accounts.
#[test]
fn usage_that_the_client_did_not_ask_for_is_kept_back() {
    let mut body = chat("main", Mode::Stream);
    for options in [None, Some(serde_json::json!({"include_usage": false}))] {
        body["stream_options"] = options.unwrap_or_default();
        with_raw(
            Reply::stream(&pieces(), Duration::ZERO),
            async |bench, _raw| {
                let answer = bench.chat(&body).await;
                assert_eq!(answer.text(), PIECES.concat().replace(USAGE, ""));
                let metrics = bench.metrics().await;
                assert!((metrics.sum("router_tokens_total", &["output"]) - 3.0).abs() < 0.1);
                assert!((metrics.sum("router_tokens_total", &["input"]) - 3.0).abs() < 0.1);
            },
        );
    }
}

/// A token is handed on the moment it arrives, and the first one as early as any.
#[test]
fn tokens_are_not_held_back() {
    bench(&with_stand_in("m"), async |bench| {
        let answer = bench.chat(&chat("main", Mode::Stream)).await;
        assert_eq!(answer.content(), words(12));
        let events = answer.events();
        let times: Vec<_> = events
            .iter()
            .filter(|event| event.is_word())
            .map(|event| event.at)
            .collect();
        assert!(
            times[0] >= Duration::from_millis(20) && times[0] < Duration::from_millis(25),
            "{times:?}"
        );
        for two in times.windows(2) {
            let gap = two[1] - two[0];
            assert!(
                gap >= Duration::from_millis(4) && gap <= Duration::from_millis(7),
                "{times:?}"
            );
        }
    });
}

/// What follows the end marker, and events that break clients, do not pass.
#[test]
fn what_breaks_clients_does_not_pass() {
    let word = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w1\"}}]}\n\n";
    let stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let sent = [
        "event: ping\ndata: {}\n\n",
        word,
        "data: {\"cho\n\n",
        stop,
        "data: [DONE]\n\n",
        word,
    ];
    let pieces: Vec<_> = sent.iter().map(|piece| piece.as_bytes()).collect();
    with_raw(
        Reply::stream(&pieces, Duration::from_millis(3)),
        async |bench, _raw| {
            let answer = bench.chat(&chat("main", Mode::Stream)).await;
            assert_eq!(answer.ended, Ended::Whole);
            assert_eq!(answer.text(), [word, stop, "data: [DONE]\n\n"].concat());
        },
    );
}

/// Several answers on one connection, whole and streamed, do not mix.
#[test]
fn a_connection_is_kept() {
    bench(&with_stand_in("m"), async |bench| {
        let mut client = Client::open(bench.address).await;
        for round in 0..3 {
            for mode in Mode::BOTH {
                let answer = client.call(&Call::chat(&chat("main", mode))).await;
                assert_eq!(answer.content(), words(12), "round {round}");
                assert_eq!(client.unread(), b"");
            }
        }
        let metrics = bench.metrics().await;
        assert!((metrics.sum("router_connections_total", &[]) - 1.0).abs() < 0.1);
    });
}

/// Without `TCP_NODELAY` towards the client a token would wait for the acknowledgement of the one before,
/// which here is for ever: hardly any real time passes between two tokens.
///
/// The kernel delays acknowledgements only on connections that have gone back and forth a few times.
#[test]
fn small_writes_do_not_wait_for_acknowledgements() {
    const TOKENS: u32 = 100;
    let spec = with_stand_in("m")
        .with("[models.long]\nroutes = [{ provider = \"long\" }]")
        .stand_in(
            "long",
            &format!("ttft = \"50ms\"\ntpot = \"10ms\"\nanswer = {TOKENS}"),
        );
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        let mut body = chat("long", Mode::Stream);
        body["max_tokens"] = 1.into();
        for _ in 0..20 {
            assert_eq!(client.call(&Call::chat(&body)).await.content(), words(1));
        }
        let answer = client.call(&Call::chat(&chat("long", Mode::Stream))).await;
        assert_eq!(answer.content(), words(TOKENS));
        let events = answer.events();
        let times: Vec<_> = events
            .iter()
            .filter(|event| event.is_word())
            .map(|event| event.at)
            .collect();
        let longest = times.windows(2).map(|two| two[1] - two[0]).max().unwrap();
        assert!(longest <= Duration::from_millis(12), "{longest:?}");
    });
}
