//! What Gemini refuses of a request for content.
//!
//! # Invariants
//! - A request that Google's documentation shows is never refused.

use serde_json::Value;

use super::ask::Ask;
use super::gemini::{field, is_own_signature};
use super::refusals::Reply;

/// Fields that a request for content may have, as Google's parser knows them; others it refuses.
const FIELDS: [&str; 11] = [
    "model",
    "contents",
    "tools",
    "toolConfig",
    "safetySettings",
    "systemInstruction",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
];

/// The first rule that a request breaks.
pub(super) fn objection(ask: &Ask, body: &Value) -> Option<Reply> {
    let known = |name: &str| {
        let camel = camel(name);
        FIELDS.contains(&camel.as_str())
    };
    let mut names = body.as_object()?.keys();
    if let Some(name) = names.find(|name| !known(name)) {
        return Some(Reply::invalid(format!(
            "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
        )));
    }
    let empty = Vec::new();
    let contents = body["contents"].as_array().unwrap_or(&empty);
    let problem = if contents.is_empty() {
        Some("* GenerateContentRequest.contents: contents is not specified\n".to_owned())
    } else {
        turns(contents).or_else(|| signatures(ask, contents))
    };
    problem.map(Reply::invalid)
}

/// The name in camel case.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => out.push(first.to_ascii_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.push_str(letters.as_str());
    }
    out
}

/// The rules about turns: who speaks, and that every call is answered in the next one.
fn turns(contents: &[Value]) -> Option<String> {
    let mut open = 0;
    for content in contents {
        let role = content["role"].as_str().unwrap_or("user");
        if !matches!(role, "user" | "model" | "function") {
            return Some("Please use a valid role: user, model.".to_owned());
        }
        let empty = Vec::new();
        let parts = content["parts"].as_array().unwrap_or(&empty);
        if parts.is_empty() {
            return Some(
                "* GenerateContentRequest.contents: contents.parts must not be empty.\n".to_owned(),
            );
        }
        let count = |camel: &str, snake: &str| {
            let parts = parts.iter();
            parts
                .filter(|it| !field(it, camel, snake).is_null())
                .count()
        };
        let answered = count("functionResponse", "function_response");
        if answered > 0 && open == 0 {
            return Some(
                "Please ensure that function response turn comes immediately after a function call turn."
                    .to_owned(),
            );
        }
        if answered != open {
            return Some(
                "Please ensure that the number of function response parts is equal to the number of \
                 function call parts of the function call turn."
                    .to_owned(),
            );
        }
        open = count("functionCall", "function_call");
    }
    None
}

/// The rules about signatures: none is forged, and the newest models miss one at the first call of a turn.
fn signatures(ask: &Ask, contents: &[Value]) -> Option<String> {
    let strict = ask.model.contains("gemini-3");
    for content in contents.iter().filter(|it| it["role"] == "model") {
        let mut calls = 0;
        for part in content["parts"].as_array().into_iter().flatten() {
            let signature = field(part, "thoughtSignature", "thought_signature").as_str();
            if signature.is_some_and(|it| !is_own_signature(it)) {
                return Some(
                    "Unable to submit request because Thought signature is not valid.".to_owned(),
                );
            }
            let call = field(part, "functionCall", "function_call");
            if call.is_null() {
                continue;
            }
            calls += 1;
            if strict && calls == 1 && signature.is_none() {
                let name = call["name"].as_str().unwrap_or_default();
                return Some(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for \
                     tools to work correctly, and missing thought_signature may lead to degraded model \
                     performance. Additional data, function call `default_api:{name}` ."
                ));
            }
        }
    }
    None
}
