//! Anthropic's endpoints: messages whole and streamed, their rules, their faults, and what the ledger keeps.

use super::super::{End, LimitScript, Prefill};
use super::*;

const HEADERS: [&str; 3] = [
    "x-api-key: sk-ant-1234",
    "anthropic-version: 2023-06-01",
    "content-type: application/json",
];

fn message(model: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "max_tokens": 1_000,
        "stream": stream,
        "messages": [{"role": "user", "content": "12345678"}],
    })
}

async fn post(bench: &Bench, body: &Value) -> Got {
    let body = body.to_string();
    bench
        .call("POST /alpha/v1/messages?beta=true", &HEADERS, &body)
        .await
}

/// The text of every delta, joined.
fn text(got: &Got) -> String {
    let deltas = got.named().into_iter();
    deltas
        .filter_map(|(_, it)| Some(it["delta"]["text"].as_str()?.to_owned()))
        .collect()
}

fn names(got: &Got) -> Vec<&str> {
    let mut names: Vec<&str> = got.named().into_iter().map(|it| it.0).collect();
    names.dedup();
    names
}

#[test]
fn a_message_is_answered_whole() {
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, &message("claude", false)).await;
        let body = got.json();
        assert_eq!(got.status, 200);
        assert!(got.first >= Duration::from_millis(1_185));
        assert_eq!(
            body["content"],
            json!([{"type": "text", "text": words(60)}])
        );
        assert_eq!(
            (&body["type"], &body["role"], &body["stop_reason"]),
            (&json!("message"), &json!("assistant"), &json!("end_turn"))
        );
        assert_eq!(
            (
                &body["usage"]["input_tokens"],
                &body["usage"]["output_tokens"]
            ),
            (&json!(2), &json!(60))
        );
        assert!(got.header("request-id").is_some() && got.header("x-request-id").is_none());
        let mut cut = message("claude", false);
        cut["max_tokens"] = json!(3);
        let cut = post(&bench, &cut).await.json();
        assert_eq!(
            (&cut["content"][0]["text"], &cut["stop_reason"]),
            (&json!("w1 w2 w3"), &json!("max_tokens"))
        );
    });
}

#[test]
fn a_stream_has_the_whole_life_of_a_message() {
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, &message("claude", true)).await;
        assert_eq!((got.status, got.ended), (200, Ended::Whole));
        assert_eq!(text(&got), words(60));
        assert_eq!(
            names(&got),
            [
                "message_start",
                "content_block_start",
                "ping",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        let events = got.named();
        assert!(events.iter().all(|(name, data)| data["type"] == *name));
        let find = |name: &str| &events.iter().find(|it| it.0 == name).unwrap().1;
        assert_eq!(find("message_start")["message"]["usage"]["input_tokens"], 2);
        assert_eq!(find("message_delta")["usage"]["output_tokens"], 60);
        assert_eq!(find("message_delta")["delta"]["stop_reason"], "end_turn");
        assert!(got.first >= Duration::from_millis(300) && got.first < Duration::from_millis(310));
        assert!(got.last >= Duration::from_millis(1_185));
    });
}

#[test]
fn tools_are_used_and_thoughts_are_signed() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = message("claude", false);
        body["tools"] = json!([{"name": "find", "input_schema": {"type": "object"}}]);
        body["tool_choice"] = json!({"type": "any"});
        let whole = post(&bench, &body).await.json();
        let used = &whole["content"][0];
        assert_eq!(
            (&used["type"], &used["name"]),
            (&json!("tool_use"), &json!("find"))
        );
        assert!(used["input"]["query"].is_string() && whole["stop_reason"] == "tool_use");
        body["stream"] = json!(true);
        let got = post(&bench, &body).await;
        let json: String = got
            .named()
            .iter()
            .filter_map(|(_, it)| it["delta"]["partial_json"].as_str())
            .collect();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), used["input"]);

        let mut body = message("claude", false);
        body["max_tokens"] = json!(4_000);
        body["thinking"] = json!({"type": "enabled", "budget_tokens": 1_024});
        let whole = post(&bench, &body).await.json();
        assert_eq!(whole["content"][1]["text"], words(50));
        assert_eq!(whole["usage"]["output_tokens"], 54);
        let thought = whole["content"][0].clone();
        body["stream"] = json!(true);
        let got = post(&bench, &body).await;
        let of = |field: &str| -> String {
            let events = got.named();
            let pieces = events
                .iter()
                .filter_map(|(_, it)| it["delta"][field].as_str());
            pieces.collect()
        };
        assert_eq!(of("thinking"), thought["thinking"].as_str().unwrap());
        assert!(!of("signature").is_empty() && of("text") == words(50));

        let question = body["messages"][0].clone();
        for (signature, status) in [(thought["signature"].clone(), 200), (json!("forged"), 400)] {
            let block = json!({"type": "thinking", "thinking": "x", "signature": signature});
            let turn =
                json!({"role": "assistant", "content": [block, {"type": "text", "text": "w1"}]});
            body["messages"] = json!([question, turn, question]);
            assert_eq!(post(&bench, &body).await.status, status);
        }
    });
}

#[test]
fn a_prefill_is_continued_refused_or_ignored() {
    for (prefill, anthropic, openai) in [
        (Prefill::Own, (200, " w4 w5"), (200, "w1 w2 w3 w4 w5")),
        (Prefill::Continue, (200, " w4 w5"), (200, " w4 w5")),
        (
            Prefill::Ignore,
            (200, "w1 w2 w3 w4 w5"),
            (200, "w1 w2 w3 w4 w5"),
        ),
        (Prefill::Refuse, (400, ""), (400, "")),
    ] {
        let provider = ProviderScript {
            prefill,
            answer: super::super::AnswerLength::Fixed(5),
            ..ProviderScript::default()
        };
        bench(alpha(provider), async |bench| {
            let begun = json!({"role": "assistant", "content": "w1 w2 w3"});
            let mut body = message("claude", false);
            body["messages"].as_array_mut().unwrap().push(begun.clone());
            for stream in [false, true] {
                body["stream"] = json!(stream);
                let got = post(&bench, &body).await;
                assert_eq!(got.status, anthropic.0, "{prefill:?}");
                if got.status != 200 {
                    assert!(
                        got.body.contains("prefill") && got.body.contains("invalid_request_error")
                    );
                } else if stream {
                    assert_eq!(text(&got), anthropic.1, "{prefill:?}");
                } else {
                    assert_eq!(got.json()["content"][0]["text"], anthropic.1, "{prefill:?}");
                }
            }
            let mut body = chat("m", true);
            body["messages"].as_array_mut().unwrap().push(begun.clone());
            let got = bench.chat(&body).await;
            assert_eq!((got.status, &*got.content()), openai, "{prefill:?}");
        });
    }
}

#[test]
fn what_the_vendor_refuses_is_refused() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let use_then = |next: Value| {
            let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
            json!([
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": next},
            ])
        };
        let result = |id: &str| json!([{"type": "tool_result", "tool_use_id": id, "content": "y"}]);
        for (field, value, words) in [
            ("max_tokens", Value::Null, "max_tokens: Field required"),
            ("temperature", json!(1.5), "temperature"),
            (
                "presence_penalty",
                json!(1.5),
                "Extra inputs are not permitted",
            ),
            ("messages", json!([]), "at least one message"),
            (
                "messages",
                json!([{"role": "tool", "content": "x"}]),
                "messages.0.role",
            ),
            (
                "messages",
                json!([{"role": "user", "content": ""}]),
                "non-empty content",
            ),
            (
                "messages",
                use_then(json!("no result")),
                "without `tool_result`",
            ),
            (
                "messages",
                use_then(result("t2")),
                "unexpected `tool_use_id`",
            ),
            ("messages", use_then(result("t1")), ""),
            (
                "thinking",
                json!({"type": "enabled", "budget_tokens": 9}),
                "1024",
            ),
        ] {
            let mut body = message("claude", false);
            body[field] = value;
            let got = post(&bench, &body).await;
            let refused = !words.is_empty();
            assert_eq!(
                got.status,
                if refused { 400 } else { 200 },
                "{words}: {}",
                got.body
            );
            assert!(got.body.contains(words), "{words}: {}", got.body);
        }
        let body = message("claude", false).to_string();
        let got = bench.call("POST /v1/messages", &[], &body).await;
        assert!(got.status == 400 && got.body.contains("anthropic-version"));
    });
}

#[test]
fn errors_and_limits_are_told_in_the_vendors_words() {
    for (model, status, kind) in [
        ("fault-401", 401, "authentication_error"),
        ("fault-429-after", 429, "rate_limit_error"),
        ("fault-429-quota", 402, "billing_error"),
        ("fault-403", 403, "permission_error"),
        ("fault-404", 404, "not_found_error"),
        ("fault-context-length", 400, "invalid_request_error"),
        ("fault-500", 500, "api_error"),
        ("fault-504", 504, "timeout_error"),
        ("fault-529", 529, "overloaded_error"),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            let got = post(&bench, &message(model, true)).await;
            let body = got.json();
            assert_eq!(got.status, status, "{model}");
            assert_eq!(
                (&body["type"], &body["error"]["type"]),
                (&json!("error"), &json!(kind))
            );
            assert_eq!(
                body["request_id"].as_str(),
                got.header("request-id"),
                "{model}"
            );
        });
    }
    let limits = LimitScript {
        tpm: Some(2_000),
        ..LimitScript::default()
    };
    let provider = ProviderScript {
        limits,
        keys: vec!["sk-ant-1234".to_owned()],
        ..ProviderScript::default()
    };
    bench(alpha(provider), async |bench| {
        let got = post(&bench, &message("claude", false)).await;
        assert_eq!(
            got.header("anthropic-ratelimit-tokens-remaining"),
            Some("998")
        );
        let got = post(&bench, &message("claude", false)).await;
        assert_eq!(
            (got.status, got.json()["error"]["type"].as_str()),
            (429, Some("rate_limit_error"))
        );
        assert!(got.header("retry-after").is_some());
        let body = message("claude", false).to_string();
        let headers = ["x-api-key: other", "anthropic-version: 2023-06-01"];
        let got = bench.call("POST /v1/messages", &headers, &body).await;
        assert!(got.status == 401 && got.body.contains("invalid x-api-key"));
    });
}

/// Model, how its stream ends, the words that come, the last event, and what the ledger says.
const FAULTS: [(&str, Ended, u32, &str, End); 8] = {
    use End::{Completed, Faulted};
    use Ended::{Reset, Whole};
    [
        ("fault-cut-7", Reset, 7, "content_block_delta", Faulted),
        (
            "fault-cut-clean-7",
            Whole,
            7,
            "content_block_delta",
            Faulted,
        ),
        ("fault-error-event-7", Whole, 7, "error", Faulted),
        ("fault-stall-7", Whole, 60, "message_stop", Completed),
        ("fault-bad-json", Whole, 60, "message_stop", Completed),
        ("fault-late", Whole, 60, "message_stop", Completed),
        ("fault-no-done", Whole, 60, "message_delta", Completed),
        ("fault-no-usage", Whole, 60, "message_stop", Completed),
    ]
};

#[test]
fn streams_go_wrong_as_they_are_told_to() {
    for (model, ended, words_kept, last, end) in FAULTS {
        bench(alpha(paced()), async |bench| {
            let got = post(&bench, &message(model, true)).await;
            assert_eq!((got.status, got.ended), (200, ended), "{model}");
            assert_eq!(text(&got), words(words_kept), "{model}");
            assert_eq!(names(&got).last(), Some(&last), "{model}");
            assert_eq!(bench.last().0, end, "{model}");
            let bad = got.named().iter().any(|it| it.1.is_null());
            assert_eq!(bad, model == "fault-bad-json");
            if last == "error" {
                let (_, error) = got.named().pop().unwrap();
                assert_eq!(error["error"]["type"], "overloaded_error");
            }
            assert_eq!(
                got.last >= Duration::from_secs(30),
                model == "fault-stall-7"
            );
            assert_eq!(got.first.as_secs() == 20, model == "fault-late");
            assert_eq!(got.body.contains("\"usage\""), model != "fault-no-usage");
        });
    }
}

#[test]
fn pings_never_lead_anywhere() {
    bench(alpha(paced()), async |bench| {
        let body = message("fault-pings", true).to_string();
        let length = body.len();
        let headers = HEADERS.join("\r\n");
        let text = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: m\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let got = bench.send(&text, Duration::from_secs(5)).await;
        assert_eq!((got.ended, names(&got)), (Ended::Hung, vec!["ping"]));
    });
}

#[test]
fn tokens_are_counted_and_models_listed() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = message("claude", false);
        body["system"] = json!([{"type": "text", "text": "1234"}]);
        let head = "POST /alpha/v1/messages/count_tokens";
        let got = bench.call(head, &HEADERS, &body.to_string()).await;
        let stray = got.json()["error"]["message"].to_string();
        assert!(stray.contains("max_tokens: Extra inputs"), "{stray}");
        let fields = body.as_object_mut().unwrap();
        fields.retain(|name, _| matches!(name.as_str(), "model" | "messages" | "system"));
        let got = bench.call(head, &HEADERS, &body.to_string()).await;
        assert_eq!(got.json(), json!({"input_tokens": 3}));
        let got = bench
            .call("GET /alpha/v1/models", &HEADERS, "")
            .await
            .json();
        assert_eq!(
            (&got["data"][0]["type"], &got["has_more"]),
            (&json!("model"), &json!(false))
        );
        let got = bench
            .call("GET /alpha/v1/models/claude", &HEADERS, "")
            .await
            .json();
        assert_eq!(got["display_name"], "claude");
        let got = bench.call("GET /alpha/v1/messages", &HEADERS, "").await;
        assert_eq!((got.status, &got.json()["type"]), (405, &json!("error")));
    });
}

#[test]
fn the_ledger_keeps_the_request_byte_for_byte() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let body = "{ \"max_tokens\":9,  \"model\": \"claude\", \"messages\":[{\"role\":\"user\",\"content\":\"x\"}] }";
        let head = "POST /alpha/v1/messages?beta=true";
        let headers = [
            "x-api-key: sk-ant-1234",
            "anthropic-version: 2023-06-01",
            "anthropic-beta: a,b",
        ];
        assert_eq!(bench.call(head, &headers, body).await.status, 200);
        let attempt = bench.mock.attempts().remove(0);
        assert_eq!((attempt.path, &*attempt.key), ("messages", "1234"));
        let received = attempt.received.unwrap();
        assert_eq!(
            (received.method.as_str(), &*received.target),
            ("POST", "/alpha/v1/messages?beta=true")
        );
        assert_eq!(received.body, body);
        assert_eq!(received.header("anthropic-beta"), Some("a,b"));
        assert_eq!(received.header("x-api-key"), Some("sk-ant-1234"));
    });
}
