//! What a method and a path stand for.
//!
//! `/{name}/…` is that provider's; a path that begins with a vendor's own root, such as `/v1/`, is the first one's.
//!
//! # Invariants
//! - A path means one thing, whatever comes in headers and body.

use std::borrow::Cow;

use hyper::Method;

use super::endpoint::{Deed, Endpoint, Media, Object};
use super::refusals::Reply;
use super::state::State;
use super::tongue::Tongue;

/// Roots under which vendors serve: what a path may begin with where it names no provider.
const ROOTS: [&str; 6] = ["v1/", "v2/", "v1beta/", "v1beta1/", "model/", "openai/"];

/// What is behind a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Health,
    /// One of the mock's own endpoints.
    Control(&'a str),
    Answer(Door<'a>),
    /// The models, in that tongue or as its headers say.
    Models(usize, Tongue),
    Model(usize, Tongue, &'a str),
    /// A known path with another method.
    Misused(Tongue),
    Nowhere,
}

/// An endpoint of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door<'a> {
    pub(super) provider: usize,
    pub(super) endpoint: Endpoint,
    pub(super) tongue: Tongue,
    /// The model or the object that the path names.
    pub(super) named: Option<Cow<'a, str>>,
    /// Whether the path asks for a stream.
    pub(super) stream: bool,
}

/// Finds what a path stands for.
pub(super) fn find<'a>(state: &State, method: &Method, path: &'a str) -> Target<'a> {
    let path = path.trim_start_matches('/');
    if matches!(path, "" | "health" | "healthz") {
        return Target::Health;
    }
    if let Some(name @ ("attempts" | "request" | "faults" | "state" | "totals")) =
        path.strip_prefix("mock/")
    {
        return Target::Control(name);
    }
    let named = path
        .split_once('/')
        .and_then(|(name, rest)| Some((state.find(name)?, rest)));
    let (provider, rest) = match named {
        Some(named) => named,
        None if ROOTS.iter().any(|root| path.starts_with(root)) => (0, path),
        None => return Target::Nowhere,
    };
    match rest.split_once('/') {
        Some(("v1", rest)) => v1(provider, method, rest),
        Some(("v1beta" | "v1beta1", rest)) => google(provider, method, rest),
        Some(("model", rest)) => bedrock(provider, method, rest),
        Some(("v2", rest)) => cohere(provider, method, rest),
        Some(("openai", rest)) => azure(provider, method, rest),
        _ => Target::Nowhere,
    }
}

/// What OpenAI and Anthropic serve.
fn v1<'a>(provider: usize, method: &Method, path: &'a str) -> Target<'a> {
    let endpoint = match path {
        "chat/completions" => Endpoint::Chat,
        "completions" => Endpoint::Text,
        "embeddings" => Endpoint::Embedding,
        "messages" => Endpoint::Messages,
        "messages/count_tokens" => Endpoint::CountTokens,
        "responses" => Endpoint::Responses,
        "responses/input_tokens" => Endpoint::InputTokens,
        "moderations" => Endpoint::Media(Media::Moderation),
        "images/generations" => Endpoint::Media(Media::Picture),
        "images/edits" => Endpoint::Media(Media::Edit),
        "images/variations" => Endpoint::Media(Media::Variation),
        "audio/speech" => Endpoint::Media(Media::Speech),
        "audio/transcriptions" => Endpoint::Media(Media::Transcription),
        "audio/translations" => Endpoint::Media(Media::Translation),
        "files" => return several(provider, method, Object::File),
        "batches" => return several(provider, method, Object::Batch),
        "models" => return Target::Models(provider, Tongue::OpenAi),
        _ if path.contains(':') && path.contains("models/") => {
            return google(provider, method, path);
        }
        _ => {
            return match path.split_once('/') {
                Some(("models", model)) => Target::Model(provider, Tongue::OpenAi, model),
                Some((kind, rest)) => object(provider, method, kind, rest),
                None => Target::Nowhere,
            };
        }
    };
    let tongue = match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => Tongue::Anthropic,
        _ => Tongue::OpenAi,
    };
    if method != Method::POST {
        return Target::Misused(tongue);
    }
    Target::Answer(Door {
        provider,
        endpoint,
        tongue,
        named: None,
        stream: false,
    })
}

/// What Gemini serves, also under a project as in Google's cloud.
fn google<'a>(provider: usize, method: &Method, path: &'a str) -> Target<'a> {
    if path == "models" {
        return Target::Models(provider, Tongue::Gemini);
    }
    let Some((_, named)) = path.rsplit_once("models/") else {
        return Target::Nowhere;
    };
    let Some((model, verb)) = named.rsplit_once(':') else {
        return Target::Model(provider, Tongue::Gemini, named);
    };
    let (endpoint, stream) = match verb {
        // The model is in the body, as Anthropic has it.
        "rawPredict" if model == "count-tokens" => {
            return v1(provider, method, "messages/count_tokens");
        }
        "generateContent" => (Endpoint::Generate, false),
        "streamGenerateContent" => (Endpoint::Generate, true),
        "countTokens" => (Endpoint::GenerateCount, false),
        "embedContent" | "batchEmbedContents" => (Endpoint::GenerateVectors, false),
        _ => return Target::Nowhere,
    };
    if method != Method::POST {
        return Target::Misused(Tongue::Gemini);
    }
    Target::Answer(Door {
        provider,
        endpoint,
        tongue: Tongue::Gemini,
        named: Some(decoded(model)),
        stream,
    })
}

/// What Bedrock serves.
fn bedrock<'a>(provider: usize, method: &Method, path: &'a str) -> Target<'a> {
    let (model, stream) = match path.rsplit_once('/') {
        Some((model, "converse" | "count-tokens")) => (model, false),
        Some((model, "converse-stream")) => (model, true),
        _ => return Target::Nowhere,
    };
    let endpoint = if path.ends_with("/count-tokens") {
        Endpoint::ConverseCount
    } else {
        Endpoint::Converse
    };
    if method != Method::POST {
        return Target::Misused(Tongue::Bedrock);
    }
    Target::Answer(Door {
        provider,
        endpoint,
        tongue: Tongue::Bedrock,
        named: Some(decoded(model)),
        stream,
    })
}

/// What Cohere serves.
fn cohere<'a>(provider: usize, method: &Method, path: &'a str) -> Target<'a> {
    let endpoint = match path {
        "chat" => Endpoint::CohereChat,
        "embed" => Endpoint::CohereEmbed,
        "rerank" => Endpoint::Rerank,
        _ => return Target::Nowhere,
    };
    if method != Method::POST {
        return Target::Misused(Tongue::Cohere);
    }
    Target::Answer(Door {
        provider,
        endpoint,
        tongue: Tongue::Cohere,
        named: None,
        stream: false,
    })
}

/// What Azure serves: OpenAI's endpoints below a deployment, or as OpenAI has them.
fn azure<'a>(provider: usize, method: &Method, path: &'a str) -> Target<'a> {
    if let Some(path) = path.strip_prefix("v1/") {
        return match v1(provider, method, path) {
            Target::Answer(door) if door.tongue == Tongue::OpenAi => Target::Answer(Door {
                tongue: Tongue::Azure,
                ..door
            }),
            Target::Misused(_) => Target::Misused(Tongue::Azure),
            target @ Target::Models(..) | target @ Target::Model(..) => target,
            _ => Target::Nowhere,
        };
    }
    let named = path
        .strip_prefix("deployments/")
        .and_then(|path| path.split_once('/'));
    let Some((deployment, path)) = named else {
        return Target::Nowhere;
    };
    match v1(provider, method, path) {
        Target::Answer(door) if door.tongue == Tongue::OpenAi && door.named.is_none() => {
            Target::Answer(Door {
                tongue: Tongue::Azure,
                named: Some(decoded(deployment)),
                ..door
            })
        }
        Target::Misused(_) => Target::Misused(Tongue::Azure),
        _ => Target::Nowhere,
    }
}

/// A part of a path with its escapes resolved; what is no escape is left as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = after
            .get(..2)
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = after
            .get(if byte.is_some() { 2 } else { 0 }..)
            .unwrap_or(&[]);
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// To make one more of what OpenAI remembers, or to list them.
fn several<'a>(provider: usize, method: &Method, object: Object) -> Target<'a> {
    let deed = match *method {
        Method::POST => Deed::Create,
        Method::GET => Deed::List,
        _ => return Target::Misused(Tongue::OpenAi),
    };
    Target::Answer(Door {
        provider,
        endpoint: Endpoint::Object(object, deed),
        tongue: Tongue::OpenAi,
        named: None,
        stream: false,
    })
}

/// What is done with something that OpenAI remembers.
fn object<'a>(provider: usize, method: &Method, kind: &str, path: &'a str) -> Target<'a> {
    let object = match kind {
        "responses" => Object::Response,
        "files" => Object::File,
        "batches" => Object::Batch,
        _ => return Target::Nowhere,
    };
    let (id, deed) = path.split_once('/').unwrap_or((path, ""));
    let deed = match (object, deed, method) {
        (_, "", &Method::GET) => Deed::Read,
        (_, "", &Method::DELETE) => Deed::Delete,
        (Object::Response, "input_items", &Method::GET) => Deed::Items,
        (Object::Response | Object::Batch, "cancel", &Method::POST) => Deed::Cancel,
        (Object::File, "content", &Method::GET) => Deed::Content,
        (_, "" | "input_items" | "cancel" | "content", _) => {
            return Target::Misused(Tongue::OpenAi);
        }
        _ => return Target::Nowhere,
    };
    Target::Answer(Door {
        provider,
        endpoint: Endpoint::Object(object, deed),
        tongue: Tongue::OpenAi,
        named: Some(id.into()),
        stream: false,
    })
}

/// The refusal of a known path with another method.
pub(super) fn misused() -> Reply {
    Reply::new(
        405,
        "invalid_request_error",
        "method_not_supported",
        "The method does not fit.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_strays_kept() {
        for (text, expected) in [
            ("a", "a"),
            ("a%3A0", "a:0"),
            ("%2", "%2"),
            ("%zz%2f", "%zz/"),
            ("%", "%"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }
}
