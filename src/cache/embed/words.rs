//! Which tokens is a text made of?
//!
//! WordPiece as BERT has it, read from a `tokenizer.json`: clean, strip accents, lowercase, split at blanks and punctuation, then take the longest piece that the vocabulary knows, again and again.
//! Other kinds (BPE, Unigram) belong to models that this embedder does not read, and are refused by name.
//! Why not the `tokenizers` crate: it brings some fifty crates, of them unmaintained ones that the advisory check refuses, for what is one page here; on a prompt it takes twenty times as long.
//!
//! # Invariants
//! - The same tokens as the `tokenizers` crate gives, save for characters that Unicode has added since that crate's tables were made.
//! - Tokens are below [`Words::end`], and so have a row of weights where the vocabulary fits the model.

use std::collections::HashMap;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// A vocabulary and how texts are cut for it.
#[derive(Debug)]
pub(super) struct Words {
    pieces: HashMap<Box<str>, u32>,
    /// Bytes of the longest piece: none longer is looked for.
    longest: usize,
    /// What a piece that does not begin a word begins with in the vocabulary.
    inner: Box<str>,
    unknown: u32,
    /// Characters of the longest word that is cut; a longer one is unknown.
    longest_word: usize,
    cleaning: Cleaning,
    /// Tokens that a text may name literally, such as `[SEP]`.
    literal: Vec<(Box<str>, u32)>,
    before: Vec<u32>,
    after: Vec<u32>,
    end: u32,
}

/// What is done to characters before words are cut.
#[derive(Clone, Copy, Debug)]
struct Cleaning {
    controls: Switch,
    ideographs: Switch,
    accents: Switch,
    case: Switch,
}

/// Whether a step of cleaning is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

/// `tokenizer.json`, as far as it matters: truncation and padding are the caller's.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Normalizer>,
    pre_tokenizer: Option<Kind>,
    post_processor: Option<Frame>,
    model: Pieces,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: Box<str>,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    normalized: bool,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Normalizer {
    r#type: String,
    #[serde(default = "yes")]
    clean_text: bool,
    #[serde(default = "yes")]
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default = "yes")]
    lowercase: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Frame {
    TemplateProcessing {
        single: Vec<Part>,
        #[serde(default)]
        special_tokens: HashMap<String, Special>,
    },
    BertProcessing {
        sep: (String, u32),
        cls: (String, u32),
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
enum Part {
    SpecialToken { id: String, type_id: u32 },
    Sequence { type_id: u32 },
}

#[derive(Deserialize)]
struct Special {
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Pieces {
    r#type: Option<String>,
    #[serde(default)]
    unk_token: String,
    #[serde(default = "inner")]
    continuing_subword_prefix: Box<str>,
    #[serde(default = "longest_word")]
    max_input_chars_per_word: usize,
    /// Read only once the kind is known, for other kinds write it otherwise.
    vocab: Box<serde_json::value::RawValue>,
}

const fn yes() -> bool {
    true
}

fn inner() -> Box<str> {
    "##".into()
}

const fn longest_word() -> usize {
    100
}

impl Words {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// What in it is broken, or of a kind that is not read.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let kind = file.model.r#type.as_deref().unwrap_or("of no stated type");
        if kind != "WordPiece" {
            return Err(format!("its model is {kind}; only WordPiece is read"));
        }
        let pieces: HashMap<Box<str>, u32> = serde_json::from_str(file.model.vocab.get())
            .map_err(|error| format!("model.vocab: {error}"))?;
        let Some(&unknown) = pieces.get(file.model.unk_token.as_str()) else {
            let token = file.model.unk_token;
            return Err(format!("its unk_token {token:?} is not in its vocabulary"));
        };
        let cleaning = Cleaning::read(file.normalizer)?;
        match file.pre_tokenizer {
            Some(kind) if kind.r#type == "BertPreTokenizer" => {}
            Some(kind) => return Err(only("pre_tokenizer", &kind.r#type, "BertPreTokenizer")),
            None => return Err(only("pre_tokenizer", "missing", "BertPreTokenizer")),
        }
        let (before, after) = frame(file.post_processor)?;
        let literal = literal(file.added_tokens)?;
        let literals = literal.iter().map(|(_, id)| id);
        let ids = pieces.values().chain(literals).chain(&before).chain(&after);
        let end = ids.copied().max().unwrap_or(0).saturating_add(1);
        Ok(Self {
            longest: pieces.keys().map(|piece| piece.len()).max().unwrap_or(0),
            pieces,
            inner: file.model.continuing_subword_prefix,
            unknown,
            longest_word: file.model.max_input_chars_per_word,
            cleaning,
            literal,
            before,
            after,
            end,
        })
    }

    /// One more than the greatest token.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// The text's tokens, with those that frame it.
    pub(super) fn cut(&self, text: &str) -> Vec<u32> {
        let mut tokens = self.before.clone();
        let mut from = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            let hit = self
                .literal
                .iter()
                .find(|(literal, _)| rest.starts_with(literal.as_bytes()));
            if let Some((literal, token)) = hit {
                self.cut_plain(&text[from..at], &mut tokens);
                tokens.push(*token);
                at += literal.len();
                from = at;
            } else {
                at += 1;
            }
        }
        self.cut_plain(&text[from..], &mut tokens);
        tokens.extend_from_slice(&self.after);
        tokens
    }

    /// Cuts a text in which no token stands literally.
    fn cut_plain(&self, text: &str, tokens: &mut Vec<u32>) {
        let mut word = String::new();
        let mut mark = [0; 4];
        self.cleaning.each(text, |char| {
            if char.is_whitespace() {
                self.cut_word(&word, tokens);
                word.clear();
            } else if is_punctuation(char) {
                self.cut_word(&word, tokens);
                word.clear();
                self.cut_word(char.encode_utf8(&mut mark), tokens);
            } else {
                word.push(char);
            }
        });
        self.cut_word(&word, tokens);
    }

    /// Takes the longest piece again and again; a word that does not come out even is unknown as a whole.
    fn cut_word(&self, word: &str, tokens: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        if word.chars().count() > self.longest_word {
            tokens.push(self.unknown);
            return;
        }
        let known = tokens.len();
        let mut buffer = String::new();
        let mut rest = word;
        while !rest.is_empty() {
            buffer.clear();
            if rest.len() < word.len() {
                buffer.push_str(&self.inner);
            }
            let prefix = buffer.len();
            let room = self.longest.saturating_sub(prefix).min(rest.len());
            buffer.push_str(&rest[..rest.floor_char_boundary(room)]);
            let hit = loop {
                if buffer.len() <= prefix {
                    break None;
                }
                if let Some(token) = self.pieces.get(buffer.as_str()) {
                    break Some(*token);
                }
                buffer.pop();
            };
            let Some(token) = hit else {
                tokens.truncate(known);
                tokens.push(self.unknown);
                return;
            };
            tokens.push(token);
            rest = &rest[buffer.len() - prefix..];
        }
    }
}

impl Cleaning {
    fn read(normalizer: Option<Normalizer>) -> Result<Self, String> {
        let Some(normalizer) = normalizer else {
            return Err(only("normalizer", "missing", "BertNormalizer"));
        };
        if normalizer.r#type != "BertNormalizer" {
            return Err(only("normalizer", &normalizer.r#type, "BertNormalizer"));
        }
        let switch = |on| if on { Switch::On } else { Switch::Off };
        let accents = normalizer.strip_accents.unwrap_or(normalizer.lowercase);
        Ok(Self {
            controls: switch(normalizer.clean_text),
            ideographs: switch(normalizer.handle_chinese_chars),
            accents: switch(accents),
            case: switch(normalizer.lowercase),
        })
    }

    /// Hands over the characters that are left, in order.
    fn each(self, text: &str, mut take: impl FnMut(char)) {
        let apart = |char| {
            let blank = (self.ideographs == Switch::On && is_ideograph(char)).then_some(' ');
            blank.into_iter().chain([char]).chain(blank)
        };
        let kept = |char: &char| self.controls == Switch::Off || !is_control(*char);
        let chars = text.chars().filter(kept).flat_map(apart);
        let mut lower = |char: char| match self.case {
            Switch::On => char.to_lowercase().for_each(&mut take),
            Switch::Off => take(char),
        };
        match self.accents {
            Switch::On => chars.nfd().filter(|char| !is_accent(*char)).for_each(lower),
            Switch::Off => chars.for_each(&mut lower),
        }
    }
}

/// The tokens before and after a text.
fn frame(frame: Option<Frame>) -> Result<(Vec<u32>, Vec<u32>), String> {
    let (single, specials) = match frame {
        None => return Ok((Vec::new(), Vec::new())),
        Some(Frame::BertProcessing { sep, cls }) => return Ok((vec![cls.1], vec![sep.1])),
        Some(Frame::TemplateProcessing {
            single,
            special_tokens,
        }) => (single, special_tokens),
        Some(Frame::Other) => {
            return Err(
                "its post_processor is neither TemplateProcessing nor BertProcessing".into(),
            );
        }
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut texts = 0;
    for part in single {
        match part {
            Part::Sequence { type_id: 0 } => texts += 1,
            Part::SpecialToken { id, type_id: 0 } => {
                let Some(special) = specials.get(&id) else {
                    return Err(format!("its post_processor does not say what {id:?} is"));
                };
                let side = if texts == 0 { &mut before } else { &mut after };
                side.extend_from_slice(&special.ids);
            }
            Part::Sequence { .. } | Part::SpecialToken { .. } => {
                return Err("its post_processor gives a single text a type_id other than 0".into());
            }
        }
    }
    if texts == 1 {
        Ok((before, after))
    } else {
        Err(format!(
            "its post_processor puts a single text in {texts} times, not once"
        ))
    }
}

/// The tokens that a text may name, the longest first.
fn literal(added: Vec<Added>) -> Result<Vec<(Box<str>, u32)>, String> {
    for token in &added {
        let fault = if token.content.is_empty() {
            "empty"
        } else if token.single_word {
            "matched as a single word"
        } else if token.normalized {
            "matched after normalisation"
        } else {
            continue;
        };
        let content = &token.content;
        return Err(format!(
            "its added token {content:?} is {fault}, which is not read"
        ));
    }
    let mut literal: Vec<_> = added
        .into_iter()
        .map(|token| (token.content, token.id))
        .collect();
    literal.sort_by_key(|(content, _)| std::cmp::Reverse(content.len()));
    Ok(literal)
}

fn only(what: &str, found: &str, wanted: &str) -> String {
    format!("its {what} is {found}; only {wanted} is read")
}

/// What is dropped: controls, formats, private characters, and what stands for a broken one.
fn is_control(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => false,
        '\0' | '\u{fffd}' => true,
        _ if char.is_ascii() => char.is_ascii_control(),
        _ => matches!(
            char.general_category(),
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse
        ),
    }
}

fn is_accent(char: char) -> bool {
    !char.is_ascii() && char.general_category() == GeneralCategory::NonspacingMark
}

fn is_punctuation(char: char) -> bool {
    char.is_ascii_punctuation()
        || !char.is_ascii() && char.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// The blocks that BERT calls Chinese; each such character is a word.
fn is_ideograph(char: char) -> bool {
    matches!(
        u32::from(char),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixture::tokenizer;
    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Words, String> {
        let mut file = tokenizer();
        change(&mut file);
        Words::read(file.to_string().as_bytes())
    }

    fn check(words: &Words, cases: &[(&str, &[u32])]) {
        for (text, inner) in cases {
            let tokens = [&[2], *inner, &[3]].concat();
            assert_eq!(words.cut(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_as_bert_cuts_it() {
        check(
            &read(|_| {}).unwrap(),
            &[
                ("", &[]),
                ("abc", &[15]),
                ("abcde", &[15, 12, 13]),
                ("ABC abcd", &[15, 15, 12]),
                ("decade", &[19]),
                ("decadent", &[1]),
                ("cafe!", &[18, 20]),
                ("Caf\u{e9}, cafe\u{301}", &[18, 21, 18]),
                ("a,b!c", &[4, 21, 5, 20, 6]),
                ("\u{65e5}a\u{65e5}", &[23, 4, 23]),
                ("\u{3002}", &[22]),
                ("a\u{200b}b", &[14]),
                ("a\tb\u{a0}c\u{3000}d", &[4, 5, 6, 7]),
                ("a\0b\u{fffd}c", &[15]),
                ("[SEP] abc[CLS]a", &[3, 15, 2, 4]),
                ("[sep]", &[1, 1, 1]),
                ("[UNK", &[1, 1]),
                ("aaaaaaaaaaaa", &[4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
                ("aaaaaaaaaaaaa", &[1]),
                ("\u{130}", &[26]),
                ("ab\u{df}", &[1]),
                ("\u{391}\u{3a3} \u{3a3}", &[1, 28]),
                ("a\u{ad}\u{85}b", &[14]),
                ("\u{301}\u{301}", &[]),
                ("CAFE \u{c9}", &[18, 8]),
            ],
        );
    }

    #[test]
    fn each_step_of_cleaning_can_be_off() {
        let with = |name: &str| read(|file| file["normalizer"][name] = json!(false)).unwrap();
        let cased = [
            ("ABC abcd", &[1, 15, 12][..]),
            ("CAFE \u{c9}", &[1, 1]),
            ("e\u{301}", &[25]),
        ];
        check(&with("lowercase"), &cased);
        let accented = [
            ("\u{130}", &[1][..]),
            ("e\u{301}", &[25]),
            ("CAFE \u{c9}", &[18, 1]),
        ];
        check(&with("strip_accents"), &accented);
        check(
            &with("handle_chinese_chars"),
            &[("\u{65e5}a\u{65e5}", &[1])],
        );
        let controls = [
            ("a\u{200b}b", &[1][..]),
            ("a\0b\u{fffd}c", &[1]),
            ("a\u{ad}\u{85}b", &[1, 5]),
        ];
        check(&with("clean_text"), &controls);
    }

    #[test]
    fn the_frame_is_read_in_both_forms_and_may_be_missing() {
        let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
        let words = read(|file| file["post_processor"] = bert).unwrap();
        assert_eq!(words.cut("a"), [2, 4, 3]);
        let words = read(|file| file["post_processor"] = Value::Null).unwrap();
        assert_eq!(words.cut("a"), [4]);
        assert_eq!(words.end(), 30);
    }

    #[test]
    fn what_would_be_cut_otherwise_is_refused() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 12] = [
            (
                |file| file["model"]["type"] = json!("Unigram"),
                "its model is Unigram",
            ),
            (
                |file| file["model"]["vocab"] = json!([["a", 0.5]]),
                "model.vocab: invalid type",
            ),
            (
                |file| file["model"]["vocab"]["a"] = json!(-1),
                "model.vocab: invalid value",
            ),
            (
                |file| file["model"]["unk_token"] = json!("<unk>"),
                "unk_token \"<unk>\" is not in",
            ),
            (
                |file| file["normalizer"]["type"] = json!("NFC"),
                "its normalizer is NFC",
            ),
            (
                |file| file["normalizer"] = Value::Null,
                "its normalizer is missing",
            ),
            (
                |file| file["pre_tokenizer"]["type"] = json!("Metaspace"),
                "its pre_tokenizer is Metaspace",
            ),
            (
                |file| file["pre_tokenizer"] = Value::Null,
                "its pre_tokenizer is missing",
            ),
            (
                |file| file["post_processor"] = json!({"type": "ByteLevel"}),
                "post_processor is neither",
            ),
            (
                |file| file["post_processor"]["single"] = json!([]),
                "puts a single text in 0 times",
            ),
            (
                |file| file["post_processor"]["special_tokens"] = json!({}),
                "does not say what \"[CLS]\" is",
            ),
            (
                |file| file["added_tokens"][1]["normalized"] = json!(true),
                "added token \"[UNK]\" is matched after normalisation",
            ),
        ];
        for (change, expected) in cases {
            let error = read(change).unwrap_err();
            assert!(
                error.contains(expected),
                "{error:?} does not say {expected:?}"
            );
        }
    }
}
