//! How is an answer told that another client got, in other words or in another manner?
//!
//! # Invariants
//! - An answer keeps its own id, model and time where its dialect tells them; the [`Frame`] stands in where not.
//! - What the other dialect cannot say is an error, never left out.
//! - A dialect that tells what was used is told an estimate where the answer's own did not.

use bytes::Bytes;

use super::read::{self, is_readable, read};
use super::{Form, Told};
use crate::chat::{Answer, Event, Part, Usage, unfold};
use crate::dialects::convert;
use crate::dialects::format::Format;
use crate::dialects::gemini::array;
use crate::dialects::meeting::{Frame, Malformed};
use crate::dialects::openai::splice::UsageChunk;
use crate::dialects::openai::watch::Watch as ChatWatch;
use crate::dialects::tap::{Tap, Watch};

/// The end of a chat completion's stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Tells an answer as a client of this format and manner wants it, who asked `asked`.
///
/// # Errors
/// [`Malformed`], where it cannot be told so: it is no whole answer, or the other dialect has no place for what it holds.
pub fn retell(
    told: &Told<'_>,
    to: (Format, Form),
    frame: &Frame,
    asked: &[u8],
) -> Result<Bytes, Malformed> {
    let (format, form) = to;
    if told.format == format {
        match (told.form, form) {
            (Form::Stream, Form::Stream) if format == Format::Chat => {
                return Ok(with_usage(told, frame, asked));
            }
            (one, other) if one == other => return Ok(told.bytes.clone()),
            (Form::Stream, Form::Listed) => return Ok(listed(told.bytes)),
            (Form::Listed, Form::Stream) => return unlisted(told.bytes),
            _ => {}
        }
    }
    if !is_readable(told.format) || !format.is_conversation() {
        return Err(Malformed::new(
            "answers of this kind are told only as they were",
        ));
    }
    if form == Form::Listed && format != Format::Generate {
        return Err(Malformed::new("only Gemini's streams are told as a list"));
    }
    let mut answer = read(told).map_err(|flaw| Malformed::new(flaw.to_string()))?;
    if !can_say(to, &answer) {
        return Err(Malformed::new("the answer holds media"));
    }
    let usage = *answer.usage.get_or_insert(estimated(&answer, frame));
    let frame = Frame {
        created: Some(answer.created)
            .filter(|created| *created > 0)
            .unwrap_or(frame.created),
        input_estimate: usage.total_input(),
        ..frame.clone()
    };
    Ok(match form {
        Form::Whole => Bytes::from(convert::write_answer(format, &answer, &frame, asked)),
        Form::Stream => streamed(format, &answer, &frame, asked),
        Form::Listed => listed(&streamed(format, &answer, &frame, asked)),
    })
}

/// Whether nothing of an answer is lost: few dialects have a place for what a model draws or speaks.
fn can_say((format, form): (Format, Form), answer: &Answer) -> bool {
    answer.parts.iter().all(|part| match part {
        Part::Image(_) => form == Form::Whole && matches!(format, Format::Chat | Format::Generate),
        Part::Document(_) | Part::Audio(_) => form == Form::Whole && format == Format::Generate,
        Part::ToolResult { .. } => false,
        _ => true,
    })
}

/// About what was used, where nobody has told.
fn estimated(answer: &Answer, frame: &Frame) -> Usage {
    Usage {
        input: frame.input_estimate,
        output: answer.estimated_tokens(),
        ..Usage::default()
    }
}

fn streamed(format: Format, answer: &Answer, frame: &Frame, asked: &[u8]) -> Bytes {
    let mut writer = convert::writer(format, frame, asked);
    let mut out = Vec::new();
    for event in unfold(answer) {
        writer.write(&event, &mut out);
    }
    writer.end(&mut out);
    Bytes::from(out)
}

/// A chat completion's stream with the usage at its end if the client has asked for it, and without if not.
fn with_usage(told: &Told<'_>, frame: &Frame, asked: &[u8]) -> Bytes {
    let wish = if frame.usage_asked {
        UsageChunk::Expected
    } else {
        UsageChunk::Injected
    };
    let mut tap = Tap::new(Watch::Chat(ChatWatch::new(wish)));
    let Ok(passed) = tap.pass(told.bytes.clone()) else {
        return told.bytes.clone();
    };
    if !frame.usage_asked {
        return passed.bytes;
    }
    let known = tap.progress.usage.input.is_some() || tap.progress.usage.output.is_some();
    let Some(before) = told.bytes.strip_suffix(DONE).filter(|_| !known) else {
        return told.bytes.clone();
    };
    let Ok(answer) = read(told) else {
        return told.bytes.clone();
    };
    // What a writer ends such a stream with.
    let frame = Frame {
        created: answer.created,
        ..frame.clone()
    };
    let mut writer = convert::writer(told.format, &frame, asked);
    let mut end = Vec::new();
    for event in unfold(&Answer {
        parts: Vec::new(),
        usage: None,
        ..answer.clone()
    }) {
        writer.write(&event, &mut end);
    }
    end.clear();
    writer.write(&Event::Usage(estimated(&answer, &frame)), &mut end);
    writer.end(&mut end);
    Bytes::from([before, &end].concat())
}

/// A stream of Gemini's as a list.
fn listed(stream: &[u8]) -> Bytes {
    let (mut writer, mut out) = (array::Writer::default(), Vec::with_capacity(stream.len()));
    writer.write(stream, &mut out);
    writer.end(&mut out);
    Bytes::from(out)
}

/// A list of Gemini's as a stream.
fn unlisted(bytes: &Bytes) -> Result<Bytes, Malformed> {
    let items = read::list(bytes).ok_or_else(|| Malformed::new("the answer is not whole"))?;
    let mut out = Vec::with_capacity(bytes.len() + 16 * items.len());
    for item in items {
        // Between values a line may end, within none.
        for line in item.get().lines() {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
    Ok(Bytes::from(out))
}
