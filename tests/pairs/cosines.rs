//! The similarities of the pairs, as a model gave them.
//!
//! Two head lines name the model's weights and the pairs by their digests; then one number a line, in the order of the pairs.

use std::fs;
use std::path::Path;

/// One similarity per pair.
///
/// Fails if they were computed for other pairs.
pub(crate) fn read(file: &Path, pairs: &[u8], count: usize) -> Vec<f32> {
    let text = fs::read_to_string(file).unwrap();
    let digest = format!("{:08x}", crc32fast::hash(pairs));
    let of = head(&text, "# pairs crc32 ");
    assert_eq!(
        of,
        digest,
        "{} was computed for other pairs (README.md)",
        file.display()
    );
    assert_eq!(
        head(&text, "# weights sha256 ").len(),
        64,
        "no digest of the weights"
    );
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let cosines: Vec<f32> = lines.map(|line| line.parse().unwrap()).collect();
    assert_eq!(cosines.len(), count, "one similarity per pair");
    cosines
}

/// What follows a mark at the start of a line.
fn head<'a>(text: &'a str, mark: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(mark))
        .unwrap_or("")
}
