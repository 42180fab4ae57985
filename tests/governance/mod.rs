//! Keys, budgets and limits: who is served, who pays how much, and what both are told.
//!
//! # Invariants
//! - What the gateway charges is held against what the stand-ins say that they answered.

mod budgets;
mod keys;
mod limits;
mod matrix;
mod streams;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Call, Spec};

/// Numbers folders, so that tests share none.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder of its own for one ledger; removed with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-ledger-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// A specification that keeps its books here.
    pub(crate) fn spec(&self) -> Spec {
        let path = self.0.display();
        Spec::new().with(&format!("[governance]\ndata = \"{path}\""))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The same call with a key.
pub(crate) fn with_key(call: Call, key: &str) -> Call {
    call.header("authorization", &format!("Bearer {key}"))
}
