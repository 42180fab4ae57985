//! What does a request ask for, apart from who asks and in which words it is to be told?
//!
//! A conversation that `chat` carries whole asks for the same in every dialect, whole or streamed: its [`Canonical`] is made of what it means.
//! Any other request asks for the same only if its body says the same and its answer is to arrive in the same manner: its canonical is the body,
//! laid out in one way.
//!
//! Headers are no part of it; one that changes what the body means must be added by whoever compares.
//! So must the model, which is left out here because its name is the client's own.
//!
//! # Invariants
//! - Two requests whose `frame` and `text` are equal ask for the same.
//! - The layout of JSON never counts: the order of fields, space, and how texts are escaped.
//! - Whether a request is carried whole is decided by tables in [`carried`], never by what a reader forgives.

mod carried;
mod ink;
mod letter;
mod meaning;
#[cfg(test)]
mod tests;
mod tree;
mod unkept;

pub use unkept::Unkept;

use carried::{Field, Shape, idle};
use tree::Node;

use super::convert::{self, Meant};
use super::format::{Endpoint, Format};
use super::meeting::Malformed;
use super::shape;
use crate::chat::Request;

/// In which words an answer may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// In any dialect, whole or streamed.
    Meaning,
    /// Only in the words, and in the manner, that were asked for.
    Letter,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Canonical {
    /// In which words the answer may be told.
    pub sameness: Sameness,
    /// Everything but the last user text, the model's name, and what changes no answer; with a mark in the text's place.
    pub frame: Vec<u8>,
    /// The last user text, where the last turn is the user's and has nothing else; several texts are joined as they are.
    pub text: Option<String>,
    /// Turns of the conversation that are no instructions; 0 where it is none.
    pub turns: usize,
    /// Whether the answer must be JSON or follow a schema, or may call tools.
    pub structured: bool,
    /// Whether tools are offered.
    pub tools: bool,
    /// The temperature asked for.
    pub temperature: Option<f64>,
    /// The end user, as the client names them; no part of `frame`.
    pub user: Option<String>,
}

/// What changes no answer where there is no table.
static OTHER: Shape = Shape::Fields(&{
    const FIELDS: [Field; 2] = [idle("model", Shape::Json), idle("stream", Shape::Flag)];
    FIELDS
});

/// Reads what a request asks for; `streamed` says whether its answer is to be a stream, wherever that was asked.
///
/// # Errors
/// [`Unkept`], where no answer to it can be kept.
pub fn read(endpoint: Endpoint, body: &[u8], streamed: bool) -> Result<Canonical, Unkept> {
    unkept::of_endpoint(endpoint)?;
    shape::check(body).map_err(|_| Unkept::TooLarge)?;
    let mut node = Node::read(body).map_err(Unkept::Malformed)?;
    if !matches!(node, Node::Object(_)) {
        return Err(Unkept::Malformed(Malformed::new("not an object")));
    }
    unkept::of_body(endpoint, &node)?;
    let format = endpoint.format();
    let user = take_user(format, &mut node);
    let table = carried::table(format);
    table.unwrap_or(&OTHER).strip(&mut node);
    let meant = table.filter(|table| table.fits(&node));
    match meant.and_then(|_| meant_by(format, &node)) {
        Some((request, meaning)) => {
            let tools = !request.tools.is_empty();
            Ok(Canonical {
                sameness: Sameness::Meaning,
                frame: meaning.frame,
                text: meaning.text,
                turns: meaning.turns,
                structured: tools || request.format.is_some(),
                tools,
                temperature: request.sampling.temperature,
                user,
            })
        }
        None => Ok(letter::write(endpoint, node, streamed, user)),
    }
}

/// What a body means that fits its format's table; none if its reader cannot carry it all the same.
fn meant_by(format: Format, body: &Node<'_>) -> Option<(Box<Request>, meaning::Meaning)> {
    // The reader gets the one layout, so that nothing it keeps of the text depends on another.
    let mut json = Vec::with_capacity(1_024);
    body.write(&mut json);
    let Ok(Meant::Talk(request)) = convert::read(format, &json, &|_| None) else {
        return None;
    };
    let sampling = &request.sampling;
    let single = sampling.choices.is_none_or(|choices| choices == 1) && sampling.logprobs.is_none();
    if !request.unknown.is_empty() || !single {
        return None;
    }
    let meaning = meaning::write(&request)?;
    Some((request, meaning))
}

/// Takes the end user out, if the client names one.
fn take_user(format: Format, body: &mut Node<'_>) -> Option<String> {
    let named = match format {
        Format::Messages => {
            let metadata = body.get_mut("metadata")?;
            let user = take_text(metadata, "user_id");
            if metadata.fields().is_empty() {
                drop(body.take("metadata"));
            }
            return user;
        }
        _ if format.surface() == Some(super::format::Surface::OpenAi) => {
            ["safety_identifier", "user"]
        }
        _ => return None,
    };
    let [first, second] = named.map(|name| take_text(body, name));
    first.or(second)
}

fn take_text(body: &mut Node<'_>, name: &str) -> Option<String> {
    body.get(name).and_then(Node::text)?;
    match body.take(name) {
        Some(Node::Text(text)) => Some(text.into_owned()),
        _ => None,
    }
}
