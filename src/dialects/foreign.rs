//! Does a request hold thoughts that no provider of its own dialect can read?
//!
//! A conversation that went over several vendors carries what each of them signed, marked by this gateway; the vendors
//! verify signatures, and refuse a request with one that they did not make.
//! Such a request cannot go on as it is, even to a provider of the client's own words.
//!
//! # Invariants
//! - Only what stands where a signature belongs counts: a text, a tool's argument or a name that looks like one does not.
//! - A request in which no mark occurs, which is nearly every one, is searched once and not parsed.

use memchr::memmem;
use serde_json::Value;

use super::format::Format;

/// What a marked signature begins with.
const MARK: &str = "trimtab:";

/// The same in base64, as far as the next letter cannot change it: Google's clients decode the field.
const MARK_IN_BASE64: &str = "dHJpbXRhYj";

/// Whether a request of this format holds foreign thoughts.
///
/// Of a response's request, which is scanned for its ties anyway, [`peek`](super::responses::peek) tells it.
#[must_use]
pub fn is_in(format: Format, body: &[u8]) -> bool {
    let mentions = |mark: &str| memmem::find(body, mark.as_bytes()).is_some();
    let holds = |by: fn(&Value) -> bool| serde_json::from_slice(body).is_ok_and(|it| by(&it));
    match format {
        Format::Chat => mentions("\"trimtab\"") && holds(in_chat),
        Format::Messages => (mentions(MARK) || leaves_unsigned(body)) && holds(in_messages),
        Format::Generate => mentions(MARK_IN_BASE64) && holds(in_generate),
        _ => false,
    }
}

/// Whether something has an empty signature.
fn leaves_unsigned(body: &[u8]) -> bool {
    const NAME: &[u8] = b"\"signature\"";
    memmem::find_iter(body, NAME).any(|at| {
        let rest = body.get(at + NAME.len()..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":");
        value.is_some_and(|value| value.trim_ascii_start().starts_with(b"\"\""))
    })
}

fn in_chat(request: &Value) -> bool {
    let marked = |it: &Value| it["extra_content"]["trimtab"].is_object();
    all(&request["messages"])
        .any(|message| marked(message) || all(&message["tool_calls"]).any(marked))
}

fn in_messages(request: &Value) -> bool {
    let blocks = all(&request["messages"]).flat_map(|message| all(&message["content"]));
    blocks
        .filter_map(|block| match block["type"].as_str()? {
            // An empty signature is that of a maker that signs no thoughts.
            "thinking" => block["signature"].as_str(),
            "redacted_thinking" => block["data"].as_str(),
            _ => None,
        })
        .any(|signature| signature.is_empty() || signature.starts_with(MARK))
}

fn in_generate(request: &Value) -> bool {
    let parts = all(&request["contents"]).flat_map(|content| all(&content["parts"]));
    let names = ["thoughtSignature", "thought_signature"];
    parts
        .flat_map(|part| names.map(|name| part[name].as_str()))
        .flatten()
        .any(|signature| signature.starts_with(MARK_IN_BASE64))
}

/// The items of a list; what is none is its only item.
fn all(value: &Value) -> std::slice::Iter<'_, Value> {
    match value {
        Value::Array(items) => items.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_count() {
        let thinking = |signature: &str| {
            format!(
                r#"{{"messages":[{{"role":"assistant","content":[{{"type":"thinking","thinking":"x","signature" : {signature}}}]}}]}}"#
            )
        };
        for (format, body, foreign) in [
            (Format::Messages, thinking("\"c2ln\""), false),
            (Format::Messages, thinking("\"\""), true),
            (Format::Messages, thinking("\"trimtab:google::c2ln\""), true),
            (
                Format::Messages,
                r#"{"system":"what is \"trimtab:\" and \"signature\": \"\"?"}"#.to_owned(),
                false,
            ),
            (
                Format::Messages,
                r#"{"messages":[{"role":"user","content":"trimtab: hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"signature":""}},{"type":"text","text":"trimtab:openai::x"}]}]}"#.to_owned(),
                false,
            ),
            (
                Format::Messages,
                r#"{"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"trimtab:google::c2ln"}]}]}"#.to_owned(),
                true,
            ),
            (
                Format::Chat,
                r#"{"messages":[{"role":"assistant","extra_content":{"trimtab":{"signature":"x"}}}]}"#.to_owned(),
                true,
            ),
            (
                Format::Chat,
                r#"{"messages":[{"role":"assistant","tool_calls":[{"extra_content":{"trimtab":{"signature":"x"}}}]}]}"#.to_owned(),
                true,
            ),
            (
                Format::Chat,
                r#"{"model":"trimtab","messages":[{"role":"user","name":"trimtab","content":"trimtab"}]}"#.to_owned(),
                false,
            ),
            (
                Format::Generate,
                r#"{"contents":[{"parts":[{"thought_signature":"dHJpbXRhYjphbnRocm9waWM6OnM="}]}]}"#.to_owned(),
                true,
            ),
            (
                Format::Generate,
                r#"{"contents":{"parts":[{"text":"x","thoughtSignature":"dHJpbXRhYjphbnRocm9waWM6OnM="}]}}"#.to_owned(),
                true,
            ),
            (
                Format::Generate,
                r#"{"contents":[{"parts":[{"inlineData":{"data":"dHJpbXRhYjphbnRocm9waWM6OnM="}},{"text":"dHJpbXRhYj","thoughtSignature":"c2ln"}]}]}"#.to_owned(),
                false,
            ),
            (Format::Embeddings, thinking("\"\""), false),
        ] {
            assert_eq!(is_in(format, body.as_bytes()), foreign, "{format:?} {body}");
        }
    }
}
