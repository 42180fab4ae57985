//! Each vendor, asked in OpenAI's words, makes a picture in its own.

use serde_json::json;

use super::{PACE, attempts, draw, inline, model, submitted_and_cancelled, vendor};
use crate::support::{Bench, Raw, Reply, Spec, bench, paused};

/// Dialect, model, header of the key and its value, path of the submission.
const VENDORS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "stability",
        "sd3.5-large",
        "authorization",
        "Bearer sk-stability-0123",
        "/stability/v2beta/stable-image/generate/sd3",
    ),
    (
        "fal",
        "fal-ai/flux/dev",
        "authorization",
        "Key sk-fal-0123",
        "/fal/queue.fal.run/fal-ai/flux/dev",
    ),
    (
        "replicate",
        "black-forest-labs/flux-dev",
        "authorization",
        "Bearer sk-replicate-0123",
        "/replicate/v1/models/black-forest-labs/flux-dev/predictions",
    ),
    (
        "bfl",
        "flux-dev",
        "x-key",
        "sk-bfl-0123",
        "/bfl/v1/flux-dev",
    ),
    (
        "together",
        "black-forest-labs/FLUX.1-dev",
        "authorization",
        "Bearer sk-together-0123",
        "/together/v1/images/generations",
    ),
];

#[test]
fn every_vendor_draws_in_base64() {
    for (dialect, name, header, secret, path) in VENDORS {
        let spec = model(vendor(Spec::new(), dialect, PACE), &[(dialect, name)]);
        bench(&spec, async |bench| {
            let answer = bench.call(&draw(json!({"seed": 42}))).await;
            assert_eq!(inline(&answer), 1, "{dialect}");
            let submissions = attempts(&bench, dialect, "submit");
            assert_eq!(submissions.len(), 1, "{dialect}");
            let received = submissions[0].received.as_ref().unwrap();
            assert_eq!(received.header(header), Some(*secret), "{dialect}");
            assert_eq!(&*received.target, *path, "{dialect}");
            assert!(
                received
                    .header("user-agent")
                    .unwrap()
                    .starts_with("trimtab/")
            );
            for attempt in bench.seen(dialect) {
                let received = attempt.received.as_ref().unwrap();
                let is_picture = attempt.path == "images/picture";
                let keyed = received.header(header).is_some();
                assert_eq!(keyed, !is_picture, "{dialect} {}", attempt.path);
            }
            let view = bench.route(&format!("{dialect}/"));
            assert_eq!((view.dispatched, view.inflight), (1, 0));
            assert_eq!(view.outcomes.iter().sum::<u64>(), 1);
            let metrics = bench.metrics().await;
            let count = metrics.sum("provider_attempts_total", &["success"]);
            assert!((count - 1.0).abs() < 0.1, "{dialect}: {count}");
            // A unit of work is no token.
            let told = metrics.sum("router_tokens_total", &["input"]);
            assert!(told < 100.0, "{dialect}: {told}");
        });
    }
}

#[test]
fn a_url_is_handed_on_where_the_vendor_has_one() {
    for (dialect, name, ..) in VENDORS {
        let spec = model(vendor(Spec::new(), dialect, PACE), &[(dialect, name)]);
        bench(&spec, async |bench| {
            let answer = bench.call(&draw(json!({"response_format": "url"}))).await;
            if *dialect == "stability" {
                assert_eq!(answer.status, 400, "{answer:?}");
                assert!(answer.text().contains("response_format"), "{answer:?}");
                assert!(bench.seen(dialect).is_empty());
                return;
            }
            assert_eq!(answer.status, 200, "{dialect}: {answer:?}");
            let url = answer.json()["data"][0]["url"].clone();
            assert!(
                url.as_str().unwrap().starts_with("http"),
                "{dialect}: {url}"
            );
            assert!(attempts(&bench, dialect, "picture").is_empty(), "{dialect}");
        });
    }
}

#[test]
fn several_pictures_and_what_was_left_out_are_told() {
    let spec = model(
        vendor(Spec::new(), "fal", PACE),
        &[("fal", "fal-ai/flux/dev")],
    );
    bench(&spec, async |bench| {
        let body = json!({"n": 3, "size": "1024x1024", "user": "u", "style": "vivid"});
        let answer = bench.call(&draw(body)).await;
        assert_eq!(inline(&answer), 3);
        assert_eq!(answer.header("x-trimtab-dropped"), Some("user, style"));
        assert_eq!(attempts(&bench, "fal", "picture").len(), 3);
        let submission = attempts(&bench, "fal", "submit").remove(0);
        let received = submission.received.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(body["num_images"], 3);
        assert_eq!(body["image_size"], "square_hd");
        let length = answer.header("content-length").unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), answer.body.len());
    });
}

/// Together and Fireworks converse like OpenAI on the same provider and key.
#[test]
fn one_provider_converses_and_draws() {
    let spec = model(
        vendor(Spec::new(), "together", "answer = 5"),
        &[("together", "flux")],
    );
    bench(&spec, async |bench| {
        let body = json!({"size": "768x512", "steps": 4});
        assert_eq!(inline(&bench.call(&draw(body)).await), 1);
        let submission = attempts(&bench, "together", "submit").remove(0);
        let received = submission.received.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(
            (&body["width"], &body["height"]),
            (&json!(768), &json!(512))
        );
        assert_eq!(
            (&body["model"], &body["size"]),
            (&json!("flux"), &json!(null))
        );
        let chat = crate::support::chat("draw", crate::support::Mode::Whole);
        assert_eq!(bench.chat(&chat).await.content(), crate::support::words(5));
    });
}

/// Fireworks answers with the picture's bytes.
#[test]
fn fireworks_draws_by_its_workflows() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let reply = Reply::new("200 OK", "content-type: image/png\r\n", PNG);
    paused(|| async move {
        let raw = Raw::start(reply).await;
        let spec = Spec::new().with(&format!(
            "[providers.fire]\nvendor = \"fireworks\"\nbase_url = \"http://{}/inference/v1\"\nkeys = [{{ name = \"key\", secret = \"sk-1\" }}]",
            raw.address
        ));
        let spec = model(spec, &[("fire", "flux-1-schnell-fp8")]);
        let bench = Bench::start(&spec.stand_in("idle", "").text(), None).await;
        assert_eq!(inline(&bench.call(&draw(json!({}))).await), 1);
        let heard = raw.only();
        assert!(
            heard.head.starts_with("POST /inference/v1/workflows/accounts/fireworks/models/flux-1-schnell-fp8/text_to_image "),
            "{}",
            heard.head
        );
        assert_eq!(heard.header("authorization"), Some("Bearer sk-1"));
    });
}

/// Where a provider is OpenAI's, images pass as they came, fields unknown to the gateway included.
#[test]
fn openai_gets_the_clients_own_bytes() {
    let spec = model(Spec::new().stand_in("plain", ""), &[("plain", "draw")]);
    bench(&spec, async |bench| {
        let call = draw(json!({"size": "huge", "odd": [1, 2.50]}));
        assert_eq!(bench.call(&call).await.status, 200);
        let received = bench.seen("plain")[0].received.clone().unwrap();
        let text = String::from_utf8(received.body.to_vec()).unwrap();
        assert!(text.contains("\"odd\":[1,2.5]"), "{text}");
        assert_eq!(submitted_and_cancelled(&bench, "plain"), (1, 0));
    });
}
