//! How is a stream of events changed as a stream?
//!
//! # Invariants
//! - What cannot be read as events is kept as one event's raw data.

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::tree::{Stock, Tree};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    /// Its data.
    pub(crate) data: Data,
}

/// An event's data.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// JSON.
    Tree(Tree),
    /// Anything else.
    Raw(Vec<u8>),
}

impl Data {
    /// The bytes.
    pub(crate) fn text(&self) -> Vec<u8> {
        match self {
            Self::Tree(tree) => tree.text(),
            Self::Raw(raw) => raw.clone(),
        }
    }
}

/// A stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream(pub(crate) Vec<Event>);

impl Stream {
    /// Reads a seed, whose lines end in LF.
    pub(crate) fn read(seed: &[u8]) -> Self {
        let text = String::from_utf8_lossy(seed);
        let events = text.split("\n\n").filter(|event| !event.trim().is_empty());
        Self(events.map(event).collect())
    }

    /// Adds its values to what other trees may be given.
    pub(crate) fn gather(&self, stock: &mut Stock) {
        for event in &self.0 {
            if let Data::Tree(tree) = &event.data {
                tree.gather(stock);
            }
        }
    }

    /// Changes one thing; `other` is where events may be taken from.
    pub(crate) fn change(&mut self, other: &Self, stock: &Stock, rng: &mut SmallRng) {
        let events = &mut self.0;
        let (at, to) = match events.len() {
            0 => (0, 0),
            len => (rng.random_range(0..len), rng.random_range(0..len)),
        };
        match rng.random_range(0..10) {
            _ if events.is_empty() => events.extend(other.0.iter().cloned()),
            0 => drop(events.remove(at)),
            1 => events.swap(at, to),
            2 => {
                let copies = vec![events[at].clone(); rng.random_range(1..30)];
                events.splice(to..to, copies);
            }
            3 if !other.0.is_empty() => {
                let from = rng.random_range(0..other.0.len());
                events.insert(to, other.0[from].clone());
            }
            4 => events[at].name = events[to].name.clone(),
            5 => {
                let data = Data::Tree(stock.value(rng));
                events[at].data = data;
            }
            _ => match &mut events[at].data {
                Data::Tree(tree) => tree.change(stock, rng),
                Data::Raw(raw) => {
                    let byte = rng.random();
                    raw.insert(rng.random_range(0..=raw.len()), byte);
                }
            },
        }
    }

    /// The stream's bytes, with some of the line ends and extras that the standard allows.
    pub(crate) fn text(&self, rng: &mut SmallRng) -> Vec<u8> {
        let end: &[u8] = match rng.random_range(0..10) {
            0 => b"\r",
            1 | 2 => b"\r\n",
            _ => b"\n",
        };
        let plain = rng.random_ratio(3, 4);
        let mut out = Vec::new();
        for event in &self.0 {
            if !plain && rng.random_ratio(1, 6) {
                out.extend_from_slice(b": ping");
                out.extend_from_slice(end);
                if rng.random() {
                    out.extend_from_slice(end);
                }
            }
            if let Some(name) = &event.name {
                out.extend_from_slice(format!("event: {name}").as_bytes());
                out.extend_from_slice(end);
            }
            let data = event.data.text();
            let halved = !plain && rng.random_ratio(1, 6);
            let cut = if halved { data.len() / 2 } else { data.len() };
            for part in [&data[..cut], &data[cut..]] {
                if part.is_empty() && cut > 0 {
                    continue;
                }
                out.extend_from_slice(if plain { b"data: " } else { b"data:" });
                out.extend_from_slice(part);
                out.extend_from_slice(end);
            }
            out.extend_from_slice(end);
        }
        out
    }
}

fn event(text: &str) -> Event {
    let (mut name, mut data) = (None, Vec::new());
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("event:") {
            name = Some(value.trim().to_owned());
        } else {
            let value = line.strip_prefix("data:").unwrap_or(line);
            data.extend_from_slice(value.strip_prefix(' ').unwrap_or(value).as_bytes());
        }
    }
    let data = match Tree::read(&data) {
        Some(tree) => Data::Tree(tree),
        None => Data::Raw(data),
    };
    Event { name, data }
}
