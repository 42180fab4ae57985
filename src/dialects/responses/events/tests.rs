//! What a client sees of a stream, and what is understood of a provider's.

use serde_json::{Value, json};

use super::super::super::failure::Failure;
use super::super::super::meeting::{Frame, Mark};
use super::super::names::{Names, names};
use super::{Reader, Writer};
use crate::chat::{Event, Maker, Signature, Stop, Usage, fold};
use crate::stream::sse;

fn frame() -> Frame {
    Frame {
        id: "ab12".to_owned(),
        model: "fast".to_owned(),
        created: 7,
        ..Frame::default()
    }
}

/// The events that a client sees, each checked for its name and number.
fn stream(events: &[Event], names: Names) -> Vec<Value> {
    let mut writer = Writer::new(frame(), names);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    let seen = parsed(&out);
    assert_eq!(writer.next_sequence_number(), seen.len() as u64);
    seen
}

fn parsed(out: &[u8]) -> Vec<Value> {
    let events = sse::events(out).enumerate().map(|(number, event)| {
        let data: Value = serde_json::from_slice(event.data.unwrap()).unwrap();
        let kind = data["type"].as_str().unwrap();
        assert_eq!(event.name(), Some(kind.as_bytes()));
        assert_eq!(data["sequence_number"], number);
        data
    });
    events.collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds
        .map(|kind| kind.strip_prefix("response.").unwrap_or(kind))
        .collect()
}

fn start() -> Event {
    Event::Start {
        id: "chatcmpl-1".to_owned(),
        model: "m-1".to_owned(),
    }
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn tool(index: u32, name: &str) -> Event {
    Event::ToolStart {
        index,
        id: format!("call_{index}"),
        name: name.to_owned(),
        signature: None,
    }
}

fn arguments(index: u32, json: &str) -> Event {
    Event::ToolArguments {
        index,
        json: json.to_owned(),
    }
}

fn finish(stop: Stop) -> Event {
    Event::Finish {
        stop,
        stop_text: None,
    }
}

fn usage() -> Usage {
    Usage {
        input: 3,
        output: 2,
        ..Usage::default()
    }
}

#[test]
fn words_have_their_whole_life() {
    let events = [
        start(),
        text("Hel"),
        text("lo"),
        finish(Stop::End),
        Event::Usage(usage()),
    ];
    let seen = stream(&events, Names::default());
    assert_eq!(
        kinds(&seen),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    assert_eq!(seen[0]["response"]["id"], "resp_ab12");
    assert_eq!(seen[0]["response"]["status"], "in_progress");
    assert_eq!(seen[0]["response"]["model"], "m-1");
    assert_eq!(seen[4]["delta"], "Hel");
    assert_eq!(seen[4]["item_id"], "msg_ab12_0");
    assert_eq!(seen[4]["logprobs"], json!([]));
    assert_eq!(seen[6]["text"], "Hello");
    let response = &seen[9]["response"];
    assert_eq!(response["output"][0], seen[8]["item"]);
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(response["usage"]["total_tokens"], 5);
    assert_eq!(response["status"], "completed");
}

#[test]
fn thoughts_words_and_calls_follow_each_other() {
    let signature = Signature::new(Maker::Anthropic, "s");
    let events = [
        start(),
        Event::Thinking("hm".to_owned()),
        Event::Signed(signature.clone()),
        Event::Redacted(signature),
        text("I look."),
        Event::Refusal("no".to_owned()),
        tool(0, "f"),
        arguments(0, "{\"a\":"),
        arguments(0, " 1}"),
        tool(1, "g"),
        Event::Usage(usage()),
        finish(Stop::Tools),
    ];
    let seen = stream(&events, Names::default());
    assert_eq!(
        kinds(&seen)[2..],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let output = &seen.last().unwrap()["response"]["output"];
    assert_eq!(output[0]["encrypted_content"], "trimtab:anthropic::s");
    assert_eq!(output[0]["summary"][0]["text"], "hm");
    assert_eq!(
        output[1]["encrypted_content"],
        "trimtab:anthropic:redacted:s"
    );
    assert_eq!(output[2]["content"][1]["refusal"], "no");
    assert_eq!(output[3]["arguments"], "{\"a\": 1}");
    assert_eq!(output[3]["call_id"], "call_0");
    assert_eq!(output[4]["arguments"], "{}");
    assert_eq!(output[4]["id"], "fc_ab12_4");
}

#[test]
fn calls_whose_arguments_are_interleaved_are_kept_apart() {
    let events = [
        start(),
        tool(0, "f"),
        tool(1, "g"),
        arguments(1, "{\"b\":2}"),
        arguments(0, "{\"a\":1}"),
        finish(Stop::Tools),
    ];
    let seen = stream(&events, Names::default());
    let output = &seen.last().unwrap()["response"]["output"];
    assert_eq!(output[0]["arguments"], "{\"a\":1}");
    assert_eq!(output[1]["arguments"], "{\"b\":2}");
}

#[test]
fn custom_tools_and_namespaces_are_told_in_the_clients_terms() {
    let tools = br#"{"tools":[{"type":"custom","name":"apply_patch"},
        {"type":"namespace","name":"mcp__git__","tools":[{"type":"function","name":"log"}]}]}"#;
    let events = [
        start(),
        tool(0, "apply_patch"),
        arguments(0, "{\"input\":\"***"),
        arguments(0, " Begin\\n\"}"),
        tool(1, "mcp__git__log"),
        arguments(1, "{}"),
        finish(Stop::Tools),
    ];
    let seen = stream(&events, names(tools));
    assert_eq!(
        kinds(&seen)[2..6],
        [
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
        ]
    );
    assert_eq!(seen[2]["item"]["input"], "");
    assert_eq!(seen[4]["input"], "*** Begin\n");
    assert_eq!(seen[5]["item"]["type"], "custom_tool_call");
    assert_eq!(seen[5]["item"]["status"], "completed");
    assert_eq!(seen[6]["item"]["name"], "log");
    assert_eq!(seen[6]["item"]["namespace"], "mcp__git__");
}

#[test]
fn every_stop_ends_as_the_dialect_says() {
    let check = |stop: Stop, kind: &str, reason: Value, item: &str| {
        let seen = stream(&[start(), text("a"), finish(stop)], Names::default());
        let last = seen.last().unwrap();
        assert_eq!(last["type"], kind, "{stop:?}");
        assert_eq!(last["response"]["incomplete_details"]["reason"], reason);
        assert_eq!(last["response"]["output"][0]["status"], item);
        assert_eq!(last["response"]["usage"], Value::Null);
    };
    check(Stop::End, "response.completed", Value::Null, "completed");
    check(
        Stop::Length,
        "response.incomplete",
        json!("max_output_tokens"),
        "incomplete",
    );
    check(
        Stop::Filtered,
        "response.incomplete",
        json!("content_filter"),
        "incomplete",
    );
}

#[test]
fn a_stream_that_breaks_off_has_failed() {
    let seen = stream(&[start(), text("a")], Names::default());
    let last = seen.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["id"], "resp_ab12");
    assert_eq!(last["response"]["error"]["code"], "server_error");

    let mut writer = Writer::new(frame(), Names::default());
    let mut out = Vec::new();
    writer.write(&text("a"), &mut out);
    writer.fail(Failure::RateLimited, "try again in 0.5s", &mut out);
    writer.write(&text("b"), &mut out);
    writer.end(&mut out);
    let seen = parsed(&out);
    assert_eq!(
        kinds(&seen)[..2],
        ["created", "in_progress"],
        "a stream begins even if its start was not told"
    );
    let last = seen.last().unwrap();
    assert_eq!(last["response"]["error"]["code"], "rate_limit_exceeded");
    assert_eq!(last["response"]["error"]["message"], "try again in 0.5s");
}

fn read(events: &[Value]) -> (Vec<Event>, Mark) {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    let mut mark = Mark::More;
    for event in events {
        mark = reader
            .read(None, event.to_string().as_bytes(), &mut out)
            .unwrap();
    }
    (out, mark)
}

#[test]
fn what_was_written_is_read_as_it_was() {
    let signature = Signature::new(Maker::Google, "s");
    let events = [
        start(),
        Event::Thinking("h".to_owned()),
        Event::Thinking("m".to_owned()),
        Event::Signed(signature.clone()),
        Event::Redacted(signature),
        text("Hel"),
        text("lo"),
        Event::Refusal("no".to_owned()),
        tool(0, "f"),
        arguments(0, "{\"a\": 1.50}"),
        tool(1, "g"),
        arguments(1, "{}"),
        Event::Usage(usage()),
        finish(Stop::Tools),
    ];
    let (read, mark) = read(&stream(&events, Names::default()));
    assert_eq!(mark, Mark::Done);
    let (expected, found) = (fold(&events), fold(&read));
    assert_eq!(found.parts, expected.parts);
    assert_eq!(found.usage, expected.usage);
    assert_eq!(found.stop, expected.stop);
    assert_eq!(found.id, "resp_ab12");
}

/// What OpenAI sends.
fn provided() -> Vec<Value> {
    let item = |kind: &str, place: u64, item: Value| json!({"type": format!("response.output_item.{kind}"), "output_index": place, "item": item});
    let delta = |kind: &str, place: u64, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": place, "delta": delta});
    vec![
        json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress", "output": []}}),
        json!({"type": "response.in_progress", "response": {"id": "resp_1"}}),
        item(
            "added",
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": []}),
        ),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0}),
        delta("reasoning_summary_text", 0, "a"),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1}),
        delta("reasoning_summary_text", 0, "b"),
        delta("reasoning_text", 0, "told otherwise"),
        item(
            "done",
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "enc"}),
        ),
        item(
            "added",
            1,
            json!({"type": "message", "id": "msg_1", "content": []}),
        ),
        delta("output_text", 1, "Hi"),
        item(
            "done",
            1,
            json!({"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hi"}]}),
        ),
        item(
            "added",
            2,
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}),
        ),
        delta("function_call_arguments", 2, "{\"x\""),
        delta("function_call_arguments", 2, ":1}"),
        item(
            "done",
            2,
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"x\":1}"}),
        ),
        item(
            "added",
            3,
            json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "p", "input": ""}),
        ),
        delta("custom_tool_call_input", 3, "a\n"),
        delta("custom_tool_call_input", 3, "\"b"),
        item(
            "done",
            3,
            json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "p", "input": "a\n\"b"}),
        ),
        json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
            "usage": {"input_tokens": 3, "output_tokens": 2}}}),
    ]
}

#[test]
fn a_providers_stream_is_read() {
    let (events, mark) = read(&provided());
    assert_eq!(mark, Mark::Done);
    let own = Signature {
        maker: Maker::OpenAi,
        id: "rs_1".to_owned(),
        text: "enc".to_owned(),
    };
    let call = |index: u32, id: &str, name: &str| Event::ToolStart {
        index,
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    };
    assert_eq!(
        events,
        [
            Event::Start {
                id: "resp_1".to_owned(),
                model: "gpt-5".to_owned()
            },
            Event::Thinking("a".to_owned()),
            Event::Thinking("\n\n".to_owned()),
            Event::Thinking("b".to_owned()),
            Event::Signed(own),
            text("Hi"),
            call(0, "call_1", "f"),
            arguments(0, "{\"x\""),
            arguments(0, ":1}"),
            call(1, "call_2", "p"),
            arguments(1, "{\"input\":\"a\\n"),
            arguments(1, "\\\"b"),
            arguments(1, "\"}"),
            Event::Usage(usage()),
            finish(Stop::Tools),
        ]
    );
}

#[test]
fn what_vendors_leave_out_is_taken_from_elsewhere() {
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "Hi"}]});
    let call =
        json!({"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}"});
    let done = |item: &Value, place: u64| json!({"type": "response.output_item.done", "output_index": place, "item": item});
    let completed = |output: Value| json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}});
    for events in [
        vec![done(&message, 0), done(&call, 1), completed(json!([]))],
        vec![done(&message, 0), done(&call, 1), completed(json!(null))],
        vec![completed(json!([message, call]))],
    ] {
        let answer = fold(&read(&events).0);
        assert_eq!(answer.parts.len(), 2, "{events:?}");
        assert_eq!(answer.stop, Stop::Tools, "{events:?}");
    }
    let (cut, _) = read(&[
        json!({"type": "response.incomplete", "response": {"status": "incomplete", "output": [], "incomplete_details": {"reason": "content_filter"}}}),
    ]);
    assert_eq!(cut.last(), Some(&finish(Stop::Filtered)));
}

#[test]
fn errors_and_nonsense_are_told_apart() {
    let read = |name: Option<&[u8]>, data: &str| {
        Reader::default().read(name, data.as_bytes(), &mut Vec::new())
    };
    for data in [
        r#"{"type":"response.failed","response":{"error":{"message":"boom"}}}"#,
        r#"{"type":"error","message":"boom"}"#,
        r#"{"error":{"message":"boom"}}"#,
    ] {
        assert_eq!(read(None, data), Ok(Mark::Error), "{data}");
    }
    assert_eq!(
        read(Some(b"error"), r#"{"message":"boom"}"#),
        Ok(Mark::Error)
    );
    for data in [
        "[DONE]",
        "{}",
        r#"{"type":"response.brand_new","delta":{"x":1}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":9,"delta":"{}"}"#,
        r#"{"type":"response.output_item.done"}"#,
    ] {
        assert_eq!(read(None, data), Ok(Mark::More), "{data}");
    }
    for data in ["", "<html>", "7", "{\"type\":"] {
        assert!(read(None, data).is_err(), "{data}");
    }
}
