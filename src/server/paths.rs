//! Which endpoint does a path mean?
//!
//! Clients write base URLs in many ways: with and without `/v1`, twice by mistake, below `/openai`, `/anthropic` or `/genai`. All of them are understood.
//!
//! # Invariants
//! - The path that is matched here is the only one that is looked at; it is never decoded or rebuilt.

use crate::dialects::format::{Endpoint, Surface, path};

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// An endpoint that needs a provider.
    Proxy(Endpoint),
    /// One of Gemini's endpoints, whose path names the model.
    Named(Endpoint, &'a str),
    /// An endpoint of the workflow of this name.
    Workflow(Endpoint, &'a str),
    /// Something that a provider keeps: a response of this id, files, batches. What follows is the path below the provider's base.
    Kept(Kept<'a>, &'a str),
    /// Any path of the provider of this name.
    Through(&'a str, &'a str),
    /// The list of models.
    Models,
    /// One model.
    Model(&'a str),
    /// Whether the process lives.
    Health,
    /// Whether the process takes requests.
    Ready,
}

/// What a provider keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'a> {
    /// The response of this id.
    Response(&'a str),
    /// Files and batches of OpenAI's.
    OpenAi,
    /// Batches and files of Anthropic's.
    Anthropic,
}

/// Where the SDKs of one vendor are pointed, and whose words are spoken below it.
const MOUNTS: [(&str, Surface); 3] = [
    ("/openai", Surface::OpenAi),
    ("/anthropic", Surface::Anthropic),
    ("/genai", Surface::Gemini),
];

/// The mount that a path begins with, if any, and what follows it.
fn mounted(path: &str) -> (Option<Surface>, &str) {
    for (mount, surface) in MOUNTS {
        if let Some(rest) = path.strip_prefix(mount)
            && rest.starts_with('/')
        {
            return (Some(surface), rest);
        }
    }
    (None, path)
}

/// In whose words a path is asked, as far as the path alone tells.
#[must_use]
pub fn surface(path: &str) -> Option<Surface> {
    match find(path) {
        Some(Place::Proxy(endpoint) | Place::Named(endpoint, _) | Place::Workflow(endpoint, _)) => {
            Some(endpoint.surface())
        }
        Some(Place::Kept(Kept::Anthropic, _)) => Some(Surface::Anthropic),
        _ => {
            let (mount, rest) = mounted(path);
            mount.or_else(|| rest.starts_with("/v1beta/").then_some(Surface::Gemini))
        }
    }
}

/// Whether a path holds a segment that leads upward, however it is written.
#[must_use]
pub fn climbs(path: &str) -> bool {
    let lower = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/");
    lower.split(['/', '\\']).any(|segment| segment == "..")
}

/// Finds what `path` stands for.
#[must_use]
pub fn find(path: &str) -> Option<Place<'_>> {
    match path {
        "/health" | "/healthz" => return Some(Place::Health),
        "/ready" | "/readyz" => return Some(Place::Ready),
        _ => {}
    }
    if let Some(below) = path.strip_prefix("/passthrough/") {
        let end = below.find('/')?;
        return Some(Place::Through(&below[..end], &below[end..]));
    }
    let (mount, rest) = mounted(path);
    let rest = path::below_versions(rest);
    // Azure's SDK names the deployment in the path; the model is in the body all the same.
    let rest = if rest.starts_with("/deployments/") {
        path::deployment(rest)?.1
    } else {
        rest
    };
    if let Some(below) = rest.strip_prefix("/workflows/") {
        return workflow(below);
    }
    match path::endpoint(rest) {
        Some(endpoint) => Some(Place::Proxy(endpoint)),
        None if rest == "/models" => Some(Place::Models),
        None => kept(mount, rest).or_else(|| model(rest.strip_prefix("/models/")?)),
    }
}

/// What follows `/workflows/`: its name, and an endpoint as it follows any base URL; without one it is the chat.
fn workflow(below: &str) -> Option<Place<'_>> {
    let end = below.find('/').unwrap_or(below.len());
    let (name, rest) = below.split_at(end);
    // Why the second: one workflow does not lead into another, however often a path says so.
    if name.is_empty() || rest.contains("/workflows/") {
        return None;
    }
    if rest.is_empty() || rest == "/" {
        return Some(Place::Workflow(Endpoint::Chat, name));
    }
    match find(rest)? {
        Place::Proxy(endpoint) | Place::Named(endpoint, _) => Some(Place::Workflow(endpoint, name)),
        // What a client asks of its base URL besides.
        place @ (Place::Models | Place::Model(_) | Place::Kept(..)) => Some(place),
        _ => None,
    }
}

/// What a provider keeps.
fn kept(mount: Option<Surface>, rest: &str) -> Option<Place<'_>> {
    let below = |root: &str| {
        let after = rest.strip_prefix(root)?;
        (after.is_empty() || after.starts_with('/')).then_some(after)
    };
    if let Some(id) = rest.strip_prefix("/responses/") {
        let id = id.split('/').next().filter(|id| !id.is_empty())?;
        return Some(Place::Kept(Kept::Response(id), rest));
    }
    if below("/messages/batches").is_some() {
        return Some(Place::Kept(Kept::Anthropic, rest));
    }
    let openai = below("/files")
        .or_else(|| below("/batches"))
        .or_else(|| below("/uploads"));
    openai?;
    Some(match mount {
        Some(Surface::Anthropic) => Place::Kept(Kept::Anthropic, rest),
        _ => Place::Kept(Kept::OpenAi, rest),
    })
}

/// What follows `/models/`: a model, and with Gemini a verb.
fn model(rest: &str) -> Option<Place<'_>> {
    let verb = path::verb(rest).map(|(endpoint, name)| Place::Named(endpoint, name));
    verb.or_else(|| (!rest.is_empty()).then_some(Place::Model(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_tolerated() {
        let chat = Some(Place::Proxy(Endpoint::Chat));
        let messages = Some(Place::Proxy(Endpoint::Messages));
        for (path, expected) in [
            ("/v1/chat/completions", chat),
            ("/chat/completions", chat),
            ("/openai/v1/chat/completions", chat),
            ("/openai/deployments/gpt/chat/completions", chat),
            ("/v1/v1/chat/completions", chat),
            ("/v1/messages", messages),
            ("/anthropic/v1/messages", messages),
            ("/anthropic/messages", messages),
            (
                "/genai/v1beta/models/g:generateContent",
                Some(Place::Named(Endpoint::Generate, "g")),
            ),
            (
                "/v1/models/a/b:c:streamGenerateContent",
                Some(Place::Named(Endpoint::StreamGenerate, "a/b:c")),
            ),
            (
                "/v1/models/:countTokens",
                Some(Place::Model(":countTokens")),
            ),
            ("/v1/models/a:0", Some(Place::Model("a:0"))),
            ("/v1/models", Some(Place::Models)),
            ("/v1/models/a/b", Some(Place::Model("a/b"))),
            ("/v1/models/", None),
            ("/v1", None),
            ("/v1x/models", None),
            ("/openaix/v1/models", None),
            (
                "/v1/responses/resp_1/cancel",
                Some(Place::Kept(
                    Kept::Response("resp_1"),
                    "/responses/resp_1/cancel",
                )),
            ),
            ("/v1/responses/", None),
            (
                "/v1/files/f/content",
                Some(Place::Kept(Kept::OpenAi, "/files/f/content")),
            ),
            ("/v1/filesystem", None),
            (
                "/v1/messages/batches/b",
                Some(Place::Kept(Kept::Anthropic, "/messages/batches/b")),
            ),
            ("/passthrough/p/a/b", Some(Place::Through("p", "/a/b"))),
            ("/passthrough/p", None),
            ("/health", Some(Place::Health)),
            ("/v1/unknown", None),
            ("/openai/deployments/gpt", None),
            ("", None),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
    }

    #[test]
    fn workflows_are_base_urls() {
        for (path, expected) in [
            (
                "/v1/workflows/w",
                Some(Place::Workflow(Endpoint::Chat, "w")),
            ),
            (
                "/v1/workflows/w/",
                Some(Place::Workflow(Endpoint::Chat, "w")),
            ),
            (
                "/v1/workflows/w/chat/completions",
                Some(Place::Workflow(Endpoint::Chat, "w")),
            ),
            (
                "/anthropic/v1/workflows/w/v1/messages",
                Some(Place::Workflow(Endpoint::Messages, "w")),
            ),
            (
                "/workflows/w/v1beta/models/x:generateContent",
                Some(Place::Workflow(Endpoint::Generate, "w")),
            ),
            ("/v1/workflows/w/v1/models", Some(Place::Models)),
            ("/v1/workflows/w/unknown", None),
            ("/v1/workflows/w/health", None),
            ("/v1/workflows/w/passthrough/p/a", None),
            ("/v1/workflows/w/workflows/v", None),
            ("/v1/workflows/", None),
            ("/v1/workflows", None),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
    }

    #[test]
    fn climbing_paths_are_found() {
        for path in ["/a/../b", "/..", "/a/%2e%2E/b", "/a%2F..%2fb", "/a\\..\\b"] {
            assert!(climbs(path), "{path}");
        }
        assert!(!climbs("/a/b..c/...") && !climbs("/a"));
    }

    #[test]
    fn unknown_paths_still_tell_whose_words_are_spoken() {
        for (path, expected) in [
            ("/anthropic/v1/x", Some(Surface::Anthropic)),
            ("/v1beta/x", Some(Surface::Gemini)),
            ("/genai/x", Some(Surface::Gemini)),
            ("/v1/messages", Some(Surface::Anthropic)),
            ("/v1/workflows/w/messages", Some(Surface::Anthropic)),
            ("/v1/workflows/w", Some(Surface::OpenAi)),
            ("/v1/models", None),
            ("/x", None),
        ] {
            assert_eq!(surface(path), expected, "{path}");
        }
    }
}
