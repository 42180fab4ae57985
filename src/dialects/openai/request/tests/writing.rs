//! What do providers get to see?
//!
//! # Invariants
//! - Whatever they do not get to see is a loss.

use serde_json::{Value, json};

use super::{OPENAI, VENDOR, asking, call, image, names, parsed, result, turn, written};
use crate::chat::{
    Effort, Maker, Media, OutputFormat, Part, Reasoning, Request, Role, Sampling, Signature,
    Source, Tool, ToolChoice,
};

#[test]
fn turns_of_one_speaker_become_one_message() {
    let request = Request {
        messages: vec![
            turn(Role::System, vec![Part::text("a"), Part::text("b")]),
            turn(Role::System, vec![Part::text("c")]),
            turn(Role::User, vec![Part::text("d")]),
            turn(
                Role::Assistant,
                vec![Part::Redacted(Signature::new(Maker::Anthropic, "r"))],
            ),
            turn(Role::User, vec![Part::text("e"), Part::text("")]),
            turn(Role::Developer, vec![Part::text("f")]),
        ],
        ..Request::default()
    };
    let (vendor, losses) = written(&request, VENDOR);
    assert_eq!(
        vendor["messages"],
        json!([
            {"role": "system", "content": "a\n\nb\n\nc"},
            {"role": "user", "content": "d\n\ne"},
            {"role": "system", "content": "f"},
        ])
    );
    assert_eq!(names(&losses), ["thinking"]);
    let (openai, _) = written(&request, OPENAI);
    assert_eq!(openai["messages"][2]["role"], "developer");
}

#[test]
fn results_come_before_words_and_their_pictures_after_them() {
    let picture = image(Source::Base64("iVBO".to_owned()), "image/png");
    let mut failed = result("c2", "", vec![picture.clone()]);
    if let Part::ToolResult { is_error, .. } = &mut failed {
        *is_error = true;
    }
    let request = Request {
        messages: vec![
            turn(
                Role::Assistant,
                vec![call("c1", "f", ""), call("c2", "g", "{}")],
            ),
            turn(
                Role::User,
                vec![
                    Part::text("so?"),
                    result("c1", "f", vec![Part::text("one"), picture]),
                ],
            ),
            turn(Role::User, vec![failed]),
        ],
        ..Request::default()
    };
    let (json, losses) = written(&request, VENDOR);
    let url = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}});
    let from = |id: &str| {
        let text = format!("From the result of the tool call {id}:");
        json!({"type": "text", "text": text})
    };
    assert_eq!(
        json["messages"].as_array().unwrap()[1..],
        [
            json!({"role": "tool", "content": "one", "tool_call_id": "c1"}),
            json!({
                "role": "tool",
                "content": "The result follows in the user's next message.",
                "tool_call_id": "c2",
            }),
            json!({"role": "user", "content": [
                from("c1"), url, from("c2"), url, {"type": "text", "text": "so?"},
            ]}),
        ]
    );
    assert_eq!(names(&losses), ["is_error"]);
}

#[test]
fn a_vendor_gets_only_what_all_know() {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: None,
        schema: Value::Null,
        strict: Some(false),
        cache: true,
    };
    let request = Request {
        messages: vec![turn(
            Role::Assistant,
            vec![
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: None,
                },
                Part::Refusal("no".to_owned()),
            ],
        )],
        tools: vec![tool("f"), tool("g")],
        tool_choice: Some(ToolChoice::Among {
            names: vec!["g".to_owned()],
            required: true,
        }),
        max_tokens: Some(5_000),
        sampling: Sampling {
            top_k: Some(3),
            choices: Some(2),
            logprobs: Some(1),
            ..Sampling::default()
        },
        format: Some(OutputFormat::Json),
        reasoning: Some(Reasoning {
            budget: Some(1_024),
            ..Reasoning::default()
        }),
        cache_key: Some("k".to_owned()),
        service_tier: Some("standard_only".to_owned()),
        unknown: vec!["store"],
        ..Request::default()
    };
    let (json, losses) = written(&request, VENDOR);
    assert_eq!(
        json,
        json!({
            "model": VENDOR,
            "messages": [{"role": "assistant", "content": "no", "reasoning_content": "hm"}],
            "tools": [{"type": "function", "function": {
                "name": "g", "parameters": {"type": "object", "properties": {}},
            }}],
            "tool_choice": "required",
            "max_tokens": 1_000,
            "response_format": {"type": "json_object"},
            "reasoning_effort": "low",
            "service_tier": "default",
        })
    );
    assert_eq!(
        names(&losses),
        [
            "store",
            "top_k",
            "n",
            "logprobs",
            "cache_control",
            "prompt_cache_key"
        ]
    );
    assert_eq!(losses.of_meaning(), Some("n"));
}

#[test]
fn effort_is_put_into_words_that_the_model_takes() {
    let effort = |effort| Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    };
    let budget = |budget| Reasoning {
        budget: Some(budget),
        ..Reasoning::default()
    };
    for (model, reasoning, word, lost) in [
        (OPENAI, effort(Effort::Minimal), json!("minimal"), false),
        (OPENAI, effort(Effort::None), json!("none"), false),
        (OPENAI, budget(0), json!("low"), true),
        (OPENAI, budget(9_000), json!("max"), false),
        (VENDOR, effort(Effort::Max), json!("high"), false),
        (VENDOR, effort(Effort::Minimal), json!("low"), false),
        (VENDOR, effort(Effort::None), json!("none"), false),
        (VENDOR, budget(0), Value::Null, false),
        ("gpt-4o", effort(Effort::High), Value::Null, true),
        ("gpt-4o", budget(0), Value::Null, false),
    ] {
        let request = Request {
            reasoning: Some(reasoning),
            ..Request::default()
        };
        let (json, losses) = written(&request, model);
        assert_eq!(json["reasoning_effort"], word, "{model} {reasoning:?}");
        assert_eq!(!losses.is_empty(), lost, "{model} {reasoning:?}");
    }
}

#[test]
fn thoughts_go_only_to_models_that_want_them() {
    let thinking = Part::Thinking {
        text: "hm".to_owned(),
        signature: None,
    };
    let request = Request {
        messages: vec![turn(Role::Assistant, vec![thinking, Part::text("hi")])],
        ..Request::default()
    };
    for (model, thought) in [
        (VENDOR, json!("hm")),
        ("moonshotai/Kimi-K2-Thinking", json!("hm")),
        (OPENAI, Value::Null),
        ("openai/gpt-oss-120b", Value::Null),
        ("mistral-large", Value::Null),
    ] {
        let (json, losses) = written(&request, model);
        assert_eq!(json["messages"][0]["reasoning_content"], thought, "{model}");
        assert_eq!(losses.is_empty(), !thought.is_null(), "{model}");
    }
}

#[test]
fn the_bound_on_tokens_is_named_as_the_model_knows_it() {
    let request = parsed(&asking(json!({"max_tokens": 1})));
    for (model, name) in [
        (OPENAI, "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        (VENDOR, "max_tokens"),
    ] {
        assert_eq!(written(&request, model).0[name], 1, "{model}");
    }
}

#[test]
fn a_long_users_name_is_left_out() {
    for (length, lost) in [(64, false), (65, true)] {
        let request = parsed(&asking(json!({"user": "u".repeat(length)})));
        let (json, losses) = written(&request, OPENAI);
        assert_eq!(json.get("user").is_none(), lost);
        assert_eq!(!losses.is_empty(), lost);
    }
}

#[test]
fn choices_about_tools_need_tools() {
    let request = Request {
        tool_choice: Some(ToolChoice::Auto),
        parallel_tools: Some(true),
        ..Request::default()
    };
    assert_eq!(
        written(&request, VENDOR).0,
        json!({"model": VENDOR, "messages": []})
    );
}

#[test]
fn media_without_a_place_are_losses_of_meaning() {
    let media = |source: Source| Media {
        source,
        mime: String::new(),
        name: "t".to_owned(),
        detail: String::new(),
        cache: false,
    };
    let (url, file) = (
        || Source::Url("https://x".to_owned()),
        || Source::File("file_01".to_owned()),
    );
    for (part, lost) in [
        (Part::Document(media(url())), Some("document url")),
        (Part::Document(media(file())), Some("file_id")),
        (Part::Image(media(file())), Some("file_id")),
        (Part::Audio(media(url())), Some("audio")),
        (Part::Document(media(Source::Text("x".to_owned()))), None),
    ] {
        let request = Request {
            messages: vec![turn(Role::User, vec![part, Part::text("?")])],
            ..Request::default()
        };
        let (json, losses) = written(&request, VENDOR);
        assert_eq!(losses.of_meaning(), lost);
        let said = if lost.is_none() { "t\n\nx\n\n?" } else { "?" };
        assert_eq!(json["messages"][0]["content"], said);
    }
}
