//! Which file of which dialect reads and writes a format?
//!
//! # Invariants
//! - Every format that a client or a provider converses in is in these tables once.

use bytes::Bytes;

use super::bridge::{Bridge, Inlet};
use super::claude::Claude;
use super::cohere::rerank::Rerank;
use super::failure::Failure;
use super::format::Format;
use super::gemini::embed::Shape;
use super::meeting::{Frame, Malformed, Mark, ReadEvents, Target, WriteEvents};
use super::seen::Usage;
use super::{anthropic, bedrock, cohere, counting, gemini, openai, responses, shape};
use crate::chat::{Answer, Effort, EmbedRequest, Event, Losses, Request};
use crate::stream::sse::Splitter;

/// Lets the readers and writers of dialects stand for each other.
macro_rules! meet {
    (read: $($reader:ty),*; write: $($writer:ty),*) => {
        $(impl ReadEvents for $reader {
            fn read(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<Mark, Malformed> {
                <$reader>::read(self, name, data, out)
            }
            fn beside(&self) -> Usage {
                <$reader>::beside(self)
            }
        })*
        $(impl WriteEvents for $writer {
            fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
                <$writer>::write(self, event, out);
            }
            fn end(&mut self, out: &mut Vec<u8>) {
                <$writer>::end(self, out);
            }
            fn duplicate(&self) -> Box<dyn WriteEvents> {
                Box::new(self.clone())
            }
        })*
    };
}

meet! {
    read: openai::events::Reader, anthropic::events::Reader, gemini::events::Reader, responses::events::Reader,
        bedrock::events::Reader, cohere::events::Reader;
    write: openai::events::Writer, openai::completions::Writer, anthropic::events::Writer, gemini::events::Writer
}

impl WriteEvents for responses::events::Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        Self::write(self, event, out);
    }
    fn end(&mut self, out: &mut Vec<u8>) {
        Self::end(self, out);
    }
    fn fail(&mut self, failure: Failure, message: &str, out: &mut Vec<u8>) {
        Self::fail(self, failure, message, out);
    }
    fn duplicate(&self) -> Box<dyn WriteEvents> {
        Box::new(self.clone())
    }
}

/// What a client asks, whatever it is.
#[derive(Clone, Debug)]
pub enum Meant {
    /// A conversation is to be continued.
    Talk(Box<Request>),
    /// Texts are to be embedded.
    Embed(EmbedRequest),
    /// Documents are to be ranked; all dialects ask it alike.
    Rank(Rerank),
}

/// What a client asks in this format; `recall` gives the items of earlier responses that stand by their ids.
///
/// # Errors
/// [`Malformed`], in words for the client.
pub fn read(
    format: Format,
    body: &[u8],
    recall: &dyn Fn(&str) -> Option<Bytes>,
) -> Result<Meant, Malformed> {
    let talk = match format {
        Format::Chat => openai::request::read(body)?,
        Format::Completions => openai::completions::read(body)?,
        Format::Responses => responses::request::read_recalling(body, recall)?,
        Format::Messages => anthropic::request::read(body)?,
        Format::Generate => gemini::request::read(body)?,
        Format::Embeddings => return openai::embeddings::read(body).map(Meant::Embed),
        Format::GeminiEmbed => return gemini::embed::read(body, Shape::One).map(Meant::Embed),
        Format::GeminiEmbeds => return gemini::embed::read(body, Shape::Batch).map(Meant::Embed),
        Format::Rerank => return cohere::rerank::read(body).map(Meant::Rank),
        Format::CountTokens | Format::InputTokens | Format::GeminiCount => {
            counting::read(format, body, recall)?
        }
        _ => {
            let why = "requests of this kind cannot be carried to another dialect";
            return Err(Malformed::new(why));
        }
    };
    Ok(Meant::Talk(Box::new(talk)))
}

/// What a provider of this format is to be asked, and what was left out.
#[must_use]
pub fn write(format: Format, meant: &Meant, target: &Target<'_>) -> (Vec<u8>, Losses) {
    match (meant, format) {
        (
            Meant::Talk(request),
            Format::CountTokens | Format::InputTokens | Format::GeminiCount | Format::ConverseCount,
        ) => counting::write(format, request, target),
        (Meant::Talk(request), Format::Messages) => anthropic::request::write(request, target),
        (Meant::Talk(request), Format::Generate) => gemini::request::write(request, target),
        (Meant::Talk(request), Format::Responses) => responses::request::write(request, target),
        (Meant::Talk(request), Format::Converse) => bedrock::request::write(request, target),
        (Meant::Talk(request), Format::CohereChat) => cohere::request::write(request, target),
        (Meant::Talk(request), _) => openai::request::write(request, target),
        (Meant::Embed(request), Format::GeminiEmbeds) => {
            gemini::embed::write(request, target, Shape::Batch)
        }
        (Meant::Embed(request), Format::CohereEmbed) => cohere::embed::write(request, target),
        (Meant::Embed(request), _) => openai::embeddings::write(request, target),
        (Meant::Rank(request), _) => cohere::rerank::write(request, target),
    }
}

/// Whether a model of this format goes on from the assistant's own last turn, so that it need not be told to.
#[must_use]
pub fn takes_prefill(format: Format, model: &str, request: &Request) -> bool {
    let thinks = request.reasoning.is_some_and(|it| {
        it.effort.is_some_and(|effort| effort > Effort::None) || it.budget.is_some_and(|it| it > 0)
    });
    match (format, Claude::of(model)) {
        // Models that think refuse it.
        _ if thinks => false,
        (Format::Messages, claude) => claude.is_none_or(Claude::takes_prefill),
        (Format::Converse, claude) => claude.is_some_and(Claude::takes_prefill),
        _ => false,
    }
}

/// Carries a whole answer from a `provider`'s format into a `client`'s, who meant `meant` when it asked `asked`.
///
/// # Errors
/// [`Malformed`] where it is not an answer.
pub fn carry(
    (provider, client): (Format, Format),
    bytes: &[u8],
    meant: &Meant,
    frame: &Frame,
    asked: &[u8],
) -> Result<(Vec<u8>, Usage), Malformed> {
    shape::check(bytes)?;
    match meant {
        Meant::Talk(_) if client.is_count() => {
            let tokens = counting::read_answer(provider, bytes)?;
            Ok((counting::write_answer(client, tokens), Usage::default()))
        }
        Meant::Talk(_) => {
            let answer = read_answer(provider, bytes)?;
            let usage = answer.usage.map(Usage::from).unwrap_or_default();
            let usage = usage.at_tier(answer.service_tier.as_deref());
            Ok((write_answer(client, &answer, frame, asked), usage))
        }
        Meant::Embed(request) => {
            let answer = match provider {
                Format::GeminiEmbeds => gemini::embed::read_answer(bytes)?,
                Format::CohereEmbed => cohere::embed::read(bytes)?,
                _ => openai::embeddings::read_answer(bytes)?,
            };
            let usage = Usage {
                input: answer.input_tokens.and_then(|it| u32::try_from(it).ok()),
                ..Usage::default()
            };
            let written = match client {
                Format::GeminiEmbed => gemini::embed::write_answer(&answer, Shape::One),
                Format::GeminiEmbeds => gemini::embed::write_answer(&answer, Shape::Batch),
                _ => openai::embeddings::write_answer(&answer, request.encoding, frame),
            };
            Ok((written, usage))
        }
        Meant::Rank(request) => cohere::rerank::answer(bytes, request, frame),
    }
}

/// What a provider of this format answered.
///
/// # Errors
/// [`Malformed`] where it is not an answer.
pub fn read_answer(format: Format, body: &[u8]) -> Result<Answer, Malformed> {
    match format {
        Format::Messages => anthropic::answer::read(body),
        Format::Generate => gemini::answer::read(body),
        Format::Responses => responses::answer::read(body),
        Format::Converse => bedrock::answer::read(body),
        Format::CohereChat => cohere::answer::read(body),
        _ => openai::answer::read(body),
    }
}

/// An answer as a client of this format is told it, who asked `asked`.
#[must_use]
pub fn write_answer(format: Format, answer: &Answer, frame: &Frame, asked: &[u8]) -> Vec<u8> {
    match format {
        Format::Completions => openai::completions::write(answer, frame),
        Format::Responses => {
            let names = responses::names::names(asked);
            responses::answer::write_named(answer, frame, &names)
        }
        Format::Messages => anthropic::answer::write(answer, frame),
        Format::Generate => gemini::answer::write(answer, frame),
        _ => openai::answer::write(answer, frame),
    }
}

/// Carries a stream from a `provider`'s format into a `client`'s, who asked `asked`.
#[must_use]
pub fn bridge(
    (provider, client): (Format, Format),
    frame: &Frame,
    request_id: &str,
    asked: &[u8],
) -> Bridge {
    let writer = writer(client, frame, asked);
    Bridge::new(source(provider), writer, (provider, client), request_id)
}

/// How a stream of this format is written for a client that asked `asked`.
#[must_use]
pub fn writer(client: Format, frame: &Frame, asked: &[u8]) -> Box<dyn WriteEvents> {
    let frame = frame.clone();
    match client {
        Format::Completions => Box::new(openai::completions::Writer::new(frame)),
        Format::Responses => {
            let names = responses::names::names(asked);
            Box::new(responses::events::Writer::new(frame, names))
        }
        Format::Messages => Box::new(anthropic::events::Writer::new(frame)),
        Format::Generate => Box::new(gemini::events::Writer::new(frame)),
        _ => Box::new(openai::events::Writer::new(frame)),
    }
}

/// How a provider's stream of this format is read.
#[must_use]
pub fn source(provider: Format) -> (Inlet, Box<dyn ReadEvents>) {
    let inlet = match provider {
        Format::Converse => Inlet::Amazon(bedrock::frames::Frames::default()),
        _ => Inlet::Sse(Splitter::default()),
    };
    let reader: Box<dyn ReadEvents> = match provider {
        Format::Messages => Box::new(anthropic::events::Reader::default()),
        Format::Generate => Box::new(gemini::events::Reader::default()),
        Format::Responses => Box::new(responses::events::Reader::default()),
        Format::Converse => Box::new(bedrock::events::Reader::default()),
        Format::CohereChat => Box::new(cohere::events::Reader::default()),
        _ => Box::new(openai::events::Reader::default()),
    };
    (inlet, reader)
}
