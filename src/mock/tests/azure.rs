//! Azure's endpoints: deployments and versions, the content filter's verdicts, errors.

use super::super::LimitScript;
use super::*;

const HEADERS: [&str; 2] = ["api-key: az-1234", "content-type: application/json"];

async fn post(bench: &Bench, path: &str, body: &Value) -> Got {
    let head = format!("POST /alpha/openai/{path}");
    bench.call(&head, &HEADERS, &body.to_string()).await
}

#[test]
fn a_deployment_answers_as_the_model_that_it_is() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let path = "deployments/my-gpt/chat/completions?api-version=2024-10-21";
        let got = post(&bench, path, &chat("ignored", false)).await;
        let body = got.json();
        assert_eq!((got.status, &body["model"]), (200, &json!("my-gpt")));
        assert_eq!(body["choices"][0]["message"]["content"], words(50));
        assert_eq!(body["prompt_filter_results"][0]["prompt_index"], 0);
        assert!(body["choices"][0]["content_filter_results"]["hate"].is_object());
        assert!(got.header("apim-request-id").is_some());
        let got = post(&bench, path, &chat("ignored", true)).await;
        assert_eq!(got.content(), words(50));
        let first: Value = serde_json::from_str(got.events()[0]).unwrap();
        assert_eq!(
            (&first["choices"], &first["model"]),
            (&json!([]), &json!(""))
        );
        assert_eq!(got.events().last(), Some(&"[DONE]"));
        let attempt = bench.mock.attempts().remove(0);
        assert_eq!((&*attempt.model, &*attempt.key), ("my-gpt", "1234"));
        let path = "deployments/e/embeddings?api-version=2024-10-21";
        let got = post(&bench, path, &json!({"input": "x", "dimensions": 4})).await;
        assert_eq!(
            got.json()["data"][0]["embedding"].as_array().unwrap().len(),
            4
        );
    });
}

#[test]
fn a_version_is_needed_but_for_the_new_paths() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let body = chat("gpt", false);
        for (path, status) in [
            ("deployments/d/chat/completions", 404),
            ("deployments/d/chat/completions?api-version=", 404),
            ("v1/chat/completions", 200),
            ("v1/responses", 200),
            ("v1/messages", 404),
        ] {
            let got = post(&bench, path, &body).await;
            assert_eq!(got.status, status, "{path}");
            if path.starts_with("dep") {
                assert_eq!(
                    got.json(),
                    json!({"error": {"code": "404", "message": "Resource not found"}})
                );
            }
        }
    });
}

#[test]
fn errors_and_limits_are_azures() {
    for (model, status, code) in [
        ("fault-401", 401, "401"),
        ("fault-404", 404, "DeploymentNotFound"),
        ("fault-429", 429, "429"),
        ("fault-content-policy", 400, "content_filter"),
        ("fault-context-length", 400, "context_length_exceeded"),
        ("fault-500", 500, "InternalServerError"),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            let path = format!("deployments/{model}/chat/completions?api-version=1");
            let got = post(&bench, &path, &chat("m", false)).await;
            assert_eq!(
                (got.status, &got.json()["error"]["code"]),
                (status, &json!(code)),
                "{model}"
            );
        });
    }
    let limits = LimitScript {
        rpm: Some(1),
        ..LimitScript::default()
    };
    let provider = ProviderScript {
        limits,
        ..ProviderScript::default()
    };
    bench(alpha(provider), async |bench| {
        let path = "deployments/d/chat/completions?api-version=1";
        post(&bench, path, &chat("m", false)).await;
        let got = post(&bench, path, &chat("m", false)).await;
        assert_eq!(
            (got.status, got.header("x-ratelimit-reset-requests")),
            (429, Some("60"))
        );
        assert!(got.body.contains("call rate limit"), "{}", got.body);
    });
}
