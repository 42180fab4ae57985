//! What holds of every job, whatever its vendor says.

use http::Method;
use scoring::time::Span;

use super::*;

#[test]
fn a_foreign_url_is_never_called() {
    let evil = "https://api.bfl.ai@evil.example/v1";
    for (vendor, model, answer) in [
        (
            Vendor::Bfl,
            "flux-dev",
            json!({"id": "1", "polling_url": evil}),
        ),
        (Vendor::Bfl, "flux-dev", json!({"id": "1/../../x?y"})),
        (
            Vendor::Bfl,
            "flux-dev",
            json!({"status": "Ready", "result": {"sample": "https://api.bfl.ai.evil/x"}}),
        ),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            json!({"status": "IN_QUEUE", "request_id": "1", "status_url": evil}),
        ),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            json!({"images": [{"url": "http://169.254.169.254/"}]}),
        ),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            json!({"images": [{"url": "https://169.254.169.254/"}]}),
        ),
        (
            Vendor::Replicate,
            "a/b",
            json!({"id": "1", "status": "starting", "urls": {"get": evil}}),
        ),
        (
            Vendor::Replicate,
            "a/b",
            json!({"status": "succeeded", "output": ["https://evil.example/a.png"]}),
        ),
        (
            Vendor::Fireworks,
            "flux-kontext-pro",
            json!({"request_id": "a/b"}),
        ),
    ] {
        let mut job = start(vendor, &plain(), model).job;
        let step = tell(&mut job, 200, &[], answer.to_string());
        assert_eq!(step, "failed Nonsense", "{answer}");
    }
    // A job whose way to cancel is foreign is made all the same, and cannot be cancelled.
    let mut job = start(Vendor::Replicate, &plain(), "a/b").job;
    let answer = json!({"id": "1", "status": "starting", "urls": {"cancel": evil}});
    assert!(tell(&mut job, 201, &[], answer.to_string()).starts_with("500 GET"));
    assert_eq!(job.cancel(), None);
}

#[test]
fn a_job_once_accepted_is_only_polled() {
    let mut job = start(Vendor::Bfl, &plain(), "flux-dev").job;
    assert!(!job.is_accepted());
    let poll = "GET http://mock:9000/a/v1/get_result?id=1";
    tell(&mut job, 200, &[], r#"{"id":"1"}"#);
    assert!(job.is_accepted());
    for _ in 0..8 {
        assert!(line(&job.lost(0.5)).ends_with(poll));
    }
    assert_eq!(line(&job.lost(0.5)), "failed Server");

    let mut unsent = start(Vendor::Bfl, &plain(), "flux-dev").job;
    assert_eq!(line(&unsent.lost(0.5)), "failed Lost");
    let mut refused = start(Vendor::Bfl, &plain(), "flux-dev").job;
    assert_eq!(tell(&mut refused, 429, &[], "{}"), "failed RateLimited");
    let mut held = start(Vendor::Bfl, &plain(), "flux-dev").job;
    tell(&mut held, 200, &[], r#"{"id":"1"}"#);
    assert_eq!(tell(&mut held, 401, &[], "{}"), "failed KeyRejected");
}

#[test]
fn waits_are_spread_and_the_vendors_are_kept() {
    for (jitter, millis) in [
        (0.0, 375),
        (0.5, 500),
        (1.0, 625),
        (f64::NAN, 500),
        (9.0, 625),
    ] {
        let mut job = start(Vendor::Bfl, &plain(), "flux-dev").job;
        tell(&mut job, 200, &[], r#"{"id":"1"}"#);
        // The second wait is half as long again.
        let Step::Poll { wait, .. } = job.lost(jitter) else {
            panic!("a poll was expected");
        };
        assert_eq!(wait, Span::from_micros(millis * 1_500), "{jitter}");
    }
    let mut job = start(Vendor::Bfl, &plain(), "flux-dev").job;
    let wait = |line: String| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    tell(&mut job, 200, &[], r#"{"id":"1"}"#);
    assert_eq!(
        wait(tell(&mut job, 429, &[("retry-after", "5")], "{}")),
        5_000
    );
    assert_eq!(
        wait(tell(&mut job, 429, &[("retry-after", "86000")], "{}")),
        60_000
    );
    assert_eq!(
        wait(tell(&mut job, 429, &[("retry-after", "-5")], "{}")),
        1_687
    );
}

#[test]
fn what_runs_is_cancelled_where_there_is_a_way() {
    let mut job = start(Vendor::Fal, &plain(), "fal-ai/flux/dev").job;
    assert_eq!(job.cancel(), None, "nothing was accepted");
    let mut job = start(Vendor::Fal, &plain(), "fal-ai/flux/dev").job;
    tell(
        &mut job,
        200,
        &[],
        r#"{"request_id":"1","status":"IN_QUEUE"}"#,
    );
    let call = job.cancel().unwrap();
    assert_eq!(call.method, Method::PUT);
    assert_eq!(
        call.url.to_string(),
        "http://mock:9000/a/fal-ai/flux/requests/1/cancel"
    );
    assert_eq!(call.auth, Auth::Key);
    assert_eq!(job.cancel(), None, "once is enough");

    let mut job = start(Vendor::Replicate, &plain(), "a/b").job;
    tell(&mut job, 201, &[], r#"{"id":"1","status":"starting"}"#);
    let call = job.cancel().unwrap();
    let url = "http://mock:9000/a/v1/predictions/1/cancel";
    assert_eq!(
        (call.method, call.url.to_string().as_str()),
        (Method::POST, url)
    );
}

#[test]
fn no_answer_brings_a_job_down() {
    let nasty: &[&str] = &[
        "",
        "null",
        "[]",
        "0",
        "{",
        "\"x\"",
        "{\"status\":1}",
        "{\"id\":null}",
        "{\"images\":[null]}",
        "{\"output\":{\"a\":[[[[]]]]},\"status\":\"succeeded\"}",
        "{\"progress\":1e999}",
        "{\"progress\":-5,\"status\":\"Pending\"}",
        "{\"data\":[{}]}",
        "{\"status\":\"Ready\",\"result\":{\"sample\":\"data:;base64,\"}}",
        "\u{0}\u{ff}",
    ];
    let deep = "[".repeat(100_000);
    for vendor in Vendor::ALL {
        let model = match vendor {
            Vendor::Stability => "core",
            Vendor::Replicate | Vendor::Fal => "a/b",
            _ => "flux-kontext-pro",
        };
        for body in nasty.iter().copied().chain([deep.as_str()]) {
            for status in [200, 201, 202, 204, 301, 404, 500, 599] {
                let mut job = start(vendor, &plain(), model).job;
                for _ in 0..3 {
                    tell(&mut job, status, &[], body.to_owned());
                }
            }
        }
    }
}
