//! What do OpenTelemetry's conventions call what we have names for?
//!
//! # Invariants
//! - Values are of closed lists or out of the configuration; what has no registered value keeps our own.

/// How an endpoint is called, as the path of its route and as a GenAI operation; none where no path was known.
#[must_use]
pub(super) fn endpoint(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "chat" => ("/v1/chat/completions", "chat"),
        "completions" => ("/v1/completions", "text_completion"),
        "responses" => ("/v1/responses", "chat"),
        "input_tokens" => ("/v1/responses/input_tokens", "count_tokens"),
        "embeddings" => ("/v1/embeddings", "embeddings"),
        "moderations" => ("/v1/moderations", "moderation"),
        "rerank" => ("/v1/rerank", "rerank"),
        "image_generations" => ("/v1/images/generations", "image_generation"),
        "image_edits" => ("/v1/images/edits", "image_edit"),
        "image_variations" => ("/v1/images/variations", "image_variation"),
        "speech" => ("/v1/audio/speech", "speech"),
        "transcriptions" => ("/v1/audio/transcriptions", "transcription"),
        "translations" => ("/v1/audio/translations", "translation"),
        "messages" => ("/v1/messages", "chat"),
        "generate_content" => ("/v1beta/models/{model}:generateContent", "generate_content"),
        "embed_content" => ("/v1beta/models/{model}:embedContent", "embeddings"),
        _ => return None,
    })
}

/// The same where the words of the client tell endpoints of one name apart.
#[must_use]
pub(super) fn route(name: &str, surface: &str) -> Option<(&'static str, &'static str)> {
    match (name, surface) {
        ("count_tokens", "gemini") => Some(("/v1beta/models/{model}:countTokens", "count_tokens")),
        ("count_tokens", _) => Some(("/v1/messages/count_tokens", "count_tokens")),
        _ => endpoint(name),
    }
}

/// `gen_ai.provider.name` of a vendor; its own name where none is registered.
#[must_use]
pub(super) fn provider(vendor: &str) -> &str {
    match vendor {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "vertex" => "gcp.vertex_ai",
        "bedrock" => "aws.bedrock",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_values_are_used_where_there_are_any() {
        for (vendor, value) in [
            ("openai", "openai"),
            ("anthropic", "anthropic"),
            ("gemini", "gcp.gemini"),
            ("vertex", "gcp.vertex_ai"),
            ("bedrock", "aws.bedrock"),
            ("azure", "azure.ai.openai"),
            ("cohere", "cohere"),
            ("mistral", "mistral_ai"),
            ("groq", "groq"),
            ("deepseek", "deepseek"),
            ("xai", "x_ai"),
            ("perplexity", "perplexity"),
            ("our-own-vllm", "our-own-vllm"),
        ] {
            assert_eq!(provider(vendor), value);
        }
    }
}
