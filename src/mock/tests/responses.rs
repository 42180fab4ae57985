//! OpenAI's responses: whole, streamed, remembered, and what only their maker can read.

use super::super::End;
use super::*;

const HEADERS: [&str; 2] = [
    "authorization: Bearer sk-test-1234",
    "content-type: application/json",
];

fn asking(model: &str, stream: bool) -> Value {
    json!({"model": model, "input": "12345678", "stream": stream})
}

async fn post(bench: &Bench, provider: &str, body: &Value) -> Got {
    let head = format!("POST /{provider}/v1/responses");
    bench.call(&head, &HEADERS, &body.to_string()).await
}

async fn about(bench: &Bench, head: &str) -> Got {
    bench.call(head, &HEADERS, "").await
}

fn text(got: &Got) -> String {
    let events = got.named().into_iter();
    events
        .filter(|it| it.0 == "response.output_text.delta")
        .filter_map(|(_, it)| Some(it["delta"].as_str()?.to_owned()))
        .collect()
}

/// Two providers, `alpha` and `beta`.
fn two() -> Script {
    let mut script = alpha(paced());
    script.providers.insert("beta".to_owned(), paced());
    script
}

#[test]
fn a_response_is_given_whole() {
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, "alpha", &asking("gpt-5", false)).await;
        let body = got.json();
        assert!(got.status == 200 && got.first >= Duration::from_millis(1_185));
        assert_eq!(body["output"][0]["content"][0]["text"], words(60));
        assert_eq!(
            (&body["object"], &body["status"]),
            (&json!("response"), &json!("completed"))
        );
        assert_eq!(
            (&body["usage"]["total_tokens"], &body["store"]),
            (&json!(62), &json!(true))
        );
        let mut cut = asking("gpt-5", false);
        cut["max_output_tokens"] = json!(3);
        let cut = post(&bench, "alpha", &cut).await.json();
        assert_eq!(
            (&cut["status"], &cut["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!("max_output_tokens"))
        );
        assert_eq!(cut["output"][0]["status"], "incomplete");
    });
}

#[test]
fn a_stream_has_the_whole_life_of_each_item() {
    bench(alpha(paced()), async |bench| {
        let mut body = asking("gpt-5", true);
        body["reasoning"] = json!({"effort": "low", "summary": "auto"});
        let got = post(&bench, "alpha", &body).await;
        let events = got.named();
        for (number, (name, data)) in events.iter().enumerate() {
            assert_eq!(
                (&data["type"], &data["sequence_number"]),
                (&json!(name), &json!(number))
            );
        }
        let mut names: Vec<&str> = events.iter().map(|it| it.0).collect();
        names.dedup();
        assert_eq!(
            names,
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.reasoning_summary_part.added",
                "response.reasoning_summary_text.delta",
                "response.reasoning_summary_text.done",
                "response.reasoning_summary_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        assert_eq!(text(&got), words(60));
        let last = &events.last().unwrap().1["response"];
        assert_eq!(last["output"][1]["content"][0]["text"], words(60));
        assert_eq!(
            last["usage"]["output_tokens_details"]["reasoning_tokens"],
            4
        );
        assert!(!got.body.contains("[DONE]"));
    });
}

#[test]
fn the_tokens_of_an_input_are_counted() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let head = "POST /alpha/v1/responses/input_tokens";
        let headers = [
            "authorization: Bearer sk-1234",
            "content-type: application/json",
        ];
        let mut body = json!({"model": "gpt-5", "input": "12345678", "instructions": "1234"});
        let got = bench.call(head, &headers, &body.to_string()).await;
        let expected = json!({"object": "response.input_tokens", "input_tokens": 3});
        assert_eq!(got.json(), expected);
        body["store"] = json!(false);
        let got = bench.call(head, &headers, &body.to_string()).await;
        assert_eq!(got.status, 400);
    });
}

#[test]
fn functions_are_called_in_pieces() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = asking("gpt-5", false);
        body["tools"] = json!([{"type": "function", "name": "find", "parameters": {}}]);
        body["tool_choice"] = json!("required");
        let whole = post(&bench, "alpha", &body).await.json();
        let call = &whole["output"][0];
        assert_eq!(
            (&call["type"], &call["name"]),
            (&json!("function_call"), &json!("find"))
        );
        body["stream"] = json!(true);
        let got = post(&bench, "alpha", &body).await;
        let pieces: String = got
            .named()
            .iter()
            .filter(|it| it.0 == "response.function_call_arguments.delta")
            .filter_map(|it| it.1["delta"].as_str())
            .collect();
        assert_eq!(pieces, call["arguments"].as_str().unwrap());
        let answer = |id: &Value| json!({"model": "gpt-5", "input": [call, {"type": "function_call_output", "call_id": id, "output": "y"}]});
        assert_eq!(
            post(&bench, "alpha", &answer(&call["call_id"]))
                .await
                .status,
            200
        );
        let got = post(&bench, "alpha", &answer(&json!("call_x"))).await;
        assert!(got.status == 400 && got.body.contains("No tool call found"));
    });
}

#[test]
fn a_response_is_known_to_its_maker_only() {
    bench(two(), async |bench| {
        let made = post(&bench, "alpha", &asking("gpt-5", true)).await;
        let id = made.named()[0].1["response"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("v1/responses/{id}");
        let got = about(&bench, &format!("GET /alpha/{path}")).await.json();
        assert_eq!(
            (&got["status"], &got["id"]),
            (&json!("completed"), &json!(id))
        );
        assert_eq!(
            about(&bench, &format!("GET /beta/{path}")).await.status,
            404
        );
        let items = about(&bench, &format!("GET /alpha/{path}/input_items"))
            .await
            .json();
        assert_eq!(items["data"][0]["content"][0]["text"], "12345678");
        for (provider, status) in [("alpha", 200), ("beta", 400)] {
            let mut body = asking("gpt-5", false);
            body["previous_response_id"] = json!(id);
            let got = post(&bench, provider, &body).await;
            assert_eq!(got.status, status, "{provider}");
            assert_eq!(
                got.body.contains("previous_response_not_found"),
                status == 400
            );
        }
        let got = about(&bench, &format!("POST /alpha/{path}/cancel")).await;
        assert_eq!(got.status, 400);
        let got = about(&bench, &format!("DELETE /alpha/{path}")).await;
        assert_eq!(got.json()["deleted"], true);
        assert_eq!(
            about(&bench, &format!("GET /alpha/{path}")).await.status,
            404
        );
        assert_eq!(bench.mock.attempts().last().unwrap().path, "responses/{id}");
        let mut body = asking("gpt-5", false);
        body["store"] = json!(false);
        let id = post(&bench, "alpha", &body).await.json()["id"].clone();
        let path = format!("GET /alpha/v1/responses/{}", id.as_str().unwrap());
        assert_eq!(about(&bench, &path).await.status, 404);
    });
}

#[test]
fn a_response_in_the_background_can_be_cancelled_until_it_is_ready() {
    bench(two(), async |bench| {
        for (wait, cancelled) in [(100, "cancelled"), (2_000, "completed")] {
            let mut body = asking("gpt-5", false);
            body["background"] = json!(true);
            let made = post(&bench, "alpha", &body).await;
            assert!(made.json()["status"] == "queued" && made.last < Duration::from_millis(50));
            let id = made.json()["id"].as_str().unwrap().to_owned();
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let path = format!("POST /alpha/v1/responses/{id}/cancel");
            assert_eq!(about(&bench, &path).await.json()["status"], cancelled);
        }
    });
}

#[test]
fn encrypted_content_is_read_by_its_maker_only() {
    bench(two(), async |bench| {
        let mut body = asking("gpt-5", false);
        body["reasoning"] = json!({"effort": "low"});
        body["include"] = json!(["reasoning.encrypted_content"]);
        body["store"] = json!(false);
        let thought = post(&bench, "alpha", &body).await.json()["output"][0].clone();
        assert_eq!(thought["type"], "reasoning");
        let question = json!({"role": "user", "content": "x"});
        for (provider, status) in [("alpha", 200), ("beta", 400)] {
            body["input"] = json!([question, thought, question]);
            let got = post(&bench, provider, &body).await;
            assert_eq!(got.status, status, "{provider}");
            assert_eq!(
                got.body.contains("invalid_encrypted_content"),
                status == 400
            );
        }
        let mut bare = thought.clone();
        bare.as_object_mut().unwrap().remove("encrypted_content");
        body["input"] = json!([question, bare, question]);
        let got = post(&bench, "alpha", &body).await;
        assert!(got.status == 404 && got.body.contains("not persisted"));
    });
}

#[test]
fn streams_go_wrong_as_they_are_told_to() {
    for (model, ended, count, last, end) in [
        (
            "fault-cut-7",
            Ended::Reset,
            7,
            "response.output_text.delta",
            End::Faulted,
        ),
        (
            "fault-error-event-7",
            Ended::Whole,
            7,
            "response.failed",
            End::Faulted,
        ),
        (
            "fault-no-done",
            Ended::Whole,
            60,
            "response.output_item.done",
            End::Completed,
        ),
        (
            "fault-lost-json",
            Ended::Whole,
            0,
            "response.completed",
            End::Faulted,
        ),
        (
            "fault-bad-json",
            Ended::Whole,
            60,
            "response.completed",
            End::Completed,
        ),
    ] {
        bench(alpha(paced()), async |bench| {
            let got = post(&bench, "alpha", &asking(model, true)).await;
            assert_eq!((got.status, got.ended), (200, ended), "{model}");
            if model == "fault-lost-json" {
                assert!(!text(&got).contains("w6 ") && text(&got).contains("w7 "));
            } else {
                assert_eq!(text(&got), words(count), "{model}");
            }
            assert_eq!(got.named().last().unwrap().0, last, "{model}");
            assert_eq!(bench.last().0, end, "{model}");
        });
    }
    bench(alpha(paced()), async |bench| {
        let got = post(&bench, "alpha", &asking("fault-429-after", true)).await;
        assert_eq!((got.status, got.header("retry-after")), (429, Some("2")));
        assert_eq!(got.json()["error"]["code"], "rate_limit_exceeded");
    });
}
