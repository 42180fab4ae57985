//! Can any request use more than what is reserved for it?
//!
//! # Invariants
//! - Text has no more tokens than bytes, so what is reserved is no less than the bytes of every text of a conversation; a stand-in counts a token for four of them.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::Value;
use trimtab::dialects::format::Endpoint;
use trimtab::proxy::{Most, Served};

use crate::corpus;
use crate::mutate::Kind;
use crate::run::Target;

/// Who serves.
const SERVED: Served<'static> = Served {
    model: "m",
    tariff: None,
    max_output: None,
    assumed_output: 1_000,
};

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let talks = [
        corpus::CHAT,
        corpus::RESPONSES,
        corpus::MESSAGES,
        corpus::GENERATE,
    ];
    let others = [corpus::COMPLETIONS, corpus::RERANK, corpus::PICTURES];
    let seeds = |own: &[&str]| own.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let json = [&talks[..], &others[..]].concat();
    vec![
        Target::new("most-talk", Kind::Json, seeds(&talks), talk).keeping_trees(),
        Target::new("most-any", Kind::Json, seeds(&json), any),
        Target::new("most-form", Kind::Lines, seeds(corpus::FORMS), form),
    ]
}

fn any(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    read(input, "application/json", rng)
}

/// The content type, then the form.
fn form(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let line = memchr::memchr(b'\n', input).unwrap_or(input.len());
    let (content_type, body) = input.split_at(line);
    let body = body.get(1..).unwrap_or_default();
    read(body, &String::from_utf8_lossy(content_type), rng)
}

fn read(body: &[u8], content_type: &str, rng: &mut SmallRng) -> Result<(), String> {
    let body = Bytes::copy_from_slice(body);
    let endpoint = Endpoint::ALL[rng.random_range(0..Endpoint::ALL.len())];
    let said = rng.random_bool(0.5).then(|| rng.random());
    let most = Most::of(endpoint, &body, content_type, said);
    let used = most.used(&SERVED);
    if endpoint.is_conversation() && used.tokens.output < u64::from(said.unwrap_or(1_000)) {
        return Err(format!("output is reserved: {used:?}"));
    }
    Ok(())
}

fn talk(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let Ok(body) = serde_json::from_slice::<Value>(input) else {
        return Ok(());
    };
    let whole = Bytes::copy_from_slice(input);
    for (endpoint, field) in [
        (Endpoint::Chat, "messages"),
        (Endpoint::Messages, "messages"),
        (Endpoint::Responses, "input"),
        (Endpoint::Generate, "contents"),
    ] {
        let most = Most::of(endpoint, &whole, "application/json", None);
        let reserved = most.used(&SERVED).tokens.input;
        let counted = text(body.get(field).unwrap_or(&Value::Null));
        if reserved < counted {
            return Err(format!(
                "no text is missed: {reserved} are reserved for {counted} bytes"
            ));
        }
    }
    Ok(())
}

/// The bytes of every text that a model is given, as stand-ins find it.
fn text(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(text).sum(),
        Value::Object(fields) => {
            let read =
                |key: &str| matches!(key, "text" | "content" | "parts" | "arguments" | "name");
            let found = fields.iter().filter(|(key, _)| read(key));
            found.map(|(_, value)| text(value)).sum()
        }
        _ => 0,
    }
}
