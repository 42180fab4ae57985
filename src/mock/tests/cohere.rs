//! Cohere's endpoints: chat whole and streamed, vectors, order, errors.

use super::super::End;
use super::*;

const HEADERS: [&str; 2] = [
    "authorization: Bearer co-1234",
    "content-type: application/json",
];

fn asking(model: &str, stream: bool) -> Value {
    chat(model, stream)
}

async fn post(bench: &Bench, path: &str, body: &Value) -> Got {
    let head = format!("POST /alpha/v2/{path}");
    bench.call(&head, &HEADERS, &body.to_string()).await
}

fn text(got: &Got) -> String {
    let events = got.named();
    let texts = events
        .iter()
        .filter_map(|it| it.1["delta"]["message"]["content"]["text"].as_str());
    texts.collect()
}

#[test]
fn a_chat_is_answered_whole_and_streamed() {
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, "chat", &asking("command-a", false)).await;
        let whole = got.json();
        assert!(got.status == 200 && got.first >= Duration::from_millis(1_185));
        assert_eq!(
            whole["message"]["content"],
            json!([{"type": "text", "text": words(60)}])
        );
        assert_eq!(
            (
                &whole["finish_reason"],
                &whole["usage"]["tokens"]["output_tokens"]
            ),
            (&json!("COMPLETE"), &json!(60))
        );
        let got = post(&bench, "chat", &asking("command-a", true)).await;
        assert_eq!(text(&got), words(60));
        let mut names: Vec<&str> = got.named().into_iter().map(|it| it.0).collect();
        names.dedup();
        assert_eq!(
            names,
            [
                "message-start",
                "content-start",
                "content-delta",
                "content-end",
                "message-end"
            ]
        );
        assert_eq!(
            got.named().last().unwrap().1["delta"]["usage"],
            whole["usage"]
        );
        assert!(got.body.ends_with("data: [DONE]\n\n"));
    });
}

#[test]
fn tools_are_called_and_thoughts_told() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = asking("command-a", false);
        body["tools"] =
            json!([{"type": "function", "function": {"name": "find", "parameters": {}}}]);
        body["tool_choice"] = json!("REQUIRED");
        let whole = post(&bench, "chat", &body).await.json();
        let function = &whole["message"]["tool_calls"][0]["function"];
        assert_eq!(
            (&function["name"], &whole["finish_reason"]),
            (&json!("find"), &json!("TOOL_CALL"))
        );
        body["stream"] = json!(true);
        let got = post(&bench, "chat", &body).await;
        let events = got.named();
        let pieces = events.iter().filter(|it| it.0 == "tool-call-delta");
        let pieces = pieces.filter_map(|it| {
            it.1["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str()
        });
        assert_eq!(
            pieces.collect::<String>(),
            function["arguments"].as_str().unwrap()
        );
        let mut body = asking("command-a", false);
        body["thinking"] = json!({"type": "enabled"});
        let whole = post(&bench, "chat", &body).await.json();
        assert_eq!(
            (
                &whole["message"]["content"][0]["type"],
                &whole["message"]["content"][1]["text"]
            ),
            (&json!("thinking"), &json!(words(50)))
        );
        body["stream"] = json!(true);
        let got = post(&bench, "chat", &body).await;
        assert!(text(&got) == words(50) && got.body.contains("\"thinking\":\" words.\""));
    });
}

#[test]
fn vectors_and_order() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = json!({"model": "embed-v4", "texts": ["a", "b"], "input_type": "search_query",
            "embedding_types": ["float", "base64"], "output_dimension": 4});
        let got = post(&bench, "embed", &body).await.json();
        assert_eq!(got["embeddings"]["float"][1].as_array().unwrap().len(), 4);
        assert!(got["embeddings"]["base64"][1].is_string());
        body.as_object_mut().unwrap().remove("input_type");
        assert_eq!(post(&bench, "embed", &body).await.status, 400);
        let body = json!({"model": "rerank-v3.5", "query": "capital of France", "top_n": 2,
            "documents": ["a haiku", "Paris is the capital of France", "the capital of Spain"]});
        let got = post(&bench, "rerank", &body).await.json();
        let order: Vec<_> = got["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["index"].as_u64())
            .collect();
        assert_eq!(order, [Some(1), Some(2)]);
    });
}

#[test]
fn errors_and_faults() {
    for (model, status, words) in [
        ("fault-401", 401, "invalid api token"),
        ("fault-404", 404, "not found"),
        ("fault-429-after", 429, "rate limit"),
        ("fault-500", 500, "internal server error"),
        ("fault-529", 503, "Overloaded"),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            let got = post(&bench, "chat", &asking(model, true)).await;
            assert_eq!(got.status, status, "{model}");
            assert!(
                got.json()["message"].as_str().unwrap().contains(words),
                "{}",
                got.body
            );
        });
    }
    for (model, ended, count, end) in [
        ("fault-cut-7", Ended::Reset, 7, End::Faulted),
        ("fault-error-event-7", Ended::Whole, 7, End::Faulted),
        ("fault-bad-json", Ended::Whole, 60, End::Completed),
        ("fault-no-done", Ended::Whole, 60, End::Completed),
    ] {
        bench(alpha(paced()), async |bench| {
            let got = post(&bench, "chat", &asking(model, true)).await;
            assert_eq!(
                (got.ended, text(&got), bench.last().0),
                (ended, words(count), end),
                "{model}"
            );
            assert_eq!(got.body.contains("\"ERROR\""), model.contains("error"));
        });
    }
}
