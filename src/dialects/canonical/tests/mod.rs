//! Are requests told apart, and only those?

mod corpus;
mod mutants;
mod same;

use super::{Canonical, Sameness, Unkept, read};
use crate::dialects::format::Endpoint;

/// What a request asks for; streamed or not it is read the same here.
fn canonical(endpoint: Endpoint, json: &str) -> Canonical {
    match read(endpoint, json.as_bytes(), false) {
        Ok(canonical) => canonical,
        Err(why) => panic!("{why}: {json}"),
    }
}

#[test]
fn what_cannot_be_kept_says_why() {
    use Endpoint::{
        Chat, CountTokens, GeminiCount, Generate, ImageEdits, ImageGenerations, InputTokens,
        Messages, Responses, Transcriptions,
    };
    for (endpoint, json, expected) in [
        (ImageEdits, "{}", "form"),
        (Transcriptions, "{}", "form"),
        (CountTokens, "{}", "count"),
        (InputTokens, "{}", "count"),
        (GeminiCount, "{}", "count"),
        (ImageGenerations, r#"{"prompt":"a"}"#, "random"),
        (ImageGenerations, r#"{"prompt":"a","seed":null}"#, "random"),
        (Chat, "[]", "malformed"),
        (Chat, "", "malformed"),
        (Chat, r#"{"model":"a","model":"b"}"#, "malformed"),
        (Chat, r#"{"messages":[{"a":1,"\u0061":2}]}"#, "malformed"),
        (
            Chat,
            r#"{"messages":[{"role":"assistant","audio":{"id":"a"}}]}"#,
            "stateful",
        ),
        (Responses, r#"{"previous_response_id":"r"}"#, "stateful"),
        (Responses, r#"{"conversation":{"id":"c"}}"#, "stateful"),
        (Responses, r#"{"prompt":{"id":"p"}}"#, "stateful"),
        (Responses, r#"{"background":true}"#, "stateful"),
        (
            Responses,
            r#"{"input":[{"type":"item_reference","id":"i"}]}"#,
            "stateful",
        ),
        (Responses, r#"{"input":[{"id":"i"}]}"#, "stateful"),
        (
            Responses,
            r#"{"tools":[{"type":"code_interpreter","container":"c"}]}"#,
            "stateful",
        ),
        (Messages, r#"{"container":"c"}"#, "stateful"),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":[{"type":"container_upload"}]}]}"#,
            "stateful",
        ),
        (Generate, r#"{"cachedContent":"c"}"#, "stateful"),
        (Generate, r#"{"cached_content":"c"}"#, "stateful"),
    ] {
        let why = read(endpoint, json.as_bytes(), false).unwrap_err();
        assert_eq!(why.name(), expected, "{endpoint:?} {json}");
    }
    let deep = format!(
        "{{\"messages\":{}{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let why = read(Chat, deep.as_bytes(), false).unwrap_err();
    assert_eq!(why, Unkept::TooLarge);
    let wide = format!("{{\"messages\":[{}0]}}", "{},".repeat(200_000));
    assert_eq!(
        read(Chat, wide.as_bytes(), false).unwrap_err(),
        Unkept::TooLarge
    );
}

/// A row of the table below.
type Row = (Endpoint, &'static str, bool, bool, Option<f64>, usize);

/// Requests; whether their answers must have a form, and may call tools; their temperature and turns.
const ASKED: &[Row] = &[
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"temperature":0.5}"#,
        false,
        false,
        Some(0.5),
        1,
    ),
    (
        Endpoint::Chat,
        r#"{"logprobs":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"temperature":0}"#,
        false,
        false,
        Some(0.0),
        1,
    ),
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}"#,
        true,
        false,
        None,
        1,
    ),
    (
        Endpoint::Chat,
        r#"{"n":2,"messages":[{"role":"user","content":"a"}],"response_format":{"type":"text"}}"#,
        false,
        false,
        None,
        1,
    ),
    (
        Endpoint::Chat,
        r#"{"n":2,"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}"#,
        true,
        false,
        None,
        1,
    ),
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
        true,
        true,
        None,
        1,
    ),
    (
        Endpoint::Responses,
        r#"{"input":"a","tools":[{"type":"web_search"}]}"#,
        true,
        true,
        None,
        1,
    ),
    (
        Endpoint::Responses,
        r#"{"input":"a","text":{"format":{"type":"json_object"}},"include":["x"]}"#,
        true,
        false,
        None,
        1,
    ),
    (
        Endpoint::Generate,
        r#"{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"temperature":1,"responseMimeType":"application/json"}}"#,
        true,
        false,
        Some(1.0),
        1,
    ),
    (
        Endpoint::Generate,
        r#"{"safetySettings":[{}],"contents":[{"parts":[{"text":"a"}]}],"generation_config":{"temperature":1,"response_mime_type":"application/json"}}"#,
        true,
        false,
        Some(1.0),
        1,
    ),
    (
        Endpoint::Messages,
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"speed":"fast","output_config":{"format":{"type":"json_schema","schema":{}}}}"#,
        true,
        false,
        None,
        2,
    ),
    (
        Endpoint::Completions,
        r#"{"prompt":"a","temperature":0.25}"#,
        false,
        false,
        Some(0.25),
        1,
    ),
    (
        Endpoint::Embeddings,
        r#"{"input":"a"}"#,
        false,
        false,
        None,
        0,
    ),
];

#[test]
fn what_an_answer_must_be_is_told() {
    for (endpoint, json, structured, tools, temperature, turns) in ASKED {
        let (endpoint, json) = (*endpoint, *json);
        let read = canonical(endpoint, json);
        assert_eq!(
            (read.structured, read.tools),
            (*structured, *tools),
            "{json}"
        );
        assert_eq!(
            (read.temperature, read.turns),
            (*temperature, *turns),
            "{json}"
        );
    }
}

#[test]
fn the_last_user_text_stands_apart() {
    for (endpoint, before, after) in [
        (
            Endpoint::Chat,
            r#"{"messages":[{"role":"user","content":"#,
            "}]}",
        ),
        (
            Endpoint::Chat,
            r#"{"n":2,"messages":[{"role":"user","content":"#,
            "}]}",
        ),
        (
            Endpoint::Messages,
            r#"{"messages":[{"role":"user","content":"#,
            "}]}",
        ),
        (
            Endpoint::Messages,
            r#"{"speed":"fast","messages":[{"role":"user","content":"#,
            "}]}",
        ),
        (Endpoint::Responses, r#"{"input":"#, "}"),
        (Endpoint::Responses, r#"{"include":["x"],"input":"#, "}"),
        (
            Endpoint::Responses,
            r#"{"include":["x"],"input":[{"role":"user","content":"#,
            "}]}",
        ),
        (
            Endpoint::Generate,
            r#"{"contents":[{"parts":{"text":"#,
            "}}]}",
        ),
        (
            Endpoint::Generate,
            r#"{"safetySettings":[{}],"contents":[{"parts":{"text":"#,
            "}}]}",
        ),
        (Endpoint::Completions, r#"{"prompt":"#, "}"),
    ] {
        let of = |text: &str| {
            let quoted = serde_json::to_string(text).unwrap();
            canonical(endpoint, &format!("{before}{quoted}{after}"))
        };
        let (one, other) = (of("a \"b\" \u{0} ü"), of("something else"));
        assert_eq!(one.text.as_deref(), Some("a \"b\" \u{0} ü"), "{before}");
        assert_eq!(other.text.as_deref(), Some("something else"), "{before}");
        assert_eq!(one.frame, other.frame, "{before}");
        assert_eq!(one.sameness, other.sameness);
    }
    for json in [
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}]}"#,
        r#"{"n":2,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}]}"#,
        r#"{"messages":[{"role":"system","content":"a"}]}"#,
        r#"{"messages":[]}"#,
        r#"{"messages":"a"}"#,
        "{}",
    ] {
        assert_eq!(canonical(Endpoint::Chat, json).text, None, "{json}");
    }
}

/// Texts that are joined differently are not the same, though they add up to the same text.
#[test]
fn joined_texts_are_told_apart() {
    for rest in ["", r#","n":2"#] {
        let of = |texts: &[&str]| {
            let parts = texts
                .iter()
                .map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#));
            let parts = parts.collect::<Vec<_>>().join(",");
            canonical(
                Endpoint::Chat,
                &format!(r#"{{"messages":[{{"role":"user","content":[{parts}]}}]{rest}}}"#),
            )
        };
        let all = [
            of(&["abc"]),
            of(&["a", "bc"]),
            of(&["ab", "c"]),
            of(&["a", "b", "c"]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.text.as_deref(), Some("abc"));
            assert!(all[..at].iter().all(|other| other.frame != one.frame));
        }
        assert_eq!(of(&["a", "bc"]).frame, of(&["x", "yz and more"]).frame);
    }
}

#[test]
fn the_manner_counts_where_the_words_do() {
    let whole = r#"{"messages":[{"role":"user","content":"a"}],"stream":false}"#;
    let letter = r#"{"messages":[{"role":"user","content":"a"}],"logprobs":true,"stream_options":{"include_usage":true}}"#;
    let key = |json: &str, streamed| {
        let read = read(Endpoint::Chat, json.as_bytes(), streamed).unwrap();
        (read.sameness, read.frame)
    };
    assert_eq!(key(whole, true), key(whole, false));
    assert_eq!(key(whole, true).0, Sameness::Meaning);
    assert_ne!(key(letter, true), key(letter, false));
    assert_eq!(key(letter, true).0, Sameness::Letter);
    // Without a stream the options of one say nothing.
    let plain = letter.replace(r#","stream_options":{"include_usage":true}"#, "");
    assert_eq!(key(letter, false), key(&plain, false));
    assert_ne!(key(letter, true), key(&plain, true));
    // Google's clients ask for it in the path.
    let body = r#"{"contents":[{"parts":[{"text":"a"}]}],"safetySettings":[{"category":"c"}]}"#;
    let generate = |endpoint, streamed| read(endpoint, body.as_bytes(), streamed).unwrap().frame;
    assert_ne!(
        generate(Endpoint::Generate, false),
        generate(Endpoint::StreamGenerate, true)
    );
}

#[test]
fn the_end_user_is_named_apart() {
    for (endpoint, with, user) in [
        (Endpoint::Chat, r#""user":"u""#, Some("u")),
        (
            Endpoint::Chat,
            r#""user":"u","safety_identifier":"s""#,
            Some("s"),
        ),
        (Endpoint::Chat, r#""n":2,"user":"u""#, Some("u")),
        (
            Endpoint::Messages,
            r#""metadata":{"user_id":"u"}"#,
            Some("u"),
        ),
        (Endpoint::Messages, r#""metadata":{"user_id":null}"#, None),
        (Endpoint::Messages, r#""metadata":{}"#, None),
    ] {
        let of = |more: &str| {
            let json = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{more}}}"#);
            canonical(endpoint, &json)
        };
        let bare = if with.contains("\"n\"") {
            r#""n":2"#
        } else {
            r#""stream":false"#
        };
        assert_eq!(of(with).user.as_deref(), user, "{with}");
        if user.is_some() || with == r#""metadata":{}"# {
            assert_eq!(of(with).frame, of(bare).frame, "{with}");
        }
    }
    // What is no name stays in the frame.
    let odd = canonical(
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"user":7}"#,
    );
    assert_eq!((odd.user, odd.sameness), (None, Sameness::Letter));
}
