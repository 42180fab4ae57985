//! What does an answer say was used that passes through as it is?
//!
//! A pass-through request goes to any path of a provider, and its answer back, byte for byte. Where the path is one whose answers are known,
//! they are listened to all the same: a stream with the watch or the reader of its dialect, anything else as one JSON text at its end.
//!
//! # Invariants
//! - The answer is looked at and never changed; what is kept of it is bounded.
//! - What could not be heard to the end is told as lost, never as nothing used.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::bedrock::frames::Frames;
use super::format::{Endpoint, Format, path};
use super::meeting::{Mark, ReadEvents};
use super::openai::splice::UsageChunk;
use super::openai::{form, media, response, watch};
use super::seen::{Seen, Summary, Usage};
use super::tap::{Progress, Tap, Watch};
use super::{anthropic, bedrock, cohere, gemini, responses};
use crate::chat::Event;
use crate::stream::sse::{self, Splitter};

/// Bytes of a JSON answer that are kept: more than any answer in words; pictures in base64 may be more.
pub const MOST_KEPT: usize = 4 << 20;

/// What a pass-through request asks for: the endpoint that its path stands for, and the model, as path or body name it; empty where neither does.
///
/// None where no model answers such a request, as far as is known.
#[must_use]
pub fn asked<'a>(path: &'a str, body: &'a [u8]) -> Option<(Endpoint, Cow<'a, str>)> {
    let named = path::named(path)?;
    let model = match named.model {
        Some(model) if model.contains('%') => Cow::Owned(path::decoded(model)),
        Some(model) => Cow::Borrowed(model),
        None => in_body(body).unwrap_or_default(),
    };
    Some((named.endpoint, model))
}

/// The model that a body names, be it JSON or a form.
fn in_body(body: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(rest) = body.strip_prefix(b"--") {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        let boundary = std::str::from_utf8(&rest[..end]).ok()?.trim_end();
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        return form::peek(body, &kind).ok().map(|peek| peek.model);
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        model: Option<Cow<'a, str>>,
    }
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    body.model
}

/// Listens to an answer that passes.
#[derive(Debug)]
pub struct Overhearer {
    ear: Ear,
    progress: Progress,
    lost: bool,
}

/// How an answer is listened to.
#[derive(Debug)]
enum Ear {
    /// Server-sent events, watched as those that pass to clients of the same dialect.
    Watched(Box<Tap>),
    /// Server-sent events of a dialect that only providers speak.
    Read(Splitter, Box<dyn ReadEvents>),
    /// Amazon's frames.
    Framed(Frames, Box<dyn ReadEvents>),
    /// One JSON text.
    Json(Format, Text),
    /// There is nothing more to hear.
    Deaf,
}

/// A text that is kept whole: its first piece as it came, more of them joined.
#[derive(Debug, Default)]
struct Text {
    first: Bytes,
    joined: BytesMut,
}

impl Text {
    /// Takes the next piece, if it still fits.
    fn add(&mut self, bytes: &Bytes) -> bool {
        let before = self.first.len().max(self.joined.len());
        if before + bytes.len() > MOST_KEPT {
            return false;
        }
        if before == 0 {
            self.first = bytes.clone();
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&self.first);
            }
            self.joined.extend_from_slice(bytes);
        }
        true
    }

    fn whole(&self) -> &[u8] {
        if self.joined.is_empty() {
            &self.first
        } else {
            &self.joined
        }
    }
}

impl Overhearer {
    /// Listens to the successful answer of a request to this path below the provider's base URL; none where no answer of this type tells anything.
    #[must_use]
    pub fn new(path: &str, content_type: &str) -> Option<Self> {
        let named = path::named(path)?;
        if named.endpoint.is_count() {
            return None;
        }
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is = |other: &str| kind.eq_ignore_ascii_case(other);
        let ear = if is("text/event-stream") {
            streamed(named.format)?
        } else if is("application/json") {
            Ear::Json(named.format, Text::default())
        } else if is("application/vnd.amazon.eventstream") && named.format == Format::Converse {
            Ear::Framed(
                Frames::default(),
                Box::new(bedrock::events::Reader::default()),
            )
        } else {
            return None;
        };
        Some(Self {
            ear,
            progress: Progress::default(),
            lost: false,
        })
    }

    /// Takes the next bytes of the answer.
    pub fn hear(&mut self, bytes: &Bytes) {
        let heard = match &mut self.ear {
            Ear::Watched(tap) => {
                let heard = tap.pass(bytes.clone()).is_ok();
                self.progress = tap.progress;
                heard
            }
            Ear::Read(splitter, reader) => match splitter.push(bytes.clone()) {
                Ok(run) => {
                    read_run(&run, reader.as_mut(), &mut self.progress);
                    true
                }
                Err(_) => false,
            },
            Ear::Framed(frames, reader) => match frames.push(bytes.clone()) {
                Ok(frames) => {
                    for frame in frames {
                        let name = Some(frame.event.as_bytes());
                        read(name, &frame.payload, reader.as_mut(), &mut self.progress);
                    }
                    true
                }
                Err(_) => false,
            },
            Ear::Json(_, text) => text.add(bytes),
            Ear::Deaf => true,
        };
        if !heard {
            self.lost = true;
            self.ear = Ear::Deaf;
        }
    }

    /// Takes note that the answer has ended as its transfer said; without this a JSON text tells nothing.
    pub fn end(&mut self) {
        match &mut self.ear {
            Ear::Watched(tap) => {
                tap.rest();
                self.progress = tap.progress;
            }
            Ear::Read(splitter, reader) => {
                let rest = splitter.rest();
                read_run(&rest, reader.as_mut(), &mut self.progress);
            }
            Ear::Framed(frames, _) => self.lost |= !frames.at_boundary(),
            Ear::Json(format, text) => match whole(*format, text.whole()) {
                Some(summary) => {
                    self.progress.usage = summary.usage.unwrap_or_default();
                    self.progress.finished = !summary.error;
                }
                None => self.lost = true,
            },
            Ear::Deaf => {}
        }
        if matches!(self.ear, Ear::Json(..)) {
            self.ear = Ear::Deaf;
        }
    }

    /// What was used, as far as it was told.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.progress.usage
    }

    /// Output tokens: as reported, else as counted in a stream.
    #[must_use]
    pub fn output_tokens(&self) -> u32 {
        self.progress.output_tokens()
    }

    /// Whether the answer is complete, so that its usage is the last word.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.progress.finished && !self.lost
    }

    /// Whether something could not be heard: it was too large, or in words that are not known.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lost
    }
}

/// How a stream of events in this format is listened to, if it can be.
fn streamed(format: Format) -> Option<Ear> {
    let watch = match format {
        Format::Chat | Format::Completions => Watch::Chat(watch::Watch::new(UsageChunk::Expected)),
        Format::Messages => Watch::Messages(anthropic::watch::Watch::new()),
        Format::Generate => Watch::Gemini(gemini::watch::Watch),
        Format::Responses => Watch::Responses(responses::watch::Watch::new()),
        Format::ImageGenerations
        | Format::ImageEdits
        | Format::Speech
        | Format::Transcriptions
        | Format::Translations => Watch::Media(media::Watch::new()),
        Format::CohereChat => {
            let reader = Box::new(cohere::events::Reader::default());
            return Some(Ear::Read(Splitter::default(), reader));
        }
        _ => return None,
    };
    Some(Ear::Watched(Box::new(Tap::new(watch))))
}

fn read_run(run: &[u8], reader: &mut dyn ReadEvents, progress: &mut Progress) {
    for event in sse::events(run) {
        if event.data.is_some() {
            read(event.name(), &event.joined(), reader, progress);
        }
    }
}

fn read(name: Option<&[u8]>, data: &[u8], reader: &mut dyn ReadEvents, progress: &mut Progress) {
    let mut events = Vec::new();
    match reader.read(name, data, &mut events) {
        Ok(mark) => progress.done |= mark == Mark::Done,
        Err(_) => progress.bad_events += 1,
    }
    for event in events {
        progress.note(&Seen {
            content: event.is_content(),
            finished: matches!(event, Event::Finish { .. }),
            usage: match event {
                Event::Usage(usage) => Some(Usage::from(usage).after(reader.beside()).apart()),
                _ => None,
            },
            ..Seen::default()
        });
    }
}

/// What a whole answer in this format says; none where it is no such answer.
fn whole(format: Format, json: &[u8]) -> Option<Summary> {
    let read = match format {
        Format::Messages => anthropic::watch::read_whole(json),
        Format::Responses => responses::watch::read_whole(json).map(|whole| whole.summary),
        Format::Generate if json.trim_ascii_start().first() == Some(&b'[') => return listed(json),
        Format::Generate | Format::GeminiEmbed | Format::GeminiEmbeds => {
            gemini::response::read_whole(json)
        }
        Format::Converse => bedrock::answer::read_summary(json),
        Format::CohereChat => cohere::answer::read_summary(json),
        _ => response::read_whole(json),
    };
    read.ok()
}

/// What a stream of Gemini's says that came as one list.
fn listed(json: &[u8]) -> Option<Summary> {
    let all: Vec<&RawValue> = serde_json::from_slice(json).ok()?;
    let mut summary = Summary::default();
    for one in all {
        let seen = gemini::response::read(one.get().as_bytes()).ok()?;
        summary.error |= seen.error;
        let earlier = summary.usage.unwrap_or_default();
        summary.usage = seen
            .usage
            .map(|usage| usage.after(earlier))
            .or(summary.usage);
    }
    Some(summary)
}

#[cfg(test)]
mod tests;
