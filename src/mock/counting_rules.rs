//! What vendors refuse of a request to count tokens: each takes some of the fields of what it counts.
//!
//! # Invariants
//! - A request that the vendor's documentation shows is never refused.

use serde_json::Value;

use super::endpoint::Endpoint;
use super::refusals::Reply;

/// What Anthropic takes without a beta.
const ANTHROPIC: [&str; 10] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "mcp_servers",
    "context_management",
];

/// What OpenAI takes.
const OPENAI: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
    "previous_response_id",
    "conversation",
];

/// What Gemini takes on its own API and on Vertex AI.
const GOOGLE: [&str; 6] = [
    "model",
    "contents",
    "systemInstruction",
    "tools",
    "generationConfig",
    "generateContentRequest",
];

/// What Bedrock takes.
const AMAZON: [&str; 4] = [
    "messages",
    "system",
    "toolConfig",
    "additionalModelRequestFields",
];

/// The first rule that a request breaks; `body` is what is to be counted.
pub(super) fn objection(endpoint: Endpoint, body: &Value) -> Option<Reply> {
    let known: &[&str] = match endpoint {
        Endpoint::CountTokens => &ANTHROPIC,
        Endpoint::InputTokens => &OPENAI,
        Endpoint::GenerateCount => &GOOGLE,
        Endpoint::ConverseCount => &AMAZON,
        _ => return None,
    };
    let Some(fields) = body.as_object() else {
        return Some(Reply::invalid("There is nothing to count."));
    };
    let stray = fields.keys().find(|name| !known.contains(&name.as_str()))?;
    Some(Reply::invalid(format!(
        "{stray}: Extra inputs are not permitted"
    )))
}
