//! What is asked, of which model, by when?

use scoring::latency::Class;
use scoring::route::Ask;
use scoring::time::Time;

use super::Asked;
use super::life::Life;
use super::respond::Failed;
use super::serving::Endpoint;
use crate::dialects::openai::error::Failure;
use crate::dialects::openai::peek::{self, Peek};

/// A request that short may serve as a probe of a route: it risks little.
const PROBE_TOKENS: u32 = 16_384;

/// A request, understood.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) asked: &'a Asked,
    pub(super) peek: Peek<'a>,
    /// The model's index.
    pub(super) model: usize,
    pub(super) ask: Ask,
    /// When the request has had its time.
    pub(super) deadline: Time,
}

/// Understands a request, or says why not.
pub(super) fn plan<'a>(life: &mut Life, asked: &'a Asked) -> Result<Plan<'a>, Box<Failed>> {
    let mut peek = peek::peek(&asked.body)
        .map_err(|error| Box::new(Failed::local(Failure::BadRequest, &error.to_string())))?;
    // Embeddings are never streamed, and so have no usage to be asked for.
    peek.stream &= asked.endpoint != Endpoint::Embeddings;
    let (class, name) = match (asked.endpoint, peek.stream) {
        (Endpoint::Embeddings, _) => (Class::Embedding, "embedding"),
        (_, true) => (Class::ChatStream, "chat_stream"),
        (_, false) => (Class::Chat, "chat"),
    };
    life.class = name;
    life.stream = peek.stream;
    life.max_tokens = peek.max_tokens;
    life.input_tokens = peek.input_tokens;
    let Some(model) = life.serving.routing.find(&peek.model) else {
        life.input_tokens = 0;
        let message = format!(
            "The model `{}` does not exist or you do not have access to it.",
            peek.model
        );
        return Err(Box::new(Failed::local(Failure::NoModel, &message)));
    };
    life.model = Some(model);
    let total = life.serving.routing.models[model].clocks.total;
    let deadline = life.began.plus(total.into());
    let ask = Ask {
        class,
        input_tokens: peek.input_tokens,
        max_tokens: peek.max_tokens,
        deadline: Some(deadline),
        probe_ok: peek.input_tokens <= PROBE_TOKENS,
    };
    Ok(Plan {
        asked,
        peek,
        model,
        ask,
        deadline,
    })
}
