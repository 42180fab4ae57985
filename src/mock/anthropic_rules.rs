//! What Anthropic refuses of a request for a message, in the order in which it says so.
//!
//! # Invariants
//! - A request that Anthropic's documentation shows is never refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::anthropic::is_own_signature;
use super::ask::Ask;
use super::endpoint::Endpoint;
use super::ledger::Received;
use super::refusals::Reply;

/// Fields that a request may have without naming any beta; others are refused.
const FIELDS: [&str; 22] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "container",
    "context_management",
    "mcp_servers",
    "output_config",
    "inference_geo",
    "speed",
    "cache_control",
    "diagnostics",
];

/// The first rule that a request breaks.
pub(super) fn objection(ask: &Ask, body: &Value, request: &Received) -> Option<Reply> {
    let problem = if request.header("anthropic-version").is_none() {
        Some("anthropic-version: header is required".to_owned())
    } else if ask.endpoint == Endpoint::Messages && !body["max_tokens"].is_u64() {
        Some("max_tokens: Field required".to_owned())
    } else if body["temperature"].as_f64().is_some_and(|it| it > 1.0) {
        Some("temperature: Input should be less than or equal to 1".to_owned())
    } else if request.header("anthropic-beta").is_none()
        && let Some(field) = extra(body)
    {
        Some(format!("{field}: Extra inputs are not permitted"))
    } else {
        thinking(ask, body).or_else(|| messages(body))
    };
    problem.map(Reply::invalid)
}

fn extra(body: &Value) -> Option<&str> {
    let mut names = body.as_object()?.keys();
    names
        .find(|name| !FIELDS.contains(&name.as_str()))
        .map(String::as_str)
}

fn thinking(ask: &Ask, body: &Value) -> Option<String> {
    let budget = body["thinking"]["budget_tokens"].as_u64();
    if body["thinking"]["type"] == "enabled" && budget.is_none_or(|budget| budget < 1_024) {
        return Some(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
                .to_owned(),
        );
    }
    if let (Some(budget), Some(max)) = (budget, ask.max_tokens)
        && budget >= u64::from(max)
    {
        return Some("`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned());
    }
    let forced = matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool"));
    (ask.thinks && forced)
        .then(|| "Thinking may not be enabled when tool_choice forces tool use.".to_owned())
}

/// The rules about turns: who speaks, what may be empty, and which result answers which call.
fn messages(body: &Value) -> Option<String> {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    if messages.is_empty() {
        return Some("messages: at least one message is required".to_owned());
    }
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !matches!(role, "user" | "assistant" | "system") {
            return Some(format!(
                "messages.{index}.role: Input should be 'user' or 'assistant'"
            ));
        }
        let is_last = index + 1 == messages.len();
        if let Some(problem) = text(message, is_last && role == "assistant") {
            return Some(format!("messages.{index}: {problem}"));
        }
        let blocks = message["content"].as_array().unwrap_or(&empty);
        if let Some(problem) = results(blocks, &mut open) {
            return Some(format!("messages.{index}{problem}"));
        }
        if !open.is_empty() {
            let ids: Vec<&str> = open.into_iter().collect();
            return Some(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. \
                 Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                index.saturating_sub(1),
                ids.join(", ")
            ));
        }
        open = uses(blocks);
    }
    None
}

/// What is wrong with a message's text; `prefills` is whether the answer is to go on from it.
fn text(message: &Value, prefills: bool) -> Option<&'static str> {
    let content = &message["content"];
    let empty = Vec::new();
    let blocks = content.as_array().unwrap_or(&empty);
    let texts = || blocks.iter().filter(|it| it["type"] == "text");
    if texts().any(|it| it["text"] == "") {
        return Some("text content blocks must be non-empty");
    }
    if !prefills && (content == "" || (content.is_array() && blocks.is_empty())) {
        return Some(
            "all messages must have non-empty content except for the optional final assistant message",
        );
    }
    let last = content
        .as_str()
        .or_else(|| texts().next_back().and_then(|it| it["text"].as_str()));
    if prefills && last.is_some_and(|it| it.ends_with(char::is_whitespace)) {
        return Some("final assistant content cannot end with trailing whitespace");
    }
    let forged = |it: &&Value| {
        it["type"] == "thinking" && !it["signature"].as_str().is_some_and(is_own_signature)
    };
    blocks
        .iter()
        .find(forged)
        .map(|_| "Invalid `signature` in `thinking` block")
}

/// Takes the calls that a message's results answer out of `open`.
fn results(blocks: &[Value], open: &mut BTreeSet<&str>) -> Option<String> {
    for (index, block) in blocks.iter().enumerate() {
        if block["type"] != "tool_result" {
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        if !open.remove(id) {
            return Some(format!(
                ".content.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. \
                 Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ));
        }
    }
    None
}

/// The calls that a message makes.
fn uses(blocks: &[Value]) -> BTreeSet<&str> {
    let calls = blocks.iter().filter(|it| it["type"] == "tool_use");
    calls.filter_map(|it| it["id"].as_str()).collect()
}
