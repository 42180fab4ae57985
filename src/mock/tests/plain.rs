//! Answers when nothing goes wrong, the ledger, the control interface and the script.

use super::super::{End, Fault, Kind, MockError, Vendor};
use super::*;

#[test]
fn a_stream_is_complete_and_paced() {
    bench(alpha(paced()), async |bench| {
        let mut body = chat("gpt-4o", true);
        body["stream_options"] = json!({"include_usage": true});
        let got = bench.chat(&body).await;
        assert_eq!((got.status, got.ended), (200, Ended::Whole));
        assert_eq!(
            got.header("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        assert_eq!(got.content(), words(60));
        let events = got.events();
        assert_eq!((events.len(), events[63]), (64, "[DONE]"));
        let usage: Value = serde_json::from_str(events[62]).unwrap();
        assert_eq!(usage["usage"]["total_tokens"], 62);
        assert!(
            events[..63]
                .iter()
                .all(|event| event.contains("\"model\":\"gpt-4o\""))
        );
        let expected = Duration::from_millis(300 + 59 * 15);
        assert!(
            got.last >= expected && got.last < expected + Duration::from_millis(70),
            "{:?}",
            got.last
        );
        assert!(got.first >= Duration::from_millis(300) && got.first < Duration::from_millis(310));
        let attempt = bench.mock.attempts().remove(0);
        assert_eq!(
            (attempt.end, attempt.output_tokens, attempt.input_tokens),
            (End::Completed, 60, 2)
        );
        assert_eq!(
            (&*attempt.key, attempt.path, attempt.status),
            ("1234", "chat/completions", 200)
        );
    });
}

#[test]
fn usage_is_streamed_only_when_asked_for() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let got = bench.chat(&chat("m", true)).await;
        assert_eq!((got.events().len(), got.content()), (53, words(50)));
        assert!(!got.body.contains("usage"));
    });
}

#[test]
fn a_whole_answer_takes_its_whole_time() {
    bench(alpha(paced()), async |bench| {
        let got = bench.chat(&chat("m", false)).await;
        assert_eq!(got.json()["choices"][0]["message"]["content"], words(60));
        assert!(
            got.first >= Duration::from_millis(1_185) && got.first < Duration::from_millis(1_195)
        );
    });
}

#[test]
fn max_tokens_cuts_and_tools_are_called() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = chat("m", false);
        body["max_tokens"] = json!(3);
        let cut = bench.chat(&body).await.json();
        assert_eq!(cut["choices"][0]["message"]["content"], "w1 w2 w3");
        assert_eq!(cut["choices"][0]["finish_reason"], "length");
        body["tools"] = json!([{"type": "function", "function": {"name": "find"}}]);
        body["tool_choice"] = json!("required");
        body["stream"] = json!(true);
        let got = bench.chat(&body).await;
        let pieces = got
            .events()
            .into_iter()
            .filter_map(|event| serde_json::from_str::<Value>(event).ok());
        let arguments: String = pieces
            .filter_map(|event| {
                let call = &event["choices"][0]["delta"]["tool_calls"][0];
                Some(call["function"]["arguments"].as_str()?.to_owned())
            })
            .collect();
        assert!(
            serde_json::from_str::<Value>(&arguments).unwrap()["query"].is_string(),
            "{arguments}"
        );
        assert!(got.body.contains("\"finish_reason\":\"tool_calls\""));
    });
}

#[test]
fn embeddings_models_and_unknown_paths() {
    let provider = ProviderScript {
        models: vec!["e".to_owned()],
        keys: vec!["sk-test-1234".to_owned()],
        ..ProviderScript::default()
    };
    bench(alpha(provider), async |bench| {
        let minute = Duration::from_secs(60);
        let body = json!({"model": "e", "input": [[1, 2, 3]], "dimensions": 4});
        let got = bench.post_for("/v1/embeddings", &body, minute).await.json();
        assert_eq!(got["data"][0]["embedding"].as_array().unwrap().len(), 4);
        let got = bench
            .send(
                "GET /v1/models HTTP/1.1\r\nhost: m\r\nx-api-key: sk-test-1234\r\n\r\n",
                minute,
            )
            .await;
        assert_eq!(got.json()["data"][0]["id"], "e");
        let got = bench
            .send("GET /v1/models/e HTTP/1.1\r\nhost: m\r\n\r\n", minute)
            .await;
        assert_eq!(
            (got.status, got.json()["error"]["code"].as_str()),
            (401, Some("invalid_api_key"))
        );
        let got = bench
            .post_for("/beta/v1/chat/completions", &chat("e", false), minute)
            .await;
        assert_eq!(got.status, 404);
        let got = bench.chat(&chat("other", false)).await;
        assert_eq!(
            (got.status, got.json()["error"]["code"].as_str()),
            (404, Some("model_not_found"))
        );
        assert_eq!(bench.chat(&chat("fault-503", false)).await.status, 503);
        assert_eq!(bench.mock.attempts().len(), 3);
    });
}

#[test]
fn a_client_that_leaves_is_noticed_and_a_deaf_provider_works_on() {
    bench(alpha(paced()), async |bench| {
        let leave = Duration::from_millis(700);
        for stream in [true, false] {
            let path = "/alpha/v1/chat/completions";
            let got = bench.post_for(path, &chat("m", stream), leave).await;
            assert_eq!(got.ended, Ended::Hung);
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(
                bench.last(),
                (End::ClientLeft, String::new()),
                "stream {stream}"
            );
            bench
                .post_for(path, &chat("fault-deaf", stream), leave)
                .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(bench.last().0, End::AnsweredNobody, "stream {stream}");
        }
        assert!(bench.mock.state.providers[0].in_flight.get() == 0);
        let tokens: Vec<u32> = bench
            .mock
            .attempts()
            .iter()
            .map(|it| it.output_tokens)
            .collect();
        assert!(
            tokens[0] > 20 && tokens[0] < 30 && tokens[1..] == [60, 0, 60],
            "{tokens:?}"
        );
    });
}

#[test]
fn the_control_interface_changes_and_shows() {
    let minute = Duration::from_secs(60);
    bench(alpha(paced()), async |bench| {
        let change =
            json!({"provider": "alpha", "fault": "503", "times": 1, "latency_factor": 2.0});
        let state = bench.post_for("/mock/faults", &change, minute).await.json();
        assert_eq!(state["providers"]["alpha"]["fault"], "503");
        assert_eq!(bench.chat(&chat("m", false)).await.status, 503);
        let slow = bench.chat(&chat("m", false)).await;
        assert!(slow.status == 200 && slow.first >= Duration::from_millis(2 * 1_185));
        let clear = json!({"provider": "alpha", "fault": null});
        let state = bench.post_for("/mock/faults", &clear, minute).await.json();
        assert_eq!(
            (&state["providers"]["alpha"]["fault"], &state["attempts"]),
            (&Value::Null, &json!(2))
        );
        for bad in [
            json!({"provider": "beta"}),
            json!({"provider": "alpha", "fault": "x"}),
            json!({"fault": null}),
        ] {
            assert_eq!(
                bench.post_for("/mock/faults", &bad, minute).await.status,
                400
            );
        }
        let attempts = bench
            .send(
                "GET /mock/attempts?since=1 HTTP/1.1\r\nhost: m\r\n\r\n",
                minute,
            )
            .await
            .json();
        assert_eq!(
            (attempts.as_array().unwrap().len(), &attempts[0]["seq"]),
            (1, &json!(2))
        );
        assert_eq!(
            (&attempts[0]["provider"], &attempts[0]["end"]),
            (&json!("alpha"), &json!("completed"))
        );
        let asked = bench.call("GET /mock/request?seq=2", &[], "").await.json();
        assert_eq!(asked["body"], chat("m", false).to_string());
        assert_eq!(
            bench.call("GET /mock/request?seq=9", &[], "").await.status,
            400
        );
        bench
            .send("DELETE /mock/attempts HTTP/1.1\r\nhost: m\r\n\r\n", minute)
            .await;
        assert!(bench.mock.attempts().is_empty());
        let fault = Some(Kind::Overloaded.fault());
        bench.mock.set_fault("alpha", fault).unwrap();
        assert_eq!(bench.chat(&chat("m", false)).await.status, 529);
        assert!(matches!(
            bench.mock.set_fault("beta", fault),
            Err(MockError::UnknownProvider(_))
        ));
    });
}

#[test]
fn http_2_is_spoken_to_its_preface() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let stream = TcpStream::connect(bench.addr).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
            .await
            .unwrap();
        spawn_local(connection);
        let request = hyper::Request::post("http://mock/v1/chat/completions")
            .body(chat("m", true).to_string());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    });
}

#[test]
fn a_mock_runs_on_its_own_thread_until_dropped() {
    let running = Mock::start(alpha(ProviderScript::default())).unwrap();
    let answers = |addr| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(addr).ok()?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n")
            .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let addr = running.addr;
    assert!(answers(addr).unwrap().starts_with("HTTP/1.1 200"));
    running.stop();
    assert_eq!(answers(addr), None);
}

#[test]
fn scripts_are_read_with_their_defaults() {
    let script: Script = toml::from_str(
        r#"
        seed = 7
        [providers.alpha]
        models = ["gpt-4o"]
        ttft = "300ms"
        ttft_per_token = 50
        tpot = "15ms"
        noise = 0.2
        slowdown = { from = 100 }
        answer = { mean = 200 }
        limits = { dialect = "azure-unknown", rpm = 60, slice = "10s" }
        [[providers.alpha.faults]]
        from = "10s"
        until = "20s"
        kind = "cut-7"
        probability_to = 0.4
        [providers.beta]
        answer = 10
        "#,
    )
    .unwrap();
    script.check().unwrap();
    let alpha = &script.providers["alpha"];
    assert_eq!(
        (alpha.ttft, alpha.limits.dialect),
        (Duration::from_millis(300), Vendor::AzureUnknown)
    );
    assert_eq!(alpha.faults[0].kind, Some(Fault::with(Kind::Cut, 7)));
    assert_eq!(
        script.providers["beta"],
        ProviderScript {
            answer: super::super::AnswerLength::Fixed(10),
            ..ProviderScript::default()
        }
    );
}

#[test]
fn wrong_scripts_are_refused_with_the_place() {
    for (text, words) in [
        ("sead = 1", "sead"),
        ("[providers.alpha]\nttft = 300", "string"),
        ("[providers.alpha]\nttft = \"300\"", "no unit"),
        (
            "[providers.alpha]\nfaults = [{ kind = \"504x\" }]",
            "no fault `504x`",
        ),
        ("[providers.alpha.limits]\ndialect = \"cohere\"", "open-ai"),
    ] {
        let error = toml::from_str::<Script>(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("seed = 1", "`providers` is empty"),
        ("[providers.v1]", "`providers.v1` is not a path segment"),
        (
            "[providers.a]\nnoise = 9.0",
            "`providers.a.noise` is 9: allowed are 0 to 4",
        ),
        (
            "[providers.a.limits]\nrpm = 0",
            "`providers.a.limits.rpm` is 0",
        ),
        (
            "[providers.a]\nfaults = [{ probability = 2.0 }]",
            "`providers.a.faults[0].probability` is 2",
        ),
        (
            "[providers.a]\nfaults = [{ from = \"2s\", until = \"1s\" }]",
            "until` is not after",
        ),
        (
            "[providers.a]\nfaults = [{ probability_to = 0.5 }]",
            "until` is missing",
        ),
    ] {
        let error = Mock::new(toml::from_str(text).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
