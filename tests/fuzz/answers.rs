//! Can any whole answer break its reader, or be carried so that a client could not read it?
//!
//! # Invariants
//! - What a client gets is JSON, and its own dialect's reader takes it.

use rand::RngExt;
use rand::rngs::SmallRng;
use trimtab::chat::{Answer, EmbedEncoding, EmbedInput, EmbedRequest};
use trimtab::dialects::cohere::rerank::Rerank;
use trimtab::dialects::convert::{self, Meant};
use trimtab::dialects::format::Format;
use trimtab::dialects::meeting::{Frame, Malformed};
use trimtab::dialects::{anthropic, gemini, openai, responses};

use crate::corpus;
use crate::mutate::Kind;
use crate::requests::{difference, json};
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::harvested;

/// Formats of clients that converse.
pub(crate) const CLIENTS: [Format; 5] = [
    Format::Chat,
    Format::Completions,
    Format::Responses,
    Format::Messages,
    Format::Generate,
];

/// What an answer is framed with.
pub(crate) fn frame() -> Frame {
    Frame {
        id: "ab12".to_owned(),
        model: "fast".to_owned(),
        created: 7,
        usage_asked: true,
        input_estimate: 3,
    }
}

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let talks = [
        ("answer-chat", Format::Chat, "openai"),
        ("answer-responses", Format::Responses, "responses"),
        ("answer-messages", Format::Messages, "anthropic"),
        ("answer-generate", Format::Generate, "gemini"),
        ("answer-converse", Format::Converse, "bedrock"),
        ("answer-cohere", Format::CohereChat, "cohere"),
    ];
    let talks = talks
        .into_iter()
        .zip(corpus::ANSWERS)
        .map(|((name, format, folder), own)| Target {
            name,
            kind: Kind::Json,
            seeds: with_harvest(&[own], folder),
            growth: MOST_GROWTH,
            check: Box::new(move |input, rng| talk(format, input, rng)),
        });
    let mut targets: Vec<Target> = talks.map(Target::keeping_trees).collect();
    for (name, check, folder) in [
        (
            "answer-embeddings",
            vectors as fn(&[u8], &mut SmallRng) -> Result<(), String>,
            "openai/embeddings.rs",
        ),
        ("answer-rerank", ranks, "cohere/rerank.rs"),
        ("answer-summaries", summaries, "."),
    ] {
        let own: Vec<&str> = corpus::VECTORS
            .iter()
            .chain(corpus::ANSWERS)
            .copied()
            .collect();
        targets.push(Target {
            name,
            kind: Kind::Json,
            seeds: with_harvest(&own, folder),
            growth: MOST_GROWTH,
            check: Box::new(check),
        });
    }
    targets
}

fn with_harvest(own: &[&str], folder: &str) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = own.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.extend(harvested(&format!("src/dialects/{folder}")));
    seeds
}

/// Reads an answer in a client's format, where there is a reader.
fn read(format: Format, bytes: &[u8]) -> Option<Result<Answer, Malformed>> {
    Some(match format {
        Format::Chat => openai::answer::read(bytes),
        Format::Responses => responses::answer::read(bytes),
        Format::Messages => anthropic::answer::read(bytes),
        Format::Generate => gemini::answer::read(bytes),
        _ => return None,
    })
}

fn talk(provider: Format, input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let client = CLIENTS[rng.random_range(0..CLIENTS.len())];
    let meant = Meant::Talk(Box::default());
    let asked = corpus::RESPONSES.as_bytes();
    let Ok((written, _)) = convert::carry((provider, client), input, &meant, &frame(), asked)
    else {
        return Ok(());
    };
    json("what a client gets", &written)?;
    let Some(once) = read(client, &written) else {
        return Ok(());
    };
    // A call without a name stays one, and a client may refuse it.
    if memchr::memmem::find(&written, b"\"name\":\"\"").is_some() {
        return Ok(());
    }
    if once
        .as_ref()
        .is_err_and(|error| error.0.contains("recursion"))
    {
        return Ok(());
    }
    let once = once.map_err(|error| format!("what a client gets cannot be read: {error}"))?;
    let carried = convert::carry((client, client), &written, &meant, &frame(), asked);
    let (written, _) =
        carried.map_err(|error| format!("what a client gets cannot be carried on: {error}"))?;
    let Some(Ok(twice)) = read(client, &written) else {
        return Err("what was carried twice cannot be read: ".to_owned());
    };
    if once == twice {
        return Ok(());
    }
    Err(format!(
        "reads differently when carried twice: {}",
        difference(&format!("{once:?}"), &format!("{twice:?}"))
    ))
}

fn vectors(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let provider = [
        Format::Embeddings,
        Format::GeminiEmbeds,
        Format::CohereEmbed,
    ][rng.random_range(0..3)];
    let client = [
        Format::Embeddings,
        Format::GeminiEmbed,
        Format::GeminiEmbeds,
    ][rng.random_range(0..3)];
    let meant = Meant::Embed(EmbedRequest {
        inputs: vec![
            EmbedInput::Text("a".to_owned()),
            EmbedInput::Text("b".to_owned()),
        ],
        encoding: if rng.random() {
            EmbedEncoding::Float
        } else {
            EmbedEncoding::Base64
        },
        ..EmbedRequest::default()
    });
    match convert::carry((provider, client), input, &meant, &frame(), b"{}") {
        Ok((written, _)) => json("vectors", &written),
        Err(_) => Ok(()),
    }
}

fn ranks(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let meant = Meant::Rank(Rerank {
        query: "q".to_owned(),
        documents: vec!["a".to_owned(), "b".to_owned()],
        return_documents: rng.random(),
        ..Rerank::default()
    });
    match convert::carry(
        (Format::CohereRerank, Format::Rerank),
        input,
        &meant,
        &frame(),
        b"{}",
    ) {
        Ok((written, _)) => json("ranks", &written),
        Err(_) => Ok(()),
    }
}

/// What is told from a whole answer that passes unread.
fn summaries(input: &[u8], _: &mut SmallRng) -> Result<(), String> {
    let seen = [
        openai::response::read_whole(input).ok(),
        anthropic::watch::read_whole(input).ok(),
        gemini::response::read_whole(input).ok(),
    ];
    let _ = responses::watch::read_whole(input).map(|whole| format!("{whole:?}").len());
    for usage in seen
        .into_iter()
        .flatten()
        .filter_map(|summary| summary.usage)
    {
        let most = trimtab::dialects::seen::ABSURD_TOKENS;
        for count in [usage.input, usage.cached, usage.output]
            .into_iter()
            .flatten()
        {
            if f64::from(count) > most {
                return Err(format!("an absurd count is believed: {usage:?}"));
            }
        }
    }
    Ok(())
}
