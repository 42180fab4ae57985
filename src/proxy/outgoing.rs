//! What is a route sent? The client's own bytes where both speak the same words, else what they mean in the provider's.
//!
//! # Invariants
//! - Same words: nothing changes but the model's name, the credential and, in a stream of OpenAI's, the wish for usage.
//! - Of the client's headers only those listed here go on.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;

use super::life::Life;
use super::plan::Plan;
use super::serving::{Lane, Wire};
use super::sign::Unsigned;
use crate::chat::Losses;
use crate::config::Dialect;
use crate::dialects::counting;
use crate::dialects::format::Format;
use crate::dialects::meeting::Malformed;
use crate::dialects::openai::splice::{self, UsageChunk};
use crate::dialects::vertex;
use crate::upstream;

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The version that is asked for where the client names none; every one of Anthropic's API accepts it.
const OLDEST_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Client headers that go on to a provider of OpenAI's words.
const OPENAI_HEADERS: [HeaderName; 3] = [
    ACCEPT,
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("idempotency-key"),
];

/// Client headers that go on to a provider of Anthropic's words.
const ANTHROPIC_HEADERS: [HeaderName; 3] = [
    ACCEPT,
    ANTHROPIC_VERSION,
    HeaderName::from_static("anthropic-beta"),
];

/// Why a request is not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    /// It does not mean anything that could be said in the route's words.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing authorises it.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
}

/// Writes the request for one route.
///
/// # Errors
/// [`Unsent`].
pub(super) fn request(
    life: &mut Life,
    plan: &Plan<'_>,
    wire: &Wire,
    lane: &Lane,
) -> Result<(upstream::Request, UsageChunk), Unsent> {
    let (body, usage_chunk) = body(life, plan, wire, lane)?;
    let mut headers = headers(plan, wire, lane);
    trace(life, &mut headers);
    let uri = uri(plan, lane);
    if let Some(signer) = &wire.signer {
        signer.sign(&uri, &body, &mut headers)?;
    }
    let mut request = http::Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok((request, usage_chunk))
}

/// Tells the provider of the trace, where the operator wants that; what the client said of it stays here.
fn trace(life: &Life, headers: &mut HeaderMap) {
    let otlp = life.serving.config.otlp.as_ref();
    if otlp.is_some_and(|otlp| otlp.propagate)
        && let Some(trace) = &life.trace
    {
        trace.put(life.attempts, headers);
    }
}

fn body(
    life: &mut Life,
    plan: &Plan<'_>,
    wire: &Wire,
    lane: &Lane,
) -> Result<(Bytes, UsageChunk), Malformed> {
    let asked = plan.asked;
    let cloud = wire.dialect == Dialect::Vertex && lane.format == Format::Messages;
    if lane.format != asked.endpoint.format() || plan.meaning.is_changed() {
        let told = &life.worker.shared.lasting.recollections;
        let draft = plan.meaning.draft(asked, told, wire, lane)?;
        life.goes_without(lane.format, &draft.losses);
        let body = match lane.format {
            _ if cloud => vertex::body::anthropic(&draft.body)?.into(),
            Format::GeminiCount if wire.dialect == Dialect::Gemini => {
                counting::for_gemini(&draft.body, &wire.model.plain).into()
            }
            _ => draft.body.clone(),
        };
        return Ok((body, UsageChunk::Expected));
    }
    life.goes_without(lane.format, &Losses::default());
    Ok(match lane.format {
        Format::Chat | Format::Completions if wire.stream_usage => {
            splice::splice(&asked.body, &plan.peek, &wire.model.json)
        }
        _ if cloud => (
            vertex::body::anthropic(&asked.body)?.into(),
            UsageChunk::Expected,
        ),
        _ => {
            let body = splice::named(&asked.body, &plan.peek, &wire.model);
            (body, UsageChunk::Expected)
        }
    })
}

/// Where the request goes. Anthropic's clients ask for `?beta=true`, which is part of what they ask.
fn uri(plan: &Plan<'_>, lane: &Lane) -> Uri {
    let uri = if plan.peek.stream {
        &lane.stream
    } else {
        &lane.whole
    };
    let query = plan.asked.query.as_deref();
    let same = lane.format == plan.asked.endpoint.format();
    match query.filter(|_| same && matches!(lane.format, Format::Messages | Format::CountTokens)) {
        Some(query) if uri.query().is_none() => {
            let path = uri.path();
            format!("{path}?{query}")
                .parse()
                .unwrap_or_else(|_| uri.clone())
        }
        _ => uri.clone(),
    }
}

fn headers(plan: &Plan<'_>, wire: &Wire, lane: &Lane) -> HeaderMap {
    let mut headers = wire.headers.clone();
    let same = lane.format == plan.asked.endpoint.format();
    let forwarded: &[HeaderName] = match lane.format {
        _ if !same => &[],
        Format::Messages | Format::CountTokens => &ANTHROPIC_HEADERS,
        Format::Generate | Format::GeminiCount | Format::GeminiEmbed | Format::GeminiEmbeds => &[],
        _ => &OPENAI_HEADERS,
    };
    for name in forwarded {
        if let Some(value) = plan.asked.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    if matches!(lane.format, Format::Messages | Format::CountTokens) {
        headers.entry(ANTHROPIC_VERSION).or_insert(OLDEST_VERSION);
    }
    if plan.asked.endpoint.is_form()
        && let Some(kind) = plan.asked.headers.get(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, kind.clone());
    }
    headers
}
