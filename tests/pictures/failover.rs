//! Between vendors: another makes the picture as long as none has taken it on, and nothing is paid for twice.

use serde_json::json;

use super::{PACE, attempts, draw, inline, model, submitted_and_cancelled, vendor};
use crate::support::{Bench, Call, Client, Spec, bench, pass_ms};

fn two(first: &str, second: &str) -> Spec {
    let spec = vendor(Spec::new(), "stability", first);
    let spec = vendor(spec, "fal", second);
    model(
        spec,
        &[("stability", "sd3.5-large"), ("fal", "fal-ai/flux/dev")],
    )
}

#[test]
fn another_vendor_makes_the_picture_within_the_request() {
    for kind in ["down", "503", "500", "429", "401", "html"] {
        let fault = format!("{PACE}\nfaults = [{{ from = \"0s\", kind = \"{kind}\" }}]");
        bench(&two(&fault, PACE), async |bench| {
            let answer = bench.call(&draw(json!({}))).await;
            assert_eq!(inline(&answer), 1, "{kind}");
            assert_eq!(answer.header("x-trimtab-attempts"), Some("2"), "{kind}");
            let route = answer.header("x-trimtab-route").unwrap();
            assert!(route.starts_with("fal/"), "{kind}: {route}");
            assert_eq!(submitted_and_cancelled(&bench, "stability").0, 1, "{kind}");
            assert_eq!(submitted_and_cancelled(&bench, "fal"), (1, 0), "{kind}");
        });
    }
}

/// What the first vendor cannot be told, it is not asked.
#[test]
fn a_vendor_that_cannot_be_told_is_passed_over() {
    bench(&two(PACE, PACE), async |bench| {
        let answer = bench.call(&draw(json!({"n": 2}))).await;
        assert_eq!(inline(&answer), 2);
        assert_eq!(answer.header("x-trimtab-attempts"), Some("1"));
        assert!(bench.seen("stability").is_empty());
        let view = bench.route("stability/");
        assert_eq!(view.dispatched, 0);
    });
}

#[test]
fn a_request_that_nobody_can_serve_says_why() {
    bench(&two(PACE, PACE), async |bench| {
        for (body, word) in [
            (json!({"n": 11}), "`n`"),
            (json!({"n": 9}), "`n`"),
            (json!({"size": "1x1"}), "`size`"),
        ] {
            let answer = bench.call(&draw(body.clone())).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            let error = answer.error().unwrap();
            assert_eq!(error["type"], "invalid_request_error");
            assert!(error["message"].as_str().unwrap().contains(word), "{error}");
        }
        assert!(bench.mock.attempts().is_empty());
    });
}

/// What moderation refuses is refused: nobody else is asked, no route is blamed.
#[test]
fn moderation_is_not_routed_around() {
    let fault = format!("{PACE}\nfaults = [{{ from = \"0s\", kind = \"content-policy\" }}]");
    for stability in [true, false] {
        let spec = if stability {
            two(&fault, PACE)
        } else {
            let spec = vendor(Spec::new(), "bfl", &fault);
            let spec = vendor(spec, "fal", PACE);
            model(spec, &[("bfl", "flux-dev"), ("fal", "fal-ai/flux/dev")])
        };
        bench(&spec, async |bench| {
            let answer = bench.call(&draw(json!({}))).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let error = answer.error().unwrap();
            assert_eq!(error["code"], "moderation_blocked");
            assert_eq!(error["type"], "image_generation_user_error");
            assert!(error["message"].as_str().unwrap().contains("moderation"));
            assert!(bench.seen("fal").is_empty());
            let name = if stability { "stability/" } else { "bfl/" };
            let view = bench.route(name);
            assert!(view.error_fast <= 0.0 && view.cusum <= 0.0, "{view:?}");
        });
    }
}

/// Once a job runs, a vendor that fails is polled, and nothing is submitted again, here or elsewhere.
#[test]
fn a_job_is_never_submitted_again() {
    let spec = vendor(Spec::new(), "bfl", PACE);
    let spec = vendor(spec, "fal", PACE);
    let spec = model(spec, &[("bfl", "flux-dev"), ("fal", "fal-ai/flux/dev")]);
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        client.send(&draw(json!({})).bytes()).await;
        fail_for(&bench, "bfl", 1_000, 3_000).await;
        assert_eq!(inline(&client.answer().await), 1);
        assert_eq!(submitted_and_cancelled(&bench, "bfl").0, 1);
        assert!(bench.seen("fal").is_empty());
    });
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        client.send(&draw(json!({})).bytes()).await;
        fail_for(&bench, "bfl", 1_000, 100_000).await;
        let answer = client.answer().await;
        assert!(answer.status >= 500, "{answer:?}");
        assert_eq!(answer.header("x-trimtab-attempts"), Some("1"));
        assert_eq!(submitted_and_cancelled(&bench, "bfl").0, 1);
        let polls = attempts(&bench, "bfl", "poll").len();
        assert!((5..20).contains(&polls), "{polls}");
        assert!(bench.seen("fal").is_empty());
    });
}

/// A job that the vendor itself gives up is nobody's any more: another vendor makes the picture, but it is not submitted there again.
#[test]
fn what_came_to_nothing_is_made_elsewhere() {
    let spec = vendor(Spec::new(), "replicate", "ttft = \"20s\"");
    let alone = model(spec.clone(), &[("replicate", "owner/sdxl")]);
    let spec = vendor(spec, "fal", PACE);
    let both = model(
        spec,
        &[("replicate", "owner/sdxl"), ("fal", "fal-ai/flux/dev")],
    );
    for (spec, status) in [(alone, 502), (both, 200)] {
        bench(&spec, async |bench| {
            let mut client = Client::open(bench.address).await;
            client.send(&draw(json!({})).bytes()).await;
            pass_ms(6_000).await;
            // Somebody cancels the job at the vendor.
            let polls = attempts(&bench, "replicate", "poll");
            let target = polls[0].received.as_ref().unwrap().target.clone();
            let id = target.rsplit('/').next().unwrap();
            let path = format!("/passthrough/replicate/predictions/{id}/cancel");
            assert_eq!(bench.call(&Call::post(&path, "{}")).await.status, 200);
            let answer = client.answer().await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(submitted_and_cancelled(&bench, "replicate"), (1, 1));
        });
    }
}

/// From then, for so long, every request to the provider fails.
async fn fail_for(bench: &Bench, provider: &str, from_ms: u64, for_ms: u64) {
    pass_ms(from_ms).await;
    let fault = Some("503".parse().unwrap());
    bench.mock.set_fault(provider, fault).unwrap();
    pass_ms(for_ms).await;
    bench.mock.set_fault(provider, None).unwrap();
}

/// A job of which track is lost is cancelled.
#[test]
fn a_job_that_is_given_up_is_cancelled() {
    let spec = vendor(Spec::new(), "fal", "ttft = \"100s\"\ntpot = \"1s\"");
    let spec = model(spec, &[("fal", "fal-ai/flux/dev")]);
    bench(&spec, async |bench| {
        let mut client = Client::open(bench.address).await;
        client.send(&draw(json!({})).bytes()).await;
        fail_for(&bench, "fal", 1_000, 60_000).await;
        let answer = client.answer().await;
        assert!(answer.status >= 500, "{answer:?}");
        assert_eq!(submitted_and_cancelled(&bench, "fal"), (1, 1));
    });
}
