//! How does an answer come back? As it is where both speak the same words, else by its meaning.
//!
//! # Invariants
//! - An answer that cannot be understood, or is an error in a success's clothes, is never passed on as a success.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::life::Life;
use super::plan::Plan;
use crate::clock;
use crate::config::StreamRecovery;
use crate::dialects::format::{Endpoint, Format};
use crate::dialects::meeting::{Frame, Malformed};
use crate::dialects::openai::peek::UsageWish;
use crate::dialects::openai::splice::UsageChunk;
use crate::dialects::openai::{media, response, watch};
use crate::dialects::passage::Passage;
use crate::dialects::replay::{self, Form, Told};
use crate::dialects::seen::Summary;
use crate::dialects::tap::{Tap, Watch};
use crate::dialects::{anthropic, convert, gemini, responses};

/// What is needed to understand the answer of one attempt.
#[derive(Debug)]
pub(super) struct Back {
    /// What the client asked.
    pub(super) endpoint: Endpoint,
    /// In whose words the provider answers.
    pub(super) format: Format,
    pub(super) usage_chunk: UsageChunk,
    /// What the client's answer needs besides the provider's; none where the words are the same.
    pub(super) frame: Option<Frame>,
}

/// Why a whole answer cannot be passed on.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is an error object.
    Refusal(Bytes),
    /// It is not what was asked for, in these words.
    Malformed(String),
}

impl Back {
    /// Whether a response is the stream that was asked for.
    pub(super) fn is_stream(&self, headers: &HeaderMap) -> bool {
        let kind = kind(headers);
        kind.starts_with(b"text/event-stream")
            || kind.starts_with(b"application/vnd.amazon.eventstream")
    }

    /// How the stream becomes the client's.
    pub(super) fn passage(&self, life: &Life, plan: &Plan<'_>) -> Passage {
        let passage = self.events(life, plan);
        let query = plan.asked.query.as_deref().unwrap_or_default();
        let listed = self.endpoint == Endpoint::StreamGenerate
            && !query.split('&').any(|pair| pair == "alt=sse");
        if listed { passage.listed() } else { passage }
    }

    fn events(&self, life: &Life, plan: &Plan<'_>) -> Passage {
        let client = self.endpoint.format();
        if let Some(resume) = &plan.resume {
            return Passage::Other(Box::new(resume.bridge.resumed(self.format, resume.how)));
        }
        let recorded = plan.recovery != StreamRecovery::Error;
        if recorded || self.frame.is_some() {
            let frame = self.frame.clone().unwrap_or_else(|| frame(life, plan));
            let formats = (self.format, client);
            let bridge = convert::bridge(formats, &frame, life.id.text(), &plan.asked.body);
            return Passage::Other(Box::new(if recorded { bridge.recorded() } else { bridge }));
        }
        Passage::Same(Tap::new(match client {
            Format::Chat | Format::Completions => Watch::Chat(watch::Watch::new(self.usage_chunk)),
            Format::Messages => Watch::Messages(anthropic::watch::Watch::new()),
            Format::Generate => Watch::Gemini(gemini::watch::Watch),
            Format::Responses => Watch::Responses(responses::watch::Watch::new()),
            _ => Watch::Media(media::Watch::new()),
        }))
    }

    /// Understands a whole answer, and writes it in the client's words.
    pub(super) fn whole(
        &self,
        headers: &HeaderMap,
        bytes: Bytes,
        life: &Life,
        plan: &Plan<'_>,
    ) -> Result<(Bytes, Summary), Unreadable> {
        if self.may_be_binary() && !kind(headers).starts_with(b"application/json") {
            return Ok((bytes, Summary::default()));
        }
        let read = match self.format {
            Format::Messages | Format::CountTokens => anthropic::watch::read_whole(&bytes),
            Format::Generate => gemini::response::read_whole(&bytes),
            Format::Responses => responses::watch::read_whole(&bytes).map(|whole| {
                if let (Some(id), Some(wire)) = (whole.id, life.last_wire()) {
                    let makers = &life.worker.shared.lasting.makers;
                    makers.remember(id.as_bytes(), wire.maker);
                }
                whole.summary
            }),
            _ => response::read_whole(&bytes),
        };
        let malformed =
            |wanted: &str| Unreadable::Malformed(format!("the provider's answer is not {wanted}"));
        match read {
            Ok(seen) if seen.error => Err(Unreadable::Refusal(bytes)),
            Ok(_) if plan.peek.stream => Err(malformed("a stream")),
            Ok(seen) => self.translated(bytes, seen, life, plan),
            Err(_) if plan.peek.stream => Err(malformed("a stream")),
            Err(_) => Err(malformed("JSON")),
        }
    }

    /// Whether a whole answer may be kept in the client's words: some dialects take a refusal, or a call that is broken, for an answer like any other.
    pub(super) fn may_be_kept(&self, bytes: &Bytes) -> bool {
        let told = Told {
            format: self.format,
            form: Form::Whole,
            bytes,
        };
        self.frame.is_none() || !replay::is_readable(self.format) || replay::examine(&told).is_ok()
    }

    fn translated(
        &self,
        bytes: Bytes,
        seen: Summary,
        life: &Life,
        plan: &Plan<'_>,
    ) -> Result<(Bytes, Summary), Unreadable> {
        let Some(frame) = &self.frame else {
            return Ok((bytes, seen));
        };
        let malformed = |why: &Malformed| {
            Unreadable::Malformed(format!("the provider's answer cannot be read: {why}"))
        };
        let told = &life.worker.shared.lasting.recollections;
        let meant = plan.meaning.of(plan.asked, told).map_err(malformed)?;
        let formats = (self.format, self.endpoint.format());
        let (written, usage) = convert::carry(formats, &bytes, meant, frame, &plan.asked.body)
            .map_err(|why| malformed(&why))?;
        if self.endpoint == Endpoint::Responses {
            told.remember(&written);
        }
        let beside = seen.usage.unwrap_or_default().beside_text();
        let summary = Summary {
            usage: Some(usage.after(beside)),
            error: false,
        };
        Ok((Bytes::from(written), summary))
    }

    /// Whether an answer need not be JSON: sound, images, plain text.
    const fn may_be_binary(&self) -> bool {
        matches!(
            self.endpoint,
            Endpoint::Speech
                | Endpoint::Transcriptions
                | Endpoint::Translations
                | Endpoint::ImageGenerations
                | Endpoint::ImageEdits
                | Endpoint::ImageVariations
        )
    }
}

fn kind(headers: &HeaderMap) -> &[u8] {
    headers
        .get(CONTENT_TYPE)
        .map_or(&[], |value| value.as_bytes())
}

/// What an answer in other words needs besides what the provider says.
pub(super) fn frame(life: &Life, plan: &Plan<'_>) -> Frame {
    let id = super::life::RequestId::new(life.worker.new_number());
    Frame {
        id: id.text().trim_start_matches("req-").to_owned(),
        model: plan.peek.model.to_string(),
        created: clock::unix().as_secs(),
        usage_asked: plan.peek.usage == UsageWish::Asked,
        input_estimate: u64::from(plan.peek.input_tokens),
    }
}
