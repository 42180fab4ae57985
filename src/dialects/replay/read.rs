//! What does a kept answer say, and is it all there?
//!
//! # Invariants
//! - An answer is whole only if its dialect's end is there: a stream without it was cut, wherever that was.
//! - What the maker of a call signed it with is the call's, wherever a dialect has a place for it.
//! - Nothing is passed over: an event that cannot be read, or comes after the end, makes the whole unfit.

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Form, Told};
use crate::chat::{Answer, Event, Maker, Part, fold};
use crate::dialects::convert;
use crate::dialects::format::Format;
use crate::dialects::meeting::{Mark, ReadEvents};
use crate::dialects::shape;
use crate::stream::sse;

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It ran out of tokens.
    #[error("the answer was cut at its length")]
    Truncated,
    /// A filter ended it.
    #[error("the answer was filtered")]
    Filtered,
    /// The model refused.
    #[error("the model refused")]
    Refused,
    /// The turn is paused, to be gone on with.
    #[error("the turn is not over")]
    Paused,
    /// There is an error in it.
    #[error("the answer holds an error")]
    Error,
    /// It says nothing and calls nothing.
    #[error("the answer is empty")]
    Empty,
    /// It has not all come, or is not what its dialect says.
    #[error("the answer is not whole")]
    Broken,
    /// A stream tells several answers at once.
    #[error("a stream of several answers")]
    Several,
}

impl Flaw {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Filtered => "filtered",
            Self::Refused => "refused",
            Self::Paused => "paused",
            Self::Error => "error",
            Self::Empty => "empty",
            Self::Broken => "broken",
            Self::Several => "several",
        }
    }
}

/// Whether answers of this format can be read.
#[must_use]
pub const fn is_readable(format: Format) -> bool {
    matches!(
        format,
        Format::Chat | Format::Messages | Format::Responses | Format::Generate
    )
}

/// Reads an answer of a format that can be read.
pub(super) fn read(told: &Told<'_>) -> Result<Answer, Flaw> {
    let mut answer = read_as_told(told)?;
    answer.parts = with_signed_calls(answer.parts);
    Ok(answer)
}

/// Puts a signature of Google's that stands alone before a call onto the call: some dialects have no other place for it.
fn with_signed_calls(parts: Vec<Part>) -> Vec<Part> {
    let google = |part: &mut Part| matches!(part, Part::Redacted(by) if by.maker == Maker::Google);
    let mut signed = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::ToolCall {
            signature: signature @ None,
            ..
        } = &mut part
            && let Some(Part::Redacted(by)) = signed.pop_if(google)
        {
            *signature = Some(by);
        }
        signed.push(part);
    }
    signed
}

fn read_as_told(told: &Told<'_>) -> Result<Answer, Flaw> {
    match told.form {
        Form::Whole => whole(told.format, told.bytes),
        Form::Stream => {
            let mut stream = Stream::new(told.format);
            for_each_event(told.bytes, |name, data| stream.take(name, data))?;
            stream.end()
        }
        Form::Listed => {
            let items = list(told.bytes).ok_or(Flaw::Broken)?;
            let mut stream = Stream::new(told.format);
            for item in items {
                stream.take(None, item.get().as_bytes())?;
            }
            stream.end()
        }
    }
}

/// What tells an error from an answer, whatever the dialect.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// Whether this is one JSON object, and no error.
pub(super) fn is_object(bytes: &[u8]) -> Result<(), Flaw> {
    shape::check(bytes).map_err(|_| Flaw::Broken)?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Flaw::Broken);
    }
    let glance: Glance<'_> = serde_json::from_slice(bytes).map_err(|_| Flaw::Broken)?;
    let error = glance.error.map_or("null", RawValue::get);
    let named = glance.kind.map(RawValue::get) == Some("\"error\"");
    if named || !matches!(error, "null" | "false" | "\"\"" | "{}") {
        return Err(Flaw::Error);
    }
    Ok(())
}

fn whole(format: Format, bytes: &[u8]) -> Result<Answer, Flaw> {
    is_object(bytes)?;
    let answer = convert::read_answer(format, bytes).map_err(|_| Flaw::Broken)?;
    if format == Format::Generate && !is_finished(bytes) {
        return Err(Flaw::Broken);
    }
    Ok(answer)
}

/// Whether a candidate says why it ended, or the prompt was blocked; its reader takes one that does not for complete.
fn is_finished(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default)]
        candidates: Vec<Candidate>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Candidate {
        #[serde(default)]
        finish_reason: String,
    }
    let whole = serde_json::from_slice::<Whole>(bytes);
    let first = whole.map(|whole| whole.candidates.into_iter().next());
    let unsaid = ["", "FINISH_REASON_UNSPECIFIED"];
    first.is_ok_and(|first| first.is_none_or(|it| !unsaid.contains(&it.finish_reason.as_str())))
}

/// Hands on the events of a stream, if its last one is whole.
pub(super) fn for_each_event(
    bytes: &[u8],
    mut take: impl FnMut(Option<&[u8]>, &[u8]) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    // An event ends with a blank line; without it the rest of the event may be missing.
    let ended = ["\n\n", "\n\r\n", "\r\r"];
    if !ended.iter().any(|end| bytes.ends_with(end.as_bytes())) {
        return Err(Flaw::Broken);
    }
    for event in sse::events(bytes) {
        match event.data {
            None => {}
            Some(data) if event.data_lines == 1 => take(event.name(), data)?,
            Some(_) => take(event.name(), &event.joined())?,
        }
    }
    Ok(())
}

/// The items of a list.
pub(super) fn list(bytes: &Bytes) -> Option<Vec<&RawValue>> {
    shape::check(bytes).ok()?;
    serde_json::from_slice(bytes).ok()
}

/// A stream that is read to its end.
struct Stream {
    format: Format,
    reader: Box<dyn ReadEvents>,
    events: Vec<Event>,
    /// When the answer was made, if its beginning tells.
    created: Option<u64>,
    finished: bool,
    done: bool,
}

impl Stream {
    fn new(format: Format) -> Self {
        let (_, reader) = convert::source(format);
        Self {
            format,
            reader,
            events: Vec::new(),
            created: None,
            finished: false,
            done: false,
        }
    }

    fn take(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<(), Flaw> {
        let marker = data.trim_ascii() == b"[DONE]";
        // Gemini may tell more of the usage after the reason to finish; there is no marker there.
        if self.done && !marker && self.format != Format::Generate {
            return Err(Flaw::Broken);
        }
        if !marker && matches!(self.format, Format::Chat | Format::Responses) {
            self.look(data)?;
        }
        let before = self.events.len();
        match self.reader.read(name, data, &mut self.events) {
            Ok(Mark::More) => {}
            Ok(Mark::Done) => self.done = true,
            Ok(Mark::Error) => return Err(Flaw::Error),
            Err(_) => return Err(Flaw::Broken),
        }
        for event in self.events.iter().skip(before) {
            match event {
                Event::Finish { .. } => self.finished = true,
                // What is said after the end is no part of an answer.
                event if self.finished && event.is_content() => return Err(Flaw::Broken),
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks at what the reader passes over: when the answer was made, and whether there are several.
    fn look(&mut self, data: &[u8]) -> Result<(), Flaw> {
        if self.created.is_some() && is_first_choice(data) {
            return Ok(());
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk>(data) else {
            return Ok(());
        };
        if chunk
            .choices
            .iter()
            .flatten()
            .any(|choice| choice.index > 0)
        {
            return Err(Flaw::Several);
        }
        let of_response = chunk.response.map(|response| response.created_at as u64);
        self.created = self.created.or(chunk.created).or(of_response);
        Ok(())
    }

    fn end(self) -> Result<Answer, Flaw> {
        if !self.finished || !self.done {
            return Err(Flaw::Broken);
        }
        let mut answer = fold(&self.events);
        answer.created = self.created.unwrap_or_default();
        Ok(answer)
    }
}

/// Whether an event certainly numbers nothing but the first of whatever it holds, without being read.
fn is_first_choice(data: &[u8]) -> bool {
    const NAME: &[u8] = b"\"index\"";
    // The name could be written with escapes.
    let plain = memmem::find(data, b"\\u00").is_none();
    plain
        && memmem::find_iter(data, NAME).all(|at| {
            let behind = data.get(at + NAME.len()..).unwrap_or_default();
            let value = behind.trim_ascii_start().strip_prefix(b":");
            let value = value.map(<[u8]>::trim_ascii_start);
            matches!(value, Some([b'0', b',' | b'}' | b' ', ..]))
        })
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    created: Option<u64>,
    #[serde(default)]
    choices: Option<Vec<Numbered>>,
    #[serde(default)]
    response: Option<Begun>,
}

#[derive(Deserialize)]
struct Numbered {
    #[serde(default)]
    index: u32,
}

#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    created_at: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_choices_are_seen_however_they_are_numbered() {
        let check = |index: &str, certain: bool| {
            let event = format!(r#"{{"created":7,"choices":[{{{index},"delta":{{}}}}]}}"#);
            assert_eq!(is_first_choice(event.as_bytes()), certain, "{event}");
            let mut stream = Stream::new(Format::Chat);
            let first = br#"{"created":7,"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
            stream.take(None, first).unwrap();
            let chunk: Chunk = serde_json::from_str(&event).unwrap();
            let several = chunk.choices.iter().flatten().any(|it| it.index > 0);
            let taken = stream.take(None, event.as_bytes());
            assert_eq!(taken == Err(Flaw::Several), several, "{event}");
        };
        check(r#""index":0"#, true);
        check("\"index\" :\t0 ", true);
        check(r#""finish_reason":null"#, true);
        check(r#""text":"say \"index\":1","index":0"#, true);
        check(r#""index":1"#, false);
        check(r#""index": 10"#, false);
        check(r#""ind\u0065x":1"#, false);
        check(r#""index":0},{"index":1"#, false);
        check("\"index\":0\n", false);
    }
}
