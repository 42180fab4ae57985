//! A request leaves with the bytes it came with, except the model's name, the credential and the wish for usage.

use std::time::Duration;

use super::{UPSTREAM, with_raw};
use crate::support::{Call, Reply};

const ANSWER: &[u8] = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"w1"},"finish_reason":"stop"}]}"#;

const STREAM: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"w1\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// What is odd about a body is the client's business: order, blanks, unknown fields, long numbers, escapes.
const ODD: &str = "{ \"temperature\" : 0.70,\n\t\"seed\":12345678901234567890, \"unknown\":{\"z\":[1, 2 ,3],\"model\":\"no\"},\
    \"model\": \"main\" ,\"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9 \\ud83d\\ude00 😀 \\/\"}] }\n";

/// What the provider gets of `sent`.
fn check(sent: &str, expected: &str) {
    let streamed = sent.contains("\"stream\":true");
    let reply = if streamed {
        Reply::stream(&[STREAM], Duration::ZERO)
    } else {
        Reply::new("200 OK", "content-type: application/json\r\n", ANSWER)
    };
    with_raw(reply, async |bench, raw| {
        let answer = bench.call(&Call::post("/v1/chat/completions", sent)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = raw.only().body;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    });
}

#[test]
fn bytes_pass_but_for_the_model() {
    check(ODD, &ODD.replace("\"main\"", &format!("\"{UPSTREAM}\"")));
}

#[test]
fn an_escaped_name_is_the_same_name() {
    check(
        r#"{"model":"m\u0061in","n":1}"#,
        &format!(r#"{{"model":"{UPSTREAM}","n":1}}"#),
    );
}

/// Usage is always asked for, by the fewest bytes.
#[test]
fn a_stream_is_asked_for_usage() {
    let model = format!("\"model\":\"{UPSTREAM}\"");
    let wish = "\"stream_options\":{\"include_usage\":true}";
    check(
        r#"{"model":"main","stream":true,"messages":[]}"#,
        &format!("{{{wish},{model},\"stream\":true,\"messages\":[]}}"),
    );
    check(
        r#"{"model":"main","stream":true,"stream_options":{"include_usage":true}}"#,
        &format!("{{{model},\"stream\":true,{wish}}}"),
    );
    check(
        r#"{"model":"main","stream":true,"stream_options":{"include_usage":false}}"#,
        &format!("{{{model},\"stream\":true,{wish}}}"),
    );
    check(
        r#"{"stream":true,"stream_options":null,"model":"main"}"#,
        &format!("{{\"stream\":true,{wish},{model}}}"),
    );
}

/// The provider sees its own credential and nothing that the client said about itself.
#[test]
fn the_client_stays_behind_the_gateway() {
    let reply = Reply::new("200 OK", "content-type: application/json\r\n", ANSWER);
    with_raw(reply, async |bench, raw| {
        let call = Call::post("/v1/chat/completions", ODD)
            .header("authorization", "Bearer sk-client")
            .header("x-api-key", "sk-client")
            .header("cookie", "session=1")
            .header("accept-encoding", "gzip, br")
            .header("x-trimtab-explain", "1")
            .header("openai-beta", "assistants=v2")
            .header("connection", "keep-alive");
        let answer = bench.call(&call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let heard = raw.only();
        assert!(
            heard
                .head
                .starts_with("POST /base/v1/chat/completions HTTP/1.1\r\n"),
            "{}",
            heard.head
        );
        assert!(!heard.head.contains("sk-client"), "{}", heard.head);
        assert_eq!(
            heard.header("authorization"),
            Some("Bearer sk-provider-0123")
        );
        assert_eq!(heard.header("host"), Some(raw.address.to_string().as_str()));
        assert_eq!(heard.header("content-type"), Some("application/json"));
        assert_eq!(heard.header("accept-encoding"), Some("identity"));
        assert_eq!(heard.header("openai-beta"), Some("assistants=v2"));
        assert_eq!(
            heard.header("content-length"),
            Some(heard.body.len().to_string().as_str())
        );
        for name in [
            "cookie",
            "x-api-key",
            "x-trimtab-explain",
            "connection",
            "transfer-encoding",
        ] {
            assert_eq!(heard.header(name), None, "{name}");
        }
    });
}

/// Every path that clients write leads to the same place.
#[test]
fn each_endpoint_has_its_path_upstream() {
    for (path, upstream) in [
        ("/v1/chat/completions", "/base/v1/chat/completions"),
        ("/chat/completions", "/base/v1/chat/completions"),
        ("/openai/v1/chat/completions", "/base/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/base/v1/chat/completions"),
        ("/v1/completions", "/base/v1/completions"),
        ("/v1/embeddings", "/base/v1/embeddings"),
    ] {
        let reply = Reply::new("200 OK", "content-type: application/json\r\n", ANSWER);
        with_raw(reply, async |bench, raw| {
            let answer = bench.call(&Call::post(path, ODD)).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(
                raw.only().head.starts_with(&format!("POST {upstream} ")),
                "{path}"
            );
        });
    }
}
