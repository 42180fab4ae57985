//! A text as words, numbers, identifiers and symbols, in lower case.

use super::digits::{numeral, push_plain};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    /// Letters with digits, underscores, points or capitals inside: compared as it is.
    Identifier,
    Symbol,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// Where it stands in [`Tokens::plain`].
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// Written with a capital where a sentence does not open.
    pub(super) name: bool,
    /// A sentence or a clause opens with it.
    pub(super) opens: bool,
    /// Owns what follows: `'s`.
    pub(super) owner: bool,
    /// Part of a script without spaces, or with letters that English has not.
    pub(super) foreign: bool,
}

/// The tokens and their lower-case text, with one space between them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) plain: String,
    pub(super) list: Vec<Token>,
    opens: bool,
    sentence: bool,
}

/// Marks that stand around words.
fn outer(c: char) -> bool {
    matches!(
        c,
        '(' | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '"'
            | '\''
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '«'
            | '»'
            | '¿'
            | '¡'
            | '`'
            | '.'
            | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '？'
            | '！'
            | '。'
            | '、'
            | '，'
    )
}

/// Scripts that put no space between words: each letter is a token.
fn unspaced(c: char) -> bool {
    matches!(c as u32, 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

impl Tokens {
    /// Splits a text.
    pub(super) fn of(text: &str) -> Self {
        let mut tokens = Self {
            plain: String::with_capacity(text.len() + 8),
            list: Vec::with_capacity(text.len() / 5 + 1),
            opens: true,
            sentence: true,
        };
        let shouting = !text.chars().any(char::is_lowercase);
        for line in text.lines() {
            tokens.opens = true;
            tokens.sentence = true;
            for chunk in line
                .split(char::is_whitespace)
                .filter(|chunk| !chunk.is_empty())
            {
                tokens.chunk(chunk, shouting);
            }
        }
        tokens
    }

    /// Takes one chunk between spaces.
    fn chunk(&mut self, chunk: &str, shouting: bool) {
        let plain = chunk.trim_end_matches(['.', ',', '?', '!', ';', ':']);
        if !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_alphabetic()) {
            self.push_cased(plain, shouting);
            if plain.len() == chunk.len() {
                self.sentence = false;
                self.opens = false;
            } else {
                self.close(chunk);
            }
            return;
        }
        let core = chunk.trim_matches(outer);
        if core.is_empty() {
            self.close(chunk);
            return;
        }
        let head = &chunk[..chunk.len() - chunk.trim_start_matches(outer).len()];
        if head.contains(['(', '"', '“']) {
            self.sentence = true;
        }
        if core.contains("://") || core.starts_with("www.") || core.contains('@') {
            self.push(core, Kind::Identifier);
        } else {
            self.core(core, shouting);
        }
        self.close(chunk);
    }

    /// Notes whether what follows opens a sentence or a clause.
    fn close(&mut self, chunk: &str) {
        let tail = chunk.trim_end_matches(['"', '\'', '”', '’', ')', '*', '_']);
        self.sentence = tail.ends_with(['.', '!', '?', ':', '。', '？', '！', '…']);
        self.opens = self.sentence || tail.ends_with([',', ';']);
    }

    /// Takes what is left of a chunk without the marks around it.
    fn core(&mut self, core: &str, shouting: bool) {
        if core.chars().any(unspaced) {
            self.letters(core);
            return;
        }
        if !core.chars().any(char::is_alphanumeric) {
            if !core
                .chars()
                .all(|c| matches!(c, '-' | '–' | '—' | '*' | '_' | '•'))
            {
                let kind = if core == "&" {
                    Kind::Word
                } else {
                    Kind::Symbol
                };
                self.push(if core == "&" { "and" } else { core }, kind);
            }
            return;
        }
        let core = core.trim_matches('*');
        if self.number(core) {
            return;
        }
        if core.contains(|c: char| c.is_ascii_digit()) || core.contains('_') {
            self.push(core, Kind::Identifier);
        } else if core.contains(['-', '–', '—', '/']) && parted(core) {
            for part in core
                .split(['-', '–', '—', '/'])
                .filter(|part| !part.is_empty())
            {
                self.word(part, shouting);
            }
        } else if let Some(short) = abbreviation(core) {
            self.push(&short, Kind::Word);
        } else if core.contains(|c: char| !c.is_alphabetic() && !matches!(c, '\'' | '’' | '-')) {
            self.push(core, Kind::Identifier);
        } else {
            self.word(core, shouting);
        }
    }

    /// Takes a script without spaces letter by letter.
    fn letters(&mut self, core: &str) {
        for (at, c) in core.char_indices() {
            if c.is_alphanumeric() || unspaced(c) {
                self.push(&core[at..at + c.len_utf8()], Kind::Word);
            }
        }
    }

    /// Takes an amount, a time, a version, a range or a number with its unit; says whether it was one.
    fn number(&mut self, core: &str) -> bool {
        let (sign, rest) = match core.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", core.trim_start_matches(['+', '#', '~'])),
        };
        let (currency, rest) = match rest.chars().next() {
            Some('$') => ("dollar", &rest[1..]),
            Some('€') => ("euro", rest.trim_start_matches('€')),
            Some('£') => ("sterling", rest.trim_start_matches('£')),
            Some('¥') => ("yen", rest.trim_start_matches('¥')),
            Some('v' | 'V') if rest.len() > 1 => ("", &rest[1..]),
            _ => ("", rest),
        };
        let Some(found) = numeral(rest) else {
            return false;
        };
        let unit = found.suffix;
        let ranged = unit
            .strip_prefix(['-', '–'])
            .filter(|after| !after.is_empty());
        let letters = unit.chars().all(char::is_alphabetic) && unit.len() <= 4;
        let known = match unit {
            "" | "%" | "€" | "°" | "°C" | "°F" => true,
            _ => ranged.is_some() || (letters && super::features::is_unit(unit)),
        };
        if !known {
            return false;
        }
        let mut plain = String::from(sign);
        push_plain(found.number, &mut plain);
        self.push(&plain, Kind::Number);
        match unit {
            "%" => self.push("percent", Kind::Word),
            "€" => self.push("euro", Kind::Word),
            "°" => self.push("degree", Kind::Word),
            "°C" => self.push("celsius", Kind::Word),
            "°F" => self.push("fahrenheit", Kind::Word),
            _ => {}
        }
        if let Some(after) = ranged {
            self.after_range(after);
        } else if letters && !unit.is_empty() {
            self.push(unit, Kind::Word);
        }
        if !currency.is_empty() {
            self.push(currency, Kind::Word);
        }
        true
    }

    /// Takes what follows a number and a dash; each part once.
    fn after_range(&mut self, after: &str) {
        for part in after.split(['-', '–']).filter(|part| !part.is_empty()) {
            match numeral(part) {
                Some(found) if found.suffix.is_empty() => {
                    let mut plain = String::new();
                    push_plain(found.number, &mut plain);
                    self.push(&plain, Kind::Number);
                }
                Some(_) => self.push(part, Kind::Identifier),
                None => self.push(part, Kind::Word),
            }
        }
    }

    /// Takes a word, with what an apostrophe hides written out.
    fn word(&mut self, word: &str, shouting: bool) {
        let word = word.trim_matches(|c: char| matches!(c, '\'' | '’'));
        let Some(at) = word.rfind(['\'', '’']) else {
            self.push_cased(word, shouting);
            return;
        };
        let tail = word[at..].trim_start_matches(['\'', '’']);
        let base = &word[..at];
        let whole = match tail {
            "t" if base.ends_with(['n', 'N']) => {
                let verb = match base.to_ascii_lowercase().as_str() {
                    "can" => "can",
                    "won" => "will",
                    "shan" => "shall",
                    _ => &base[..base.len() - 1],
                };
                self.push_cased(verb, shouting);
                self.push("not", Kind::Word);
                return;
            }
            "s" => "",
            "re" => "are",
            "m" => "am",
            "ll" => "will",
            "ve" => "have",
            "d" => "would",
            _ => {
                self.push_cased(word, shouting);
                return;
            }
        };
        self.push_cased(base, shouting);
        if whole.is_empty() {
            self.owned(base);
        } else {
            self.push(whole, Kind::Word);
        }
    }

    /// Takes an `'s`: after what asks or points it is a verb, after the rest it owns.
    fn owned(&mut self, base: &str) {
        let asks = [
            "what", "where", "who", "when", "how", "why", "that", "it", "he", "she", "there",
            "here",
        ];
        if asks.iter().any(|word| base.eq_ignore_ascii_case(word)) {
            self.push("is", Kind::Word);
        } else if let Some(last) = self.list.last_mut() {
            last.owner = true;
        }
    }

    /// Appends a word; capitals inside make it an identifier, one in front a name.
    fn push_cased(&mut self, word: &str, shouting: bool) {
        let mut uppers = word.chars().skip(1).filter(|c| c.is_uppercase());
        let inner = !shouting && uppers.next().is_some();
        let name =
            word.chars().next().is_some_and(char::is_uppercase) && !self.sentence && !shouting;
        self.push(word, if inner { Kind::Identifier } else { Kind::Word });
        if let Some(last) = self.list.last_mut() {
            last.name = name && !inner;
        }
    }

    /// Appends a token in lower case.
    fn push(&mut self, text: &str, kind: Kind) {
        if !self.plain.is_empty() {
            self.plain.push(' ');
        }
        let start = self.plain.len();
        let mut foreign = false;
        if text.is_ascii() {
            self.plain.push_str(text);
            if let Some(pushed) = self.plain.get_mut(start..) {
                pushed.make_ascii_lowercase();
            }
        } else {
            for c in text.chars() {
                foreign |= !c.is_ascii() && c.is_alphabetic();
                self.plain.extend(c.to_lowercase());
            }
        }
        self.list.push(Token {
            start,
            end: self.plain.len(),
            kind,
            name: false,
            opens: self.opens,
            owner: false,
            foreign,
        });
        self.opens = false;
        self.sentence = false;
    }
}

/// Whether dashes or slashes stand between plain words only.
fn parted(core: &str) -> bool {
    !core.starts_with('/')
        && core
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, '-' | '–' | '—' | '/' | '\'' | '’'))
        && !core
            .chars()
            .zip(core.chars().skip(1))
            .any(|(a, b)| a == '-' && b == '-')
        && !core.starts_with('-')
}

/// `e.g` or `U.S` without its points.
fn abbreviation(core: &str) -> Option<String> {
    let mut parts = core.split('.');
    let single = core.contains('.') && parts.all(|part| part.chars().count() == 1);
    single.then(|| core.replace('.', ""))
}
