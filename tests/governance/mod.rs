//! Keys, budgets and limits: who is served, who pays how much, and what both are told.
//!
//! # Invariants
//! - What the gateway charges is held against what the stand-ins say that they answered.

mod budgets;
mod keys;
mod limits;
mod matrix;
mod streams;

use crate::support::{Call, Folder, Spec};

/// A specification that keeps its books in a folder.
pub(crate) fn books_in(folder: &Folder) -> Spec {
    let path = folder.0.display();
    Spec::new().with(&format!("[governance]\ndata = \"{path}\""))
}

/// The same call with a key.
pub(crate) fn with_key(call: Call, key: &str) -> Call {
    call.header("authorization", &format!("Bearer {key}"))
}
