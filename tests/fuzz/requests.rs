//! Can any request break its reader, or be written so that its reader would not know it again?
//!
//! # Invariants
//! - What is written to a provider is JSON.
//! - A request that loses nothing on its way into its own dialect reads as it did before.

use std::cell::Cell;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use serde::de::IgnoredAny;
use trimtab::dialects::convert::{self, Meant};
use trimtab::dialects::format::Format;
use trimtab::dialects::meeting::Target as For;
use trimtab::dialects::openai::peek::{Peek, peek, peek_named};
use trimtab::dialects::openai::splice::{ModelName, named, splice};
use trimtab::dialects::{responses, vertex};

use crate::corpus;
use crate::mutate::Kind;
use crate::run::Target;
use crate::seeds::{golden, harvested};

/// For whom requests are written.
const TARGET: For<'static> = For {
    model: "model-x",
    default_max_tokens: 4_096,
    most_max_tokens: None,
};

/// Formats in which a conversation is asked of providers.
const TALKS: [Format; 6] = [
    Format::Chat,
    Format::Responses,
    Format::Messages,
    Format::Generate,
    Format::Converse,
    Format::CohereChat,
];

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let reader = |name, format, own: &[&str], folder| {
        let seeds = request_seeds(own, folder);
        let check = move |input: &[u8], rng: &mut SmallRng| request(format, input, rng);
        Target::new(name, Kind::Json, seeds, check).keeping_trees()
    };
    let (chat, embed) = (&[corpus::CHAT], corpus::EMBEDDINGS);
    let (completions, rerank) = (&[corpus::COMPLETIONS], &[corpus::RERANK]);
    let (responses, messages) = (&[corpus::RESPONSES], &[corpus::MESSAGES]);
    let generate = &[corpus::GENERATE];
    let all = [
        corpus::CHAT,
        corpus::RESPONSES,
        corpus::MESSAGES,
        corpus::GENERATE,
    ];
    let scan = |name, check: fn(&[u8], &mut SmallRng) -> Result<(), String>| {
        Target::new(name, Kind::Json, request_seeds(&all, "."), check)
    };
    vec![
        reader("request-chat", Format::Chat, chat, "openai"),
        reader(
            "request-completions",
            Format::Completions,
            completions,
            "openai",
        ),
        reader(
            "request-responses",
            Format::Responses,
            responses,
            "responses",
        ),
        reader("request-messages", Format::Messages, messages, "anthropic"),
        reader("request-generate", Format::Generate, generate, "gemini"),
        reader("request-embeddings", Format::Embeddings, embed, "openai"),
        reader(
            "request-gemini-embed",
            Format::GeminiEmbed,
            generate,
            "gemini",
        ),
        reader(
            "request-gemini-embeds",
            Format::GeminiEmbeds,
            generate,
            "gemini",
        ),
        reader("request-rerank", Format::Rerank, rerank, "cohere"),
        scan("request-peek", peeked),
        scan("request-scans", scanned),
    ]
}

pub(crate) fn request_seeds(own: &[&str], folder: &str) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = own.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.extend(harvested(&format!("src/dialects/{folder}")));
    if folder == "anthropic" {
        seeds.extend(golden("anthropic", ".json"));
    }
    seeds
}

/// Whether bytes are JSON.
pub(crate) fn json(what: &str, bytes: &[u8]) -> Result<(), String> {
    let parsed = serde_json::from_slice::<IgnoredAny>(bytes);
    parsed.map(drop).map_err(|error| {
        let shown: String = bytes.escape_ascii().take(400).map(char::from).collect();
        format!("{what} is no JSON: {error} in {shown}")
    })
}

fn request(format: Format, input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let recalled = Cell::new(0);
    let recall = |id: &str| {
        recalled.set(recalled.get() + 1);
        let item = r#"{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}"#;
        (id == "msg_1").then(|| Bytes::from_static(item.as_bytes()))
    };
    let Ok(meant) = convert::read(format, input, &recall) else {
        return Ok(());
    };
    let to = match (&meant, format) {
        (Meant::Talk(_), Format::Completions) => TALKS[rng.random_range(0..TALKS.len())],
        (Meant::Talk(_), _) if rng.random() => format,
        (Meant::Talk(_), _) => TALKS[rng.random_range(0..TALKS.len())],
        (Meant::Embed(_), _) => [
            Format::Embeddings,
            Format::GeminiEmbeds,
            Format::CohereEmbed,
        ][rng.random_range(0..3)],
        (Meant::Rank(_), _) => Format::Rerank,
    };
    let (written, losses) = convert::write(to, &meant, &TARGET);
    json("what was written", &written)?;
    if to != format || !losses.is_empty() || recalled.get() > 0 {
        return Ok(());
    }
    if written.len() > 8 * input.len() {
        return Ok(());
    }
    let again = convert::read(format, &written, &|_| None);
    let again = again.map_err(|error| format!("what was written cannot be read: {error}"))?;
    // Writers make good an order of turns and ids that their dialects demand: what was written once stays.
    let (meant, again) = if matches!(meant, Meant::Talk(_)) {
        let (written, _) = convert::write(format, &again, &TARGET);
        let third = convert::read(format, &written, &|_| None);
        (
            again,
            third.map_err(|error| format!("what was written twice cannot be read: {error}"))?,
        )
    } else {
        (meant, again)
    };
    let (once, twice) = (settled(meant), settled(again));
    if once == twice {
        return Ok(());
    }
    Err(format!(
        "reads differently once written: {}",
        difference(&once, &twice)
    ))
}

/// A request as text, without what a dialect's writer adds because the dialect demands it.
fn settled(meant: Meant) -> String {
    match meant {
        Meant::Talk(mut request) => {
            request.max_tokens = None;
            // Gemini's path tells of streams.
            request.stream = false;
            for tool in &mut request.tools {
                tool.strict = tool.strict.or(Some(false));
                if tool.schema.is_null() {
                    tool.schema = serde_json::json!({"type": "object", "properties": {}});
                }
            }
            format!("{request:?}")
        }
        Meant::Embed(request) => format!("{request:?}"),
        Meant::Rank(mut request) => {
            // Documents are put in from the request.
            request.return_documents = false;
            format!("{request:?}")
        }
    }
}

/// Where two texts begin to differ.
pub(crate) fn difference(one: &str, other: &str) -> String {
    let at = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let from = one.floor_char_boundary(at.saturating_sub(60));
    let show = |text: &str| {
        text.get(from..)
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect::<String>()
    };
    format!("\n    …{}\n    …{}", show(one), show(other))
}

/// The scan that governs routing, and the bytes that are spliced by it.
fn peeked(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    // A path's model may be anything.
    let _ = peek_named(input, "m").map(|seen| seen.max_tokens);
    let Ok(seen) = peek(input) else { return Ok(()) };
    json("what was peeked at", input)?;
    let name = ModelName::new(if rng.random() { "a\"\\b" } else { "other" });
    let body = Bytes::copy_from_slice(input);
    let spliced = splice(input, &seen, &name.json).0;
    for bytes in [named(&body, &seen, &name), spliced] {
        let again =
            peek(&bytes).map_err(|error| format!("spliced bytes cannot be peeked at: {error}"))?;
        let same = |peek: &Peek<'_>| (peek.stream, peek.max_tokens);
        if again.model != *name.plain || same(&again) != same(&seen) {
            return Err(format!(
                "spliced bytes ask something else: {seen:?} and {again:?}"
            ));
        }
    }
    Ok(())
}

/// The other scans of a request.
fn scanned(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let names = responses::names::names(input);
    let _ = (names.called("read"), names.seen(Some("mcp"), "find"));
    let _ = responses::peek::peek(input).map(|seen| seen.encrypted);
    for item in responses::recall::items(input) {
        json("a remembered item", item.json.as_bytes())?;
    }
    if let Ok(body) = vertex::body::anthropic(input) {
        json("Vertex AI's body", &body)?;
    }
    Ok(())
}
