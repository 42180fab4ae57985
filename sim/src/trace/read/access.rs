//! Access logs in OpenAI's words, as proxies write them.
//!
//! One JSON object per line. Proxies agree on little, so each fact is looked for under several keys, first found first taken; the tables below are the whole of it, and `docs/TRACES.md` repeats them.
//! A dot leads into an object: `usage.prompt_tokens`.
//!
//! # Invariants
//! - A time is needed, and an input length unless the request failed; whatever else is missing is not known.
//! - Prompts and answers, where the log has them, are not looked at.

use std::io;

use scoring::time::Span;
use scoring::{Class, Outcome};
use serde_json::{Map, Value};

use super::gather::{Entry, Flaw, Gather};
use super::table::whole;
use super::{TraceError, json, when};
use crate::trace::Seen;

/// When it arrived: a date, or a number whose size tells s, ms, µs or ns.
const TIME: &[&str] = &[
    "timestamp",
    "@timestamp",
    "created",
    "created_at",
    "start_time",
    "startTime",
    "time",
    "ts",
];
/// The model asked for.
const MODEL: &[&str] = &["model", "model_name", "request.model", "response.model"];
/// Who asked.
const TENANT: &[&str] = &["tenant", "team", "team_id", "user"];
/// Who answered.
const ROUTE: &[&str] = &["route", "deployment", "upstream", "provider", "api_base"];
/// Input tokens.
const INPUT: &[&str] = &[
    "usage.prompt_tokens",
    "usage.input_tokens",
    "response.usage.prompt_tokens",
    "response.usage.input_tokens",
    "prompt_tokens",
    "input_tokens",
];
/// Output tokens.
const OUTPUT: &[&str] = &[
    "usage.completion_tokens",
    "usage.output_tokens",
    "response.usage.completion_tokens",
    "response.usage.output_tokens",
    "completion_tokens",
    "output_tokens",
];
/// The most output tokens asked for.
const MOST: &[&str] = &[
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "request.max_tokens",
    "request.max_completion_tokens",
];
/// Whether a stream was asked for.
const STREAM: &[&str] = &["stream", "request.stream"];
/// The status that the client got.
const STATUS: &[&str] = &["status", "status_code", "http_status", "response.status"];
/// From arrival to the end.
const TOTAL: &[&str] = &[
    "latency_ms",
    "duration_ms",
    "total_ms",
    "elapsed_ms",
    "response_time_ms",
    "latency_s",
    "duration_s",
    "request_time",
    "latency",
    "duration",
    "elapsed",
    "response_time",
];
/// To the first token.
const FIRST: &[&str] = &[
    "ttft_ms",
    "time_to_first_token_ms",
    "ttft_s",
    "ttft",
    "time_to_first_token",
];
/// What kind of request it was.
const KIND: &[&str] = &["endpoint", "path", "call_type", "object", "class"];

/// Where a bare `latency` with a fraction is taken as ms instead of s.
const LONGEST_SECONDS: f64 = 1_000.0;

type Object = Map<String, Value>;

/// Reads it.
///
/// # Errors
/// See [`TraceError`].
pub(super) fn read(source: impl io::Read, gather: &mut Gather) -> Result<(), TraceError> {
    let mut lines = json::Lines::new(source);
    while let Some((number, bytes)) = lines.next(gather)? {
        let parsed = json::parse::<Object>(bytes);
        let entry = match &parsed {
            Ok(object) => entry(&Keys { object, bytes }),
            Err(flaw) => Err(flaw.clone()),
        };
        gather.take(number, entry)?;
    }
    Ok(())
}

fn entry<'a>(keys: &Keys<'a>) -> Result<Entry<'a>, Flaw> {
    let at_us = keys
        .get(TIME, instant)?
        .ok_or_else(|| keys.missing("no time", TIME))?;
    let status = keys.get(STATUS, status)?;
    let outcome = status.map(outcome_of);
    let failed = outcome.is_some_and(|it| it != Outcome::Success);
    let input = keys.get(INPUT, tokens)?;
    if input.is_none() && !failed {
        return Err(keys.missing("no input tokens", INPUT));
    }
    let ttft = keys.get(FIRST, time)?;
    let streams = keys.get(STREAM, truth)?.unwrap_or(ttft.is_some());
    let class = class_of(keys.text(KIND)?.unwrap_or_default(), streams);
    // A failed answer, and one of a class that has no output tokens, lacks them with reason.
    let output = keys.get(OUTPUT, tokens)?.unwrap_or(0);
    let excused = failed || !class.decodes();
    Ok(Entry {
        class,
        max_tokens: keys.get(MOST, tokens)?,
        model: keys.text(MODEL)?,
        tenant: keys.text(TENANT)?,
        route: keys.text(ROUTE)?,
        seen: Some(Seen {
            status: status.unwrap_or_default(),
            outcome,
            ttft,
            total: keys.get(TOTAL, time)?,
            ..Seen::default()
        }),
        ..Entry::chat(
            at_us,
            input.unwrap_or(u32::from(failed)),
            if excused { output.max(1) } else { output },
        )
    })
}

/// A line's object, and its text to find places in.
#[derive(Clone, Copy, Debug)]
struct Keys<'a> {
    object: &'a Object,
    bytes: &'a [u8],
}

impl<'a> Keys<'a> {
    /// The first of `keys` that is there and not null.
    fn first(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        keys.iter().find_map(|&key| {
            let mut parts = key.split('.');
            let mut value = self.object.get(parts.next()?)?;
            for part in parts {
                value = value.get(part)?;
            }
            (!value.is_null()).then_some((key, value))
        })
    }

    /// What `parse` makes of the first of `keys`.
    fn get<T>(
        &self,
        keys: &[&'static str],
        parse: fn(&str, &Value) -> Result<T, String>,
    ) -> Result<Option<T>, Flaw> {
        let Some((key, value)) = self.first(keys) else {
            return Ok(None);
        };
        let name = key.rsplit('.').next().unwrap_or(key);
        let parsed = parse(name, value);
        let parsed = parsed.map_err(|reason| json::flaw_of(self.bytes, name, &reason));
        parsed.map(Some)
    }

    /// The first of `keys`, which must be a text.
    fn text(&self, keys: &[&'static str]) -> Result<Option<&'a str>, Flaw> {
        match self.first(keys) {
            Some((_, Value::String(text))) => Ok(Some(text.as_str()).filter(|it| !it.is_empty())),
            Some((key, _)) => Err(json::flaw_of(
                self.bytes,
                key.rsplit('.').next().unwrap_or(key),
                "is no text",
            )),
            None => Ok(None),
        }
    }

    fn missing(&self, what: &str, keys: &[&str]) -> Flaw {
        Flaw::line(format!("{what}: none of {}", keys.join(", ")))
    }
}

/// A number, also as a text.
fn number(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|it: &f64| !it.is_nan());
    number.ok_or_else(|| "is not a number".to_owned())
}

fn tokens(_: &str, value: &Value) -> Result<u32, String> {
    number(value).and_then(whole)
}

fn truth(_: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "is neither true nor false".to_owned())
}

fn instant(_: &str, value: &Value) -> Result<u64, String> {
    if let Some(at) = value.as_str().and_then(when::date) {
        return Ok(at);
    }
    let number = number(value).map_err(|_| "is neither a date nor a number".to_owned())?;
    when::micros(number, when::epoch_unit(number))
}

/// A length of time; see [`unit()`] for the unit.
fn time(key: &str, value: &Value) -> Result<Span, String> {
    let text = value.as_str().map(str::trim);
    let (number, unit) = match text.and_then(with_unit) {
        Some((text, unit)) => (number(&Value::from(text))?, unit),
        None => {
            let number = number(value)?;
            (number, unit(key, number))
        }
    };
    when::micros(number, unit).map(Span::from_micros)
}

/// `350ms` or `1.2s`: the number and µs of its unit.
fn with_unit(text: &str) -> Option<(&str, f64)> {
    let units = [("ms", 1e3), ("us", 1.0), ("µs", 1.0), ("s", 1e6)];
    units
        .into_iter()
        .find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, micros)))
}

/// µs of the unit of a time without one: the key's ending says; a bare key means ms where the number is whole or large, else s.
fn unit(key: &str, number: f64) -> f64 {
    let says_seconds = key.ends_with("_s") || key == "request_time";
    let looks_like_seconds = number.fract().abs() > 0.0 && number < LONGEST_SECONDS;
    if says_seconds || (looks_like_seconds && !key.ends_with("_ms")) {
        1e6
    } else {
        1e3
    }
}

/// A status: a number, or the word for one.
fn status(_: &str, value: &Value) -> Result<u16, String> {
    match value.as_str() {
        Some("success" | "ok" | "completed") => return Ok(200),
        Some("failure" | "failed" | "error") => return Ok(500),
        _ => {}
    }
    let status = number(value).and_then(whole)?;
    match u16::try_from(status) {
        Ok(status) if status < 1_000 => Ok(status),
        _ => Err("is no status".to_owned()),
    }
}

/// How an answer with this status ended, as far as the status alone tells.
const fn outcome_of(status: u16) -> Outcome {
    match status {
        0 | 499 => Outcome::Canceled,
        1..=399 => Outcome::Success,
        401..=403 => Outcome::KeyRejected,
        404 => Outcome::Unsupported,
        408 => Outcome::TimedOut,
        429 => Outcome::RateLimited,
        503 | 529 => Outcome::Overloaded,
        400..=498 => Outcome::Rejected,
        _ => Outcome::ServerError,
    }
}

fn class_of(kind: &str, streams: bool) -> Class {
    let has = |word: &str| kind.contains(word);
    if has("embedding") || has("rerank") || has("moderation") {
        Class::Embedding
    } else if has("image") {
        Class::Image
    } else if has("audio") || has("speech") || has("transcription") {
        Class::Audio
    } else if streams || has("chunk") || has("chat_stream") {
        Class::ChatStream
    } else {
        Class::Chat
    }
}
