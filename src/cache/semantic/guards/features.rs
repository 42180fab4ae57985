//! What of a text must be found in another that shares its answer.
//!
//! Phrases are replaced, words are brought to what they stand for, and what governs a word stays with it: its preposition, its number, a denial, its owner.

use super::MOST_BYTES;
use super::lexicon::{Class, Entry, Id, LEXICON, STRANGE, Seen, key};
use super::marks::Marks;
use super::stem::stem;
use super::token::{Kind, Token, Tokens};

/// A stretch of one of the strings of [`Features`].
type Span = std::ops::Range<usize>;

/// A word that carries meaning.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    /// The hash of what it stands for.
    pub(super) key: u64,
    /// What it stands for, in [`Features::canon`].
    pub(super) canon: Span,
    /// How it is written, in [`Features::plain`].
    pub(super) plain: Span,
    pub(super) class: Class,
    pub(super) kind: Kind,
    pub(super) name: bool,
    /// Known to the tables, so it is no slip.
    pub(super) known: bool,
    /// The hash of the preposition that governs it; 0 where none does.
    pub(super) governor: u64,
    /// The hash of the number right before it; 0 where there is none.
    pub(super) count: u64,
    /// `MY` or `YOUR` right before it.
    pub(super) owner: Marks,
    /// Owns the next word: `'s`.
    pub(super) owns: bool,
    /// Joined to the word before it by and, or.
    pub(super) joined: bool,
    pub(super) denied: bool,
    /// The hash of what opened the phrase or clause that it stands in; 0 in the main clause.
    pub(super) clause: u64,
    /// How many commas and sentence ends stand before it.
    pub(super) part: u16,
    /// A participle right after a form of to be.
    pub(super) passive: bool,
    /// May be missing in the other text.
    pub(super) light: bool,
}

/// Whether a text can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Fits,
    Empty,
    TooLong,
}

/// What of a text must match, extracted once.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    pub(super) size: Size,
    pub(super) english: bool,
    /// The text in lower case, without marks, one space between words.
    pub(super) plain: String,
    pub(super) canon: String,
    pub(super) words: Vec<Word>,
    /// Positions in `words`, by key and then by position.
    pub(super) sorted: Vec<u16>,
    /// What stands in quotes or backticks, as written.
    pub(super) quoted: Vec<String>,
    pub(super) marks: Marks,
    /// The hashes of what is denied, sorted.
    pub(super) denied: Vec<u64>,
    /// Who asks and who is asked, in their order: `i`, `your`.
    pub(super) speakers: String,
    /// Of whom else they speak, in their order: `her`, `we`.
    pub(super) others: String,
    /// The first part of the text that points back at what was named: `it`.
    pub(super) points: Option<u16>,
}

/// Whether letters after a number are its unit.
pub(super) fn is_unit(letters: &str) -> bool {
    let lower = letters.to_ascii_lowercase();
    let entry = LEXICON.word(&lower);
    entry.is_some_and(|entry| entry.class == Class::Units)
        || matches!(
            lower.as_str(),
            "am" | "pm" | "st" | "nd" | "rd" | "th" | "x"
        )
}

impl Features {
    /// Extracts what must match; a text beyond [`MOST_BYTES`] is not read.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut features = Self {
            size: Size::Fits,
            english: false,
            plain: String::new(),
            canon: String::new(),
            words: Vec::new(),
            sorted: Vec::new(),
            quoted: Vec::new(),
            marks: Marks::NONE,
            denied: Vec::new(),
            speakers: String::new(),
            others: String::new(),
            points: None,
        };
        if text.len() > MOST_BYTES {
            features.size = Size::TooLong;
            return features;
        }
        let tokens = Tokens::of(text);
        if tokens.list.is_empty() {
            features.size = Size::Empty;
            return features;
        }
        features.quoted = quoted(text);
        Reader::read(&mut features, &tokens);
        features.plain = tokens.plain;
        features.sorted = (0..u16::try_from(features.words.len()).unwrap_or(u16::MAX)).collect();
        let words = &features.words;
        features
            .sorted
            .sort_unstable_by_key(|at| (words[usize::from(*at)].key, *at));
        features.denied.sort_unstable();
        features
    }
}

/// What stands in backticks, double quotes or single quotes around whole words, in its order.
fn quoted(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    if text
        .bytes()
        .all(|b| b.is_ascii() && !matches!(b, b'`' | b'"' | b'\''))
    {
        return spans;
    }
    while let Some(at) = rest.find(['`', '"', '“', '«', '„', '\'', '‘']) {
        let open = rest[at..].chars().next().unwrap_or('"');
        let previous = rest[..at].chars().next_back().unwrap_or(before);
        let inside = &rest[at + open.len_utf8()..];
        let closes: &[char] = match open {
            '`' => &['`'],
            '"' => &['"'],
            '“' | '„' => &['”', '“'],
            '«' => &['»'],
            _ => &['\'', '’'],
        };
        let single = matches!(open, '\'' | '‘');
        let end = if single && previous.is_alphanumeric() {
            None
        } else {
            inside.find(closes)
        };
        let end = end.filter(|end| {
            let after = inside[*end..].chars().nth(1).unwrap_or(' ');
            !single || !after.is_alphanumeric()
        });
        before = open;
        rest = inside;
        if let Some(end) = end {
            let span = inside[..end].trim();
            if !span.is_empty() {
                spans.push(span.to_owned());
            }
            let close = inside[end..].chars().next().map_or(1, char::len_utf8);
            rest = &inside[end + close..];
        }
    }
    spans
}

/// What stands before the next word and governs it.
#[derive(Debug, Default)]
struct Reader {
    /// The places of all tokens in the tables.
    ids: Vec<Id>,
    governor: u64,
    /// A word has followed the governor directly.
    carried: bool,
    count: u64,
    owner: Marks,
    deny: bool,
    joined: bool,
    clause: u64,
    part: u16,
    /// The last token was a form of to be.
    be: bool,
    /// The token that is read looks like a participle.
    participle: bool,
    /// The last number is a ten that a digit may follow: twenty, five.
    tens: bool,
    opened: bool,
    strong: usize,
    weak: usize,
    letters: usize,
    foreign: usize,
    stem: Vec<u8>,
}

impl Reader {
    /// Reads all tokens into the features.
    fn read(into: &mut Features, tokens: &Tokens) {
        let mut reader = Self::default();
        let ids = tokens
            .list
            .iter()
            .map(|token| LEXICON.id(&tokens.plain[token.start..token.end]));
        reader.ids = ids.collect();
        into.words.reserve(tokens.list.len());
        into.canon.reserve(tokens.plain.len());
        let mut at = 0;
        while at < tokens.list.len() {
            at += reader.step(into, tokens, at);
        }
        if reader.deny {
            into.denied.push(0);
        }
        if reader.opened && !into.marks.any(Marks::QUESTIONS) {
            into.marks = into.marks.and(Marks::WHETHER);
        }
        let compares = key(b"difference");
        if into.marks.any(Marks::HOW) && into.words.iter().any(|word| word.key == compares) {
            into.marks = into.marks.without(Marks::HOW).and(Marks::WHAT);
        }
        let weighs = key(b"weight");
        if into.marks.any(Marks::MUCH) && into.words.iter().any(|word| word.key == weighs) {
            into.marks = into.marks.without(Marks::MUCH).and(Marks::MANY);
        }
        let allowed = key(b"allow");
        let asked = into.marks.any(Marks::WHETHER);
        if asked && into.words.iter().any(|word| word.key == allowed) {
            into.words.retain(|word| word.key != allowed);
            into.marks = into.marks.and(Marks::CAN);
        }
        let known = reader.strong + reader.weak;
        into.english = reader.strong > 0
            && known * 5 >= reader.letters
            && reader.foreign * 4 <= reader.letters;
    }

    /// Reads the token or phrase at a place; says how many tokens it took.
    fn step(&mut self, into: &mut Features, tokens: &Tokens, at: usize) -> usize {
        let token = tokens.list[at];
        let text = &tokens.plain[token.start..token.end];
        self.survey(token, at);
        let dated = token.kind == Kind::Number
            && into
                .words
                .last()
                .is_some_and(|word| word.kind == Kind::Number);
        if token.opens && at > 0 && !dated {
            self.part = self.part.saturating_add(1);
            self.clause = 0;
            self.governor = 0;
        }
        self.participle = self.be && participle(text);
        match token.kind {
            Kind::Number => self.number(into, token, text),
            Kind::Symbol => self.mean(into, token, Entry::default(), text),
            Kind::Identifier => {
                let entry = LEXICON.entry(self.ids[at]).filter(|entry| entry.means);
                self.mean(into, token, entry.unwrap_or_default(), text);
            }
            Kind::Word => return self.word(into, tokens, at),
        }
        1
    }

    /// Counts what says whether the text is English.
    fn survey(&mut self, token: Token, at: usize) {
        if token.kind == Kind::Word {
            self.letters += 1;
            self.foreign += usize::from(token.foreign);
            if let Some(entry) = LEXICON.entry(self.ids[at]) {
                if entry.marks.any(Marks::ENGLISH) {
                    self.strong += 1;
                } else {
                    self.weak += 1;
                }
            }
        }
    }

    /// Reads a word, or the phrase that starts with it.
    fn word(&mut self, into: &mut Features, tokens: &Tokens, at: usize) -> usize {
        let token = tokens.list[at];
        let text = &tokens.plain[token.start..token.end];
        let word = |ahead: usize| {
            let next = tokens.list.get(at + ahead)?;
            Some(Seen {
                id: self.ids[at + ahead],
                number: next.kind == Kind::Number,
                opens: next.opens,
            })
        };
        let phrase = LEXICON
            .phrases(
                self.ids[at],
                self.ids.get(at + 1).copied().unwrap_or(STRANGE),
            )
            .filter(|phrase| !phrase.opening() || token.opens)
            .find_map(|phrase| Some((phrase, phrase.taken(word)?)));
        let Some((phrase, taken)) = phrase else {
            self.single(into, token, LEXICON.entry(self.ids[at]), text);
            return 1;
        };
        let taken_ids = self.ids[at..at + taken].to_vec();
        for ahead in 1..taken {
            self.survey(tokens.list[at + ahead], at + ahead);
        }
        // Why: whom a greeting speaks to says nothing.
        for id in taken_ids.iter().filter(|_| !phrase.becomes.is_empty()) {
            if let Some(entry) = LEXICON.entry(*id) {
                people(into, entry);
            }
        }
        let last = tokens.list[at + taken - 1];
        for becomes in &phrase.becomes {
            let stands = Token {
                start: token.start,
                end: last.end,
                name: false,
                owner: last.owner,
                ..token
            };
            self.single(into, stands, LEXICON.word(becomes), becomes);
        }
        taken
    }

    /// Reads one word by what is known of it.
    fn single(&mut self, into: &mut Features, token: Token, known: Option<Entry>, text: &str) {
        if let Some(value) = known.and_then(|entry| entry.value) {
            self.value(into, token, u64::from(value));
            return;
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            self.number(into, token, text);
            return;
        }
        if text == "a" && token.name {
            self.mean(into, token, Entry::default(), text);
            return;
        }
        if let Some(entry) = known {
            people(into, entry);
            self.mark(into, token, entry, text);
            return;
        }
        let mut stemmed = std::mem::take(&mut self.stem);
        stem(text, &mut stemmed);
        let entry = LEXICON.stem(&stemmed).unwrap_or_default();
        if entry.canon.is_empty() {
            let plain = std::str::from_utf8(&stemmed).unwrap_or(text);
            self.mean(into, token, entry, plain);
        } else {
            self.mean(into, token, entry, text);
        }
        self.stem = stemmed;
    }

    /// Reads a word that marks something.
    fn mark(&mut self, into: &mut Features, token: Token, entry: Entry, text: &str) {
        let marks = entry.marks;
        into.marks = into.marks.and(marks.without(Marks::SILENT));
        self.opened |= marks.any(Marks::OPENS) && (token.opens || marks.any(Marks::ASKS));
        if marks.any(Marks::POINTS) {
            into.points.get_or_insert(self.part);
        }
        if marks.any(Marks::CLAUSE.and(Marks::GOVERNS)) {
            self.clause = key(entry.canon.as_bytes());
        }
        if entry.means {
            self.mean(into, token, entry, text);
        }
        if marks.any(Marks::NOT) {
            self.deny = true;
        } else if marks.any(Marks::JOINS) {
            self.joined = true;
            return;
        } else if marks.any(Marks::GOVERNS) {
            let canon = match entry.canon {
                "into" | "towards" | "toward" => "to",
                "onto" => "on",
                other => other,
            };
            self.governor = key(canon.as_bytes());
            self.carried = false;
            self.joined = false;
            return;
        } else if marks.any(Marks::MY.and(Marks::YOUR)) {
            self.owner = marks.within(Marks::MY.and(Marks::YOUR));
        }
        if !entry.means {
            self.be |= marks.any(Marks::BE);
            self.be &= marks.any(Marks::BE) || !marks.any(Marks::OPENS);
            self.tens = false;
            self.joined = false;
            if self.carried {
                self.governor = 0;
            }
        }
    }

    /// Reads the value of a number word; `twenty five` is one number.
    fn value(&mut self, into: &mut Features, token: Token, value: u64) {
        let follows = self.tens && (1..10).contains(&value);
        let tens = into.words.last().filter(|_| follows);
        let tens = tens.and_then(|word| into.canon[word.canon.clone()].parse::<u64>().ok());
        if let Some(tens) = tens
            && let Some(last) = into.words.pop()
        {
            into.canon.truncate(last.canon.start);
            self.governor = last.governor;
            self.number(into, token, &(tens + value).to_string());
        } else {
            self.number(into, token, &value.to_string());
            self.tens = value >= 20;
        }
    }

    /// Reads a number: a word of its own, and the count of the next.
    fn number(&mut self, into: &mut Features, token: Token, text: &str) {
        let token = Token {
            kind: Kind::Number,
            ..token
        };
        self.mean(into, token, Entry::default(), text);
        self.count = key(text.as_bytes());
    }

    /// Keeps a word that carries meaning, with what governs it.
    fn mean(&mut self, into: &mut Features, token: Token, entry: Entry, text: &str) {
        let canon = if entry.canon.is_empty() {
            text
        } else {
            entry.canon
        };
        let start = into.canon.len();
        into.canon.push_str(canon);
        let key = key(canon.as_bytes());
        let passive = self.be && self.participle;
        if self.deny && !entry.light {
            into.denied.push(key);
        }
        into.words.push(Word {
            key,
            canon: start..into.canon.len(),
            plain: token.start..token.end,
            class: entry.class,
            kind: token.kind,
            name: token.name,
            known: !entry.canon.is_empty(),
            governor: self.governor,
            count: self.count,
            owner: self.owner,
            owns: token.owner,
            joined: self.joined,
            denied: self.deny,
            clause: self.clause,
            part: self.part,
            passive,
            light: entry.light,
        });
        if entry.light {
            return;
        }
        self.be &= !passive;
        self.carried = true;
        self.count = 0;
        self.owner = Marks::NONE;
        self.deny = false;
        self.joined = false;
        self.tens = false;
    }
}

/// Notes of whom the text speaks.
fn people(into: &mut Features, entry: Entry) {
    let marks = entry.marks;
    let list = if marks.any(Marks::SPEAKERS) {
        &mut into.speakers
    } else if marks.any(Marks::THIRD) {
        &mut into.others
    } else {
        return;
    };
    list.push_str(entry.canon);
    list.push(' ');
}

/// Whether a word looks like a participle.
fn participle(word: &str) -> bool {
    const ENDS: [&str; 4] = ["ed", "en", "wn", "ght"];
    const WORDS: [&str; 20] = [
        "made", "done", "sent", "held", "sold", "paid", "built", "kept", "found", "lost", "put",
        "set", "cut", "run", "read", "won", "spent", "told", "met", "led",
    ];
    ENDS.iter().any(|end| word.ends_with(end)) || WORDS.contains(&word)
}
