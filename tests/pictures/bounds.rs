//! What is bounded: time, and where a vendor may lead the gateway.

use std::time::Duration;

use serde_json::json;
use trimtab::config::Timeouts;

use super::{attempts, draw, inline, model, submitted_and_cancelled, vendor};
use crate::support::{Bench, Raw, Reply, Spec, bench, paused};

const SLOW: &str = "ttft = \"100s\"\ntpot = \"1s\"";

#[test]
fn a_job_beyond_the_deadline_is_told_and_cancelled() {
    let spec = vendor(Spec::new(), "fal", SLOW);
    let spec =
        model(spec, &[("fal", "fal-ai/flux/dev")]).with("[models.draw.timeouts]\ntotal = \"30s\"");
    bench(&spec, async |bench| {
        let answer = bench.call(&draw(json!({}))).await;
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(answer.error().unwrap()["code"], "upstream_timeout");
        assert!(answer.took >= Duration::from_secs(30) && answer.took < Duration::from_secs(31));
        crate::support::pass_ms(100).await;
        assert_eq!(submitted_and_cancelled(&bench, "fal"), (1, 1));
    });
}

/// Neither the head's nor the first token's clock runs while a picture is made, be it by a job, within the answer, or at OpenAI's.
#[test]
fn a_picture_may_take_minutes() {
    assert_eq!(Timeouts::TOTAL, Duration::from_secs(600));
    for (dialect, name) in [
        ("fal", "fal-ai/flux/dev"),
        ("stability", "sd3.5-large"),
        ("openai", "gpt-image-1"),
    ] {
        let spec = vendor(Spec::new(), dialect, SLOW);
        let spec = model(spec, &[(dialect, name)]);
        let spec = spec.with("[timeouts]\nhead = \"10s\"\nfirst_token = \"5s\"");
        bench(&spec, async |bench| {
            let answer = bench.call(&draw(json!({}))).await;
            assert_eq!(inline(&answer), 1, "{dialect}");
            assert!(
                answer.took > Duration::from_secs(90),
                "{dialect}: {answer:?}"
            );
            assert_eq!(submitted_and_cancelled(&bench, dialect), (1, 0));
        });
    }
}

/// A vendor that names a foreign place for polls is not followed there, and gets no key sent elsewhere.
#[test]
fn a_hostile_polling_url_is_not_called() {
    paused(|| async {
        let trap = Raw::start(Reply::new("200 OK", "", b"{}")).await;
        let urls = [
            format!("http://{}/v1/get_result?id=1", trap.address),
            "https://api.bfl.ai.evil.example/v1/get_result?id=1".to_owned(),
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "https://user@api.bfl.ai/v1/get_result?id=1".to_owned(),
        ];
        for url in urls {
            let body = json!({"id": "1", "polling_url": url}).to_string();
            let kind = "content-type: application/json\r\n";
            let vendor = Raw::start(Reply::new("200 OK", kind, body.as_bytes())).await;
            let spec = Spec::new().with(&format!(
                "[providers.bfl]\ndialect = \"bfl\"\nbase_url = \"http://{}/v1\"\nkeys = [{{ name = \"key\", secret = \"sk-1\" }}]\n\
                 [retry]\nmax_attempts = 1",
                vendor.address
            ));
            let spec = model(spec, &[("bfl", "flux-dev")]).stand_in("idle", "");
            let bench = Bench::start(&spec.text(), None).await;
            let answer = bench.call(&draw(json!({}))).await;
            assert_eq!(answer.status, 502, "{url}: {answer:?}");
            assert!(!answer.text().contains("evil"), "{answer:?}");
            assert_eq!(vendor.heard().len(), 1, "{url}");
            assert!(trap.heard().is_empty(), "{url}");
        }
    });
}

/// The same of the place where a picture is said to be: it was made, so nobody else is asked either.
#[test]
fn a_hostile_picture_is_not_fetched() {
    paused(|| async {
        let trap = Raw::start(Reply::new("200 OK", "", b"{}")).await;
        let url = format!("http://{}/a.png", trap.address);
        let body = json!({"images": [{"url": url}]}).to_string();
        let kind = "content-type: application/json\r\n";
        let hostile = Raw::start(Reply::new("200 OK", kind, body.as_bytes())).await;
        let spec = vendor(Spec::new(), "stability", "").with(&format!(
            "[providers.fal]\ndialect = \"fal\"\nbase_url = \"http://{}\"\nkeys = [{{ name = \"key\", secret = \"sk-1\" }}]",
            hostile.address
        ));
        let spec = model(spec, &[("fal", "fal-ai/flux/dev"), ("stability", "core")]);
        let bench = Bench::start(&spec.text(), None).await;
        let answer = bench.call(&draw(json!({}))).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(hostile.heard().len(), 1);
        assert!(trap.heard().is_empty());
        assert!(attempts(&bench, "stability", "submit").is_empty());
    });
}

/// What a vendor sends is read up to a bound, and what is not a picture is no picture.
#[test]
fn nonsense_is_a_failed_attempt() {
    paused(|| async {
        for body in [&b"<html>"[..], b"{}", b"[]", b"{\"id\":1}", b"\xff\xfe"] {
            let raw = Raw::start(Reply::new("200 OK", "", body)).await;
            let spec = Spec::new().with(&format!(
                "[providers.rep]\ndialect = \"replicate\"\nbase_url = \"http://{}/v1\"\n[retry]\nmax_attempts = 1",
                raw.address
            ));
            let spec = model(spec, &[("rep", "black-forest-labs/flux-dev")]).stand_in("idle", "");
            let bench = Bench::start(&spec.text(), None).await;
            let answer = bench.call(&draw(json!({}))).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(raw.heard().len(), 1);
        }
    });
}
