//! What does a request ask for whose words count as they are written?
//!
//! # Invariants
//! - Nothing is left out but what the format's table says changes no answer; the last user text leaves a mark that no JSON holds.

use super::ink::Ink;
use super::tree::Node;
use super::{Canonical, Sameness};
use crate::dialects::format::{Endpoint, Format};

/// What the frame of such a request begins with; another way to write it is another number.
const MARK: &[u8] = b"letter 1\n";

/// Where answers that must have a form are asked for, in any dialect.
const FORMATS: [&[&str]; 6] = [
    &["response_format"],
    &["text", "format"],
    &["output_config", "format"],
    &["output_format"],
    &["generationConfig", "responseSchema"],
    &["generationConfig", "responseJsonSchema"],
];

/// Writes what a request asks for in these words and this manner.
pub(super) fn write(
    endpoint: Endpoint,
    mut body: Node<'_>,
    streamed: bool,
    user: Option<String>,
) -> Canonical {
    let format = endpoint.format();
    // Without a stream it says nothing.
    if !streamed {
        drop(body.take("stream_options"));
    }
    let turns = turns(format, &body);
    let tools = body.asks("tools") || body.asks("functions");
    let structured = tools || is_structured(&body);
    let temperature = temperature(&body);
    let text = take_text(format, &mut body);
    let mut ink = Ink(Vec::with_capacity(512));
    ink.0.extend_from_slice(MARK);
    ink.text(endpoint.name());
    ink.flag(streamed);
    body.write(&mut ink.0);
    Canonical {
        sameness: Sameness::Letter,
        frame: ink.0,
        text,
        turns,
        structured,
        tools,
        temperature,
        user,
    }
}

fn at<'n, 'a>(body: &'n Node<'a>, path: &[&str]) -> Option<&'n Node<'a>> {
    path.iter().try_fold(body, |node, name| node.get(name))
}

fn is_structured(body: &Node<'_>) -> bool {
    let formed = FORMATS.iter().filter_map(|path| at(body, path));
    let is_form = |format: &Node<'_>| format.get("type").and_then(Node::text) != Some("text");
    let mime = at(body, &["generationConfig", "responseMimeType"]).and_then(Node::text);
    { formed }.any(is_form) || !matches!(mime, None | Some("" | "text/plain"))
}

fn temperature(body: &Node<'_>) -> Option<f64> {
    let config = body.get("generationConfig").unwrap_or(body);
    match config.get("temperature") {
        Some(Node::Number(digits)) => digits.parse().ok(),
        _ => None,
    }
}

/// Where a conversation's turns stand.
const fn conversation(format: Format) -> Option<&'static str> {
    match format {
        Format::Chat | Format::Messages => Some("messages"),
        Format::Responses => Some("input"),
        Format::Generate => Some("contents"),
        Format::Completions => Some("prompt"),
        _ => None,
    }
}

fn turns(format: Format, body: &Node<'_>) -> usize {
    let said = conversation(format).and_then(|name| body.get(name));
    match said {
        None => 0,
        Some(Node::List(turns)) if format != Format::Completions => {
            let roles = turns
                .iter()
                .map(|turn| turn.get("role").and_then(Node::text));
            { roles }
                .filter(|role| !matches!(role, Some("system" | "developer")))
                .count()
        }
        Some(_) => 1,
    }
}

/// Takes the last user text out, if the last turn is the user's and has nothing else.
fn take_text(format: Format, body: &mut Node<'_>) -> Option<String> {
    let said = body.get_mut(conversation(format)?)?;
    let last = match said {
        Node::List(turns) if format != Format::Completions => turns.last_mut()?,
        // A text alone.
        Node::Text(_) if matches!(format, Format::Responses | Format::Completions) => {
            return take_texts(vec![said]);
        }
        _ => return None,
    };
    let role = last.get("role").and_then(Node::text);
    let kind = last.get("type").and_then(Node::text);
    let users = match format {
        Format::Generate => matches!(role, None | Some("user")),
        Format::Responses => role == Some("user") && matches!(kind, None | Some("message")),
        _ => role == Some("user"),
    };
    if !users {
        return None;
    }
    let content = last.get_mut(match format {
        Format::Generate => "parts",
        _ => "content",
    })?;
    if format == Format::Generate && matches!(content, Node::Object(_)) {
        return take_texts(vec![words(format, content)?]);
    }
    match content {
        Node::Text(_) if format != Format::Generate => take_texts(vec![content]),
        Node::List(parts) => {
            let texts: Option<Vec<_>> = parts.iter_mut().map(|part| words(format, part)).collect();
            take_texts(texts?)
        }
        _ => None,
    }
}

/// The text of a part that holds nothing else.
fn words<'n, 'a>(format: Format, part: &'n mut Node<'a>) -> Option<&'n mut Node<'a>> {
    let is_text = match format {
        Format::Generate => part.fields().len() == 1,
        _ => matches!(
            part.get("type").and_then(Node::text),
            Some("text" | "input_text")
        ),
    };
    let text = part.get_mut("text").filter(|_| is_text)?;
    matches!(text, Node::Text(_)).then_some(text)
}

fn take_texts(mut texts: Vec<&mut Node<'_>>) -> Option<String> {
    let last = texts.len().checked_sub(1)?;
    let mut joined = String::new();
    for (at, node) in texts.iter_mut().enumerate() {
        let text = node.text()?;
        joined.push_str(text);
        // With the lengths of all texts but the last, those that were joined can be told apart.
        let length = (at < last).then_some(text.len());
        **node = Node::Hole(length);
    }
    Some(joined)
}
