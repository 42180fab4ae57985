//! Every vendor's conversation, as a table of answers and the steps they lead to.

#![expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]

use serde_json::json;

use super::*;

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
