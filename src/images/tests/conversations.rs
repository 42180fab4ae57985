//! Every vendor's conversation, as a table of answers and the steps they lead to, and every request as it is written.

#![expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use scoring::time::Span;
use serde_json::{Value, json};

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";
const BASE: &str = "http://mock:9000/a";

fn request(body: &Value) -> ImageRequest {
    ImageRequest::from_json(body.to_string().as_bytes()).unwrap()
}

fn plain() -> ImageRequest {
    request(&json!({"prompt": "a cat"}))
}

fn edit(format: &[u8]) -> ImageRequest {
    let field = |name: &str, data: &[u8]| Field {
        name: name.to_owned(),
        file_name: None,
        content_type: None,
        data: Bytes::copy_from_slice(data),
    };
    let fields = vec![field("prompt", b"hat"), field("image", format)];
    ImageRequest::from_form(Task::Edit, fields).unwrap()
}

fn base() -> Base {
    Base::parse(BASE).unwrap()
}

fn start(vendor: Vendor, request: &ImageRequest, model: &str) -> Start {
    vendor.submit(request, model, &base()).unwrap()
}

fn body_of(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

/// Tells a job an answer and writes the step in one line.
fn tell(
    job: &mut Job,
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> String {
    let headers = headers.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    });
    let headers = HeaderMap::from_iter(headers);
    let body = body.into();
    line(&job.answered(&Heard {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
        body: &body,
        unix: Duration::ZERO,
        jitter: 0.5,
    }))
}

fn line(step: &Step) -> String {
    match step {
        Step::Poll {
            wait,
            call,
            progress,
        } => {
            let told = match progress {
                None => String::new(),
                Some(progress) => format!(" {progress:?}"),
            };
            format!(
                "{} {} {}{told}",
                wait.as_micros() / 1_000,
                call.method,
                call.url
            )
        }
        Step::Fetch { wait, call } => {
            assert_eq!(call.auth, Auth::None, "a picture is fetched without a key");
            format!("fetch {} {}", wait.as_micros() / 1_000, call.url)
        }
        Step::Done(finished) => {
            let images = finished.images.iter().map(|image| match &image.content {
                Content::Bytes(bytes) => format!("{} bytes", bytes.len()),
                Content::Base64(text) => format!("base64 {}", text.len()),
                Content::Url(url) => url.clone(),
            });
            format!("done {}", images.collect::<Vec<_>>().join(", "))
        }
        Step::Failed(failed) => format!("failed {:?}", failed.kind),
    }
}

/// What a vendor answers, and the step that follows.
type Row<'a> = (u16, &'a str, &'a str);

fn converse(vendor: Vendor, request: &ImageRequest, model: &str, rows: &[Row<'_>]) {
    let mut job = start(vendor, request, model).job;
    for (at, (status, body, expected)) in rows.iter().enumerate() {
        let kind = match *body {
            "PNG" => ("content-type", "image/png"),
            body if body.starts_with("event:") => ("content-type", "text/event-stream"),
            _ => ("content-type", "application/json"),
        };
        let bytes = if *body == "PNG" {
            PNG.to_vec()
        } else {
            body.as_bytes().to_vec()
        };
        let step = tell(&mut job, *status, &[kind], bytes);
        assert_eq!(step, *expected, "{vendor:?}, answer {at}: {body}");
    }
}

#[test]
fn bfl_is_polled_where_it_says() {
    let poll = "GET https://api.eu1.bfl.ai/v1/get_result?id=1";
    converse(
        Vendor::Bfl,
        &plain(),
        "flux-pro-1.1",
        &[
            (
                200,
                r#"{"id":"1","polling_url":"https://api.eu1.bfl.ai/v1/get_result?id=1"}"#,
                &format!("500 {poll} Queued(None)"),
            ),
            (
                200,
                r#"{"id":"1","status":"Pending","progress":0.25}"#,
                &format!("750 {poll} Running(Some(25))"),
            ),
            (503, "", &format!("1125 {poll}")),
            (404, "", &format!("1687 {poll}")),
            (
                200,
                r#"{"status":"Pending"}"#,
                &format!("2000 {poll} Running(None)"),
            ),
            (
                200,
                r#"{"status":"Pending"}"#,
                &format!("2000 {poll} Running(None)"),
            ),
            (
                200,
                r#"{"status":"Ready","result":{"sample":"https://delivery-eu1.bfl.ai/x.png?sig=1","seed":7}}"#,
                "fetch 0 https://delivery-eu1.bfl.ai/x.png?sig=1",
            ),
            (
                500,
                "",
                "fetch 2000 https://delivery-eu1.bfl.ai/x.png?sig=1",
            ),
            (200, "PNG", "done 12 bytes"),
            (200, "", "failed Nonsense"),
        ],
    );
    for (status, kind) in [
        ("Request Moderated", "Moderated"),
        ("Content Moderated", "Moderated"),
        ("Task not found", "Server"),
        ("Error", "Server"),
        ("Unheard of", "Nonsense"),
    ] {
        converse(
            Vendor::Bfl,
            &plain(),
            "flux-dev",
            &[
                (
                    200,
                    r#"{"id":"1"}"#,
                    "500 GET http://mock:9000/a/v1/get_result?id=1 Queued(None)",
                ),
                (
                    200,
                    &json!({"status": status}).to_string(),
                    &format!("failed {kind}"),
                ),
            ],
        );
    }
}

#[test]
fn replicate_answers_at_once_or_is_polled() {
    let poll = "GET https://api.replicate.com/v1/predictions/1";
    let url = request(&json!({"prompt": "p", "response_format": "url", "n": 2}));
    let model = "black-forest-labs/flux-schnell";
    let accepted = json!({"id": "1", "status": "starting", "urls": {
        "get": "https://api.replicate.com/v1/predictions/1", "cancel": "https://api.replicate.com/v1/predictions/1/cancel"}});
    converse(
        Vendor::Replicate,
        &url,
        model,
        &[
            (
                201,
                &accepted.to_string(),
                &format!("500 {poll} Queued(None)"),
            ),
            (
                200,
                r#"{"status":"processing","logs":" 45%|x"}"#,
                &format!("750 {poll} Running(Some(45))"),
            ),
            (
                200,
                r#"{"status":"succeeded","output":["https://replicate.delivery/a.webp","https://replicate.delivery/b.webp"]}"#,
                "done https://replicate.delivery/a.webp, https://replicate.delivery/b.webp",
            ),
        ],
    );
    let at_once = r#"{"status":"succeeded","output":"data:image/png;base64,QUJD","urls":{"get":"https://evil.example"}}"#;
    converse(
        Vendor::Replicate,
        &plain(),
        model,
        &[(201, at_once, "done base64 4")],
    );
    for (answer, kind) in [
        (
            r#"{"status":"failed","error":"NSFW content detected. Try again."}"#,
            "Moderated",
        ),
        (
            r#"{"status":"failed","error":"CUDA out of memory"}"#,
            "Server",
        ),
        (r#"{"status":"failed","error":null}"#, "Server"),
        (r#"{"status":"canceled"}"#, "Server"),
        (r#"{"status":"succeeded","output":null}"#, "Nonsense"),
        (
            r#"{"status":"succeeded","output":["data:image/png,raw"]}"#,
            "Nonsense",
        ),
    ] {
        converse(
            Vendor::Replicate,
            &plain(),
            model,
            &[(201, answer, &format!("failed {kind}"))],
        );
    }
}

#[test]
fn fal_keeps_its_result_elsewhere() {
    let queue = |what: &str| format!("https://queue.fal.run/fal-ai/flux/requests/1{what}");
    let accepted = json!({"status": "IN_QUEUE", "request_id": "1", "queue_position": 3,
        "status_url": queue("/status"), "response_url": queue(""), "cancel_url": queue("/cancel")});
    let completed = json!({"status": "COMPLETED", "request_id": "1", "response_url": queue("")});
    let url = request(&json!({"prompt": "p", "response_format": "url"}));
    let poll = queue("/status");
    converse(
        Vendor::Fal,
        &url,
        "fal-ai/flux/dev",
        &[
            (
                200,
                &accepted.to_string(),
                &format!("500 GET {poll} Queued(Some(3))"),
            ),
            (
                200,
                r#"{"status":"IN_QUEUE","queue_position":0}"#,
                &format!("750 GET {poll} Queued(Some(0))"),
            ),
            (
                202,
                r#"{"status":"IN_PROGRESS"}"#,
                &format!("1125 GET {poll} Running(None)"),
            ),
            (200, &completed.to_string(), &format!("0 GET {}", queue(""))),
            (
                200,
                r#"{"images":[{"url":"https://v3.fal.media/a.png"},{"url":"https://v3.fal.media/b.png"}],"has_nsfw_concepts":[true,false]}"#,
                "done https://v3.fal.media/b.png",
            ),
        ],
    );
    let refused = r#"{"detail":[{"type":"content_policy_violation","msg":"flagged"}]}"#;
    let below = "GET http://mock:9000/a/fal-ai/flux/requests/1";
    converse(
        Vendor::Fal,
        &plain(),
        "fal-ai/flux/dev",
        &[
            (
                200,
                r#"{"request_id":"1"}"#,
                &format!("500 {below}/status Queued(None)"),
            ),
            (
                200,
                r#"{"status":"COMPLETED","request_id":"1"}"#,
                &format!("0 {below}"),
            ),
            (422, refused, "failed Moderated"),
        ],
    );
    // The synchronous host answers with the result.
    converse(
        Vendor::Fal,
        &plain(),
        "fal-ai/flux/dev",
        &[
            (
                200,
                r#"{"images":[{"url":"https://v3.fal.media/a.png"}],"seed":18446744073709551616}"#,
                "fetch 0 https://v3.fal.media/a.png",
            ),
            (200, "PNG", "done 12 bytes"),
        ],
    );
    let black = r#"{"images":[{"url":"https://v3.fal.media/a.png"}],"has_nsfw_concepts":[true]}"#;
    converse(
        Vendor::Fal,
        &plain(),
        "fal-ai/flux/dev",
        &[(200, black, "failed Moderated")],
    );
}

#[test]
fn stability_answers_with_the_picture() {
    let one = |status: u16, body: &str, expected: &str| {
        converse(
            Vendor::Stability,
            &plain(),
            "core",
            &[(status, body, expected)],
        );
    };
    one(200, "PNG", "done 12 bytes");
    one(
        200,
        r#"{"image":"QUJD","finish_reason":"SUCCESS","seed":1}"#,
        "done base64 4",
    );
    one(
        200,
        r#"{"image":"QUJD","finish_reason":"CONTENT_FILTERED"}"#,
        "failed Moderated",
    );
    one(200, r#"{"image":"<html>"}"#, "failed Nonsense");
    one(200, "<html>", "failed Nonsense");
    one(200, r#"{"id":"../../x"}"#, "failed Nonsense");
    one(
        403,
        r#"{"name":"content_moderation","errors":["no"]}"#,
        "failed Moderated",
    );
    let mut job = start(Vendor::Stability, &plain(), "core").job;
    let filtered = [
        ("content-type", "image/png"),
        ("finish-reason", "CONTENT_FILTERED"),
    ];
    assert_eq!(tell(&mut job, 200, &filtered, PNG), "failed Moderated");
    let mut job = start(Vendor::Stability, &plain(), "core").job;
    assert_eq!(
        tell(
            &mut job,
            200,
            &[("content-type", "image/png")],
            &b"<html>"[..]
        ),
        "failed Nonsense"
    );
    converse(
        Vendor::Stability,
        &plain(),
        "ultra",
        &[
            (
                202,
                r#"{"id":"abc"}"#,
                "500 GET http://mock:9000/a/v2beta/results/abc",
            ),
            (
                202,
                r#"{"id":"abc","status":"in-progress"}"#,
                "750 GET http://mock:9000/a/v2beta/results/abc",
            ),
            (200, "PNG", "done 12 bytes"),
        ],
    );
}

#[test]
fn openai_and_its_likes_answer_with_data() {
    let one = |vendor: Vendor, body: &str, expected: &str| {
        converse(vendor, &plain(), "gpt-image-1", &[(200, body, expected)]);
    };
    one(
        Vendor::OpenAi,
        r#"{"data":[{"b64_json":"QUJD"},{"b64_json":"QUJD"}]}"#,
        "done base64 4, base64 4",
    );
    one(
        Vendor::OpenAi,
        r#"{"data":[{"url":"https://elsewhere.example/a.png"}]}"#,
        "done https://elsewhere.example/a.png",
    );
    one(
        Vendor::Together,
        r#"{"data":[{"url":"https://elsewhere.example/a.png"}]}"#,
        "failed Nonsense",
    );
    one(
        Vendor::Together,
        r#"{"data":[{"url":"https://api.together.ai/a.png"}]}"#,
        "fetch 0 https://api.together.ai/a.png",
    );
    one(Vendor::OpenAi, r#"{"data":[]}"#, "failed Nonsense");
    one(Vendor::OpenAi, r#"{"data":null}"#, "failed Nonsense");
    one(
        Vendor::OpenAi,
        r#"{"error":{"code":"moderation_blocked","message":"no"}}"#,
        "failed Moderated",
    );
    one(
        Vendor::OpenAi,
        "event: x\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"QQ==\"}\n\n\
         event: y\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"QUJD\"}\n\n",
        "done base64 4",
    );
    one(
        Vendor::OpenAi,
        "event: x\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"QQ==\"}\n\n",
        "failed Nonsense",
    );
    converse(
        Vendor::OpenAi,
        &plain(),
        "dall-e-3",
        &[(
            400,
            r#"{"error":{"code":"content_policy_violation","message":"no"}}"#,
            "failed Moderated",
        )],
    );
}

#[test]
fn fireworks_answers_or_is_polled_by_post() {
    converse(
        Vendor::Fireworks,
        &plain(),
        "flux-1-schnell-fp8",
        &[(200, "PNG", "done 12 bytes")],
    );
    let poll = "POST http://mock:9000/a/v1/workflows/accounts/fireworks/models/flux-kontext-pro/get_result";
    converse(
        Vendor::Fireworks,
        &edit(PNG),
        "flux-kontext-pro",
        &[
            (
                200,
                r#"{"request_id":"1"}"#,
                &format!("500 {poll} Queued(None)"),
            ),
            (
                200,
                r#"{"status":"Pending"}"#,
                &format!("750 {poll} Running(None)"),
            ),
            (200, r#"{"status":"Content Moderated"}"#, "failed Moderated"),
        ],
    );
}

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
fn every_vendor_is_asked_in_its_own_words() {
    let ask = request(
        &json!({"prompt": "p", "size": "1024x576", "seed": 7, "output_format": "jpeg", "safety": 2, "webhook_url": "x"}),
    );
    for (vendor, model, url, body) in [
        (
            Vendor::Bfl,
            "flux-pro-1.1",
            "/v1/flux-pro-1.1",
            json!({"prompt": "p", "width": 1024, "height": 576, "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Bfl,
            "flux-pro-1.1-ultra",
            "/v1/flux-pro-1.1-ultra",
            json!({"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            "/fal-ai/flux/dev",
            json!({"prompt": "p", "image_size": "landscape_16_9", "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "/v1/models/black-forest-labs/flux-dev/predictions",
            json!({"input": {"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "output_format": "jpg", "safety": 2}}),
        ),
        (
            Vendor::Replicate,
            "stability-ai/sdxl:abc",
            "/v1/predictions",
            json!({"version": "abc", "input": {"prompt": "p", "width": 1024, "height": 576, "seed": 7, "output_format": "jpg", "safety": 2}}),
        ),
        (
            Vendor::OpenAi,
            "dall-e-3",
            "/v1/images/generations",
            json!({"model": "dall-e-3", "prompt": "p", "size": "1024x576", "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Together,
            "black-forest-labs/FLUX.1-dev",
            "/v1/images/generations",
            json!({"model": "black-forest-labs/FLUX.1-dev", "prompt": "p", "width": 1024, "height": 576, "seed": 7,
                   "output_format": "jpeg", "response_format": "base64", "safety": 2}),
        ),
        (
            Vendor::Fireworks,
            "flux-1-dev-fp8",
            "/v1/workflows/accounts/fireworks/models/flux-1-dev-fp8/text_to_image",
            json!({"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "safety": 2}),
        ),
    ] {
        // OpenAI has no seed, which is a hint; webhooks are never passed on.
        let start = start(vendor, &ask, model);
        assert_eq!(
            start.call.url.to_string(),
            format!("{BASE}{url}"),
            "{vendor:?}"
        );
        assert_eq!(body_of(&start.call), body, "{vendor:?}");
        let lost: Vec<&str> = start.losses.names().collect();
        let expected: &[&str] = if vendor == Vendor::OpenAi {
            &["seed", "webhook"]
        } else {
            &["webhook"]
        };
        assert_eq!(lost, expected, "{vendor:?}");
    }
    let Start { call, .. } = start(Vendor::Stability, &ask, "sd3.5-large");
    assert_eq!(
        call.url.to_string(),
        format!("{BASE}/v2beta/stable-image/generate/sd3")
    );
    let kind = call.content_type.unwrap();
    let fields = split(kind.to_str().unwrap(), &call.body).unwrap();
    let fields: Vec<(String, Bytes)> = fields.into_iter().map(|it| (it.name, it.data)).collect();
    let expected = [
        ("prompt", "p"),
        ("seed", "7"),
        ("output_format", "jpeg"),
        ("aspect_ratio", "16:9"),
        ("model", "sd3.5-large"),
        ("safety", "2"),
    ];
    let expected: Vec<(String, Bytes)> = expected
        .map(|(name, value)| (name.to_owned(), Bytes::from_static(value.as_bytes())))
        .into();
    assert_eq!(fields, expected);
}

#[test]
fn what_a_vendor_cannot_be_told_is_refused_by_name() {
    for (vendor, model, field, value, what) in [
        (Vendor::Bfl, "flux-dev", "n", json!(2), "n"),
        (Vendor::Bfl, "flux-dev", "size", json!("1000x1000"), "size"),
        (
            Vendor::Bfl,
            "flux-dev",
            "output_format",
            json!("webp"),
            "output_format",
        ),
        (
            Vendor::Bfl,
            "flux-dev",
            "background",
            json!("transparent"),
            "background",
        ),
        (Vendor::Bfl, "../x", "seed", json!(1), "model"),
        (Vendor::Stability, "core", "n", json!(2), "n"),
        (
            Vendor::Stability,
            "core",
            "response_format",
            json!("url"),
            "response_format",
        ),
        (
            Vendor::Stability,
            "core",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Stability, "core", "size", json!("256x256"), "size"),
        (
            Vendor::Stability,
            "core",
            "seed",
            json!(4_294_967_295_u64),
            "seed",
        ),
        (Vendor::Stability, "sdxl", "seed", json!(1), "model"),
        (Vendor::Fal, "fal-ai/flux/dev", "n", json!(5), "n"),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            "negative_prompt",
            json!("x"),
            "negative_prompt",
        ),
        (
            Vendor::Fal,
            "fal-ai/flux-pro/kontext",
            "size",
            json!("1000x900"),
            "size",
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-1.1-pro",
            "n",
            json!(2),
            "n",
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Replicate, "a/b/c", "seed", json!(1), "model"),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "response_format",
            json!("url"),
            "response_format",
        ),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "aspect_ratio",
            json!("16:9"),
            "size",
        ),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "negative_prompt",
            json!("x"),
            "negative_prompt",
        ),
        (Vendor::Together, "m", "size", json!("1000x1000"), "size"),
        (
            Vendor::Together,
            "FLUX.1-kontext-pro",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Together, "m", "n", json!(5), "n"),
        (Vendor::Fireworks, "flux-1-dev-fp8", "n", json!(2), "n"),
        (
            Vendor::Fireworks,
            "flux-1-dev-fp8",
            "response_format",
            json!("url"),
            "response_format",
        ),
    ] {
        let mut body = json!({"prompt": "p"});
        body[field] = value;
        match vendor.submit(&request(&body), model, &base()) {
            Err(Unfit::Lossy(losses)) => assert_eq!(losses.of_meaning(), Some(what), "{body}"),
            other => panic!("{vendor:?} {body}: {other:?}"),
        }
    }
    let hints = request(&json!({"prompt": "p", "quality": "high", "user": "u", "steps": 4}));
    let losses = start(Vendor::Stability, &hints, "core").losses;
    assert_eq!(
        losses.names().collect::<Vec<_>>(),
        ["quality", "steps", "user"]
    );
}

#[test]
fn edits_carry_their_pictures_each_vendors_way() {
    let ask = edit(PNG);
    let data = "data:image/png;base64,iVBORw0KGgpyZXN0";
    let bare = "iVBORw0KGgpyZXN0";
    for (vendor, model, at, value) in [
        (Vendor::Bfl, "flux-kontext-pro", "/input_image", bare),
        (Vendor::Bfl, "flux-pro-1.0-fill", "/image", bare),
        (Vendor::Fal, "fal-ai/flux-pro/kontext", "/image_url", data),
        (
            Vendor::Fal,
            "fal-ai/nano-banana/edit",
            "/image_urls/0",
            data,
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-kontext-pro",
            "/input/input_image",
            data,
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "/input/image",
            data,
        ),
        (Vendor::Fireworks, "flux-kontext-pro", "/input_image", data),
    ] {
        let body = body_of(&start(vendor, &ask, model).call);
        assert_eq!(body.pointer(at), Some(&json!(value)), "{vendor:?} {model}");
    }
    for (vendor, model, path) in [
        (Vendor::OpenAi, "gpt-image-1", "/v1/images/edits"),
        (
            Vendor::Stability,
            "sd3",
            "/v2beta/stable-image/generate/sd3",
        ),
    ] {
        let call = start(vendor, &ask, model).call;
        assert_eq!(call.url.to_string(), format!("{BASE}{path}"));
        let fields = split(call.content_type.unwrap().to_str().unwrap(), &call.body).unwrap();
        let image = fields.iter().find(|field| field.name == "image").unwrap();
        assert_eq!(&image.data[..], PNG);
    }
    for (vendor, model) in [
        (Vendor::Together, "m"),
        (Vendor::Stability, "core"),
        (Vendor::Fireworks, "flux-1-dev-fp8"),
    ] {
        assert!(vendor.submit(&ask, model, &base()).is_err(), "{vendor:?}");
    }
    let mut vary = ask;
    vary.task = Task::Vary;
    for vendor in Vendor::ALL {
        let fits = vendor.submit(&vary, "dall-e-2", &base()).is_ok();
        assert_eq!(fits, vendor == Vendor::OpenAi, "{vendor:?}");
    }
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
