//! How is a whole answer told in the Responses dialect?
//!
//! # Invariants
//! - Parts become items in their order; words and refusals that follow each other are one message.

use super::super::super::meeting::Frame;
use super::super::item::{Call, Content, Ids, Item, ItemStatus, encrypted, id_of, redacted};
use super::super::names::Names;
use super::super::object::{self, Response, Status};
use crate::chat::{Answer, Part};

/// Writes an answer to a request without tools of namespaces and custom tools.
#[must_use]
pub fn write(answer: &Answer, frame: &Frame) -> Vec<u8> {
    write_named(answer, frame, &Names::default())
}

/// Writes an answer, its tools named as the client names them.
#[must_use]
pub fn write_named(answer: &Answer, frame: &Frame, names: &Names) -> Vec<u8> {
    let id = object::id(&answer.id, frame);
    let output = items(answer, &Ids::of_response(&id), names);
    let model = object::model(&answer.model, frame);
    let begun = Response::begun(&id, model, object::created(answer, frame));
    let tier = answer.service_tier.as_deref().unwrap_or("default");
    let response = begun
        .at_tier(tier)
        .ended(answer.stop, &output, answer.usage.as_ref());
    // Strings and numbers always serialise.
    serde_json::to_vec(&response).unwrap_or_default()
}

fn items(answer: &Answer, ids: &Ids, names: &Names) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(answer.parts.len());
    for part in &answer.parts {
        let place = items.len();
        let content = match part {
            Part::Text { text, .. } => Content::text(text.clone()),
            Part::Refusal(refusal) => Content::Refusal {
                refusal: refusal.clone(),
            },
            Part::Thinking { text, signature } => {
                let id = id_of(signature.as_ref(), ids.of_item("rs", place));
                let signed = signature.as_ref().map(encrypted);
                let summary =
                    (!text.is_empty()).then(|| Content::SummaryText { text: text.clone() });
                items.push(Item::reasoning(id, summary.into_iter().collect(), signed));
                continue;
            }
            Part::Redacted(signature) => {
                let id = id_of(Some(signature), ids.of_item("rs", place));
                items.push(Item::reasoning(id, Vec::new(), Some(redacted(signature))));
                continue;
            }
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                // A call has no place for it: it goes before the call, and finds its way back.
                let signed = signature.as_ref().map(redacted);
                let signed = signed.map(|signed| {
                    Item::reasoning(ids.of_item("rs", place), Vec::new(), Some(signed))
                });
                items.extend(signed);
                let place = items.len();
                let call = Call {
                    call_id: id,
                    seen: name,
                    arguments: if arguments.is_empty() {
                        "{}"
                    } else {
                        arguments
                    },
                };
                items.push(Item::call(ids, place, call, names));
                continue;
            }
            // A model does not answer with these.
            Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult { .. } => {
                continue;
            }
        };
        match items.last_mut() {
            Some(Item::Message { content: said, .. }) => said.push(content),
            _ => items.push(Item::message(
                ids.of_item("msg", place),
                ItemStatus::Completed,
                vec![content],
            )),
        }
    }
    if Status::of(answer.stop) == Status::Incomplete
        && let Some(Item::Message { status, .. }) = items.last_mut()
    {
        *status = ItemStatus::Incomplete;
    }
    items
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::names::names;
    use super::super::read;
    use super::*;
    use crate::chat::{Maker, Signature, Stop, Usage};

    fn frame() -> Frame {
        Frame {
            id: "ab12".to_owned(),
            model: "fast".to_owned(),
            created: 1_700_000_000,
            ..Frame::default()
        }
    }

    fn call(name: &str, arguments: &str) -> Part {
        Part::ToolCall {
            id: "call_1".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            signature: None,
        }
    }

    fn written(answer: &Answer, names: &Names) -> Value {
        serde_json::from_slice(&write_named(answer, &frame(), names)).unwrap()
    }

    #[test]
    fn an_answer_has_every_field_that_sdks_demand() {
        let answer = Answer {
            id: "chatcmpl-1".to_owned(),
            model: "m-1".to_owned(),
            parts: vec![
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: Some(Signature::new(Maker::Anthropic, "s")),
                },
                Part::text("Hello"),
                call("find", "{\"a\": 1}"),
            ],
            stop: Stop::Tools,
            usage: Some(Usage {
                input: 3,
                cache_read: 2,
                output: 4,
                reasoning: 1,
                ..Usage::default()
            }),
            ..Answer::default()
        };
        let value = written(&answer, &Names::default());
        let expected = json!({
            "id": "resp_ab12", "object": "response", "created_at": 1_700_000_000, "status": "completed",
            "background": false, "error": null, "incomplete_details": null, "instructions": null,
            "max_output_tokens": null, "model": "m-1", "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null}, "service_tier": "default", "store": false,
            "temperature": null, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
            "top_p": null, "truncation": "disabled", "user": null, "metadata": {},
            "usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
                "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 10},
            "output": [
                {"type": "reasoning", "id": "rs_ab12_0", "summary": [{"type": "summary_text", "text": "hm"}],
                    "encrypted_content": "trimtab:anthropic::s"},
                {"type": "message", "id": "msg_ab12_1", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]},
                {"type": "function_call", "id": "fc_ab12_2", "status": "completed", "call_id": "call_1",
                    "name": "find", "arguments": "{\"a\": 1}"}
            ]
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_stop_is_told() {
        let check = |stop: Stop, status: &str, reason: Value, item: &str| {
            let answer = Answer {
                parts: vec![Part::text("a"), Part::Refusal("no".to_owned())],
                stop,
                ..Answer::default()
            };
            let value = written(&answer, &Names::default());
            assert_eq!(value["status"], status, "{stop:?}");
            assert_eq!(value["incomplete_details"]["reason"], reason, "{stop:?}");
            assert_eq!(value["output"][0]["status"], item, "{stop:?}");
            assert_eq!(value["output"][0]["content"][1]["refusal"], "no");
            assert_eq!(value["model"], "fast");
        };
        check(Stop::End, "completed", Value::Null, "completed");
        check(Stop::Text, "completed", Value::Null, "completed");
        check(
            Stop::Length,
            "incomplete",
            json!("max_output_tokens"),
            "incomplete",
        );
        check(
            Stop::Filtered,
            "incomplete",
            json!("content_filter"),
            "incomplete",
        );
    }

    #[test]
    fn tools_are_told_in_the_clients_terms() {
        let names = names(
            br#"{"tools":[{"type":"custom","name":"apply_patch"},
                {"type":"namespace","name":"mcp__git__","tools":[{"type":"function","name":"log"}]}]}"#,
        );
        let answer = Answer {
            parts: vec![
                call("apply_patch", "{\"input\":\"*** Begin\\n\"}"),
                call("mcp__git__log", ""),
            ],
            stop: Stop::Tools,
            ..Answer::default()
        };
        let value = written(&answer, &names);
        assert_eq!(
            value["output"],
            json!([
                {"type": "custom_tool_call", "id": "ctc_ab12_0", "status": "completed", "call_id": "call_1",
                    "name": "apply_patch", "input": "*** Begin\n"},
                {"type": "function_call", "id": "fc_ab12_1", "status": "completed", "call_id": "call_1",
                    "name": "log", "namespace": "mcp__git__", "arguments": "{}"}
            ])
        );
    }

    #[test]
    fn what_was_written_is_read_again() {
        let answer = Answer {
            id: "resp_7".to_owned(),
            model: "m-1".to_owned(),
            created: 5,
            parts: vec![
                Part::Redacted(Signature::new(Maker::Anthropic, "r")),
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: Some(Signature::new(Maker::Google, "s")),
                },
                Part::text("Hello"),
                Part::Refusal("no".to_owned()),
                call("find", "{\"a\": 1.50}"),
            ],
            stop: Stop::Tools,
            stop_text: None,
            usage: Some(Usage {
                input: 1,
                output: 2,
                ..Usage::default()
            }),
            service_tier: Some("flex".to_owned()),
        };
        assert_eq!(read(&write(&answer, &frame())), Ok(answer));
    }
}
