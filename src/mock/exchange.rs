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
use hyper::{Request, Response};

use super::answer::{Answer, Broken, Link};
use super::anthropic;
use super::ask::Ask;
use super::catalogue::Kind;
use super::control;
use super::door::{self, Door, Target};
use super::faults::Victim;
use super::gemini;
use super::images;
use super::ledger::{Attempt, Received};
use super::openai;
use super::refusals::{self, JSON, Reply};
use super::serve::{self, Call};
use super::state::{Provider, State, Witness};
use super::tongue::{Tongue, Voice};
use crate::clock;

/// The longest body accepted, in bytes; above what real providers take.
const LONGEST_BODY: usize = 64 << 20;

/// Answers one request.
pub(super) async fn respond(
    state: Rc<State>,
    link: Rc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Broken> {
    let (parts, body) = request.into_parts();
    if let Some(door) = images::find(&state, &parts.method, parts.uri.path()) {
        let target = parts.uri.path_and_query().map_or("", |it| it.as_str());
        let bytes = collect(body).await?;
        let heard = images::Heard {
            received: Received::new(parts.method, target, parts.headers.clone(), bytes.clone()),
            headers: &parts.headers,
            query: parts.uri.query(),
            body: bytes,
        };
        return images::respond(state, link, door, heard).await;
    }
    let target = parts.uri.path_and_query().map_or("", |it| it.as_str());
    match door::find(&state, &parts.method, parts.uri.path()) {
        Target::Answer(door) => {
            let bytes = collect(body).await?;
            let request = Received::new(parts.method, target, parts.headers, bytes);
            answer(state, link, door, &request).await
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
        Target::Models(provider, tongue) => {
            let request = Received::new(parts.method, target, parts.headers, Bytes::new());
            Ok(models(&state, (provider, tongue), None, &request))
        }
        Target::Model(provider, tongue, model) => {
            let request = Received::new(parts.method, target, parts.headers, Bytes::new());
            Ok(models(&state, (provider, tongue), Some(model), &request))
        }
        Target::Health => Ok(refusals::response(200, JSON, "{\"status\":\"ok\"}")),
        Target::Misused(tongue) => Ok(door::misused().response(Voice { tongue, id: 0 })),
        Target::Nowhere => {
            let message = format!("Invalid URL ({} {})", parts.method, parts.uri.path());
            let reply = Reply::new(404, "invalid_request_error", "unknown_url", message);
            Ok(reply.response(Voice::default()))
        }
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
    door: Door<'_>,
    request: &Rc<Received>,
) -> Result<Response<Answer>, Broken> {
    let parsed = Ask::parse(&door, request);
    let (now, age) = (clock::now(), state.age());
    let key = key(request);
    let user = parsed.as_ref().ok().and_then(|ask| ask.user.clone());
    let tag = request
        .header("x-mock-tag")
        .map_or_else(|| user.unwrap_or_default(), ToOwned::to_owned);
    let index = door.provider;
    let mut record = Attempt::begun(&state.providers[index].name, door.endpoint.path(), age);
    record.key = last_four(key).into();
    record.tag = tag.as_str().into();
    record.received = Some(Rc::clone(request));
    if let Ok(ask) = &parsed {
        record.model = ask.model.as_str().into();
        (record.stream, record.input_tokens) = (ask.stream, ask.input_tokens);
    }
    let witness = Witness::open(Rc::clone(&state), index, record);
    let voice = Voice {
        tongue: door.tongue,
        id: witness.seq,
    };
    let ask = match parsed {
        Ok(ask) => ask,
        Err(problem) => {
            let message = format!("We could not parse the body of your request: {problem}");
            let reply = Reply::invalid(message).response(voice);
            return Ok(serve::refused(witness, voice, reply));
        }
    };
    let provider = &state.providers[index];
    if !accepts(provider, key) {
        let reply = Reply::key_rejected().response(voice);
        return Ok(serve::refused(witness, voice, reply));
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
    let strike = strike.filter(|it| it.fault.kind != Kind::NoPrefill || ask.prefill.is_some());
    let factor = provider.faults.borrow().latency_factor(schedule, victim);
    let call = Call {
        request,
        voice,
        key,
        link,
        now,
        factor,
        strike,
    };
    serve::serve(witness, ask, call).await
}

/// Whether a provider takes a key.
fn accepts(provider: &Provider, key: &str) -> bool {
    let keys = &provider.script.keys;
    keys.is_empty() || keys.iter().any(|accepted| accepted == key)
}

/// Lists the models, or tells about one.
fn models(
    state: &State,
    (provider, tongue): (usize, Tongue),
    model: Option<&str>,
    request: &Received,
) -> Response<Answer> {
    let provider = &state.providers[provider];
    let tongue = if request.headers.contains_key("anthropic-version") {
        Tongue::Anthropic
    } else {
        tongue
    };
    let voice = Voice { tongue, id: 0 };
    if !accepts(provider, key(request)) {
        return Reply::key_rejected().response(voice);
    }
    let unnamed = ["mock".to_owned()];
    let listed = &provider.script.models;
    let shown = if listed.is_empty() {
        &unnamed
    } else {
        listed.as_slice()
    };
    let unix = clock::unix();
    let body = match (model, tongue) {
        (Some(model), _) if !listed.is_empty() && !listed.iter().any(|it| it == model) => {
            return Reply::no_model(model).response(voice);
        }
        (None, Tongue::Anthropic) => anthropic::model_list(shown, unix),
        (Some(model), Tongue::Anthropic) => anthropic::model_json(model, unix).to_string(),
        (None, Tongue::Gemini) => gemini::model_list(shown),
        (Some(model), Tongue::Gemini) => gemini::model_json(model).to_string(),
        (None, _) => openai::model_list(shown, unix.as_secs()),
        (Some(model), _) => openai::model_json(model, unix.as_secs()).to_string(),
    };
    refusals::response(200, JSON, body)
}

/// The API key, in whichever header or parameter it came; empty if there is none.
fn key<'a>(request: &'a Received) -> &'a str {
    let bearer = |value: &'a str| {
        let signed = value.strip_prefix("AWS4-HMAC-SHA256 ");
        // Why: a signature says whose key made it and not the key.
        let id = signed.and_then(|it| it.split_once("Credential=")?.1.split('/').next());
        id.or_else(|| value.strip_prefix("Bearer "))
            .unwrap_or(value)
    };
    let query = request.target.split_once('?').map_or("", |it| it.1);
    request
        .header("authorization")
        .map(bearer)
        .or_else(|| request.header("x-api-key"))
        .or_else(|| request.header("api-key"))
        .or_else(|| request.header("x-goog-api-key"))
        .or_else(|| query.split('&').find_map(|pair| pair.strip_prefix("key=")))
        .unwrap_or("")
}

/// The end of a key that tells keys apart without giving them away.
fn last_four(key: &str) -> &str {
    key.char_indices()
        .rev()
        .nth(3)
        .map_or(key, |(at, _)| &key[at..])
}
