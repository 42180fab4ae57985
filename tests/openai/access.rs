//! Models, health, and who may ask.

use super::{with_raw, with_stand_in};
use crate::support::{Call, Mode, Reply, bench, chat, words};

#[test]
fn models_are_listed() {
    bench(&with_stand_in("m"), async |bench| {
        let answer = bench.get("/v1/models").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json"))
        );
        let json = answer.json();
        assert_eq!(json["object"], "list");
        let ids: Vec<_> = json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["main", "org/name"]);
        for (path, id) in [
            ("/v1/models/main", "main"),
            ("/openai/v1/models/main", "main"),
            ("/v1/models/org%2Fname", "org/name"),
            ("/v1/models/org/name", "org/name"),
        ] {
            let answer = bench.get(path).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let json = answer.json();
            assert_eq!(
                (json["id"].as_str(), json["object"].as_str()),
                (Some(id), Some("model"))
            );
            assert!(json["created"].is_u64() && json["owned_by"].is_string());
        }
    });
}

#[test]
fn health_and_readiness_need_nobody() {
    let spec = with_stand_in("m").server("token = \"gw-secret-token\"");
    bench(&spec, async |bench| {
        for path in ["/health", "/healthz", "/ready", "/readyz"] {
            let answer = bench.get(path).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("application/json"))
            );
            assert!(answer.json()["status"].is_string());
        }
        for path in ["/api/hello", "/", "/v1/chat/completions"] {
            let answer = bench.call(&Call::get(path).method("HEAD")).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        }
        assert_eq!(bench.mock.attempts().len(), 0);
    });
}

#[test]
fn a_token_is_asked_for() {
    let spec = with_stand_in("m").server("token = \"gw-secret-token\"");
    bench(&spec, async |bench| {
        let call = Call::chat(&chat("main", Mode::Whole));
        for (name, value) in [
            ("authorization", "Bearer gw-secret-token"),
            ("authorization", "bearer gw-secret-token"),
            ("x-api-key", "gw-secret-token"),
            ("api-key", "gw-secret-token"),
        ] {
            let answer = bench.call(&call.clone().header(name, value)).await;
            assert_eq!(
                (answer.status, answer.content()),
                (200, words(12)),
                "{name}: {value}"
            );
        }
        let attempts = bench.mock.attempts().len();
        for (name, value) in [
            ("accept", "*/*"),
            ("authorization", "Bearer gw-secret-toke"),
            ("authorization", "Bearer gw-secret-token1"),
            ("authorization", "Bearer "),
            ("authorization", "gw-secret-token"),
            ("authorization", "Basic gw-secret-token"),
            ("x-api-key", ""),
            ("api-key", "GW-SECRET-TOKEN"),
        ] {
            for call in [
                call.clone(),
                Call::get("/v1/models"),
                Call::get("/v1/nothing"),
            ] {
                let answer = bench.call(&call.header(name, value)).await;
                assert_eq!(answer.status, 401, "{name}: {value}: {answer:?}");
                let error = answer.json()["error"].clone();
                assert_eq!(error["code"], "invalid_api_key");
                assert_eq!(error["type"], "authentication_error");
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                assert!(!answer.text().contains("gw-secret"));
            }
        }
        assert_eq!(bench.mock.attempts().len(), attempts);
    });
}

#[test]
fn the_other_endpoints_answer_too() {
    bench(&with_stand_in("m"), async |bench| {
        let body = r#"{"model":"main","prompt":"Say it.","max_tokens":5}"#;
        let answer = bench.call(&Call::post("/v1/completions", body)).await;
        assert_eq!(answer.json()["choices"][0]["text"], words(5));
        let body = r#"{"model":"main","input":["a","b","c"],"dimensions":8}"#;
        let answer = bench.call(&Call::post("/v1/embeddings", body)).await;
        let data = answer.json()["data"].clone();
        assert_eq!(data.as_array().unwrap().len(), 3);
        assert_eq!(data[2]["embedding"].as_array().unwrap().len(), 8);
        let seen: Vec<_> = bench
            .mock
            .attempts()
            .iter()
            .map(|attempt| attempt.path)
            .collect();
        assert_eq!(seen, ["completions", "embeddings"]);
    });
}

/// A field that asks for a stream means nothing where there is none.
#[test]
fn embeddings_are_never_streamed() {
    let body = b"{\"object\":\"list\",\"data\":[{\"embedding\":[0.5]}]}";
    let reply = Reply::new("200 OK", "content-type: application/json\r\n", body);
    with_raw(reply, async |bench, raw| {
        let sent = r#"{"model":"main","input":"a","stream":true}"#;
        let answer = bench.call(&Call::post("/v1/embeddings", sent)).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &body[..]));
        let heard = String::from_utf8(raw.only().body).unwrap();
        assert!(!heard.contains("stream_options"), "{heard}");
    });
}
