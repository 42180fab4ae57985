//! Requests and the bodies that they become.
//!
//! # Invariants
//! - Bodies are compared as JSON; where bytes matter, as text.

use serde_json::{Value, json};

use super::*;
use crate::chat::{
    Effort, Maker, Media, Message, OutputFormat, Part, Reasoning, Role, Sampling, Signature,
    Source, Tool,
};

const SONNET_3_7: &str = "anthropic.claude-3-7-sonnet-20250219-v1:0";
const SONNET_4_5: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS_4_7: &str = "anthropic.claude-opus-4-7";
const NOVA: &str = "amazon.nova-pro-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

fn text_of(request: &Request, model: &str) -> (String, Vec<&'static str>, Losses) {
    let target = Target {
        model,
        default_max_tokens: 99,
        most_max_tokens: Some(8_000),
    };
    let (body, losses) = write(request, &target);
    let names = losses.names().collect();
    (String::from_utf8(body).unwrap(), names, losses)
}

fn body(request: &Request, model: &str) -> Value {
    serde_json::from_str(&text_of(request, model).0).unwrap()
}

fn lost(request: &Request, model: &str) -> Vec<&'static str> {
    text_of(request, model).1
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn user(text: &str) -> Message {
    message(Role::User, vec![Part::text(text)])
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    }
}

fn result(id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult {
        id: id.to_owned(),
        name: String::new(),
        content,
        is_error: false,
        cache: false,
    }
}

fn thought(maker: Maker) -> Part {
    Part::Thinking {
        text: String::new(),
        signature: Some(Signature::new(maker, "s=")),
    }
}

fn cached(text: &str) -> Part {
    Part::Text {
        text: text.to_owned(),
        cache: true,
    }
}

fn asking(messages: Vec<Message>) -> Request {
    Request {
        messages,
        ..Request::default()
    }
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: Some(String::new()),
        schema: Value::Null,
        strict: None,
        cache: false,
    }
}

#[test]
fn the_least_request_is_the_least_body() {
    let (text, names, _) = text_of(&asking(vec![user("hi")]), LLAMA);
    assert_eq!(
        text,
        r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#
    );
    assert!(names.is_empty());
}

#[test]
fn turns_alternate_and_system_stands_apart() {
    let request = asking(vec![
        message(Role::System, vec![Part::text("s"), cached("t")]),
        user("a"),
        user(" \n"),
        message(Role::Developer, vec![Part::text("d")]),
        user("b"),
        message(Role::Assistant, vec![Part::text("")]),
        message(Role::Assistant, vec![Part::Refusal("no".to_owned())]),
        message(Role::User, vec![cached("c"), cached("")]),
    ]);
    let written = body(&request, SONNET_3_7);
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        written["system"],
        json!([{"text": "s"}, {"text": "t"}, point, {"text": "d"}])
    );
    assert_eq!(
        written["messages"],
        json!([
            {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
            {"role": "assistant", "content": [{"text": "no"}]},
            {"role": "user", "content": [{"text": "c"}, point]},
        ])
    );
    assert_eq!(lost(&request, SONNET_3_7), ["system message's place"]);
    assert_eq!(
        lost(&request, LLAMA),
        ["cache_control", "system message's place"]
    );
}

#[test]
fn calls_and_results_keep_their_bytes_and_ids() {
    let long = "x".repeat(65);
    let request = asking(vec![
        user("q"),
        message(
            Role::Assistant,
            vec![
                call("c1", "{\"b\": 1.0, \"a\": 2}"),
                call(&long, ""),
                call("c 3", "[1"),
            ],
        ),
        message(
            Role::User,
            vec![
                result("c1", vec![Part::text("r"), Part::text("")]),
                Part::ToolResult {
                    id: long.clone(),
                    name: String::new(),
                    content: Vec::new(),
                    is_error: true,
                    cache: true,
                },
            ],
        ),
        message(Role::User, vec![result("c 3", vec![]), Part::text("go on")]),
    ]);
    let (text, names, _) = text_of(&request, SONNET_3_7);
    assert!(
        text.contains(r#""input":{"b": 1.0, "a": 2}}"#),
        "arguments keep their bytes: {text}"
    );
    let written: Value = serde_json::from_str(&text).unwrap();
    let calls = &written["messages"][1]["content"];
    assert_eq!(calls[1]["toolUse"]["input"], json!({}));
    assert_eq!(calls[2]["toolUse"]["input"], json!({"arguments": "[1"}));
    let results = &written["messages"][2]["content"];
    assert_eq!(results[0]["toolResult"]["content"], json!([{"text": "r"}]));
    assert_eq!(results[1]["toolResult"]["status"], "error");
    assert_eq!(results[2], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(results[4], json!({"text": "go on"}));
    for (at, of) in [(0, 0), (1, 1), (3, 2)] {
        let id = &results[at]["toolResult"]["toolUseId"];
        assert_eq!(*id, calls[of]["toolUse"]["toolUseId"]);
        assert!(id.as_str().unwrap().len() <= 64);
    }
    // The history needs a tool although none is offered.
    assert_eq!(
        written["toolConfig"],
        json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]})
    );
    assert!(names.is_empty());
}

#[test]
fn signed_thoughts_go_to_their_maker_only() {
    let redacted = Part::Redacted(Signature::new(Maker::Anthropic, "cg=="));
    let request = asking(vec![message(
        Role::Assistant,
        vec![thought(Maker::Anthropic), redacted, Part::text("a")],
    )]);
    assert_eq!(
        body(&request, SONNET_3_7)["messages"][0]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "", "signature": "s="}}},
            {"reasoningContent": {"redactedContent": "cg=="}},
            {"text": "a"},
        ])
    );
    assert_eq!(lost(&request, NOVA), ["thinking"]);
    let foreign = asking(vec![message(
        Role::Assistant,
        vec![thought(Maker::OpenAi), Part::text("a")],
    )]);
    assert_eq!(
        body(&foreign, SONNET_3_7)["messages"][0]["content"],
        json!([{"text": "a"}])
    );
    assert_eq!(lost(&foreign, SONNET_3_7), ["thinking"]);
}

#[test]
fn media_are_sent_or_the_request_cannot_be_served() {
    let media = |source: Source, mime: &str| Media {
        source,
        mime: mime.to_owned(),
        name: String::new(),
        detail: "high".to_owned(),
        cache: false,
    };
    let base64 = Source::Base64("AA==".to_owned());
    let request = asking(vec![message(
        Role::User,
        vec![
            Part::Image(media(base64.clone(), "image/png")),
            Part::Document(media(base64.clone(), "application/pdf")),
        ],
    )]);
    assert_eq!(
        body(&request, SONNET_3_7)["messages"][0]["content"],
        json!([
            {"image": {"format": "png", "source": {"bytes": "AA=="}}},
            {"document": {"format": "pdf", "name": "document", "source": {"bytes": "AA=="}}},
        ])
    );
    assert_eq!(lost(&request, SONNET_3_7), ["detail"]);
    for (part, name) in [
        (
            Part::Image(media(Source::Url("https://x".to_owned()), "")),
            "image",
        ),
        (
            Part::Document(media(Source::File("file-1".to_owned()), "")),
            "document",
        ),
        (Part::Audio(media(base64, "audio/wav")), "audio"),
    ] {
        let request = asking(vec![message(Role::User, vec![part])]);
        let (_, _, losses) = text_of(&request, SONNET_3_7);
        assert_eq!(losses.of_meaning(), Some(name));
    }
}

#[test]
fn tools_are_offered_as_the_client_chose() {
    let mut request = asking(vec![user("q")]);
    request.tools = vec![
        Tool {
            description: Some("does".to_owned()),
            schema: json!({"type": "object", "properties": {"a": {}}}),
            cache: true,
            ..tool("f")
        },
        tool("g"),
    ];
    let spec = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}});
    let written = body(&request, SONNET_3_7);
    assert_eq!(
        written["toolConfig"],
        json!({"tools": [
            {"toolSpec": {"name": "f", "description": "does", "inputSchema": {"json": {"type": "object", "properties": {"a": {}}}}}},
            {"cachePoint": {"type": "default"}},
            spec("g"),
        ]})
    );
    assert_eq!(lost(&request, NOVA), ["cache_control"]);
    let choices = [
        (ToolChoice::Auto, json!({"auto": {}})),
        (ToolChoice::Required, json!({"any": {}})),
        (
            ToolChoice::Named("g".to_owned()),
            json!({"tool": {"name": "g"}}),
        ),
    ];
    for (choice, expected) in choices {
        request.tool_choice = Some(choice);
        assert_eq!(
            body(&request, SONNET_3_7)["toolConfig"]["toolChoice"],
            expected
        );
    }
    request.tool_choice = Some(ToolChoice::Among {
        names: vec!["g".to_owned()],
        required: true,
    });
    assert_eq!(
        body(&request, SONNET_3_7)["toolConfig"],
        json!({"tools": [spec("g")], "toolChoice": {"any": {}}})
    );
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(body(&request, SONNET_3_7).get("toolConfig"), None);
    request.messages = vec![user("q"), message(Role::Assistant, vec![call("c", "{}")])];
    assert_eq!(
        body(&request, SONNET_3_7)["toolConfig"],
        json!({"tools": [spec("f")]})
    );
    assert_eq!(lost(&request, SONNET_3_7), ["tool_choice"]);
}

fn thinking(effort: Option<Effort>, budget: Option<u32>) -> Request {
    Request {
        reasoning: Some(Reasoning {
            effort,
            budget,
            shown: Some(true),
        }),
        ..asking(vec![user("q")])
    }
}

#[test]
fn thinking_is_asked_for_as_each_model_understands() {
    let fields = |request: &Request, model: &str| {
        let body = body(request, model);
        body.get("additionalModelRequestFields").cloned()
    };
    let high = thinking(Some(Effort::High), None);
    assert_eq!(
        fields(&high, SONNET_3_7),
        Some(json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}))
    );
    assert_eq!(
        fields(&high, OPUS_4_7),
        Some(
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}})
        )
    );
    assert_eq!(lost(&high, LLAMA), ["reasoning"]);
    assert_eq!(fields(&thinking(None, Some(0)), SONNET_3_7), None);
    assert_eq!(
        fields(&thinking(None, Some(5)), SONNET_3_7),
        Some(json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}))
    );
    let bounded = Request {
        max_tokens: Some(2_000),
        ..thinking(None, Some(50_000))
    };
    assert_eq!(
        fields(&bounded, SONNET_3_7),
        Some(json!({"thinking": {"type": "enabled", "budget_tokens": 1999}}))
    );
    let tight = Request {
        max_tokens: Some(1_000),
        ..high.clone()
    };
    let forced = Request {
        tools: vec![tool("f")],
        tool_choice: Some(ToolChoice::Required),
        ..high.clone()
    };
    let unthought = Request {
        messages: vec![
            user("q"),
            message(Role::Assistant, vec![call("c", "{}")]),
            message(Role::User, vec![result("c", vec![])]),
        ],
        ..high.clone()
    };
    for request in [&tight, &forced, &unthought] {
        assert_eq!(fields(request, SONNET_3_7), None);
        assert_eq!(lost(request, SONNET_3_7), ["reasoning"]);
    }
    assert!(fields(&unthought, OPUS_4_7).is_some());
    let mut thought_of = unthought;
    thought_of.messages[1]
        .parts
        .insert(0, thought(Maker::Anthropic));
    assert!(fields(&thought_of, SONNET_3_7).is_some());
}

#[test]
fn sampling_is_sent_where_it_is_taken() {
    let request = Request {
        sampling: Sampling {
            temperature: Some(1.5),
            top_p: Some(0.9),
            top_k: Some(7),
            ..Sampling::default()
        },
        max_tokens: Some(9_000),
        stop: vec!["x".to_owned(), " ".to_owned()],
        ..asking(vec![user("q")])
    };
    let cases: [(&str, Value, Value, &[&str]); 4] = [
        (
            SONNET_3_7,
            json!({"maxTokens": 8000, "temperature": 1.0, "topP": 0.9, "stopSequences": ["x"]}),
            json!({"top_k": 7}),
            &["temperature"],
        ),
        (
            SONNET_4_5,
            json!({"maxTokens": 8000, "temperature": 1.0, "stopSequences": ["x"]}),
            json!({"top_k": 7}),
            &["top_p", "temperature"],
        ),
        (
            OPUS_4_7,
            json!({"maxTokens": 8000, "stopSequences": ["x"]}),
            Value::Null,
            &["temperature", "top_p", "top_k"],
        ),
        (
            NOVA,
            json!({"maxTokens": 8000, "temperature": 1.0, "topP": 0.9, "stopSequences": ["x"]}),
            json!({"inferenceConfig": {"topK": 7}}),
            &["temperature"],
        ),
    ];
    for (model, inference, additional, names) in cases {
        let written = body(&request, model);
        assert_eq!(written["inferenceConfig"], inference, "{model}");
        assert_eq!(
            written["additionalModelRequestFields"], additional,
            "{model}"
        );
        assert_eq!(lost(&request, model), names, "{model}");
    }
    let thoughtful = Request {
        sampling: request.sampling.clone(),
        ..thinking(Some(Effort::Low), None)
    };
    assert_eq!(body(&thoughtful, SONNET_3_7).get("inferenceConfig"), None);
    assert_eq!(
        lost(&thoughtful, SONNET_3_7),
        ["temperature", "top_p", "top_k"]
    );
}

#[test]
fn format_tier_and_what_is_lost() {
    let mut request = Request {
        format: Some(OutputFormat::Schema {
            name: "n".to_owned(),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        }),
        service_tier: Some("flex".to_owned()),
        ..asking(vec![user("q")])
    };
    let old = body(&request, SONNET_3_7);
    assert_eq!(old.get("outputConfig"), None);
    assert!(
        old["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("{\"type\":\"object\"}")
    );
    let written = body(&request, LLAMA);
    assert_eq!(
        written["outputConfig"],
        json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "n"}}}})
    );
    assert_eq!(written["serviceTier"], json!({"type": "flex"}));
    request.format = Some(OutputFormat::Json);
    request.service_tier = Some("scale".to_owned());
    request.parallel_tools = Some(false);
    request.user = Some("u".to_owned());
    request.unknown = vec!["logit_bias"];
    request.sampling.choices = Some(2);
    let (_, names, losses) = text_of(&request, SONNET_3_7);
    assert_eq!(
        names,
        [
            "logit_bias",
            "parallel_tool_calls",
            "user",
            "n",
            "response_format",
            "service_tier"
        ]
    );
    assert_eq!(losses.of_meaning(), Some("logit_bias"));
}

#[test]
fn who_wants_probabilities_is_served_elsewhere() {
    let mut request = asking(vec![user("q")]);
    request.sampling.logprobs = Some(0);
    assert_eq!(
        text_of(&request, SONNET_3_7).2.of_meaning(),
        Some("logprobs")
    );
}
