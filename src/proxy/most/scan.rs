//! What is in a JSON body that is not billed by its bytes, and what does it ask for?
//!
//! One pass from string to string: most of a body is text, and is passed over as fast as its end can be found.
//! Nothing is parsed into a tree; a body that is no JSON gives some answer.
//!
//! # Invariants
//! - Bytes are set apart as media only in an object that vendors know as media, and that says of itself that it is a picture, a sound, a film or a PDF.
//! - Within [`Key::Opaque`] nothing is set apart.

use std::ops::Range;

use super::kind::{Key, Kind};
use crate::governance::prices::Tier;

/// Tokens of a file that is only referred to: a document of some ten pages.
const REFERRED: u64 = 32_768;

/// Tokens of a conversation that is kept elsewhere: the context of a usual model.
const HISTORY: u64 = 131_072;

/// Tokens that a vendor's own search or fetch reads: OpenAI's file search takes 20 pieces of 800.
const READ: u64 = 16_384;

/// Bytes that are looked at one by one: most keys are shorter, and a search costs more to begin than they do.
const NEAR: usize = 16;

/// Longest key with escapes that is unescaped, bytes; the known ones have below 30 letters of six bytes.
const LONGEST_KEY: usize = 192;

/// What a body holds and asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// Bytes that are not billed as text.
    pub(super) media_bytes: u64,
    pub(super) pictures: u64,
    pub(super) sound_tokens: u64,
    /// Tokens of documents, and of what is only referred to.
    pub(super) tokens: u64,
    pub(super) choices: Option<u64>,
    pub(super) drafts: Option<u64>,
    pub(super) candidates: Option<u64>,
    /// Documents or prompts in the body's list of them.
    pub(super) listed: u64,
    /// Where quality and size are written, without quotes.
    pub(super) quality: Range<usize>,
    pub(super) size: Range<usize>,
    /// Pixels by width and height.
    pub(super) pixels: Option<u64>,
    /// Characters of the input, if it is a text.
    pub(super) characters: u64,
    pub(super) predicts: bool,
    pub(super) tier: Tier,
}

/// The innermost object, as far as it may be media.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    key: Key,
    depth: usize,
    chars: u64,
    kind: Kind,
}

struct Reader<'a> {
    json: &'a [u8],
    at: usize,
    depth: usize,
    /// The depth of what is opaque, 0 for none.
    opaque: usize,
    /// The depth of the list whose items are counted, 0 for none.
    list: usize,
    key: Key,
    frame: Frame,
    /// What the last `type` said that media are.
    block: Kind,
    sides: [Option<u64>; 2],
    scan: Scan,
}

impl Scan {
    pub(super) fn of(json: &[u8]) -> Self {
        let mut reader = Reader {
            json,
            at: 0,
            depth: 0,
            opaque: 0,
            list: 0,
            key: Key::Other,
            frame: Frame::default(),
            block: Kind::Text,
            sides: [None; 2],
            scan: Self::default(),
        };
        reader.read();
        if let [Some(width), Some(height)] = reader.sides {
            reader.scan.pixels = Some(width.saturating_mul(height));
        }
        reader.scan
    }
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(&byte) = self.json.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => self.open(byte),
                b'}' | b']' => self.close(),
                b',' => self.key = Key::Other,
                b'0'..=b'9' if self.key != Key::Other => self.number(),
                _ => {}
            }
        }
    }

    fn open(&mut self, byte: u8) {
        self.item();
        self.depth += 1;
        let is_object = byte == b'{';
        let is_opaque = match self.key {
            Key::Opaque => true,
            // A tool's input is an object, a conversation's is a list.
            Key::Input => is_object,
            _ => false,
        };
        if is_opaque && self.opaque == 0 {
            self.opaque = self.depth;
        }
        if self.opaque == 0 {
            match self.key {
                Key::Documents | Key::Prompt if !is_object && self.depth == 2 => {
                    self.list = self.depth;
                }
                // A conversation or prompt that is named by an object.
                Key::History => self.refer(HISTORY),
                Key::Prompt if self.depth == 2 => self.refer(REFERRED),
                Key::Search => self.refer(READ),
                Key::Prediction => self.scan.predicts = true,
                _ => {}
            }
        }
        if is_object {
            self.frame = Frame {
                key: self.key,
                depth: self.depth,
                ..Frame::default()
            };
        }
        self.key = Key::Other;
    }

    fn close(&mut self) {
        if self.frame.depth == self.depth && self.frame.chars > 0 && self.opaque == 0 {
            let kind = match self.frame.key {
                Key::Sound => Kind::Sound,
                _ => self.frame.kind,
            };
            self.media(kind, self.frame.chars);
        }
        self.frame = Frame::default();
        self.depth = self.depth.saturating_sub(1);
        if self.depth < self.opaque {
            self.opaque = 0;
        }
        if self.depth < self.list {
            self.list = 0;
        }
        self.key = Key::Other;
    }

    /// Counts a value that stands in the list whose items are counted.
    fn item(&mut self) {
        if self.list != 0 && self.depth == self.list {
            self.scan.listed += 1;
        }
    }

    fn refer(&mut self, tokens: u64) {
        self.scan.tokens = self.scan.tokens.saturating_add(tokens);
    }

    /// A key or a text, behind its opening quote.
    fn string(&mut self) {
        let start = self.at;
        let mut escaped = false;
        let end = loop {
            let rest = self.json.get(self.at..).unwrap_or_default();
            let Some(found) = quote_or_escape(rest) else {
                self.at = self.json.len();
                break self.at;
            };
            self.at += found + 1;
            if rest[found] == b'"' {
                break self.at - 1;
            }
            // What is escaped ends nothing.
            escaped = true;
            self.at += 1;
        };
        let text = self.json.get(start..end).unwrap_or_default();
        let rest = self.json.get(self.at..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        if let Some(colon) = Some(blank.count()).filter(|at| rest.get(*at) == Some(&b':')) {
            self.at += colon + 1;
            self.key = if escaped {
                unescaped(text)
            } else {
                Key::of(text)
            };
            return;
        }
        self.item();
        if self.opaque == 0 && self.key != Key::Other {
            self.value(text, start..end);
        }
        self.key = Key::Other;
    }

    fn value(&mut self, text: &[u8], at: Range<usize>) {
        let top = self.depth == 1;
        match (self.key, self.frame.key) {
            (Key::Data, Key::Source | Key::Inline | Key::Sound) => {
                self.frame.chars = self.frame.chars.saturating_add(text.len() as u64);
            }
            (Key::MediaType, _) => self.frame.kind = Kind::of(text),
            (Key::PictureUrl, _) | (Key::Url, Key::PictureUrl) => {
                self.link(text, Kind::Picture);
            }
            (Key::MediaUrl | Key::FileData, _) | (Key::Url, Key::MediaUrl) => {
                self.link(text, Kind::Document);
            }
            (Key::Url | Key::File, Key::Source) if self.block == Kind::Picture => {
                self.scan.pictures += 1;
            }
            (Key::Url | Key::File, _) => self.refer(REFERRED),
            (Key::Id, Key::Spoken) => {
                self.scan.sound_tokens = self.scan.sound_tokens.saturating_add(REFERRED);
            }
            (Key::History, _) => self.refer(HISTORY),
            (Key::Search, _) => self.refer(READ),
            (Key::Type, _) => self.kind(text),
            (Key::Choices | Key::Drafts | Key::Candidates | Key::Width | Key::Height, _) => {
                self.count(text);
            }
            (Key::Quality, _) if top => self.scan.quality = at,
            (Key::Size, _) if top => self.scan.size = at,
            (Key::Input, _) if top => self.scan.characters = characters(text),
            (Key::Prediction, _) => self.scan.predicts = true,
            (Key::Tier, _) if top => {
                self.scan.tier = std::str::from_utf8(text)
                    .ok()
                    .and_then(Tier::named)
                    .unwrap_or_default();
            }
            _ => {}
        }
    }

    fn kind(&mut self, text: &[u8]) {
        match text {
            b"image" => self.block = Kind::Picture,
            b"document" => self.block = Kind::Document,
            b"item_reference" => self.refer(REFERRED),
            b"web_search" | b"file_search" => self.refer(READ),
            _ => {
                let tools: [&[u8]; 3] = [b"web_search_preview", b"web_search_2", b"web_fetch_2"];
                if tools.iter().any(|tool| text.starts_with(tool)) {
                    self.refer(READ);
                }
            }
        }
    }

    /// A URL with the data in it, or of something elsewhere.
    fn link(&mut self, text: &[u8], usual: Kind) {
        let Some(rest) = text.strip_prefix(b"data:") else {
            match usual {
                Kind::Picture => self.scan.pictures += 1,
                _ => self.refer(REFERRED),
            }
            return;
        };
        let comma = memchr::memchr(b',', rest).unwrap_or(rest.len());
        let (head, data) = rest.split_at(comma);
        let semicolon = memchr::memchr(b';', head).unwrap_or(head.len());
        if head.ends_with(b";base64") {
            self.media(Kind::of(&head[..semicolon]), data.len() as u64);
        }
    }

    fn media(&mut self, kind: Kind, chars: u64) {
        if kind == Kind::Text {
            return;
        }
        let scan = &mut self.scan;
        scan.media_bytes = scan.media_bytes.saturating_add(chars);
        let tokens = kind.tokens(chars);
        match kind {
            Kind::Picture => scan.pictures += 1,
            Kind::Sound => scan.sound_tokens = scan.sound_tokens.saturating_add(tokens),
            Kind::Text | Kind::Document => self.refer(tokens),
        }
    }

    /// A number, behind its first digit.
    fn number(&mut self) {
        let start = self.at - 1;
        let rest = self.json.get(start..).unwrap_or_default();
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        let length = rest.iter().take_while(is_part).count();
        self.at = start + length;
        if self.opaque == 0 {
            self.count(&rest[..length]);
        }
        self.key = Key::Other;
    }

    fn count(&mut self, text: &[u8]) {
        let number: Option<f64> = std::str::from_utf8(text)
            .ok()
            .and_then(|it| it.parse().ok());
        let Some(number) = number.map(|it| it.ceil() as u64) else {
            return;
        };
        let top = self.depth == 1;
        let slot = match self.key {
            Key::Choices if top => &mut self.scan.choices,
            Key::Drafts if top => &mut self.scan.drafts,
            Key::Candidates => &mut self.scan.candidates,
            Key::Width if top => &mut self.sides[0],
            Key::Height if top => &mut self.sides[1],
            _ => return,
        };
        // Of a field that occurs twice, nobody knows which one counts.
        *slot = (*slot).max(Some(number));
    }
}

/// Where the first quote or backslash is.
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(NEAR));
    near.iter()
        .position(|byte| matches!(byte, b'"' | b'\\'))
        .or_else(|| Some(NEAR + memchr::memchr2(b'"', b'\\', far)?))
}

/// A key that is written with escapes.
fn unescaped(text: &[u8]) -> Key {
    if text.len() > LONGEST_KEY {
        return Key::Other;
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or(Key::Other, |name| Key::of(name.as_bytes()))
}

/// The characters of a text, at most: an escape is one, and a byte that goes on with one before it is none.
fn characters(text: &[u8]) -> u64 {
    let begins = |byte: &&u8| **byte & 0xC0 != 0x80;
    text.iter().filter(begins).count() as u64
}
