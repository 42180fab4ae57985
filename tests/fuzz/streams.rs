//! Can any stream break its reader, or come to something else when its bytes are cut elsewhere?
//!
//! # Invariants
//! - What a client gets is events whose data is JSON, or a list that is JSON.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use trimtab::chat::Event;
use trimtab::dialects::bedrock::frames::Frames;
use trimtab::dialects::format::Format;
use trimtab::dialects::openai::splice::UsageChunk;
use trimtab::dialects::passage::{Passage, Unfit};
use trimtab::dialects::tap::{Tap, Watch};
use trimtab::dialects::{anthropic, convert, gemini, openai, responses};
use trimtab::stream::sse::{self, Splitter};

use crate::answers::{CLIENTS, frame};
use crate::corpus;
use crate::mutate::{Kind, pieces};
use crate::requests::{difference, json};
use crate::run::Target;
use crate::seeds::harvested_streams;

/// Bytes of an input that is cut at every place.
const CUT_EVERYWHERE: usize = 700;

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let mut targets = bridges();
    targets.extend(taps());
    let new = |name, kind, (own, folder), check: fn(&[u8], &mut SmallRng) -> Result<(), String>| {
        Target::new(name, kind, seeds(own, folder), check)
    };
    let chat = (corpus::CHAT_STREAM, "openai");
    let amazon = (corpus::CONVERSE_STREAM, "bedrock");
    targets.extend([
        new("splitter", Kind::Events, chat, |input, rng| {
            split(input, &pieces(input, rng))
        }),
        new("splitter-everywhere", Kind::Events, chat, |input, _| {
            everywhere(input, split)
        }),
        new("template", Kind::Events, chat, templated),
        new("frames", Kind::Frames, amazon, |input, rng| {
            framed(input, &pieces(input, rng))
        }),
        new("frames-everywhere", Kind::Frames, amazon, |input, _| {
            everywhere(input, framed)
        }),
    ]);
    targets
}

/// Every provider's stream, carried to any client.
fn bridges() -> Vec<Target> {
    use Format::{Chat, CohereChat, Converse, Generate, Messages, Responses};
    let all = [
        ("bridge-chat", Chat, corpus::CHAT_STREAM, "openai"),
        (
            "bridge-responses",
            Responses,
            corpus::RESPONSES_STREAM,
            "responses",
        ),
        (
            "bridge-messages",
            Messages,
            corpus::MESSAGES_STREAM,
            "anthropic",
        ),
        (
            "bridge-generate",
            Generate,
            corpus::GENERATE_STREAM,
            "gemini",
        ),
        (
            "bridge-converse",
            Converse,
            corpus::CONVERSE_STREAM,
            "bedrock",
        ),
        ("bridge-cohere", CohereChat, corpus::COHERE_STREAM, "cohere"),
    ];
    let target = |(name, format, own, folder)| {
        let kind = match format {
            Converse => Kind::Frames,
            _ => Kind::Events,
        };
        Target::new(name, kind, seeds(own, folder), move |input, rng| {
            bridged(format, input, rng)
        })
    };
    all.map(target).into()
}

/// Every dialect's own stream, watched.
fn taps() -> Vec<Target> {
    let target = |name, own, folder, make: fn(&mut SmallRng) -> Watch| {
        Target::new(name, Kind::Events, seeds(own, folder), move |input, rng| {
            tapped(make, input, rng)
        })
    };
    vec![
        target("tap-chat", corpus::CHAT_STREAM, "openai", chat),
        target(
            "tap-responses",
            corpus::RESPONSES_STREAM,
            "responses",
            |_| Watch::Responses(responses::watch::Watch::new()),
        ),
        target("tap-messages", corpus::MESSAGES_STREAM, "anthropic", |_| {
            Watch::Messages(anthropic::watch::Watch::new())
        }),
        target("tap-generate", corpus::GENERATE_STREAM, "gemini", |_| {
            Watch::Gemini(gemini::watch::Watch)
        }),
        target("tap-media", corpus::MEDIA_STREAM, "openai/media.rs", |_| {
            Watch::Media(openai::media::Watch::new())
        }),
    ]
}

fn seeds(own: &str, folder: &str) -> Vec<Vec<u8>> {
    let mut seeds = vec![
        own.as_bytes().to_vec(),
        [own, corpus::ERRORS].concat().into_bytes(),
    ];
    seeds.extend(harvested_streams(&format!("src/dialects/{folder}")));
    seeds
}

fn chat(rng: &mut SmallRng) -> Watch {
    let chunk = if rng.random() {
        UsageChunk::Expected
    } else {
        UsageChunk::Injected
    };
    Watch::Chat(openai::watch::Watch::new(chunk))
}

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    out: Vec<u8>,
    content: bool,
    error: Option<Bytes>,
    unfit: Option<Unfit>,
    progress: String,
    whole: bool,
}

impl Came {
    /// Whether a client would see the same; blank lines after the last event are no event.
    fn alike(&self, other: &Self) -> bool {
        let rest = |came: &Self| {
            let Came {
                content,
                error,
                unfit,
                progress,
                whole,
                ..
            } = came;
            format!("{:?}", (content, error, unfit, progress, whole))
        };
        self.out.trim_ascii_end() == other.out.trim_ascii_end() && rest(self) == rest(other)
    }
}

fn drive(passage: &mut Passage, pieces: &[&[u8]]) -> Came {
    let mut came = Came {
        out: Vec::new(),
        content: false,
        error: None,
        unfit: None,
        progress: String::new(),
        whole: false,
    };
    let mut left = pieces.iter();
    loop {
        let piece = left.next();
        let passed = match piece {
            Some(piece) => passage.pass(Bytes::copy_from_slice(piece)),
            None => passage.rest(),
        };
        match passed {
            Ok(passed) => {
                came.out.extend_from_slice(&passed.bytes);
                came.content |= passed.content;
                came.error = passed.error;
            }
            Err(unfit) => came.unfit = Some(unfit),
        }
        if piece.is_none() || came.error.is_some() || came.unfit.is_some() {
            break;
        }
    }
    if came.error.is_none() && came.unfit.is_none() {
        if passage.progress().finished && !passage.progress().done {
            came.out.extend_from_slice(&passage.close());
        }
        came.whole = passage.progress().finished;
    }
    came.progress = format!("{:?}", passage.progress());
    came
}

/// Drives two equal passages with the same bytes in other pieces.
fn both(
    mut make: impl FnMut() -> Passage,
    input: &[u8],
    rng: &mut SmallRng,
) -> Result<Came, String> {
    let whole = drive(&mut make(), &[input]);
    let pieces = pieces(input, rng);
    let cut = drive(&mut make(), &pieces);
    if whole.alike(&cut) {
        return Ok(whole);
    }
    let show = |came: &Came| {
        format!(
            "{} {:?}",
            came.out.escape_ascii(),
            (
                came.content,
                &came.error,
                came.unfit,
                &came.progress,
                came.whole
            )
        )
    };
    Err(format!(
        "pieces make a difference: {}",
        difference(&show(&whole), &show(&cut))
    ))
}

fn bridged(provider: Format, input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let client = CLIENTS[rng.random_range(0..CLIENTS.len())];
    let listed = client == Format::Generate && rng.random();
    let recorded = rng.random_ratio(1, 4);
    let make = || {
        let asked = corpus::RESPONSES.as_bytes();
        let bridge = convert::bridge((provider, client), &frame(), "req_1", asked);
        let bridge = if recorded { bridge.recorded() } else { bridge };
        let passage = Passage::Other(Box::new(bridge));
        if listed { passage.listed() } else { passage }
    };
    let came = both(make, input, rng)?;
    if listed {
        return if came.whole {
            json("a client's list", &came.out)
        } else {
            Ok(())
        };
    }
    let mut reader = convert::source(client).1;
    let nameless = memchr::memmem::find(&came.out, b"\"name\":\"\"").is_some();
    let mut events = Vec::new();
    for event in sse::events(&came.out) {
        let data = event.data.unwrap_or_default();
        if data == b"[DONE]" {
            continue;
        }
        json("a client's event", data)?;
        // A call without a name stays one, and a client may refuse it.
        if client != Format::Completions && !nameless {
            let read = reader.read(event.name(), data, &mut events);
            read.map_err(|error| {
                format!(
                    "a client's event cannot be read: {error} in {}",
                    data.escape_ascii()
                )
            })?;
        }
    }
    let ends = events
        .iter()
        .filter(|event| matches!(event, Event::Finish { .. }))
        .count();
    if came.whole && client != Format::Completions && !nameless && ends == 0 {
        return Err("a whole stream has no end: ".to_owned());
    }
    Ok(())
}

fn tapped(
    make: fn(&mut SmallRng) -> Watch,
    input: &[u8],
    rng: &mut SmallRng,
) -> Result<(), String> {
    let salt = rng.clone();
    let make = || Passage::Same(Tap::new(make(&mut salt.clone())));
    both(make, input, rng).map(drop)
}

fn split(input: &[u8], pieces: &[&[u8]]) -> Result<(), String> {
    let run = |pieces: &[&[u8]]| {
        let mut splitter = Splitter::default();
        let mut runs: Vec<Bytes> = Vec::new();
        for piece in pieces {
            runs.extend(splitter.push(Bytes::copy_from_slice(piece)));
        }
        let found: Vec<Vec<u8>> = runs
            .iter()
            .flat_map(|run| sse::events(run))
            .map(|event| event.raw.to_vec())
            .collect();
        (found, splitter.rest())
    };
    // Blank lines between events belong to either.
    let events = |(found, rest): &(Vec<Vec<u8>>, Bytes)| -> Vec<Vec<u8>> {
        let all = found
            .iter()
            .map(|raw| raw.trim_ascii())
            .chain([rest.trim_ascii()]);
        all.filter(|raw| !raw.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let whole = run(&[input]);
    if [&whole.0.concat()[..], &whole.1].concat() != input {
        return Err("bytes are lost: ".to_owned());
    }
    if events(&run(pieces)) != events(&whole) {
        return Err(format!("pieces make a difference: {pieces:?}"));
    }
    Ok(())
}

/// Tries every cut in two, and every byte alone.
fn everywhere(
    input: &[u8],
    check: impl Fn(&[u8], &[&[u8]]) -> Result<(), String>,
) -> Result<(), String> {
    let input = &input[..input.len().min(CUT_EVERYWHERE)];
    for at in 0..=input.len() {
        let (one, other) = input.split_at(at);
        check(input, &[one, other])?;
    }
    check(input, &input.chunks(1).collect::<Vec<_>>())
}

/// The frames of a stream, and how it broke if it did, do not depend on its pieces.
fn framed(input: &[u8], pieces: &[&[u8]]) -> Result<(), String> {
    let run = |pieces: &[&[u8]]| {
        let mut frames = Frames::default();
        let mut came = Vec::new();
        // The empty piece is how a stream ends.
        for piece in pieces.iter().chain([&&b""[..]]) {
            match frames.push(Bytes::copy_from_slice(piece)) {
                Ok(whole) => came.extend(whole),
                Err(broken) => return (came, Some(broken), false),
            }
        }
        (came, None, frames.at_boundary())
    };
    let (whole, cut) = (run(&[input]), run(pieces));
    if whole != cut {
        return Err(format!("pieces make a difference: {whole:?} {cut:?}"));
    }
    Ok(())
}

/// An event that is recognised by the one before it means what it would mean alone.
fn templated(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let chunk = || UsageChunk::Expected;
    let mut used = openai::watch::Watch::new(chunk());
    for event in sse::events(input) {
        let Some(data) = event.data else { continue };
        // Each comes twice, once with other words and perhaps a broken one between.
        let mut other = data.to_vec();
        if let Some(byte) = other
            .len()
            .checked_sub(1)
            .map(|last| rng.random_range(0..=last))
        {
            other[byte] = rng.random();
        }
        for data in [data, &other, data] {
            let (known, alone) = (
                used.look(&event, data),
                openai::watch::Watch::new(chunk()).look(&event, data),
            );
            if format!("{known:?}") != format!("{alone:?}") {
                return Err(format!(
                    "an event is taken for another: {known:?} {alone:?} {}",
                    data.escape_ascii()
                ));
            }
        }
    }
    Ok(())
}
