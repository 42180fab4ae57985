//! How is what was said so far written as OpenAI's messages?
//!
//! Adjacent turns of one speaker become one message, since many vendors' templates want them to alternate, and content that is
//! only text becomes one string, since some take nothing else.
//! Thoughts without a signature go as `reasoning_content` to models that want them back between tool calls (DeepSeek, Kimi);
//! others do without, since Groq, Mistral and OpenAI refuse the field.
//!
//! # Invariants
//! - Results of tools come right after the calls, before anything that the user says.
//! - Signed thoughts never leave: this dialect has no place where their maker would look.

use std::borrow::Cow;

use serde::Serialize;

use super::super::super::family::Family;
use super::super::message::{WrittenCall, WrittenExtra};
use crate::chat::{Loss, Losses, Maker, Media, Message, Part, Request, Role, Signature, Source};

/// Between texts that become one.
const BETWEEN: &str = "\n\n";

/// What a tool's message says when the result is only pictures, which have no place in it.
const FOLLOWS: &str = "The result follows in the user's next message.";

/// A message as it is written.
#[derive(Serialize)]
pub(super) struct WrittenMessage<'a> {
    role: &'static str,
    content: Option<WrittenContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<WrittenPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WrittenPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: WrittenImage<'a> },
    InputAudio { input_audio: WrittenAudio<'a> },
    File { file: WrittenFile<'a> },
}

#[derive(Serialize)]
struct WrittenImage<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

#[derive(Serialize)]
struct WrittenAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
}

/// Writes a conversation.
pub(super) fn write<'a>(
    request: &'a Request,
    model: &str,
    losses: &mut Losses,
) -> Vec<WrittenMessage<'a>> {
    let mut script = Script {
        family: Family::of(model),
        google: Family::is_google(model),
        wants_thoughts: Family::wants_thoughts(model),
        written: Vec::with_capacity(request.messages.len()),
        losses,
    };
    let mut turns: Vec<(Role, Vec<&Part>)> = Vec::new();
    for message in &request.messages {
        let parts = script.kept(message);
        match turns.last_mut() {
            _ if parts.is_empty() => {}
            Some((role, before)) if *role == message.role => before.extend(parts),
            _ => turns.push((message.role, parts)),
        }
    }
    for (role, parts) in turns {
        match role {
            Role::System => script.instruct("system", &parts),
            Role::Developer if script.family.is_openai() => script.instruct("developer", &parts),
            Role::Developer => script.instruct("system", &parts),
            Role::User => script.ask(&parts),
            Role::Assistant => script.answer(&parts),
        }
    }
    script.written
}

struct Script<'a, 'b> {
    family: Family,
    google: bool,
    wants_thoughts: bool,
    written: Vec<WrittenMessage<'a>>,
    losses: &'b mut Losses,
}

impl<'a> Script<'a, '_> {
    /// The parts of a message that have a place; a message of nothing but an empty text keeps it.
    fn kept(&mut self, message: &'a Message) -> Vec<&'a Part> {
        let parts = message.parts.iter();
        let kept: Vec<&Part> = parts.filter(|part| self.keeps(part)).collect();
        match message.parts.first() {
            Some(first @ Part::Text { .. }) if kept.is_empty() && message.role == Role::User => {
                vec![first]
            }
            _ => kept,
        }
    }

    fn keeps(&mut self, part: &Part) -> bool {
        match part {
            Part::Text { text, cache } => {
                self.losses.add_if(*cache, "cache_control", Loss::Hint);
                !text.is_empty()
            }
            Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
                self.losses.add_if(media.cache, "cache_control", Loss::Hint);
                true
            }
            Part::Thinking { text, signature } => {
                let stays = signature.is_none() && self.wants_thoughts;
                self.losses.add_if(!stays, "thinking", Loss::Hint);
                stays && !text.is_empty()
            }
            Part::Redacted(_) => {
                self.losses.add("thinking", Loss::Hint);
                false
            }
            Part::ToolResult {
                is_error, cache, ..
            } => {
                self.losses.add_if(*is_error, "is_error", Loss::Hint);
                self.losses.add_if(*cache, "cache_control", Loss::Hint);
                true
            }
            Part::ToolCall { .. } | Part::Refusal(_) => true,
        }
    }

    fn say(&mut self, role: &'static str, content: Option<WrittenContent<'a>>) {
        self.written.push(WrittenMessage {
            role,
            content,
            refusal: None,
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        });
    }

    fn instruct(&mut self, role: &'static str, parts: &[&'a Part]) {
        let parts = self.parts(parts);
        self.say(role, content(parts));
    }

    fn ask(&mut self, parts: &[&'a Part]) {
        let mut said = Vec::new();
        for part in parts {
            if let Part::ToolResult { id, content, .. } = part {
                said.extend(self.result(id, content));
            }
        }
        let is_result = |part: &&Part| matches!(part, Part::ToolResult { .. });
        let others: Vec<&Part> = parts.iter().copied().filter(|p| !is_result(p)).collect();
        said.extend(self.parts(&others));
        if let Some(content) = content(said) {
            self.say("user", Some(content));
        }
    }

    /// Writes a tool's message, and gives back what has no place in it.
    fn result(&mut self, id: &'a str, parts: &'a [Part]) -> Vec<WrittenPart<'a>> {
        let parts: Vec<&Part> = parts.iter().filter(|part| self.keeps(part)).collect();
        let (texts, mut others): (Vec<_>, Vec<_>) = self
            .parts(&parts)
            .into_iter()
            .partition(|part| matches!(part, WrittenPart::Text { .. }));
        let absent = if others.is_empty() { "" } else { FOLLOWS };
        let said = content(texts).unwrap_or(WrittenContent::Text(Cow::Borrowed(absent)));
        self.say("tool", Some(said));
        if let Some(message) = self.written.last_mut() {
            message.tool_call_id = Some(id);
        }
        if !others.is_empty() {
            let text = Cow::Owned(format!("From the result of the tool call {id}:"));
            others.insert(0, WrittenPart::Text { text });
        }
        others
    }

    fn answer(&mut self, parts: &[&'a Part]) {
        let (mut refusal, mut thoughts) = (String::new(), String::new());
        let (mut said, mut calls) = (Vec::new(), Vec::new());
        for &part in parts {
            match part {
                Part::Thinking { text, .. } => thoughts.push_str(text),
                Part::Refusal(words) if self.family.is_openai() => refusal.push_str(words),
                Part::Refusal(words) => said.push(WrittenPart::Text {
                    text: Cow::Borrowed(words),
                }),
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    signature,
                } => calls.push(WrittenCall {
                    extra_content: signature.as_ref().and_then(|by| self.signed(by)),
                    ..WrittenCall::whole(id, name, arguments)
                }),
                Part::Text { text, .. } => said.push(WrittenPart::Text {
                    text: Cow::Borrowed(text),
                }),
                Part::Image(_) => self.losses.add("image", Loss::Meaning),
                Part::Document(_) => self.losses.add("document", Loss::Meaning),
                Part::Audio(_) => self.losses.add("audio", Loss::Meaning),
                Part::ToolResult { .. } | Part::Redacted(_) => {}
            }
        }
        let filled = |text: String| (!text.is_empty()).then_some(text);
        self.written.push(WrittenMessage {
            role: "assistant",
            content: content(said),
            refusal: filled(refusal),
            reasoning_content: filled(thoughts),
            tool_calls: calls,
            tool_call_id: None,
        });
    }

    fn signed(&mut self, signature: &Signature) -> Option<WrittenExtra> {
        let sent = signature.maker == Maker::Google && self.google;
        self.losses.add_if(!sent, "thought_signature", Loss::Hint);
        sent.then(|| WrittenExtra::of_call(signature))
    }

    fn parts(&mut self, parts: &[&'a Part]) -> Vec<WrittenPart<'a>> {
        let written = parts.iter().filter_map(|part| self.part(part));
        written.collect()
    }

    /// A part of what is no answer of the model's.
    fn part(&mut self, part: &'a Part) -> Option<WrittenPart<'a>> {
        let written = match part {
            Part::Text { text, .. } | Part::Refusal(text) | Part::Thinking { text, .. } => {
                Ok(plain(text))
            }
            Part::Image(media) => image(media),
            Part::Document(media) => document(media),
            Part::Audio(media) => audio(media),
            Part::ToolCall { .. } | Part::ToolResult { .. } | Part::Redacted(_) => {
                Err("content part")
            }
        };
        written
            .inspect_err(|what| self.losses.add(what, Loss::Meaning))
            .ok()
    }
}

/// One string if there is nothing but text, and nothing if there is nothing.
fn content(mut parts: Vec<WrittenPart<'_>>) -> Option<WrittenContent<'_>> {
    if parts.len() < 2
        && let Some(WrittenPart::Text { text }) =
            parts.pop_if(|part| matches!(part, WrittenPart::Text { .. }))
    {
        return Some(WrittenContent::Text(text));
    }
    if parts.is_empty() {
        return None;
    }
    let texts = parts.iter().map(|part| match part {
        WrittenPart::Text { text } => Some(text.as_ref()),
        _ => None,
    });
    match texts.collect::<Option<Vec<_>>>() {
        Some(texts) => Some(WrittenContent::Text(Cow::Owned(texts.join(BETWEEN)))),
        None => Some(WrittenContent::Parts(parts)),
    }
}

fn plain(text: &str) -> WrittenPart<'_> {
    WrittenPart::Text {
        text: Cow::Borrowed(text),
    }
}

/// A medium written, or the name of what is lost.
type Written<'a> = Result<WrittenPart<'a>, &'static str>;

fn image(media: &Media) -> Written<'_> {
    let url = match &media.source {
        Source::Base64(data) => Cow::Owned(data_url(media, "image/png", data)),
        Source::Url(url) => Cow::Borrowed(url.as_str()),
        Source::Text(text) => return Ok(plain(text)),
        Source::File(_) => return Err("file_id"),
    };
    Ok(WrittenPart::ImageUrl {
        image_url: WrittenImage {
            url,
            detail: &media.detail,
        },
    })
}

/// A document; OpenAI takes none by URL here, and uploaded ones only by its own ids.
fn document(media: &Media) -> Written<'_> {
    let name = (!media.name.is_empty()).then_some(media.name.as_str());
    let (file_data, file_id) = match &media.source {
        Source::Base64(data) => (Some(data_url(media, "application/pdf", data)), None),
        Source::File(id) if id.starts_with("file-") => (None, Some(id.as_str())),
        Source::File(_) => return Err("file_id"),
        Source::Url(_) => return Err("document url"),
        Source::Text(text) => {
            let titled = name.map(|name| Cow::<str>::Owned(format!("{name}\n\n{text}")));
            let text = titled.unwrap_or(Cow::Borrowed(text.as_str()));
            return Ok(WrittenPart::Text { text });
        }
    };
    let named = name.or(file_data.as_ref().map(|_| "document.pdf"));
    Ok(WrittenPart::File {
        file: WrittenFile {
            filename: named,
            file_data,
            file_id,
        },
    })
}

fn audio(media: &Media) -> Written<'_> {
    let Source::Base64(data) = &media.source else {
        return Err("audio");
    };
    let subtype = media.mime.rsplit('/').next().unwrap_or_default();
    let format = match subtype {
        "" | "x-wav" | "wave" | "vnd.wave" => "wav",
        "mpeg" | "mpga" => "mp3",
        other => other,
    };
    Ok(WrittenPart::InputAudio {
        input_audio: WrittenAudio { data, format },
    })
}

fn data_url(media: &Media, otherwise: &str, data: &str) -> String {
    let mime = if media.mime.is_empty() {
        otherwise
    } else {
        &media.mime
    };
    format!("data:{mime};base64,{data}")
}
