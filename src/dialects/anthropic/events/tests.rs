//! Streams keep their meaning through Anthropic's words, and keep its order of blocks.

use proptest::prelude::*;
use serde_json::Value;

use super::super::super::meeting::{Frame, Mark};
use super::{Reader, Writer};
use crate::chat::{Event, Maker, Part, Signature, Stop, Usage, fold};
use crate::stream::sse;

fn read_all(text: &[u8]) -> Vec<Event> {
    let mut reader = Reader::default();
    let mut events = Vec::new();
    let mut done = false;
    for event in sse::events(text) {
        done |= reader
            .read(event.name(), event.data.unwrap(), &mut events)
            .unwrap()
            == Mark::Done;
    }
    assert!(done);
    events
}

fn write_all(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer::new(Frame {
        id: "0a".into(),
        model: "m".into(),
        input_estimate: 7,
        ..Frame::default()
    });
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    out
}

/// The data of what is written, after a check of names and of the order of blocks.
fn written(events: &[Event]) -> Vec<Value> {
    let text = write_all(events);
    let mut all = Vec::new();
    let (mut next, mut open) = (0, false);
    for event in sse::events(&text) {
        let data: Value = serde_json::from_slice(event.data.unwrap()).unwrap();
        assert_eq!(
            event.name().unwrap(),
            data["type"].as_str().unwrap().as_bytes()
        );
        match data["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(!open && data["index"] == next, "{data}");
                open = true;
            }
            "content_block_delta" => assert!(open && data["index"] == next, "{data}"),
            "content_block_stop" => {
                assert!(open && data["index"] == next, "{data}");
                (open, next) = (false, next + 1);
            }
            _ => assert!(!open, "{data}"),
        }
        all.push(data);
    }
    all
}

fn start() -> Event {
    Event::Start {
        id: "msg_1".into(),
        model: "claude".into(),
    }
}

fn finish(stop: Stop) -> Event {
    Event::Finish {
        stop,
        stop_text: None,
    }
}

fn tool(index: u32, id: &str) -> Event {
    Event::ToolStart {
        index,
        id: id.into(),
        name: "f".into(),
        signature: None,
    }
}

fn arguments(index: u32, json: &str) -> Event {
    Event::ToolArguments {
        index,
        json: json.into(),
    }
}

fn usage(input: u64, output: u64) -> Event {
    Event::Usage(Usage {
        input,
        output,
        ..Usage::default()
    })
}

fn calls(events: &[Event]) -> Vec<(String, String)> {
    written(events);
    let answer = fold(&read_all(&write_all(events)));
    let parts = answer.parts.into_iter();
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall { id, arguments, .. } => Some((id, arguments)),
        _ => None,
    });
    calls.collect()
}

#[test]
fn what_is_written_reads_the_same() {
    let events = [
        start(),
        usage(7, 0),
        Event::Thinking("hm".into()),
        Event::Signed(Signature::new(Maker::Anthropic, "s")),
        Event::Thinking("again".into()),
        Event::Signed(Signature::new(Maker::OpenAi, "t")),
        Event::Redacted(Signature::new(Maker::OpenAi, "x")),
        Event::Text("a".into()),
        Event::Text("b".into()),
        tool(0, "t0"),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        tool(1, "t1"),
        arguments(1, "{}"),
        usage(3, 4),
        finish(Stop::Tools),
    ];
    let sent = written(&events);
    assert_eq!(sent.last().unwrap()["type"], "message_stop");
    let mut again = read_all(&write_all(&events));
    // The beginning's estimate is no usage yet.
    assert!(matches!(again.remove(again.len() - 2), Event::Usage(told) if told.output == 4));
    let without = |events: &[Event]| {
        let kept = events
            .iter()
            .filter(|event| !matches!(event, Event::Usage(_)));
        kept.cloned().collect::<Vec<_>>()
    };
    assert_eq!(without(&again), without(&events));
}

#[test]
fn calls_in_a_row_are_streamed() {
    let mut writer = Writer::new(Frame::default());
    let mut out = Vec::new();
    for event in [tool(0, "t0"), arguments(0, "{\"a\":1}"), tool(1, "t1")] {
        writer.write(&event, &mut out);
    }
    out.clear();
    writer.write(&arguments(1, "{\"b\""), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains(r#""index":1,"delta":{"type":"input_json_delta","partial_json":"{\"b\""}"#),
        "{text}"
    );
}

#[test]
fn interleaved_calls_are_written_one_after_the_other() {
    let pair = |id: &str, arguments: &str| (id.to_owned(), arguments.to_owned());
    let whole = [
        start(),
        tool(0, "t0"),
        tool(1, "t1"),
        arguments(1, "{\"b\":"),
        arguments(0, "{\"a\":"),
        arguments(1, "2}"),
        arguments(0, "1}"),
        tool(2, "t2"),
        finish(Stop::Tools),
    ];
    let expected = [
        pair("t0", "{\"a\":1}"),
        pair("t1", "{\"b\":2}"),
        pair("t2", ""),
    ];
    assert_eq!(calls(&whole), expected);
    // A call without arguments leaves those after it waiting, but not for ever.
    let bare = [
        tool(0, "t0"),
        tool(1, "t1"),
        arguments(1, "{\"b\":2}"),
        Event::Text("and".into()),
        arguments(0, "late"),
        finish(Stop::End),
    ];
    assert_eq!(calls(&bare), [pair("t0", ""), pair("t1", "{\"b\":2}")]);
    let broken = [
        tool(0, "t0"),
        arguments(0, "{\"a\":"),
        tool(1, "t1"),
        finish(Stop::Length),
    ];
    assert_eq!(calls(&broken), [pair("t0", "{\"a\":"), pair("t1", "")]);
}

#[test]
fn usage_is_told_at_the_end() {
    let after = [
        start(),
        Event::Text("w".into()),
        usage(1, 0),
        finish(Stop::End),
        usage(30, 4),
    ];
    let sent = written(&after);
    assert_eq!(sent[0]["message"]["usage"]["input_tokens"], 7);
    let end = &sent[sent.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
    assert_eq!(
        (
            &end["usage"]["input_tokens"],
            &end["usage"]["output_tokens"]
        ),
        (&30.into(), &4.into())
    );
    let untold = written(&[
        Event::Text("w".into()),
        Event::Text("w".into()),
        finish(Stop::Length),
    ]);
    let end = &untold[untold.len() - 2];
    assert_eq!(
        (
            &end["usage"]["input_tokens"],
            &end["usage"]["output_tokens"]
        ),
        (&7.into(), &2.into())
    );
    assert_eq!(untold[0]["message"]["model"], "m");
}

#[test]
fn the_end_is_that_of_the_answer() {
    let reason = |events: &[Event]| written(events).iter().rev().nth(1).unwrap()["delta"].clone();
    let said = reason(&[
        Event::Text("w".into()),
        Event::Finish {
            stop: Stop::Text,
            stop_text: Some("END".into()),
        },
    ]);
    assert_eq!(
        (&said["stop_reason"], &said["stop_sequence"]),
        (&"stop_sequence".into(), &"END".into())
    );
    assert_eq!(
        reason(&[tool(0, "t"), finish(Stop::End)])["stop_reason"],
        "tool_use"
    );
    assert_eq!(
        reason(&[Event::Refusal("no".into()), finish(Stop::Filtered)])["stop_reason"],
        "refusal"
    );
    assert_eq!(written(&[finish(Stop::End)]).len(), 3);
    let cut = written(&[start(), Event::Text("w".into())]);
    assert!(
        cut.iter()
            .all(|data| data["type"] != "message_stop" && data["type"] != "message_delta")
    );
    let late = [finish(Stop::End), Event::Text("late".into())];
    assert_eq!(written(&late).len(), 3);
}

#[test]
fn signatures_have_their_places() {
    let sent = written(&[
        Event::Signed(Signature::new(Maker::OpenAi, "e")),
        Event::ToolStart {
            index: 0,
            id: "a.b".into(),
            name: "f".into(),
            signature: Some(Signature::new(Maker::Google, "c2ln")),
        },
        finish(Stop::Tools),
    ]);
    let blocks: Vec<_> = sent
        .iter()
        .filter(|it| it["type"] == "content_block_start")
        .map(|it| &it["content_block"])
        .collect();
    assert_eq!(
        blocks[0],
        &serde_json::json!({"type": "thinking", "thinking": "", "signature": ""})
    );
    assert_eq!(sent[2]["delta"]["signature"], "trimtab:openai::e");
    assert_eq!(blocks[1]["data"], "trimtab:google::c2ln");
    assert_eq!(
        blocks[2],
        &serde_json::json!({"type": "tool_use", "id": "call_a_2eb", "name": "f", "input": {}})
    );
}

#[test]
fn a_providers_stream_is_understood() {
    let stream = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude","content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":90,"output_tokens":1}}}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t0","name":"f","input":{"a":1}}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{"b":2}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"b\":2}"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let events = read_all(stream.as_bytes());
    let spent = Event::Usage(Usage {
        input: 5,
        cache_read: 90,
        output: 9,
        ..Usage::default()
    });
    let expected = [
        Event::Start {
            id: "msg_1".into(),
            model: "claude".into(),
        },
        tool(0, "t0"),
        arguments(0, "{\"a\":1}"),
        tool(1, "t1"),
        arguments(1, "{\"b\":2}"),
        spent,
        finish(Stop::Tools),
    ];
    assert_eq!(events, expected);
}

#[test]
fn errors_are_marked_and_nonsense_is_malformed() {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    let error = br#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#;
    assert_eq!(reader.read(None, error, &mut out), Ok(Mark::Error));
    assert_eq!(
        reader.read(None, br#"{"error":{"message":"x"}}"#, &mut out),
        Ok(Mark::Error)
    );
    let odd = br#"{"type":"new","delta":3,"message":[],"usage":"x"}"#;
    assert_eq!(reader.read(None, odd, &mut out), Ok(Mark::More));
    for bad in [
        "{",
        "[DONE]",
        r#"{"type":"message_start"}"#,
        r#"{"type":"content_block_start","index":-1,"content_block":{}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"new"},"usage":{"output_tokens":3}}"#,
    ] {
        assert!(
            reader.read(None, bad.as_bytes(), &mut out).is_err(),
            "{bad}"
        );
    }
    assert!(out.is_empty());
}

proptest! {
    /// However the pieces of several calls come interleaved, with words before, every call is whole at the end.
    #[test]
    fn calls_survive_any_order(order in proptest::collection::vec(0u32..4, 0..40), words in any::<bool>()) {
        let mut left: Vec<Vec<&str>> = vec![
            vec!["}", "[1,\"}\"]", "{\"a\":"],
            vec!["{}"],
            vec![],
            vec!["\"}", "\\\"", "{\"c\":\"{"],
        ];
        let mut events = vec![start()];
        if words {
            events.push(Event::Text("w".into()));
        }
        let mut begun = [false; 4];
        let rest = (0..4).flat_map(|place| [place; 4]);
        for place in order.into_iter().chain(rest) {
            let at = place as usize;
            if !std::mem::replace(&mut begun[at], true) {
                events.push(tool(place, &place.to_string()));
            } else if let Some(piece) = left[at].pop() {
                events.push(arguments(place, piece));
            }
        }
        events.push(finish(Stop::Tools));
        let mut told = calls(&events);
        told.sort();
        let expected = ["{\"a\":[1,\"}\"]}", "{}", "", "{\"c\":\"{\\\"\"}"];
        let expected = expected.iter().enumerate().map(|(at, text)| (at.to_string(), (*text).to_owned()));
        prop_assert_eq!(told, expected.collect::<Vec<_>>());
    }

    /// Nothing that a provider may send panics.
    #[test]
    fn any_bytes_are_read_or_refused(data in "[\\[\\]{}\":,a-z0-9_]{0,60}", kind in 0usize..4) {
        let kinds = ["message_start", "content_block_start", "content_block_delta", "message_delta"];
        let inside = format!(r#"{{"type":"{}","delta":{data},"content_block":{data},"message":{data},"usage":{data}}}"#, kinds[kind]);
        let mut reader = Reader::default();
        let mut out = Vec::new();
        for json in [data.as_str(), inside.as_str()] {
            if reader.read(None, json.as_bytes(), &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
            out.clear();
        }
    }
}
