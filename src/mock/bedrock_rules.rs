//! What Bedrock refuses of a request to converse.
//!
//! # Invariants
//! - A request that Amazon's documentation shows is never refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::anthropic::is_own_signature;
use super::ledger::Received;
use super::refusals::Reply;

/// The first rule that a request breaks.
pub(super) fn objection(body: &Value, request: &Received) -> Option<Reply> {
    unsigned(request).or_else(|| messages(body).map(Reply::invalid))
}

/// The refusal of a request that is neither signed nor bears a key.
fn unsigned(request: &Received) -> Option<Reply> {
    let authorization = request.header("authorization").unwrap_or_default();
    if authorization.starts_with("Bearer ") {
        return None;
    }
    let Some(signature) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else {
        let message = "Missing Authentication Token";
        return Some(Reply::new(403, "permission_error", "unsigned", message));
    };
    for part in ["Credential", "SignedHeaders", "Signature"] {
        if !signature.contains(&format!("{part}=")) {
            let message = format!("Authorization header requires '{part}' parameter.");
            return Some(Reply::new(403, "permission_error", "signed_badly", message));
        }
    }
    if request.header("x-amz-date").is_none() {
        let message =
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        return Some(Reply::new(403, "permission_error", "signed_badly", message));
    }
    None
}

fn messages(body: &Value) -> Option<String> {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    if messages.first().is_none_or(|it| it["role"] != "user") {
        return Some(
            "A conversation must start with a user message. Try again with a conversation that starts with a \
             user message."
                .to_owned(),
        );
    }
    if body["system"].is_string() {
        return Some("STRING_VALUE can not be converted to a List".to_owned());
    }
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut role = "";
    for (index, message) in messages.iter().enumerate() {
        let Some(blocks) = message["content"].as_array() else {
            return Some("STRING_VALUE can not be converted to a List".to_owned());
        };
        let said_by = message["role"].as_str().unwrap_or_default();
        if said_by == role {
            return Some(
                "A conversation must alternate between user and assistant roles. Make sure the conversation \
                 alternates between user and assistant roles and try again."
                    .to_owned(),
            );
        }
        role = said_by;
        if let Some(problem) = blank_or_forged(index, blocks) {
            return Some(problem);
        }
        if let Some(problem) = results(index, blocks, &mut open) {
            return Some(problem);
        }
        open = ids(blocks, "toolUse");
        if !open.is_empty() && body["toolConfig"].is_null() {
            return Some(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
                    .to_owned(),
            );
        }
    }
    None
}

fn blank_or_forged(index: usize, blocks: &[Value]) -> Option<String> {
    let blank = |it: &Value| {
        it["text"]
            .as_str()
            .is_some_and(|text| text.trim().is_empty())
    };
    if let Some(at) = blocks.iter().position(blank) {
        return Some(format!(
            "The text field in the ContentBlock object at messages.{index}.content.{at} is blank. \
             Add text to the text field, and try again."
        ));
    }
    let forged = blocks.iter().any(|it| {
        let thought = &it["reasoningContent"]["reasoningText"];
        thought.is_object() && !thought["signature"].as_str().is_some_and(is_own_signature)
    });
    forged.then(|| {
        format!("The model returned the following errors: messages.{index}: Invalid `signature` in `thinking` block")
    })
}

/// Whether a message's results answer just the calls that are open.
fn results(index: usize, blocks: &[Value], open: &mut BTreeSet<&str>) -> Option<String> {
    let answered = ids(blocks, "toolResult");
    if answered.difference(open).next().is_some() {
        return Some(format!(
            "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks \
             of previous turn."
        ));
    }
    let missing: Vec<&str> = open.difference(&answered).copied().collect();
    (!missing.is_empty()).then(|| {
        format!(
            "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
            missing.join(", ")
        )
    })
}

fn ids<'a>(blocks: &'a [Value], kind: &str) -> BTreeSet<&'a str> {
    let blocks = blocks.iter();
    blocks
        .filter_map(|it| it[kind]["toolUseId"].as_str())
        .collect()
}
