//! Puts a workflow's fixed parameters, model and instructions into a client's request.
//!
//! Parameters are named as in chat completions; where another format has another name or place for one, it goes there, and where a format has none, it is left out.
//! A name that is not known here goes to the top of the request as it is.
//!
//! # Invariants
//! - What is fixed replaces what the client wrote for the same thing, under any of its names; everything else keeps its bytes and its order.
//! - A field that is read here and occurs twice is refused: a provider might read the other one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::format::Format;
use super::meeting::Malformed;
use super::openai::form;

/// What a workflow puts into every request.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<'f> {
    /// Names and the JSON text of their values.
    pub parameters: &'f BTreeMap<String, String>,
    /// Instructions that stand before the client's.
    pub system: Option<&'f str>,
}

/// Where a parameter goes.
enum Seat<'a> {
    /// Under this name at the top.
    Top(&'a str),
    /// Under this name in an object at the top.
    Inside(&'static str, &'static str),
    /// Nowhere: the format has nothing like it.
    Nowhere,
}

/// A parameter's place in Anthropic's messages, OpenAI's responses and Gemini's `generationConfig`; empty for none.
const SEATS: [(&str, [&str; 3]); 13] = [
    ("temperature", ["temperature", "temperature", "temperature"]),
    ("top_p", ["top_p", "top_p", "topP"]),
    ("top_k", ["top_k", "", "topK"]),
    (
        "max_tokens",
        ["max_tokens", "max_output_tokens", "maxOutputTokens"],
    ),
    (
        "max_completion_tokens",
        ["max_tokens", "max_output_tokens", "maxOutputTokens"],
    ),
    ("stop", ["stop_sequences", "", "stopSequences"]),
    ("seed", ["", "", "seed"]),
    ("presence_penalty", ["", "", "presencePenalty"]),
    ("frequency_penalty", ["", "", "frequencyPenalty"]),
    ("n", ["", "", "candidateCount"]),
    ("stream", ["stream", "stream", ""]),
    ("stream_options", ["", "", ""]),
    ("user", ["", "user", ""]),
];

/// Fields of an object under construction: names and the JSON text of their values.
type Written<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The fields of an object, in the order written.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl Fixed<'_> {
    /// The request `body` of this format with `model` and everything fixed in it; none for a model that the path names.
    ///
    /// # Errors
    /// [`Malformed`] where the body is not an object, or not of a shape that instructions can be put into.
    pub fn apply(
        &self,
        format: Format,
        model: Option<&str>,
        body: &[u8],
    ) -> Result<Bytes, Malformed> {
        let Fields(client) = serde_json::from_slice(body)?;
        let mut written: Written<'_> = Vec::with_capacity(client.len() + 4);
        let mut inside: Vec<(&'static str, Written<'_>)> = Vec::new();
        written.extend(model.map(|model| ("model".into(), quoted(model).into())));
        for (name, value) in self.parameters {
            match seat(format, name) {
                Seat::Top(name) => written.push((name.into(), listed(name, value))),
                Seat::Inside(group, name) => {
                    let field = (name.into(), listed(name, value));
                    match inside.iter_mut().find(|(known, _)| *known == group) {
                        Some((_, fields)) => fields.push(field),
                        None => inside.push((group, vec![field])),
                    }
                }
                Seat::Nowhere => {}
            }
        }
        for (group, mut fields) in inside {
            let own = once(format, &client, group)?.map_or("null", |(_, value)| value.get());
            let Fields(own) = match own {
                "null" => Fields(Vec::new()),
                own => serde_json::from_str(own)
                    .map_err(|_| Malformed::new(format!("`{group}` must be an object")))?,
            };
            merge(format, &mut fields, &own);
            written.push((group.into(), object(&fields).into()));
        }
        if let Some(system) = self.system {
            instruct(format, system, &client, &mut written)?;
        }
        merge(format, &mut written, &client);
        Ok(Bytes::from(object(&written)))
    }

    /// The form `body` with `model` and the parameters in it, as parts of their own; forms have no instructions.
    ///
    /// # Errors
    /// [`Malformed`] where the body is not the form that its `content_type` says.
    pub fn apply_to_form(
        &self,
        model: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Bytes, Malformed> {
        let mut parts = vec![("model", model.to_owned())];
        for (name, value) in self.parameters {
            let text = serde_json::from_str::<String>(value);
            parts.push((name, text.unwrap_or_else(|_| value.clone())));
        }
        form::replace(body, content_type, &parts).map_err(|why| Malformed::new(why.to_string()))
    }
}

/// Where a parameter goes in a format.
fn seat(format: Format, name: &str) -> Seat<'_> {
    let known = SEATS.iter().find(|(known, _)| *known == name);
    let effort = name == "reasoning_effort";
    match (format, known) {
        (Format::GeminiCount, _) => Seat::Nowhere,
        (Format::CountTokens | Format::InputTokens, Some(_)) => Seat::Nowhere,
        (Format::Responses | Format::InputTokens, None) if effort => {
            Seat::Inside("reasoning", "effort")
        }
        (Format::Messages | Format::CountTokens | Format::Generate, None) if effort => {
            Seat::Nowhere
        }
        (Format::Messages, Some((_, [own, _, _])))
        | (Format::Responses, Some((_, [_, own, _]))) => match *own {
            "" => Seat::Nowhere,
            own => Seat::Top(own),
        },
        (Format::Generate, Some((_, [_, _, own]))) => match *own {
            "" => Seat::Nowhere,
            own => Seat::Inside("generationConfig", own),
        },
        (Format::Completions, _) if name == "max_completion_tokens" => Seat::Top("max_tokens"),
        _ => Seat::Top(name),
    }
}

/// The value of a parameter under its name in a format: some take lists only.
fn listed<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if matches!(name, "stop_sequences" | "stopSequences") && !value.starts_with('[') {
        return format!("[{value}]").into();
    }
    value.into()
}

/// Whether two names mean the same field.
fn same(format: Format, one: &str, other: &str) -> bool {
    let bound = |name: &str| matches!(name, "max_tokens" | "max_completion_tokens");
    match format {
        // Why: Google takes both spellings of every name.
        Format::Generate | Format::GeminiCount | Format::GeminiEmbed | Format::GeminiEmbeds => {
            let letters = |name: &'_ str| -> String {
                let plain = name.chars().filter(|letter| *letter != '_');
                plain.map(|letter| letter.to_ascii_lowercase()).collect()
            };
            letters(one) == letters(other)
        }
        Format::Chat | Format::Completions => one == other || bound(one) && bound(other),
        _ => one == other,
    }
}

/// The client's only field of this name.
fn once<'c, 'a>(
    format: Format,
    client: &'c [(Cow<'a, str>, &'a RawValue)],
    name: &str,
) -> Result<Option<&'c (Cow<'a, str>, &'a RawValue)>, Malformed> {
    let mut found = client.iter().filter(|(known, _)| same(format, known, name));
    let first = found.next();
    match found.next() {
        Some(_) => Err(Malformed::new(format!("`{name}` occurs twice"))),
        None => Ok(first),
    }
}

/// Adds the client's fields that are not written yet.
fn merge<'a>(format: Format, written: &mut Written<'a>, client: &[(Cow<'a, str>, &'a RawValue)]) {
    let fixed = written.len();
    for (name, value) in client {
        let is_written = |(known, _): &(Cow<'_, str>, _)| same(format, known, name);
        if !written[..fixed].iter().any(is_written) {
            written.push((name.clone(), value.get().into()));
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn object(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let room: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let mut out = String::with_capacity(room + 2);
    out.push('{');
    for (place, (name, value)) in fields.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// Puts instructions before the client's, where the format has them.
fn instruct<'a>(
    format: Format,
    system: &str,
    client: &[(Cow<'a, str>, &'a RawValue)],
    written: &mut Written<'a>,
) -> Result<(), Malformed> {
    let name = match format {
        Format::Chat => "messages",
        Format::Completions => "prompt",
        Format::Messages | Format::CountTokens => "system",
        Format::Responses | Format::InputTokens => "instructions",
        Format::Generate => "systemInstruction",
        _ => return Ok(()),
    };
    let text = quoted(system);
    let own = once(format, client, name)?.map(|(_, value)| value.get());
    let wrong = |what: &str| Malformed::new(format!("`{name}` must be {what}"));
    let joined = match (format, own) {
        (Format::Chat, Some(own)) => {
            let item = format!("{{\"role\":\"system\",\"content\":{text}}}");
            before(&item, own).ok_or_else(|| wrong("a list"))?
        }
        (Format::Chat, None) => return Err(Malformed::new("you must provide messages")),
        (Format::Completions, Some(own)) => prompts(system, own).ok_or_else(|| {
            wrong("a text or a list of texts, since the workflow has instructions")
        })?,
        (Format::Generate, own) => {
            let own = own.filter(|own| *own != "null");
            generate(&text, own).ok_or_else(|| wrong("a content with parts"))?
        }
        (_, None | Some("null")) => text,
        (_, Some(own)) => {
            let item = format!("{{\"type\":\"text\",\"text\":{text}}}");
            prefixed(system, own)
                .or_else(|| before(&item, own).filter(|_| name == "system"))
                .ok_or_else(|| wrong("a text"))?
        }
    };
    written.push((name.into(), joined.into()));
    Ok(())
}

/// The JSON text `own` with instructions before it.
fn prefixed(system: &str, own: &str) -> Option<String> {
    let own: String = serde_json::from_str(own).ok()?;
    Some(quoted(&format!("{system}\n\n{own}")))
}

/// The JSON list `own` with an item before it.
fn before(item: &str, own: &str) -> Option<String> {
    let rest = own.strip_prefix('[')?;
    let comma = if rest.trim_start().starts_with(']') {
        ""
    } else {
        ","
    };
    Some(format!("[{item}{comma}{rest}"))
}

/// A prompt, or each of a list of prompts, with instructions before it; without any the instructions alone.
fn prompts(system: &str, own: &str) -> Option<String> {
    if own == "null" {
        return Some(quoted(system));
    }
    if own.starts_with('[') {
        let all: Vec<String> = serde_json::from_str(own).ok()?;
        let all = all.iter().map(|one| quoted(&format!("{system}\n\n{one}")));
        return Some(format!("[{}]", all.collect::<Vec<_>>().join(",")));
    }
    prefixed(system, own)
}

/// Gemini's instructions, a content, with a part before its own.
fn generate(text: &str, own: Option<&str>) -> Option<String> {
    let item = format!("{{\"text\":{text}}}");
    let Fields(own) = match own {
        None => return Some(format!("{{\"parts\":[{item}]}}")),
        // Some libraries let a plain text pass.
        Some(own) if own.starts_with('"') => {
            return Some(format!("{{\"parts\":[{item},{{\"text\":{own}}}]}}"));
        }
        Some(own) => serde_json::from_str(own).ok()?,
    };
    let parts = once(Format::Generate, &own, "parts").ok()?;
    let parts = match parts.map(|(_, parts)| parts.get()) {
        None | Some("null") => format!("[{item}]"),
        Some(list) if list.starts_with('[') => before(&item, list)?,
        Some(one) => format!("[{item},{one}]"),
    };
    let mut written: Written<'_> = vec![("parts".into(), parts.into())];
    merge(Format::Generate, &mut written, &own);
    Some(object(&written))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
