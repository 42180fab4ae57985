//! May an answer be kept, and what does it say?
//!
//! # Invariants
//! - Only an answer that its model ended by itself is kept, and only if it says or calls something.
//! - Arguments that are no JSON object are a broken answer: who would be told them again could not call the tool either.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::{Flaw, is_object, is_readable, read};
use super::{Form, Told, completions};
use crate::chat::{Answer, Part, Stop};
use crate::dialects::format::Format;
use crate::dialects::openai::media;
use crate::dialects::tap::{Tap, Watch};

/// What an answer says that may be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Why the model stopped.
    pub stop: Stop,
    /// Whether tools are called.
    pub tools: bool,
    /// What is said; empty where no model converses.
    pub text: String,
}

/// Says whether an answer may be kept.
///
/// Of what is no conversation any JSON object is complete that holds no error; whoever keeps other bytes, such as sound, decides alone.
/// Of several answers in one body each is looked at, and the first is told of.
///
/// # Errors
/// [`Flaw`]: why not.
pub fn examine(told: &Told<'_>) -> Result<Examined, Flaw> {
    if told.format == Format::Completions {
        let text = completions::read(told)?;
        return Ok(Examined {
            text,
            ..Examined::default()
        });
    }
    if !is_readable(told.format) {
        return plain(told).map(|()| Examined::default());
    }
    if told.format == Format::Chat && told.form == Form::Whole {
        return each_choice(told);
    }
    judge(&read(told)?)
}

fn judge(answer: &Answer) -> Result<Examined, Flaw> {
    match answer.stop {
        Stop::End | Stop::Text | Stop::Tools => {}
        Stop::Length => return Err(Flaw::Truncated),
        Stop::Filtered => return Err(Flaw::Filtered),
        Stop::Paused => return Err(Flaw::Paused),
    }
    let mut examined = Examined {
        stop: answer.stop,
        ..Examined::default()
    };
    let mut shown = false;
    for part in &answer.parts {
        match part {
            Part::Text { text, .. } => examined.text.push_str(text),
            Part::Refusal(_) => return Err(Flaw::Refused),
            Part::ToolCall { arguments, .. } if !is_arguments(arguments) => {
                return Err(Flaw::Broken);
            }
            Part::ToolCall { .. } => examined.tools = true,
            Part::Image(_) | Part::Document(_) | Part::Audio(_) => shown = true,
            Part::Thinking { .. } | Part::Redacted(_) | Part::ToolResult { .. } => {}
        }
    }
    if examined.text.trim().is_empty() && !examined.tools && !shown {
        return Err(Flaw::Empty);
    }
    Ok(examined)
}

/// Whether a call's arguments are whole: an object, or nothing.
fn is_arguments(json: &str) -> bool {
    let json = json.trim_ascii();
    json.is_empty() || (json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok())
}

/// A completion with all its choices.
fn each_choice(told: &Told<'_>) -> Result<Examined, Flaw> {
    #[derive(Deserialize)]
    struct Choices<'a> {
        #[serde(borrow, default)]
        choices: Vec<&'a RawValue>,
    }
    // The first is read with all that stands around it.
    let examined = judge(&read(told)?)?;
    let all: Choices<'_> = serde_json::from_slice(told.bytes).map_err(|_| Flaw::Broken)?;
    for choice in all.choices.into_iter().skip(1) {
        let alone = Bytes::from(format!("{{\"choices\":[{}]}}", choice.get()));
        let told = Told {
            bytes: &alone,
            ..*told
        };
        judge(&read(&told)?)?;
    }
    Ok(examined)
}

/// What is no conversation.
fn plain(told: &Told<'_>) -> Result<(), Flaw> {
    match told.form {
        Form::Whole => is_object(told.bytes),
        Form::Listed => Err(Flaw::Broken),
        Form::Stream => {
            let mut tap = Tap::new(Watch::Media(media::Watch::new()));
            let passed = tap.pass(told.bytes.clone()).map_err(|_| Flaw::Broken)?;
            if passed.error.is_some() {
                return Err(Flaw::Error);
            }
            let whole = passed.bytes.len() == told.bytes.len();
            let ended = tap.progress.finished && tap.progress.bad_events == 0;
            if whole && ended {
                Ok(())
            } else {
                Err(Flaw::Broken)
            }
        }
    }
}
