//! Messages of which two readers would make two things.

use std::time::Duration;

use super::{MAX_HEAD, assert_well, garbage, spec};
use crate::support::{Call, Client, Ended, Mode, bench, chat, pass_ms, words};

const SOON: Duration = Duration::from_secs(5);

/// Sends bytes; the statuses of the answers, and how the connection ended.
async fn statuses(client: &mut Client, bytes: &[u8]) -> (Vec<u16>, Ended) {
    client.send(bytes).await;
    let mut statuses = Vec::new();
    loop {
        match client.answer_within(SOON).await {
            Ok(answer) => statuses.push(answer.status),
            Err(ended) => return (statuses, ended),
        }
    }
}

#[test]
fn ambiguous_messages_are_refused() {
    let good = "{\"model\":\"main\"}";
    let post = "POST /v1/chat/completions HTTP/1.1\r\n";
    let heads = [
        format!(
            "{post}host: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        format!(
            "{post}host: localhost\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n"
        ),
        format!("{post}host: localhost\r\ncontent-length: 4\r\ncontent-length: 16\r\n\r\n{good}"),
        format!("{post}host: localhost\r\ncontent-length: 16, 16\r\n\r\n{good}"),
        format!("{post}host: localhost\r\ncontent-length: +16\r\n\r\n{good}"),
        format!("{post}host: localhost\r\ncontent-length: -1\r\n\r\n{good}"),
        format!("{post}host: localhost\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}host: localhost\r\ntransfer-encoding: x\r\n\r\n{good}"),
        format!("{post}content-length: 16\r\n\r\n{good}"),
        format!("{post}host: localhost\r\nhost: evil\r\ncontent-length: 16\r\n\r\n{good}"),
        format!("{post}host: a b\r\ncontent-length: 16\r\n\r\n{good}"),
        format!("{post}host: localhost\r\nx: a\r\n b\r\ncontent-length: 16\r\n\r\n{good}"),
        format!("{post}host: localhost\ncontent-length: 16\n\n{good}"),
        "GET /v1/../health HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET //health HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n".to_owned(),
        "TRACE / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET http://evil/health HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET  /health HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /health HTTP/9.9\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /health\r\n\r\n".to_owned(),
    ];
    bench(&spec(), async |bench| {
        for head in heads {
            // What follows an ambiguous message is never a request.
            let smuggled = format!("{head}GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n");
            let mut client = Client::open(bench.address).await;
            let (answers, ended) = statuses(&mut client, smuggled.as_bytes()).await;
            assert_eq!((answers, ended), (vec![400], Ended::Closed), "{head}");
        }
        assert_eq!(bench.mock.attempts().len(), 0);
        assert_well(&bench).await;
    });
}

#[test]
fn oversized_heads_are_refused() {
    bench(&spec(), async |bench| {
        let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
        for filler in [
            format!("x: {}\r\n", "y".repeat(MAX_HEAD)),
            "x: y\r\n".repeat(MAX_HEAD),
            many,
        ] {
            let mut client = Client::open(bench.address).await;
            let head = format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{filler}\r\n");
            let (answers, ended) = statuses(&mut client, head.as_bytes()).await;
            assert_eq!(answers, [431], "{ended:?}");
            assert!(matches!(ended, Ended::Closed | Ended::Reset));
        }
        let mut client = Client::open(bench.address).await;
        let line = format!(
            "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "y".repeat(2 * MAX_HEAD)
        );
        let (answers, _) = statuses(&mut client, line.as_bytes()).await;
        assert!(answers == [431] || answers == [414], "{answers:?}");
        assert_well(&bench).await;
    });
}

#[test]
fn what_is_not_http_is_closed() {
    bench(&spec(), async |bench| {
        let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
        let preface = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            garbage(7, 4_096),
        ]
        .concat();
        let half = b"PRI * HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        let junk = (0..10).map(|seed| garbage(seed, 4_096));
        for bytes in junk.chain([
            tls,
            preface,
            half,
            b"\r\n\r\n\r\n\r\n".to_vec(),
            vec![0; 10_000],
        ]) {
            let mut client = Client::open(bench.address).await;
            client.send(&bytes).await;
            let shown = bytes[..16.min(bytes.len())].to_vec();
            assert!(
                client.is_closed_within(Duration::from_secs(15)).await,
                "{shown:?}"
            );
        }
        assert_well(&bench).await;
    });
}

/// Requests that come in one piece are answered one after another, in order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    bench(&spec(), async |bench| {
        let calls = [
            Call::chat(&chat("main", Mode::Whole)),
            Call::chat(&chat("main", Mode::Stream)),
            Call::chat(&chat("nobody", Mode::Whole)),
            Call::get("/health"),
            Call::chat(&chat("main", Mode::Stream)),
        ];
        let bytes: Vec<u8> = calls.iter().flat_map(Call::bytes).collect();
        let mut client = Client::open(bench.address).await;
        client.send(&bytes).await;
        for (expected, content) in [
            (200, words(5)),
            (200, words(5)),
            (404, String::new()),
            (200, String::new()),
            (200, words(5)),
        ] {
            let answer = client.answer().await;
            assert_eq!(
                (answer.status, answer.ended),
                (expected, Ended::Whole),
                "{answer:?}"
            );
            assert_eq!(answer.content(), content);
        }
        assert_well(&bench).await;
    });
}

/// A client that asks before it sends gets its go-ahead, or its refusal before it has sent.
#[test]
fn a_client_may_ask_before_it_sends() {
    bench(&spec(), async |bench| {
        let mut client = Client::open(bench.address).await;
        let body = "{\"model\":\"main\"}";
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.send(head.as_bytes()).await;
        assert_eq!(client.answer_within(SOON).await.unwrap().status, 100);
        client.send(body.as_bytes()).await;
        assert_eq!(client.answer().await.content(), words(5));

        let mut client = Client::open(bench.address).await;
        let head = head.replace("content-length: 16", "content-length: 16000000");
        client.send(head.as_bytes()).await;
        assert_eq!(client.answer().await.status, 413);
        assert_well(&bench).await;
    });
}

/// Half a request is nothing, however it ends.
#[test]
fn half_a_request_is_forgotten() {
    bench(&spec(), async |bench| {
        let bytes = Call::chat(&chat("main", Mode::Whole)).bytes();
        for length in [0, 1, 3, 20, bytes.len() / 2, bytes.len() - 1] {
            let mut client = Client::open(bench.address).await;
            client.send(&bytes[..length]).await;
            pass_ms(10).await;
            drop(client);
        }
        pass_ms(10).await;
        assert_eq!(bench.mock.attempts().len(), 0);
        assert_well(&bench).await;
    });
}
