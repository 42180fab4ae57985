//! Which requests are never answered twice with the same words?
//!
//! # Invariants
//! - What stands at the provider and may change, or belongs to one conversation, is found before anything else is read.

use super::tree::Node;
use crate::dialects::format::{Endpoint, Format};
use crate::dialects::meeting::Malformed;

/// Why the answer to a request is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    /// It refers to what the provider keeps: an earlier response, a conversation, a stored prompt, a cached content, a container; or it is answered later.
    #[error("it refers to what the provider keeps")]
    Stateful,
    /// Pictures are asked for without a seed, so that each is another one.
    #[error("pictures without a seed differ each time")]
    Random,
    /// Its body is a form of several parts.
    #[error("its body is a form")]
    Form,
    /// Tokens are to be counted, which costs less than to look for an answer.
    #[error("it counts tokens")]
    Count,
    /// It is no JSON object, or names a field twice.
    #[error("it is no request: {0}")]
    Malformed(Malformed),
    /// It has more values inside values than are read.
    #[error("it has too many values")]
    TooLarge,
}

impl Unkept {
    /// Its name in records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stateful => "stateful",
            Self::Random => "random",
            Self::Form => "form",
            Self::Count => "count",
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too_large",
        }
    }
}

/// Whether what an endpoint asks can be kept, whatever its body says.
pub(super) fn of_endpoint(endpoint: Endpoint) -> Result<(), Unkept> {
    if endpoint.is_form() {
        Err(Unkept::Form)
    } else if endpoint.is_count() {
        Err(Unkept::Count)
    } else {
        Ok(())
    }
}

/// Whether what a body asks can be kept.
pub(super) fn of_body(endpoint: Endpoint, body: &Node<'_>) -> Result<(), Unkept> {
    if endpoint.is_picture() && !matches!(body.get("seed"), Some(Node::Number(_))) {
        return Err(Unkept::Random);
    }
    let stateful = match endpoint.format() {
        Format::Chat => has_heard(body),
        Format::Responses => is_continued(body) || refers(body) || has_container(body),
        Format::Messages => body.asks("container") || uploads(body),
        Format::Generate => body.asks("cachedContent") || body.asks("continuationToken"),
        _ => false,
    };
    if stateful {
        Err(Unkept::Stateful)
    } else {
        Ok(())
    }
}

/// Whether a turn of the model's is a sound that the provider keeps.
fn has_heard(body: &Node<'_>) -> bool {
    let turns = body.get("messages").map(Node::items).unwrap_or_default();
    turns.iter().any(|turn| turn.asks("audio"))
}

fn is_continued(body: &Node<'_>) -> bool {
    let fields = [
        "previous_response_id",
        "conversation",
        "prompt",
        "background",
    ];
    fields.into_iter().any(|name| body.asks(name))
}

/// Whether an item stands by its id alone.
fn refers(body: &Node<'_>) -> bool {
    let items = body.get("input").map(Node::items).unwrap_or_default();
    items.iter().any(|item| match item.get("type") {
        Some(kind) => kind.text() == Some("item_reference"),
        None => item.get("role").is_none() && item.get("id").is_some(),
    })
}

/// Whether a tool runs in a container that is there already.
fn has_container(body: &Node<'_>) -> bool {
    let tools = body.get("tools").map(Node::items).unwrap_or_default();
    tools
        .iter()
        .any(|tool| matches!(tool.get("container"), Some(Node::Text(_))))
}

/// Whether a block puts a file into a container.
fn uploads(body: &Node<'_>) -> bool {
    let turns = body.get("messages").map(Node::items).unwrap_or_default();
    let mut blocks = turns
        .iter()
        .flat_map(|turn| turn.get("content").map(Node::items).unwrap_or_default());
    blocks.any(|block| block.get("type").and_then(Node::text) == Some("container_upload"))
}
