//! Which tariff has a model of a vendor?
//!
//! A catalogue is text, one line a model, sorted by name, so that a look-up halves it and a difference between two can be read.
//! One is inside the program, so that nothing is fetched at the start; `trimtab prices update` puts another beside the ledger.
//!
//! # Invariants
//! - Lines are sorted and names unique; a text where they are not is refused as a whole.
//! - The version is a check of the text, so equal versions mean equal prices.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::line::{self, BadLine};
use super::tariff::Tariff;

/// The catalogue inside the program.
const EMBEDDED: &str = include_str!("catalogue.tsv");

/// How Bedrock's inference profiles begin: the region that they route in.
const PROFILES: [&str; 10] = [
    "us.", "eu.", "apac.", "ap.", "jp.", "au.", "ca.", "sa.", "us-gov.", "global.",
];

/// Prices of many models.
#[derive(Clone, Debug)]
pub struct Catalogue {
    text: Cow<'static, str>,
    /// Where each model's line begins.
    lines: Vec<u32>,
    version: u32,
}

/// Why a text is no catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCatalogue {
    /// A line cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        why: BadLine,
    },
    /// A line does not come after the one before it.
    #[error("line {0}: lines must be sorted by name, and names unique")]
    Order(usize),
    /// It is larger than any catalogue.
    #[error("it is larger than 64 MiB")]
    Size,
}

impl Catalogue {
    /// Largest catalogue, bytes; a hundred times the one inside.
    pub const LARGEST: usize = 64 << 20;

    /// The catalogue inside the program.
    #[must_use]
    pub fn embedded() -> Self {
        // A test reads every line of it.
        Self::indexed(Cow::Borrowed(EMBEDDED))
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// [`BadCatalogue`] names the first line that is wrong.
    pub fn parse(text: String) -> Result<Self, BadCatalogue> {
        if text.len() > Self::LARGEST {
            return Err(BadCatalogue::Size);
        }
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let number = number + 1;
            let bad = |why| BadCatalogue::Line { line: number, why };
            let (name, prices) = line::split(line).map_err(bad)?;
            line::read(prices).map_err(bad)?;
            if name <= before {
                return Err(BadCatalogue::Order(number));
            }
            before = name;
        }
        Ok(Self::indexed(Cow::Owned(text)))
    }

    /// A catalogue of these tariffs, under a head that says where they are from.
    #[must_use]
    pub fn of(head: &str, tariffs: &BTreeMap<String, Tariff>) -> Self {
        let mut text = String::new();
        for line in head.lines() {
            text.push_str("# ");
            text.push_str(line);
            text.push('\n');
        }
        for (name, tariff) in tariffs {
            text.push_str(&format!("{name}\t{tariff}\n"));
        }
        Self::indexed(Cow::Owned(text))
    }

    fn indexed(text: Cow<'static, str>) -> Self {
        let mut lines = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if !line.starts_with('#') && line.len() > 1 {
                lines.extend(u32::try_from(at).ok());
            }
            at += line.len();
        }
        let version = crc32fast::hash(text.as_bytes());
        Self {
            text,
            lines,
            version,
        }
    }

    /// The catalogue as text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What tells this catalogue from others.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// How many models it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Every model's name and prices, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|&at| self.line(at))
    }

    fn line(&self, at: u32) -> Option<(&str, &str)> {
        let line = self.text.get(at as usize..)?.lines().next()?;
        line::split(line).ok()
    }

    /// The tariff of a model under the name that its vendor has for it, or under one of the names that vendors use besides.
    #[must_use]
    pub fn find(&self, vendor: &str, model: &str) -> Option<Tariff> {
        let model = model.strip_prefix("models/").unwrap_or(model);
        let exact = self.exact(vendor, model);
        let lower = || self.exact(vendor, &model.to_ascii_lowercase());
        let profile = || {
            let mut regions = PROFILES.iter();
            let bare = regions.find_map(|region| model.strip_prefix(region))?;
            self.exact(vendor, bare).filter(|_| vendor == "bedrock")
        };
        let undated = || self.exact(vendor, model.split_once('@')?.0);
        exact.or_else(lower).or_else(profile).or_else(undated)
    }

    fn exact(&self, vendor: &str, model: &str) -> Option<Tariff> {
        let wanted = format!("{vendor}/{model}");
        let before = |at: &u32| self.line(*at).is_some_and(|(name, _)| name < &*wanted);
        let at = *self.lines.get(self.lines.partition_point(before))?;
        let (_, prices) = self.line(at).filter(|(name, _)| *name == wanted)?;
        line::read(prices).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tariff::Tier;
    use super::*;

    #[test]
    fn the_one_inside_is_whole() {
        let inside = Catalogue::embedded();
        let read = Catalogue::parse(inside.text().to_owned()).unwrap();
        assert_eq!(read.version(), inside.version());
        assert!(inside.len() > 3_000, "{}", inside.len());
        assert_eq!(inside.iter().count(), inside.len());
    }

    #[test]
    fn known_models_have_their_published_prices() {
        let inside = Catalogue::embedded();
        for (vendor, model, input, output) in [
            ("openai", "gpt-4o-mini", 150_000, 600_000),
            ("anthropic", "claude-sonnet-4-5", 3_000_000, 15_000_000),
            ("gemini", "models/gemini-2.5-flash", 300_000, 2_500_000),
            (
                "bedrock",
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                3_300_000,
                16_500_000,
            ),
            ("groq", "openai/gpt-oss-120b", 150_000, 600_000),
        ] {
            let tariff = inside.find(vendor, model);
            let rates = tariff
                .map(|it| it.rates(1, Tier::Standard))
                .unwrap_or_default();
            assert_eq!(
                (rates.input, rates.output),
                (Some(input), Some(output)),
                "{vendor} {model}"
            );
        }
        assert_eq!(inside.find("openai", "gpt-none"), None);
        assert_eq!(inside.find("nobody", "gpt-4o"), None);
        assert_eq!(inside.find("", ""), None);
    }

    #[test]
    fn a_text_that_is_none_is_refused() {
        let parse = |text: &str| Catalogue::parse(text.to_owned()).map(|it| it.len());
        assert_eq!(parse("# head\na/b\ti=1\na/c\ti=2\n"), Ok(2));
        assert_eq!(parse(""), Ok(0));
        assert_eq!(parse("a/c\ti=1\na/b\ti=2\n"), Err(BadCatalogue::Order(2)));
        assert_eq!(parse("a/b\ti=1\na/b\ti=2\n"), Err(BadCatalogue::Order(2)));
        let bad = parse("a/b\ti=1\n{}\n").unwrap_err();
        assert_eq!(
            bad.to_string(),
            "line 2: a line is a model's name, a tabulator and prices"
        );
    }

    #[test]
    fn every_name_is_found_again() {
        let inside = Catalogue::embedded();
        for (name, prices) in inside.iter().step_by(37) {
            let (vendor, model) = name.split_once('/').unwrap();
            let found = inside.find(vendor, model).map(|tariff| tariff.to_string());
            assert_eq!(found.as_deref(), Some(prices));
        }
    }
}
