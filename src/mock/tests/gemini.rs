//! Gemini's endpoints: content whole and streamed in both framings, its rules, errors and vectors.

use super::super::{End, LimitScript};
use super::*;

const HEADERS: [&str; 2] = [
    "x-goog-api-key: AIza-1234",
    "content-type: application/json",
];

fn asking() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "12345678"}]}]})
}

async fn post(bench: &Bench, verb: &str, body: &Value) -> Got {
    let head = format!("POST /alpha/v1beta/models/{verb}");
    bench.call(&head, &HEADERS, &body.to_string()).await
}

/// The chunks of a stream of server-sent events; one that is no JSON is null.
fn chunks(got: &Got) -> Vec<Value> {
    let events = got.body.split("\r\n\r\n");
    events
        .filter_map(|it| it.strip_prefix("data: "))
        .map(|it| serde_json::from_str(it).unwrap_or_default())
        .collect()
}

fn text(chunks: &[Value]) -> String {
    let parts = chunks
        .iter()
        .map(|it| &it["candidates"][0]["content"]["parts"][0]);
    parts
        .filter(|it| it["thought"].is_null())
        .filter_map(|it| it["text"].as_str())
        .collect()
}

#[test]
fn content_is_generated_whole_and_streamed() {
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, "gemini-2.5-pro:generateContent", &asking()).await;
        let whole = got.json();
        assert!(got.status == 200 && got.first >= Duration::from_millis(1_185));
        assert_eq!(text(std::slice::from_ref(&whole)), words(60));
        assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
        assert_eq!(whole["usageMetadata"]["totalTokenCount"], 62);
        assert_eq!(whole["modelVersion"], "gemini-2.5-pro");

        let got = post(
            &bench,
            "gemini-2.5-pro:streamGenerateContent?alt=sse",
            &asking(),
        )
        .await;
        assert_eq!(got.header("content-type"), Some("text/event-stream"));
        let events = chunks(&got);
        assert_eq!((events.len(), text(&events)), (61, words(60)));
        assert_eq!(events[9]["usageMetadata"]["candidatesTokenCount"], 10);
        assert_eq!(events[60]["candidates"][0]["finishReason"], "STOP");
        assert_eq!(events[60]["usageMetadata"], whole["usageMetadata"]);
        assert!(got.first < Duration::from_millis(310));

        let got = post(&bench, "gemini-2.5-pro:streamGenerateContent", &asking()).await;
        let array = got.json();
        assert_eq!(text(array.as_array().unwrap()), words(60));
        let mut cut = asking();
        cut["generationConfig"] =
            json!({"maxOutputTokens": 3, "thinkingConfig": {"includeThoughts": true}});
        let cut = post(&bench, "m:generateContent", &cut).await.json();
        assert_eq!(cut["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(cut["candidates"][0]["content"]["parts"][0]["thought"], true);
        assert_eq!(cut["usageMetadata"]["thoughtsTokenCount"], 4);
    });
}

#[test]
fn a_call_is_signed_and_its_signature_is_asked_for_again() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = asking();
        body["tools"] = json!([{"functionDeclarations": [{"name": "find"}]}]);
        body["toolConfig"] = json!({"functionCallingConfig": {"mode": "ANY"}});
        let got = post(&bench, "gemini-3-pro:streamGenerateContent?alt=sse", &body).await;
        let events = chunks(&got);
        let part = events[0]["candidates"][0]["content"]["parts"][0].clone();
        assert_eq!(
            (events.len(), &part["functionCall"]["name"]),
            (2, &json!("find"))
        );
        assert!(part["functionCall"]["args"]["query"].is_string());
        let reply = json!({"functionResponse": {"name": "find", "response": {"x": 1}}});
        for (signature, status, words) in [
            (part["thoughtSignature"].clone(), 200, ""),
            (json!("skip_thought_signature_validator"), 200, ""),
            (json!("Zm9yZ2Vk"), 400, "not valid"),
            (Value::Null, 400, "missing a thought_signature"),
        ] {
            let mut part = part.clone();
            part["thoughtSignature"] = signature;
            let turns = json!([asking()["contents"][0], {"role": "model", "parts": [part]},
                {"role": "user", "parts": [reply]}]);
            let got = post(
                &bench,
                "gemini-3-pro:generateContent",
                &json!({"contents": turns}),
            )
            .await;
            assert_eq!(got.status, status, "{words}: {}", got.body);
            assert!(got.body.contains(words), "{}", got.body);
        }
    });
}

#[test]
fn what_the_vendor_refuses_is_refused() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let turn = |role: &str, part: Value| json!([{"role": role, "parts": [part]}]);
        let reply = json!({"functionResponse": {"name": "f", "response": {}}});
        for (field, value, words) in [
            ("contents", json!([]), "contents is not specified"),
            (
                "contents",
                turn("assistant", json!({"text": "x"})),
                "valid role",
            ),
            (
                "contents",
                turn("user", reply),
                "comes immediately after a function call turn",
            ),
            ("max_tokens", json!(3), "Unknown name \\\"max_tokens\\\""),
            ("system_instruction", json!({"parts": [{"text": "x"}]}), ""),
        ] {
            let mut body = asking();
            body[field] = value;
            let got = post(&bench, "m:generateContent", &body).await;
            assert_eq!(
                got.status,
                if words.is_empty() { 200 } else { 400 },
                "{words}: {}",
                got.body
            );
            assert!(got.body.contains(words), "{words}: {}", got.body);
        }
    });
}

#[test]
fn errors_are_told_in_googles_words() {
    for (model, status, name, delay) in [
        ("fault-401", 400, "INVALID_ARGUMENT", None),
        ("fault-403", 403, "PERMISSION_DENIED", None),
        ("fault-404", 404, "NOT_FOUND", None),
        ("fault-429", 429, "RESOURCE_EXHAUSTED", None),
        ("fault-429-after-9", 429, "RESOURCE_EXHAUSTED", Some("9s")),
        ("fault-429-ms", 429, "RESOURCE_EXHAUSTED", Some("1.500s")),
        ("fault-500", 500, "INTERNAL", None),
        ("fault-529", 503, "UNAVAILABLE", None),
        ("fault-504", 504, "DEADLINE_EXCEEDED", None),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            let got = post(&bench, &format!("{model}:generateContent"), &asking()).await;
            let error = &got.json()["error"];
            assert_eq!(got.status, status, "{model}");
            assert_eq!(
                (&error["code"], &error["status"]),
                (&json!(status), &json!(name))
            );
            assert_eq!(error["details"][0]["retryDelay"].as_str(), delay, "{model}");
            assert_eq!(got.header("retry-after"), None);
        });
    }
    let provider = ProviderScript {
        keys: vec!["AIza-1234".to_owned()],
        limits: LimitScript {
            rpm: Some(3),
            ..LimitScript::default()
        },
        ..ProviderScript::default()
    };
    bench(alpha(provider), async |bench| {
        let body = asking().to_string();
        let head = "POST /v1/models/m:generateContent";
        for key in ["?key=AIza-1234", "", "?key=other"] {
            let got = bench.call(&format!("{head}{key}"), &[], &body).await;
            assert_eq!(
                got.status,
                if key.ends_with("1234") { 200 } else { 400 },
                "{key}"
            );
            assert_eq!(got.body.contains("API_KEY_INVALID"), got.status == 400);
        }
        post(&bench, "m:generateContent", &asking()).await;
        post(&bench, "m:generateContent", &asking()).await;
        let got = post(&bench, "m:generateContent", &asking()).await;
        assert!(
            got.status == 429 && got.body.contains("RetryInfo") && !got.head.contains("ratelimit")
        );
    });
}

#[test]
fn streams_go_wrong_as_they_are_told_to() {
    for (model, ended, count, end) in [
        ("fault-cut-7", Ended::Reset, 7, End::Faulted),
        ("fault-cut-clean-7", Ended::Whole, 7, End::Faulted),
        ("fault-error-event-7", Ended::Whole, 7, End::Faulted),
        ("fault-bad-json", Ended::Whole, 60, End::Completed),
        ("fault-stall-7", Ended::Whole, 60, End::Completed),
    ] {
        bench(alpha(paced()), async |bench| {
            let verb = format!("{model}:streamGenerateContent?alt=sse");
            let got = post(&bench, &verb, &asking()).await;
            assert_eq!((got.status, got.ended), (200, ended), "{model}");
            assert_eq!(text(&chunks(&got)), words(count), "{model}");
            assert_eq!(bench.last().0, end, "{model}");
            assert_eq!(got.body.contains("UNAVAILABLE"), model.contains("error"));
            assert_eq!(chunks(&got).contains(&Value::Null), model.contains("json"));
        });
    }
}

#[test]
fn tokens_vectors_and_models() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let got = post(&bench, "m:countTokens", &asking()).await.json();
        assert_eq!(got["totalTokens"], 2);
        let content = json!({"parts": [{"text": "one two"}]});
        let one = json!({"content": content, "outputDimensionality": 8});
        let got = post(&bench, "e:embedContent", &one).await.json();
        assert_eq!(got["embedding"]["values"].as_array().unwrap().len(), 8);
        let many = json!({"requests": [one, one]});
        let several = post(&bench, "e:batchEmbedContents", &many).await.json();
        assert_eq!(
            several["embeddings"],
            json!([got["embedding"], got["embedding"]])
        );
        let got = bench
            .call("GET /alpha/v1beta/models", &HEADERS, "")
            .await
            .json();
        assert_eq!(got["models"][0]["name"], "models/mock");
        let attempt = bench.mock.attempts().remove(0);
        assert_eq!(
            (attempt.path, &*attempt.model, &*attempt.key),
            ("models:countTokens", "m", "1234")
        );
        let path = "POST /v1/projects/p/locations/l/publishers/google/models/m:generateContent";
        assert_eq!(
            bench
                .call(path, &HEADERS, &asking().to_string())
                .await
                .status,
            200
        );
    });
}
