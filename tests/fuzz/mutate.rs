//! How does good input become bad?
//!
//! # Invariants
//! - No input is longer than [`LONGEST`].

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::frames;
use crate::sse::Stream;
use crate::tree::{Stock, Tree};

/// The longest input, bytes.
pub(crate) const LONGEST: usize = 128 * 1024;

/// What an input looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One JSON value.
    Json,
    /// Server-sent events whose data is JSON.
    Events,
    /// The same events as frames of Amazon's binary stream.
    Frames,
    /// Lines of text.
    Lines,
}

/// Tokens that are put into text anywhere.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\n\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b" ",
    b"\t",
    b"-",
    b"--",
    b"--x",
    b"#",
    b"&a",
    b"*a",
    b"<<: *a",
    b"!!binary",
    b"|",
    b"=",
    b"[[",
    b"${A}",
    b"'''",
    b"\"\"\"",
    b"0",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"nan",
    b"inf",
    b"0x",
    b"data:",
    b"event:",
    b"id:",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"%2f",
    b"..",
    b"/",
    b";",
    b"\xf0\x9f\x98\x80",
];

/// What inputs grow from.
pub(crate) struct Garden {
    kind: Kind,
    seeds: Vec<Vec<u8>>,
    stock: Stock,
}

impl Garden {
    /// A garden of these seeds.
    pub(crate) fn new(kind: Kind, seeds: &[Vec<u8>]) -> Self {
        let mut stock = Stock::default();
        for seed in seeds {
            match kind {
                Kind::Json => Tree::read(seed)
                    .iter()
                    .for_each(|tree| tree.gather(&mut stock)),
                Kind::Events | Kind::Frames => Stream::read(seed).gather(&mut stock),
                Kind::Lines => {
                    let trees = seed.split(|&byte| byte == b'\n').filter_map(Tree::read);
                    trees.for_each(|tree| tree.gather(&mut stock));
                }
            }
        }
        Self {
            kind,
            seeds: seeds.to_vec(),
            stock,
        }
    }

    /// The seed at this place, as it is.
    pub(crate) fn seed(&self, at: usize) -> Option<Vec<u8>> {
        let seed = self.seeds.get(at)?;
        Some(match self.kind {
            Kind::Frames => frames::encode(&Stream::read(seed)),
            _ => seed.clone(),
        })
    }

    fn any(&self, rng: &mut SmallRng) -> &[u8] {
        if self.seeds.is_empty() {
            return b"{}";
        }
        &self.seeds[rng.random_range(0..self.seeds.len())]
    }

    /// An input.
    pub(crate) fn grow(&self, rng: &mut SmallRng) -> Vec<u8> {
        let seed = self.any(rng);
        let changes = 1 << rng.random_range(0..4);
        let mut input = match self.kind {
            Kind::Json => match Tree::read(seed) {
                Some(mut tree) => {
                    (0..changes).for_each(|_| tree.change(&self.stock, rng));
                    tree.text()
                }
                None => seed.to_vec(),
            },
            Kind::Events | Kind::Frames => {
                let mut stream = Stream::read(seed);
                let other = Stream::read(self.any(rng));
                (0..changes).for_each(|_| stream.change(&other, &self.stock, rng));
                if self.kind == Kind::Frames {
                    frames::encode_oddly(&stream, rng)
                } else {
                    stream.text(rng)
                }
            }
            Kind::Lines => {
                let mut input = seed.to_vec();
                (0..changes).for_each(|_| self.change_lines(&mut input, rng));
                input
            }
        };
        // Most inputs keep their shape, so that what is behind the parser is reached too.
        if rng.random_ratio(1, 4) {
            let times = rng.random_range(1..4);
            (0..times).for_each(|_| self.change_bytes(&mut input, rng));
        }
        input.truncate(LONGEST);
        input
    }

    fn change_lines(&self, input: &mut Vec<u8>, rng: &mut SmallRng) {
        if input.len() > LONGEST / 4 {
            return;
        }
        let mut lines: Vec<Vec<u8>> = input
            .split(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let at = rng.random_range(0..lines.len());
        let to = rng.random_range(0..lines.len());
        match rng.random_range(0..8) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, to),
            2 => {
                let copy = lines[at].clone();
                lines.insert(to, copy);
            }
            3 => {
                let most = if rng.random_ratio(1, 8) { 2_000 } else { 12 };
                let copies = vec![lines[at].clone(); rng.random_range(1..most)];
                lines.splice(to..to, copies);
            }
            4 => {
                let other: Vec<&[u8]> = self.any(rng).split(|&byte| byte == b'\n').collect();
                let from = rng.random_range(0..other.len());
                lines.insert(to, other[from].to_vec());
            }
            5 => match Tree::read(&lines[at]) {
                Some(mut tree) => {
                    tree.change(&self.stock, rng);
                    lines[at] = tree.text();
                }
                None => self.change_bytes(&mut lines[at], rng),
            },
            _ => self.change_bytes(&mut lines[at], rng),
        }
        *input = lines.join(&b'\n');
    }

    fn change_bytes(&self, input: &mut Vec<u8>, rng: &mut SmallRng) {
        let at = rng.random_range(0..=input.len());
        let to = rng.random_range(at..=input.len());
        match rng.random_range(0..8) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
            1 => input.truncate(at),
            2 => drop(input.drain(at..to)),
            3 => {
                let other = self.any(rng);
                let from = rng.random_range(0..=other.len());
                let end = rng.random_range(from..=other.len());
                input.splice(at..at, other[from..end].iter().copied());
            }
            4 => {
                let room = LONGEST.saturating_sub(input.len()) / (to - at).max(1);
                let times = rng.random_range(0..=room.min(1_000));
                let piece = input[at..to].repeat(times);
                input.splice(to..to, piece);
            }
            5 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = rng.random();
                }
            }
            _ => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
        }
    }
}

/// Cuts bytes at random places; one piece in eight streams comes byte by byte.
pub(crate) fn pieces<'a>(bytes: &'a [u8], rng: &mut SmallRng) -> Vec<&'a [u8]> {
    if rng.random_ratio(1, 8) && bytes.len() < 4_096 {
        return bytes.chunks(1).collect();
    }
    let longest = rng.random_range(1..=bytes.len().max(1));
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(rng.random_range(1..=longest.min(rest.len())));
        pieces.push(piece);
        rest = left;
    }
    pieces
}
