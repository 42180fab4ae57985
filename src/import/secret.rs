//! Where does a secret come from, and how is it named without being copied?
//!
//! A reference to the environment is translated; a literal is replaced by a reference to a variable that the operator has to set.
//!
//! # Invariants
//! - No literal secret comes out of here.
//! - What comes out is text of a configuration: `$` is doubled, `${NAME}` is a reference.

use super::tree::{Fate, Node};

/// Parts of a header's name that make its value a secret.
const TELLTALE: [&str; 7] = [
    "key",
    "token",
    "secret",
    "auth",
    "password",
    "cookie",
    "signature",
];

/// The variable that a text refers to, in the spelling of any source.
pub(super) fn variable(text: &str) -> Option<&str> {
    let text = text.trim();
    let inside = text
        .strip_prefix("os.environ/")
        .or_else(|| text.strip_prefix("env."))
        .or_else(|| text.strip_prefix("env:"))
        .or_else(|| {
            text.strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'))
        })?;
    is_name(inside).then_some(inside)
}

/// The text of a credential for the file; a literal becomes a variable named `instead`, or like it.
pub(super) fn credential(node: &Node<'_>, instead: &str) -> Option<String> {
    let text = node.text()?;
    if text.trim().is_empty() {
        return None;
    }
    if let Some(name) = variable(text) {
        return Some(format!("${{{name}}}"));
    }
    let name = node.variable_for(text, instead);
    node.say(
        Fate::Secret,
        "a literal secret is not copied",
        &format!("set the environment variable {name} to it"),
    );
    Some(format!("${{{name}}}"))
}

/// The text of anything that is no secret.
pub(super) fn plain(text: &str) -> String {
    match variable(text) {
        Some(name) => format!("${{{name}}}"),
        None => text.replace('$', "$$"),
    }
}

/// The text of a header's value, and nothing for one that a configuration cannot hold.
pub(super) fn header(name: &str, node: &Node<'_>) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if TELLTALE.iter().any(|word| lower.contains(word)) {
        return credential(node, &variable_name(&format!("HEADER_{name}")));
    }
    node.text().map(plain)
}

/// Makes a text the name of a variable: upper case, with underscores.
pub(super) fn variable_name(text: &str) -> String {
    let made: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if made.starts_with(|c: char| c.is_ascii_digit()) || made.is_empty() {
        format!("KEY_{made}")
    } else {
        made
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn references_are_known_in_every_spelling() {
        for text in ["os.environ/A_1", "env.A_1", "${A_1}", "env:A_1"] {
            assert_eq!(variable(text), Some("A_1"), "{text}");
        }
        for text in ["sk-1", "env.", "env.1A", "${A", "os.environ/A-B", "A_1"] {
            assert_eq!(variable(text), None, "{text}");
        }
    }

    #[test]
    fn a_literal_is_replaced_and_remarked_on() {
        let tree = Tree::new(
            json!({"k": "sk-live-1", "same": "sk-live-1", "l": "sk-live-2", "r": "env.R", "r2": "sk-live-3"}),
        );
        let root = tree.root();
        let read = |key: &str, instead| root.get(key).and_then(|it| credential(&it, instead));
        assert_eq!(read("k", "INSTEAD").as_deref(), Some("${INSTEAD}"));
        assert_eq!(read("same", "OTHER").as_deref(), Some("${INSTEAD}"));
        assert_eq!(read("l", "INSTEAD").as_deref(), Some("${INSTEAD_2}"));
        assert_eq!(read("r2", "R").as_deref(), Some("${R_2}"));
        assert_eq!(read("r", "INSTEAD").as_deref(), Some("${R}"));
        let remarks = tree.remarks();
        assert_eq!(remarks.len(), 4);
        assert!(!format!("{remarks:?}").contains("sk-live"));
    }

    #[test]
    fn texts_are_escaped_and_names_made() {
        assert_eq!(plain("a$b"), "a$$b");
        assert_eq!(plain("env.HOST"), "${HOST}");
        assert_eq!(variable_name("my key/1"), "MY_KEY_1");
        assert_eq!(variable_name("1x"), "KEY_1X");
    }
}
