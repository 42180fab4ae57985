//! Which requests does `chat` carry whole?
//!
//! A table a dialect says which fields may stand where, and what their values may be, so that the dialect's reader carries all of it.
//! It is kept apart from the readers on purpose: a reader forgives, and what it forgives it forgets.
//!
//! # Invariants
//! - What no table names is not carried: a field that is new never passes for nothing.
//! - Two bodies that fit a table and that its reader reads as the same ask for the same.

mod chat;
mod generate;
mod messages;
mod responses;
mod shape;

pub(super) use shape::{Field, Shape, idle};

use super::super::format::Format;

/// What a request of this format may hold if `chat` is to carry it whole.
pub(super) const fn table(format: Format) -> Option<&'static Shape> {
    match format {
        Format::Chat => Some(&chat::REQUEST),
        Format::Messages => Some(&messages::REQUEST),
        Format::Responses => Some(&responses::REQUEST),
        Format::Generate => Some(&generate::REQUEST),
        _ => None,
    }
}
