//! What becomes of requests: parameters, instructions and forms.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use super::Fixed;
use crate::dialects::format::Format;
use crate::dialects::meeting::Malformed;

fn applied(
    format: Format,
    parameters: &[(&str, &str)],
    system: Option<&str>,
    body: &str,
) -> Result<String, Malformed> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let fixed = Fixed {
        parameters: &parameters,
        system,
    };
    let bytes = fixed.apply(format, Some("m"), body.as_bytes())?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn what_is_fixed_replaces_and_the_rest_keeps_its_bytes() {
    let cool = [("temperature", "0.2")];
    let check = |body: &str, expected: &str| {
        assert_eq!(applied(Format::Chat, &cool, None, body).unwrap(), expected);
    };
    check(
        r#"{"model":"x", "temperature": 1.50,"seed": 1.0,"messages":[ ]}"#,
        r#"{"model":"m","temperature":0.2,"seed":1.0,"messages":[ ]}"#,
    );
    check(
        r#" {"temp\u0065rature":1,"temperature":2,"a\"b":12345678901234567890,"model":1}"#,
        r#"{"model":"m","temperature":0.2,"a\"b":12345678901234567890}"#,
    );
    check("{}", r#"{"model":"m","temperature":0.2}"#);
}

#[test]
fn parameters_have_their_names_in_each_format() {
    let all = [
        ("max_tokens", "5"),
        ("reasoning_effort", "\"low\""),
        ("stop", "\"x\""),
        ("temperature", "0.2"),
        ("unknown", "{\"a\":1}"),
    ];
    let check = |format, body: &str, expected: &str| {
        assert_eq!(applied(format, &all, None, body).unwrap(), expected);
    };
    check(
        Format::Chat,
        r#"{"max_completion_tokens":9,"max_tokens":8}"#,
        r#"{"model":"m","max_tokens":5,"reasoning_effort":"low","stop":"x","temperature":0.2,"unknown":{"a":1}}"#,
    );
    check(
        Format::Messages,
        r#"{"max_tokens":9,"stop_sequences":["y"],"top_k":3}"#,
        r#"{"model":"m","max_tokens":5,"stop_sequences":["x"],"temperature":0.2,"unknown":{"a":1},"top_k":3}"#,
    );
    check(
        Format::Responses,
        r#"{"max_output_tokens":9,"reasoning":{"summary":"auto","effort":"high"}}"#,
        r#"{"model":"m","max_output_tokens":5,"temperature":0.2,"unknown":{"a":1},"reasoning":{"effort":"low","summary":"auto"}}"#,
    );
    check(
        Format::Generate,
        r#"{"generation_config":{"max_output_tokens":9,"topK":3},"contents":[]}"#,
        r#"{"model":"m","unknown":{"a":1},"generationConfig":{"maxOutputTokens":5,"stopSequences":["x"],"temperature":0.2,"topK":3},"contents":[]}"#,
    );
    check(
        Format::Generate,
        r#"{"generationConfig":null}"#,
        r#"{"model":"m","unknown":{"a":1},"generationConfig":{"maxOutputTokens":5,"stopSequences":["x"],"temperature":0.2}}"#,
    );
    check(
        Format::CountTokens,
        r#"{"messages":[]}"#,
        r#"{"model":"m","unknown":{"a":1},"messages":[]}"#,
    );
    check(Format::GeminiCount, "{}", r#"{"model":"m"}"#);
}

#[test]
fn instructions_stand_before_the_clients() {
    let check = |format, body: &str, expected: &str| {
        let got = applied(format, &[], Some("be \"kind\""), body).unwrap();
        assert_eq!(
            got,
            format!(r#"{{"model":"m",{expected}}}"#),
            "{format:?} {body}"
        );
    };
    let message = r#"{"role":"system","content":"be \"kind\""}"#;
    check(
        Format::Chat,
        r#"{"messages":[{"role":"system","content":"b"}],"n":1}"#,
        &format!(r#""messages":[{message},{{"role":"system","content":"b"}}],"n":1"#),
    );
    check(
        Format::Chat,
        r#"{"messages":[ ]}"#,
        &format!(r#""messages":[{message} ]"#),
    );
    for format in [Format::Messages, Format::CountTokens] {
        check(format, "{}", r#""system":"be \"kind\"""#);
        check(format, r#"{"system":null}"#, r#""system":"be \"kind\"""#);
        check(
            format,
            r#"{"system":"b"}"#,
            r#""system":"be \"kind\"\n\nb""#,
        );
        check(
            format,
            r#"{"system":[{"type":"text","text":"b"}]}"#,
            r#""system":[{"type":"text","text":"be \"kind\""},{"type":"text","text":"b"}]"#,
        );
    }
    check(Format::Responses, "{}", r#""instructions":"be \"kind\"""#);
    check(
        Format::Responses,
        r#"{"instructions":"b"}"#,
        r#""instructions":"be \"kind\"\n\nb""#,
    );
    check(
        Format::Completions,
        r#"{"prompt":["a","b"]}"#,
        r#""prompt":["be \"kind\"\n\na","be \"kind\"\n\nb"]"#,
    );
    check(Format::Embeddings, r#"{"input":"a"}"#, r#""input":"a""#);
}

#[test]
fn geminis_instructions_are_a_content() {
    let part = r#"{"text":"a"}"#;
    let check = |body: &str, expected: &str| {
        let got = applied(Format::Generate, &[], Some("a"), body).unwrap();
        let expected = format!(r#"{{"model":"m","systemInstruction":{expected}}}"#);
        assert_eq!(got, expected, "{body}");
    };
    check("{}", &format!(r#"{{"parts":[{part}]}}"#));
    let two = format!(r#"{{"parts":[{part},{{"text":"b"}}]}}"#);
    check(r#"{"systemInstruction":{"parts":[{"text":"b"}]}}"#, &two);
    check(r#"{"system_instruction":{"parts":{"text":"b"}}}"#, &two);
    check(r#"{"system_instruction":"b"}"#, &two);
    check(
        r#"{"systemInstruction":{"role":"a[b","parts":[{"text":"b"}]}}"#,
        &format!(r#"{{"parts":[{part},{{"text":"b"}}],"role":"a[b"}}"#),
    );
}

#[test]
fn what_cannot_be_instructed_is_refused() {
    let check = |format, body: &str| {
        let got = applied(format, &[("temperature", "1")], Some("a"), body);
        assert!(got.is_err(), "{got:?}");
    };
    check(Format::Chat, "");
    check(Format::Chat, "[]");
    check(Format::Chat, "{}");
    check(Format::Chat, r#"{"messages":3}"#);
    check(Format::Chat, r#"{"messages":[],"messages":[]}"#);
    check(Format::Completions, r#"{"prompt":[1,2]}"#);
    check(Format::Messages, r#"{"system":3}"#);
    check(Format::Responses, r#"{"instructions":["a"]}"#);
    check(Format::Generate, r#"{"systemInstruction":3}"#);
    check(Format::Generate, r#"{"generationConfig":3}"#);
    check(
        Format::Generate,
        r#"{"generationConfig":{},"generation_config":{}}"#,
    );
}

#[test]
fn forms_get_parts() {
    let parameters = BTreeMap::from([
        ("language".to_owned(), "\"en\"".to_owned()),
        ("temperature".to_owned(), "0.2".to_owned()),
    ]);
    let fixed = Fixed {
        parameters: &parameters,
        system: Some("not in forms"),
    };
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n\u{1}--c\r\n";
    let body = [
        &*part("temperature", "1"),
        file,
        &part("model", "x"),
        "--b--\r\n",
    ]
    .concat();
    let kind = "multipart/form-data; boundary=b";
    let got = fixed
        .apply_to_form("workflows/w", kind, body.as_bytes())
        .unwrap();
    let expected = [
        &*part("model", "workflows/w"),
        &part("language", "en"),
        &part("temperature", "0.2"),
        file,
        "--b--\r\n",
    ];
    assert_eq!(std::str::from_utf8(&got).unwrap(), expected.concat());
    assert!(
        fixed
            .apply_to_form("m", "text/plain", body.as_bytes())
            .is_err()
    );
    assert!(fixed.apply_to_form("m", kind, b"--b").is_err());
}
