//! What is in the repository?
//!
//! A walk over the checkout that skips what git ignores, so that it needs no git and sees files before they are committed.
//!
//! # Invariants
//! - Paths are relative to the top, with `/`, and sorted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::source::Source;

/// Folders that are built, fetched or recorded, never committed; `.gitignore` names the same.
pub(crate) const IGNORED: &[&str] = &[".git", "target", "data", "node_modules"];

/// The top of the checkout.
pub(crate) fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of the file at `path`; empty if it is not text.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_default()
}

/// The names directly in the top folder, folders with a trailing `/`.
pub(crate) fn top_level() -> Vec<String> {
    let mut names: Vec<String> = entries(&top())
        .into_iter()
        .map(|(name, is_folder)| if is_folder { name + "/" } else { name })
        .collect();
    names.sort();
    names
}

/// Every file of the repository.
pub(crate) fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for (name, is_folder) in entries(&top().join(&folder)) {
            let path = format!("{folder}{name}");
            if is_folder {
                folders.push(path + "/");
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(
        found.len() > 10,
        "the walk over {:?} found only {found:?}",
        top()
    );
    found
}

/// Every Rust file of the repository, read once for all rules.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
        rust.map(|path| Source::new(&path, &read(&path))).collect()
    });
    &SOURCES
}

/// Name and whether it is a folder, for each entry of `folder` that is not ignored.
fn entries(folder: &Path) -> Vec<(String, bool)> {
    let listing =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    listing
        .map(|entry| {
            let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path().is_dir())
        })
        .filter(|(name, _)| !IGNORED.contains(&name.as_str()))
        .collect()
}
