//! A conversation in turns that alternate, as Anthropic wants them.
//!
//! # Invariants
//! - The first turn is the user's, roles alternate, and a user's turn begins with the results of the tools called before it.
//! - Thoughts keep their places, and only those that Anthropic has signed are sent.
//! - No text is empty, and the last does not end with space if it is the model's: Anthropic refuses both.

use std::borrow::Cow;

use serde::Serialize;

use super::super::block::{Block, Input, Mark, Source, call_id};
use crate::chat::{self, Loss, Losses, Maker, Media, Message, Part, Role, SYSTEM_PLACE};

/// What a user is taken to have said before a model that speaks first.
const OPENING: &str = ".";

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    pub(super) content: Vec<Block<'a>>,
}

/// The system's blocks and the turns of a conversation.
pub(super) fn turns<'a>(
    messages: &'a [Message],
    losses: &mut Losses,
) -> (Vec<Block<'a>>, Vec<Turn<'a>>) {
    let mut system = Vec::new();
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System | Role::Developer => {
                losses.add_if(!turns.is_empty(), SYSTEM_PLACE, Loss::Hint);
                instruct(&message.parts, &mut system, losses);
                continue;
            }
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let parts = message.parts.iter();
        let blocks = parts.filter_map(|part| block(part, message.role, losses));
        let mut content: Vec<_> = blocks.collect();
        match turns.last_mut() {
            Some(last) if last.role == role => last.content.append(&mut content),
            _ if content.is_empty() => {}
            _ => turns.push(Turn { role, content }),
        }
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == "user") {
        // Stable, so that everything else keeps its order.
        let result = |block: &Block<'_>| matches!(block, Block::ToolResult { .. });
        turn.content.sort_by_key(|block| !result(block));
    }
    begin(&mut system, &mut turns);
    end(&mut turns);
    (system, turns)
}

/// Lets a conversation begin with the user.
fn begin<'a>(system: &mut Vec<Block<'a>>, turns: &mut Vec<Turn<'a>>) {
    let content = match turns.first() {
        Some(first) if first.role == "user" => return,
        Some(_) => vec![Block::text(OPENING)],
        // Instructions alone are what the user wants done.
        None if system.is_empty() => return,
        None => std::mem::take(system),
    };
    let role = "user";
    turns.insert(0, Turn { role, content });
}

/// Lets an answer that the model is to go on with end without space.
fn end(turns: &mut Vec<Turn<'_>>) {
    let Some(last) = turns.last_mut().filter(|turn| turn.role == "assistant") else {
        return;
    };
    if let Some(Block::Text { text, .. }) = last.content.last_mut() {
        let kept = text.trim_end().len();
        if kept == 0 {
            last.content.pop();
        } else if kept < text.len() {
            text.to_mut().truncate(kept);
        }
    }
    if last.content.is_empty() {
        turns.pop();
    }
}

fn instruct<'a>(parts: &'a [Part], system: &mut Vec<Block<'a>>, losses: &mut Losses) {
    for part in parts {
        match block(part, Role::System, losses) {
            Some(text @ Block::Text { .. }) => system.push(text),
            Some(_) => losses.add("system content", Loss::Meaning),
            None => {}
        }
    }
}

/// Whether the conversation ends within a turn of calls that did not begin with thoughts: such a turn cannot take them up.
pub(super) fn goes_on_unthought(turns: &[Turn<'_>]) -> bool {
    let [.., before, last] = turns else {
        return false;
    };
    let results = matches!(last.content.first(), Some(Block::ToolResult { .. }));
    let thoughts = matches!(
        before.content.first(),
        Some(Block::Thinking { .. } | Block::RedactedThinking { .. })
    );
    results && before.role == "assistant" && !thoughts
}

/// Whether a part is thoughts that Anthropic takes back.
fn is_thought(part: &Part) -> bool {
    match part {
        Part::Redacted(by) => by.maker == Maker::Anthropic,
        Part::Thinking { signature, .. } => {
            let by = signature.as_ref();
            by.is_some_and(|by| by.maker == Maker::Anthropic)
        }
        _ => false,
    }
}

fn block<'a>(part: &'a Part, role: Role, losses: &mut Losses) -> Option<Block<'a>> {
    Some(match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => return None,
        Part::Text { text, cache } => Block::Text {
            text: Cow::Borrowed(text),
            cache_control: Mark::of(*cache),
        },
        Part::Refusal(text) => Block::text(text),
        Part::Image(_) | Part::Document(_) if role == Role::Assistant => {
            losses.add("media of the model's", Loss::Meaning);
            return None;
        }
        Part::Image(media) => Block::Image {
            source: image(media, losses)?,
            cache_control: Mark::of(media.cache),
        },
        Part::Document(media) => Block::Document {
            source: document(media, losses)?,
            title: Some(media.name.as_str()).filter(|name| !name.is_empty()),
            cache_control: Mark::of(media.cache),
        },
        Part::Audio(_) => {
            losses.add("audio", Loss::Meaning);
            return None;
        }
        Part::ToolCall {
            id,
            name,
            arguments,
            ..
        } => {
            let input = Input::of(arguments);
            let broken = matches!(input, Input::Broken { .. });
            losses.add_if(broken, "arguments", Loss::Hint);
            Block::ToolUse {
                id: call_id(id),
                name,
                input,
            }
        }
        Part::ToolResult {
            id,
            content,
            is_error,
            cache,
            ..
        } => result(id, content, *is_error, *cache, losses),
        Part::Thinking { text, signature } if is_thought(part) => Block::Thinking {
            thinking: text,
            signature: signature.as_ref().map_or("", |by| &by.text).into(),
        },
        Part::Redacted(by) if is_thought(part) => Block::RedactedThinking {
            data: Cow::Borrowed(&by.text),
        },
        Part::Thinking { .. } | Part::Redacted(_) => {
            losses.add("thinking", Loss::Hint);
            return None;
        }
    })
}

fn result<'a>(
    id: &'a str,
    content: &'a [Part],
    is_error: bool,
    cache: bool,
    losses: &mut Losses,
) -> Block<'a> {
    let mut inner = Vec::with_capacity(content.len());
    let mut marked = cache;
    for part in content {
        // Nothing nests again.
        if matches!(part, Part::ToolResult { .. } | Part::ToolCall { .. }) {
            losses.add("tool result's content", Loss::Meaning);
            continue;
        }
        let Some(mut block) = block(part, Role::User, losses) else {
            continue;
        };
        // A mark inside counts for the whole.
        marked |= block.mark().is_some_and(|mark| mark.take().is_some());
        inner.push(block);
    }
    Block::ToolResult {
        tool_use_id: call_id(id),
        content: inner,
        is_error: is_error.then_some(true),
        cache_control: Mark::of(marked),
    }
}

fn image<'a>(media: &'a Media, losses: &mut Losses) -> Option<Source<'a>> {
    let detail = !matches!(media.detail.as_str(), "" | "auto");
    losses.add_if(detail, "detail", Loss::Hint);
    match &media.source {
        chat::Source::Base64(data) => Some(Source::Base64 {
            media_type: if media.mime.is_empty() {
                picture(data)
            } else {
                &media.mime
            },
            data,
        }),
        chat::Source::Text(_) => {
            losses.add("image", Loss::Meaning);
            None
        }
        elsewhere => remote(elsewhere, losses),
    }
}

fn document<'a>(media: &'a Media, losses: &mut Losses) -> Option<Source<'a>> {
    match &media.source {
        chat::Source::Base64(data) => {
            let media_type = "application/pdf";
            if !media.mime.is_empty() && media.mime != media_type {
                losses.add("document", Loss::Meaning);
                return None;
            }
            Some(Source::Base64 { media_type, data })
        }
        chat::Source::Text(data) => Some(Source::Text {
            media_type: "text/plain",
            data,
        }),
        elsewhere => remote(elsewhere, losses),
    }
}

/// A medium that is not here: Anthropic fetches what is on the web, and knows the files that were uploaded to it.
fn remote<'a>(source: &'a chat::Source, losses: &mut Losses) -> Option<Source<'a>> {
    match source {
        chat::Source::Url(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Some(Source::Url { url })
        }
        // Other makers' ids look different.
        chat::Source::File(id) if id.starts_with("file_") => Some(Source::File { file_id: id }),
        chat::Source::File(_) => {
            losses.add("file_id", Loss::Meaning);
            None
        }
        _ => {
            losses.add("url", Loss::Meaning);
            None
        }
    }
}

/// The type of a picture, told by how its base64 begins.
fn picture(data: &str) -> &'static str {
    let kinds = [
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    let known = kinds.into_iter().find(|(begin, _)| data.starts_with(begin));
    known.map_or("image/png", |(_, mime)| mime)
}
