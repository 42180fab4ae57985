//! How is a Rust file read without a parser?
//!
//! Comments and the insides of string literals are blanked, line by line and column by column, so that what is left is code.
//! Braces, `fn`, `mod` and paths are then found by their tokens.
//! A full parser would be another dependency for rules that need none of its detail.
//!
//! # Invariants
//! - The blanked text has as many lines as the original, so line numbers agree.
//! - An unbalanced file never loops: every scan moves forward.

use std::ops::Range;

/// One file, as written and as code only.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the top of the repository, with `/`.
    pub(crate) path: String,
    /// The text as written.
    pub(crate) text: String,
    /// The text with comments and literal contents replaced by spaces.
    pub(crate) code: String,
    /// The lines of inline `#[cfg(test)]` modules, as ranges of zero-based line numbers.
    tests: Vec<Range<usize>>,
}

/// One token of blanked code and the zero-based line that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// An identifier, a number, `::`, or one other character.
    pub(crate) text: &'a str,
    /// Zero-based line.
    pub(crate) line: usize,
}

/// A function's name, first line (zero-based) and count of lines that hold code, its signature included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The name after `fn`.
    pub(crate) name: String,
    /// Zero-based line of `fn`.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace that are not blank or comment.
    pub(crate) length: usize,
}

impl Source {
    /// Reads `text` as the file at `path`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let tests = test_modules(&code);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            tests,
        }
    }

    /// Whether the whole file is test code: an integration test, a bench or a `tests.rs`.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// Whether the zero-based line lies in test code.
    pub(crate) fn in_tests(&self, line: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|range| range.contains(&line))
    }

    /// Lines of the file outside tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        if self.is_test_file() {
            return 0;
        }
        self.text.lines().count() - self.tests.iter().map(Range::len).sum::<usize>()
    }

    /// The tokens of the code.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        tokens(&self.code)
    }

    /// Every function with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let Some(name) = tokens.get(at + 1).filter(|next| is_word(next.text)) else {
                continue;
            };
            if token.text != "fn" {
                continue;
            }
            let Some(close) = body_end(&tokens, at) else {
                continue;
            };
            let last = tokens[close].line;
            let lines = self
                .code
                .lines()
                .skip(token.line)
                .take(last + 1 - token.line);
            let length = lines.filter(|line| !line.trim().is_empty()).count();
            found.push(Function {
                name: name.text.to_owned(),
                line: token.line,
                length,
            });
        }
        found
    }
}

/// Whether the token is an identifier or keyword.
pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The index of the brace that closes the body of the item starting at `from`; none if it has no body.
fn body_end(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    let mut nested = 0_i32;
    let open = (from..tokens.len()).find(|&at| {
        match tokens[at].text {
            "(" | "[" => nested += 1,
            ")" | "]" => nested -= 1,
            _ => {}
        }
        nested == 0 && matches!(tokens[at].text, "{" | ";")
    })?;
    if tokens[open].text == ";" {
        return None;
    }
    let mut depth = 0_usize;
    (open..tokens.len()).find(|&at| {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The line ranges of `#[cfg(test)] mod … { … }`, also where more conditions stand beside `test`.
fn test_modules(code: &str) -> Vec<Range<usize>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if !starts_test_attribute(&tokens, at) {
            continue;
        }
        let mut item = at;
        while tokens.get(item).is_some_and(|token| token.text == "#") {
            let Some(end) = tokens[item..].iter().position(|token| token.text == "]") else {
                break;
            };
            item += end + 1;
        }
        if tokens.get(item).is_some_and(|token| token.text == "mod")
            && let Some(close) = body_end(&tokens, item)
        {
            found.push(tokens[at].line..tokens[close].line + 1);
        }
    }
    found
}

/// Whether `#[cfg(…)]` that needs `test` stands at `at`.
fn starts_test_attribute(tokens: &[Token<'_>], at: usize) -> bool {
    if tokens[at].text != "#" {
        return false;
    }
    let texts: Vec<&str> = tokens[at..]
        .iter()
        .take(24)
        .map(|token| token.text)
        .collect();
    let inside: Vec<&str> = texts
        .iter()
        .copied()
        .take_while(|&text| text != "]")
        .collect();
    let negated = inside.windows(3).any(|three| three == ["not", "(", "test"]);
    inside.starts_with(&["#", "[", "cfg", "("]) && inside.contains(&"test") && !negated
}

/// Splits blanked code into tokens.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let inside = |other: char| other.is_alphanumeric() || other == '_';
            let length = if inside(first) {
                rest.find(|other| !inside(other)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push(Token {
                text: &rest[..length],
                line,
            });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// What the blanking scan is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// Replaces comments and the contents of literals by spaces; line breaks stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, length, keep) = step(&chars, at, inside);
        for &character in &chars[at..at + length] {
            out.push(if keep || character == '\n' {
                character
            } else {
                ' '
            });
        }
        inside = next;
        at += length;
    }
    out
}

/// The state after the characters at `at`, how many they are, and whether they are code.
fn step(chars: &[char], at: usize, inside: Inside) -> (Inside, usize, bool) {
    let here = chars[at];
    let next = chars.get(at + 1).copied().unwrap_or('\n');
    match inside {
        Inside::Code => code_step(chars, at),
        Inside::LineComment if here == '\n' => (Inside::Code, 1, true),
        Inside::LineComment => (inside, 1, false),
        Inside::BlockComment(depth) => match (here, next) {
            ('/', '*') => (Inside::BlockComment(depth + 1), 2, false),
            ('*', '/') if depth == 1 => (Inside::Code, 2, false),
            ('*', '/') => (Inside::BlockComment(depth - 1), 2, false),
            _ => (inside, 1, false),
        },
        Inside::Text => match here {
            '\\' => (inside, 2.min(chars.len() - at), false),
            '"' => (Inside::Code, 1, true),
            _ => (inside, 1, false),
        },
        Inside::RawText(hashes) => {
            let closes = here == '"' && hashes_at(chars, at + 1) >= hashes;
            let length = if closes { 1 + hashes } else { 1 };
            (if closes { Inside::Code } else { inside }, length, closes)
        }
    }
}

/// [`step`] outside comments and literals.
fn code_step(chars: &[char], at: usize) -> (Inside, usize, bool) {
    let next = chars.get(at + 1).copied().unwrap_or('\n');
    let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next == '/' => (Inside::LineComment, 2, false),
        '/' if next == '*' => (Inside::BlockComment(1), 2, false),
        '"' => (Inside::Text, 1, true),
        'r' if !word_before || chars[at - 1] == 'b' || chars[at - 1] == 'c' => {
            let hashes = hashes_at(chars, at + 1);
            match chars.get(at + 1 + hashes) {
                Some('"') => (Inside::RawText(hashes), 2 + hashes, true),
                _ => (Inside::Code, 1, true),
            }
        }
        '\'' => {
            let length = quote_length(chars, at);
            (Inside::Code, length, length == 1)
        }
        _ => (Inside::Code, 1, true),
    }
}

/// How many characters a character literal at `at` takes; one if it is a lifetime.
fn quote_length(chars: &[char], at: usize) -> usize {
    match chars.get(at + 1) {
        Some('\\') => {
            let close = chars[at + 3..]
                .iter()
                .position(|&character| character == '\'');
            close.map_or(1, |offset| offset + 4)
        }
        Some(_) if chars.get(at + 2) == Some(&'\'') => 3,
        _ => 1,
    }
}

/// How many `#` stand at `at`.
fn hashes_at(chars: &[char], at: usize) -> usize {
    chars[at.min(chars.len())..]
        .iter()
        .take_while(|&&character| character == '#')
        .count()
}

#[test]
fn comments_and_literals_are_blanked() {
    let text = "a // fn x\n/* b /* c */ d */ e \"f \\\" g\" r#\"h \" i\"# 'j' '\\'' &'k str b'{' '\\u{7b}'";
    let code = Source::new("x.rs", text).code;
    let words: Vec<&str> = tokens(&code).iter().map(|token| token.text).collect();
    assert!(!code.contains("fn") && !code.contains('{'), "{code}");
    for gone in ["c", "d", "f", "g", "h", "i", "j", "u"] {
        assert!(!words.contains(&gone), "{gone} is left in {code}");
    }
    assert!(
        ["a", "e", "k", "str"]
            .iter()
            .all(|kept| words.contains(kept)),
        "{code}"
    );
}

#[test]
fn functions_are_measured_without_comments() {
    let source = Source::new(
        "x.rs",
        "fn one(a: [u8; 2]) {\n    // not code\n\n    b();\n}\ntrait T { fn no(); }\n",
    );
    let expected = Function {
        name: "one".to_owned(),
        line: 0,
        length: 3,
    };
    assert_eq!(source.functions(), [expected]);
}

#[test]
fn test_modules_are_found() {
    let text = "fn a() {}\n#[cfg(test)]\n#[allow(x, reason = \"y\")]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    let source = Source::new("src/x.rs", text);
    assert_eq!(source.lines_without_tests(), 2);
    assert!(source.in_tests(4) && !source.in_tests(0) && !source.in_tests(6));
    assert!(Source::new("src/proxy/tests.rs", "").is_test_file());
    let lines = |text| Source::new("src/x.rs", text).lines_without_tests();
    assert_eq!(lines("#[cfg(all(test, not(loom)))]\nmod tests {\n}\n"), 0);
    assert_eq!(
        lines("#[cfg(not(test))]\nmod real {\n}\n#[cfg(loom)]\nmod models {\n}\n"),
        6
    );
}
