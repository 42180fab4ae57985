//! What each part of the scoring buys, as a table in Markdown: it is printed, and pasted into documents, alike.
//!
//! # Invariants
//! - A row for each variant, the subject as it is first.

use std::fmt::Write as _;

use super::Variant;

/// The table of `variants`.
#[must_use]
pub fn variants(variants: &[Variant]) -> String {
    let widest = variants.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "| {:widest$} | mean regret | worst | first attempts in incidents | off the weights | bars missed |\n\
         | {:-<widest$} | ---: | ---: | ---: | ---: | ---: |\n",
        "variant", ""
    );
    for it in variants {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {:widest$} | {:.2} % | {:.1} % | {:.2} % | {:.2} % | {} of {} |",
            it.name,
            100.0 * it.regret_mean,
            100.0 * it.regret_worst,
            100.0 * it.first_attempt,
            100.0 * it.share_deviation,
            it.missed,
            it.bars
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_variant() {
        let variant = Variant {
            name: "as it is".to_owned(),
            regret_mean: 0.0042,
            regret_worst: 0.031,
            first_attempt: 0.9981,
            share_deviation: 0.004,
            missed: 1,
            bars: 96,
        };
        let text = variants(&[variant]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.ends_with("| as it is | 0.42 % | 3.1 % | 99.81 % | 0.40 % | 1 of 96 |\n"));
    }
}
