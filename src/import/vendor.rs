//! Which vendor does a source mean, and what does its own code know of it?
//!
//! Sources have names of their own for vendors, often several; what is known about each vendor stands with the configuration.
//! A name that is not in the table means nobody: it would be a guess.
//!
//! # Invariants
//! - Every name means one vendor, and each is one that a configuration knows.

use super::secret;
use crate::config::{self, Dialect, Vendor};

/// Names that sources have for a vendor, behind the name that it has in a configuration.
const NAMES: &[(&str, &[&str])] = &[
    (
        OPENAI,
        &[
            "openai",
            "text-completion-openai",
            "custom_openai",
            "openai_like",
        ],
    ),
    ("azure", &["azure", "azure-openai", "azure_text"]),
    ("anthropic", &["anthropic"]),
    ("gemini", &["gemini", "google", "google-ai-studio"]),
    (
        "vertex",
        &["vertex_ai", "vertex", "vertex-ai", "vertex_ai_beta"],
    ),
    ("bedrock", &["bedrock", "bedrock_converse", "aws-bedrock"]),
    ("cohere", &["cohere", "cohere_chat"]),
    ("groq", &["groq"]),
    ("mistral", &["mistral", "mistral-ai", "codestral"]),
    ("together", &["together_ai", "together-ai", "together"]),
    ("fireworks", &["fireworks_ai", "fireworks-ai", "fireworks"]),
    ("deepseek", &["deepseek"]),
    ("openrouter", &["openrouter"]),
    ("xai", &["xai", "x-ai"]),
    ("cerebras", &["cerebras"]),
    ("perplexity", &["perplexity", "perplexity-ai"]),
    ("nvidia", &["nvidia_nim", "nvidia", "nvidia-nim"]),
    ("nebius", &["nebius"]),
    ("deepinfra", &["deepinfra"]),
    ("sambanova", &["sambanova"]),
    ("ollama", &["ollama", "ollama_chat"]),
    ("vllm", &["hosted_vllm", "vllm"]),
    ("sglang", &["sgl", "sglang"]),
    ("lm-studio", &["lm_studio", "lm-studio", "lmstudio"]),
];

/// The vendor whose name sources also give to whoever speaks like it.
pub(super) const OPENAI: &str = "openai";

/// The vendor that sources know by this name.
pub(super) fn known_as(name: &str) -> Option<&'static Vendor> {
    let (ours, _) = NAMES.iter().find(|(_, names)| names.contains(&name))?;
    config::vendor(ours)
}

/// The longest name of a vendor that stands in a slug of the operator's own.
pub(super) fn in_slug(slug: &str) -> Option<&'static str> {
    let names = NAMES.iter().flat_map(|(_, names)| *names);
    names
        .filter(|name| slug.contains(**name))
        .max_by_key(|name| name.len())
        .copied()
}

/// What sources leave out at the end of this vendor's base URL, since their own code appends it; empty for nothing.
pub(super) fn left_out(vendor: &Vendor) -> &'static str {
    let own_server = vendor.key_variable.is_empty();
    if !own_server && !matches!(vendor.speaks, Dialect::Azure | Dialect::Anthropic) {
        return "";
    }
    let authority = vendor.base_url.find("://").map_or(0, |at| at + 3);
    let rest = &vendor.base_url[authority..];
    rest.find('/').map_or("", |at| &rest[at..])
}

/// The variable that holds a vendor's key where the source names none; none for a server that asks for no key.
pub(super) fn key_variable(vendor: Option<&Vendor>) -> Option<&'static str> {
    vendor
        .map(|vendor| vendor.key_variable)
        .filter(|name| !name.is_empty())
}

/// The variable for a key that the source writes out.
pub(super) fn instead(vendor: Option<&Vendor>, provider: &str) -> String {
    key_variable(vendor).map_or_else(
        || secret::variable_name(&format!("{provider}_API_KEY")),
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every name of the table, with the vendor's own.
    fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
        NAMES
            .iter()
            .flat_map(|(ours, names)| names.iter().map(|name| (*name, *ours)))
    }

    #[test]
    fn every_name_means_one_vendor_that_a_configuration_knows() {
        let unique: BTreeSet<&str> = all().map(|(name, _)| name).collect();
        assert_eq!(unique.len(), all().count());
        for (name, ours) in all() {
            assert_eq!(known_as(name).map(|it| it.name), Some(ours), "{name}");
        }
        assert_eq!(known_as("unheard-of"), None);
    }

    #[test]
    fn what_is_left_out_is_the_end_of_the_address() {
        for (name, expected) in [
            ("openai", ""),
            ("azure", "/openai/v1"),
            ("anthropic", "/v1"),
            ("gemini", ""),
            ("groq", ""),
            ("ollama", "/v1"),
            ("vllm", "/v1"),
        ] {
            assert_eq!(known_as(name).map(left_out), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_slug_means_the_longest_name_in_it() {
        assert_eq!(in_slug("my-azure-openai-prod"), Some("azure-openai"));
        assert_eq!(in_slug("nobody"), None);
    }

    #[test]
    fn a_key_that_is_written_out_has_a_variable() {
        let of = |name: &str| instead(known_as(name), "my server");
        assert_eq!(of("groq"), "GROQ_API_KEY");
        assert_eq!(of("vllm"), "MY_SERVER_API_KEY");
        assert_eq!(of("unheard-of"), "MY_SERVER_API_KEY");
    }
}
