//! How an answer is told: as a whole, or event by event in the words of its endpoint.
//!
//! # Invariants
//! - The events of a stream add up to the whole body of the same plan.
//! - Every event is handed out exactly as it goes on the wire.

use std::fmt::Debug;

use bytes::Bytes;
use hyper::header::HeaderValue;

use super::anthropic;
use super::ask::Extra;
use super::audio;
use super::bedrock;
use super::cohere;
use super::embedding;
use super::endpoint::{Endpoint, Media};
use super::gemini;
use super::media;
use super::objects;
use super::openai::Chunks;
use super::plan::Plan;
use super::refusals::JSON;
use super::responses;
use super::state::{Provider, State};

/// The content type of server-sent events.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// The same as Google and Cohere say it.
const PLAIN_EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The content type of Google's JSON.
const GOOGLE_JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// The content type of Amazon's binary event stream.
const AMAZON_EVENT_STREAM: HeaderValue =
    HeaderValue::from_static("application/vnd.amazon.eventstream");

/// A comment line, which keeps an SSE connection alive and says nothing.
pub(super) const COMMENT: Bytes = Bytes::from_static(b": ping\n\n");

/// The stream of one answer, in some vendor's words.
pub(super) trait Narration: Debug {
    /// What comes before the first token.
    fn opening(&mut self) -> Vec<Bytes>;

    /// The event of output token `number`, from 1.
    fn token(&mut self, number: u32) -> Bytes;

    /// What comes after the last token, but for the sign that the stream is over.
    fn closing(&mut self) -> Vec<Bytes>;

    /// The sign that the stream is over, where this endpoint has one.
    fn last(&mut self) -> Option<Bytes>;

    /// An event whose content is invalid.
    fn garbled(&mut self) -> Bytes;

    /// An error among the events.
    fn error(&mut self) -> Bytes;

    /// What keeps the connection alive.
    fn ping(&mut self) -> Bytes {
        COMMENT
    }
}

/// A body that is ready.
pub(super) struct Whole {
    pub(super) kind: HeaderValue,
    pub(super) body: Bytes,
}

/// Tokens, or pieces of whatever is sent, that the stream of `plan` has an event for.
pub(super) fn tokens(plan: &Plan) -> u32 {
    // Why: Gemini gives a whole call at once.
    if plan.ask.endpoint == Endpoint::Generate && plan.ask.tool.is_some() {
        return 1;
    }
    match plan.ask.endpoint {
        Endpoint::Media(Media::Picture | Media::Edit) => media::partial_images(plan),
        Endpoint::Media(Media::Speech) => audio::PIECES,
        _ => plan.output,
    }
}

/// The stream of `plan` and its content type.
pub(super) fn stream(plan: Plan) -> (HeaderValue, Box<dyn Narration>) {
    match plan.ask.endpoint {
        Endpoint::Messages => (EVENT_STREAM, Box::new(anthropic::Telling::new(plan))),
        Endpoint::Responses => (EVENT_STREAM, Box::new(responses::Telling::new(plan))),
        Endpoint::Generate if plan.ask.array => (GOOGLE_JSON, Box::new(gemini::Telling::new(plan))),
        Endpoint::Generate => (PLAIN_EVENT_STREAM, Box::new(gemini::Telling::new(plan))),
        Endpoint::Converse => (AMAZON_EVENT_STREAM, Box::new(bedrock::Telling::new(plan))),
        Endpoint::CohereChat => (PLAIN_EVENT_STREAM, Box::new(cohere::Telling::new(plan))),
        Endpoint::Media(Media::Picture | Media::Edit) => {
            (EVENT_STREAM, Box::new(media::Telling::new(plan)))
        }
        Endpoint::Media(_) => (EVENT_STREAM, Box::new(audio::Telling::new(plan))),
        _ => (EVENT_STREAM, Box::new(Chunks::new(plan))),
    }
}

/// The whole answer of `plan`.
pub(super) fn whole(plan: &Plan, state: &State, provider: &Provider) -> Whole {
    let body = match (&plan.ask.extra, plan.ask.endpoint) {
        (_, Endpoint::Messages) => anthropic::whole(plan).into(),
        (_, Endpoint::CountTokens) => anthropic::count(plan).into(),
        (_, Endpoint::InputTokens) => responses::count(plan).into(),
        (_, Endpoint::ConverseCount) => bedrock::count(plan).into(),
        (_, Endpoint::Responses) => responses::whole(plan).into(),
        (_, Endpoint::Object(object, deed)) => return objects::whole(provider, plan, object, deed),
        (_, Endpoint::Media(media)) => return media::whole(plan, media),
        (_, Endpoint::Generate) => return google(gemini::whole(plan)),
        (_, Endpoint::GenerateCount) => return google(gemini::count(plan)),
        (_, Endpoint::GenerateVectors) => {
            return google(gemini::vectors(plan, provider.script.dimensions));
        }
        (_, Endpoint::Converse) => bedrock::whole(plan).into(),
        (_, Endpoint::CohereChat) => cohere::whole(plan).into(),
        (_, Endpoint::CohereEmbed) => cohere::vectors(plan, provider.script.dimensions).into(),
        (_, Endpoint::Rerank) => cohere::order(plan).into(),
        (Extra::Embedding(ask), _) => {
            let dimensions = provider.script.dimensions;
            embedding::body(ask, &plan.ask.model, plan.ask.input_tokens, dimensions).into()
        }
        _ => plan.whole(&mut state.words.borrow_mut()),
    };
    Whole { kind: JSON, body }
}

fn google(body: String) -> Whole {
    Whole {
        kind: GOOGLE_JSON,
        body: body.into(),
    }
}

/// The body of a 200 that is an error all the same.
pub(super) fn whole_error(plan: &Plan) -> Bytes {
    let voice = plan.voice();
    super::refusals::Reply::new(
        500,
        "server_error",
        "",
        "The server had an error while processing your request.",
    )
    .body(voice)
    .into()
}
