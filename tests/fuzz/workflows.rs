//! Can any request slip something past what a workflow has fixed, or past the rules that choose its routes?
//!
//! # Invariants
//! - What is fixed stands once, and with its own value; everything else of the client's stays.
//! - A credential decides nothing.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use trimtab::config::{self, CREDENTIALS, Rule, Surroundings};
use trimtab::dialects::fixed::Fixed;
use trimtab::dialects::format::Format;
use trimtab::dialects::openai::form;
use trimtab::dialects::openai::peek::peek;
use trimtab::images::split;
use trimtab::routing::rules::{Facts, choose};

use crate::corpus;
use crate::mutate::Kind;
use crate::requests::{json, request_seeds};
use crate::run::Target;
use crate::seeds::harvested_texts;

/// Parameters and their values' JSON text.
const PARAMETERS: [(&str, &str); 10] = [
    ("temperature", "0.5"),
    ("a\"b", "{}"),
    ("max_tokens", "7"),
    ("stop", "\"END\""),
    ("reasoning_effort", "\"low\""),
    ("stream", "true"),
    ("user", "null"),
    ("language", "\"en\""),
    ("unknown", "[1,{\"a\":\"\\n\"}]"),
    ("top_k", "3"),
];

/// Conditions of rules, each the only one of its model's.
const CONDITIONS: [&str; 14] = [
    "when = 'headers[\"x-tier\"] == \"gold\"'",
    "header = { x-tier = \"gold\" }",
    "when = 'input_tokens > 30000 && stream'",
    "when = 'headers.exists(h, h.startsWith(\"x-b\"))'",
    "when = 'headers.exists(h, headers[h].contains(\"gold\"))'",
    "when = 'headers.all(h, size(headers[h]) < 100)'",
    "when = 'headers.map(h, headers[h]).exists(v, v == model)'",
    "when = '\"authorization\" in headers.map(h, h)'",
    "when = 'type(max_tokens) == int && input_tokens / max_tokens > 5'",
    "when = 'int(headers[\"x-number\"]) + 9223372036854775800 > 5'",
    "when = 'double(headers[\"x-number\"]) > 0.5 || bool(headers[\"x-flag\"])'",
    "when = 'model + key + team + endpoint == string(bytes(model)) + \"bachat\"'",
    "when = 'model.endsWith(\"-mini\") ? hour >= 22 : hour < 6'",
    "when = '[model, key][int(headers[\"x-number\"])] == team'",
];

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let own = [
        corpus::CHAT,
        corpus::RESPONSES,
        corpus::MESSAGES,
        corpus::GENERATE,
        corpus::COMPLETIONS,
    ];
    let bytes = |texts: &[&str]| {
        let texts = texts.iter().map(|text| text.as_bytes().to_vec());
        texts.collect::<Vec<_>>()
    };
    let rules: Vec<Vec<Rule>> = CONDITIONS
        .iter()
        .map(|line| ruled(line).expect("a good condition"))
        .collect();
    let mut conditions: Vec<Vec<u8>> = CONDITIONS
        .iter()
        .filter_map(|line| line.strip_prefix("when = '")?.strip_suffix('\''))
        .map(|text| text.as_bytes().to_vec())
        .collect();
    conditions.extend(harvested_texts("src/config/rules.rs"));
    vec![
        Target::new("fixed", Kind::Json, request_seeds(&own, "."), fixed),
        Target::new("fixed-form", Kind::Lines, bytes(corpus::FORMS), fixed_form),
        Target::new(
            "rules",
            Kind::Lines,
            bytes(corpus::ASKED),
            move |input, rng| chosen(&rules, input, rng),
        ),
        Target::new("conditions", Kind::Lines, conditions, compiled),
    ]
}

/// A field as it is written: its name, and the text of its value.
type Field = (String, String);

/// An object's fields, in their order.
struct Fields(Vec<Field>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, value.get().to_owned()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

fn some_parameters(rng: &mut SmallRng) -> BTreeMap<String, String> {
    let some = PARAMETERS.into_iter().filter(|_| rng.random());
    some.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn fixed(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let parameters = some_parameters(rng);
    let fixed = Fixed {
        parameters: &parameters,
        system: rng.random::<bool>().then_some("Say \"please\"."),
    };
    let formats = [
        Format::Chat,
        Format::Responses,
        Format::Messages,
        Format::Generate,
        Format::Completions,
        Format::Embeddings,
        Format::CountTokens,
    ];
    let format = formats[rng.random_range(0..formats.len())];
    let Ok(body) = fixed.apply(format, Some("m"), input) else {
        return Ok(());
    };
    json("the fixed request", &body)?;
    if let Ok(seen) = peek(&body)
        && seen.model != "m"
    {
        return Err(format!(
            "the fixed request names another model: {}",
            seen.model
        ));
    }
    let Ok(Fields(asked)) = serde_json::from_slice(input) else {
        return Err("what is no object was taken: ".to_owned());
    };
    let Fields(got) =
        serde_json::from_slice(&body).map_err(|error| format!("no object: {error}"))?;
    if format == Format::Chat {
        let pair = |name: &str| {
            let bound = ["max_tokens", "max_completion_tokens"];
            let other = bound.contains(&name).then_some(bound);
            got.iter()
                .filter(|(known, _)| {
                    known == name || other.is_some_and(|two| two.contains(&&**known))
                })
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
        };
        for (name, value) in &parameters {
            if pair(name) != [value] {
                return Err(format!("{name} is not fixed to {value}: {:?}", pair(name)));
            }
        }
    }
    kept(format, (&asked, &got), &parameters)
}

/// Whether every field of the client's that a workflow does not speak of is still there.
fn kept(
    format: Format,
    (asked, got): (&[Field], &[Field]),
    parameters: &BTreeMap<String, String>,
) -> Result<(), String> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let spoken_of = [
        "model",
        "messages",
        "prompt",
        "system",
        "instructions",
        "systeminstruction",
        "reasoning",
        "generationconfig",
        "maxtokens",
        "maxcompletiontokens",
        "maxoutputtokens",
        "stopsequences",
    ];
    let left = asked.iter().filter(|(name, _)| {
        let name = plain(name);
        !spoken_of.contains(&&*name) && !parameters.keys().any(|known| plain(known) == name)
    });
    let mut rest = got.iter();
    for field in left {
        if !rest.any(|it| it == field) {
            return Err(format!("{format:?} loses a field: {field:?}"));
        }
    }
    Ok(())
}

fn fixed_form(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let at = input.iter().position(|&byte| byte == b'\n');
    let (kind, body) = input.split_at(at.unwrap_or(input.len()));
    let kind = String::from_utf8_lossy(kind);
    let body = body.get(1..).unwrap_or_default();
    let parameters = some_parameters(rng);
    let fixed = Fixed {
        parameters: &parameters,
        system: None,
    };
    let Ok(got) = fixed.apply_to_form("workflows/w", &kind, body) else {
        return Ok(());
    };
    let seen = form::peek(&got, &kind);
    // A client's own `stream` may be no truth.
    if let Ok(seen) = &seen
        && seen.model != "workflows/w"
    {
        return Err(format!("the form names another model: {}", seen.model));
    }
    let Ok(fields) = split(&kind, &got) else {
        return Ok(());
    };
    for (name, value) in [("model", "workflows/w"), ("temperature", "0.5")] {
        let values: Vec<_> = fields.iter().filter(|field| field.name == name).collect();
        let is_fixed = name == "model" || parameters.contains_key(name);
        if is_fixed && (values.len() != 1 || values[0].data != value) {
            return Err(format!("{name} is not fixed to {value}: {values:?}"));
        }
    }
    Ok(())
}

/// The rules of a model with this one.
fn ruled(line: &str) -> Option<Vec<Rule>> {
    let text = format!(
        "[providers.p]\nbase_url = \"http://a\"\n[models.a]\nroutes = [{{ provider = \"p\" }}]\n\
         [models.with]\nroutes = [{{ provider = \"p\" }}]\nrules = [{{ model = \"a\", {line} }}]\n"
    );
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    let mut models = config::parse(Path::new("c"), &text, &around).ok()?.models;
    Some(models.pop()?.rules)
}

/// The headers in an input's lines, without credentials.
fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.take(500) {
        let at = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(at.unwrap_or(line.len()));
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value)
            && !CREDENTIALS.contains(&name.as_str())
        {
            headers.append(name, value);
        }
    }
    headers
}

fn chosen(rules: &[Vec<Rule>], input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let mut lines = input.split(|&byte| byte == b'\n');
    let model = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let plain = headers(lines);
    let mut with_secrets = plain.clone();
    for name in CREDENTIALS {
        let value = HeaderValue::from_static("gold");
        with_secrets.append(HeaderName::from_static(name), value);
    }
    let numbers = [0, 1, 30_000, 30_001, u32::MAX];
    let mut number = || numbers[rng.random_range(0..numbers.len())];
    let facts = Facts {
        model: &model,
        endpoint: "chat",
        stream: number() == 0,
        input_tokens: number(),
        max_tokens: Some(number()).filter(|&most| most != 1),
        headers: &plain,
        key: "b",
        team: "a",
        hour: u8::try_from(number() % 24).unwrap_or(0),
        budget_left: 1.0,
    };
    let secret = Facts {
        headers: &with_secrets,
        ..facts
    };
    for (number, rules) in rules.iter().enumerate() {
        let choice = choose(rules, &facts, &mut |_| {});
        if choice != choose(rules, &secret, &mut |_| {}) {
            return Err(format!("a credential decides: {}", CONDITIONS[number]));
        }
        let gold = |value: &HeaderValue| value.to_str().is_ok_and(|text| text == "gold");
        let mut tiers = plain.get_all("x-tier").iter();
        let expected = match number {
            // Of what is no text nothing is known.
            0 => {
                let told: Vec<_> = tiers.filter(|value| value.to_str().is_ok()).collect();
                told.len() == 1 && gold(told[0])
            }
            1 => tiers.any(gold),
            2 => facts.input_tokens > 30_000 && facts.stream,
            3 => plain.keys().any(|name| name.as_str().starts_with("x-b")),
            7 => false,
            _ => continue,
        };
        if choice.is_some() != expected {
            return Err(format!(
                "a rule decides otherwise: {}, {expected} expected, {choice:?}",
                CONDITIONS[number]
            ));
        }
    }
    Ok(())
}

/// A condition of any words is refused, or gives an answer on any facts.
fn compiled(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let text = String::from_utf8_lossy(input).replace('\0', "");
    let quoted = toml::Value::String(text).to_string();
    // A value of several lines cannot stand in an inline table's single line.
    let Some(rules) = ruled(&format!("when = {quoted}")) else {
        return Ok(());
    };
    chosen_any(&rules, rng)
}

fn chosen_any(rules: &[Rule], rng: &mut SmallRng) -> Result<(), String> {
    let lines = ["x-tier: gold", "x-number: 7", "accept: a"];
    let headers = headers(lines.iter().map(|line| line.as_bytes()));
    let facts = Facts {
        model: "gpt-5",
        endpoint: "chat",
        stream: rng.random(),
        input_tokens: rng.random(),
        max_tokens: rng.random::<bool>().then(|| rng.random()),
        headers: &headers,
        key: "",
        team: "a",
        hour: 23,
        budget_left: 1.0,
    };
    let choice = || choose(rules, &facts, &mut |_| {});
    if choice() == choice() {
        return Ok(());
    }
    Err("the same facts are decided twice: ".to_owned())
}
