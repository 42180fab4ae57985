//! Does a client whose stream was taken up by another route get the same text as if it had not broken off?
//!
//! # Invariants
//! - Nothing is said twice and nothing is left out, or the stream ends with an error.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use trimtab::chat::{Event, Stop};
use trimtab::dialects::bridge::Bridge;
use trimtab::dialects::convert;
use trimtab::dialects::format::Format;
use trimtab::dialects::joint::{Joint, Resumption};
use trimtab::dialects::passage::Unfit;
use trimtab::stream::sse;

use crate::answers::{CLIENTS, frame};
use crate::corpus;
use crate::mutate::{Kind, pieces};
use crate::requests::{difference, json};
use crate::run::{MOST_GROWTH, Target};
use crate::seeds::{harvested_streams, harvested_texts};

/// Bytes by which a route that begins anew is known.
const TELLING: usize = 12;

/// Every target of this file.
pub(crate) fn targets() -> Vec<Target> {
    let mut texts = harvested_texts("src/dialects");
    texts.push(b"The quick brown fox jumps over it.".to_vec());
    let mut streams = vec![corpus::CHAT_STREAM.as_bytes().to_vec()];
    streams.push(corpus::TEXT_STREAM.as_bytes().to_vec());
    streams.extend(harvested_streams("src/dialects/openai"));
    vec![
        Target {
            name: "joint",
            kind: Kind::Lines,
            seeds: texts,
            growth: MOST_GROWTH,
            check: Box::new(joined),
        },
        Target {
            name: "rescue",
            kind: Kind::Events,
            seeds: streams,
            growth: MOST_GROWTH,
            check: Box::new(rescued),
        },
    ]
}

/// Tells a joint a second stream's text in pieces, and its end; gives the text that goes on.
fn feed(joint: &mut Joint, again: &str, rng: &mut SmallRng) -> Result<String, Unfit> {
    let mut out = Vec::new();
    let mut rest = again;
    while !rest.is_empty() {
        let cut = rest.ceil_char_boundary(rng.random_range(1..=rest.len().min(40)));
        joint.pass(Event::Text(rest[..cut].to_owned()), &mut out)?;
        rest = &rest[cut..];
    }
    let end = Event::Finish {
        stop: Stop::End,
        stop_text: None,
    };
    joint.pass(end, &mut out)?;
    Ok(text_of(&out))
}

fn text_of(events: &[Event]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn joined(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let at = text.floor_char_boundary(rng.random_range(0..=text.len()));
    let said = &text[..at];
    let joint = |how| Joint::new(said, 1, how);
    let check = |got: Result<String, Unfit>, how: &str| {
        if got.as_deref() == Ok(&text[at..]) {
            return Ok(());
        }
        Err(format!(
            "a stream {how} is joined wrongly: {said:?} {got:?}"
        ))
    };
    check(
        feed(&mut joint(Resumption::Anew), &text, rng),
        "begun anew as it was told to",
    )?;
    // Where only a few bytes were said, a route that begins anew cannot be told from one that goes on.
    if said.len() >= TELLING {
        check(
            feed(&mut joint(Resumption::Onward), &text, rng),
            "begun anew though it was to go on",
        )?;
    }
    // A route that is to go on is not told the blanks at the end.
    let onward = &text[said.trim_end().len()..];
    let telling = &said.as_bytes()[..said.len().min(TELLING)];
    let alike = onward
        .bytes()
        .zip(telling)
        .all(|(one, other)| one == *other);
    if !alike {
        check(
            feed(&mut joint(Resumption::Onward), onward, rng),
            "gone on with",
        )?;
    }
    let _ = feed(&mut Joint::new(&text[at..], 1, Resumption::Anew), said, rng);
    Ok(())
}

/// Passes pieces; what the client gets, or how the stream came to be unfit.
fn pass(bridge: &mut Bridge, pieces: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Unfit> {
    for piece in pieces {
        let passed = bridge.pass(Bytes::copy_from_slice(piece))?;
        out.extend_from_slice(&passed.bytes);
        if passed.error.is_some() {
            return Err(Unfit::Damaged);
        }
    }
    Ok(())
}

fn end(bridge: &mut Bridge, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let passed = bridge.rest()?;
    out.extend_from_slice(&passed.bytes);
    if passed.error.is_some() {
        return Err(Unfit::Damaged);
    }
    if bridge.progress.finished {
        out.extend_from_slice(&bridge.close());
    }
    Ok(())
}

/// The text in a client's stream.
fn told(client: Format, out: &[u8]) -> Result<String, String> {
    let mut reader = convert::source(client).1;
    let mut events = Vec::new();
    for event in sse::events(out) {
        let data = event.data.unwrap_or_default();
        if data != b"[DONE]" {
            json("a client's event", data)?;
            let read = reader.read(event.name(), data, &mut events);
            read.map_err(|error| format!("a client's event cannot be read: {error}"))?;
        }
    }
    Ok(text_of(&events))
}

/// A stream that breaks off anywhere and begins anew elsewhere tells the text of the whole one.
fn rescued(input: &[u8], rng: &mut SmallRng) -> Result<(), String> {
    let clients: Vec<Format> = CLIENTS
        .into_iter()
        .filter(|&client| client != Format::Completions)
        .collect();
    let client = clients[rng.random_range(0..clients.len())];
    let make = || {
        let formats = (Format::Chat, client);
        convert::bridge(formats, &frame(), "req_1", corpus::RESPONSES.as_bytes()).recorded()
    };
    let (mut whole, mut bridge) = (Vec::new(), make());
    if pass(&mut bridge, &[input], &mut whole).is_err() || end(&mut bridge, &mut whole).is_err() {
        return Ok(());
    }
    let at = rng.random_range(0..=input.len());
    let (mut out, mut broken) = (Vec::new(), make());
    if pass(&mut broken, &pieces(&input[..at], rng), &mut out).is_err() {
        return Ok(());
    }
    let Some(said) = broken.said().map(ToOwned::to_owned) else {
        return Ok(());
    };
    let expected = told(client, &whole)?;
    let onward = rng.random() && said.len() >= TELLING;
    let how = if onward {
        Resumption::Onward
    } else {
        Resumption::Anew
    };
    let mut second = broken.resumed(Format::Chat, how);
    let again = pass(&mut second, &pieces(input, rng), &mut out);
    let ended = again.and_then(|()| end(&mut second, &mut out));
    let got = told(client, &out)?;
    if got == expected && ended.is_ok() || ended.is_err() && expected.starts_with(&got) {
        return Ok(());
    }
    Err(format!(
        "a stream taken up tells another text ({how:?}, {ended:?}): {}",
        difference(&expected, &got)
    ))
}
