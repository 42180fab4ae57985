//! Which room does a path name, and may this file name it?
//!
//! A room is a folder or a single file directly under `src/`.
//! Every path that starts at `crate`, `super`, `trimtab` or another member is resolved to a room and looked up in the table of edges.
//!
//! # Invariants
//! - A room that is not in the table may import no room, so a new one must be given its row.

use crate::source::{Source, Token, is_word};

/// Which rooms a room may import, and why no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    /// The importing room, or a workspace member.
    pub(crate) room: &'static str,
    /// What it may import.
    pub(crate) may_import: &'static [&'static str],
}

/// One path that leads out of its room: the zero-based line and the room or member it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Zero-based line.
    pub(crate) line: usize,
    /// Room under `src/`, or member crate.
    pub(crate) target: String,
}

/// The room that a file under `src/` belongs to: `src/proxy/plan.rs` and `src/proxy.rs` are `proxy`.
pub(crate) fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split('/').next()?.trim_end_matches(".rs"))
}

/// The workspace member that a file belongs to.
fn member_of(path: &str) -> &str {
    match path.split('/').next() {
        Some(member @ ("scoring" | "sim" | "bench")) => member,
        _ => "trimtab",
    }
}

/// How many modules below the crate root the file's own module is.
fn depth_of(path: &str) -> usize {
    let inside = path.split_once("src/").map_or(path, |(_, inside)| inside);
    let parts = inside
        .split('/')
        .filter(|part| !matches!(*part, "mod.rs" | "lib.rs" | "main.rs"));
    parts.count()
}

/// Every room or member that the file's paths lead to, its own excepted.
pub(crate) fn imports(source: &Source) -> Vec<Import> {
    let tokens = source.tokens();
    let own_member = member_of(&source.path);
    let own_room = room_of(&source.path).unwrap_or_default();
    let mut found = Vec::new();
    let mut modules: Vec<bool> = Vec::new();
    for at in 0..tokens.len() {
        match tokens[at].text {
            "{" => modules.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => drop(modules.pop()),
            _ => {}
        }
        let starts_path = at == 0 || tokens[at - 1].text != "::";
        let is_path = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        if !starts_path || !is_path {
            continue;
        }
        let inline = modules.iter().filter(|&&module| module).count();
        let line = tokens[at].line;
        let mut push = |target: &str| {
            found.push(Import {
                line,
                target: target.to_owned(),
            })
        };
        match tokens[at].text {
            member @ ("scoring" | "sim" | "bench") if member != own_member => push(member),
            "trimtab" if own_member != "trimtab" => push("trimtab"),
            "trimtab" => heads(&tokens, at + 2).into_iter().for_each(&mut push),
            "crate" if own_member == "trimtab" && !own_room.is_empty() => {
                heads(&tokens, at + 2).into_iter().for_each(&mut push);
            }
            "super" if own_member == "trimtab" && !own_room.is_empty() => {
                let climbs = climbs(&tokens, at);
                if climbs >= depth_of(&source.path) + inline {
                    heads(&tokens, at + 2 * climbs)
                        .into_iter()
                        .for_each(&mut push);
                }
            }
            _ => {}
        }
    }
    found.retain(|import| import.target != own_room);
    found
}

/// How many `super::` stand in a row from `at`.
fn climbs(tokens: &[Token<'_>], at: usize) -> usize {
    tokens[at..]
        .chunks(2)
        .take_while(|pair| pair[0].text == "super")
        .count()
}

/// The first segments of the path or group of paths at `at`.
fn heads<'a>(tokens: &[Token<'a>], at: usize) -> Vec<&'a str> {
    match tokens.get(at).map(|token| token.text) {
        Some("{") => group_heads(tokens, at),
        Some(word) if is_word(word) => vec![word],
        Some(other) => vec![other],
        None => Vec::new(),
    }
}

/// The first segment of each path in the group that opens at `open`.
fn group_heads<'a>(tokens: &[Token<'a>], open: usize) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for at in open..tokens.len() {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            word if depth == 1 && matches!(tokens[at - 1].text, "{" | ",") => found.push(word),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// What the file imports and may not, as `path:line: room → target`.
pub(crate) fn check(source: &Source, edges: &[Edges]) -> Vec<String> {
    let member = member_of(&source.path);
    let room = match room_of(&source.path) {
        Some(room) if member == "trimtab" => room,
        Some(_) | None if member == "trimtab" => return Vec::new(),
        _ => member,
    };
    let row = edges.iter().find(|row| row.room == room);
    let allowed = row.map_or(&[][..], |row| row.may_import);
    let forbidden = |import: &Import| {
        let target = import.target.as_str();
        !allowed.contains(&target) && !allowed.contains(&"*")
    };
    let wrong = imports(source).into_iter().filter(forbidden);
    wrong
        .map(|import| {
            let Import { line, target } = import;
            format!(
                "{}:{}: {room} may not import {target}",
                source.path,
                line + 1
            )
        })
        .collect()
}

/// The rooms that can reach themselves along the edges.
pub(crate) fn circles(edges: &[Edges]) -> Vec<String> {
    let reaches_itself = |start: &&Edges| {
        let mut seen: Vec<&str> = Vec::new();
        let mut next: Vec<&str> = start.may_import.to_vec();
        while let Some(room) = next.pop() {
            if !seen.contains(&room) {
                seen.push(room);
                next.extend(
                    edges
                        .iter()
                        .filter(|row| row.room == room)
                        .flat_map(|row| row.may_import),
                );
            }
        }
        seen.contains(&start.room)
    };
    let rounds = edges.iter().filter(reaches_itself);
    rounds
        .map(|row| format!("`{}` imports itself by a circle", row.room))
        .collect()
}

#[cfg(test)]
const ROWS: &[Edges] = &[
    Edges {
        room: "stream",
        may_import: &["chat"],
    },
    Edges {
        room: "proxy",
        may_import: &["stream", "scoring"],
    },
    Edges {
        room: "main",
        may_import: &["*"],
    },
    Edges {
        room: "sim",
        may_import: &["scoring"],
    },
];

#[test]
fn wrong_imports_are_found() {
    let bad = [
        ("src/stream/read.rs", "use crate::proxy::Plan;"),
        (
            "src/stream/read.rs",
            "use crate::{chat::Event, proxy::Plan};",
        ),
        ("src/stream/read.rs", "fn a() { super::super::proxy::go() }"),
        ("src/stream/mod.rs", "pub use super::proxy;"),
        (
            "src/stream/mod.rs",
            "mod tests { use super::super::proxy; }",
        ),
        ("src/stream.rs", "use trimtab::proxy;"),
        ("src/stream.rs", "use crate::*;"),
        ("src/stream.rs", "use sim::report;"),
        ("src/new.rs", "use crate::chat;"),
        ("sim/src/lib.rs", "use trimtab::clock;"),
        ("scoring/src/lib.rs", "use sim::clock;"),
    ];
    for (path, text) in bad {
        let found = check(&Source::new(path, text), ROWS);
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
    }
}

#[test]
fn right_imports_pass() {
    let good = [
        (
            "src/stream/read.rs",
            "use crate::chat::Event; use super::write::Writer; use crate::stream::x;",
        ),
        (
            "src/stream/read.rs",
            "mod tests { use super::super::write; use super::*; }",
        ),
        (
            "src/proxy.rs",
            "use crate::{stream::{proxy, server}, stream}; use scoring::time::Time;",
        ),
        ("src/main.rs", "use sim::report; use trimtab::app;"),
        (
            "src/stream.rs",
            "// use crate::proxy;\nconst A: &str = \"crate::proxy::b\";",
        ),
        (
            "sim/src/run.rs",
            "use scoring::select; use crate::world; use super::world;",
        ),
        ("tests/main.rs", "use trimtab::app; use sim::report;"),
    ];
    for (path, text) in good {
        assert_eq!(
            check(&Source::new(path, text), ROWS),
            Vec::<String>::new(),
            "{path}: {text}"
        );
    }
}

#[test]
fn circles_are_found() {
    let rows = [
        Edges {
            room: "a",
            may_import: &["b"],
        },
        Edges {
            room: "b",
            may_import: &["c"],
        },
        Edges {
            room: "c",
            may_import: &["b"],
        },
    ];
    assert_eq!(circles(&rows).len(), 2);
    assert!(circles(ROWS).is_empty());
}
