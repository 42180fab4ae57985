//! How many input tokens does a request have, where nobody can be asked?
//!
//! Texts by their length, everything else by a flat price: no vocabulary is shipped, because each vendor's differs and none is published for all of them.
//! It is meant to tell whether a prompt still fits, so where a price must be guessed the higher one is taken; nobody should be billed by it.
//!
//! # Invariants
//! - The estimate grows with the request: a longer text or one more part never makes it smaller.

use super::answer::Answer;
use super::part::{Media, Part, Source};
use super::request::Request;

/// Bytes of ASCII text to a token: English prose has 4 to 4.5, code 3 to 4.
const ASCII_BYTES: u64 = 4;

/// Bytes of other text to a token: a Chinese character has 3 bytes and is about one token, a Cyrillic letter 2 and about half of one.
const OTHER_BYTES: u64 = 3;

/// Tokens around a message that name its role: OpenAI's cookbook counts 3, and one more leaves room.
const PER_MESSAGE: u64 = 4;

/// Tokens around a tool's name, description and schema.
const PER_TOOL: u64 = 8;

/// Tokens of an image: about the most that Anthropic counts for one of a megapixel; OpenAI counts 765 for 1024 × 1024 and Google 258 per tile.
const PER_IMAGE: u64 = 1_600;

/// Tokens of a document whose content is elsewhere, and the least of any: a page has 1,500 to 3,000.
const PER_DOCUMENT: u64 = 3_000;

/// Characters of base64 to a token of a document: a page of a PDF has about 50 kB and 2,000 tokens.
const DOCUMENT_CHARS: u64 = 32;

/// Tokens of a sound whose content is elsewhere, and the least of any: a minute of Google's 32 a second.
const PER_AUDIO: u64 = 1_920;

/// Characters of base64 to a token of sound: 16 kB a second of MP3, and 32 tokens.
const AUDIO_CHARS: u64 = 680;

/// Bytes of text, by what they are worth.
#[derive(Debug, Default)]
struct Tally {
    ascii: u64,
    other: u64,
    /// Tokens of what is no text.
    flat: u64,
}

impl Request {
    /// Returns about how many input tokens the request has; at least 1.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        let mut tally = Tally::default();
        for message in &self.messages {
            tally.flat += PER_MESSAGE;
            message.parts.iter().for_each(|part| tally.part(part));
        }
        for tool in &self.tools {
            tally.flat += PER_TOOL;
            tally.text(&tool.name);
            tally.text(tool.description.as_deref().unwrap_or_default());
            tally.text(&tool.schema.to_string());
        }
        tally.tokens().max(1)
    }
}

impl Answer {
    /// Returns about how many output tokens the answer has; at least 1.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        let mut tally = Tally::default();
        self.parts.iter().for_each(|part| tally.part(part));
        tally.tokens().max(1)
    }
}

impl Tally {
    fn text(&mut self, text: &str) {
        let other = text.bytes().filter(|byte| !byte.is_ascii()).count() as u64;
        self.other += other;
        self.ascii += text.len() as u64 - other;
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } | Part::Thinking { text, .. } | Part::Refusal(text) => {
                self.text(text);
            }
            Part::ToolCall {
                name, arguments, ..
            } => {
                self.text(name);
                self.text(arguments);
            }
            Part::ToolResult { content, .. } => content.iter().for_each(|part| self.part(part)),
            Part::Image(_) => self.flat += PER_IMAGE,
            Part::Document(media) => self.media(media, PER_DOCUMENT, DOCUMENT_CHARS),
            Part::Audio(media) => self.media(media, PER_AUDIO, AUDIO_CHARS),
            // Its maker bills it as nothing that could be told from its ciphertext.
            Part::Redacted(_) => {}
        }
    }

    fn media(&mut self, media: &Media, least: u64, chars: u64) {
        match &media.source {
            Source::Text(text) => self.text(text),
            Source::Base64(data) => self.flat += (data.len() as u64 / chars).max(least),
            Source::Url(_) | Source::File(_) => self.flat += least,
        }
    }

    fn tokens(&self) -> u64 {
        self.flat + self.ascii.div_ceil(ASCII_BYTES) + self.other.div_ceil(OTHER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{Message, Role, Tool};
    use super::*;

    fn one(part: Part) -> u64 {
        let request = Request {
            messages: vec![Message {
                role: Role::User,
                parts: vec![part],
            }],
            ..Request::default()
        };
        request.estimated_tokens() - PER_MESSAGE
    }

    fn media(source: Source) -> Media {
        Media {
            source,
            mime: String::new(),
            name: String::new(),
            detail: String::new(),
            cache: false,
        }
    }

    #[test]
    fn texts_count_by_length_and_the_rest_by_piece() {
        assert_eq!(Request::default().estimated_tokens(), 1);
        for (part, tokens) in [
            (Part::text(""), 0),
            (Part::text("a"), 1),
            (Part::text("four and one more"), 5),
            (Part::text("你好"), 2),
            (Part::text("да"), 2),
            (Part::text("abcd你"), 2),
            (Part::Refusal("abcdefgh".to_owned()), 2),
            (Part::Image(media(Source::Url("u".to_owned()))), PER_IMAGE),
            (Part::Document(media(Source::Text("abcd".to_owned()))), 1),
            (
                Part::Document(media(Source::File("f".to_owned()))),
                PER_DOCUMENT,
            ),
            (
                Part::Document(media(Source::Base64("x".repeat(320_000)))),
                10_000,
            ),
            (
                Part::Audio(media(Source::Base64("x".repeat(680 * 5_000)))),
                5_000,
            ),
            (
                Part::ToolCall {
                    id: "not told to the model".to_owned(),
                    name: "find".to_owned(),
                    arguments: "{\"q\":1}".to_owned(),
                    signature: None,
                },
                3,
            ),
            (
                Part::ToolResult {
                    id: String::new(),
                    name: String::new(),
                    content: vec![Part::text("abcd"), Part::text("efgh")],
                    is_error: false,
                    cache: false,
                },
                2,
            ),
        ] {
            assert_eq!(one(part.clone()), tokens, "{part:?}");
        }
    }

    #[test]
    fn answers_count_as_what_they_say() {
        let answer = Answer {
            parts: vec![Part::text("abcd"), Part::Refusal("efgh".to_owned())],
            ..Answer::default()
        };
        assert_eq!(answer.estimated_tokens(), 2);
        assert_eq!(Answer::default().estimated_tokens(), 1);
    }

    #[test]
    fn tools_count() {
        let request = Request {
            tools: vec![Tool {
                name: "find".to_owned(),
                description: Some("Finds it.".to_owned()),
                schema: serde_json::json!({}),
                strict: None,
                cache: false,
            }],
            ..Request::default()
        };
        assert_eq!(request.estimated_tokens(), PER_TOOL + 4);
    }
}
