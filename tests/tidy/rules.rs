//! What does each house rule find in a file?
//!
//! Every checker is a pure function from text to a list of complaints, and is tested here on a snippet that breaks it and one that does not.
//! The tables they are run with are in `tests/tidy.rs`.
//!
//! # Invariants
//! - A complaint names the path, the line where there is one, and what to do.

use std::collections::BTreeSet;

use crate::source::{Source, Token};

/// Words that may stand in certain files only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confined {
    /// The tokens, separated by spaces, as in `Instant :: now`.
    pub(crate) words: &'static str,
    /// Path prefixes searched.
    pub(crate) within: &'static [&'static str],
    /// Path prefixes where the words may stand; empty if nowhere.
    pub(crate) only_in: &'static [&'static str],
    /// What to use instead.
    pub(crate) instead: &'static str,
}

/// Whether any of the prefixes begins the path.
fn under(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// Files whose non-test lines exceed `limit`.
pub(crate) fn long_file(source: &Source, limit: usize) -> Vec<String> {
    let lines = source.lines_without_tests();
    let complaint = format!(
        "{}: {lines} lines without tests; at most {limit}: split it",
        source.path
    );
    if lines > limit {
        vec![complaint]
    } else {
        Vec::new()
    }
}

/// Functions longer than `limit` lines of code; tests are free, since a table of cases is long and plain.
pub(crate) fn long_functions(source: &Source, limit: usize) -> Vec<String> {
    let functions = source.functions().into_iter();
    functions
        .filter(|function| function.length > limit && !source.in_tests(function.line))
        .map(|function| {
            let (line, name, length) = (function.line + 1, function.name, function.length);
            format!(
                "{}:{line}: fn {name} has {length} lines; at most {limit}",
                source.path
            )
        })
        .collect()
}

/// Files that do not open with a module doc.
pub(crate) fn no_module_doc(source: &Source) -> Vec<String> {
    let complaint = format!("{}: open with `//!` and what the file is for", source.path);
    if source.text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![complaint]
    }
}

/// Rooms whose doc lacks the heading that says what always holds.
pub(crate) fn no_invariants(source: &Source) -> Vec<String> {
    let stated = source.text.lines().any(|line| line == "//! # Invariants");
    let complaint = format!(
        "{}: say under `//! # Invariants` what always holds",
        source.path
    );
    if stated { Vec::new() } else { vec![complaint] }
}

/// Whether the file is a room's front page: `src/clock.rs` or `src/proxy/mod.rs`, but no crate root.
pub(crate) fn is_room_front(path: &str) -> bool {
    let inside = path.strip_prefix("src/").unwrap_or_default();
    match inside.split_once('/') {
        Some((_, rest)) => rest == "mod.rs",
        None => !["", "lib.rs", "main.rs"].contains(&inside),
    }
}

/// Paths with a name that says nothing.
pub(crate) fn vague_name(path: &str, vague: &[&str]) -> Vec<String> {
    let parts = path
        .split('/')
        .map(|part| part.split('.').next().unwrap_or(part));
    let found = parts.filter(|part| vague.contains(part));
    found
        .map(|part| format!("{path}: `{part}` says nothing; name the noun or verb"))
        .collect()
}

/// Marks of unfinished work, in code or comments.
pub(crate) fn unfinished(source: &Source, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| holds_word(line, mark)) {
            found.push(format!(
                "{}:{}: `{mark}` cannot reach main",
                source.path,
                at + 1
            ));
        }
    }
    found
}

/// Whether `line` holds `word` with no letter, digit or underscore right before or after it.
fn holds_word(line: &str, word: &str) -> bool {
    let inside = |other: char| other.is_alphanumeric() || other == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(inside);
        let after = line[at + word.len()..].chars().next().is_some_and(inside);
        let open_ended = |edge: Option<char>| edge.is_some_and(|edge| !inside(edge));
        (!before || open_ended(word.chars().next()))
            && (!after || open_ended(word.chars().next_back()))
    })
}

/// Words outside the files they are confined to; test code is free.
pub(crate) fn confined(source: &Source, rule: &Confined) -> Vec<String> {
    if !under(&source.path, rule.within) || under(&source.path, rule.only_in) {
        return Vec::new();
    }
    let words: Vec<&str> = rule.words.split(' ').collect();
    let tokens = source.tokens();
    let hits = tokens.windows(words.len()).filter(|window| {
        let texts = window.iter().map(|token| token.text);
        texts.eq(words.iter().copied()) && !source.in_tests(window[0].line)
    });
    let place = |token: Token<'_>| format!("{}:{}", source.path, token.line + 1);
    hits.map(|hit| format!("{}: `{}`: {}", place(hit[0]), words.concat(), rule.instead))
        .collect()
}

/// Memory orderings stronger than `Relaxed` with no comment on the line or the three above it.
pub(crate) fn silent_orderings(source: &Source) -> Vec<String> {
    let strong = ["Acquire", "Release", "AcqRel", "SeqCst"];
    let lines: Vec<&str> = source.text.lines().collect();
    let tokens = source.tokens();
    let mut found = Vec::new();
    for hit in tokens.windows(3) {
        let ordered = hit[0].text == "Ordering" && strong.contains(&hit[2].text);
        let above = hit[0].line.saturating_sub(3)..=hit[0].line;
        let said = above.into_iter().any(|line| lines[line].contains("//"));
        if ordered && !said && !source.in_tests(hit[0].line) {
            let place = hit[0].line + 1;
            found.push(format!(
                "{}:{place}: say which operation it pairs with",
                source.path
            ));
        }
    }
    found
}

/// Text that names this or that machine: each of `marks` not preceded by a path's or a host's characters.
pub(crate) fn machine_names(path: &str, text: &str, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let joins = |before: char| before.is_alphanumeric() || "_.~}-".contains(before);
    for (at, line) in text.lines().enumerate() {
        for mark in marks {
            let mut hits = line.match_indices(mark);
            if hits.any(|(start, _)| !line[..start].chars().next_back().is_some_and(joins)) {
                found.push(format!(
                    "{path}:{}: names a place outside: `{mark}`",
                    at + 1
                ));
            }
        }
    }
    found
}

/// What stands in one set and not in the other.
pub(crate) fn differences(
    left: (&str, &BTreeSet<String>),
    right: (&str, &BTreeSet<String>),
) -> Vec<String> {
    let only = |(here, set): (&str, &BTreeSet<String>),
                (there, other): (&str, &BTreeSet<String>)| {
        let missing = set.difference(other);
        missing
            .map(|name| format!("`{name}` is in {here} and not in {there}"))
            .collect::<Vec<_>>()
    };
    [only(left, right), only(right, left)].concat()
}

/// The names that the list lacks.
pub(crate) fn unlisted<'a>(
    names: impl Iterator<Item = &'a String>,
    list: &[&str],
    complaint: &str,
) -> Vec<String> {
    let missing = names.filter(|name| !list.contains(&name.as_str()));
    missing
        .map(|name| format!("`{name}` {complaint}"))
        .collect()
}

/// Packages that the lock file takes from elsewhere than `only`; or that it takes none at all.
pub(crate) fn foreign_packages(lock: &str, only: &str) -> Vec<String> {
    let sources: Vec<&str> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .collect();
    if sources.is_empty() {
        return vec!["Cargo.lock names no source of packages".to_owned()];
    }
    let foreign = sources.into_iter().filter(|line| *line != only);
    foreign.map(|line| format!("Cargo.lock: {line}")).collect()
}

/// The rooms under `src/`, from its paths.
pub(crate) fn rooms(paths: &[String], not_rooms: &[&str]) -> BTreeSet<String> {
    let names = paths
        .iter()
        .filter_map(|path| crate::imports::room_of(path));
    names
        .filter(|name| !not_rooms.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The rooms that the architecture page has a heading for: `### src/proxy` names `proxy`.
pub(crate) fn described_rooms(page: &str) -> BTreeSet<String> {
    let headings = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `src/"));
    let names = headings.filter_map(|rest| rest.split(['/', '.', '`']).next());
    names.map(str::to_owned).collect()
}

/// The lines of a page or script that are a call of `cargo test` with no variable set before it.
pub(crate) fn test_commands(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("step test").trim_start());
    lines
        .filter(|line| line.starts_with("cargo test"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source::new(path, text)
    }

    #[test]
    fn a_long_file_is_found() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_eq!(long_file(&file("src/x.rs", &lines(4)), 3).len(), 1);
        let tested = lines(3) + "#[cfg(test)]\nmod tests {\n}\n";
        assert!(long_file(&file("src/x.rs", &tested), 3).is_empty());
    }

    #[test]
    fn a_long_function_is_found() {
        let body = "fn a() {\n    b();\n    // c\n    d();\n}\n";
        assert_eq!(long_functions(&file("src/x.rs", body), 3).len(), 1);
        assert!(long_functions(&file("src/x.rs", body), 4).is_empty());
        assert!(long_functions(&file("src/x/tests.rs", body), 3).is_empty());
    }

    #[test]
    fn a_missing_doc_is_found() {
        assert_eq!(
            no_module_doc(&file("src/x.rs", "use std::fs;\n//! Late.\n")).len(),
            1
        );
        assert_eq!(no_module_doc(&file("src/x.rs", "//!\n")).len(), 1);
        assert!(no_module_doc(&file("src/x.rs", "//! What for.\n")).is_empty());
        assert_eq!(
            no_invariants(&file("src/x.rs", "//! What for. # Invariants\n")).len(),
            1
        );
        assert!(no_invariants(&file("src/x.rs", "//! A.\n//!\n//! # Invariants\n")).is_empty());
    }

    #[test]
    fn a_room_front_is_known() {
        assert!(is_room_front("src/clock.rs") && is_room_front("src/proxy/mod.rs"));
        for other in [
            "src/lib.rs",
            "src/main.rs",
            "src/proxy/plan.rs",
            "sim/src/mod.rs",
        ] {
            assert!(!is_room_front(other), "{other}");
        }
    }

    #[test]
    fn an_unlisted_name_is_found() {
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(unlisted(names.iter(), &["a"], "is new").len(), 1);
        assert!(unlisted(names.iter(), &["a", "b", "c"], "is new").is_empty());
    }

    #[test]
    fn a_foreign_package_is_found() {
        let only = "source = \"here\"";
        assert_eq!(
            foreign_packages("source = \"here\"\nsource = \"there\"\n", only).len(),
            1
        );
        assert_eq!(foreign_packages("", only).len(), 1);
        assert!(foreign_packages("name = \"a\"\nsource = \"here\"\n", only).is_empty());
    }

    #[test]
    fn a_vague_name_is_found() {
        let vague = ["utils", "common"];
        assert_eq!(vague_name("src/utils.rs", &vague).len(), 1);
        assert_eq!(vague_name("src/common/mod.rs", &vague).len(), 1);
        assert!(vague_name("src/commons/utilsx.rs", &vague).is_empty());
    }

    #[test]
    fn unfinished_work_is_found() {
        let marks = ["todo!", "FIXME", "#[ignore"];
        for bad in [
            "todo!()",
            "// FIXME: later",
            "#[ignore]",
            "    #[ignore = \"slow\"]",
        ] {
            assert_eq!(unfinished(&file("src/x.rs", bad), &marks).len(), 1, "{bad}");
        }
        assert!(
            unfinished(&file("src/x.rs", "mytodo!(); PREFIXMEN; [ignored]"), &marks).is_empty()
        );
    }

    #[test]
    fn escaped_words_are_found() {
        let rule = Confined {
            words: "Instant :: now",
            within: &["src/", "sim/"],
            only_in: &["src/clock.rs"],
            instead: "ask the clock",
        };
        let text = "fn a() { let b = std::time::Instant::now(); }";
        assert_eq!(confined(&file("src/a.rs", text), &rule).len(), 1);
        assert_eq!(
            confined(&file("sim/src/a.rs", "fn a() { c(Instant\n::now) }"), &rule).len(),
            1
        );
        assert!(confined(&file("src/clock.rs", text), &rule).is_empty());
        assert!(confined(&file("bench/src/a.rs", text), &rule).is_empty());
        assert!(confined(&file("src/a.rs", "// Instant::now()\n"), &rule).is_empty());
        let tested = format!("#[cfg(test)]\nmod tests {{\n{text}\n}}\n");
        assert!(confined(&file("src/a.rs", &tested), &rule).is_empty());
    }

    #[test]
    fn a_silent_ordering_is_found() {
        let silent = "fn a() {\n\n\n    b.load(Ordering::Acquire);\n}\n";
        let said =
            "fn a() {\n    // Pairs with the store in `c`.\n    b.load(Ordering::Acquire);\n}\n";
        assert_eq!(silent_orderings(&file("scoring/src/a.rs", silent)).len(), 1);
        assert!(silent_orderings(&file("scoring/src/a.rs", said)).is_empty());
        assert!(silent_orderings(&file("scoring/src/a.rs", "x(Ordering::Relaxed)")).is_empty());
    }

    #[test]
    fn a_machine_is_found() {
        let marks = ["/opt/", "registry.example"];
        assert_eq!(
            machine_names("a.md", "see /opt/x\n\nand registry.example/y", &marks).len(),
            2
        );
        assert_eq!(machine_names("a.md", "\"/opt/x\"", &marks).len(), 1);
        assert!(machine_names("a.md", "target/opt/x", &marks).is_empty());
    }

    #[test]
    fn a_missing_room_is_found() {
        let paths = [
            "src/lib.rs",
            "src/proxy/mod.rs",
            "src/clock.rs",
            "sim/src/x.rs",
        ];
        let paths = paths.map(str::to_owned);
        let rooms = rooms(&paths, &["lib"]);
        let described =
            described_rooms("# T\n### `src/proxy/`\ntext `src/clock.rs`\n### `src/app.rs`\n");
        assert_eq!(differences(("src", &rooms), ("docs", &described)).len(), 2);
        assert!(differences(("src", &rooms), ("docs", &rooms)).is_empty());
    }

    #[test]
    fn test_commands_are_read() {
        let page = "```sh\ncargo test --workspace\n```\nRUSTFLAGS=x cargo test\n";
        assert_eq!(test_commands(page), ["cargo test --workspace"]);
        assert_eq!(
            test_commands("step test   cargo test --all\n"),
            ["cargo test --all"]
        );
    }
}
