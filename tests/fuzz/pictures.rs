//! Can any request for a picture, form or vendor's answer break whoever reads it?
//!
//! # Invariants
//! - A job ends or asks for one more call; it never asks for a call to another's origin.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rand::RngExt;
use rand::rngs::SmallRng;
use trimtab::dialects::openai::form;
use trimtab::images::{
    Auth, Base, Heard, ImageRequest, Job, Pixels, Ratio, Step, Task, Url, Vendor, answer, split,
};
use trimtab::upstream::Scheme;

use crate::corpus;
use crate::mutate::Kind;
use crate::requests::json;
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::harvested;

/// Answers that a job is told at most.
const ANSWERS: usize = 40;

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let bytes = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let mut requests = bytes(&[corpus::PICTURES]);
    requests.extend(harvested("src/images"));
    let mut answers = bytes(corpus::PICTURE_ANSWERS);
    answers.extend(harvested("src/images").into_iter().map(|seed| {
        let lines = seed.split(|&byte| byte == b'\n');
        lines.collect::<Vec<_>>().join(&b' ')
    }));
    let target =
        |name, kind, seeds, check: fn(&[u8], &mut SmallRng) -> Result<(), String>| Target {
            name,
            kind,
            seeds,
            growth: MOST_GROWTH,
            check: Box::new(check),
        };
    vec![
        target("picture-request", Kind::Json, requests, asked).keeping_trees(),
        target("picture-answers", Kind::Lines, answers, answered),
        target("form", Kind::Lines, bytes(corpus::FORMS), formed),
    ]
}

fn base() -> Base {
    Base::parse("http://mock:9000/a").unwrap()
}

/// Whether a key may go there: the configured origin, or a vendor's own.
fn is_owned(url: &Url) -> bool {
    let vendors = ["bfl.ai", "fal.run", "fireworks.ai", "replicate.com"];
    let below = |host: &&str| {
        let before = url.host().strip_suffix(host);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let own = url.host() == "mock" && url.port() == 9_000;
    own || url.scheme() == Scheme::Https && url.port() == 443 && vendors.iter().any(below)
}

fn asked(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let Ok(request) = ImageRequest::from_json(input) else {
        return Ok(());
    };
    let _ = request.work_units();
    let vendor = Vendor::ALL[rng.random_range(0..Vendor::ALL.len())];
    let Ok(start) = vendor.submit(&request, "owner/model", &base()) else {
        return Ok(());
    };
    let kind = start
        .call
        .content_type
        .as_ref()
        .map(|kind| kind.as_bytes().to_vec());
    match kind.as_deref() {
        Some(b"application/json") => json("a vendor's request", &start.call.body),
        Some(kind) if kind.starts_with(b"multipart/") => {
            let kind = String::from_utf8_lossy(kind);
            let fields = split(&kind, &start.call.body);
            fields
                .map(drop)
                .map_err(|error| format!("a vendor's form cannot be read: {error}"))
        }
        _ => Ok(()),
    }
}

fn answered(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let vendor = Vendor::ALL[rng.random_range(0..Vendor::ALL.len())];
    let wish = if rng.random() {
        r#"{"prompt":"a","response_format":"url"}"#
    } else {
        r#"{"prompt":"a"}"#
    };
    let request = ImageRequest::from_json(wish.as_bytes()).unwrap();
    let Ok(start) = vendor.submit(&request, "owner/model", &base()) else {
        return Ok(());
    };
    let mut job: Job = start.job;
    for line in input.split(|&byte| byte == b'\n').take(ANSWERS) {
        let usual = rng.random_ratio(7, 8);
        let status = if usual {
            200
        } else {
            rng.random_range(200..600)
        };
        let body = Bytes::copy_from_slice(line);
        let mut headers = HeaderMap::new();
        if rng.random() {
            headers.insert(
                "content-type",
                http::HeaderValue::from_static("application/json"),
            );
        }
        let step = job.answered(&Heard {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            headers: &headers,
            body: &body,
            unix: Duration::ZERO,
            jitter: rng.random(),
        });
        if let Step::Poll { call, .. } | Step::Fetch { call, .. } = &step
            && call.auth != Auth::None
            && !is_owned(&call.url)
        {
            return Err(format!("a key is sent to another's origin: {:?}", call.url));
        }
        match step {
            Step::Poll { wait, .. } | Step::Fetch { wait, .. } if wait.as_secs_f64() > 60.0 => {
                return Err(format!("a job waits too long: {wait:?}"));
            }
            Step::Poll { .. } | Step::Fetch { .. } => {}
            Step::Failed(_) => return Ok(()),
            Step::Done(finished) => {
                let whole: Vec<Bytes> = answer::whole(&finished, &request, 7).collect();
                return json("a client's pictures", &whole.concat());
            }
        }
    }
    let _ = job.cancel();
    Ok(())
}

/// Whoever looks for a form's model must find the one that its reader finds.
fn formed(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let at = input
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(input.len());
    let kind = String::from_utf8_lossy(&input[..at]);
    let body = Bytes::copy_from_slice(input.get(at + 1..).unwrap_or_default());
    let _ = (Pixels::parse(&kind), Ratio::parse(&kind), Url::parse(&kind));
    let peeked = form::peek(&body, &kind);
    let Ok(fields) = split(&kind, &body) else {
        return Ok(());
    };
    if let Ok(peeked) = &peeked {
        let named: Vec<&Bytes> = fields
            .iter()
            .filter(|field| field.name == "model")
            .map(|field| &field.data)
            .collect();
        if named.len() != 1 || named[0].trim_ascii() != peeked.model.as_bytes() {
            return Err(format!("a form names two models: {peeked:?} and {named:?}"));
        }
    }
    let task = if rng.random() { Task::Edit } else { Task::Vary };
    let Ok(request) = ImageRequest::from_form(task, fields) else {
        return Ok(());
    };
    let vendor = Vendor::ALL[rng.random_range(0..Vendor::ALL.len())];
    let _ = vendor
        .submit(&request, "m", &base())
        .map(|start| start.losses);
    Ok(())
}
