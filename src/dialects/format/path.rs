//! Which endpoint does a path name, a client's or a provider's?
//!
//! Base URLs are written in many ways, and providers put their APIs below paths of their own; what follows is alike.
//!
//! # Invariants
//! - Paths are compared as they are; only the name of a model is ever decoded.

use super::{Endpoint, Format};
use crate::dialects::percent;

/// What versions of an API are called; they change nothing here.
const VERSIONS: [&str; 3] = ["/v1beta", "/v1alpha", "/v1"];

/// What providers put before a version besides: vendors' mounts, and Cohere's second version.
const ROOTS: [&str; 6] = [
    "/openai",
    "/anthropic",
    "/genai",
    "/inference",
    "/api",
    "/v2",
];

/// What a provider's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The endpoint, as a client of ours would call it.
    pub endpoint: Endpoint,
    /// How the answer is written.
    pub format: Format,
    /// The model as it stands in the path, not decoded; none where the body names it.
    pub model: Option<&'a str>,
}

/// What follows the versions at the beginning of a path, however many there are.
#[must_use]
pub fn below_versions(path: &str) -> &str {
    below(path, &VERSIONS)
}

fn below<'a>(path: &'a str, roots: &[&str]) -> &'a str {
    let mut rest = path;
    while let Some(shorter) = roots.iter().find_map(|root| {
        rest.strip_prefix(root)
            .filter(|shorter| shorter.starts_with('/'))
    }) {
        rest = shorter;
    }
    rest
}

/// The deployment of Azure's that a path below the version names, and what follows it.
#[must_use]
pub fn deployment(rest: &str) -> Option<(&str, &str)> {
    let below = rest.strip_prefix("/deployments/")?;
    let end = below.find('/')?;
    Some(below.split_at(end))
}

/// The endpoint of this path below the version, where it names no model.
#[must_use]
pub fn endpoint(rest: &str) -> Option<Endpoint> {
    Some(match rest {
        "/chat/completions" => Endpoint::Chat,
        "/completions" => Endpoint::Completions,
        "/responses" => Endpoint::Responses,
        "/responses/input_tokens" => Endpoint::InputTokens,
        "/embeddings" => Endpoint::Embeddings,
        "/moderations" => Endpoint::Moderations,
        "/rerank" => Endpoint::Rerank,
        "/images/generations" => Endpoint::ImageGenerations,
        "/images/edits" => Endpoint::ImageEdits,
        "/images/variations" => Endpoint::ImageVariations,
        "/audio/speech" => Endpoint::Speech,
        "/audio/transcriptions" => Endpoint::Transcriptions,
        "/audio/translations" => Endpoint::Translations,
        "/messages" => Endpoint::Messages,
        "/messages/count_tokens" => Endpoint::CountTokens,
        _ => return None,
    })
}

/// The endpoint and model of what follows `/models/`, where that ends with a verb of Gemini's.
#[must_use]
pub fn verb(rest: &str) -> Option<(Endpoint, &str)> {
    let (name, verb) = rest.rsplit_once(':')?;
    let endpoint = match verb {
        "generateContent" => Endpoint::Generate,
        "streamGenerateContent" => Endpoint::StreamGenerate,
        "countTokens" => Endpoint::GeminiCount,
        "embedContent" => Endpoint::GeminiEmbed,
        "batchEmbedContents" => Endpoint::GeminiEmbeds,
        _ => return None,
    };
    (!name.is_empty()).then_some((endpoint, name))
}

/// A model's name as it stands in a path; clients write `/` as `%2F` or as it is.
#[must_use]
pub fn decoded(name: &str) -> String {
    percent::decode(name)
}

/// What a path below a provider's base URL names; none where nothing is answered by a model.
#[must_use]
pub fn named(path: &str) -> Option<Named<'_>> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut rest = path;
    loop {
        let shorter = below(below_versions(rest), &ROOTS);
        if shorter.len() == rest.len() {
            break;
        }
        rest = shorter;
    }
    let named = |endpoint: Endpoint, model| Named {
        endpoint,
        format: endpoint.format(),
        model,
    };
    if let Some((model, rest)) = deployment(rest) {
        return endpoint(rest).map(|endpoint| named(endpoint, Some(model)));
    }
    if let Some(below) = rest.strip_prefix("/model/") {
        return amazon(below);
    }
    if let Some((_, published)) = rest.split_once("/publishers/") {
        return google(published);
    }
    let model = rest.strip_prefix("/models/");
    if let Some(below) = model.or_else(|| rest.strip_prefix("/tunedModels/")) {
        return verb(below).map(|(endpoint, model)| named(endpoint, Some(model)));
    }
    let cohere = |endpoint, format| Named {
        endpoint,
        format,
        model: None,
    };
    match rest {
        "/chat" => Some(cohere(Endpoint::Chat, Format::CohereChat)),
        "/embed" => Some(cohere(Endpoint::Embeddings, Format::CohereEmbed)),
        _ => endpoint(rest).map(|endpoint| named(endpoint, None)),
    }
}

/// What follows Bedrock's `/model/`.
fn amazon(below: &str) -> Option<Named<'_>> {
    let (model, verb) = below.rsplit_once('/')?;
    let (endpoint, format) = match verb {
        "converse" | "converse-stream" => (Endpoint::Chat, Format::Converse),
        "count-tokens" => (Endpoint::CountTokens, Format::ConverseCount),
        // Why: the words are the model's maker's own, and only these are known.
        "invoke" if model.contains("anthropic.claude") => (Endpoint::Messages, Format::Messages),
        _ => return None,
    };
    let model = (!model.is_empty()).then_some(model)?;
    Some(Named {
        endpoint,
        format,
        model: Some(model),
    })
}

/// What follows Vertex's `/publishers/`.
fn google(published: &str) -> Option<Named<'_>> {
    let (maker, below) = published.split_once("/models/")?;
    if let Some((endpoint, model)) = verb(below) {
        let format = endpoint.format();
        return Some(Named {
            endpoint,
            format,
            model: Some(model),
        });
    }
    let (model, verb) = below.rsplit_once(':')?;
    if !matches!(verb, "rawPredict" | "streamRawPredict") || model.is_empty() {
        return None;
    }
    let (endpoint, model) = match (maker, model) {
        ("anthropic", "count-tokens") => (Endpoint::CountTokens, None),
        ("anthropic", _) => (Endpoint::Messages, Some(model)),
        _ => (Endpoint::Chat, Some(model)),
    };
    Some(Named {
        endpoint,
        format: endpoint.format(),
        model,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(Endpoint, Option<&str>)>) {
        let found = named(path).map(|it| (it.endpoint, it.model));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_without_a_model_are_known() {
        for (path, endpoint) in [
            ("/v1/chat/completions", Endpoint::Chat),
            ("/chat/completions?api-version=1", Endpoint::Chat),
            ("/openai/v1/chat/completions", Endpoint::Chat),
            ("/inference/v1/completions", Endpoint::Completions),
            ("/api/v1/chat/completions", Endpoint::Chat),
            ("/v1/openai/embeddings", Endpoint::Embeddings),
            ("/v1/responses", Endpoint::Responses),
            ("/v1/messages", Endpoint::Messages),
            ("/anthropic/v1/messages", Endpoint::Messages),
            ("/v1/messages/count_tokens", Endpoint::CountTokens),
            ("/v1/images/generations", Endpoint::ImageGenerations),
            ("/v1/audio/transcriptions", Endpoint::Transcriptions),
            ("/v2/chat", Endpoint::Chat),
            ("/v2/embed", Endpoint::Embeddings),
            ("/v2/rerank", Endpoint::Rerank),
        ] {
            check(path, Some((endpoint, None)));
        }
        for path in [
            "",
            "/",
            "/v1",
            "/v1/models",
            "/v1/files",
            "/v1/responses/resp_1",
            "/v1/messages/batches",
            "/v1/threads/t/messages",
            "/v1/chat/completions/c/messages",
            "/v1/models/m:predict",
            "/models/:generateContent",
            "/model/titan/invoke",
            "/model/converse",
            "/model//converse",
            "/publishers/google",
            "/deployments/d",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn paths_that_name_the_model_are_known() {
        let vertex = "/v1/projects/p/locations/l/publishers";
        for (path, endpoint, model) in [
            ("/v1beta/models/g:generateContent", Endpoint::Generate, "g"),
            (
                "/v1beta/models/g:streamGenerateContent?alt=sse",
                Endpoint::StreamGenerate,
                "g",
            ),
            (
                "/v1beta/tunedModels/t:embedContent",
                Endpoint::GeminiEmbed,
                "t",
            ),
            (
                "/openai/deployments/d/chat/completions?api-version=1",
                Endpoint::Chat,
                "d",
            ),
            ("/deployments/d/embeddings", Endpoint::Embeddings, "d"),
            ("/model/a.b%3A0/converse", Endpoint::Chat, "a.b%3A0"),
            (
                "/model/us.anthropic.claude-x/invoke",
                Endpoint::Messages,
                "us.anthropic.claude-x",
            ),
            (
                &format!("{vertex}/google/models/g:generateContent"),
                Endpoint::Generate,
                "g",
            ),
            (
                &format!("{vertex}/anthropic/models/claude-x@1:streamRawPredict"),
                Endpoint::Messages,
                "claude-x@1",
            ),
            (
                &format!("{vertex}/mistralai/models/m:rawPredict"),
                Endpoint::Chat,
                "m",
            ),
        ] {
            check(path, Some((endpoint, Some(model))));
        }
        check(
            &format!("{vertex}/anthropic/models/count-tokens:rawPredict"),
            Some((Endpoint::CountTokens, None)),
        );
    }

    #[test]
    fn words_differ_where_the_vendor_s_do() {
        for (path, format) in [
            ("/v2/chat", Format::CohereChat),
            ("/v2/embed", Format::CohereEmbed),
            ("/model/m/converse-stream", Format::Converse),
            ("/model/anthropic.claude-x/invoke", Format::Messages),
            ("/v1/chat/completions", Format::Chat),
        ] {
            assert_eq!(named(path).map(|it| it.format), Some(format), "{path}");
        }
    }
}
