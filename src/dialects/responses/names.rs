//! Under which names does the model know the client's tools, and what does the client call them?
//!
//! Other dialects have plain functions only. A function of a namespace becomes `<namespace>__<name>`
//! (Codex's namespaces of MCP servers end with the underscores already), and a custom tool, whose input is any text,
//! becomes a function with one string, `input`. When the model calls them, both are told back in the client's terms.
//!
//! # Invariants
//! - The same tools get the same names in every request, so that a conversation stays consistent.
//! - No two tools of namespaces share a name, and none takes a plain function's.
//! - A name has at most [`MAX_NAME`] bytes, unless the client's own is longer.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::request::tools::RawTool;

/// Longest name that every provider takes, bytes (Gemini's and OpenAI's limit).
pub const MAX_NAME: usize = 64;

/// What stands between a namespace and a name.
const SEPARATOR: &str = "__";

/// Digits of the hash at the end of a name that had to be cut.
const HASH_DIGITS: usize = 8;

/// How the client's tools are named to the model.
#[derive(Clone, Debug, Default)]
pub struct Names {
    tools: HashMap<String, Entry>,
    by_client: HashMap<(String, String), String>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    namespace: Option<String>,
    custom: bool,
}

/// A tool in the client's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called<'a> {
    /// Its name.
    pub name: &'a str,
    /// The namespace that it belongs to.
    pub namespace: Option<&'a str>,
    /// Whether its input is any text instead of a JSON object.
    pub custom: bool,
}

/// The names of a request's tools.
#[must_use]
pub fn names(body: &[u8]) -> Names {
    #[derive(Default, Deserialize)]
    struct Tools {
        #[serde(default)]
        tools: Option<Vec<RawTool>>,
    }
    let body: Tools = serde_json::from_slice(body).unwrap_or_default();
    Names::of(&body.tools.unwrap_or_default())
}

impl Names {
    pub(super) fn of(tools: &[RawTool]) -> Self {
        let mut names = Self::default();
        let mut used: HashSet<String> = tools.iter().map(|tool| tool.name.clone()).collect();
        let mut next: HashMap<String, u32> = HashMap::new();
        for tool in tools {
            match tool.kind.as_str() {
                "custom" => names.add(tool.name.clone(), None, tool),
                "namespace" => {
                    for member in &tool.tools {
                        let base = joined(&tool.name, &member.name);
                        let seen = free(base, &mut used, &mut next);
                        names.add(seen, Some(&tool.name), member);
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn add(&mut self, seen: String, namespace: Option<&str>, tool: &RawTool) {
        let client = (namespace.unwrap_or_default().to_owned(), tool.name.clone());
        self.by_client.entry(client).or_insert_with(|| seen.clone());
        self.tools.entry(seen).or_insert_with(|| Entry {
            name: tool.name.clone(),
            namespace: namespace.map(str::to_owned),
            custom: tool.kind == "custom",
        });
    }

    /// What the client calls the tool that the model knows by this name.
    #[must_use]
    pub fn called<'a>(&'a self, seen: &'a str) -> Called<'a> {
        match self.tools.get(seen) {
            Some(entry) => Called {
                name: &entry.name,
                namespace: entry.namespace.as_deref(),
                custom: entry.custom,
            },
            None => Called {
                name: seen,
                namespace: None,
                custom: false,
            },
        }
    }

    /// The name by which the model knows the client's tool.
    #[must_use]
    pub fn seen<'a>(&'a self, namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
        let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) else {
            return Cow::Borrowed(name);
        };
        let client = (namespace.to_owned(), name.to_owned());
        match self.by_client.get(&client) {
            Some(seen) => Cow::Borrowed(seen),
            None => Cow::Owned(joined(namespace, name)),
        }
    }

    /// The names by which the model knows a namespace's tools.
    pub(super) fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.tools.iter();
        all.filter(move |(_, entry)| entry.namespace.as_deref() == Some(namespace))
            .map(|(seen, _)| seen.as_str())
    }
}

/// A namespace and a name as one.
fn joined(namespace: &str, name: &str) -> String {
    let namespace = namespace.trim_end_matches('_');
    cut(format!("{namespace}{SEPARATOR}{name}"))
}

/// A name that fits, told apart from others cut at the same place by a hash.
fn cut(name: String) -> String {
    if name.len() <= MAX_NAME {
        return name;
    }
    let hash = fnv(name.as_bytes());
    let room = MAX_NAME - HASH_DIGITS - 1;
    let end = (0..=room)
        .rev()
        .find(|at| name.is_char_boundary(*at))
        .unwrap_or(0);
    let kept = name.get(..end).unwrap_or_default();
    format!("{kept}_{:08x}", hash as u32)
}

/// 64 bits of FNV-1a: the same on every machine and in every version, unlike the standard library's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The name, or with the first number behind it that is free.
fn free(base: String, used: &mut HashSet<String>, next: &mut HashMap<String, u32>) -> String {
    if used.insert(base.clone()) {
        return base;
    }
    let number = next.entry(base.clone()).or_insert(2);
    loop {
        let numbered = cut(format!("{base}_{number}"));
        *number = number.saturating_add(1);
        if used.insert(numbered.clone()) || *number == u32::MAX {
            return numbered;
        }
    }
}

/// The arguments of a function that stands for a custom tool.
#[derive(Deserialize, Serialize)]
struct Input<'a> {
    input: Cow<'a, str>,
}

/// A custom tool's input as a function's arguments.
pub(super) fn wrap_input(input: &str) -> String {
    let input = Input {
        input: Cow::Borrowed(input),
    };
    // A string always serialises.
    serde_json::to_string(&input).unwrap_or_default()
}

/// The input in a function's arguments; arguments of another shape are taken as they are.
pub(super) fn unwrap_input(arguments: &str) -> String {
    match serde_json::from_str::<Input<'_>>(arguments) {
        Ok(input) => input.input.into_owned(),
        Err(_) => arguments.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_named_and_found_again() {
        let names = names(
            br#"{"tools":[
                {"type":"function","name":"crm__find"},
                {"type":"custom","name":"apply_patch"},
                {"type":"namespace","name":"crm","tools":[{"type":"function","name":"find"},{"type":"custom","name":"note"}]},
                {"type":"namespace","name":"mcp__git__","tools":[{"type":"function","name":"log"}]},
                {"type":"web_search"}]}"#,
        );
        let cases = [
            (Some("crm"), "find", "crm__find_2", false),
            (Some("crm"), "note", "crm__note", true),
            (Some("mcp__git__"), "log", "mcp__git__log", false),
            (None, "apply_patch", "apply_patch", true),
            (None, "crm__find", "crm__find", false),
        ];
        for (namespace, name, seen, custom) in cases {
            assert_eq!(names.seen(namespace, name), seen);
            let called = Called {
                name,
                namespace,
                custom,
            };
            assert_eq!(names.called(seen), called);
        }
        assert_eq!(names.seen(Some("gone"), "tool"), "gone__tool");
        assert_eq!(names.within("crm").count(), 2);
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "n".repeat(100);
        let one = joined("space", &format!("{long}1"));
        let two = joined("space", &format!("{long}2"));
        assert_eq!((one.len(), two.len()), (MAX_NAME, MAX_NAME));
        assert_ne!(one, two);
        assert!(joined("space", &"ü".repeat(100)).len() <= MAX_NAME);
    }

    #[test]
    fn many_tools_of_one_name_are_told_apart() {
        let tool = r#"{"type":"namespace","name":"a","tools":[{"type":"function","name":"b"}]}"#;
        let body = format!("{{\"tools\":[{}]}}", vec![tool; 500].join(","));
        assert_eq!(names(body.as_bytes()).tools.len(), 500);
        assert_eq!(names(b"<html>").tools.len(), 0);
    }

    #[test]
    fn an_input_is_wrapped_and_unwrapped() {
        for input in ["", "*** Begin Patch\n\"x\"\\", "ü"] {
            assert_eq!(unwrap_input(&wrap_input(input)), input);
        }
        for odd in ["", "{}", "{\"input\":3}", "plain text"] {
            assert_eq!(unwrap_input(odd), odd);
        }
    }
}
