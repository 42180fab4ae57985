//! What is understood of what clients send?
//!
//! # Invariants
//! - What is not understood is told, by name or in words.

use serde_json::{Value, json};

use super::super::read;
use super::{asking, call, image, parsed, result, turn};
use crate::chat::{Effort, Message, Part, Request, Role, Source};

fn check(messages: Value, turns: &[Message]) {
    assert_eq!(parsed(&json!({ "messages": messages })).messages, turns);
}

#[test]
fn legacy_functions_are_tools() {
    let id = "call_function_1";
    check(
        json!([
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "y"},
        ]),
        &[
            turn(Role::User, vec![Part::text("x")]),
            turn(Role::Assistant, vec![call(id, "f", "{}")]),
            turn(Role::User, vec![result(id, "f", vec![Part::text("y")])]),
        ],
    );
}

#[test]
fn results_that_follow_each_other_are_one_turn() {
    let calls = vec![
        call("a", "f", r#"{"x":1}"#),
        call("b", "g", r#"{"input":"say \"it\""}"#),
    ];
    let results = vec![
        result("a", "f", vec![Part::text("y")]),
        result("b", "g", vec![]),
    ];
    check(
        json!([
            {"role": "assistant", "tool_calls": [
                {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "say \"it\""}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": [
                {"type": "text", "text": "y"}, {"type": "text", "text": ""},
            ]},
            {"role": "tool", "tool_call_id": "b", "content": ""},
            {"role": "user", "content": "z"},
        ]),
        &[
            turn(Role::Assistant, calls),
            turn(Role::User, results),
            turn(Role::User, vec![Part::text("z")]),
        ],
    );
}

#[test]
fn empty_words_are_left_out() {
    check(
        json!([
            {"role": "system", "content": ""},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": ""},
        ]),
        &[turn(Role::User, vec![Part::text("")])],
    );
}

#[test]
fn cache_marks_are_kept() {
    let marked = |role, text: &str| {
        let text = text.to_owned();
        turn(role, vec![Part::Text { text, cache: true }])
    };
    let mark = json!({"type": "ephemeral"});
    check(
        json!([
            {"role": "system", "content": "s", "cache_control": mark},
            {"role": "user", "content": [{"type": "text", "text": "t", "cache_control": mark}]},
        ]),
        &[marked(Role::System, "s"), marked(Role::User, "t")],
    );
    let result = parsed(&json!({"messages": [
        {"role": "tool", "tool_call_id": "a", "content": [
            {"type": "text", "text": "t", "cache_control": mark},
        ]},
    ]}));
    let part = &result.messages[0].parts[0];
    assert!(
        matches!(part, Part::ToolResult { cache: true, content, .. } if *content == [Part::text("t")])
    );
}

#[test]
fn media_are_told_apart_by_their_urls() {
    let held = image(Source::Base64("iVBO".to_owned()), "image/png");
    let unheld = image(Source::Url("data:text/plain,hello".to_owned()), "");
    check(
        json!([{"role": "user", "content": [
            {"type": "file", "file": {"file_data": "data:image/png;base64,iVBO"}},
            {"type": "image_url", "image_url": "DATA:image/png;charset=x;base64,iVBO"},
            {"type": "image_url", "image_url": {"url": "data:text/plain,hello"}},
        ]}]),
        &[turn(Role::User, vec![held.clone(), held, unheld])],
    );
}

#[test]
fn simple_options_are_read() {
    type Get = fn(&Request) -> Value;
    let most: Get = |request| json!(request.max_tokens);
    let stop: Get = |request| json!(request.stop);
    let choice: Get = |request| json!(format!("{:?}", request.tool_choice));
    let sampling: Get = |request| {
        let sampling = &request.sampling;
        json!([sampling.top_k, sampling.choices, sampling.logprobs])
    };
    let named = json!("Some(Named(\"f\"))");
    let function = json!({"name": "f"});
    for (fields, get, expected) in [
        (json!({"max_tokens": 5}), most, json!(5)),
        (
            json!({"max_tokens": 5, "max_completion_tokens": 6}),
            most,
            json!(6),
        ),
        (json!({"max_tokens": null}), most, json!(null)),
        (json!({"stop": "x"}), stop, json!(["x"])),
        (json!({"stop": null}), stop, json!([])),
        (json!({"tool_choice": "none"}), choice, json!("Some(None)")),
        (
            json!({"tool_choice": {"function": function}}),
            choice,
            named.clone(),
        ),
        (json!({"function_call": function}), choice, named),
        (
            json!({"top_k": -1, "n": 1, "top_logprobs": 3}),
            sampling,
            json!([null, null, null]),
        ),
        (
            json!({"top_k": 4, "n": 2, "logprobs": true, "top_logprobs": 3}),
            sampling,
            json!([4, 2, 3]),
        ),
        (json!({"logprobs": true}), sampling, json!([null, null, 0])),
        (
            json!({"functions": [function]}),
            |r| json!(r.tools[0].name),
            json!("f"),
        ),
        (
            json!({"safety_identifier": "s", "user": "u"}),
            |r| json!(r.user),
            json!("s"),
        ),
    ] {
        assert_eq!(get(&parsed(&asking(fields.clone()))), expected, "{fields}");
    }
}

#[test]
fn thinking_is_understood_in_every_field_for_it() {
    for (fields, expected) in [
        (
            json!({"reasoning_effort": "xhigh"}),
            json!(["xhigh", null, null]),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            json!([null, 0, null]),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 9}}),
            json!([null, 9, null]),
        ),
        (json!({"thinking": "yes"}), json!([null, null, null])),
        (
            json!({"reasoning": {"enabled": false}}),
            json!([null, 0, null]),
        ),
        (
            json!({"reasoning": {"effort": "low", "exclude": true}}),
            json!(["low", null, false]),
        ),
    ] {
        let reasoning = parsed(&asking(fields.clone()))
            .reasoning
            .unwrap_or_default();
        let effort = reasoning.effort.map(Effort::name);
        let read = json!([effort, reasoning.budget, reasoning.shown]);
        assert_eq!(read, expected, "{fields}");
    }
}

#[test]
fn what_cannot_be_carried_is_named() {
    let idle = json!({
        "store": false, "modalities": ["text"], "logit_bias": {}, "metadata": null,
        "response_format": {"type": "text"}, "something": 1,
    });
    assert!(parsed(&asking(idle)).unknown.is_empty());
    let asked = json!({
        "store": true, "modalities": ["text", "audio"], "audio": {"voice": "a"},
        "logit_bias": {"1": 2}, "metadata": {"a": "b"}, "prediction": {"type": "content"},
        "web_search_options": {}, "verbosity": "low", "reasoning_effort": "huge",
        "tools": [{"type": "web_search"}, {"type": "custom"}],
        "messages": [{"role": "user", "name": "Ann", "content": [
            {"type": "video_url"}, {"type": "hologram"},
        ]}],
    });
    let mut unknown = parsed(&asking(asked)).unknown;
    unknown.sort_unstable();
    unknown.dedup();
    assert_eq!(
        unknown,
        [
            "audio",
            "content part",
            "hosted tools",
            "logit_bias",
            "metadata",
            "modalities",
            "name",
            "prediction",
            "reasoning_effort",
            "store",
            "verbosity",
            "video_url",
            "web_search_options",
        ]
    );
}

#[test]
fn bad_requests_are_told_in_words() {
    for (body, word) in [
        (json!([]), "object"),
        (json!({}), "messages"),
        (json!({"messages": [{"role": "owl"}]}), "messages[0]"),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "tool_call_id",
        ),
        (
            json!({"messages": [{"role": "user", "content": 3}]}),
            "content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "`text`",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}),
            "name",
        ),
        (asking(json!({"tool_choice": "perhaps"})), "tool_choice"),
        (asking(json!({"tools": [{"type": "function"}]})), "function"),
        (
            asking(json!({"response_format": {"type": "yaml"}})),
            "response_format",
        ),
        (
            asking(json!({"response_format": {"type": "json_schema"}})),
            "schema",
        ),
        (asking(json!({"max_tokens": -1})), "-1"),
    ] {
        let error = read(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(word), "{error} for {body}");
    }
}
