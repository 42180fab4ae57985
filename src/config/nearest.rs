//! Which known name was meant?
//!
//! The known name at the least edit distance, counting a swap of neighbours as one edit, if that is near enough to be a slip.
//!
//! # Invariants
//! - Ties go to the name that comes first.
//! - The work is bounded: names longer than [`LONGEST`] characters are not compared.

/// Longest name that is compared, characters: the cost is quadratic, and nobody misspells what they paste.
const LONGEST: usize = 64;

/// Finds the name that `written` was meant to be; at most a third of its characters may differ, one always may.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written: Vec<char> = written.to_lowercase().chars().collect();
    let allowed = (written.len() / 3).max(1);
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let letters: Vec<char> = name.to_lowercase().chars().collect();
        // Why: a name shorter than its allowed edits would match anything of its length.
        let too_short = letters.len() <= allowed && letters != written;
        if letters.len() > LONGEST || too_short {
            continue;
        }
        let far = distance(&written, &letters);
        if far <= allowed && best.is_none_or(|(least, _)| far < least) {
            best = Some((far, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Edits between two words: insertion, deletion, substitution and the swap of two neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            let swapped = i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y;
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let keys = [
            "weight",
            "name",
            "secret",
            "base_url",
            "requests_per_minute",
            "h2",
        ];
        let cases = [
            ("wieght", Some("weight")),
            ("Weight", Some("weight")),
            ("nam", Some("name")),
            ("base-url", Some("base_url")),
            ("request_per_minute", Some("requests_per_minute")),
            ("h1", Some("h2")),
            ("zzz", None),
            ("H2", Some("h2")),
            ("wei", None),
            ("", None),
        ];
        for (written, meant) in cases {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
    }

    #[test]
    fn long_names_cost_nothing() {
        let long = "x".repeat(100_000);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
