//! How does a table say what may stand in a place?
//!
//! # Invariants
//! - A field that is null is as good as absent; one that the table does not name never is.
//! - Every value is looked at once: alternatives differ in their kind of value, so that nothing is tried twice.

use super::super::tree::{Node, is_called};

/// What may stand in a place.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Shape {
    /// Any text.
    Text,
    /// A text that is not empty.
    Words,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// One of these texts, in letters of either case.
    Name(&'static [&'static str]),
    /// True or false.
    Flag,
    /// False.
    No,
    /// A number.
    Number,
    /// A number without fraction, from the first to the second.
    Whole(i64, i64),
    /// Any value.
    Json,
    /// An object of whatever fields.
    Object,
    /// An empty list.
    Nothing,
    /// A list.
    List(&'static Self),
    /// A list that is not empty.
    Full(&'static Self),
    /// A list that is not empty, or what could be its only item.
    OneOrMany(&'static Self),
    /// An object of these fields at most.
    Fields(&'static [Field]),
    /// An object whose field of this name says of which kind it is; the kind of one without it, and the fields of each kind.
    Kinds(&'static str, Option<&'static str>, &'static [Kind]),
    /// One of these; no two of the same kind of value.
    Any(&'static [Self]),
    /// What also passes a test.
    Also(fn(&Node<'_>) -> bool, &'static Self),
}

/// The names of a kind, and its fields besides the one that says so.
pub(in super::super) type Kind = (&'static [&'static str], &'static [Field]);

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Field {
    name: &'static str,
    need: Need,
    shape: Shape,
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    May,
    Must,
    /// It changes no answer.
    Idle,
}

/// A field that may be there.
pub(super) const fn may(name: &'static str, shape: Shape) -> Field {
    let need = Need::May;
    Field { name, need, shape }
}

/// A field that must be there.
pub(super) const fn must(name: &'static str, shape: Shape) -> Field {
    let need = Need::Must;
    Field { name, need, shape }
}

/// A field that changes no answer; one of another shape is not known.
pub(in super::super) const fn idle(name: &'static str, shape: Shape) -> Field {
    let need = Need::Idle;
    Field { name, need, shape }
}

/// The field that is called so.
fn field(fields: &'static [Field], key: &str) -> Option<&'static Field> {
    fields.iter().find(|field| is_called(key, field.name))
}

/// The fields of a kind of object, if it is known.
fn of_kind(
    node: &Node<'_>,
    tag: &str,
    usual: Option<&'static str>,
    kinds: &'static [Kind],
) -> Option<&'static [Field]> {
    let named = match node.get(tag) {
        None => usual?,
        Some(kind) => kind.text()?,
    };
    let known = kinds.iter().find(|(names, _)| names.contains(&named));
    known.map(|(_, fields)| *fields)
}

impl Shape {
    /// Whether a value is of this shape.
    pub(in super::super) fn fits(&self, node: &Node<'_>) -> bool {
        match (self, node) {
            (Self::Json, _) | (Self::Text, Node::Text(_)) | (Self::Flag, Node::Flag(_)) => true,
            (Self::Number, Node::Number(_)) | (Self::Object, Node::Object(_)) => true,
            (Self::No, Node::Flag(flag)) => !flag,
            (Self::Words, Node::Text(text)) => !text.is_empty(),
            (Self::Word(words), Node::Text(text)) => words.contains(&&**text),
            (Self::Name(names), Node::Text(text)) => {
                names.iter().any(|name| name.eq_ignore_ascii_case(text))
            }
            (Self::Whole(least, most), Node::Number(digits)) => {
                let number = digits.parse::<i64>();
                number.is_ok_and(|number| (*least..=*most).contains(&number))
            }
            (Self::Nothing, Node::List(list)) => list.is_empty(),
            (Self::List(item), Node::List(list)) => list.iter().all(|node| item.fits(node)),
            (Self::Full(item) | Self::OneOrMany(item), Node::List(list)) => {
                !list.is_empty() && list.iter().all(|node| item.fits(node))
            }
            (Self::OneOrMany(item), node) => item.fits(node),
            (Self::Fields(fields), Node::Object(_)) => all_fit(fields, None, node),
            (Self::Kinds(tag, usual, kinds), Node::Object(_)) => {
                let fields = of_kind(node, tag, *usual, kinds);
                fields.is_some_and(|fields| all_fit(fields, Some(tag), node))
            }
            (Self::Any(shapes), node) => shapes.iter().any(|shape| shape.fits(node)),
            (Self::Also(test, shape), node) => test(node) && shape.fits(node),
            _ => false,
        }
    }

    /// Takes what changes no answer out of a value, as far as it is of this shape.
    pub(in super::super) fn strip(&self, node: &mut Node<'_>) {
        match self {
            Self::List(item) | Self::Full(item) => strip_list(item, node),
            Self::OneOrMany(item) => match node {
                Node::List(_) => strip_list(item, node),
                node => item.strip(node),
            },
            Self::Fields(fields) => strip_fields(fields, node),
            Self::Kinds(tag, usual, kinds) => {
                if let Some(fields) = of_kind(node, tag, *usual, kinds) {
                    strip_fields(fields, node);
                }
            }
            Self::Any(shapes) => shapes.iter().for_each(|shape| shape.strip(node)),
            Self::Also(_, shape) => shape.strip(node),
            _ => {}
        }
    }
}

fn all_fit(fields: &'static [Field], tag: Option<&str>, node: &Node<'_>) -> bool {
    let known = node.fields().iter().all(|(key, value)| {
        if tag == Some(&**key) {
            return true;
        }
        field(fields, key).is_some_and(|field| match (field.need, value) {
            (Need::Idle, _) => false,
            (Need::May, Node::Null) => true,
            _ => field.shape.fits(value),
        })
    });
    let mut needed = fields.iter().filter(|field| field.need == Need::Must);
    known && needed.all(|field| node.get(field.name).is_some())
}

fn strip_list(item: &Shape, node: &mut Node<'_>) {
    if let Node::List(list) = node {
        list.iter_mut().for_each(|node| item.strip(node));
    }
}

fn strip_fields(fields: &'static [Field], node: &mut Node<'_>) {
    let Node::Object(entries) = node else {
        return;
    };
    entries.retain_mut(|(key, value)| {
        let Some(field) = field(fields, key) else {
            return true;
        };
        if field.need == Need::Idle {
            return !(*value == Node::Null || field.shape.fits(value));
        }
        field.shape.strip(value);
        true
    });
}
