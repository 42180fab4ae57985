//! What is known about vendors before anything is asked of them?
//!
//! One row a vendor: where it is, which dialect it speaks, how it tells its limits, which variable its own library reads for the key, and where it departs from OpenAI.
//! `vendor = "NAME"` in a provider's table takes what the table does not say from here.
//!
//! A quirk is a fact about what a vendor refuses; what it ignores is none.
//! Where its documentation says nothing, the row assumes what OpenAI does.
//!
//! # Invariants
//! - Names are unique, and may stand in a configuration.
//! - Every base URL is one that a configuration takes, once its `{…}` are filled in.

use super::routes::{Dialect, Endpoint, ImageRules, LimitDialect, Serves};
use super::written;

/// What is known about one vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The value of `vendor`.
    pub name: &'static str,
    /// Its wire format.
    pub speaks: Dialect,
    /// Where it is; `{region}`, `{project}` and `{resource}` are the operator's. Empty where only the operator knows.
    pub base_url: &'static str,
    /// How it tells its rate limits.
    pub limits: LimitDialect,
    /// The environment variable that its own library reads for the key; empty where none is asked for.
    pub key_variable: &'static str,
    /// Where it departs from OpenAI.
    pub serves: Serves,
}

/// What a compatible vendor is taken to do where it says nothing.
const USUAL: Serves = Serves {
    stream_usage: true,
    responses: false,
    embeddings: false,
    images: ImageRules::None,
};

/// What OpenAI itself does.
const OPENAI: Serves = Serves {
    responses: true,
    embeddings: true,
    images: ImageRules::OpenAi,
    ..USUAL
};

/// A vendor of OpenAI's dialect that does the usual.
const fn compatible(
    name: &'static str,
    base_url: &'static str,
    key_variable: &'static str,
    serves: Serves,
) -> Vendor {
    Vendor {
        name,
        speaks: Dialect::OpenAi,
        base_url,
        limits: LimitDialect::OpenAi,
        key_variable,
        serves,
    }
}

/// A server of one's own, at the address that it takes by default.
const fn own(name: &'static str, base_url: &'static str, serves: Serves) -> Vendor {
    Vendor {
        limits: LimitDialect::None,
        ..compatible(name, base_url, "", serves)
    }
}

/// A vendor of another dialect, to which no quirk of OpenAI's applies.
const fn other(
    name: &'static str,
    speaks: Dialect,
    base_url: &'static str,
    limits: LimitDialect,
    key_variable: &'static str,
) -> Vendor {
    Vendor {
        name,
        speaks,
        base_url,
        limits,
        key_variable,
        serves: USUAL,
    }
}

/// Every vendor, as of November 2026.
///
/// Sources, where not named at the row: base URLs and endpoints of groq, mistral, together, fireworks, deepseek, xai and cerebras from the vendors' pages on compatibility with OpenAI as collected at developersdigest.tech/reference/api-compatibility;
/// Not verified are the rows of nvidia, nebius, sglang and lm-studio beyond their addresses, and `stream_options` of perplexity.
pub(super) const VENDORS: &[Vendor] = &[
    // platform.openai.com/docs/api-reference
    compatible(
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        OPENAI,
    ),
    // learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: the v1 path needs no api-version.
    Vendor {
        speaks: Dialect::Azure,
        limits: LimitDialect::Azure,
        ..compatible(
            "azure",
            "https://{resource}.openai.azure.com/openai/v1",
            "AZURE_OPENAI_API_KEY",
            OPENAI,
        )
    },
    // docs.anthropic.com/en/api/messages
    other(
        "anthropic",
        Dialect::Anthropic,
        "https://api.anthropic.com/v1",
        LimitDialect::Anthropic,
        "ANTHROPIC_API_KEY",
    ),
    // ai.google.dev/api
    other(
        "gemini",
        Dialect::Gemini,
        "https://generativelanguage.googleapis.com/v1beta",
        LimitDialect::Gemini,
        "GEMINI_API_KEY",
    ),
    // cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference; for the region "global" the host has no region.
    // A key is an access token, not the file that Google's libraries read one from.
    other(
        "vertex",
        Dialect::Vertex,
        "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
        LimitDialect::Gemini,
        "GOOGLE_OAUTH_ACCESS_TOKEN",
    ),
    // docs.aws.amazon.com/general/latest/gr/bedrock.html; of its credentials, only the API key is one variable.
    other(
        "bedrock",
        Dialect::Bedrock,
        "https://bedrock-runtime.{region}.amazonaws.com",
        LimitDialect::None,
        "AWS_BEARER_TOKEN_BEDROCK",
    ),
    // docs.cohere.com/reference/chat
    other(
        "cohere",
        Dialect::Cohere,
        "https://api.cohere.com/v2",
        LimitDialect::None,
        "CO_API_KEY",
    ),
    // platform.stability.ai/docs/api-reference
    other(
        "stability",
        Dialect::Stability,
        "https://api.stability.ai/v2beta",
        LimitDialect::None,
        "STABILITY_API_KEY",
    ),
    // docs.fal.ai/model-apis/model-endpoints/queue
    other(
        "fal",
        Dialect::Fal,
        "https://queue.fal.run",
        LimitDialect::None,
        "FAL_KEY",
    ),
    // replicate.com/docs/reference/http
    other(
        "replicate",
        Dialect::Replicate,
        "https://api.replicate.com/v1",
        LimitDialect::None,
        "REPLICATE_API_TOKEN",
    ),
    // docs.bfl.ai
    other(
        "bfl",
        Dialect::Bfl,
        "https://api.bfl.ai/v1",
        LimitDialect::None,
        "BFL_API_KEY",
    ),
    // console.groq.com/docs/openai: 400 for logprobs, logit_bias, top_logprobs and messages[].name, and n must be 1; there is /responses.
    Vendor {
        limits: LimitDialect::Groq,
        ..compatible(
            "groq",
            "https://api.groq.com/openai/v1",
            "GROQ_API_KEY",
            Serves {
                responses: true,
                ..USUAL
            },
        )
    },
    // Unknown fields are refused with 422: `stream_options.include_usage` (avante.nvim issue 2347), `max_completion_tokens` (openclaude issue 739); usage is in the last chunk anyway.
    compatible(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        Serves {
            stream_usage: false,
            embeddings: true,
            ..USUAL
        },
    ),
    compatible(
        "together",
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        Serves {
            embeddings: true,
            images: ImageRules::Together,
            ..USUAL
        },
    ),
    // Usage comes in the last chunk of a stream, asked for or not.
    compatible(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        Serves {
            responses: true,
            embeddings: true,
            images: ImageRules::Fireworks,
            ..USUAL
        },
    ),
    compatible(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        USUAL,
    ),
    // openrouter.ai/docs/api-reference/overview: what the model behind does not take is ignored.
    compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        Serves {
            responses: true,
            embeddings: true,
            ..USUAL
        },
    ),
    compatible(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        Serves {
            responses: true,
            images: ImageRules::OpenAi,
            ..USUAL
        },
    ),
    // inference-docs.cerebras.ai/resources/openai: no `developer` role; `logit_bias`, `parallel_tool_calls` and penalties are refused with 400 (req_llm 1.10, guide on Cerebras).
    compatible(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        Serves { ..USUAL },
    ),
    // docs.perplexity.ai/guides/chat-completions-guide; docs.getbifrost.ai/providers/supported-providers/perplexity drops parallel_tool_calls and logprobs.
    compatible(
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        Serves {
            stream_usage: false,
            ..USUAL
        },
    ),
    // docs.api.nvidia.com/nim/reference
    compatible(
        "nvidia",
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_API_KEY",
        Serves {
            embeddings: true,
            ..USUAL
        },
    ),
    // docs.nebius.com/studio/inference
    compatible(
        "nebius",
        "https://api.studio.nebius.com/v1",
        "NEBIUS_API_KEY",
        Serves {
            embeddings: true,
            ..USUAL
        },
    ),
    // deepinfra.com/docs/advanced/openai_api
    compatible(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
        Serves {
            embeddings: true,
            ..USUAL
        },
    ),
    // docs.sambanova.ai/docs/en/features/openai-compatibility; features/anthropic-compatibility names the responses endpoint.
    compatible(
        "sambanova",
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        Serves {
            responses: true,
            embeddings: true,
            ..USUAL
        },
    ),
    // docs.ollama.com/api/openai-compatibility: stream_options is taken; logit_bias, n and user are not, which is no refusal.
    own(
        "ollama",
        "http://127.0.0.1:11434/v1",
        Serves {
            responses: true,
            embeddings: true,
            ..USUAL
        },
    ),
    // docs.vllm.ai/en/latest/serving/openai_compatible_server
    own(
        "vllm",
        "http://127.0.0.1:8000/v1",
        Serves {
            responses: true,
            embeddings: true,
            ..USUAL
        },
    ),
    // docs.sglang.ai/basic_usage/openai_api
    own(
        "sglang",
        "http://127.0.0.1:30000/v1",
        Serves {
            embeddings: true,
            ..USUAL
        },
    ),
    // lmstudio.ai/docs/app/api/endpoints/openai
    own(
        "lm-studio",
        "http://127.0.0.1:1234/v1",
        Serves {
            responses: true,
            embeddings: true,
            ..USUAL
        },
    ),
];

/// The vendor of this name.
#[must_use]
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

/// The vendor that a provider is whose table names none: that at its host, or the cloud that alone speaks its dialect.
pub(super) fn vendor_at(dialect: Dialect, endpoint: &Endpoint) -> Option<&'static str> {
    let Endpoint::Url(url) = endpoint else {
        return None;
    };
    if matches!(dialect, Dialect::Azure | Dialect::Vertex | Dialect::Bedrock) {
        return Some(dialect.name());
    }
    let is_there = |vendor: &&Vendor| match written::endpoint(vendor.base_url) {
        Some(Endpoint::Url(own)) => own.host == url.host && own.port == url.port,
        _ => false,
    };
    VENDORS.iter().find(is_there).map(|vendor| vendor.name)
}

/// The names in a base URL that the operator has to fill in, in order, each once.
#[must_use]
pub(super) fn blanks(base_url: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = base_url;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        if !found.contains(&name) {
            found.push(name);
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::written::endpoint;
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_configuration() {
        let names: BTreeSet<&str> = VENDORS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), VENDORS.len());
        for name in names {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(!name.is_empty() && name.bytes().all(fits), "{name}");
            assert_eq!(vendor(name).map(|it| it.name), Some(name));
        }
        assert_eq!(vendor("nobody"), None);
    }

    #[test]
    fn base_urls_are_taken_once_they_are_filled_in() {
        for it in VENDORS {
            let mut url = it.base_url.to_owned();
            for blank in blanks(it.base_url) {
                assert!(
                    ["region", "project", "resource"].contains(&blank),
                    "{}",
                    it.name
                );
                url = url.replace(&format!("{{{blank}}}"), "x");
            }
            assert!(endpoint(&url).is_some(), "{}: {url}", it.name);
            assert!(!url.ends_with('/'), "{}", it.name);
            let is_own = it.key_variable.is_empty();
            assert_eq!(
                url.starts_with("http://127.0.0.1:"),
                is_own,
                "{}: {url}",
                it.name
            );
        }
    }

    #[test]
    fn key_variables_are_names_of_variables() {
        for it in VENDORS {
            let fits =
                |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(it.key_variable.bytes().all(fits), "{}", it.name);
        }
    }

    #[test]
    fn only_other_dialects_leave_the_quirks_alone() {
        for it in VENDORS {
            let compatible = matches!(it.speaks, Dialect::OpenAi | Dialect::Azure);
            assert!(compatible || it.serves == USUAL, "{}", it.name);
        }
    }

    #[test]
    fn blanks_are_found_once_each() {
        assert_eq!(blanks("https://{a}-x/{b}/{a}"), ["a", "b"]);
        assert!(blanks("https://x/{").is_empty());
    }
}
