//! Bodies that are no requests.

use super::{MAX_BODY, assert_well, garbage, spec};
use crate::support::{Answer, Bench, Call, Client, Ended, bench, paused};

const PATH: &str = "/v1/chat/completions";

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(
        (answer.status, answer.ended),
        (status, Ended::Whole),
        "{answer:?}"
    );
    let error = answer.json()["error"].clone();
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert_eq!(error["type"], "invalid_request_error");
    assert!(
        answer.body.len() < 2_048,
        "an error repeats little of what was sent"
    );
}

/// A request whose messages are nested so deep.
fn nested(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!("{{\"model\":\"main\",\"messages\":{open}{close}}}")
}

#[test]
fn malformed_bodies_are_refused() {
    let huge_name = format!("{{\"model\":\"{}\"}}", "x".repeat(5_000));
    let bodies: Vec<(u16, Vec<u8>)> = [
        (400, ""),
        (400, " \n\t "),
        (400, "null"),
        (400, "\"main\""),
        (400, "[{\"model\":\"main\"}]"),
        (400, "{"),
        (400, "{\"model\":\"main\""),
        (400, "{\"model\":\"main\",\"messages\":[{\"role\":\"us"),
        (400, "{\"model\":\"main\"} trailing"),
        (400, "{\"model\":\"main\"}{\"model\":\"main\"}"),
        (400, "{'model':'main'}"),
        (400, "{\"model\":\"ma\\ud800in\"}"),
        (400, "{\"model\":\"ma\u{0}in\"}"),
        (400, "{\"messages\":[]}"),
        (400, "{\"model\":\"\"}"),
        (400, "{\"model\":null}"),
        (400, "{\"model\":5}"),
        (400, "{\"model\":[\"main\"]}"),
        (400, "{\"model\":{\"name\":\"main\"}}"),
        (400, "{\"model\":\"main\",\"stream\":\"yes\"}"),
        (400, "{\"model\":\"main\",\"stream\":1}"),
        (
            400,
            "{\"model\":\"main\",\"stream\":true,\"stream_options\":5}",
        ),
        (
            400,
            "{\"model\":\"main\",\"stream\":true,\"stream_options\":[true]}",
        ),
        (
            400,
            "{\"model\":\"main\",\"stream\":true,\"stream_options\":{\"include_usage\":\"x\"}}",
        ),
        // With two of one field, one reader bills what another does not serve.
        (400, "{\"model\":\"main\",\"model\":\"other\"}"),
        (400, "{\"model\":\"main\",\"mo\\u0064el\":\"other\"}"),
        (400, "{\"model\":\"main\",\"stream\":true,\"stream\":false}"),
        (
            400,
            "{\"model\":\"main\",\"max_tokens\":1,\"max_tokens\":100000}",
        ),
        (404, huge_name.as_str()),
    ]
    .into_iter()
    .map(|(status, text)| (status, text.as_bytes().to_vec()))
    .chain([
        (
            400,
            b"{\"model\":\"main\",\"messages\":\"\xff\xfe\"}".to_vec(),
        ),
        (400, b"\xef\xbb\xbf{\"model\":\"main\"}".to_vec()),
        (400, nested(30_000).into_bytes()),
        (400, "[".repeat(MAX_BODY).into_bytes()),
        (400, "{\"a\":".repeat(MAX_BODY / 5).into_bytes()),
    ])
    .collect();
    bench(&spec(), async |bench| {
        for (status, body) in &bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let answer = bench.call(&Call::post(PATH, body.clone())).await;
            assert_eq!(answer.status, *status, "{shown}: {answer:?}");
            assert_refused(&answer, *status);
        }
        assert_eq!(bench.mock.attempts().len(), 0, "nobody is asked");
        assert_well(&bench).await;
    });
}

/// 100,000 levels fit a stack no more than a parser's patience.
#[test]
fn depth_is_bounded() {
    let text = spec()
        .text()
        .replace("max_body = \"64KiB\"", "max_body = \"1MiB\"");
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        let deep = [
            nested(100_000),
            "{\"model\":\"main\",\"x\":".to_owned()
                + &"{\"a\":".repeat(100_000)
                + "1"
                + &"}".repeat(100_001),
        ];
        for body in deep {
            assert_refused(&bench.call(&Call::post(PATH, body)).await, 400);
        }
        let bearable = bench.call(&Call::post(PATH, nested(100))).await;
        assert_ne!(bearable.status, 500, "{bearable:?}");
        assert_well(&bench).await;
    });
}

/// The last depth and count that are accepted, the first that are not, and what each client hears then.
#[test]
fn shapes_are_bounded_in_every_dialect() {
    const DEPTH: &str = "the body is nested more than 128 levels deep";
    const COUNT: &str = "the body holds more than 100000 objects and lists";
    let text = spec()
        .text()
        .replace("max_body = \"64KiB\"", "max_body = \"1MiB\"");
    let messages = r#""model":"main","messages":[{"role":"user","content":"hi"}],"max_tokens":5"#;
    let clients = [
        (PATH, messages, 3),
        ("/v1/messages", messages, 3),
        (
            "/v1beta/models/main:generateContent",
            r#""contents":[{"role":"user","parts":[{"text":"hi"}]}]"#,
            5,
        ),
    ];
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        for (path, asked, containers) in clients {
            let deep = |levels: usize| "[".repeat(levels - 1) + &"]".repeat(levels - 1);
            // The list is one more.
            let wide = |count: usize| format!("[{}0]", "{},".repeat(count - containers - 1));
            for (more, refused) in [
                (deep(128), None),
                (deep(129), Some(DEPTH)),
                (wide(100_000), None),
                (wide(100_001), Some(COUNT)),
            ] {
                let body = format!("{{{asked},\"more\":{more}}}");
                let answer = bench.call(&Call::post(path, body)).await;
                let Some(words) = refused else {
                    assert_eq!(answer.status, 200, "{path}: {answer:?}");
                    continue;
                };
                assert_eq!(answer.status, 400, "{path}: {answer:?}");
                let whole = answer.json();
                let error = &whole["error"];
                let message = error["message"].as_str().unwrap();
                assert!(message.contains(words), "{path}: {message}");
                if path.contains("generate") {
                    assert_eq!(error["code"], 400);
                    assert_eq!(error["status"], "INVALID_ARGUMENT");
                } else {
                    assert_eq!(error["type"], "invalid_request_error");
                    let is_anthropics = whole["type"] == "error";
                    assert_eq!(is_anthropics, path == "/v1/messages", "{answer:?}");
                }
            }
        }
        assert_eq!(bench.mock.attempts().len(), 2 * clients.len());
        assert_well(&bench).await;
    });
}

#[test]
fn garbage_is_refused() {
    bench(&spec(), async |bench| {
        for seed in 0..20 {
            let answer = bench.call(&Call::post(PATH, garbage(seed, 4_096))).await;
            assert_refused(&answer, 400);
        }
        assert_well(&bench).await;
    });
}

/// Oversized bodies are refused by their announced length, and else when they get too long.
#[test]
fn oversized_bodies_are_refused() {
    bench(&spec(), async |bench| {
        let body = vec![b' '; MAX_BODY + 1];
        let answer = bench.call(&Call::post(PATH, body.clone())).await;
        assert_refused(&answer, 413);
        assert_eq!(answer.header("connection"), Some("close"));

        let mut client = Client::open(bench.address).await;
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        client.send(head.as_bytes()).await;
        let chunk = [b"4000\r\n".as_slice(), &vec![b' '; 0x4000], b"\r\n"].concat();
        for _ in 0..6 {
            client.send(&chunk).await;
        }
        assert_refused(&client.answer().await, 413);

        let mut client = Client::open(bench.address).await;
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n"
        );
        client.send(head.as_bytes()).await;
        let answer = client.answer().await;
        assert_refused(&answer, 413);
        assert!(answer.took.as_millis() < 100, "the announcement is enough");

        let just = format!(
            "{{\"model\":\"main\",\"x\":\"{}\"}}",
            "x".repeat(MAX_BODY - 23)
        );
        assert_eq!(just.len(), MAX_BODY);
        assert_eq!(bench.call(&Call::post(PATH, just)).await.status, 200);
        assert_well(&bench).await;
    });
}

#[test]
fn compressed_bodies_are_refused() {
    bench(&spec(), async |bench| {
        let call = Call::post(PATH, "{\"model\":\"main\"}");
        for encoding in ["gzip", "br", "zstd", "deflate, gzip", "GZIP"] {
            let answer = bench
                .call(&call.clone().header("content-encoding", encoding))
                .await;
            assert_refused(&answer, 415);
            assert_eq!(
                answer.json()["error"]["code"],
                "unsupported_content_encoding"
            );
        }
        let answer = bench
            .call(&call.header("content-encoding", "identity"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_well(&bench).await;
    });
}

/// What is odd but clear is served: the provider is who judges it.
#[test]
fn odd_but_clear_bodies_are_served() {
    bench(&spec(), async |bench| {
        for body in [
            "{\"model\":\"main\",\"max_tokens\":null}",
            "{\"model\":\"main\",\"max_tokens\":-5}",
            "{\"model\":\"main\",\"max_tokens\":1e99}",
            "{\"model\":\"main\",\"n\":4294967296,\"max_tokens\":4294967295}",
            "{\"model\":\"main\",\"temperature\":\"hot\",\"messages\":7}",
            "\r\n\t {\"model\":\"main\"}\r\n",
        ] {
            let answer = bench.call(&Call::post(PATH, body)).await;
            assert!([200, 400].contains(&answer.status), "{body}: {answer:?}");
        }
        assert_eq!(bench.mock.attempts().len(), 6);
        assert_well(&bench).await;
    });
}
