//! The stand-in makers of images: each vendor's jobs in their time, and what the ledger counts.

use super::super::Kind;
use super::*;

const PATIENCE: Duration = Duration::from_secs(600);

/// Two seconds in the queue, then eight at work: 28 steps, of which the first costs nothing.
fn maker() -> ProviderScript {
    ProviderScript {
        ttft: Duration::from_secs(2),
        tpot: Duration::from_millis(300),
        ..ProviderScript::default()
    }
}

fn moderating() -> ProviderScript {
    let fault = json!({"from": "0s", "kind": "content-policy"});
    ProviderScript {
        faults: vec![serde_json::from_value(fault).unwrap()],
        ..ProviderScript::default()
    }
}

impl Bench {
    /// Asks alpha for something that a vendor's answer named.
    async fn ask(&self, method: &str, url: &str) -> Got {
        let path = url.split_once("/alpha").unwrap().1;
        let text =
            format!("{method} /alpha{path} HTTP/1.1\r\nhost: mock:1\r\ncontent-length: 0\r\n\r\n");
        self.send(&text, PATIENCE).await
    }

    async fn image(&self, path: &str, body: &Value) -> Got {
        self.post_for(&format!("/alpha/{path}"), body, PATIENCE)
            .await
    }

    /// Posts a form with a prompt, to Stability.
    async fn form(&self, accept: &str) -> Got {
        let body =
            "--X\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n--X--\r\n";
        let text = format!(
            "POST /alpha/v2beta/stable-image/generate/core HTTP/1.1\r\nhost: mock:1\r\naccept: {accept}\r\n\
             content-type: multipart/form-data; boundary=X\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&text, PATIENCE).await
    }

    /// The ledger's paths less their first segment, and statuses.
    fn counted(&self) -> Vec<(String, u16)> {
        let attempts = self.mock.attempts().into_iter();
        let named = attempts.map(|it| (it.path.to_string().replace("images/", ""), it.status));
        named.collect()
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn a_bfl_job_is_pending_then_ready() {
    bench(alpha(maker()), async |bench| {
        let got = bench
            .image("v1/flux-dev", &json!({"prompt": "p"}))
            .await
            .json();
        let url = got["polling_url"].as_str().unwrap().to_owned();
        assert_eq!(bench.ask("GET", &url).await.json()["status"], "Pending");
        pass(6).await;
        let got = bench.ask("GET", &url).await.json();
        assert!(
            (0.4..0.6).contains(&got["progress"].as_f64().unwrap()),
            "{got}"
        );
        pass(5).await;
        let got = bench.ask("GET", &url).await.json();
        assert_eq!(got["status"], "Ready");
        assert!(
            got["result"]["sample"]
                .as_str()
                .unwrap()
                .ends_with("-0.png")
        );
        let polls = bench.counted().iter().filter(|it| it.0 == "poll").count();
        assert_eq!((polls, bench.counted().len()), (3, 4));
    });
    bench(alpha(moderating()), async |bench| {
        let got = bench
            .image("v1/flux-dev", &json!({"prompt": "p"}))
            .await
            .json();
        let got = bench.ask("GET", got["polling_url"].as_str().unwrap()).await;
        assert_eq!(
            (got.status, &got.json()["status"]),
            (200, &json!("Request Moderated"))
        );
    });
}

#[test]
fn a_fal_job_queues_runs_completes_and_can_be_cancelled() {
    bench(alpha(maker()), async |bench| {
        let body = json!({"prompt": "p", "num_images": 2});
        let got = bench
            .image("queue.fal.run/fal-ai/flux/dev", &body)
            .await
            .json();
        let url = |name: &str| got[name].as_str().unwrap().to_owned();
        assert!(url("status_url").contains("/queue.fal.run/fal-ai/flux/requests/"));
        let mut stages = Vec::new();
        for seconds in [0, 5, 10] {
            pass(seconds).await;
            let got = bench.ask("GET", &url("status_url")).await.json();
            stages.push(got["status"].as_str().unwrap().to_owned());
        }
        assert_eq!(stages, ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]);
        let result = bench.ask("GET", &url("response_url")).await.json();
        assert_eq!(result["images"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            bench.ask("PUT", &url("cancel_url")).await.status,
            400,
            "too late"
        );

        let got = bench
            .image("queue.fal.run/fal-ai/flux/dev", &body)
            .await
            .json();
        let url = |name: &str| got[name].as_str().unwrap().to_owned();
        assert_eq!(bench.ask("PUT", &url("cancel_url")).await.status, 202);
        let got = bench.ask("GET", &url("status_url")).await.json();
        assert_eq!(got["status"], "CANCELED");
        let counted = bench.counted();
        let count = |name: &str| counted.iter().filter(|it| it.0 == name).count();
        assert_eq!(
            (
                count("submit"),
                count("poll"),
                count("result"),
                count("cancel")
            ),
            (2, 4, 1, 2)
        );
    });
    bench(alpha(moderating()), async |bench| {
        let got = bench
            .image("fal.run/fal-ai/flux/dev", &json!({"prompt": "p"}))
            .await;
        assert_eq!(got.status, 422);
        assert_eq!(got.json()["detail"][0]["type"], "content_policy_violation");
    });
}

#[test]
fn a_prediction_waits_as_long_as_it_is_told() {
    bench(alpha(maker()), async |bench| {
        let path = "/alpha/v1/models/a/b/predictions";
        let body = json!({"input": {"prompt": "p", "num_inference_steps": 4}}).to_string();
        for (prefer, status, seconds) in [
            ("", "starting", 0),
            ("prefer: wait=1\r\n", "starting", 1),
            ("prefer: wait\r\n", "succeeded", 2),
        ] {
            let text = format!(
                "POST {path} HTTP/1.1\r\nhost: mock:1\r\n{prefer}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            let got = bench.send(&text, PATIENCE).await;
            assert_eq!(
                (got.status, &got.json()["status"]),
                (201, &json!(status)),
                "{prefer}"
            );
            assert_eq!(got.last.as_secs(), seconds, "{prefer}");
            assert_eq!(&*bench.mock.attempts().last().unwrap().model, "a/b");
        }
        let body = json!({"version": "abc", "input": {"prompt": "p"}});
        let got = bench.image("v1/predictions", &body).await.json();
        let canceled = bench
            .ask("POST", got["urls"]["cancel"].as_str().unwrap())
            .await;
        assert_eq!(canceled.json()["status"], "canceled");
        pass(60).await;
        let got = bench.ask("GET", got["urls"]["get"].as_str().unwrap()).await;
        assert_eq!(got.json()["status"], "canceled");
    });
}

#[test]
fn stability_takes_forms_and_answers_when_done() {
    bench(alpha(maker()), async |bench| {
        let got = bench.form("application/json").await;
        assert_eq!((got.status, got.last.as_secs()), (200, 10));
        assert_eq!(got.json()["finish_reason"], "SUCCESS");
        let json = bench
            .image("v2beta/stable-image/generate/core", &json!({"prompt": "p"}))
            .await;
        assert_eq!(json.status, 422, "always a form");
    });
    bench(alpha(moderating()), async |bench| {
        let got = bench.form("application/json").await;
        assert_eq!(
            (got.status, &got.json()["finish_reason"]),
            (200, &json!("CONTENT_FILTERED"))
        );
    });
}

#[test]
fn openai_answers_whole_or_in_events() {
    bench(alpha(maker()), async |bench| {
        let path = "v1/images/generations";
        let got = bench
            .image(
                path,
                &json!({"model": "gpt-image-1", "prompt": "p", "n": 2}),
            )
            .await;
        assert_eq!(got.json()["data"].as_array().map(Vec::len), Some(2));
        let body =
            json!({"model": "gpt-image-1", "prompt": "p", "stream": true, "partial_images": 2});
        let got = bench.image(path, &body).await;
        assert_eq!(
            got.body
                .matches("event: image_generation.partial_image")
                .count(),
            2
        );
        assert_eq!(
            got.body
                .matches("event: image_generation.completed")
                .count(),
            1
        );
    });
}

#[test]
fn refusals_are_in_the_vendors_words_and_strike_submissions() {
    let script = ProviderScript {
        keys: vec!["sk-test-1234".to_owned()],
        ..maker()
    };
    bench(alpha(script), async |bench| {
        let got = bench.image("v1/flux-dev", &json!({"prompt": "p"})).await;
        let url = got.json()["polling_url"].as_str().unwrap().to_owned();
        assert_eq!(
            bench.ask("GET", &url).await.status,
            401,
            "a poll needs the key"
        );
        let got = bench.image("v1/flux-dev", &json!({})).await;
        assert_eq!(
            (got.status, &got.json()["detail"]),
            (422, &json!("prompt: field required"))
        );
        bench
            .mock
            .set_fault("alpha", Some(Kind::Unavailable.fault()))
            .unwrap();
        let got = bench
            .image("queue.fal.run/a/b", &json!({"prompt": "p"}))
            .await;
        assert_eq!((got.status, got.json()["detail"].is_string()), (503, true));
    });
}

#[test]
fn paths_of_others_are_left_to_them() {
    bench(alpha(ProviderScript::default()), async |bench| {
        for (path, status) in [
            ("/alpha/v1/chat/completions", 200),
            ("/alpha/v1/nothing", 404),
            ("/beta/v1/flux-dev", 404),
        ] {
            let got = bench.post_for(path, &chat("m", false), PATIENCE).await;
            assert_eq!(got.status, status, "{path}");
        }
    });
}
