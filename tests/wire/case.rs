//! What is in a case, and who takes part in it?
//!
//! `ask.json` is one request of each client; `told.txt` is what each provider answers, whole and as a stream;
//! `refused.txt` how each provider refuses, by its status and, where a header tells it, the kind of its error.
//! A stream of Amazon's frames is written there as named events and framed when it is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::value::RawValue;
use trimtab::dialects::convert::{self, Meant};
use trimtab::dialects::format::Format;
use trimtab::dialects::meeting::{Frame, Target};
use trimtab::stream::sse;

/// Those who take part, by their names in files, and the models that providers are asked for.
const NAMES: &[(&str, Format, &str)] = &[
    ("chat", Format::Chat, "gpt-4o"),
    ("completions", Format::Completions, ""),
    ("responses", Format::Responses, "gpt-5"),
    ("messages", Format::Messages, "claude-sonnet-4-5"),
    ("generate", Format::Generate, "gemini-2.5-flash"),
    (
        "converse",
        Format::Converse,
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ("cohere", Format::CohereChat, "command-a-03-2025"),
    ("embeddings", Format::Embeddings, "text-embedding-3-small"),
    ("gemini_embed", Format::GeminiEmbed, ""),
    (
        "gemini_embeds",
        Format::GeminiEmbeds,
        "gemini-embedding-001",
    ),
    ("cohere_embed", Format::CohereEmbed, "embed-v4.0"),
    ("rerank", Format::Rerank, ""),
    ("cohere_rerank", Format::CohereRerank, "rerank-v3.5"),
];

/// Providers that converse.
pub(crate) const TALKERS: [&str; 6] = [
    "chat",
    "responses",
    "messages",
    "generate",
    "converse",
    "cohere",
];

/// Clients that converse.
pub(crate) const CLIENTS: [&str; 5] = ["chat", "completions", "responses", "messages", "generate"];

/// The format of this name.
pub(crate) fn format(name: &str) -> Format {
    of(name).1
}

/// Whom a provider of this name is asked for.
pub(crate) fn target(name: &str) -> Target<'static> {
    Target {
        model: of(name).2,
        default_max_tokens: 4_096,
        most_max_tokens: None,
    }
}

fn of(name: &str) -> &'static (&'static str, Format, &'static str) {
    let known = NAMES.iter().find(|(known, ..)| *known == name);
    known.unwrap_or_else(|| panic!("nobody is called {name}"))
}

/// What a gateway adds to an answer.
pub(crate) fn frame() -> Frame {
    Frame {
        id: "0123456789abcdef".to_owned(),
        model: "main".to_owned(),
        created: 1_700_000_000,
        usage_asked: true,
        input_estimate: 8,
    }
}

/// What a client's request means.
pub(crate) fn meant(client: &str, body: &[u8]) -> Meant {
    convert::read(format(client), body, &|_| None)
        .unwrap_or_else(|why| panic!("{client}: {why}: {}", String::from_utf8_lossy(body)))
}

/// A case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Requests by client.
    pub(crate) asks: BTreeMap<String, Box<RawValue>>,
    /// Whole answers by provider.
    pub(crate) answers: BTreeMap<String, String>,
    /// Streams by provider.
    pub(crate) streams: BTreeMap<String, Bytes>,
    /// Refusals: who refuses, with which status and kind, and its words.
    pub(crate) refusals: Vec<(String, String)>,
}

impl Case {
    /// Every case there is.
    pub(crate) fn all() -> Vec<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/wire");
        let folders = std::fs::read_dir(root).unwrap();
        let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.into_iter().map(Self::read).collect()
    }

    /// The case of this name.
    pub(crate) fn named(name: &str) -> Self {
        let mut all = Self::all().into_iter();
        all.find(|case| case.name == name).unwrap()
    }

    fn read(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        let asks = match text("ask.json") {
            none if none.is_empty() => BTreeMap::new(),
            json => serde_json::from_str(&json).unwrap(),
        };
        let mut case = Self {
            name,
            asks,
            answers: BTreeMap::new(),
            streams: BTreeMap::new(),
            refusals: sections(&text("refused.txt")),
            folder: folder.clone(),
        };
        for (title, body) in sections(&text("told.txt")) {
            match title.strip_suffix(" stream") {
                Some(name) => drop(case.streams.insert(name.to_owned(), framed(name, &body))),
                None => drop(case.answers.insert(title, body)),
            }
        }
        case
    }

    /// Clients of this case: those who ask, or all who converse.
    pub(crate) fn clients(&self) -> Vec<&str> {
        if self.asks.is_empty() {
            return CLIENTS.to_vec();
        }
        self.asks.keys().map(String::as_str).collect()
    }

    /// What a client asks here; where the case is about answers, the least that it could ask.
    pub(crate) fn ask(&self, client: &str) -> &str {
        match self.asks.get(client) {
            Some(ask) => ask.get(),
            None => match client {
                "completions" => r#"{"model":"main","prompt":"hi"}"#,
                "responses" => r#"{"model":"main","input":"hi"}"#,
                "generate" => r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
                _ => {
                    r#"{"model":"main","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
                }
            },
        }
    }
}

/// What follows each line that begins with three equals signs.
fn sections(text: &str) -> Vec<(String, String)> {
    let sections = text.split("=== ").skip(1);
    let split = sections.map(|section| section.split_once('\n').unwrap());
    split
        .map(|(title, body)| (title.to_owned(), body.to_owned()))
        .collect()
}

/// A stream as the provider sends it.
fn framed(name: &str, text: &str) -> Bytes {
    if name != "converse" {
        return Bytes::from(text.to_owned());
    }
    let mut out = Vec::new();
    for event in sse::events(text.as_bytes()) {
        let kind = std::str::from_utf8(event.name().unwrap()).unwrap();
        let headers = match kind.strip_prefix('!') {
            Some(kind) => [(":exception-type", kind), (":message-type", "exception")],
            None => [(":event-type", kind), (":message-type", "event")],
        };
        out.extend_from_slice(&amazon(&headers, event.data.unwrap()));
    }
    Bytes::from(out)
}

/// A message of Amazon's binary event stream.
fn amazon(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap());
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + head.len() + payload.len()).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(head.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}
