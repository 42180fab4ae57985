//! How is a conversation told to a provider, in items?
//!
//! # Invariants
//! - Reasoning is sent only if OpenAI has signed it.
//! - A message is cut where a call, a result or reasoning stands between its words, so that the order is kept.

use serde::Serialize;

use crate::chat::{Loss, Losses, Maker, Media, Message, Part, Role, Signature, Source};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WrittenItem<'a> {
    Message {
        role: &'static str,
        content: Vec<WrittenPart<'a>>,
    },
    Reasoning {
        #[serde(skip_serializing_if = "str::is_empty")]
        id: &'a str,
        summary: Vec<WrittenPart<'a>>,
        encrypted_content: &'a str,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: WrittenOutput<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WrittenOutput<'a> {
    Text(&'a str),
    Parts(Vec<WrittenPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WrittenPart<'a> {
    InputText {
        text: &'a str,
    },
    OutputText {
        text: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
    InputImage {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
    },
    InputAudio {
        input_audio: WrittenAudio<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct WrittenAudio<'a> {
    data: &'a str,
    format: &'a str,
}

/// The conversation as items.
pub(super) fn write<'a>(messages: &'a [Message], losses: &mut Losses) -> Vec<WrittenItem<'a>> {
    let mut items = Vec::new();
    for message in messages {
        let mut said = Vec::new();
        for part in &message.parts {
            let item = match part {
                Part::ToolCall { .. } | Part::ToolResult { .. } => tool_item(part, losses),
                Part::Thinking { text, signature } => {
                    let item = reasoning_item(text, signature.as_ref());
                    losses.add_if(item.is_none(), "thinking", Loss::Hint);
                    item
                }
                Part::Redacted(signature) => {
                    let item = reasoning_item("", Some(signature));
                    losses.add_if(item.is_none(), "thinking", Loss::Hint);
                    item
                }
                other => {
                    said.extend(written_part(other, message.role, losses));
                    continue;
                }
            };
            if let Some(item) = item {
                flush(message.role, &mut said, &mut items);
                items.push(item);
            }
        }
        flush(message.role, &mut said, &mut items);
    }
    items
}

/// Ends the message that is being gathered.
fn flush<'a>(role: Role, said: &mut Vec<WrittenPart<'a>>, items: &mut Vec<WrittenItem<'a>>) {
    if said.is_empty() {
        return;
    }
    let role = match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    items.push(WrittenItem::Message {
        role,
        content: std::mem::take(said),
    });
}

fn tool_item<'a>(part: &'a Part, losses: &mut Losses) -> Option<WrittenItem<'a>> {
    match part {
        Part::ToolCall {
            id,
            name,
            arguments,
            ..
        } => Some(WrittenItem::FunctionCall {
            call_id: id,
            name,
            arguments: if arguments.is_empty() {
                "{}"
            } else {
                arguments
            },
        }),
        Part::ToolResult {
            id,
            content,
            is_error,
            cache,
            ..
        } => {
            losses.add_if(*is_error, "is_error", Loss::Hint);
            losses.add_if(*cache, "cache_control", Loss::Hint);
            let output = match content.as_slice() {
                [] => WrittenOutput::Text(""),
                [Part::Text { text, cache: false }] => WrittenOutput::Text(text),
                parts => WrittenOutput::Parts(
                    parts
                        .iter()
                        .filter_map(|part| written_part(part, Role::User, losses))
                        .collect(),
                ),
            };
            Some(WrittenItem::FunctionCallOutput {
                call_id: id,
                output,
            })
        }
        _ => None,
    }
}

/// Reasoning that OpenAI has signed.
fn reasoning_item<'a>(text: &'a str, signature: Option<&'a Signature>) -> Option<WrittenItem<'a>> {
    let signature = signature.filter(|signature| signature.maker == Maker::OpenAi)?;
    let summary = (!text.is_empty()).then_some(WrittenPart::SummaryText { text });
    Some(WrittenItem::Reasoning {
        id: &signature.id,
        summary: summary.into_iter().collect(),
        encrypted_content: &signature.text,
    })
}

fn written_part<'a>(part: &'a Part, role: Role, losses: &mut Losses) -> Option<WrittenPart<'a>> {
    match part {
        Part::Text { text, cache } => {
            losses.add_if(*cache, "cache_control", Loss::Hint);
            Some(match role {
                Role::Assistant => WrittenPart::OutputText { text },
                _ => WrittenPart::InputText { text },
            })
        }
        Part::Refusal(refusal) => Some(WrittenPart::Refusal { refusal }),
        Part::Image(media) => {
            losses.add_if(media.cache, "cache_control", Loss::Hint);
            image(media)
        }
        Part::Document(media) => {
            losses.add_if(media.cache, "cache_control", Loss::Hint);
            Some(file(media))
        }
        Part::Audio(media) => {
            let audio = audio(media);
            losses.add_if(audio.is_none(), "audio", Loss::Meaning);
            audio
        }
        _ => {
            losses.add("content part", Loss::Meaning);
            None
        }
    }
}

fn data_url(mime: &str, otherwise: &str, data: &str) -> String {
    let mime = if mime.is_empty() { otherwise } else { mime };
    format!("data:{mime};base64,{data}")
}

fn image(media: &Media) -> Option<WrittenPart<'_>> {
    let (image_url, file_id) = match &media.source {
        Source::Base64(data) => (Some(data_url(&media.mime, "image/png", data)), None),
        Source::Url(url) => (Some(url.clone()), None),
        Source::File(id) => (None, Some(id.as_str())),
        Source::Text(text) => return Some(WrittenPart::InputText { text }),
    };
    let detail = if media.detail.is_empty() {
        "auto"
    } else {
        &media.detail
    };
    Some(WrittenPart::InputImage {
        image_url,
        file_id,
        detail,
    })
}

fn file(media: &Media) -> WrittenPart<'_> {
    let (mut file_data, mut file_url, mut file_id) = (None, None, None);
    match &media.source {
        Source::Base64(data) => {
            file_data = Some(data_url(&media.mime, "application/pdf", data));
        }
        Source::Url(url) => file_url = Some(url.as_str()),
        Source::File(id) => file_id = Some(id.as_str()),
        Source::Text(text) => return WrittenPart::InputText { text },
    }
    // Data is refused without a name.
    let name = match media.name.as_str() {
        "" if file_data.is_some() => Some("file.pdf"),
        "" => None,
        name => Some(name),
    };
    WrittenPart::InputFile {
        filename: name.filter(|_| file_data.is_some()),
        file_data,
        file_url,
        file_id,
    }
}

fn audio(media: &Media) -> Option<WrittenPart<'_>> {
    let Source::Base64(data) = &media.source else {
        return None;
    };
    let format = match media.mime.strip_prefix("audio/").unwrap_or("wav") {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        format => format,
    };
    Some(WrittenPart::InputAudio {
        input_audio: WrittenAudio { data, format },
    })
}
