//! What Azure adds to OpenAI's words: verdicts of its content filter, and errors of its own.
//!
//! # Invariants
//! - Whoever takes the additions away has OpenAI's answer.

use serde_json::{Value, json};

use super::ledger::Received;
use super::refusals::Reply;

/// What the filter found in a text: nothing.
const CLEAN: &str = "{\"hate\":{\"filtered\":false,\"severity\":\"safe\"},\
    \"self_harm\":{\"filtered\":false,\"severity\":\"safe\"},\
    \"sexual\":{\"filtered\":false,\"severity\":\"safe\"},\
    \"violence\":{\"filtered\":false,\"severity\":\"safe\"}}";

/// The field that follows the choices of a whole answer.
pub(super) fn prompt_filter() -> String {
    format!("\"prompt_filter_results\":[{{\"prompt_index\":0,\"content_filter_results\":{CLEAN}}}]")
}

/// The field of each choice.
pub(super) fn choice_filter() -> String {
    format!("\"content_filter_results\":{CLEAN}")
}

/// The event that precedes all others: no choice, and almost every field empty.
pub(super) fn first_event() -> String {
    format!(
        "data: {{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",{}}}\n\n",
        prompt_filter()
    )
}

/// The first rule that a request breaks.
pub(super) fn objection(request: &Received) -> Option<Reply> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let is_versioned = query.split('&').any(|it| {
        it.strip_prefix("api-version=")
            .is_some_and(|it| !it.is_empty())
    });
    if path.contains("/deployments/") && !is_versioned {
        return Some(Reply::new(404, "", "unversioned", "Resource not found"));
    }
    None
}

/// An error in Azure's words.
pub(super) fn error(reply: &Reply) -> Option<Value> {
    let (code, message) = match (reply.status, reply.code) {
        (_, "unversioned") => ("404", "Resource not found"),
        (_, "invalid_api_key") => (
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid \
             key for an active subscription and use a correct regional API endpoint for your resource.",
        ),
        (_, "model_not_found") => (
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the \
             last 5 minutes, please wait a moment and try again.",
        ),
        (_, "content_policy_violation") => return Some(filtered()),
        (_, "insufficient_quota") => return None,
        (429, _) => ("429", &*reply.message),
        (500, _) => ("InternalServerError", &*reply.message),
        (503 | 529, _) => ("ServiceUnavailable", &*reply.message),
        _ => return None,
    };
    Some(json!({"error": {"code": code, "message": message}}))
}

/// The refusal of a prompt by the filter.
fn filtered() -> Value {
    let mut verdict: Value = serde_json::from_str(CLEAN).unwrap_or_default();
    verdict["violence"] = json!({"filtered": true, "severity": "medium"});
    json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management \
                    policy. Please modify your prompt and retry.",
        "type": null,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdict},
    }})
}
