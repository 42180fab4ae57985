//! What becomes of a request that enters a workflow, and which are refused.

use std::process::Command;

use serde_json::{Value, json};

use super::{body_at, two};
use crate::support::{
    Bench, Call, Client, Folder, Mode, Spec, Tongue, bench, chat, pass_ms, words,
};

/// A workflow with instructions and parameters.
const REWRITE: &str = "[workflows.rewrite]\nmodel = \"small\"\nsystem = \"Be brief.\"\n\
    parameters = { temperature = 0.5, metadata = { kind = \"w\", list = [1, 2.5] }, max_tokens = 7 }";

fn rewrite() -> Spec {
    two().with(REWRITE)
}

async fn post(bench: &Bench, path: &str, body: &Value) -> crate::support::Answer {
    bench.call(&Call::post(path, body.to_string())).await
}

fn messages() -> Value {
    json!([{"role": "system", "content": "own"}, {"role": "user", "content": "hi"}])
}

#[test]
fn parameters_and_instructions_reach_the_provider() {
    bench(&rewrite(), async |bench| {
        let expected = json!({
            "model": "upstream-a",
            "temperature": 0.5,
            "max_tokens": 7,
            "metadata": {"kind": "w", "list": [1, 2.5]},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "system", "content": "own"},
                {"role": "user", "content": "hi"},
            ],
        });
        let bare = json!({"messages": messages(), "temperature": 2, "max_completion_tokens": 900});
        let named = |model: &str| {
            let mut body = bare.clone();
            body["model"] = model.into();
            body
        };
        for (path, body) in [
            ("/v1/workflows/rewrite", bare.clone()),
            ("/v1/workflows/rewrite/", bare.clone()),
            ("/v1/workflows/rewrite", named("large")),
            ("/v1/workflows/rewrite", named("workflows/rewrite")),
            ("/v1/workflows/rewrite/chat/completions", bare.clone()),
            ("/v1/workflows/rewrite/v1/chat/completions", bare.clone()),
            (
                "/openai/v1/workflows/rewrite/chat/completions",
                bare.clone(),
            ),
            ("/v1/chat/completions", named("workflows/rewrite")),
        ] {
            let answer = post(&bench, path, &body).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert_eq!(answer.content(), words(3));
            assert_eq!(body_at(&bench, "a"), expected, "{path}");
        }
        // An escaped name is the same name, and no way around.
        let escaped = r#"{"model":"workflow\u0073\/rewrite","messages":[]}"#;
        let answer = bench
            .call(&Call::post("/v1/chat/completions", escaped))
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(body_at(&bench, "a")["messages"][0]["content"], "Be brief.");
        assert_eq!(bench.seen("b").len(), 0);
        let metrics = bench.metrics().await;
        let label = "model=\"workflows/rewrite\"";
        assert!(metrics.sum("router_request_duration_seconds_count", &[label]) >= 9.0);
    });
}

/// A workflow with parameters that Anthropic's API has no place for.
const VAIN: &str = "[models.claude]\nroutes = [{ provider = \"c\", model = \"claude-sonnet-4-5\" }]\n\
    [workflows.vain]\nmodel = \"claude\"\nparameters = { seed = 7, temperature = 0.5 }\n\
    [workflows.odd]\nmodel = \"claude\"\nparameters = { made_up = 1 }\n\
    [workflows.fine]\nmodel = \"small\"\nparameters = { seed = 7, made_up = 1 }";

fn vain() -> Spec {
    two()
        .stand_in_of(Tongue::Anthropic, "c", "ttft = \"20ms\"\nanswer = 3")
        .with(VAIN)
}

#[test]
fn a_parameter_that_does_not_arrive_is_named() {
    bench(&vain(), async |bench| {
        let content = json!([{"role": "user", "content": "hi"}]);
        let talk = json!({"messages": content});
        let limited = json!({"messages": content, "max_tokens": 9});
        for (path, body, provider, dropped) in [
            ("vain/chat/completions", &talk, "c", &["seed"][..]),
            ("odd/chat/completions", &talk, "c", &["made_up"]),
            ("vain/messages", &limited, "c", &["seed"]),
            ("fine/chat/completions", &talk, "a", &[]),
            ("fine/messages", &limited, "a", &["made_up", "seed"]),
        ] {
            for stream in [false, true] {
                let mut body = body.clone();
                body["stream"] = stream.into();
                let answer = post(&bench, &format!("/v1/workflows/{path}"), &body).await;
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                let told = answer.header("x-trimtab-dropped").unwrap_or_default();
                let mut told: Vec<&str> = told.split(", ").filter(|it| !it.is_empty()).collect();
                told.sort_unstable();
                assert_eq!(told, dropped, "{path}");
                let sent = body_at(&bench, provider);
                let arrived = |name| sent.get(name).is_some();
                assert!(!dropped.iter().copied().any(arrived), "{path}: {sent}");
            }
        }
    });
}

#[test]
fn check_warns_of_parameters_that_no_route_understands() {
    let folder = Folder::new("workflow-vain");
    let file = folder.file("config.toml");
    std::fs::write(&file, vain().text()).unwrap();
    for (format, paths) in [("text", "warning: "), ("json", "\"path\":\"")] {
        let output = Command::new(env!("CARGO_BIN_EXE_trimtab"))
            .args(["check", "--format", format])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success());
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told.matches(paths).count(), 1, "{told}");
        let warned = format!("{paths}workflows.vain.parameters.seed");
        assert!(told.contains(&warned), "{told}");
    }
}

#[test]
fn every_dialect_enters() {
    bench(&rewrite(), async |bench| {
        let content = json!([{"role": "user", "content": "hi"}]);
        let generate = json!({
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generation_config": {"temperature": 2.0, "max_output_tokens": 900},
        });
        for (path, body) in [
            (
                "/v1/workflows/rewrite/messages",
                json!({"max_tokens": 90, "messages": content}),
            ),
            (
                "/anthropic/v1/workflows/rewrite/v1/messages",
                json!({"max_tokens": 90, "messages": content}),
            ),
            (
                "/v1/messages",
                json!({"model": "workflows/rewrite", "max_tokens": 9, "messages": content}),
            ),
            (
                "/v1/workflows/rewrite/v1beta/models/x:generateContent",
                generate.clone(),
            ),
            (
                "/v1beta/models/workflows%2Frewrite:generateContent",
                generate.clone(),
            ),
            (
                "/v1beta/models/workflows/rewrite:generateContent",
                generate.clone(),
            ),
        ] {
            let answer = post(&bench, path, &body).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let got = body_at(&bench, "a");
            assert_eq!(got["model"], "upstream-a", "{path}: {got}");
            assert_eq!(got["messages"][0]["role"], "system", "{path}: {got}");
            assert!(
                got["messages"][0].to_string().contains("Be brief."),
                "{path}: {got}"
            );
            assert_eq!(got["messages"][1]["role"], "user", "{path}: {got}");
            assert_eq!(got["temperature"], 0.5, "{path}: {got}");
            let most = got["max_tokens"]
                .as_u64()
                .or(got["max_completion_tokens"].as_u64());
            assert_eq!(most, Some(7), "{path}: {got}");
        }
        let body = json!({"input": "hi", "instructions": "own"});
        let answer = post(&bench, "/v1/workflows/rewrite/responses", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let got = body_at(&bench, "a");
        assert_eq!(got["instructions"], "Be brief.\n\nown", "{got}");
        assert_eq!(got["max_output_tokens"], 7, "{got}");
        let body = json!({"input": "hi"});
        let answer = post(&bench, "/v1/workflows/rewrite/embeddings", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(body_at(&bench, "a")["input"], "hi");
        let body = json!({"prompt": "a cat"});
        let answer = post(&bench, "/v1/workflows/rewrite/images/generations", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(body_at(&bench, "a")["prompt"], "a cat");
    });
}

#[test]
fn a_stream_streams_and_forms_are_forms() {
    let spec =
        rewrite().with("[workflows.streamed]\nmodel = \"small\"\nparameters = { stream = true }");
    bench(&spec, async |bench| {
        let mut body = chat("workflows/rewrite", Mode::Stream);
        let answer = bench.chat(&body).await;
        assert_eq!((answer.content(), answer.is_done()), (words(3), true));
        body["stream"] = false.into();
        let answer = post(&bench, "/v1/workflows/streamed", &body).await;
        assert!(answer.is_done(), "the workflow's word counts: {answer:?}");
        let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";
        let path = "/v1/workflows/rewrite/audio/transcriptions";
        let call = Call::form(path, "multipart/form-data; boundary=b", form.into());
        let answer = bench.call(&call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = bench.seen("a").pop().unwrap().received.unwrap();
        let text = String::from_utf8_lossy(&received.body).into_owned();
        assert!(
            text.contains("name=\"model\"\r\n\r\nupstream-a\r\n"),
            "{text}"
        );
        assert!(
            text.contains("name=\"temperature\"\r\n\r\n0.5\r\n"),
            "{text}"
        );
    });
}

#[test]
fn an_unknown_workflow_is_told_in_the_dialect() {
    bench(&rewrite(), async |bench| {
        let body = json!({"messages": []});
        let answer = post(&bench, "/v1/workflows/nobody", &body).await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.json()["error"]["code"],
            "model_not_found",
            "{answer:?}"
        );
        assert!(
            answer
                .text()
                .contains("The workflow `nobody` does not exist.")
        );
        let answer = post(&bench, "/v1/workflows/nobody/v1/messages", &body).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["type"], "error", "{answer:?}");
        assert_eq!(answer.json()["error"]["type"], "not_found_error");
        let path = "/v1/workflows/nobody/v1beta/models/x:generateContent";
        let answer = post(&bench, path, &body).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["error"]["status"], "NOT_FOUND", "{answer:?}");
        assert_eq!(bench.get("/v1/workflows/rewrite").await.status, 405);
        assert_eq!(
            post(&bench, "/v1/workflows/rewrite/x", &body).await.status,
            404
        );
        // What cannot be instructed is the client's mistake.
        let answer = post(&bench, "/v1/workflows/rewrite", &json!({"messages": 3})).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(bench.mock.attempts().len(), 0);
    });
}

#[test]
fn workflows_are_listed() {
    bench(&rewrite(), async |bench| {
        for path in ["/v1/models", "/v1/workflows/rewrite/models"] {
            let answer = bench.get(path).await;
            let ids: Vec<_> = answer.json()["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["id"].clone())
                .collect();
            assert_eq!(ids, ["small", "large", "workflows/rewrite"], "{path}");
        }
        assert_eq!(bench.get("/v1/models/workflows/rewrite").await.status, 200);
        assert_eq!(
            bench.get("/v1/models/workflows%2Frewrite").await.status,
            200
        );
    });
}

#[test]
fn limits_refuse_what_is_too_much() {
    let spec = two()
        .with("[workflows.rare]\nmodel = \"small\"\nlimits = { requests_per_minute = 2 }")
        .with("[workflows.narrow]\nmodel = \"small\"\nlimits = { concurrency = 1 }");
    bench(&spec, async |bench| {
        let body = json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9});
        for _ in 0..2 {
            assert_eq!(post(&bench, "/v1/workflows/rare", &body).await.status, 200);
        }
        let answer = post(&bench, "/v1/workflows/rare", &body).await;
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(
            answer.json()["error"]["code"],
            "rate_limit_exceeded",
            "{answer:?}"
        );
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((28..=30).contains(&wait), "{answer:?}");
        assert!(
            answer.text().contains("2 requests per minute"),
            "{answer:?}"
        );
        let answer = post(&bench, "/v1/workflows/rare/v1/messages", &body).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (429, &json!("rate_limit_error"))
        );
        assert!(answer.header("retry-after").is_some());
        // By the model's name it is the same workflow; the model itself is not limited.
        let answer = bench.chat(&chat("workflows/rare", Mode::Whole)).await;
        assert_eq!(answer.status, 429);
        assert_eq!(bench.chat(&chat("small", Mode::Whole)).await.status, 200);
        pass_ms(wait * 1_000).await;
        assert_eq!(post(&bench, "/v1/workflows/rare", &body).await.status, 200);
        assert_eq!(post(&bench, "/v1/workflows/rare", &body).await.status, 429);

        // One in flight, a stream until its end.
        let mut client = Client::open(bench.address).await;
        client
            .send(&Call::chat(&chat("workflows/narrow", Mode::Stream)).bytes())
            .await;
        client.words(1).await;
        let answer = post(&bench, "/v1/workflows/narrow", &body).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (429, Some("1"))
        );
        assert!(client.answer().await.is_done());
        pass_ms(10).await;
        assert_eq!(
            post(&bench, "/v1/workflows/narrow", &body).await.status,
            200
        );
        // A client that leaves makes room.
        let mut client = Client::open(bench.address).await;
        client
            .send(&Call::chat(&chat("workflows/narrow", Mode::Whole)).bytes())
            .await;
        pass_ms(5).await;
        assert_eq!(
            post(&bench, "/v1/workflows/narrow", &body).await.status,
            429
        );
        drop(client);
        pass_ms(50).await;
        assert_eq!(
            post(&bench, "/v1/workflows/narrow", &body).await.status,
            200
        );
    });
}

/// A stream that is taken up again keeps its place and what the workflow made of it.
#[test]
fn a_rescued_stream_enters_once() {
    let spec = Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"a\", weight = 1000.0 }, { provider = \"b\", weight = 0.001 }]")
        .with("[workflows.w]\nmodel = \"main\"\nsystem = \"Be brief.\"\nstream_recovery = \"restart\"\nlimits = { concurrency = 1, requests_per_minute = 1 }")
        .stand_in("a", "answer = 9\nfaults = [{ kind = \"cut-4\" }]")
        .stand_in("b", "answer = 9\nttft = \"500ms\"");
    bench(&spec, async |bench| {
        let answer = bench.chat(&chat("workflows/w", Mode::Stream)).await;
        assert_eq!(
            (answer.status, answer.content(), answer.is_done()),
            (200, words(9), true)
        );
        for provider in ["a", "b"] {
            let messages = &body_at(&bench, provider)["messages"];
            assert_eq!(
                messages.as_array().unwrap().len(),
                2,
                "{provider}: {messages}"
            );
        }
    });
}
