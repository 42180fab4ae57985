//! What was said so far, read from OpenAI's messages?
//!
//! # Invariants
//! - Results of tools that follow each other are one turn of the user's, as they answer one turn of the model's.
//! - Every call has an id, and every result the id of its call; legacy function calls, which have none, get theirs here.
//! - A text without words is left out, unless it is all that a user said.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::super::meeting::Malformed;
use super::super::message::{
    Content, Extra, RawAudio, RawCall, RawFile, RawFunction, RawImage, RawPart, lenient,
    mint_call_id,
};
use super::super::thoughts;
use crate::chat::{Media, Message, Part, Role, Source};

/// A message as clients write it.
#[derive(Deserialize)]
pub(super) struct RawMessage {
    role: String,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<RawCall>>,
    #[serde(default)]
    function_call: Option<RawFunction>,
    #[serde(default)]
    tool_call_id: Option<String>,
    #[serde(default)]
    audio: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "lenient")]
    extra_content: Extra,
    #[serde(default)]
    cache_control: Option<IgnoredAny>,
}

/// Reads a conversation; what cannot be carried is added to `unknown`.
pub(super) fn read(
    messages: Vec<RawMessage>,
    unknown: &mut Vec<&'static str>,
) -> Result<Vec<Message>, Malformed> {
    let mut turns = Turns {
        read: Vec::with_capacity(messages.len()),
        names: HashMap::new(),
        legacy: None,
        unknown,
    };
    for (place, message) in messages.into_iter().enumerate() {
        let told = |Malformed(why)| Malformed::new(format!("messages[{place}]: {why}"));
        turns.take(place, message).map_err(told)?;
    }
    Ok(turns.read)
}

struct Turns<'a> {
    read: Vec<Message>,
    /// The names of the tools called so far, by the calls' ids.
    names: HashMap<String, String>,
    /// The id of the legacy call that waits for its result.
    legacy: Option<String>,
    unknown: &'a mut Vec<&'static str>,
}

impl Turns<'_> {
    fn take(&mut self, place: usize, message: RawMessage) -> Result<(), Malformed> {
        match message.role.as_str() {
            "system" => self.say(Role::System, message),
            "developer" => self.say(Role::Developer, message),
            "user" => self.say(Role::User, message),
            "assistant" => self.answer(place, message),
            "tool" | "function" => self.result(place, message),
            _ => Err(Malformed::new("the role is unknown")),
        }
    }

    fn lose(&mut self, what: &'static str) {
        if !self.unknown.contains(&what) {
            self.unknown.push(what);
        }
    }

    fn say(&mut self, role: Role, message: RawMessage) -> Result<(), Malformed> {
        if message.name.is_some() {
            self.lose("name");
        }
        let mut parts = self.parts(message.content)?;
        if parts.is_empty() && role == Role::User {
            parts.push(Part::text(""));
        }
        if message.cache_control.is_some() {
            mark(&mut parts);
        }
        if !parts.is_empty() {
            self.read.push(Message { role, parts });
        }
        Ok(())
    }

    fn answer(&mut self, place: usize, message: RawMessage) -> Result<(), Malformed> {
        if message.name.is_some() {
            self.lose("name");
        }
        if message.audio.is_some() {
            self.lose("audio");
        }
        let thought = message.reasoning_content.or(message.reasoning);
        let carried = message.extra_content.carried();
        let mut parts = thoughts::scatter(thought.unwrap_or_default(), carried);
        parts.extend(self.parts(message.content)?);
        let refusal = message.refusal.filter(|words| !words.is_empty());
        parts.extend(refusal.map(Part::Refusal));
        if message.cache_control.is_some() {
            mark(&mut parts);
        }
        let calls = message.tool_calls.unwrap_or_default();
        for (index, call) in calls.into_iter().enumerate() {
            parts.push(self.call(mint_call_id("", place * 1_000 + index), call)?);
        }
        if let Some(function) = message.function_call {
            let id = mint_call_id("function", place);
            let call = RawCall {
                function: Some(function),
                ..RawCall::default()
            };
            self.legacy = Some(id.clone());
            parts.push(self.call(id, call)?);
        }
        if !parts.is_empty() {
            let role = Role::Assistant;
            self.read.push(Message { role, parts });
        }
        Ok(())
    }

    /// A call, with the id `minted` if it has none.
    fn call(&mut self, minted: String, call: RawCall) -> Result<Part, Malformed> {
        let signature = call.extra_content.of_call();
        let (name, arguments) = match (call.function, call.custom) {
            (Some(function), _) => (function.name, function.arguments.0),
            (None, Some(custom)) => {
                let input = serde_json::json!({ "input": custom.input });
                (Some(custom.name), input.to_string())
            }
            (None, None) => (None, String::new()),
        };
        let name = name.ok_or_else(|| Malformed::new("a tool call needs a function's name"))?;
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or(minted);
        self.names.insert(id.clone(), name.clone());
        Ok(Part::ToolCall {
            id,
            name,
            arguments,
            signature,
        })
    }

    fn result(&mut self, place: usize, message: RawMessage) -> Result<(), Malformed> {
        let id = match (message.tool_call_id, message.role.as_str()) {
            (Some(id), _) => id,
            (None, "function") => {
                let called = self.legacy.take();
                called.unwrap_or_else(|| mint_call_id("function", place))
            }
            (None, _) => return Err(Malformed::new("a tool's message needs `tool_call_id`")),
        };
        let mut content = self.parts(message.content)?;
        let marked = content
            .iter_mut()
            .fold(false, |any, part| any | unmark(part));
        let name = message.name.or_else(|| self.names.get(&id).cloned());
        let result = Part::ToolResult {
            id,
            name: name.unwrap_or_default(),
            content,
            is_error: false,
            cache: marked || message.cache_control.is_some(),
        };
        match self.read.last_mut() {
            Some(last) if is_results(last) => last.parts.push(result),
            _ => self.read.push(Message {
                role: Role::User,
                parts: vec![result],
            }),
        }
        Ok(())
    }

    fn parts(&mut self, content: Content) -> Result<Vec<Part>, Malformed> {
        match content {
            Content::Empty => Ok(Vec::new()),
            Content::Text(text) if text.is_empty() => Ok(Vec::new()),
            Content::Text(text) => Ok(vec![Part::text(text)]),
            Content::Parts(raw) => {
                let mut parts = Vec::with_capacity(raw.len());
                for part in raw {
                    parts.extend(self.part(part)?);
                }
                Ok(parts)
            }
        }
    }

    fn part(&mut self, raw: RawPart) -> Result<Option<Part>, Malformed> {
        let absent = |field: &str| Malformed::new(format!("a content part lacks its `{field}`"));
        let cache = raw.cache_control.is_some();
        let kind = raw.kind.as_str();
        let part = match kind {
            "text" | "input_text" | "output_text" => {
                let text = raw.text.ok_or_else(|| absent("text"))?;
                (!text.is_empty()).then_some(Part::Text { text, cache })
            }
            "refusal" => raw.refusal.map(Part::Refusal),
            "image_url" => {
                let image = raw.image_url.ok_or_else(|| absent(kind))?;
                Some(Part::Image(Media {
                    cache,
                    ..read_image(image)
                }))
            }
            "input_audio" => {
                let audio = raw.input_audio.ok_or_else(|| absent(kind))?;
                Some(Part::Audio(read_audio(*audio)))
            }
            "file" => {
                let file = raw.file.ok_or_else(|| absent(kind))?;
                Some(read_file(*file, cache)?)
            }
            "thinking" => {
                let text = raw.thinking.words();
                let signature = None;
                Some(Part::Thinking { text, signature })
            }
            "video_url" => {
                self.lose("video_url");
                None
            }
            _ => {
                self.lose("content part");
                None
            }
        };
        Ok(part)
    }
}

/// Whether a turn holds nothing but results.
fn is_results(message: &Message) -> bool {
    let result = |part: &Part| matches!(part, Part::ToolResult { .. });
    message.role == Role::User && message.parts.iter().all(result)
}

/// Puts a cache mark on the last part.
fn mark(parts: &mut [Part]) {
    match parts.last_mut() {
        Some(Part::Text { cache, .. } | Part::ToolResult { cache, .. }) => *cache = true,
        Some(Part::Image(media) | Part::Document(media) | Part::Audio(media)) => media.cache = true,
        _ => {}
    }
}

/// Takes a part's cache mark off, and tells whether there was one.
fn unmark(part: &mut Part) -> bool {
    match part {
        Part::Text { cache, .. } => std::mem::take(cache),
        Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
            std::mem::take(&mut media.cache)
        }
        _ => false,
    }
}

fn read_image(image: RawImage) -> Media {
    let (url, detail) = match image {
        RawImage::Bare(url) => (url, None),
        RawImage::Object { url, detail } => (url, detail),
    };
    Media {
        detail: detail.unwrap_or_default(),
        ..read_url(url)
    }
}

fn read_audio(audio: RawAudio) -> Media {
    let mime = match audio.format.as_str() {
        "" => String::new(),
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    };
    Media {
        mime,
        ..medium(Source::Base64(audio.data))
    }
}

/// A file by its MIME type: a picture, a sound, or a document.
fn read_file(file: RawFile, cache: bool) -> Result<Part, Malformed> {
    let media = match (file.file_data, file.file_id) {
        (Some(data), _) if is_data_url(&data) => read_url(data),
        (Some(data), _) => medium(Source::Base64(data)),
        (None, Some(id)) => medium(Source::File(id)),
        (None, None) => return Err(Malformed::new("a file needs `file_data` or `file_id`")),
    };
    let name = file.filename.unwrap_or_default();
    let pdf = name.to_ascii_lowercase().ends_with(".pdf");
    let mime = match media.mime {
        mime if mime.is_empty() && pdf => "application/pdf".to_owned(),
        mime => mime,
    };
    let media = Media {
        name,
        mime,
        cache,
        ..media
    };
    Ok(match media.mime.split('/').next() {
        Some("image") => Part::Image(media),
        Some("audio") => Part::Audio(media),
        _ => Part::Document(media),
    })
}

fn is_data_url(text: &str) -> bool {
    let scheme = text.get(..5);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// What a URL stands for; one that holds its data in base64 is taken apart.
fn read_url(url: String) -> Media {
    let held = is_data_url(&url).then(|| url.get(5..)?.split_once(','));
    if let Some((head, data)) = held.flatten()
        && let Some(mime) = head.strip_suffix(";base64")
    {
        let mime = mime.split(';').next().unwrap_or_default().to_owned();
        return Media {
            mime,
            ..medium(Source::Base64(data.to_owned()))
        };
    }
    medium(Source::Url(url))
}

fn medium(source: Source) -> Media {
    Media {
        source,
        mime: String::new(),
        name: String::new(),
        detail: String::new(),
        cache: false,
    }
}
