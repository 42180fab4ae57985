//! One request's way in: which provider and endpoint its path means, whose key it bears, and what strikes it.
//!
//! # Invariants
//! - Every request for a model that was read is in the ledger, whatever became of it.
//! - Key and fault are settled before anything is charged.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, Request, Response};

use super::answer::{Answer, Broken, Link};
use super::ask::{Ask, Endpoint};
use super::catalogue::Kind;
use super::control;
use super::faults::Victim;
use super::ledger::Attempt;
use super::openai;
use super::refusals::{self, JSON, Reply};
use super::serve::{self, Call};
use super::state::{Provider, State, Witness};
use crate::clock;

/// The longest body accepted, in bytes; above what real providers take.
const LONGEST_BODY: usize = 64 << 20;

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Health,
    Control(&'a str),
    Answer(usize, Endpoint),
    Models(usize),
    Model(usize, &'a str),
    Nowhere,
}

/// A request for a model, as it was heard.
struct Heard<'a> {
    provider: usize,
    endpoint: Endpoint,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// Answers one request.
pub(super) async fn respond(
    state: Rc<State>,
    link: Rc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Broken> {
    let (parts, body) = request.into_parts();
    match route(&state, parts.uri.path()) {
        Target::Answer(provider, endpoint) => {
            if parts.method != Method::POST {
                return Ok(Reply::new(
                    405,
                    "invalid_request_error",
                    "method_not_supported",
                    "Use POST.",
                )
                .response());
            }
            let bytes = collect(body).await?;
            let heard = Heard {
                provider,
                endpoint,
                headers: &parts.headers,
                body: &bytes,
            };
            answer(state, link, heard).await
        }
        Target::Control(name) => {
            let bytes = collect(body).await?;
            Ok(control::respond(
                &state,
                &parts.method,
                name,
                parts.uri.query(),
                &bytes,
            ))
        }
        Target::Models(provider) => Ok(models(&state, provider, None, &parts.headers)),
        Target::Model(provider, model) => Ok(models(&state, provider, Some(model), &parts.headers)),
        Target::Health => Ok(refusals::response(200, JSON, "{\"status\":\"ok\"}")),
        Target::Nowhere => {
            let message = format!("Invalid URL ({} {})", parts.method, parts.uri.path());
            Ok(Reply::new(404, "invalid_request_error", "unknown_url", message).response())
        }
    }
}

/// Finds what a path stands for: `/v1/…` is the first provider's, `/{name}/v1/…` that provider's.
fn route<'a>(state: &State, path: &'a str) -> Target<'a> {
    let path = path.trim_start_matches('/');
    if matches!(path, "" | "health" | "healthz") {
        return Target::Health;
    }
    if let Some(name @ ("attempts" | "faults" | "state")) = path.strip_prefix("mock/") {
        return Target::Control(name);
    }
    let (provider, rest) = match path.strip_prefix("v1/") {
        Some(rest) => (Some(0), rest),
        None => path
            .split_once("/v1/")
            .map_or((None, ""), |(name, rest)| (state.find(name), rest)),
    };
    let Some(provider) = provider else {
        return Target::Nowhere;
    };
    match rest {
        "chat/completions" => Target::Answer(provider, Endpoint::Chat),
        "completions" => Target::Answer(provider, Endpoint::Text),
        "embeddings" => Target::Answer(provider, Endpoint::Embedding),
        "models" => Target::Models(provider),
        _ => rest
            .strip_prefix("models/")
            .map_or(Target::Nowhere, |model| Target::Model(provider, model)),
    }
}

/// Reads a body to its end.
async fn collect(mut body: Incoming) -> Result<Bytes, Broken> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Broken::ByClient)?.into_data() else {
            continue;
        };
        if first.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        if rest.len() + data.len() > LONGEST_BODY {
            return Err(Broken::ByClient);
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// Writes a request for a model into the ledger, checks its key, and has it served.
async fn answer(
    state: Rc<State>,
    link: Rc<Link>,
    heard: Heard<'_>,
) -> Result<Response<Answer>, Broken> {
    let Heard {
        provider: index,
        endpoint,
        headers,
        body,
    } = heard;
    let parsed = Ask::parse(endpoint, body);
    let (now, age) = (clock::now(), state.age());
    let key = key(headers);
    let user = parsed.as_ref().ok().and_then(|ask| ask.user.clone());
    let tag = match headers.get("x-mock-tag").and_then(|it| it.to_str().ok()) {
        Some(tag) => tag.to_owned(),
        None => user.unwrap_or_default(),
    };
    let mut record = Attempt::begun(&state.providers[index].name, path_of(endpoint), age);
    record.key = last_four(key).into();
    record.tag = tag.as_str().into();
    if let Ok(ask) = &parsed {
        record.model = ask.model.as_str().into();
        (record.stream, record.input_tokens) = (ask.stream, ask.input_tokens);
    }
    let witness = Witness::open(Rc::clone(&state), index, record);
    let ask = match parsed {
        Ok(ask) => ask,
        Err(problem) => {
            let message = format!("We could not parse the body of your request: {problem}");
            let reply = Reply::new(400, "invalid_request_error", "", message);
            return Ok(serve::refused(witness, reply.response()));
        }
    };
    let provider = &state.providers[index];
    if !accepts(provider, key) {
        return Ok(serve::refused(witness, Reply::key_rejected().response()));
    }
    let victim = Victim {
        model: &ask.model,
        tag: &tag,
        now,
        age,
    };
    let schedule = &provider.script.faults;
    let strike =
        provider
            .faults
            .borrow_mut()
            .strike(schedule, victim, &mut provider.rng.borrow_mut());
    let strike = strike.filter(|it| it.fault.kind != Kind::NoPrefill || ask.prefill);
    let factor = provider.faults.borrow().latency_factor(schedule, victim);
    serve::serve(
        witness,
        Call {
            ask,
            key,
            link,
            now,
            factor,
            strike,
        },
    )
    .await
}

/// Whether a provider takes a key.
fn accepts(provider: &Provider, key: &str) -> bool {
    let keys = &provider.script.keys;
    keys.is_empty() || keys.iter().any(|accepted| accepted == key)
}

/// Lists the models, or tells about one.
fn models(
    state: &State,
    provider: usize,
    model: Option<&str>,
    headers: &HeaderMap,
) -> Response<Answer> {
    let provider = &state.providers[provider];
    if !accepts(provider, key(headers)) {
        return Reply::key_rejected().response();
    }
    let created = clock::unix().as_secs();
    let listed = &provider.script.models;
    match model {
        None if listed.is_empty() => {
            refusals::response(200, JSON, openai::model_list(&["mock".to_owned()], created))
        }
        None => refusals::response(200, JSON, openai::model_list(listed, created)),
        Some(model) if listed.is_empty() || listed.iter().any(|it| it == model) => {
            refusals::response(200, JSON, openai::model_json(model, created).to_string())
        }
        Some(model) => Reply::no_model(model).response(),
    }
}

/// The API key, in whichever header it came; empty if there is none.
fn key(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    bearer
        .map(|value| value.strip_prefix("Bearer ").unwrap_or(value))
        .or_else(|| text("x-api-key"))
        .or_else(|| text("api-key"))
        .unwrap_or("")
}

/// The end of a key that tells keys apart without giving them away.
fn last_four(key: &str) -> &str {
    key.char_indices()
        .rev()
        .nth(3)
        .map_or(key, |(at, _)| &key[at..])
}

fn path_of(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat => "chat/completions",
        Endpoint::Text => "completions",
        Endpoint::Embedding => "embeddings",
    }
}
