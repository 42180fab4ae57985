//! Bedrock's conversation: whole, in binary events whose checksums are checked, its rules and its errors.

use super::super::End;
use super::*;

const SIGNED: [&str; 3] = [
    "authorization: AWS4-HMAC-SHA256 Credential=AKIA1234/20260101/us-east-1/bedrock/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=abc",
    "x-amz-date: 20260101T000000Z",
    "content-type: application/json",
];

fn asking() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "12345678"}]}]})
}

async fn post(bench: &Bench, path: &str, body: &Value) -> Got {
    let head = format!("POST /alpha/model/{path}");
    bench.call(&head, &SIGNED, &body.to_string()).await
}

/// Type and payload of each whole message; a payload that is no JSON is null.
fn messages(got: &Got) -> Vec<(String, Value)> {
    let mut rest = &got.bytes[..];
    let mut out = Vec::new();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    while rest.len() >= 16 {
        let (total, head) = (number(&rest[..4]) as usize, number(&rest[4..8]) as usize);
        let Some(message) = rest.get(..total) else {
            break;
        };
        assert_eq!(number(&message[8..12]), crc32fast::hash(&message[..8]));
        let end = total - 4;
        assert_eq!(number(&message[end..]), crc32fast::hash(&message[..end]));
        let headers = String::from_utf8_lossy(&message[12..12 + head]).into_owned();
        let (kind, _) = headers.split_once(":content-type").unwrap();
        let kind = kind.rsplit(|c: char| c.is_control()).nth(1).unwrap();
        out.push((
            kind.to_owned(),
            serde_json::from_slice(&message[12 + head..end]).unwrap_or_default(),
        ));
        rest = &rest[total..];
    }
    out
}

fn text(got: &Got) -> String {
    let messages = messages(got);
    let deltas = messages.iter();
    deltas
        .filter_map(|(_, it)| it["delta"]["text"].as_str())
        .collect()
}

#[test]
fn tokens_of_a_conversation_are_counted() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let path = "anthropic.claude-sonnet-4%3A0/count-tokens";
        let mut body = json!({"input": {"converse": asking()}});
        let got = post(&bench, path, &body).await;
        assert_eq!(got.json(), json!({"inputTokens": 2}));
        assert_eq!(bench.mock.attempts()[0].path, "count-tokens");
        body["input"]["converse"]["inferenceConfig"] = json!({"maxTokens": 5});
        assert_eq!(post(&bench, path, &body).await.status, 400);
        assert_eq!(post(&bench, path, &json!({})).await.status, 400);
    });
}

#[test]
fn a_conversation_is_answered_whole_and_streamed() {
    bench(alpha(paced()), async |bench| {
        let model = "anthropic.claude-sonnet-4%3A0";
        let whole = post(&bench, &format!("{model}/converse"), &asking()).await;
        let body = whole.json();
        assert!(whole.status == 200 && whole.first >= Duration::from_millis(1_185));
        assert_eq!(body["output"]["message"]["content"][0]["text"], words(60));
        assert_eq!(
            (&body["stopReason"], &body["usage"]["totalTokens"]),
            (&json!("end_turn"), &json!(62))
        );
        assert!(whole.header("x-amzn-requestid").is_some());

        let got = post(&bench, &format!("{model}/converse-stream"), &asking()).await;
        assert_eq!(
            got.header("content-type"),
            Some("application/vnd.amazon.eventstream")
        );
        assert_eq!(text(&got), words(60));
        let messages = messages(&got);
        let mut kinds: Vec<&str> = messages.iter().map(|it| it.0.as_str()).collect();
        kinds.dedup();
        assert_eq!(
            kinds,
            [
                "messageStart",
                "contentBlockDelta",
                "contentBlockStop",
                "messageStop",
                "metadata"
            ]
        );
        assert_eq!(messages.last().unwrap().1["usage"], body["usage"]);
        assert!(got.first < Duration::from_millis(310));
        let attempt = bench.mock.attempts().remove(1);
        assert_eq!(
            (&*attempt.model, &*attempt.key, attempt.stream, attempt.end),
            ("anthropic.claude-sonnet-4:0", "1234", true, End::Completed)
        );
    });
}

#[test]
fn tools_are_used_and_thoughts_are_signed() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = asking();
        let spec = json!({"toolSpec": {"name": "find", "inputSchema": {"json": {}}}});
        body["toolConfig"] = json!({"tools": [spec], "toolChoice": {"any": {}}});
        let whole = post(&bench, "m/converse", &body).await.json();
        let used = whole["output"]["message"]["content"][0]["toolUse"].clone();
        assert_eq!(
            (&used["name"], &whole["stopReason"]),
            (&json!("find"), &json!("tool_use"))
        );
        let got = post(&bench, "m/converse-stream", &body).await;
        let messages = messages(&got);
        assert_eq!(messages[1].1["start"]["toolUse"]["name"], "find");
        let pieces = messages
            .iter()
            .filter_map(|it| it.1["delta"]["toolUse"]["input"].as_str());
        let input: Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
        assert_eq!(input, used["input"]);

        let mut body = asking();
        body["additionalModelRequestFields"] =
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
        let whole = post(&bench, "m/converse", &body).await.json();
        let thought = whole["output"]["message"]["content"][0].clone();
        assert!(thought["reasoningContent"]["reasoningText"]["signature"].is_string());
        let got = post(&bench, "m/converse-stream", &body).await;
        assert!(got.body.contains("\"signature\"") && text(&got) == words(50));
        let mut forged = thought.clone();
        forged["reasoningContent"]["reasoningText"]["signature"] = json!("x");
        for (block, status) in [(thought, 200), (forged, 400)] {
            let question = asking()["messages"][0].clone();
            body["messages"] =
                json!([question, {"role": "assistant", "content": [block]}, question]);
            assert_eq!(post(&bench, "m/converse", &body).await.status, status);
        }
    });
}

#[test]
fn what_the_vendor_refuses_is_refused() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let user = |text: &str| json!({"role": "user", "content": [{"text": text}]});
        let call = json!({"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]});
        for (messages, words) in [
            (json!([]), "must start with a user message"),
            (json!([user("x"), user("y")]), "must alternate"),
            (json!([user(" ")]), "is blank"),
            (
                json!([{"role": "user", "content": "x"}]),
                "can not be converted",
            ),
            (json!([user("x"), call]), "toolConfig field must be defined"),
        ] {
            let got = post(&bench, "m/converse", &json!({"messages": messages})).await;
            assert!(
                got.status == 400 && got.body.contains(words),
                "{words}: {}",
                got.body
            );
            let name = got.header("x-amzn-errortype").unwrap();
            assert!(name.starts_with("ValidationException:http"), "{name}");
        }
        let body = json!({"messages": [user("x"), call, user("y")], "toolConfig": {"tools": []}});
        let got = post(&bench, "m/converse", &body).await;
        assert!(
            got.status == 400 && got.body.contains("Expected toolResult"),
            "{}",
            got.body
        );
        let body = asking().to_string();
        for (header, status, name) in [
            ("x-api-key: x", 403, Some("MissingAuthenticationToken")),
            (
                "authorization: AWS4-HMAC-SHA256 Credential=A/b",
                403,
                Some("IncompleteSignature"),
            ),
            ("authorization: Bearer bedrock-key", 200, None),
        ] {
            let got = bench.call("POST /model/m/converse", &[header], &body).await;
            assert_eq!(got.status, status, "{header}");
            let told = got.header("x-amzn-errortype");
            assert_eq!(
                told.map(|it| it.starts_with(name.unwrap_or("?"))),
                name.map(|_| true)
            );
        }
    });
}

#[test]
fn errors_and_faults_come_in_amazons_form() {
    for (model, status, name) in [
        ("fault-401", 403, "UnrecognizedClientException"),
        ("fault-403", 403, "AccessDeniedException"),
        ("fault-404", 400, "ValidationException"),
        ("fault-429", 429, "ThrottlingException"),
        ("fault-500", 500, "InternalServerException"),
        ("fault-503", 503, "ServiceUnavailableException"),
        ("fault-504", 408, "ModelTimeoutException"),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            let got = post(&bench, &format!("{model}/converse-stream"), &asking()).await;
            assert_eq!(got.status, status, "{model}");
            assert!(
                got.header("x-amzn-errortype").unwrap().starts_with(name),
                "{model}"
            );
            assert!(got.json()["message"].is_string());
        });
    }
    for (model, ended, count, last, end) in [
        (
            "fault-cut-7",
            Ended::Reset,
            7,
            "contentBlockDelta",
            End::Faulted,
        ),
        (
            "fault-error-event-7",
            Ended::Whole,
            7,
            "modelStreamErrorException",
            End::Faulted,
        ),
        (
            "fault-bad-json",
            Ended::Whole,
            60,
            "metadata",
            End::Completed,
        ),
        (
            "fault-stall-7",
            Ended::Whole,
            60,
            "metadata",
            End::Completed,
        ),
    ] {
        bench(alpha(paced()), async |bench| {
            let got = post(&bench, &format!("{model}/converse-stream"), &asking()).await;
            assert_eq!(
                (got.status, got.ended, text(&got)),
                (200, ended, words(count)),
                "{model}"
            );
            assert_eq!(messages(&got).last().unwrap().0, last, "{model}");
            assert_eq!(bench.last().0, end, "{model}");
        });
    }
}
