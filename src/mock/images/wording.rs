//! How does each vendor word a job, its pictures and its refusals?
//!
//! Sources: the vendors' API references, as named in the gateway's own files for them.
//!
//! # Invariants
//! - Moderation is told as the vendor tells it: Stability, BFL and Replicate with status 200.

use bytes::Bytes;
use hyper::header::HeaderValue;
use scoring::time::Time;
use serde_json::{Value, json};

use super::Said;
use super::doors::Maker;
use super::jobs::{Job, Stage};
use crate::mock::bill::Billed;
use crate::mock::catalogue::{Fault, Kind};

/// A PNG of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\xdachpP\0\0\x02$\0\xe1\x95\xa4\xb1\x8b\0\0\0\0IEND\xaeB`\x82";

/// The same in base64.
const PNG_BASE64: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNocFAAAAIkAOGVpLGLAAAAAElFTkSuQmCC";

/// Tokens that OpenAI's pictures are billed as, whatever they are: taken in, and made.
const TOKENS: (u32, u32) = (44, 1_056);

/// What a job is billed for.
pub(super) fn billed(job: &Job) -> Billed {
    let alone = matches!(job.maker, Maker::Stability | Maker::Bfl) || job.ask.partial.is_some();
    let images = if alone { 1 } else { job.ask.n };
    let (input_tokens, output_tokens) = match job.maker {
        Maker::OpenAi => TOKENS,
        _ => (0, 0),
    };
    Billed {
        input_tokens,
        output_tokens,
        image_tokens: output_tokens,
        images: u32::try_from(images).unwrap_or(u32::MAX),
        ..Billed::default()
    }
}

/// The bytes of a picture.
pub(super) fn picture(seed: u64, media: &'static str) -> Said {
    Said {
        status: 200,
        media: HeaderValue::from_static(media),
        body: Bytes::from_static(PNG),
        headers: vec![("seed", seed.to_string())],
    }
}

/// A refusal, in the vendor's form.
pub(super) fn refusal(maker: Maker, status: u16, words: &str) -> Said {
    let body = match maker {
        Maker::OpenAi => json!({"error": {
            "message": words, "type": "invalid_request_error", "param": null, "code": null}}),
        Maker::Stability => json!({"id": "mock", "name": "bad_request", "errors": [words]}),
        Maker::Replicate => json!({"title": "Refused", "detail": words, "status": status}),
        Maker::Fal | Maker::FalSync if status == 422 => {
            json!({"detail": [{"loc": ["body"], "msg": words, "type": "value_error"}]})
        }
        Maker::Fal | Maker::FalSync | Maker::Bfl => json!({"detail": words}),
    };
    Said::json(status, &body)
}

/// The refusal that a fault stands for; nothing if it is of another sort.
pub(super) fn fault(maker: Maker, fault: Fault) -> Option<Said> {
    let wait = match fault.kind {
        Kind::LimitedSeconds => Some(("retry-after", fault.number.to_string())),
        Kind::LimitedMillis => Some(("retry-after-ms", fault.number.to_string())),
        Kind::LimitedAbsurd => Some(("retry-after", "99999999999".to_owned())),
        Kind::LimitedNegative => Some(("retry-after", "-30".to_owned())),
        _ => None,
    };
    let (status, words) = match fault.kind {
        Kind::Limited
        | Kind::LimitedSeconds
        | Kind::LimitedDate
        | Kind::LimitedMillis
        | Kind::LimitedAbsurd
        | Kind::LimitedNegative => (429, "Too many requests"),
        Kind::Quota => (402, "Insufficient credits"),
        Kind::Busy => (429, "The model is currently at capacity."),
        Kind::KeyRejected => (401, "Unauthorized"),
        Kind::Forbidden => (403, "Forbidden"),
        Kind::NoModel => (404, "Model not found"),
        Kind::Internal => (500, "Internal server error"),
        Kind::BadGateway => (502, "Bad gateway"),
        Kind::Unavailable => (503, "Service unavailable"),
        Kind::Overloaded => (529, "Overloaded"),
        Kind::GatewayTimeout => (504, "Gateway timeout"),
        Kind::Html => {
            return Some(Said {
                status: 200,
                media: HeaderValue::from_static("text/html"),
                body: Bytes::from_static(b"<html>Bad Gateway</html>"),
                headers: Vec::new(),
            });
        }
        _ => return None,
    };
    let mut said = refusal(maker, status, words);
    said.headers.extend(wait);
    Some(said)
}

/// The answer to a submission.
pub(super) fn submitted(job: &Job, now: Time, here: &str) -> Said {
    match job.maker {
        Maker::OpenAi | Maker::Stability | Maker::FalSync => result(job, now, here),
        Maker::Replicate => Said {
            status: 201,
            ..status(job, now, here)
        },
        Maker::Fal => Said::json(200, &queued(job, "IN_QUEUE", here)),
        Maker::Bfl => Said::json(
            200,
            &json!({"id": job.id, "polling_url": format!("{here}/v1/get_result?id={}", job.id), "cost": 4.0}),
        ),
    }
}

/// The answer to a poll.
pub(super) fn status(job: &Job, now: Time, here: &str) -> Said {
    match job.maker {
        Maker::Fal => {
            let status = match job.stage(now) {
                Stage::Queued => "IN_QUEUE",
                Stage::Running(_) => "IN_PROGRESS",
                Stage::Done | Stage::Moderated => "COMPLETED",
                Stage::Canceled => "CANCELED",
            };
            let http = if status == "COMPLETED" { 200 } else { 202 };
            Said::json(http, &queued(job, status, here))
        }
        Maker::Replicate => Said::json(200, &prediction(job, now, here)),
        _ => Said::json(200, &bfl(job, now, here)),
    }
}

/// The answer to a cancellation.
pub(super) fn canceled(job: &Job, now: Time, here: &str) -> Said {
    match (job.maker, job.canceled) {
        (Maker::Fal, true) => Said::json(202, &json!({"status": "CANCELLATION_REQUESTED"})),
        (Maker::Fal, false) => Said::json(400, &json!({"status": "ALREADY_COMPLETED"})),
        _ => Said::json(200, &prediction(job, now, here)),
    }
}

/// The pictures, or why there are none.
pub(super) fn result(job: &Job, now: Time, here: &str) -> Said {
    let urls = urls(job, here);
    let moderated = job.stage(now) == Stage::Moderated;
    match job.maker {
        Maker::Fal | Maker::FalSync if moderated => Said::json(
            422,
            &json!({"detail": [{"loc": ["body", "prompt"], "type": "content_policy_violation",
                "msg": "The content could not be processed because it was flagged by a content checker."}]}),
        ),
        Maker::Fal if job.stage(now) != Stage::Done => {
            refusal(job.maker, 400, "Request is still in progress")
        }
        Maker::Fal | Maker::FalSync => {
            let images: Vec<Value> = urls
                .iter()
                .map(
                    |url| json!({"url": url, "width": 1, "height": 1, "content_type": "image/png"}),
                )
                .collect();
            let safe = vec![false; images.len()];
            let mut said = Said::json(
                200,
                &json!({"images": images, "seed": job.ask.seed, "has_nsfw_concepts": safe, "prompt": ""}),
            );
            said.headers
                .push(("x-fal-billable-units", images.len().to_string()));
            said
        }
        Maker::Stability => stability(job, moderated),
        _ => openai(job, moderated, &urls),
    }
}

fn stability(job: &Job, moderated: bool) -> Said {
    let reason = if moderated {
        "CONTENT_FILTERED"
    } else {
        "SUCCESS"
    };
    if job.ask.inline {
        let body = json!({"image": PNG_BASE64, "finish_reason": reason, "seed": job.ask.seed});
        return Said::json(200, &body);
    }
    let mut said = picture(job.ask.seed, "image/png");
    said.headers.push(("finish-reason", reason.to_owned()));
    said
}

fn openai(job: &Job, moderated: bool, urls: &[String]) -> Said {
    if moderated {
        let body = json!({"error": {"message": "Your request was rejected as a result of our safety system.",
            "type": "image_generation_user_error", "param": null, "code": "moderation_blocked"}});
        return Said::json(400, &body);
    }
    let usage = json!({"total_tokens": TOKENS.0 + TOKENS.1, "input_tokens": TOKENS.0, "output_tokens": TOKENS.1});
    if let Some(partial) = job.ask.partial {
        let event = |kind: &str, more: (&str, Value)| {
            let mut data = json!({"type": kind, "b64_json": PNG_BASE64, "created_at": 1, "output_format": "png"});
            data[more.0] = more.1;
            format!("event: {kind}\ndata: {data}\n\n")
        };
        let early = (0..partial).map(|index| {
            event(
                "image_generation.partial_image",
                ("partial_image_index", index.into()),
            )
        });
        let last = event("image_generation.completed", ("usage", usage));
        return Said {
            status: 200,
            media: HeaderValue::from_static("text/event-stream"),
            body: Bytes::from(early.chain([last]).collect::<String>()),
            headers: Vec::new(),
        };
    }
    let one = |url: &String| {
        if job.ask.inline {
            json!({"b64_json": PNG_BASE64})
        } else {
            json!({"url": url})
        }
    };
    let data: Vec<Value> = urls.iter().map(one).collect();
    let body = json!({"created": 1, "output_format": "png", "data": data, "usage": usage});
    Said::json(200, &body)
}

fn queued(job: &Job, status: &str, here: &str) -> Value {
    let at = format!("{here}/queue.fal.run/{}/requests/{}", job.app, job.id);
    let mut body = json!({
        "status": status,
        "request_id": job.id,
        "response_url": at,
        "status_url": format!("{at}/status"),
        "cancel_url": format!("{at}/cancel"),
    });
    if status == "IN_QUEUE" {
        body["queue_position"] = 0.into();
    }
    body
}

fn prediction(job: &Job, now: Time, here: &str) -> Value {
    let at = format!("{here}/v1/predictions/{}", job.id);
    let stage = job.stage(now);
    let (status, error) = match stage {
        Stage::Queued => ("starting", Value::Null),
        Stage::Running(_) => ("processing", Value::Null),
        Stage::Done => ("succeeded", Value::Null),
        Stage::Moderated => (
            "failed",
            "NSFW content detected. Try running it again.".into(),
        ),
        Stage::Canceled => ("canceled", Value::Null),
    };
    let logs = match stage {
        Stage::Running(percent) => format!("{percent}%|"),
        _ => String::new(),
    };
    let output = match stage {
        Stage::Done => json!(urls(job, here)),
        _ => Value::Null,
    };
    let seconds = job.done.since(job.began).as_secs_f64();
    json!({
        "id": job.id,
        "model": job.ask.model,
        "status": status,
        "error": error,
        "logs": logs,
        "output": output,
        "metrics": {"predict_time": seconds},
        "urls": {"get": at, "cancel": format!("{at}/cancel")},
    })
}

fn bfl(job: &Job, now: Time, here: &str) -> Value {
    let (status, progress) = match job.stage(now) {
        Stage::Queued => ("Pending", Value::Null),
        Stage::Running(percent) => ("Pending", (f64::from(percent) / 100.0).into()),
        Stage::Done => ("Ready", Value::Null),
        Stage::Moderated => ("Request Moderated", Value::Null),
        Stage::Canceled => ("Error", Value::Null),
    };
    let result = match (status, urls(job, here).first()) {
        ("Ready", Some(url)) => json!({"sample": url, "seed": job.ask.seed, "prompt": ""}),
        _ => Value::Null,
    };
    json!({"id": job.id, "status": status, "progress": progress, "result": result, "cost": 4.0})
}

/// Where a job's pictures are.
fn urls(job: &Job, here: &str) -> Vec<String> {
    let at = |number: u64| format!("{here}/pictures/{}-{number}.png", job.id);
    (0..job.ask.n).map(at).collect()
}
