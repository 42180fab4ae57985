//! Can any id make the gateway take one thing that it remembers for another?
//!
//! # Invariants
//! - What is recalled by an id is what was told last under just that id.
//! - Written and read base64 is what was meant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use trimtab::dialects::convert::{self, Meant};
use trimtab::dialects::format::Format;
use trimtab::dialects::meeting::Target as For;
use trimtab::dialects::responses::{peek, recall, watch};
use trimtab::dialects::{gemini, openai};
use trimtab::proxy::Recollections;
use trimtab::routing::Makers;

use crate::answers::frame;
use crate::corpus;
use crate::mutate::Kind;
use crate::requests::{difference, json as is_json, request_seeds};
use crate::run::Target;

/// The longest item that must be remembered, bytes.
const REMEMBERED: usize = 32 * 1024;

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let told = [corpus::ANSWERS[1], corpus::RESPONSES];
    let makers = Makers::default();
    let coded = [
        "AACAPwAAAEA=",
        "AACAPw",
        "-_8=",
        "dHJpbXRhYjphbnRocm9waWM6YQ==",
    ];
    let coded = coded.map(|text| text.as_bytes().to_vec()).to_vec();
    vec![
        Target::new(
            "recollection",
            Kind::Json,
            request_seeds(&told, "responses"),
            recollected,
        )
        .keeping_trees(),
        Target::new(
            "stickiness",
            Kind::Json,
            request_seeds(&told, "responses"),
            move |input, rng| stuck(&makers, input, rng),
        )
        .keeping_trees(),
        Target::new("base64", Kind::Lines, coded, coded_twice),
    ]
}

fn recollected(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let memory = Recollections::default();
    memory.remember(input);
    let items = recall::items(input);
    let mut references = Vec::new();
    for item in &items {
        let last = items
            .iter()
            .rfind(|it| it.id == item.id && it.json.len() <= REMEMBERED);
        // Another id may have taken the place.
        if let Some(recalled) = memory.recall(&item.id)
            && Some(recalled.as_ref()) != last.map(|it| it.json.as_bytes())
        {
            return Err(format!("{:?} recalls another item: {recalled:?}", item.id));
        }
        references.push(json!({"type": "item_reference", "id": item.id}));
    }
    references.truncate(64);
    let asked = json!({"model": "m", "input": references}).to_string();
    let recall = |id: &str| memory.recall(id);
    if let Ok(meant) = convert::read(Format::Responses, asked.as_bytes(), &recall) {
        let target = For {
            model: "m",
            default_max_tokens: 9,
            most_max_tokens: None,
        };
        let (written, _) = convert::write(Format::Chat, &meant, &target);
        is_json("a recalled conversation", &written)?;
    }
    Ok(())
}

fn stuck(makers: &Makers, input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let accounts = [("p", "a"), ("p", "b"), ("pa", ""), ("", "pa")];
    let account = accounts[rng.random_range(0..accounts.len())];
    let maker = makers.maker(account.0, account.1);
    // What is nested more deeply than the twin can read was refused before.
    let Ok(value) = serde_json::from_slice::<Value>(input) else {
        let _ = (peek::peek(input).is_ok(), watch::read_whole(input).is_ok());
        return Ok(());
    };
    let told = |name: &str| value.get(name)?.as_str().filter(|it| !it.is_empty());
    if let Ok(seen) = peek::peek(input) {
        for (name, got) in [
            ("previous_response_id", &seen.previous_response_id),
            ("prompt_cache_key", &seen.prompt_cache_key),
        ] {
            if got.as_deref() != told(name) {
                return Err(format!("{name} is read otherwise: {got:?}"));
            }
        }
        for id in [
            &seen.previous_response_id,
            &seen.item_reference,
            &seen.reasoning_id,
        ]
        .into_iter()
        .flatten()
        {
            makers.remember(id.as_bytes(), maker);
            if makers.recall(id.as_bytes()) != Some(maker) {
                return Err(format!("the maker of {id:?} is forgotten at once: "));
            }
        }
    }
    let whole = watch::read_whole(input).ok().and_then(|whole| whole.id);
    if let Some(id) = whole {
        if told("id") != Some(&id) {
            return Err(format!("a response's id is read otherwise: {id:?}"));
        }
        makers.remember(id.as_bytes(), maker);
        if makers.recall(id.as_bytes()) != Some(maker) {
            return Err(format!("the maker of {id:?} is forgotten at once: "));
        }
    }
    Ok(())
}

/// What is written in base64 reads as what it was, and what is read is what the text stands for.
fn coded_twice(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let plain = text
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    let padded = format!("{plain}{}", "=".repeat((4 - plain.len() % 4) % 4));
    let expected = STANDARD.decode(padded).ok();
    let body = json!({"data": [{"index": 0, "embedding": text}]}).to_string();
    let got = openai::embeddings::read_answer(body.as_bytes());
    let finite = |bytes: &[u8]| {
        let numbers = bytes
            .chunks_exact(4)
            .map(|it| it.try_into().map(f32::from_le_bytes));
        numbers.flatten().all(f32::is_finite)
    };
    if let Some(bytes) = expected
        && got.is_ok() != (bytes.len().is_multiple_of(4) && !bytes.is_empty() && finite(&bytes))
    {
        return Err(format!("an embedding of {} bytes: {got:?}", bytes.len()));
    }
    // A signature of Anthropic's comes back from a client of Gemini's as it was.
    let answer = json!({"type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "thinking", "thinking": "hm", "signature": text},
            {"type": "text", "text": "a"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let meant = Meant::Talk(Box::default());
    let way = (Format::Messages, Format::Generate);
    let answer = answer.to_string();
    let carried = convert::carry(way, answer.as_bytes(), &meant, &frame(), b"{}");
    let (carried, _) = carried.map_err(|error| format!("no answer: {error}"))?;
    let carried: Value = serde_json::from_slice(&carried).map_err(|error| error.to_string())?;
    let content = &carried["candidates"][0]["content"];
    let parts = content["parts"].as_array().into_iter().flatten();
    let mut signed = parts.filter_map(|part| part["thoughtSignature"].as_str());
    if let Some(wrong) = signed.find(|text| STANDARD.decode(text).is_err()) {
        return Err(format!("a client's signature is no base64: {wrong}"));
    }
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}, content,
        {"role": "user", "parts": [{"text": "r"}]}]});
    let read = gemini::request::read(asked.to_string().as_bytes());
    let read = read.map_err(|error| format!("a turn cannot come back: {error}"))?;
    let target = For {
        model: "claude-opus-4-1",
        default_max_tokens: 9,
        most_max_tokens: None,
    };
    let (written, _) = convert::write(Format::Messages, &Meant::Talk(Box::new(read)), &target);
    let written = String::from_utf8_lossy(&Bytes::from(written)).into_owned();
    let signature = format!("\"signature\":{}", Value::from(&*text));
    if text.is_empty() || written.contains(&signature) {
        return Ok(());
    }
    Err(format!(
        "a signature comes back otherwise: {}",
        difference(&signature, &written)
    ))
}
