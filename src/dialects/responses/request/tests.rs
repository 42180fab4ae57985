//! What is understood of a client's request, and how a provider is asked.

use serde_json::{Value, json};

use super::super::super::meeting::Target;
use super::{read, write};
use crate::chat::{
    Effort, Loss, Losses, Maker, Media, Message, OutputFormat, Part, Reasoning, Request, Role,
    Sampling, Signature, Source, Tool, ToolChoice,
};

const TARGET: Target<'_> = Target {
    model: "up",
    default_max_tokens: 4096,
    most_max_tokens: None,
};

fn request(body: &Value) -> Request {
    read(body.to_string().as_bytes()).unwrap()
}

fn written(request: &Request) -> (Value, Losses) {
    let (bytes, losses) = write(request, &TARGET);
    (serde_json::from_slice(&bytes).unwrap(), losses)
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
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

fn media(source: Source, mime: &str, name: &str, detail: &str) -> Media {
    Media {
        source,
        mime: mime.to_owned(),
        name: name.to_owned(),
        detail: detail.to_owned(),
        cache: false,
    }
}

/// What Codex sends in its second turn.
fn codex() -> Value {
    json!({
        "model": "gpt-5.3-codex",
        "instructions": "You are Codex.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "sandboxed"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look"}], "encrypted_content": "enc"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}], "phase": "commentary"},
            {"type": "function_call", "name": "shell", "arguments": "{\"cmd\": \"ls\"}", "call_id": "call_1"},
            {"type": "function_call", "name": "log", "namespace": "mcp__git__", "arguments": "", "call_id": "call_2"},
            {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin\n", "call_id": "call_3", "status": "completed"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a.rs"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "c1"}, {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]},
            {"type": "custom_tool_call_output", "call_id": "call_3", "output": "done"}
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "Runs", "strict": false, "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}}},
            {"type": "namespace", "name": "mcp__git__", "description": "Git", "tools": [{"type": "function", "name": "log", "parameters": {"type": "object"}}]},
            {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "web_search", "external_web_access": false}
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": false,
        "stream": true,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread-1",
        "text": {"verbosity": "low"},
        "client_metadata": {"turn": "1"}
    })
}

#[test]
fn a_conversation_of_codex_is_understood() {
    let request = request(&codex());
    let thinking = Part::Thinking {
        text: "Look".to_owned(),
        signature: Some(Signature {
            maker: Maker::OpenAi,
            id: "rs_1".to_owned(),
            text: "enc".to_owned(),
        }),
    };
    let image = Part::Image(media(
        Source::Base64("AA==".to_owned()),
        "image/png",
        "",
        "",
    ));
    assert_eq!(
        request.messages,
        [
            message(Role::System, vec![Part::text("You are Codex.")]),
            message(Role::Developer, vec![Part::text("sandboxed")]),
            message(Role::User, vec![Part::text("fix it")]),
            message(
                Role::Assistant,
                vec![
                    thinking,
                    Part::text("I look."),
                    call("call_1", "shell", "{\"cmd\": \"ls\"}"),
                    call("call_2", "mcp__git__log", ""),
                    call("call_3", "apply_patch", "{\"input\":\"*** Begin\\n\"}"),
                ]
            ),
            message(
                Role::User,
                vec![
                    result("call_1", "shell", vec![Part::text("a.rs")]),
                    result("call_2", "mcp__git__log", vec![Part::text("c1"), image]),
                    result("call_3", "apply_patch", vec![Part::text("done")]),
                ]
            ),
        ]
    );
}

#[test]
fn tools_and_fields_of_codex_are_understood() {
    let request = request(&codex());
    let names: Vec<&str> = request
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["shell", "mcp__git__log", "apply_patch"]);
    let patch = request.tools.last().unwrap();
    assert_eq!(patch.schema["required"], json!(["input"]));
    assert_eq!(
        patch.description.as_deref(),
        Some("Patches.\n\n`input` must follow this lark grammar:\nstart: x")
    );
    assert_eq!(request.tools[0].strict, Some(false));
    assert_eq!(request.tool_choice, Some(ToolChoice::Auto));
    assert_eq!(request.parallel_tools, Some(true));
    assert_eq!(
        request.reasoning,
        Some(Reasoning {
            effort: Some(Effort::High),
            budget: None,
            shown: Some(true)
        })
    );
    assert_eq!(request.cache_key.as_deref(), Some("thread-1"));
    assert!(request.stream);
    assert_eq!(
        request.unknown,
        ["client_metadata", "web_search", "text.verbosity"]
    );
    let mut losses = Losses::default();
    losses.add_unknown(&request.unknown);
    assert_eq!(losses.of_meaning(), None, "Codex is served by any provider");
}

#[test]
fn every_field_has_its_place() {
    let request = request(&json!({
        "model": "m", "input": "hi", "max_output_tokens": 64, "temperature": 0.5, "top_p": 0.9, "top_logprobs": 3,
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": true}},
        "user": "u", "safety_identifier": "safe", "service_tier": "flex", "tool_choice": {"type": "function", "name": "f"}
    }));
    let expected = Request {
        messages: vec![message(Role::User, vec![Part::text("hi")])],
        max_tokens: Some(64),
        sampling: Sampling {
            temperature: Some(0.5),
            top_p: Some(0.9),
            logprobs: Some(3),
            ..Sampling::default()
        },
        format: Some(OutputFormat::Schema {
            name: "s".to_owned(),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        }),
        user: Some("safe".to_owned()),
        service_tier: Some("flex".to_owned()),
        tool_choice: Some(ToolChoice::Named("f".to_owned())),
        ..Request::default()
    };
    assert_eq!(request, expected);
}

#[test]
fn media_are_found_wherever_they_are() {
    let part = |part: Value| {
        let body = json!({"input": [{"role": "user", "content": [part]}]});
        let mut request = request(&body);
        request.messages.pop().and_then(|mut last| last.parts.pop())
    };
    let base64 = || Source::Base64("AA==".to_owned());
    let cases = [
        (
            json!({"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}),
            Part::Image(media(
                Source::Url("https://x/y.png".to_owned()),
                "",
                "",
                "low",
            )),
        ),
        (
            json!({"type": "input_image", "file_id": "file-1"}),
            Part::Image(media(Source::File("file-1".to_owned()), "", "", "")),
        ),
        (
            json!({"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}),
            Part::Document(media(base64(), "application/pdf", "a.pdf", "")),
        ),
        (
            json!({"type": "input_file", "file_data": "AA==", "filename": "a.pdf"}),
            Part::Document(media(base64(), "", "a.pdf", "")),
        ),
        (
            json!({"type": "input_file", "file_url": "https://x/a.pdf"}),
            Part::Document(media(Source::Url("https://x/a.pdf".to_owned()), "", "", "")),
        ),
        (
            json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}),
            Part::Audio(media(base64(), "audio/mpeg", "", "")),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(part(json.clone()), Some(expected), "{json}");
    }
}

/// Checks that this alone is lost of a request, and how much that matters.
fn is_lost(body: &Value, name: &'static str, loss: Loss) {
    assert_eq!(request(body).unknown, [name], "{body}");
    assert_eq!(Loss::of(name), loss, "{name}");
}

fn with_item(item: Value) -> Value {
    json!({"input": [item]})
}

fn with_tool(kind: &str) -> Value {
    json!({"input": "x", "tools": [{"type": kind}]})
}

#[test]
fn what_a_request_means_nothing_without_is_named() {
    for (body, name) in [
        (
            json!({"input": "x", "previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
        (
            json!({"input": "x", "conversation": {"id": "conv_1"}}),
            "conversation",
        ),
        (json!({"input": "x", "background": true}), "background"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (
            with_item(json!({"type": "item_reference", "id": "msg_1"})),
            "item_reference",
        ),
        (with_item(json!({"id": "msg_1"})), "item_reference"),
        (
            with_item(
                json!({"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"type": "exec"}}),
            ),
            "input item",
        ),
        (
            with_item(
                json!({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]}),
            ),
            "input item",
        ),
        (
            with_item(json!({"type": "tool_search_call", "arguments": {"q": 1}})),
            "input item",
        ),
        (with_item(json!({"type": "brand_new"})), "input item"),
        (
            with_item(json!({"role": "user", "content": [{"type": "input_video"}]})),
            "content part",
        ),
        (
            with_item(json!({"role": "user", "content": 7})),
            "content part",
        ),
        (with_tool("mcp"), "mcp"),
        (with_tool("file_search"), "file_search"),
        (with_tool("code_interpreter"), "code_interpreter"),
        (with_tool("computer_use_preview"), "computer_use"),
        (with_tool("local_shell"), "local_shell"),
        (with_tool("brand_new"), "hosted tools"),
        (
            json!({"input": "x", "tool_choice": {"type": "web_search"}}),
            "tool_choice",
        ),
    ] {
        is_lost(&body, name, Loss::Meaning);
    }
}

#[test]
fn hints_are_named_if_they_ask_for_anything() {
    for (body, name) in [
        (json!({"input": "x", "store": true}), "store"),
        (json!({"input": "x", "metadata": {"a": "b"}}), "metadata"),
        (json!({"input": "x", "truncation": "auto"}), "truncation"),
        (
            json!({"input": "x", "include": ["file_search_call.results"]}),
            "include",
        ),
        (
            json!({"input": "x", "reasoning": {"effort": "ultra"}}),
            "reasoning.effort",
        ),
        (
            with_item(
                json!({"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}),
            ),
            "hosted tool calls",
        ),
        (with_tool("web_search_preview"), "web_search"),
        (with_tool("image_generation"), "image_generation"),
    ] {
        is_lost(&body, name, Loss::Hint);
    }
    let nothing = json!({"input": "x", "store": false, "metadata": {}, "truncation": "disabled", "background": null,
        "previous_response_id": null, "include": ["reasoning.encrypted_content"], "text": {"verbosity": "medium"}});
    assert!(request(&nothing).unknown.is_empty());
}

#[test]
fn what_is_no_request_is_refused() {
    for body in [
        "",
        "<html>",
        r#"{"input":7}"#,
        r#"{"input":[{"type":"message","role":"king","content":"x"}]}"#,
        r#"{"input":[{"type":"function_call","name":"f"}]}"#,
        r#"{"input":[{"type":"function_call_output","output":"x"}]}"#,
        r#"{"input":"x","tools":[{"type":"function"}]}"#,
        r#"{"input":"x","tool_choice":"perhaps"}"#,
        r#"{"input":"x","text":{"format":{"type":"xml"}}}"#,
        r#"{"input":"x","instructions":[1]}"#,
    ] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn allowed_tools_are_named_as_the_model_knows_them() {
    let request = request(&json!({
        "input": "x",
        "tools": [{"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "b"}, {"type": "function", "name": "a"}]}],
        "tool_choice": {"type": "allowed_tools", "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "namespace", "name": "crm"}]}
    }));
    let names = ["f", "crm__a", "crm__b"].map(str::to_owned).to_vec();
    assert_eq!(
        request.tool_choice,
        Some(ToolChoice::Among {
            names,
            required: true
        })
    );
}

/// A request with every kind of part.
fn various() -> Request {
    let own = Signature {
        maker: Maker::OpenAi,
        id: "rs_1".to_owned(),
        text: "enc".to_owned(),
    };
    Request {
        messages: vec![
            message(Role::System, vec![Part::text("be brief")]),
            message(
                Role::User,
                vec![
                    Part::text("look"),
                    Part::Image(media(
                        Source::Base64("AA==".to_owned()),
                        "image/jpeg",
                        "",
                        "",
                    )),
                    Part::Document(media(Source::Base64("BB==".to_owned()), "", "", "")),
                    Part::Audio(media(
                        Source::Base64("CC==".to_owned()),
                        "audio/mpeg",
                        "",
                        "",
                    )),
                ],
            ),
            message(
                Role::Assistant,
                vec![
                    Part::Thinking {
                        text: "hm".to_owned(),
                        signature: Some(own),
                    },
                    Part::text("I look"),
                    call("call_1", "f", "{\"x\": 1.0}"),
                    call("call_2", "g", ""),
                ],
            ),
            message(
                Role::User,
                vec![
                    result("call_1", "f", vec![Part::text("one")]),
                    result("call_2", "g", vec![]),
                    Part::text("go on"),
                ],
            ),
        ],
        tools: vec![Tool {
            name: "f".to_owned(),
            description: None,
            schema: Value::Null,
            strict: None,
            cache: false,
        }],
        tool_choice: Some(ToolChoice::Required),
        parallel_tools: Some(false),
        max_tokens: Some(100),
        format: Some(OutputFormat::Json),
        reasoning: Some(Reasoning {
            effort: None,
            budget: Some(2_048),
            shown: Some(true),
        }),
        cache_key: Some("k".to_owned()),
        stream: true,
        ..Request::default()
    }
}

#[test]
fn a_provider_is_asked_in_items() {
    let (value, losses) = written(&various());
    let expected = json!({
        "model": "up", "store": false, "stream": true, "max_output_tokens": 100,
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be brief"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:image/jpeg;base64,AA==", "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,BB==", "filename": "file.pdf"},
                {"type": "input_audio", "input_audio": {"data": "CC==", "format": "mp3"}}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look"}]},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"x\": 1.0}"},
            {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
            {"type": "function_call_output", "call_id": "call_2", "output": ""},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]}
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false}],
        "tool_choice": "required", "parallel_tool_calls": false,
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k"
    });
    assert_eq!(value, expected);
    assert!(losses.is_empty());
}

#[test]
fn losses_are_told() {
    let thinking = Part::Thinking {
        text: "hm".to_owned(),
        signature: Some(Signature::new(Maker::Anthropic, "s")),
    };
    let mut request = Request {
        messages: vec![message(Role::Assistant, vec![thinking, Part::text("a")])],
        max_tokens: Some(1),
        unknown: vec!["seed"],
        ..Request::default()
    };
    let (value, losses) = written(&request);
    assert_eq!(
        losses.names().collect::<Vec<_>>(),
        ["seed", "thinking", "max_tokens"]
    );
    assert_eq!(losses.of_meaning(), None);
    assert_eq!(value["max_output_tokens"], 16);
    assert_eq!(value["input"].as_array().map(Vec::len), Some(1));
    assert_eq!(value.get("include"), None);
    request.stop = vec!["END".to_owned()];
    assert_eq!(written(&request).1.of_meaning(), Some("stop"));
    request.stop.clear();
    request.sampling.choices = Some(2);
    assert_eq!(written(&request).1.of_meaning(), Some("n"));
}

#[test]
fn a_request_survives_the_way_through() {
    let first = request(&codex());
    let (bytes, _) = write(&first, &TARGET);
    let second = read(&bytes).unwrap();
    assert_eq!(second.messages.len(), first.messages.len());
    assert_eq!(second.reasoning, first.reasoning);
    assert_eq!(second.cache_key, first.cache_key);
    assert_eq!(second.tool_choice, first.tool_choice);
    assert_eq!(second.tools.len(), first.tools.len());
    let (bytes, losses) = write(&second, &TARGET);
    assert_eq!(read(&bytes).unwrap(), second);
    assert!(losses.is_empty());
}

#[test]
fn a_model_is_asked_for_nothing_that_it_refuses() {
    let mut request = various();
    request.tools[0].strict = Some(true);
    request.tools[0].schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    request.sampling.temperature = Some(0.5);
    request.user = Some("u".repeat(65));
    let of = |model| {
        let target = Target { model, ..TARGET };
        let (bytes, losses) = write(&request, &target);
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let losses: Vec<_> = losses.names().map(str::to_owned).collect();
        (value, losses)
    };
    let (plain, losses) = of("gpt-4o");
    assert_eq!(losses, ["reasoning", "strict", "user"]);
    assert_eq!(plain["temperature"], 0.5);
    assert_eq!(plain["tools"][0]["strict"], false);
    for name in ["reasoning", "include", "user"] {
        assert_eq!(plain.get(name), None, "{name}");
    }
    let (thinker, losses) = of("gpt-5");
    assert_eq!(losses, ["temperature", "strict", "user"]);
    assert_eq!(thinker.get("temperature"), None);
    assert_eq!(thinker["reasoning"]["effort"], "medium");
    request.tools.clear();
    let (bytes, _) = write(&request, &TARGET);
    let bare: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(bare.get("tool_choice"), None);
}
