//! What can a form use at most: pictures to be changed, and sound to be written down?
//!
//! # Invariants
//! - A form that cannot be split is taken for text; whoever gets it refuses it.

use bytes::Bytes;

use super::scan::Scan;
use super::{Most, pixels};
use crate::dialects::format::Endpoint;
use crate::images::{Field, split};

/// What a form can use at most.
pub(super) fn most(endpoint: Endpoint, body: &Bytes, content_type: &str) -> Most {
    let fields = split(content_type, body).unwrap_or_default();
    let is_file = |field: &&Field| field.file_name.is_some();
    let files = fields.iter().filter(is_file);
    let bytes: usize = files.clone().map(|field| field.data.len()).sum();
    let pieces = files.count() as u64;
    if !endpoint.is_picture() {
        // What is no file is text, and its heads are no less than its tokens.
        let scan = Scan {
            media_bytes: bytes as u64,
            ..Scan::default()
        };
        // Without a field that is a file, all of it may be one.
        let sound = if pieces == 0 { body.len() } else { bytes };
        return Most::input(&scan, body.len() as u64).listening(sound as u64);
    }
    let scan = Scan {
        media_bytes: bytes as u64,
        pictures: pieces,
        ..Scan::default()
    };
    let value = |name: &str| {
        let named = fields.iter().rev().find(|field| field.name == name);
        named.map(|field| field.data.clone()).unwrap_or_default()
    };
    let number = |name: &str| -> Option<u64> {
        let text = value(name);
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    };
    let sides = number("width").zip(number("height"));
    let size = sides.map(|(width, height)| width.saturating_mul(height));
    let picture = [value("quality"), value("size")];
    let size = size.or_else(|| pixels(&picture[1]));
    Most::input(&scan, body.len() as u64).drawing(number("n"), size, picture)
}
