//! The words that are known: what each marks, what it stands for, what it must not be taken for, and phrases that are one word.
//!
//! Built once from `words.txt`, whose head says how it is written.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::digits::{NUMBER_WORDS, number_word};
use super::marks::Marks;
use super::stem::stem;

/// The tables as written.
const WORDS: &str = include_str!("words.txt");

/// What kind of thing a word names, where an answer repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Class {
    #[default]
    None,
    Colours,
    Language,
    Dates,
    Units,
}

/// Whether a word must have a partner, or may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Full,
    Light,
}

/// What is known of a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) marks: Marks,
    /// What the word stands for; empty where it stands for itself.
    pub(super) canon: &'static str,
    /// Whether it means something beyond its marks.
    pub(super) means: bool,
    pub(super) class: Class,
    /// Whether it may be missing in one of the texts.
    pub(super) light: bool,
    /// The value of a number word, below one hundred.
    pub(super) value: Option<u8>,
}

/// A word of the tables: its place there; [`STRANGE`] for all others.
pub(super) type Id = u32;

/// The place of a word that the tables do not have.
pub(super) const STRANGE: Id = 0;

/// One element of a phrase.
#[derive(Debug)]
enum Element {
    /// Any of these words.
    One(Vec<Id>),
    /// Any of these words, or nothing.
    Maybe(Vec<Id>),
    /// Any of these words follows and is not taken.
    Before(Vec<Id>),
    /// A number follows and is not taken.
    BeforeNumber,
    /// A clause ends here.
    End,
}

/// The words that may stand second in a phrase, by the last bits of their places: most phrases end here.
#[derive(Debug, Clone, Copy)]
struct Seconds(u64);

impl Seconds {
    /// Those that a phrase's second element takes.
    fn of(element: Option<&Element>) -> Self {
        match element {
            Some(Element::One(any) | Element::Before(any)) => {
                Self(any.iter().fold(0, |all, id| all | (1 << (id % 64))))
            }
            _ => Self(u64::MAX),
        }
    }

    /// Whether a word may be one of them.
    fn may_be(self, id: Id) -> bool {
        self.0 & (1 << (id % 64)) != 0
    }
}

/// A word as a phrase sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) id: Id,
    pub(super) number: bool,
    pub(super) opens: bool,
}

/// Words in a row and what stands for them.
#[derive(Debug)]
pub(super) struct Phrase {
    elements: Vec<Element>,
    opening: bool,
    pub(super) becomes: Vec<&'static str>,
}

impl Phrase {
    /// How many words the phrase takes from the start of these, if they are it.
    pub(super) fn taken(&self, word: impl Fn(usize) -> Option<Seen>) -> Option<usize> {
        let mut at = 0;
        for element in &self.elements {
            let next = word(at);
            let is = |any: &[Id]| next.is_some_and(|next| any.contains(&next.id));
            match element {
                Element::One(any) if is(any) => at += 1,
                Element::Maybe(any) => at += usize::from(is(any)),
                Element::Before(any) if is(any) => {}
                Element::BeforeNumber if next.is_some_and(|next| next.number) => {}
                Element::End if next.is_none_or(|next| next.opens) => {}
                _ => return None,
            }
        }
        (at > 0).then_some(at)
    }

    /// Whether it is one only where a sentence or a clause opens.
    pub(super) fn opening(&self) -> bool {
        self.opening
    }
}

/// A fast hash for short words (FNV-1a with a last mix); equality is by the words themselves.
#[derive(Debug, Default)]
pub(super) struct Fast(u64);

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The hash of a word.
pub(super) fn key(word: &[u8]) -> u64 {
    let mut hasher = Fast(0xcbf2_9ce4_8422_2325);
    hasher.write(word);
    hasher.finish()
}

type Table<V> = HashMap<&'static str, V, BuildHasherDefault<Fast>>;

/// All tables.
#[derive(Debug)]
pub(super) struct Lexicon {
    ids: Table<Id>,
    /// What is known of each word, by its place.
    entries: Vec<Option<Entry>>,
    /// The phrases that may start with each word, by its place, each with the words that may come second.
    starts: Vec<Vec<(u16, Seconds)>>,
    stems: HashMap<Vec<u8>, Entry, BuildHasherDefault<Fast>>,
    phrases: Vec<Phrase>,
    opposites: HashSet<(u64, u64)>,
    confused: HashSet<(u64, u64)>,
}

/// The lexicon, built when it is first asked.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::build);

/// Both in one order.
fn sorted(one: u64, other: u64) -> (u64, u64) {
    (one.min(other), one.max(other))
}

impl Lexicon {
    /// The place of a lower-case word.
    pub(super) fn id(&self, word: &str) -> Id {
        self.ids.get(word).copied().unwrap_or(STRANGE)
    }

    /// What is known of the word at a place.
    pub(super) fn entry(&self, id: Id) -> Option<Entry> {
        self.entries.get(id as usize).copied().flatten()
    }

    /// What is known of a lower-case word, as it stands.
    pub(super) fn word(&self, word: &str) -> Option<Entry> {
        self.entry(self.id(word))
    }

    /// The place of a word, which it is given where it has none.
    fn place(&mut self, word: &'static str) -> Id {
        let next = Id::try_from(self.entries.len()).unwrap_or(STRANGE);
        let id = *self.ids.entry(word).or_insert(next);
        if id == next {
            self.entries.push(None);
            self.starts.push(Vec::new());
        }
        id
    }

    /// The places of words.
    fn places(&mut self, words: impl Iterator<Item = &'static str>) -> Vec<Id> {
        words.map(|word| self.place(word)).collect()
    }

    /// What is known of a stem.
    pub(super) fn stem(&self, stem: &[u8]) -> Option<Entry> {
        self.stems.get(stem).copied()
    }

    /// The phrases that may start with these two words, the longest first.
    pub(super) fn phrases(&self, first: Id, second: Id) -> impl Iterator<Item = &Phrase> {
        let starts = self
            .starts
            .get(first as usize)
            .map_or(&[][..], Vec::as_slice);
        let may = starts
            .iter()
            .filter(move |(_, seconds)| seconds.may_be(second));
        may.map(|(at, _)| &self.phrases[usize::from(*at)])
    }

    /// Whether two keys stand for opposites.
    pub(super) fn opposite(&self, one: u64, other: u64) -> bool {
        self.opposites.contains(&sorted(one, other))
    }

    /// Whether two words, by the keys of how they are written, are both words though one slip apart.
    pub(super) fn confused(&self, one: u64, other: u64) -> bool {
        self.confused.contains(&sorted(one, other))
    }

    /// What a word stands for.
    fn canon(&self, word: &'static str, out: &mut Vec<u8>) {
        stem(word, out);
        let entry = self.word(word).or_else(|| self.stem(out));
        if let Some(entry) = entry
            && !entry.canon.is_empty()
        {
            out.clear();
            out.extend_from_slice(entry.canon.as_bytes());
        }
    }

    /// Reads the tables.
    fn build() -> Self {
        let mut lexicon = Self {
            ids: Table::default(),
            entries: vec![None],
            starts: vec![Vec::new()],
            stems: HashMap::default(),
            phrases: Vec::new(),
            opposites: HashSet::new(),
            confused: HashSet::new(),
        };
        lexicon.numbers();
        let mut section = "";
        for line in WORDS.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if !line.is_empty() {
                lexicon.line(section, line);
            }
        }
        lexicon.index();
        lexicon
    }

    /// Knows the number words.
    fn numbers(&mut self) {
        for word in NUMBER_WORDS {
            let id = self.place(word) as usize;
            self.entries[id] = Some(Entry {
                canon: word,
                value: number_word(word),
                ..Entry::default()
            });
        }
    }

    /// Reads one line of a section.
    fn line(&mut self, section: &'static str, line: &'static str) {
        let words: Vec<&'static str> = line.split(' ').collect();
        if let Some(names) = section.strip_prefix("+ marks") {
            self.marked(names, &words, true);
        } else if let Some(names) = section.strip_prefix("marks") {
            self.marked(names, &words, false);
        } else if let Some(name) = section.strip_prefix("class ") {
            let class = match name {
                "colours" => Class::Colours,
                "language" => Class::Language,
                "dates" => Class::Dates,
                _ => Class::Units,
            };
            for word in words {
                self.stand_for(word, word, class, Weight::Full);
            }
        } else if section == "phrases" {
            self.phrase(line);
        } else if section == "same" {
            self.group(&words);
        } else if section == "light" {
            for word in &words {
                self.stand_for(word, words[0], Class::None, Weight::Light);
            }
        } else if let [one, other] = words.as_slice() {
            if section == "opposite" {
                let (mut first, mut second) = (Vec::new(), Vec::new());
                self.canon(one, &mut first);
                self.canon(other, &mut second);
                self.opposites.insert(sorted(key(&first), key(&second)));
            }
            let raw = sorted(key(one.as_bytes()), key(other.as_bytes()));
            self.confused.insert(raw);
        }
    }

    /// Words that mark something.
    fn marked(&mut self, names: &str, words: &[&'static str], means: bool) {
        let marks = Marks::NAMED
            .iter()
            .filter(|(name, _)| names.split(' ').any(|one| one == *name));
        let marks = marks.fold(Marks::NONE, |all, (_, mark)| all.and(*mark));
        for word in words {
            let id = self.place(word) as usize;
            let entry = self.entries[id].get_or_insert_default();
            entry.marks = entry.marks.and(marks);
            entry.means = means;
            entry.canon = word;
            if means {
                let entry = *entry;
                let mut out = Vec::new();
                stem(word, &mut out);
                self.stems.entry(out).or_insert(entry);
            }
        }
    }

    /// A group of words of which the first stands for all.
    fn group(&mut self, words: &[&'static str]) {
        let Some(first) = words.first() else {
            return;
        };
        let head = self.word(first);
        let canon = head.map_or(*first, |entry| entry.canon);
        let class = head.map_or(Class::None, |entry| entry.class);
        for word in words {
            if word.contains('_') {
                let parts = self.places(word.split('_'));
                let parts = parts.into_iter().map(|part| Element::One(vec![part]));
                self.phrases.push(Phrase {
                    elements: parts.collect(),
                    opening: false,
                    becomes: vec![first],
                });
            } else {
                self.stand_for(word, canon, class, Weight::Full);
            }
        }
    }

    /// Makes a word and its stem stand for another; what is known already stays.
    fn stand_for(&mut self, word: &'static str, canon: &'static str, class: Class, weight: Weight) {
        let entry = Entry {
            marks: Marks::NONE,
            canon,
            means: true,
            class,
            light: weight == Weight::Light,
            value: None,
        };
        let id = self.place(word) as usize;
        let known = self.entries[id].get_or_insert(entry);
        if known.means && known.canon == word {
            known.canon = canon;
            known.class = class;
            known.light = entry.light;
        }
        let mut out = Vec::new();
        stem(word, &mut out);
        let known = self.stems.entry(out).or_insert(entry);
        if known.canon == word {
            known.canon = canon;
            known.class = class;
            known.light = entry.light;
        }
    }

    /// Reads a phrase.
    fn phrase(&mut self, line: &'static str) {
        let (pattern, becomes) = line.split_once("=>").unwrap_or((line, ""));
        let opening = pattern.starts_with('^');
        let elements = pattern
            .trim_start_matches('^')
            .split_whitespace()
            .map(|element| {
                let mut any = |words: &'static str| self.places(words.split('|'));
                match (
                    element,
                    element.strip_suffix('?'),
                    element.strip_prefix('&'),
                ) {
                    ("&#", ..) => Element::BeforeNumber,
                    ("&$", ..) => Element::End,
                    (_, Some(words), _) => Element::Maybe(any(words)),
                    (_, _, Some(words)) => Element::Before(any(words)),
                    _ => Element::One(any(element)),
                }
            });
        let elements = elements.collect();
        self.phrases.push(Phrase {
            elements,
            opening,
            becomes: becomes.split_whitespace().collect(),
        });
    }

    /// Finds the phrases by their first words; those with more words are tried first.
    fn index(&mut self) {
        self.phrases
            .sort_by_key(|phrase| std::cmp::Reverse(phrase.elements.len()));
        for (at, phrase) in self.phrases.iter().enumerate() {
            let Ok(at) = u16::try_from(at) else {
                return;
            };
            for (place, element) in phrase.elements.iter().enumerate() {
                let seconds = Seconds::of(phrase.elements.get(place + 1));
                let (Element::One(any) | Element::Maybe(any)) = element else {
                    break;
                };
                for word in any {
                    self.starts[*word as usize].push((at, seconds));
                }
                if matches!(element, Element::One(_)) {
                    break;
                }
            }
        }
    }
}
