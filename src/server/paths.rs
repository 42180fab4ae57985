//! Which endpoint does a path mean?
//!
//! Clients write base URLs in many ways: with and without `/v1`, twice by mistake, below `/openai`. All of them are understood.
//!
//! # Invariants
//! - The path that is matched here is the only one that is looked at; it is never decoded or rebuilt.

use crate::proxy::Endpoint;

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// An endpoint that needs a provider.
    Proxy(Endpoint),
    /// The list of models.
    Models,
    /// One model.
    Model(&'a str),
    /// Whether the process lives.
    Health,
    /// Whether the process takes requests.
    Ready,
}

/// Finds what `path` stands for.
pub(super) fn find(path: &str) -> Option<Place<'_>> {
    match path {
        "/health" | "/healthz" => return Some(Place::Health),
        "/ready" | "/readyz" => return Some(Place::Ready),
        _ => {}
    }
    let mut rest = path.strip_prefix("/openai").unwrap_or(path);
    while let Some(shorter) = rest.strip_prefix("/v1") {
        if !shorter.starts_with('/') {
            return None;
        }
        rest = shorter;
    }
    match rest {
        "/chat/completions" => Some(Place::Proxy(Endpoint::Chat)),
        "/completions" => Some(Place::Proxy(Endpoint::Completions)),
        "/embeddings" => Some(Place::Proxy(Endpoint::Embeddings)),
        "/models" => Some(Place::Models),
        _ => rest
            .strip_prefix("/models/")
            .filter(|name| !name.is_empty())
            .map(Place::Model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_tolerated() {
        let chat = Some(Place::Proxy(Endpoint::Chat));
        for (path, expected) in [
            ("/v1/chat/completions", chat),
            ("/chat/completions", chat),
            ("/openai/v1/chat/completions", chat),
            ("/v1/v1/chat/completions", chat),
            ("/v1/models", Some(Place::Models)),
            ("/v1/models/a/b", Some(Place::Model("a/b"))),
            ("/v1/models/", None),
            ("/v1", None),
            ("/v1x/models", None),
            ("/health", Some(Place::Health)),
            ("/v1/unknown", None),
            ("", None),
        ] {
            assert_eq!(find(path), expected, "{path}");
        }
    }
}
