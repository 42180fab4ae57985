//! Is a kept answer told again the same, and is what is not whole never kept?

use bytes::Bytes;
use serde_json::{Value, json};

use super::read::read;
use super::*;
use crate::chat::{Answer, Maker, Part, Signature, Stop, Usage};
use crate::dialects::convert;
use crate::dialects::meeting::Frame;
use crate::stream::sse;

/// What providers answer, by case.
const CASES: [(&str, &str); 5] = [
    (
        "text",
        include_str!("../../../tests/golden/wire/text/told.txt"),
    ),
    (
        "tools",
        include_str!("../../../tests/golden/wire/tools/told.txt"),
    ),
    (
        "thinking",
        include_str!("../../../tests/golden/wire/thinking/told.txt"),
    ),
    (
        "stop",
        include_str!("../../../tests/golden/wire/stop/told.txt"),
    ),
    (
        "usage",
        include_str!("../../../tests/golden/wire/usage/told.txt"),
    ),
];

const FORMATS: [(&str, Format); 4] = [
    ("chat", Format::Chat),
    ("messages", Format::Messages),
    ("responses", Format::Responses),
    ("generate", Format::Generate),
];

fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "main".to_owned(),
        created: 1_700_000_000,
        usage_asked: true,
        input_estimate: 12,
    }
}

/// One answer of a case: whole or as a stream.
fn section(case: &str, name: &str) -> Option<Bytes> {
    let mut sections = case.split("=== ");
    let body = sections.find_map(|section| section.strip_prefix(name)?.strip_prefix('\n'))?;
    let end = if name.ends_with("stream") { "\n\n" } else { "" };
    Some(Bytes::from(format!("{}{end}", body.trim_end())))
}

/// Everything that a client may have got: the providers' answers, and what the gateway writes of one with all that there is.
fn kept() -> Vec<(String, Format, Form, Bytes)> {
    let mut all = Vec::new();
    for (case, text) in CASES {
        for (name, format) in FORMATS {
            for (suffix, form) in [("", Form::Whole), (" stream", Form::Stream)] {
                let section = section(text, &format!("{name}{suffix}")).unwrap();
                all.push((format!("{case} {name}{suffix}"), format, form, section));
            }
        }
    }
    let rich = Bytes::from(convert::write_answer(
        Format::Chat,
        &rich(),
        &frame(),
        b"{}",
    ));
    let told = Told {
        format: Format::Chat,
        form: Form::Whole,
        bytes: &rich,
    };
    for (name, format) in FORMATS {
        for form in forms(format) {
            let bytes = retell(&told, (format, *form), &frame(), b"{}").unwrap();
            all.push((format!("rich {name} {form:?}"), format, *form, bytes));
        }
    }
    all
}

const fn forms(format: Format) -> &'static [Form] {
    match format {
        Format::Generate => &[Form::Whole, Form::Stream, Form::Listed],
        _ => &[Form::Whole, Form::Stream],
    }
}

fn rich() -> Answer {
    let call = |id: &str, name: &str, arguments: &str| Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    };
    Answer {
        id: "chatcmpl-7".to_owned(),
        model: "m-1".to_owned(),
        created: 1_600_000_000,
        parts: vec![
            Part::Thinking {
                text: "Let me think about it: 你好,  world.".to_owned(),
                signature: Some(Signature::new(Maker::Anthropic, "c2ln")),
            },
            Part::text(
                "Grüße aus Köln — 你好世界, 😀 and \"quotes\"\n\n\tand a tab.  Two spaces, too; what a long sentence this is!",
            ),
            call(
                "call_1",
                "weather",
                r#"{"city":"New   York","note":"   ","deep":[{"a":1.50}]}"#,
            ),
            call("call_2", "clock", ""),
        ],
        stop: Stop::Tools,
        usage: Some(Usage {
            input: 10,
            cache_read: 3,
            output: 20,
            ..Usage::default()
        }),
        ..Answer::default()
    }
}

/// What an answer means, in words that every dialect has.
fn meaning(answer: &Answer) -> Value {
    let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    let mut signatures = Vec::new();
    for part in &answer.parts {
        match part {
            Part::Text { text: more, .. } | Part::Refusal(more) => text.push_str(more),
            Part::Thinking {
                text: more,
                signature,
            } => {
                thoughts.push_str(more);
                signatures.extend(signature.as_ref().map(|by| by.text.clone()));
            }
            Part::Redacted(by) => signatures.push(by.text.clone()),
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                let blank = arguments.trim().is_empty();
                let arguments = if blank { "{}" } else { arguments };
                let arguments: Value = serde_json::from_str(arguments).unwrap();
                calls.push(json!([id, name, arguments]));
                signatures.extend(signature.as_ref().map(|by| by.text.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    let stop = match answer.stop {
        // Not every dialect tells which text ended it.
        Stop::Text => Stop::End,
        stop => stop,
    };
    let usage = answer.usage.unwrap();
    json!({"text": text, "thoughts": thoughts, "calls": calls, "signatures": signatures, "stop": format!("{stop:?}"),
        "input": usage.total_input(), "output": usage.total_output()})
}

fn datas(bytes: &[u8]) -> Vec<(Option<String>, Value)> {
    let events = sse::events(bytes).filter_map(|event| {
        let name = event
            .name()
            .map(|name| String::from_utf8(name.to_vec()).unwrap());
        let data = event.data?;
        if data == b"[DONE]" {
            return Some((name, json!("[DONE]")));
        }
        Some((name, serde_json::from_slice(data).unwrap()))
    });
    events.collect()
}

/// Whether a stream keeps the order that its dialect's clients rely on.
fn check_stream(format: Format, bytes: &[u8], what: &str) {
    let events = datas(bytes);
    let kinds: Vec<_> = events
        .iter()
        .map(|(_, data)| data["type"].as_str())
        .collect();
    match format {
        Format::Chat => {
            let (last, chunks) = events.split_last().unwrap();
            assert_eq!(last.1, "[DONE]", "{what}");
            assert_eq!(
                chunks[0].1["choices"][0]["delta"]["role"], "assistant",
                "{what}"
            );
            let ends = chunks
                .iter()
                .filter(|(_, it)| !it["choices"][0]["finish_reason"].is_null());
            assert_eq!(ends.count(), 1, "{what}");
            for (_, chunk) in chunks {
                assert_eq!(chunk["id"], chunks[0].1["id"], "{what}");
                assert_eq!(chunk["object"], "chat.completion.chunk", "{what}");
            }
        }
        Format::Messages => {
            assert_eq!(kinds[0], Some("message_start"), "{what}");
            assert_eq!(
                kinds[kinds.len() - 2..],
                [Some("message_delta"), Some("message_stop")],
                "{what}"
            );
            let (mut open, mut next) = (None, 0);
            for (name, data) in &events {
                assert_eq!(name.as_deref(), data["type"].as_str(), "{what}");
                let index = data["index"].as_u64();
                match name.as_deref().unwrap() {
                    "content_block_start" => {
                        assert_eq!((open, index), (None, Some(next)), "{what}");
                        open = index;
                    }
                    "content_block_delta" => assert_eq!(open, index, "{what}"),
                    "content_block_stop" => {
                        assert_eq!(open.take(), index, "{what}");
                        next += 1;
                    }
                    _ => assert_eq!(open, None, "{what}"),
                }
            }
        }
        Format::Responses => {
            assert_eq!(kinds[0], Some("response.created"), "{what}");
            assert_eq!(kinds[kinds.len() - 1], Some("response.completed"), "{what}");
            for (at, (name, data)) in events.iter().enumerate() {
                assert_eq!(name.as_deref(), data["type"].as_str(), "{what}");
                assert_eq!(data["sequence_number"], at, "{what}");
            }
        }
        _ => {
            let (last, before) = events.split_last().unwrap();
            assert!(
                last.1["candidates"][0]["finishReason"].is_string(),
                "{what}"
            );
            assert!(
                before
                    .iter()
                    .all(|(_, it)| it["candidates"][0]["finishReason"].is_null()),
                "{what}"
            );
        }
    }
}

#[test]
fn an_answer_is_the_same_however_it_is_told() {
    let mut count = 0;
    for (what, format, form, bytes) in kept() {
        let told = Told {
            format,
            form,
            bytes: &bytes,
        };
        let stored = read(&told).unwrap_or_else(|flaw| panic!("{flaw}: {what}"));
        let examined = examine(&told).unwrap();
        for (name, to) in FORMATS {
            for manner in forms(to) {
                let what = format!("{what} as {name} {manner:?}");
                let retold = retell(&told, (to, *manner), &frame(), b"{}").unwrap();
                let again = Told {
                    format: to,
                    form: *manner,
                    bytes: &retold,
                };
                let answer = read(&again).unwrap_or_else(|flaw| panic!("{flaw}: {what}"));
                assert_eq!(meaning(&answer), meaning(&stored), "{what}");
                let text = examine(&again).unwrap();
                assert_eq!(
                    (&text.text, text.tools),
                    (&examined.text, examined.tools),
                    "{what}"
                );
                if to == format && *manner == form {
                    assert_eq!(retold, bytes, "{what}");
                } else if *manner == Form::Stream {
                    check_stream(to, &retold, &what);
                } else if *manner == Form::Whole {
                    let written: Value = serde_json::from_slice(&retold).unwrap();
                    assert!(written.is_object(), "{what}");
                }
                assert_eq!(pieces(&retold).concat(), retold, "{what}");
                count += 1;
            }
        }
    }
    assert_eq!(count, (5 * 8 + 9) * 9);
}

#[test]
fn an_answer_keeps_its_own_name_and_time() {
    let rich = Bytes::from(convert::write_answer(
        Format::Chat,
        &rich(),
        &frame(),
        b"{}",
    ));
    let told = Told {
        format: Format::Chat,
        form: Form::Whole,
        bytes: &rich,
    };
    let as_json = |to| -> Value {
        serde_json::from_slice(&retell(&told, (to, Form::Whole), &frame(), b"{}").unwrap()).unwrap()
    };
    let stream = retell(&told, (Format::Chat, Form::Stream), &frame(), b"{}").unwrap();
    let first = &datas(&stream)[0].1;
    assert_eq!(
        (&first["id"], &first["model"], &first["created"]),
        (&json!("chatcmpl-7"), &json!("m-1"), &json!(1_600_000_000))
    );
    let response = as_json(Format::Responses);
    assert_eq!(
        (&response["model"], &response["created_at"]),
        (&json!("m-1"), &json!(1_600_000_000))
    );
    assert_eq!(as_json(Format::Generate)["responseId"], "chatcmpl-7");
    assert_eq!(as_json(Format::Messages)["model"], "m-1");
    // A text comes in several deltas.
    let deltas = datas(&stream).into_iter().filter(|(_, data)| {
        let content = data["choices"][0]["delta"]["content"].as_str();
        content.is_some_and(|content| !content.is_empty())
    });
    assert!(deltas.count() > 5);
    // From a stream its time is known, too.
    let again = Told {
        format: Format::Chat,
        form: Form::Stream,
        bytes: &stream,
    };
    let response = retell(&again, (Format::Responses, Form::Whole), &frame(), b"{}").unwrap();
    let response: Value = serde_json::from_slice(&response).unwrap();
    assert_eq!(response["created_at"], 1_600_000_000);
}

/// A call that its maker signed is signed in every dialect, since Google's models ask for it back with the call.
#[test]
fn a_call_keeps_its_signature() {
    let call = Part::ToolCall {
        id: "call_1".to_owned(),
        name: "f".to_owned(),
        arguments: r#"{"q":1}"#.to_owned(),
        signature: Some(Signature::new(Maker::Google, "c2ln")),
    };
    let answer = Answer {
        parts: vec![call.clone()],
        stop: Stop::Tools,
        ..rich()
    };
    let first = convert::write_answer(Format::Generate, &answer, &frame(), b"{}");
    let told = Told {
        format: Format::Generate,
        form: Form::Whole,
        bytes: &first.into(),
    };
    for (name, format) in FORMATS {
        for form in forms(format) {
            let bytes = retell(&told, (format, *form), &frame(), b"{}").unwrap();
            let told = Told {
                format,
                form: *form,
                bytes: &bytes,
            };
            for (other, to) in FORMATS {
                for manner in forms(to) {
                    let bytes = retell(&told, (to, *manner), &frame(), b"{}").unwrap();
                    let again = Told {
                        format: to,
                        form: *manner,
                        bytes: &bytes,
                    };
                    let parts = read(&again).unwrap().parts;
                    let what = format!("{name} {form:?} as {other} {manner:?}");
                    assert_eq!(parts, std::slice::from_ref(&call), "{what}");
                    let text = String::from_utf8_lossy(&bytes);
                    let own = match to {
                        Format::Generate => "thoughtSignature\":\"c2ln",
                        Format::Chat => "thought_signature\":\"c2ln",
                        _ => "trimtab:google:",
                    };
                    assert!(text.contains(own), "{what}: {text}");
                }
            }
        }
    }
}

/// The usage at the end of a chat completion's stream is each client's own wish.
#[test]
fn usage_is_told_to_whom_it_was_asked_by() {
    let stream = section(CASES[0].1, "chat stream").unwrap();
    let with = |asked: bool, bytes: &Bytes| {
        let told = Told {
            format: Format::Chat,
            form: Form::Stream,
            bytes,
        };
        let frame = Frame {
            usage_asked: asked,
            ..frame()
        };
        retell(&told, (Format::Chat, Form::Stream), &frame, b"{}").unwrap()
    };
    let usage = |bytes: &Bytes| {
        let told = datas(bytes)
            .into_iter()
            .filter(|(_, data)| data["usage"].is_object());
        told.map(|(_, data)| data["usage"]["prompt_tokens"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(with(true, &stream), stream);
    let without = with(false, &stream);
    assert!(usage(&without).is_empty());
    assert_eq!(datas(&without).len() + 1, datas(&stream).len());
    assert_eq!(with(false, &without), without);
    // Nobody has told: it is about what the request and the answer come to.
    let again = with(true, &without);
    assert_eq!(usage(&again), [12]);
    check_stream(Format::Chat, &again, "again");
    let told = Told {
        format: Format::Chat,
        form: Form::Stream,
        bytes: &again,
    };
    assert_eq!(read(&told).unwrap().usage.unwrap().output, 4);
    assert_eq!(read(&told).unwrap().id, "chatcmpl-1");
}

#[test]
fn what_other_words_cannot_say_is_an_error() {
    let picture = Bytes::from(
        r#"{"candidates":[{"content":{"parts":[{"text":"Here:"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},"finishReason":"STOP"}]}"#,
    );
    let told = Told {
        format: Format::Generate,
        form: Form::Whole,
        bytes: &picture,
    };
    assert_eq!(examine(&told).unwrap().text, "Here:");
    let to = |format, form| retell(&told, (format, form), &frame(), b"{}");
    assert_eq!(to(Format::Generate, Form::Whole).unwrap(), picture);
    let chat = to(Format::Chat, Form::Whole).unwrap();
    assert!(String::from_utf8_lossy(&chat).contains("data:image/png;base64,iVBORw0KGgo="));
    for (format, form) in [
        (Format::Chat, Form::Stream),
        (Format::Messages, Form::Whole),
        (Format::Responses, Form::Whole),
        (Format::Generate, Form::Stream),
        (Format::Chat, Form::Listed),
        (Format::Embeddings, Form::Whole),
    ] {
        assert!(to(format, form).is_err(), "{format:?} {form:?}");
    }
    let vectors = Bytes::from_static(b"{\"data\":[]}");
    let told = Told {
        format: Format::Embeddings,
        form: Form::Whole,
        bytes: &vectors,
    };
    assert!(retell(&told, (Format::Chat, Form::Whole), &frame(), b"{}").is_err());
    assert_eq!(
        retell(&told, (Format::Embeddings, Form::Whole), &frame(), b"{}").unwrap(),
        vectors
    );
}

/// What may not be kept, and why.
fn check_flaws<const N: usize>(rows: [(Format, Form, String, Result<(), Flaw>); N]) {
    for (format, form, bytes, expected) in rows {
        let bytes = Bytes::from(bytes);
        let told = Told {
            format,
            form,
            bytes: &bytes,
        };
        assert_eq!(examine(&told).map(drop), expected, "{format:?} {bytes:?}");
    }
}

#[test]
fn flaws_of_completions_are_found() {
    use Form::Whole;
    use Format::Chat;
    let chat = |fields: &str, reason: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant",{fields}}},"finish_reason":"{reason}"}}]}}"#
        )
    };
    check_flaws([
        (Chat, Whole, chat(r#""content":"a""#, "stop"), Ok(())),
        (Chat, Whole, chat(r#""content":"a""#, "length"), Err(Flaw::Truncated)),
        (Chat, Whole, chat(r#""content":"a""#, "content_filter"), Err(Flaw::Filtered)),
        (Chat, Whole, chat(r#""content":"a""#, ""), Err(Flaw::Broken)),
        (Chat, Whole, chat(r#""content":null,"refusal":"no""#, "stop"), Err(Flaw::Refused)),
        (Chat, Whole, chat(r#""content":null"#, "stop"), Err(Flaw::Empty)),
        (Chat, Whole, chat(r#""content":" \n""#, "stop"), Err(Flaw::Empty)),
        (Chat, Whole, chat(r#""content":null,"reasoning_content":"hm""#, "stop"), Err(Flaw::Empty)),
        (Chat, Whole, chat(r#""tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":"}}]"#, "tool_calls"), Err(Flaw::Broken)),
        (Chat, Whole, chat(r#""tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]"#, "tool_calls"), Ok(())),
        (Chat, Whole, r#"{"error":{"message":"m"}}"#.to_owned(), Err(Flaw::Error)),
        (Chat, Whole, "[]".to_owned(), Err(Flaw::Broken)),
        (Chat, Whole, String::new(), Err(Flaw::Broken)),
        (Chat, Whole, r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"length"}]}"#.to_owned(), Err(Flaw::Truncated)),
        (Chat, Whole, r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"stop"}]}"#.to_owned(), Ok(())),
    ]);
}

#[test]
fn flaws_of_streams_are_found() {
    use Form::Stream;
    use Format::Chat;
    let chunk = |delta: &str, reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let word = chunk("\"content\":\"a\"", "null");
    let stop = chunk("", "\"stop\"");
    let done = "data: [DONE]\n\n";
    check_flaws([
        (Chat, Stream, format!("{word}{stop}{done}"), Ok(())),
        (Chat, Stream, format!("{word}{stop}"), Err(Flaw::Broken)),
        (Chat, Stream, format!("{word}{done}"), Err(Flaw::Broken)),
        (
            Chat,
            Stream,
            format!("{word}{stop}{done}{word}"),
            Err(Flaw::Broken),
        ),
        (
            Chat,
            Stream,
            format!("{word}data: {{bad\n\n{stop}{done}"),
            Err(Flaw::Broken),
        ),
        (
            Chat,
            Stream,
            format!("{word}data: {{\"error\":{{\"message\":\"m\"}}}}\n\n"),
            Err(Flaw::Error),
        ),
        (Chat, Stream, format!("{stop}{done}"), Err(Flaw::Empty)),
        (
            Chat,
            Stream,
            format!("{word}{}{done}", chunk("", "\"length\"")),
            Err(Flaw::Truncated),
        ),
        (
            Chat,
            Stream,
            format!(
                "{word}{}{stop}{done}",
                word.replace("\"index\":0", "\"index\":1")
            ),
            Err(Flaw::Several),
        ),
    ]);
}

#[test]
fn flaws_in_other_dialects_are_found() {
    use Form::Whole;
    use Format::{Generate, Messages, Responses};
    let message = |content: &str, reason: &str| {
        format!(r#"{{"type":"message","content":[{content}],"stop_reason":"{reason}"}}"#)
    };
    let said = r#"{"type":"text","text":"a"}"#;
    check_flaws([
        (Messages, Whole, message(said, "end_turn"), Ok(())),
        (Messages, Whole, message(said, "max_tokens"), Err(Flaw::Truncated)),
        (Messages, Whole, message(said, "refusal"), Err(Flaw::Filtered)),
        (Messages, Whole, message(said, "pause_turn"), Err(Flaw::Paused)),
        (Messages, Whole, message("", "end_turn"), Err(Flaw::Empty)),
        (Messages, Whole, r#"{"type":"error","error":{"type":"overloaded_error"}}"#.to_owned(), Err(Flaw::Error)),
        (Responses, Whole, r#"{"status":"failed","error":{"message":"m"},"output":[]}"#.to_owned(), Err(Flaw::Error)),
        (Responses, Whole, r#"{"status":"queued","error":null,"output":[]}"#.to_owned(), Err(Flaw::Broken)),
        (Responses, Whole, r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#.to_owned(), Err(Flaw::Truncated)),
        (Generate, Whole, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#.to_owned(), Ok(())),
        (Generate, Whole, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#.to_owned(), Err(Flaw::Broken)),
        (Generate, Whole, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"OTHER"}]}"#.to_owned(), Err(Flaw::Broken)),
        (Generate, Whole, r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#.to_owned(), Err(Flaw::Filtered)),
    ]);
}

#[test]
fn flaws_of_old_completions_are_found() {
    use Form::{Stream, Whole};
    use Format::Completions;
    let completion = |text: &str, reason: &str| {
        format!(r#"{{"choices":[{{"text":"{text}","index":0,"finish_reason":{reason}}}]}}"#)
    };
    let done = "data: [DONE]\n\n";
    check_flaws([
        (Completions, Whole, completion("a", "\"stop\""), Ok(())),
        (
            Completions,
            Whole,
            completion("a", "null"),
            Err(Flaw::Broken),
        ),
        (
            Completions,
            Whole,
            completion("a", "\"length\""),
            Err(Flaw::Truncated),
        ),
        (
            Completions,
            Whole,
            completion("", "\"stop\""),
            Err(Flaw::Empty),
        ),
        (
            Completions,
            Stream,
            format!(
                "data: {}\n\ndata: {}\n\n{done}",
                completion("a", "null"),
                completion("", "\"stop\"")
            ),
            Ok(()),
        ),
        (
            Completions,
            Stream,
            format!("data: {}\n\n{done}", completion("a", "null")),
            Err(Flaw::Broken),
        ),
        (
            Completions,
            Stream,
            format!("data: {}\n\n", completion("a", "\"stop\"")),
            Err(Flaw::Broken),
        ),
    ]);
}

#[test]
fn flaws_of_what_is_no_conversation_are_found() {
    use Form::{Stream, Whole};
    use Format::{Embeddings, ImageGenerations};
    check_flaws([
        (
            Embeddings,
            Whole,
            r#"{"data":[{"embedding":[0.5]}]}"#.to_owned(),
            Ok(()),
        ),
        (
            Embeddings,
            Whole,
            r#"{"error":"m"}"#.to_owned(),
            Err(Flaw::Error),
        ),
        (
            Embeddings,
            Whole,
            r#"{"data":["#.to_owned(),
            Err(Flaw::Broken),
        ),
        (Embeddings, Whole, "7".to_owned(), Err(Flaw::Broken)),
        (
            ImageGenerations,
            Stream,
            "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"x\"}\n\n".to_owned(),
            Ok(()),
        ),
        (
            ImageGenerations,
            Stream,
            "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"x\"}\n\n".to_owned(),
            Err(Flaw::Broken),
        ),
        (
            ImageGenerations,
            Stream,
            "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"x\"}\n".to_owned(),
            Err(Flaw::Broken),
        ),
        (
            ImageGenerations,
            Stream,
            "data: {\"type\":\"error\",\"error\":{}}\n\n".to_owned(),
            Err(Flaw::Error),
        ),
    ]);
}

#[test]
fn answers_that_went_wrong_are_not_kept() {
    for (case, allowed) in [
        (
            include_str!("../../../tests/golden/wire/broken/told.txt"),
            Flaw::Error,
        ),
        (
            include_str!("../../../tests/golden/wire/length/told.txt"),
            Flaw::Truncated,
        ),
        (
            include_str!("../../../tests/golden/wire/filtered/told.txt"),
            Flaw::Filtered,
        ),
    ] {
        let mut found = 0;
        for (name, format) in FORMATS {
            for (suffix, form) in [("", Form::Whole), (" stream", Form::Stream)] {
                if let Some(bytes) = section(case, &format!("{name}{suffix}")) {
                    let told = Told {
                        format,
                        form,
                        bytes: &bytes,
                    };
                    // A filter's answer may be the model's own words.
                    let flaw = match examine(&told).unwrap_err() {
                        Flaw::Refused => Flaw::Filtered,
                        flaw => flaw,
                    };
                    assert_eq!(flaw, allowed, "{name}{suffix}");
                    found += 1;
                }
            }
        }
        assert!(found >= 4, "{found}");
    }
}

/// An answer that is cut anywhere is not whole; only space at its end may be missing where that means nothing.
#[test]
fn what_is_cut_is_never_whole() {
    for (what, format, form, bytes) in kept() {
        for end in 0..bytes.len() {
            let cut = bytes.slice(..end);
            let spare = form != Form::Stream && bytes[end..].trim_ascii().is_empty();
            let told = Told {
                format,
                form,
                bytes: &cut,
            };
            assert!(examine(&told).is_err() || spare, "{what} at {end}");
        }
    }
}

#[test]
fn a_stream_is_cut_at_its_events() {
    for (bytes, expected) in [
        ("", vec![]),
        (
            "data: 1\n\n: comment\n\ndata: 2\r\n\r\ndata: 3",
            vec!["data: 1\n\n", ": comment\n\n", "data: 2\r\n\r\n", "data: 3"],
        ),
        ("{\"a\":1}", vec!["{\"a\":1}"]),
        (
            "[{\"a\":\"],{\\\"\"}\n,\r\n{\"b\":[1,2]}\n]\n",
            vec!["[{\"a\":\"],{\\\"\"}\n", ",\r\n{\"b\":[1,2]}\n]\n"],
        ),
        ("[]", vec!["[]"]),
    ] {
        let bytes = Bytes::from(bytes);
        let cut = pieces(&bytes);
        assert_eq!(cut, expected);
        assert_eq!(cut.concat(), bytes);
    }
    for (what, _, form, bytes) in kept() {
        let cut = pieces(&bytes);
        assert_eq!(cut.concat(), bytes, "{what}");
        assert_eq!(cut.len() > 1, form != Form::Whole, "{what}");
        assert!(cut.iter().all(|piece| !piece.is_empty()), "{what}");
    }
}
