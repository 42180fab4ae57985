//! Do streams say what whole answers say, and do they survive being written?
//!
//! # Invariants
//! - Nothing here looks at how bytes are split into events.

use super::super::super::meeting::{Frame, Malformed, Mark};
use super::super::answer;
use super::{Reader, Writer};
use crate::chat::{Event, Maker, Signature, Stop, Usage, fold};

/// Reads the data of a stream's events.
fn read<'a>(stream: impl IntoIterator<Item = &'a str>) -> Result<(Vec<Event>, Mark), Malformed> {
    let mut reader = Reader::default();
    let (mut events, mut mark) = (Vec::new(), Mark::More);
    for data in stream {
        mark = reader.read(None, data.as_bytes(), &mut events)?;
        if mark != Mark::More {
            break;
        }
    }
    Ok((events, mark))
}

/// Chunks with these choices.
fn chunks(deltas: &[&str]) -> Vec<String> {
    let chunk = |delta: &&str| {
        format!(r#"{{"id":"x","model":"m","choices":[{{"index":0,"delta":{delta}}}]}}"#)
    };
    deltas.iter().map(chunk).collect()
}

fn events_of(deltas: &[&str]) -> Result<Vec<Event>, Malformed> {
    let chunks = chunks(deltas);
    let (mut events, _) = read(chunks.iter().map(String::as_str))?;
    events.remove(0);
    Ok(events)
}

fn start(index: u32, id: &str, name: &str) -> Event {
    Event::ToolStart {
        index,
        id: id.to_owned(),
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

/// As a vendor with reasoning streams it, behind Azure's filter chunk.
const TRANSCRIPT: &[&str] = &[
    r#"{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
    r#"{"id":"chatcmpl-7","object":"chat.completion.chunk","created":5,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-7","object":"chat.completion.chunk","created":5,"model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"Let me "}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"reasoning_content":"think."}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"content":"I will "}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"content":"look."}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"refusal":"Not that."}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}]}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\": "}}]}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"time","arguments":"{"}}]}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Bonn\"}"}},{"index":1,"function":{"arguments":"}"}}]}}]}"#,
    r#"{"id":"chatcmpl-7","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"id":"chatcmpl-7","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":20,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":6}}}"#,
    "[DONE]",
];

/// The same, not streamed.
const WHOLE: &str = r#"{"id":"chatcmpl-7","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"Let me think.","content":"I will look.","refusal":"Not that.","tool_calls":[{"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Bonn\"}"}},{"id":"call_b","type":"function","function":{"name":"time","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":6}}}"#;

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    let (events, mark) = read(TRANSCRIPT.iter().copied()).unwrap();
    assert_eq!(mark, Mark::Done);
    assert_eq!(fold(&events), answer::read(WHOLE.as_bytes()).unwrap());
}

#[test]
fn a_stream_without_end_marker_is_complete_by_its_finish() {
    let cut = &TRANSCRIPT[..TRANSCRIPT.len() - 2];
    let (events, mark) = read(cut.iter().copied()).unwrap();
    assert_eq!(mark, Mark::More);
    assert_eq!(events.last(), Some(&finish(Stop::Tools)));
}

#[test]
fn two_calls_are_told_apart_however_they_are_numbered() {
    let two = vec![
        start(0, "a", "f"),
        arguments(0, "{"),
        arguments(0, "}"),
        start(1, "b", "f"),
        arguments(1, "[]"),
    ];
    for (what, deltas) in [
        (
            "id and name on every delta",
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"f","arguments":"[]"}}]}"#,
            ],
        ),
        (
            "no index",
            vec![
                r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"}"}}]}"#,
                r#"{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"[]"}}]}"#,
            ],
        ),
        (
            "every call numbered 0",
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"[]"}}]}"#,
            ],
        ),
        (
            "another id on every delta",
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"z","function":{"arguments":"}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"f","arguments":"[]"}}]}"#,
            ],
        ),
    ] {
        assert_eq!(events_of(&deltas).unwrap(), two, "{what}");
    }
}

#[test]
fn what_a_call_lacks_is_waited_for_or_minted() {
    let cases: [(&str, Vec<&str>, Vec<Event>); 4] = [
        (
            "numbers that do not begin at 0",
            vec![r#"{"tool_calls":[{"index":7,"id":"a","function":{"name":"f"}}]}"#],
            vec![start(0, "a", "f")],
        ),
        (
            "arguments before the name",
            vec![
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}"#,
            ],
            vec![start(0, "a", "f"), arguments(0, "{}")],
        ),
        (
            "no id, and an object for arguments",
            vec![r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":{"x": 1}}}]}"#],
            vec![start(0, "call_x_0", "f"), arguments(0, r#"{"x": 1}"#)],
        ),
        (
            "a legacy call",
            vec![
                r#"{"function_call":{"name":"f","arguments":""}}"#,
                r#"{"function_call":{"arguments":"{}"}}"#,
            ],
            vec![start(0, "call_x_0", "f"), arguments(0, "{}")],
        ),
    ];
    for (what, deltas, expected) in cases {
        assert_eq!(events_of(&deltas).unwrap(), expected, "{what}");
    }
}

#[test]
fn words_are_found_where_vendors_put_them() {
    for (delta, expected) in [
        (r#"{"content":"a"}"#, vec![Event::Text("a".to_owned())]),
        (r#"{"content":""}"#, vec![]),
        (r#"{"content":null,"role":"assistant"}"#, vec![]),
        (
            r#"{"reasoning":"a"}"#,
            vec![Event::Thinking("a".to_owned())],
        ),
        (
            r#"{"reasoning":"a","reasoning_content":"a","content":"b"}"#,
            vec![Event::Thinking("a".to_owned()), Event::Text("b".to_owned())],
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}"#,
            vec![Event::Thinking("a".to_owned())],
        ),
        ("null", vec![]),
    ] {
        assert_eq!(events_of(&[delta]).unwrap(), expected, "{delta}");
    }
}

#[test]
fn marks_and_broken_streams_are_told_apart() {
    let mark = |name: Option<&str>, data: &str| {
        let mut events = Vec::new();
        let name = name.map(str::as_bytes);
        let mark = Reader::default().read(name, data.as_bytes(), &mut events);
        (mark.ok(), events.len())
    };
    for (name, data, expected) in [
        (None, " [DONE]", Some(Mark::Done)),
        (None, r#"{"error":{"message":"boom"}}"#, Some(Mark::Error)),
        (None, r#"{"error":"boom"}"#, Some(Mark::Error)),
        (None, r#"{"error":null,"choices":[]}"#, Some(Mark::More)),
        (
            None,
            r#"{"object":"error","message":"x"}"#,
            Some(Mark::Error),
        ),
        (Some("error"), r#"{"message":"boom"}"#, Some(Mark::Error)),
        (Some("ping"), "not JSON", Some(Mark::More)),
        (None, "{bad", None),
        (None, "", None),
        (None, "[]", None),
    ] {
        assert_eq!(mark(name, data), (expected, 0), "{data}");
    }
    let finished = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let late = r#"{"choices":[{"delta":{"content":"w"}}]}"#;
    let idle = r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#;
    let nameless = r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]},"finish_reason":"stop"}]}"#;
    let odd = r#"{"choices":[{"delta":{},"finish_reason":"boredom"}]}"#;
    assert!(read([finished, late]).is_err());
    assert_eq!(read([finished, idle]).unwrap().0.len(), 2);
    assert!(read([nameless]).is_err());
    assert!(read([odd]).is_err());
}

#[test]
fn no_damage_makes_a_reader_panic() {
    for line in TRANSCRIPT.iter().chain([&WHOLE]) {
        for at in 0..line.len() {
            let mut damaged = line.as_bytes().to_vec();
            let mut reader = Reader::default();
            let mut events = Vec::new();
            assert!(answer::read(&damaged[..at]).is_err());
            let _ = reader.read(None, &damaged[..at], &mut events);
            for byte in [b'"', b'[', b'}', b'-', 0xff] {
                damaged[at] = byte;
                let _ = answer::read(&damaged);
                let _ = reader.read(None, &damaged, &mut events);
            }
        }
    }
}

#[test]
fn endless_calls_are_refused() {
    let call = |n: u32| {
        let call = format!(r#"{{"index":{n},"function":{{"name":"f"}}}}"#);
        format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{call}]}}}}]}}"#)
    };
    let stream: Vec<String> = (0..2_000).map(call).collect();
    assert!(read(stream.iter().map(String::as_str)).is_err());
}

fn frame(usage_asked: bool) -> Frame {
    Frame {
        id: "0f".to_owned(),
        model: "asked".to_owned(),
        created: 9,
        usage_asked,
        input_estimate: 0,
    }
}

fn written(events: &[Event], frame: Frame) -> Vec<String> {
    let mut writer = Writer::new(frame);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let lines = text.split_terminator("\n\n");
    lines
        .map(|line| line.strip_prefix("data: ").unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_written_is_read_again() {
    let by = |maker| Signature::new(maker, "s==");
    let events = [
        Event::Start {
            id: "chatcmpl-1".to_owned(),
            model: "m".to_owned(),
        },
        Event::Thinking("hm ".to_owned()),
        Event::Thinking("ä".to_owned()),
        Event::Signed(by(Maker::Anthropic)),
        Event::Redacted(by(Maker::OpenAi)),
        Event::Text("hi".to_owned()),
        Event::Refusal("no".to_owned()),
        Event::ToolStart {
            index: 0,
            id: "a".to_owned(),
            name: "f".to_owned(),
            signature: Some(by(Maker::Google)),
        },
        arguments(0, "{\"x\":"),
        start(1, "b", "g"),
        arguments(0, " 1}"),
        arguments(1, "{}"),
        finish(Stop::Tools),
        Event::Usage(Usage {
            input: 1,
            cache_read: 2,
            cache_write: 3,
            output: 4,
            reasoning: 5,
            ..Usage::default()
        }),
    ];
    let stream = written(&events, frame(true));
    let (again, mark) = read(stream.iter().map(String::as_str)).unwrap();
    assert_eq!(again, events);
    assert_eq!(mark, Mark::Done);
}

#[test]
fn chunks_are_what_clients_need() {
    let usage = Event::Usage(Usage {
        input: 1,
        output: 2,
        ..Usage::default()
    });
    let events = [
        usage,
        start(0, "a", "f"),
        arguments(0, ""),
        finish(Stop::End),
        Event::Text("late".to_owned()),
    ];
    let chunk = |choices: &str, usage: &str| {
        format!(
            r#"{{"id":"chatcmpl-0f","object":"chat.completion.chunk","created":9,"model":"asked","choices":[{choices}]{usage}}}"#
        )
    };
    let choice = |delta: &str, reason: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#)
    };
    let choices = [
        choice(r#"{"role":"assistant","content":""}"#, "null"),
        choice(
            r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            "null",
        ),
        choice(
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
            "null",
        ),
        choice("{}", r#""tool_calls""#),
    ];
    let mut unasked: Vec<String> = choices.iter().map(|choice| chunk(choice, "")).collect();
    unasked.push("[DONE]".to_owned());
    assert_eq!(written(&events, frame(false)), unasked);

    let null = |choice: &String| chunk(choice, r#","usage":null"#);
    let mut asked: Vec<String> = choices.iter().map(null).collect();
    asked.push(chunk(
        "",
        r#","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#,
    ));
    asked.push("[DONE]".to_owned());
    assert_eq!(written(&events, frame(true)), asked);
}

#[test]
fn a_stream_that_broke_off_gets_no_end_marker() {
    let stream = written(&[Event::Text("hi".to_owned())], frame(true));
    assert_eq!(stream.len(), 2);
    assert!(stream[1].contains(r#""content":"hi""#));
}

#[test]
fn what_clients_add_up_comes_back_with_its_signatures() {
    let events = [
        Event::Thinking("ab".to_owned()),
        Event::Signed(Signature::new(Maker::Anthropic, "s")),
        Event::Thinking("c".to_owned()),
        Event::Signed(Signature::new(Maker::Anthropic, "t")),
        finish(Stop::End),
    ];
    let (mut thoughts, mut lines) = (String::new(), String::new());
    for data in written(&events, frame(false)) {
        let chunk: serde_json::Value = serde_json::from_str(&data).unwrap_or_default();
        let delta = &chunk["choices"][0]["delta"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        thoughts += &text(&delta["reasoning_content"]);
        lines += &text(&delta["extra_content"]["trimtab"]["signature"]);
    }
    let parts = super::super::thoughts::scatter(thoughts, Some(&lines));
    assert_eq!(parts, fold(&events).parts);
}
