//! What of the source has been used?
//!
//! A source is a tree of values. A reader walks it with [`Node`]s, and every value that it takes is marked.
//! What no reader has marked at the end is reported, so nothing is dropped because nobody thought of it.
//!
//! # Invariants
//! - Every leaf is taken, told as lost, or reported by [`Tree::remarks`].
//! - No remark holds a value of the source, which may be a secret; paths and our own words only.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::secret;

/// Said of a value that no reader knows.
const UNKNOWN: &str = "no counterpart is known";

/// What becomes of something that could not be carried over as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it stands in the source, such as `model_list[0].litellm_params.api_key`.
    pub path: String,
    /// What happened to it.
    pub fate: Fate,
    /// Why.
    pub why: String,
    /// What to do; empty if nothing.
    pub advice: String,
}

/// What happened to a part of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A secret was not copied; its variable must be set.
    Secret,
    /// It was carried over, but means something else.
    Changed,
    /// It was not carried over.
    Lost,
}

/// A source, with what was taken of it.
pub(super) struct Tree {
    root: Value,
    taken: RefCell<BTreeSet<String>>,
    remarks: RefCell<Vec<Remark>>,
    /// The variable that stands for each literal secret.
    literals: RefCell<BTreeMap<String, String>>,
    /// Variables that are spoken for.
    variables: RefCell<BTreeSet<String>>,
}

/// A value of the source and where it stands.
#[derive(Clone)]
pub(super) struct Node<'t> {
    tree: &'t Tree,
    path: String,
    value: &'t Value,
}

impl Tree {
    pub(super) fn new(root: Value) -> Self {
        let mut variables = BTreeSet::new();
        collect_variables(&root, &mut variables);
        Self {
            root,
            taken: RefCell::default(),
            remarks: RefCell::default(),
            literals: RefCell::default(),
            variables: RefCell::new(variables),
        }
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node {
            tree: self,
            path: String::new(),
            value: &self.root,
        }
    }

    pub(super) fn remark(&self, remark: Remark) {
        let mut remarks = self.remarks.borrow_mut();
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }

    /// Ends the reading: everything that was remarked on, then every leaf that nobody took.
    pub(super) fn remarks(self) -> Vec<Remark> {
        let mut remarks = self.remarks.take();
        let taken = self.taken.take();
        unread(&self.root, "", &taken, &mut remarks);
        remarks
    }
}

impl<'t> Node<'t> {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The member of this name, unless it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        let node = self.at(join(&self.path, key), value);
        if value.is_null() {
            node.take();
            return None;
        }
        Some(node)
    }

    /// The member of the first of these names that is there.
    pub(super) fn any(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// The members with their names; none unless it is a table.
    pub(super) fn members(&self) -> Vec<(&'t str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members
            .map(|(key, value)| (key.as_str(), self.at(join(&self.path, key), value)))
            .collect()
    }

    /// The items; none unless it is a list.
    pub(super) fn items(&self) -> Vec<Self> {
        let items = self.value.as_array().into_iter().flatten();
        items
            .enumerate()
            .map(|(index, value)| self.at(format!("{}[{index}]", self.path), value))
            .collect()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_object()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Takes a text; anything else stays untaken.
    pub(super) fn text(&self) -> Option<&'t str> {
        let text = self.value.as_str()?;
        self.take();
        Some(text)
    }

    /// Takes a number, which may be written as text; one that is not finite stays untaken.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number: &f64| number.is_finite())?;
        self.take();
        Some(number)
    }

    /// Takes a list of texts, or a single one.
    pub(super) fn texts(&self) -> Vec<&'t str> {
        match self.text() {
            Some(text) => vec![text],
            None => self.items().iter().filter_map(Self::text).collect(),
        }
    }

    /// Marks it and all below it as taken.
    pub(super) fn take(&self) {
        self.tree.taken.borrow_mut().insert(self.path.clone());
    }

    /// Says that it and all below it cannot be carried over.
    pub(super) fn lose(&self, why: &str, advice: &str) {
        self.take();
        self.say(Fate::Lost, why, advice);
    }

    /// Says that it was carried over as something that is not the same.
    pub(super) fn change(&self, why: &str, advice: &str) {
        self.take();
        self.say(Fate::Changed, why, advice);
    }

    /// The variable that stands for a literal secret: one of its own for each, named `wanted` if that is free.
    pub(super) fn variable_for(&self, literal: &str, wanted: &str) -> String {
        let mut literals = self.tree.literals.borrow_mut();
        if let Some(known) = literals.get(literal) {
            return known.clone();
        }
        let mut variables = self.tree.variables.borrow_mut();
        let mut name = wanted.to_owned();
        let mut number = 1_u32;
        while !variables.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        literals.insert(literal.to_owned(), name.clone());
        name
    }

    /// Remarks on it without taking it.
    pub(super) fn say(&self, fate: Fate, why: &str, advice: &str) {
        self.tree.remark(Remark {
            path: self.path.clone(),
            fate,
            why: why.to_owned(),
            advice: advice.to_owned(),
        });
    }

    fn at(&self, path: String, value: &'t Value) -> Self {
        Self {
            tree: self.tree,
            path,
            value,
        }
    }
}

/// Collects the variables that texts refer to.
fn collect_variables(value: &Value, variables: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => variables.extend(secret::variable(text).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|it| collect_variables(it, variables)),
        Value::Object(members) => members
            .values()
            .for_each(|it| collect_variables(it, variables)),
        _ => {}
    }
}

/// Reports every leaf below `value` that is not taken.
fn unread(value: &Value, path: &str, taken: &BTreeSet<String>, remarks: &mut Vec<Remark>) {
    if taken.contains(path) {
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                unread(value, &join(path, key), taken, remarks);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                unread(value, &format!("{path}[{index}]"), taken, remarks);
            }
        }
        _ => remarks.push(Remark {
            path: path.to_owned(),
            fate: Fate::Lost,
            why: UNKNOWN.to_owned(),
            advice: String::new(),
        }),
    }
}

/// The path of a member.
fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_leaf_is_taken_lost_or_reported() {
        let tree = Tree::new(json!({
            "a": {"taken": "x", "left": 1, "lost": {"b": 1, "c": 2}},
            "list": ["x", {"y z": true}],
            "empty": {},
            "null": null,
        }));
        let a = tree.root().get("a");
        let a = a.as_ref();
        assert_eq!(
            a.and_then(|a| a.get("taken")).and_then(|it| it.text()),
            Some("x")
        );
        if let Some(lost) = a.and_then(|a| a.get("lost")) {
            lost.lose("why", "do");
        }
        assert!(tree.root().get("null").is_none());
        let paths: Vec<String> = tree.remarks().into_iter().map(|it| it.path).collect();
        let expected = ["a.lost", "a.left", "empty", "list[0]", "list[1][\"y z\"]"];
        assert_eq!(paths, expected);
    }

    #[test]
    fn a_value_of_another_type_stays_untaken() {
        let tree = Tree::new(json!({"text": 1, "number": "many", "good": "2.5"}));
        let root = tree.root();
        assert_eq!(root.get("text").and_then(|it| it.text()), None);
        assert_eq!(root.get("number").and_then(|it| it.number()), None);
        assert_eq!(root.get("good").and_then(|it| it.number()), Some(2.5));
        assert_eq!(tree.remarks().len(), 2);
    }
}
