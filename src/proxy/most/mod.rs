//! What can this request use at most?
//!
//! What is reserved before an attempt is what it may cost at most; this is the usage behind that.
//! A request is read once ([`Most::of`]), and every route then says how much it writes ([`Most::used`]).
//!
//! For certain, and whatever the client writes:
//! - A token of text has at least one byte, and JSON writes no text shorter than it is, so text has no more tokens than the body has bytes. This holds for the byte-level vocabularies of every vendor here.
//! - Only what stands where a vendor takes a picture, a sound, a film or a PDF, and is said to be one, is not counted by its bytes. What stands in tools' arguments, results and schemas always is.
//! - Output is what the request says, over all its choices, or what the model is known to write.
//!
//! Assumptions, each a constant with its reason: what vendors add around tools, what is only referred to, what their own tools read, the tokens of media, how long a sound of a size lasts, and `assumed_output` where nobody says a most.
//!
//! # Invariants
//! - No body panics, and the work is linear in it; that of a conversation allocates nothing but for keys with escapes.
//! - A longer text never makes it smaller.

mod form;
mod kind;
mod scan;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::chat;
use crate::dialects::format::Endpoint;
use crate::governance::prices::{Tariff, Tier, Used};
use scan::Scan;

/// Tokens that vendors add to what is written: Anthropic tells 346 to 804 for the use of tools with a model's worst choice, OpenAI some dozens around functions.
const ADDED: u64 = 1_024;

/// Tokens of a picture: OpenAI's newest models take 10,000 patches of one in its original detail; Anthropic tells 4,784 at most, Gemini some 6,200.
const PICTURE: u64 = 10_000;

/// Models that tell more for a picture: gpt-4o-mini tells 2,833 and 5,667 for each of up to eight tiles.
const PICTURES: [(&str, u64); 1] = [("gpt-4o-mini", 48_169)];

/// Pixels of a picture made where its size is not told: OpenAI's `auto` is at most 1536 × 1024, others' default is a megapixel; four leave room.
const PIXELS: u64 = 4 << 20;

/// Tokens of a picture made where its size is not told: of OpenAI's tables 6,240 is the most.
const DRAWN: u64 = 6_240;

/// Pixels to a token of a picture made in the best quality: 1024 × 1024 has 4,160.
const DRAWN_PIXELS: u64 = 252;

/// Tokens of the partial pictures of a stream: at most three with 100 each.
const PARTIAL: u64 = 300;

/// Documents that one search ranks, as Cohere bills.
const RANKED: u64 = 100;

/// Bytes of text that make one more document: Cohere splits those above 500 tokens, the query included, of which it takes half at most.
const RANKED_BYTES: u64 = 250;

/// Milliseconds of speech that a character may take: people read 15 a second aloud, so this is more than twice as slow.
const CHARACTER_MILLIS: u64 = 150;

/// Tokens of speech to a character: OpenAI bills 21 a second.
const SPOKEN: u64 = 4;

/// Bytes of sound to a millisecond: 8 kbit/s is the lowest bit rate that speech is usually kept at.
const BYTES_PER_MILLI: u64 = 1;

/// Largest file of sound that is transcribed, bytes: OpenAI takes 25 MB.
const RECORDING: u64 = 25 << 20;

/// Tokens to a second of sound: Gemini counts 32, OpenAI 10 to 17.
const HEARD: u64 = 32;

/// What a request can use at most, but for what its route writes.
#[derive(Clone, Debug)]
pub struct Most {
    used: Used,
    /// Pictures that it brings.
    pictures: u64,
    writes: Writes,
    /// The quality and size of the pictures that it wants.
    picture: [Bytes; 2],
}

/// Who serves a request.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The model as the provider calls it.
    pub model: &'a str,
    /// What it costs, where that is known.
    pub tariff: Option<&'a Tariff>,
    /// The most output tokens that it writes, if known.
    pub max_output: Option<u32>,
    /// Output tokens that are taken where nobody says a most.
    pub assumed_output: u32,
}

/// What is written in answer.
#[derive(Clone, Copy, Debug)]
enum Writes {
    Nothing,
    /// So many answers, of at most so many tokens in all, if that is said; and output that is billed besides.
    Text {
        answers: u64,
        most: Option<u64>,
        besides: u64,
    },
}

impl Most {
    /// Reads a request; `max_tokens` is what it says itself, over all choices.
    #[must_use]
    pub fn of(
        endpoint: Endpoint,
        body: &Bytes,
        content_type: &str,
        max_tokens: Option<u32>,
    ) -> Self {
        if endpoint.is_count() {
            return Self::nothing();
        }
        if endpoint.is_form() {
            return form::most(endpoint, body, content_type);
        }
        let scan = Scan::of(body);
        let most = Self::input(&scan, body.len() as u64);
        match endpoint {
            Endpoint::Chat
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::Generate
            | Endpoint::StreamGenerate => {
                let writes = talk(endpoint, &scan, body.len() as u64, max_tokens);
                Self { writes, ..most }
            }
            Endpoint::ImageGenerations | Endpoint::ImageEdits | Endpoint::ImageVariations => {
                let text = |at: std::ops::Range<usize>| body.slice(at);
                let picture = [text(scan.quality.clone()), text(scan.size.clone())];
                let size = scan.pixels.or_else(|| pixels(&picture[1]));
                most.drawing(scan.choices, size, picture)
            }
            Endpoint::Rerank => most.ranking(scan.listed, body.len() as u64),
            Endpoint::Speech => most.speaking(scan.characters),
            _ => most,
        }
    }

    /// What it can use at most of this route.
    #[must_use]
    pub fn used(&self, served: &Served<'_>) -> Used {
        let mut used = self.used;
        let own = PICTURES
            .iter()
            .find(|(name, _)| served.model.contains(name));
        let one = own.map_or(PICTURE, |(_, tokens)| *tokens);
        used.image_input = used
            .image_input
            .saturating_add(self.pictures.saturating_mul(one));
        if let Writes::Text {
            answers,
            most,
            besides,
        } = self.writes
        {
            let assumed = served.assumed_output;
            let one = served
                .max_output
                .map_or(assumed, |known| known.min(assumed));
            let all = most.unwrap_or_else(|| answers.saturating_mul(u64::from(one)));
            used.tokens.output = all.saturating_add(besides);
        }
        if used.images > 0 {
            let [quality, size] = self.picture.each_ref().map(|it| std::str::from_utf8(it));
            used.picture = served.tariff.and_then(|tariff| {
                tariff.picture(quality.unwrap_or_default(), size.unwrap_or_default())
            });
        }
        used
    }

    const fn nothing() -> Self {
        Self {
            used: Used {
                tokens: chat::Usage {
                    input: 0,
                    cache_read: 0,
                    cache_write: 0,
                    cache_write_1h: 0,
                    output: 0,
                    reasoning: 0,
                },
                audio_input: 0,
                audio_output: 0,
                image_input: 0,
                image_output: 0,
                images: 0,
                pixels: 0,
                millis: 0,
                characters: 0,
                queries: 0,
                picture: None,
                tier: Tier::Standard,
            },
            pictures: 0,
            writes: Writes::Nothing,
            picture: [Bytes::new(), Bytes::new()],
        }
    }

    /// The input of a request of so many bytes.
    fn input(scan: &Scan, bytes: u64) -> Self {
        let text = bytes.saturating_sub(scan.media_bytes);
        let mut most = Self::nothing();
        most.used.tokens.input = text.saturating_add(ADDED).saturating_add(scan.tokens);
        most.used.audio_input = scan.sound_tokens;
        most.used.tier = scan.tier;
        most.pictures = scan.pictures;
        most
    }

    /// The same, making pictures.
    fn drawing(mut self, count: Option<u64>, size: Option<u64>, picture: [Bytes; 2]) -> Self {
        let count = count.unwrap_or(1).max(1);
        let tokens = size.map_or(DRAWN, |pixels| pixels.div_ceil(DRAWN_PIXELS).max(DRAWN));
        self.used.images = count;
        self.used.pixels = count.saturating_mul(size.unwrap_or(PIXELS));
        self.used.image_output = count.saturating_mul(tokens.saturating_add(PARTIAL));
        self.picture = picture;
        self
    }

    /// The same, ranking documents.
    fn ranking(mut self, documents: u64, bytes: u64) -> Self {
        let pieces = documents.saturating_add(bytes / RANKED_BYTES);
        self.used.queries = pieces.div_ceil(RANKED).max(1);
        self
    }

    /// The same, speaking so many characters.
    fn speaking(mut self, characters: u64) -> Self {
        self.used.characters = characters;
        self.used.millis = characters.saturating_mul(CHARACTER_MILLIS);
        self.used.audio_output = characters.saturating_mul(SPOKEN).saturating_add(ADDED);
        self
    }

    /// The same, listening to so many bytes.
    fn listening(mut self, bytes: u64) -> Self {
        self.used.millis = bytes.min(RECORDING) / BYTES_PER_MILLI;
        let tokens = self.used.millis.saturating_mul(HEARD).div_ceil(1_000);
        self.used.audio_input = tokens;
        self.writes = Writes::Text {
            answers: 1,
            most: None,
            besides: 0,
        };
        self
    }
}

/// What a conversation writes.
fn talk(endpoint: Endpoint, scan: &Scan, bytes: u64, max_tokens: Option<u32>) -> Writes {
    let choices = scan.choices.unwrap_or(1).max(1);
    // What the request's own most is multiplied by; its choices are in it already.
    let more = match endpoint {
        // Why: of several drafts all are billed, and every prompt of a list has its own answers.
        Endpoint::Completions => {
            let drafts = scan.drafts.unwrap_or(1).max(choices);
            drafts.div_ceil(choices).saturating_mul(scan.listed.max(1))
        }
        // Candidates are told where the request's most is not multiplied.
        Endpoint::Generate | Endpoint::StreamGenerate => scan.candidates.unwrap_or(1).max(1),
        _ => 1,
    };
    Writes::Text {
        answers: choices.saturating_mul(more),
        most: max_tokens.map(|most| u64::from(most).saturating_mul(more)),
        // A prediction that does not come true is billed as output.
        besides: if scan.predicts { bytes } else { 0 },
    }
}

/// The pixels of a size such as `1024x1536`.
fn pixels(size: &[u8]) -> Option<u64> {
    let (width, height) = std::str::from_utf8(size)
        .ok()?
        .split_once(['x', 'X', '*'])?;
    let (width, height): (u64, u64) = (width.trim().parse().ok()?, height.trim().parse().ok()?);
    Some(width.saturating_mul(height))
}
