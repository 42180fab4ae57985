//! Every vendor, without a network: what it is asked, what it answers, and what follows.

mod conduct;
mod conversations;
mod requests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
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
