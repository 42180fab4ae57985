//! Requests and the bodies that they become.
//!
//! # Invariants
//! - Bodies are compared as JSON.

use serde_json::json;

use super::*;
use crate::chat::{Maker, Signature};

fn written(request: &Request) -> (Value, Vec<&'static str>, Option<&'static str>) {
    let target = Target {
        model: "command-a-03-2025",
        default_max_tokens: 9,
        most_max_tokens: Some(100),
    };
    let (body, losses) = write(request, &target);
    (
        serde_json::from_slice(&body).unwrap(),
        losses.names().collect(),
        losses.of_meaning(),
    )
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn user(text: &str) -> Message {
    message(Role::User, vec![Part::text(text)])
}

fn thought(signature: Option<Signature>) -> Part {
    Part::Thinking {
        text: "hm".to_owned(),
        signature,
    }
}

fn call() -> Part {
    Part::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{\"a\": 1.0}".to_owned(),
        signature: None,
    }
}

fn result(content: Vec<Part>) -> Part {
    Part::ToolResult {
        id: "c".to_owned(),
        name: String::new(),
        content,
        is_error: true,
        cache: false,
    }
}

#[test]
fn the_least_request_is_the_least_body() {
    let request = Request {
        messages: vec![user("hi")],
        ..Request::default()
    };
    let (body, names, _) = written(&request);
    assert_eq!(
        body,
        json!({"model": "command-a-03-2025", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "stream": false})
    );
    assert!(names.is_empty());
}

#[test]
fn turns_are_written() {
    let request = Request {
        messages: vec![
            message(Role::Developer, vec![Part::text("s")]),
            message(
                Role::Assistant,
                vec![thought(None), Part::text("a"), call()],
            ),
            message(
                Role::User,
                vec![result(vec![Part::text("r")]), Part::text("go on")],
            ),
            message(Role::User, vec![result(vec![])]),
            message(Role::Assistant, vec![thought(None), Part::text("")]),
            message(
                Role::Assistant,
                vec![thought(Some(Signature::new(Maker::Google, "x"))), call()],
            ),
        ],
        ..Request::default()
    };
    let (body, names, meaning) = written(&request);
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let calls = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1.0}"}}]);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": text("s")},
            {"role": "assistant", "content": text("a"), "tool_plan": "hm", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c", "content": text("r")},
            {"role": "user", "content": text("go on")},
            {"role": "tool", "tool_call_id": "c", "content": text("")},
            {"role": "assistant", "tool_calls": calls},
        ])
    );
    assert_eq!((names, meaning), (vec!["is_error", "thinking"], None));
}

#[test]
fn images_are_sent_and_other_media_cannot_be() {
    let media = |source: Source| Media {
        source,
        mime: "image/gif".to_owned(),
        name: String::new(),
        detail: "low".to_owned(),
        cache: false,
    };
    let of = |part: Part| {
        written(&Request {
            messages: vec![message(Role::User, vec![part])],
            ..Request::default()
        })
    };
    let base64 = Source::Base64("AA".to_owned());
    let (body, names, _) = of(Part::Image(media(base64.clone())));
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA", "detail": "low"}}])
    );
    assert!(names.is_empty());
    let (body, ..) = of(Part::Document(media(Source::Text("t".to_owned()))));
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "text", "text": "t"}])
    );
    for (part, name) in [
        (Part::Document(media(base64.clone())), "document"),
        (Part::Audio(media(base64.clone())), "audio"),
        (Part::Image(media(Source::File("f".to_owned()))), "image"),
        (result(vec![Part::Image(media(base64))]), "image"),
    ] {
        assert_eq!(of(part).2, Some(name));
    }
}

#[test]
fn tools_are_offered_as_the_client_chose() {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: None,
        schema: Value::Null,
        strict: None,
        cache: false,
    };
    let mut request = Request {
        messages: vec![user("q")],
        tools: vec![tool("f"), tool("g")],
        ..Request::default()
    };
    let among = |required| ToolChoice::Among {
        names: vec!["g".to_owned()],
        required,
    };
    let cases = [
        (ToolChoice::Auto, &["f", "g"][..], Value::Null),
        (ToolChoice::None, &["f", "g"], json!("NONE")),
        (ToolChoice::Required, &["f", "g"], json!("REQUIRED")),
        (ToolChoice::Named("f".to_owned()), &["f"], json!("REQUIRED")),
        (among(true), &["g"], json!("REQUIRED")),
        (among(false), &["g"], Value::Null),
    ];
    for (choice, names, expected) in cases {
        request.tool_choice = Some(choice);
        let (body, ..) = written(&request);
        let offered: Vec<&str> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(offered, names);
        assert_eq!(body["tool_choice"], expected);
    }
    request.tools.clear();
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(written(&request).0.get("tool_choice"), None);
}

#[test]
fn numbers_are_kept_within_ranges() {
    let mut request = Request {
        messages: vec![user("q")],
        max_tokens: Some(1_000),
        stream: true,
        stop: (0..6).map(|n| n.to_string()).collect(),
        sampling: Sampling {
            temperature: Some(0.5),
            top_p: Some(1.0),
            top_k: Some(7),
            frequency_penalty: Some(-2.0),
            presence_penalty: Some(0.5),
            seed: Some(3),
            ..Sampling::default()
        },
        ..Request::default()
    };
    let (body, names, _) = written(&request);
    for (name, expected) in [
        ("max_tokens", json!(100)),
        ("stream", json!(true)),
        ("stop_sequences", json!(["0", "1", "2", "3", "4"])),
        ("temperature", json!(0.5)),
        ("p", json!(0.99)),
        ("k", json!(7)),
        ("frequency_penalty", json!(0.0)),
        ("presence_penalty", json!(0.5)),
        ("seed", json!(3)),
    ] {
        assert_eq!(body[name], expected, "{name}");
    }
    assert_eq!(names, ["stop", "frequency_penalty"]);
    request.sampling = Sampling {
        seed: Some(-1),
        choices: Some(2),
        top_k: Some(600),
        ..Sampling::default()
    };
    request.stop.clear();
    let (_, names, meaning) = written(&request);
    assert_eq!(names, ["n", "seed", "top_k"]);
    assert_eq!(meaning, Some("n"));
}

#[test]
fn format_and_thinking_are_written() {
    let mut request = Request {
        messages: vec![user("q")],
        format: Some(OutputFormat::Json),
        ..Request::default()
    };
    assert_eq!(
        written(&request).0["response_format"],
        json!({"type": "json_object"})
    );
    request.format = Some(OutputFormat::Schema {
        name: "n".to_owned(),
        description: None,
        schema: json!({"type": "object"}),
        strict: None,
    });
    assert_eq!(
        written(&request).0["response_format"],
        json!({"type": "json_object", "json_schema": {"type": "object"}})
    );
    for (effort, budget, expected) in [
        (None, None, Value::Null),
        (Some(Effort::None), None, json!({"type": "disabled"})),
        (
            Some(Effort::High),
            None,
            json!({"type": "enabled", "token_budget": 4096}),
        ),
        (
            Some(Effort::High),
            Some(50),
            json!({"type": "enabled", "token_budget": 50}),
        ),
    ] {
        request.reasoning = Some(Reasoning {
            effort,
            budget,
            shown: None,
        });
        assert_eq!(written(&request).0["thinking"], expected);
    }
}

#[test]
fn who_wants_probabilities_is_served_elsewhere() {
    let mut request = Request::default();
    request.sampling.logprobs = Some(0);
    assert_eq!(written(&request).2, Some("logprobs"));
}
