//! Do requests keep their meaning on the way through `chat`?
//!
//! # Invariants
//! - Every case names what is written, not only that something is.

use serde_json::{Value, json};

mod reading;
mod writing;

use super::super::super::meeting::Target;
use super::{read, write};
use crate::chat::{Losses, Maker, Media, Message, Part, Request, Role, Signature, Source};

/// A vendor's model, whose requests hold only what all vendors know.
const VENDOR: &str = "deepseek-chat";

/// A reasoning model of OpenAI's.
const OPENAI: &str = "gpt-5";

fn written(request: &Request, model: &str) -> (Value, Losses) {
    let target = Target {
        model,
        default_max_tokens: 4_096,
        most_max_tokens: Some(1_000),
    };
    let (json, losses) = write(request, &target);
    (serde_json::from_slice(&json).unwrap(), losses)
}

fn names(losses: &Losses) -> Vec<&'static str> {
    losses.names().collect()
}

fn parsed(body: &Value) -> Request {
    read(body.to_string().as_bytes()).unwrap()
}

fn asking(fields: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let all = body.as_object_mut().unwrap();
    all.extend(fields.as_object().unwrap().clone());
    body
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    }
}

fn result(id: &str, name: &str, content: Vec<Part>) -> Part {
    Part::ToolResult {
        id: id.to_owned(),
        name: name.to_owned(),
        content,
        is_error: false,
        cache: false,
    }
}

fn image(source: Source, mime: &str) -> Part {
    Part::Image(Media {
        source,
        mime: mime.to_owned(),
        name: String::new(),
        detail: String::new(),
        cache: false,
    })
}

fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

#[test]
fn a_whole_request_survives() {
    let body = json!({
        "model": "gpt-5.2",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lG", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": "let me see", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1,  \"a\":2}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ]},
            {"role": "tool", "content": "one", "tool_call_id": "c1"},
            {"role": "tool", "content": "two", "tool_call_id": "c2"},
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "user", "content": "please"},
        ],
        "max_completion_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "seed": -7,
        "stop": ["a", "b"],
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "does", "strict": true,
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false},
        }}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {
            "mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}],
        }},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "n", "description": "d", "schema": {"type": "object", "additionalProperties": false}, "strict": true,
        }},
        "reasoning_effort": "none",
        "user": "u",
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    let request = parsed(&body);
    let (back, losses) = written(&request, "gpt-5.2");
    assert_eq!(back, body);
    assert!(losses.is_empty());
    assert_eq!(parsed(&back), request);
}

#[test]
fn signatures_come_back_from_their_carriers() {
    let request = parsed(&json!({"messages": [{
        "role": "assistant",
        "reasoning_content": "hm",
        "extra_content": {"trimtab": {"signature": "trimtab:anthropic::s1"}},
        "tool_calls": [{
            "id": "a",
            "function": {"name": "f", "arguments": ""},
            "extra_content": {"google": {"thought_signature": "s2"}},
        }],
    }]}));
    let signed = |maker, text| Some(Signature::new(maker, text));
    assert_eq!(
        request.messages[0].parts,
        [
            Part::Thinking {
                text: "hm".to_owned(),
                signature: signed(Maker::Anthropic, "s1"),
            },
            Part::ToolCall {
                id: "a".to_owned(),
                name: "f".to_owned(),
                arguments: String::new(),
                signature: signed(Maker::Google, "s2"),
            },
        ]
    );
    let (vendor, losses) = written(&request, VENDOR);
    let bare = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(
        vendor["messages"],
        json!([{"role": "assistant", "content": null, "tool_calls": [bare]}])
    );
    assert_eq!(names(&losses), ["thinking", "thought_signature"]);
    let (google, losses) = written(&request, "google/gemini-3-pro");
    let extra = &google["messages"][0]["tool_calls"][0]["extra_content"];
    assert_eq!(extra, &json!({"google": {"thought_signature": "s2"}}));
    assert_eq!(names(&losses), ["thinking"]);
}
