//! Can any error, header or credential break whoever reads what providers tell?
//!
//! # Invariants
//! - Numbers taken from them are finite, not negative and bounded.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::ceiling::{LimitReport, Reading};
use scoring::time::{Span, Time};
use trimtab::dialects::failure::Failure;
use trimtab::dialects::format::{Format, Surface};
use trimtab::dialects::limits::{self, LimitDialect};
use trimtab::dialects::vertex::token::{ServiceAccount, Token};
use trimtab::dialects::{bedrock, classify, cohere, retry_after, words};

use crate::corpus;
use crate::mutate::Kind;
use crate::requests::json;
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::{harvested, harvested_texts};

const LIMITS: [LimitDialect; 6] = [
    LimitDialect::OpenAi,
    LimitDialect::Anthropic,
    LimitDialect::Azure,
    LimitDialect::Groq,
    LimitDialect::Gemini,
    LimitDialect::None,
];

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let bytes = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let mut errors = bytes(corpus::REFUSALS);
    errors.extend(harvested("src/dialects"));
    let mut prose = bytes(corpus::REFUSALS);
    prose.extend(harvested_texts("src/dialects/limits"));
    prose.extend(harvested_texts("src/dialects/retry_after"));
    let mut tokens = bytes(corpus::CREDENTIALS);
    tokens.extend(harvested("src/dialects/vertex"));
    let target =
        |name, kind, seeds, check: fn(&[u8], &mut SmallRng) -> Result<(), String>| Target {
            name,
            kind,
            seeds,
            growth: MOST_GROWTH,
            check: Box::new(check),
        };
    vec![
        target("told-errors", Kind::Json, errors, refused),
        target("told-prose", Kind::Lines, prose, refused),
        target("told-headers", Kind::Lines, bytes(corpus::HEADERS), headed),
        target("told-credentials", Kind::Lines, tokens, trusted),
    ]
}

fn refused(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let status = StatusCode::from_u16(rng.random_range(400..600)).unwrap_or_default();
    let formats = [
        Format::Chat,
        Format::Messages,
        Format::Generate,
        Format::Converse,
        Format::CohereChat,
        Format::Responses,
    ];
    let format = formats[rng.random_range(0..formats.len())];
    let head = Response::builder()
        .status(status)
        .body(())
        .unwrap_or_default()
        .into_parts()
        .0;
    let body = words::refusal(format, &head, input.to_vec().into());
    let within = words::error_in_stream(format, input);
    let normal = bedrock::error::normalise(None, Some(status), input);
    json("Bedrock's error", &normal)?;
    json("Cohere's error", &cohere::error::normalise(status, input))?;
    for body in [&body, &within, &normal] {
        let _ = (
            classify::refusal(status, body),
            classify::error_in_success(body),
        );
        let message = words::message_in(body).unwrap_or_default();
        for surface in [Surface::OpenAi, Surface::Anthropic, Surface::Gemini] {
            let _ = surface.is_error(body);
            json(
                "a client's error",
                &surface.error(Failure::Upstream, &message, "req_1"),
            )?;
        }
        for dialect in LIMITS {
            plausible(limits::from_body(dialect, body).as_ref())?;
        }
        bounded(retry_after::from_body(body))?;
    }
    Ok(())
}

fn bounded(wait: Option<Span>) -> Result<(), String> {
    match wait.filter(|&wait| wait > retry_after::LONGEST) {
        Some(wait) => Err(format!("a wait is too long: {wait:?}")),
        None => Ok(()),
    }
}

fn plausible(report: Option<&LimitReport>) -> Result<(), String> {
    let Some(report) = report else { return Ok(()) };
    let readings = [
        report.requests,
        report.tokens,
        report.input_tokens,
        report.output_tokens,
    ];
    let good = |reading: &Reading| {
        let numbers = [
            reading.limit,
            reading.remaining,
            reading.used,
            reading.requested,
        ];
        let plain = |number: f64| number.is_finite() && number >= 0.0;
        numbers.into_iter().flatten().all(plain)
            && reading
                .reset
                .is_none_or(|reset| reset <= limits::LONGEST_RESET)
    };
    if readings.iter().flatten().all(good) {
        return Ok(());
    }
    Err(format!("a limit is no number: {report:?}"))
}

fn headed(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    for line in input.split(|&byte| byte == b'\n').take(500) {
        let at = line
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..at]),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    let now = Duration::from_secs(1_767_225_600);
    for dialect in LIMITS {
        plausible(limits::from_headers(dialect, &headers, now).as_ref())?;
    }
    bounded(retry_after::from_headers(&headers, now))?;
    let kind = headers
        .values()
        .next()
        .and_then(|value| value.to_str().ok());
    json(
        "Bedrock's error",
        &bedrock::error::normalise(kind, None, b"{}"),
    )
}

fn trusted(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    if let Ok(token) = Token::read(input) {
        // It is put into a header.
        if HeaderValue::try_from(format!("Bearer {}", token.text)).is_err() || token.text.is_empty()
        {
            return Err(format!("a token that cannot be sent: {:?}", token.text));
        }
        let _ = Time::from_micros(1).plus(token.lifetime.into());
    }
    let text = String::from_utf8_lossy(input);
    if let Ok(account) = ServiceAccount::read(&text) {
        let _ = account.form(Duration::from_secs(1));
    }
    let _ = bedrock::credentials::Credentials::read(&text).is_ok();
    let _ = retry_after::go_duration(&text);
    let _ = Request::new(());
    Ok(())
}
