//! What is asked keeps its meaning through Anthropic's words, and what cannot is told.

use serde_json::{Value, json};

use super::super::super::meeting::Target;
use super::{read, write};
use crate::chat::{
    Effort, Loss, Losses, Maker, Media, Message, OutputFormat, Part, Reasoning, Request, Role,
    Sampling, Signature, Source, Tool, ToolChoice,
};

/// A model that is no Claude, and one of each age.
const OTHER: &str = "glm-5";
const OLDEST: &str = "claude-3-5-haiku-20241022";
const OLD: &str = "claude-sonnet-4-5-20250929";
const NEW: &str = "claude-opus-5";

fn target(model: &str) -> Target<'_> {
    Target {
        model,
        default_max_tokens: 4_096,
        most_max_tokens: None,
    }
}

fn written(request: &Request, model: &str) -> (Value, Losses) {
    let (body, losses) = write(request, &target(model));
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn said(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts }
}

fn asked(parts: Vec<Part>) -> Request {
    Request {
        messages: vec![said(Role::User, parts)],
        ..Request::default()
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: "f".into(),
        arguments: arguments.into(),
        signature: None,
    }
}

fn result(id: &str) -> Part {
    Part::ToolResult {
        id: id.to_owned(),
        name: "f".into(),
        content: vec![Part::text("ok")],
        is_error: false,
        cache: false,
    }
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        schema: json!({"type": "object"}),
        strict: None,
        cache: false,
    }
}

fn names(losses: &Losses) -> Vec<&'static str> {
    losses.names().collect()
}

fn parts(content: Value) -> Vec<Part> {
    let body = json!({"messages": [{"role": "user", "content": content}]});
    let mut request = read(body.to_string().as_bytes()).unwrap();
    request.messages.remove(0).parts
}

#[test]
fn a_coding_agents_request_survives() {
    let body = include_bytes!("../../../../tests/golden/anthropic/claude-code.json");
    let original: Value = serde_json::from_slice(body).unwrap();
    let request = read(body).unwrap();
    assert_eq!(
        request.unknown,
        ["context_management", "messages.output_config"]
    );
    let (again, losses) = written(&request, NEW);
    assert_eq!(
        names(&losses),
        [
            "context_management",
            "messages.output_config",
            "system message's place"
        ]
    );
    assert_eq!(losses.of_meaning(), None);
    for field in [
        "model",
        "max_tokens",
        "tools",
        "thinking",
        "output_config",
        "metadata",
        "stream",
    ] {
        assert_eq!(again[field], original[field], "{field}");
    }
    for at in 0..4 {
        assert_eq!(again["system"][at], original["system"][at]);
    }
    assert_eq!(
        again["system"][4]["text"],
        original["messages"][3]["content"]
    );
    assert_eq!(again["messages"].as_array().unwrap().len(), 3);
    for at in 0..2 {
        assert_eq!(again["messages"][at], original["messages"][at], "{at}");
    }
    let marks = again.to_string().matches("cache_control").count();
    assert_eq!(marks, 4);
    let (bytes, _) = write(&request, &target(NEW));
    let third = read(&bytes).unwrap();
    assert_eq!(third.tools, request.tools);
    assert_eq!(third.reasoning, request.reasoning);
    assert_eq!(third.messages[1..], request.messages[1..4]);
}

#[test]
fn arguments_keep_their_words() {
    let body = r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"b": 1.0, "a":12345678901234567890123}}]}]}"#;
    let request = read(body.as_bytes()).unwrap();
    let (again, _) = write(&request, &target(NEW));
    let again = String::from_utf8(again).unwrap();
    assert!(
        again.contains(r#""input":{"b": 1.0, "a":12345678901234567890123}"#),
        "{again}"
    );
    let mut broken = asked(vec![Part::text("a")]);
    broken
        .messages
        .push(said(Role::Assistant, vec![call("t", "{\"a\":")]));
    let (body, losses) = written(&broken, NEW);
    assert_eq!(
        body["messages"][1]["content"][0]["input"],
        json!({"INVALID_JSON": "{\"a\":"})
    );
    assert_eq!(names(&losses), ["arguments"]);
}

#[test]
fn turns_alternate_and_results_come_first() {
    let request = Request {
        messages: vec![
            said(Role::System, vec![Part::text("be kind")]),
            said(Role::User, vec![Part::text("a")]),
            said(Role::User, vec![Part::text(""), Part::text("b")]),
            said(Role::Assistant, vec![call("call.1", "{\"x\":1}")]),
            said(Role::Assistant, vec![call("call_2", "")]),
            said(Role::User, vec![Part::text("and")]),
            said(Role::User, vec![result("call.1"), result("call_2")]),
        ],
        ..Request::default()
    };
    let (body, losses) = written(&request, OTHER);
    assert!(losses.is_empty());
    assert_eq!(body["max_tokens"], 4_096);
    assert_eq!(body["system"][0]["text"], "be kind");
    let turns = body["messages"].as_array().unwrap();
    let roles: Vec<_> = turns.iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let kinds = |at: usize| {
        let blocks = turns[at]["content"].as_array().unwrap().iter();
        blocks
            .map(|block| block["type"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(0), ["text", "text"]);
    assert_eq!(kinds(2), ["tool_result", "tool_result", "text"]);
    let field = |turn: usize, name: &str| {
        let content = turns[turn]["content"].as_array().unwrap().iter();
        content.map(|block| block[name].clone()).collect::<Vec<_>>()
    };
    assert_eq!(field(2, "tool_use_id")[..2], field(1, "id")[..2]);
    assert_eq!(turns[1]["content"][1]["input"], json!({}));
    // A history of calls without tools is refused.
    assert_eq!(body["tools"][0]["name"], "f");
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn a_conversation_begins_with_the_user() {
    let check = |messages: Vec<Message>, expected: Value| {
        let request = Request {
            messages,
            ..Request::default()
        };
        let (body, _) = written(&request, OTHER);
        assert_eq!(body["messages"], expected);
    };
    let text =
        |role: &str, text: &str| json!({"role": role, "content": [{"type": "text", "text": text}]});
    check(
        vec![said(Role::Assistant, vec![Part::text("hello \n")])],
        json!([text("user", "."), text("assistant", "hello")]),
    );
    check(
        vec![said(Role::Developer, vec![Part::text("sing")])],
        json!([text("user", "sing")]),
    );
    check(
        vec![
            said(Role::User, vec![Part::text("a")]),
            said(Role::Assistant, vec![Part::text(" ")]),
        ],
        json!([text("user", "a")]),
    );
    check(Vec::new(), json!([]));
}

/// What is written of `thinking`, and the effort, for who asks for at most 10,000 tokens; and what was lost.
fn thought(model: &str, reasoning: Reasoning) -> (Value, Value, Vec<&'static str>) {
    let mut request = asked(vec![Part::text("a")]);
    request.reasoning = Some(reasoning);
    request.max_tokens = Some(10_000);
    let (body, losses) = written(&request, model);
    let effort = body["output_config"]["effort"].clone();
    (body["thinking"].clone(), effort, names(&losses))
}

fn effort(effort: Effort) -> Reasoning {
    Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    }
}

fn budget(budget: u32) -> Reasoning {
    Reasoning {
        budget: Some(budget),
        ..Reasoning::default()
    }
}

fn shown(shown: bool) -> Reasoning {
    Reasoning {
        shown: Some(shown),
        ..Reasoning::default()
    }
}

#[test]
fn models_with_budgets_are_given_one() {
    let check = |model: &str, reasoning: Reasoning, thinking: Value| {
        let expected = (thinking, Value::Null, Vec::new());
        assert_eq!(thought(model, reasoning), expected, "{model} {reasoning:?}");
    };
    let of = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    check(OTHER, effort(Effort::High), of(4_096));
    check(OLD, budget(3_000), of(3_000));
    check(OLD, budget(10), of(1_024));
    check(OLD, shown(true), of(2_048));
    check(OLD, shown(false), Value::Null);
    check(OLD, budget(0), json!({"type": "disabled"}));
    check(OLDEST, budget(0), Value::Null);
    let lost = (Value::Null, Value::Null, vec!["reasoning"]);
    assert_eq!(thought(OLDEST, effort(Effort::High)), lost);
}

#[test]
fn later_models_are_told_an_effort() {
    let check = |model: &str, reasoning: Reasoning, thinking: Value, effort: Value| {
        let (told, how, lost) = thought(model, reasoning);
        assert_eq!((told, how), (thinking, effort), "{model} {reasoning:?}");
        let kept_on = model == "claude-opus-5-5";
        assert_eq!(lost.contains(&"reasoning"), kept_on, "{model}");
    };
    let adaptive = || json!({"type": "adaptive"});
    let summed = json!({"type": "adaptive", "display": "summarized"});
    let between = json!({"type": "between_tools"});
    check(NEW, effort(Effort::Minimal), adaptive(), json!("low"));
    check(NEW, budget(16_000), adaptive(), json!("max"));
    check(NEW, shown(true), summed, Value::Null);
    let off = json!({"type": "disabled"});
    check(NEW, effort(Effort::None), off, Value::Null);
    check("claude-sonnet-5-5", budget(0), between, json!("low"));
    check("claude-opus-5-5", budget(0), adaptive(), json!("low"));
}

#[test]
fn a_budget_leaves_room_for_the_answer() {
    let check =
        |asked_for: Option<u32>, most: Option<u32>, effort, expected: (u32, Option<u32>)| {
            let mut request = asked(vec![Part::text("a")]);
            request.max_tokens = asked_for;
            request.reasoning = Some(Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            });
            let target = Target {
                most_max_tokens: most,
                ..target(OLD)
            };
            let (body, losses) = write(&request, &target);
            let body: Value = serde_json::from_slice(&body).unwrap();
            let budget = body["thinking"]["budget_tokens"].as_u64();
            let told = (body["max_tokens"].as_u64().unwrap(), budget);
            assert_eq!(
                told,
                (expected.0.into(), expected.1.map(u64::from)),
                "{asked_for:?} {most:?}"
            );
            assert_eq!(losses.is_empty(), budget.is_some());
        };
    check(Some(100), None, Effort::High, (4_196, Some(4_096)));
    check(Some(8_000), None, Effort::High, (8_000, Some(4_096)));
    check(None, None, Effort::Max, (20_480, Some(16_384)));
    check(None, Some(8_192), Effort::Max, (8_192, Some(4_096)));
    check(Some(64_000), Some(8_192), Effort::Max, (8_192, Some(4_096)));
    check(None, Some(1_500), Effort::High, (1_500, None));
    check(Some(u32::MAX), None, Effort::High, (u32::MAX, Some(4_096)));
}

#[test]
fn thinking_excludes_what_is_refused_beside_it() {
    let mut request = asked(vec![Part::text("a")]);
    request.reasoning = Some(Reasoning {
        effort: Some(Effort::High),
        ..Reasoning::default()
    });
    request.sampling = Sampling {
        temperature: Some(0.5),
        top_p: Some(0.5),
        top_k: Some(3),
        ..Sampling::default()
    };
    request.tools = vec![tool("f")];
    request.tool_choice = Some(ToolChoice::Required);
    request.parallel_tools = Some(false);
    let (body, losses) = written(&request, OLD);
    for field in ["temperature", "top_p", "top_k"] {
        assert!(body.get(field).is_none(), "{field}");
    }
    let auto = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(body["tool_choice"], auto);
    assert_eq!(
        names(&losses),
        ["temperature", "top_p", "top_k", "tool_choice"]
    );
    assert_eq!(losses.of_meaning(), None);
    // Nor can a turn take thoughts up that began without them.
    request.messages.extend([
        said(Role::Assistant, vec![call("t", "{}")]),
        said(Role::User, vec![result("t")]),
    ]);
    let (body, losses) = written(&request, OLD);
    assert!(body.get("thinking").is_none());
    assert_eq!(body["tool_choice"]["type"], "any");
    assert!(names(&losses).contains(&"reasoning"));
    let thought = Part::Redacted(Signature::new(Maker::Anthropic, "s"));
    request.messages[1].parts.insert(0, thought);
    assert_eq!(written(&request, OLD).0["thinking"]["type"], "enabled");
}

#[test]
fn settings_are_written_as_the_model_takes_them() {
    let mut request = asked(vec![Part::text("a")]);
    request.sampling = Sampling {
        temperature: Some(1.5),
        top_p: Some(0.5),
        top_k: Some(3),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.0),
        seed: Some(1),
        choices: Some(2),
        logprobs: Some(0),
    };
    request.stop = vec!["END".into(), "\n".into()];
    request.user = Some("u@example.org".into());
    request.service_tier = Some("default".into());
    request.cache_key = Some("k".into());
    let (body, losses) = written(&request, OTHER);
    assert_eq!(
        (&body["temperature"], &body["top_p"], &body["top_k"]),
        (&json!(1.0), &json!(0.5), &json!(3))
    );
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["service_tier"], "standard_only");
    assert_eq!(body.get("metadata"), None);
    assert_eq!(losses.of_meaning(), Some("logprobs"));
    assert_eq!(
        names(&losses),
        [
            "temperature",
            "seed",
            "frequency_penalty",
            "logprobs",
            "n",
            "stop",
            "user",
            "prompt_cache_key"
        ]
    );
    let lost = |model: &str| names(&written(&request, model).1);
    assert!(lost(OLD).contains(&"top_p") && !lost(OLD).contains(&"top_k"));
    assert!(lost(NEW).contains(&"top_p") && lost(NEW).contains(&"top_k"));
}

#[test]
fn tools_are_chosen() {
    let check = |choice: ToolChoice, expected: Value, count: usize| {
        let mut request = asked(vec![Part::text("a")]);
        request.tools = vec![tool("f"), tool("g")];
        request.tool_choice = Some(choice);
        let (body, losses) = written(&request, OTHER);
        assert_eq!(body["tool_choice"], expected);
        assert_eq!(body["tools"].as_array().unwrap().len(), count);
        assert!(losses.is_empty());
    };
    let among = |required| ToolChoice::Among {
        names: vec!["g".into()],
        required,
    };
    check(ToolChoice::Auto, json!({"type": "auto"}), 2);
    check(ToolChoice::None, json!({"type": "none"}), 2);
    check(ToolChoice::Required, json!({"type": "any"}), 2);
    check(
        ToolChoice::Named("f".into()),
        json!({"type": "tool", "name": "f"}),
        2,
    );
    check(among(true), json!({"type": "any"}), 1);
    check(among(false), json!({"type": "auto"}), 1);
    let mut request = asked(vec![Part::text("a")]);
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(written(&request, OTHER).0.get("tool_choice"), None);
    request.tools = vec![Tool {
        schema: Value::Null,
        strict: Some(true),
        ..tool("f")
    }];
    let tools = &written(&request, OTHER).0["tools"];
    assert_eq!(
        tools,
        &json!([{"name": "f", "strict": true, "input_schema": {"type": "object", "properties": {}, "additionalProperties": false}}])
    );
}

#[test]
fn formats_are_asked_for() {
    let mut request = asked(vec![Part::text("a")]);
    request.format = Some(OutputFormat::Json);
    let (body, losses) = written(&request, OTHER);
    assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON"));
    assert_eq!(names(&losses), ["response_format"]);
    request.format = Some(OutputFormat::Schema {
        name: "x".into(),
        description: None,
        schema: json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}, "b": {"type": "object", "additionalProperties": true}}}),
        strict: None,
    });
    let (body, losses) = written(&request, OTHER);
    let schema = &body["output_config"]["format"]["schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["a"]["items"]["additionalProperties"],
        false
    );
    assert_eq!(schema["properties"]["b"]["additionalProperties"], true);
    assert!(losses.is_empty());
    let (body, losses) = written(&request, "claude-opus-4-20250514");
    assert_eq!(body.get("output_config"), None);
    let words = body["system"][0]["text"].as_str().unwrap();
    assert!(words.contains("\"properties\""), "{words}");
    assert_eq!(names(&losses), ["response_format"]);
}

#[test]
fn only_its_own_signatures_go_back_to_anthropic() {
    let thought = |maker, text: &str| Part::Thinking {
        text: text.to_owned(),
        signature: Some(Signature::new(maker, "s")),
    };
    let mut request = asked(vec![Part::text("a")]);
    request.messages.push(said(
        Role::Assistant,
        vec![
            thought(Maker::OpenAi, "hm"),
            Part::text("b"),
            thought(Maker::Anthropic, ""),
            Part::Redacted(Signature::new(Maker::Google, "s")),
            Part::text("c"),
        ],
    ));
    let (body, losses) = written(&request, NEW);
    let expected = json!([
        {"type": "text", "text": "b"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "text", "text": "c"},
    ]);
    assert_eq!(body["messages"][1]["content"], expected);
    assert_eq!(names(&losses), ["thinking"]);
}

#[test]
fn signatures_of_others_find_their_places_again() {
    let google = || Signature::new(Maker::Google, "c2ln");
    let read = parts(json!([
        {"type": "redacted_thinking", "data": "trimtab:google::c2ln"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "redacted_thinking", "data": "trimtab:google::c2ln"},
        {"type": "text", "text": "a"},
        {"type": "redacted_thinking", "data": "own"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "thinking", "thinking": "", "signature": "trimtab:openai:rs_1:enc"},
    ]));
    let mut openai = Signature::new(Maker::OpenAi, "enc");
    openai.id = "rs_1".into();
    let expected = [
        Part::ToolCall {
            id: "t".into(),
            name: "f".into(),
            arguments: "{}".into(),
            signature: Some(google()),
        },
        Part::Thinking {
            text: String::new(),
            signature: Some(google()),
        },
        Part::text("a"),
        Part::Redacted(Signature::new(Maker::Anthropic, "own")),
        Part::Thinking {
            text: "hm".into(),
            signature: None,
        },
        Part::Thinking {
            text: String::new(),
            signature: Some(openai),
        },
    ];
    assert_eq!(read, expected);
}

#[test]
fn media_are_sent_or_told_as_lost() {
    let media = |source: Source, mime: &str| Media {
        source,
        mime: mime.into(),
        name: String::new(),
        detail: String::new(),
        cache: false,
    };
    let check = |part: Part, expected: Result<Value, &str>| {
        let (body, losses) = written(&asked(vec![part.clone(), Part::text("a")]), OTHER);
        let block = &body["messages"][0]["content"][0];
        match expected {
            Ok(source) => assert_eq!(block["source"], source),
            Err(lost) => assert_eq!(losses.of_meaning(), Some(lost), "{part:?}"),
        }
    };
    let base64 = |data: &str| Source::Base64(data.into());
    let url = |url: &str| Source::Url(url.into());
    check(
        Part::Image(media(base64("/9j/4AAQ"), "")),
        Ok(json!({"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"})),
    );
    check(
        Part::Image(media(url("https://a.test/x.png"), "")),
        Ok(json!({"type": "url", "url": "https://a.test/x.png"})),
    );
    check(
        Part::Document(media(Source::Text("t".into()), "text/plain")),
        Ok(json!({"type": "text", "media_type": "text/plain", "data": "t"})),
    );
    check(
        Part::Document(media(Source::File("file_1".into()), "")),
        Ok(json!({"type": "file", "file_id": "file_1"})),
    );
    check(Part::Image(media(url("gs://b/x.png"), "")), Err("url"));
    check(
        Part::Image(media(Source::File("file-1".into()), "")),
        Err("file_id"),
    );
    check(
        Part::Document(media(base64("eA=="), "text/csv")),
        Err("document"),
    );
    check(
        Part::Audio(media(base64("eA=="), "audio/wav")),
        Err("audio"),
    );
}

#[test]
fn cache_marks_beyond_four_are_left_out_from_the_front() {
    let marked = |text: &str| Part::Text {
        text: text.to_owned(),
        cache: true,
    };
    let inner = Part::ToolResult {
        id: "t".into(),
        name: String::new(),
        content: vec![marked("e")],
        is_error: true,
        cache: false,
    };
    let mut request = asked(
        ["a", "b", "c"]
            .map(marked)
            .into_iter()
            .chain([inner])
            .collect(),
    );
    request.tools = vec![Tool {
        cache: true,
        ..tool("f")
    }];
    request
        .messages
        .insert(0, said(Role::System, vec![marked("s")]));
    let (body, losses) = written(&request, OTHER);
    assert_eq!(names(&losses), ["cache_control"]);
    let marked = |block: &Value| block.get("cache_control").is_some();
    assert!(!marked(&body["tools"][0]) && !marked(&body["system"][0]));
    let content = body["messages"][0]["content"].as_array().unwrap();
    assert!(content.iter().all(marked));
    assert_eq!(content[0]["is_error"], true);
    assert!(!marked(&content[0]["content"][0]));
}

#[test]
fn every_way_to_say_it_is_read() {
    let check = |content: Value, expected: Vec<Part>| assert_eq!(parts(content), expected);
    check(json!("a"), vec![Part::text("a")]);
    check(
        json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}, "citations": []}]),
        vec![Part::Text {
            text: "a".into(),
            cache: true,
        }],
    );
    check(
        json!([{"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": "no"}]),
        vec![Part::ToolResult {
            id: "t".into(),
            name: String::new(),
            content: vec![Part::text("no")],
            is_error: true,
            cache: false,
        }],
    );
    let media = |source: Source, mime: &str| Media {
        source,
        mime: mime.into(),
        name: String::new(),
        detail: String::new(),
        cache: false,
    };
    let source = |source: Value| json!([{"type": "image", "source": source}]);
    check(
        source(json!({"type": "base64", "media_type": "image/png", "data": "x"})),
        vec![Part::Image(media(Source::Base64("x".into()), "image/png"))],
    );
    check(
        source(json!({"type": "url", "url": "u"})),
        vec![Part::Image(media(Source::Url("u".into()), ""))],
    );
    check(
        source(json!({"type": "file", "file_id": "f"})),
        vec![Part::Image(media(Source::File("f".into()), ""))],
    );
    check(
        json!([{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]),
        vec![Part::Document(media(
            Source::Text("a\nb".into()),
            "text/plain",
        ))],
    );
}

#[test]
fn thinking_is_read() {
    let check = |thinking: Value,
                 effort: Option<&str>,
                 expected: (Option<Effort>, Option<u32>, Option<bool>)| {
        let body =
            json!({"messages": [], "thinking": thinking, "output_config": {"effort": effort}});
        let reasoning = read(body.to_string().as_bytes()).unwrap().reasoning;
        let read = reasoning.map(|it| (it.effort, it.budget, it.shown));
        assert_eq!(read.unwrap_or_default(), expected, "{body}");
    };
    check(
        json!({"type": "enabled", "budget_tokens": 2_000}),
        None,
        (None, Some(2_000), Some(true)),
    );
    check(
        json!({"type": "adaptive", "display": "omitted"}),
        Some("max"),
        (Some(Effort::Max), None, Some(false)),
    );
    check(
        json!({"type": "disabled"}),
        Some("high"),
        (None, Some(0), None),
    );
    check(
        json!({"type": "between_tools"}),
        None,
        (None, Some(0), None),
    );
    check(Value::Null, Some("low"), (Some(Effort::Low), None, None));
    check(Value::Null, Some("new"), (None, None, None));
}

#[test]
fn what_has_no_meaning_elsewhere_is_named() {
    let body = json!({
        "messages": [{"role": "user", "content": [
            {"type": "search_result", "source": "https://a.test", "title": 3, "content": {"x": []}},
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "x"}]},
            {"type": "document", "source": {"type": "text", "data": "t"}, "citations": {"enabled": true}, "context": "c"},
        ]}],
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}],
        "mcp_servers": [{"type": "url", "url": "u", "name": "n"}],
        "container": "c", "speed": "fast", "inference_geo": null, "fallbacks": "default",
        "output_config": {"effort": "new", "task_budget": {"total": 1}, "format": {"type": "new"}},
    });
    let request = read(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        request.unknown,
        [
            "container",
            "fallbacks",
            "mcp_servers",
            "speed",
            "content block",
            "cache_control.ttl",
            "citations",
            "document.context",
            "hosted tools",
            "output_config.effort",
            "task_budget",
            "output_config.format",
        ]
    );
    let (_, losses) = written(&request, OTHER);
    assert_eq!(losses.of_meaning(), Some("mcp_servers"));
    for grave in ["hosted tools", "content block"] {
        assert_eq!(Loss::of(grave), Loss::Meaning);
    }
}

#[test]
fn what_is_malformed_is_refused_in_words_for_the_client() {
    for (body, expected) in [
        ("[]", "array"),
        ("{}", "messages"),
        (
            r#"{"messages":[{"role":"robot","content":"a"}]}"#,
            "messages.0: the role",
        ),
        (
            r#"{"messages":[{"role":"user","content":3}]}"#,
            "messages.0: content",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "without text",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image"}]}]}"#,
            "without source",
        ),
        (
            r#"{"messages":[{"role":"user","content":[3]}]}"#,
            "messages.0",
        ),
        (
            r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"x"}]}]}"#,
            "object",
        ),
        (
            r#"{"messages":[],"system":[{"type":"text","text":3}]}"#,
            "system",
        ),
        (
            r#"{"messages":[],"tool_choice":{"type":"tool"}}"#,
            "without a name",
        ),
        (r#"{"messages":[],"max_tokens":-1}"#, "max_tokens"),
    ] {
        let error = read(body.as_bytes());
        let error = error.expect_err(body).to_string();
        assert!(
            error.contains(expected) || expected == "array" || expected == "max_tokens",
            "{error}"
        );
    }
    let whole = include_bytes!("../../../../tests/golden/anthropic/claude-code.json");
    let whole = whole.trim_ascii_end();
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "{end}");
    }
    let deep = format!(
        r#"{{"messages":[{{"role":"user","content":{}"#,
        "[".repeat(100_000)
    );
    assert!(read(deep.as_bytes()).is_err());
}
