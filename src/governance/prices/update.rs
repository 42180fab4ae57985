//! What changes if another price list is taken over?
//!
//! # Invariants
//! - A list that would make a known price jump is not taken over unless somebody has said so: a slip by a factor of a thousand is how budgets die.

use std::fmt;

use super::catalogue::{BadCatalogue, Catalogue};
use super::line;
use super::sheet::{self, BadSheet};
use super::tariff::{Tariff, Tier};

/// A change by more than this factor up or down is a jump.
const JUMP: f64 = 1.5;

/// Jumps that are listed one by one.
const LISTED: usize = 20;

/// Why a file is no price list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    Text,
    /// It is JSON, and no price map.
    #[error(transparent)]
    Sheet(#[from] BadSheet),
    /// It is no JSON, and no catalogue.
    #[error(transparent)]
    Catalogue(#[from] BadCatalogue),
}

/// Reads a price list: LiteLLM's map or a catalogue, whichever it is. `from` says where it is from.
///
/// # Errors
/// [`BadList`].
pub fn read(bytes: &[u8], from: &str) -> Result<Catalogue, BadList> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadList::Text)?;
    if !text.trim_start().starts_with(['{', '[', '<']) {
        return Ok(Catalogue::parse(text.to_owned())?);
    }
    let sheet = sheet::read(bytes)?;
    let head = format!(
        "Prices in pico-dollars, one model a line; from {from}.\nTaken over from LiteLLM's model_prices_and_context_window.json, MIT licence, Copyright (c) 2023 Berri AI.\n{} prices that nothing here can charge were left out.",
        sheet.left_out
    );
    Ok(Catalogue::of(&head, &sheet.tariffs))
}

/// How one list differs from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Models that only the new one has.
    pub added: usize,
    /// Models that only the old one has.
    pub removed: usize,
    /// Models whose prices differ.
    pub changed: usize,
    /// Of these, the ones whose input or output price jumps: name, what it was, what it would be.
    pub jumps: Vec<(String, String, String)>,
}

/// Compares two lists.
#[must_use]
pub fn compare(old: &Catalogue, new: &Catalogue) -> Difference {
    let mut difference = Difference::default();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return difference,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        match order {
            std::cmp::Ordering::Less => {
                difference.removed += 1;
                old.next();
            }
            std::cmp::Ordering::Greater => {
                difference.added += 1;
                new.next();
            }
            std::cmp::Ordering::Equal => {
                if let (Some((name, was)), Some((_, is))) = (old.next(), new.next())
                    && was != is
                {
                    difference.changed += 1;
                    if jumps(was, is) {
                        let jump = (name.to_owned(), was.to_owned(), is.to_owned());
                        difference.jumps.push(jump);
                    }
                }
            }
        }
    }
}

fn jumps(was: &str, is: &str) -> bool {
    let rates = |prices: &str| {
        let tariff: Tariff = line::read(prices).unwrap_or_default();
        let rates = tariff.rates(0, Tier::Standard);
        [rates.input, rates.output]
    };
    let far = |(was, is): (Option<u64>, Option<u64>)| match (was, is) {
        (None, _) => false,
        (Some(was), None) => was > 0,
        (Some(was), Some(is)) => {
            let (was, is) = (was as f64, is as f64);
            is > was * JUMP || is * JUMP < was
        }
    };
    rates(was).into_iter().zip(rates(is)).any(far)
}

impl fmt::Display for Difference {
    /// For whoever decides.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            added,
            removed,
            changed,
            jumps,
        } = self;
        writeln!(
            f,
            "{added} models added, {removed} removed, {changed} changed"
        )?;
        for (name, was, is) in jumps.iter().take(LISTED) {
            writeln!(f, "  {name}\n    was {was}\n    is  {is}")?;
        }
        if jumps.len() > LISTED {
            writeln!(f, "  and {} more", jumps.len() - LISTED)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_told() {
        let list = |text: &str| Catalogue::parse(text.to_owned()).unwrap();
        let old = list("a/a\ti=100 o=10\na/b\ti=100\na/c\ti=100\na/d\ti=0\na/e\ti=100\n");
        let new = list("a/a\ti=100 o=16\na/b\ti=150\na/c\ti=66\na/d\ti=5\na/f\ti=1\n");
        let difference = compare(&old, &new);
        let names: Vec<_> = difference.jumps.iter().map(|(name, ..)| &**name).collect();
        assert_eq!(names, ["a/a", "a/c", "a/d"]);
        let Difference {
            added,
            removed,
            changed,
            ..
        } = difference;
        assert_eq!((added, removed, changed), (1, 1, 4));
        assert_eq!(compare(&old, &old), Difference::default());
    }

    #[test]
    fn either_kind_of_list_is_read() {
        let json = br#"{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06}}"#;
        let from_json = read(json, "a test").unwrap();
        assert_eq!(
            from_json.find("openai", "m").unwrap().to_string(),
            "i=1000000"
        );
        let again = read(from_json.text().as_bytes(), "").unwrap();
        assert_eq!(again.version(), from_json.version());
        assert_eq!(read(b"\xff", "").unwrap_err(), BadList::Text);
        assert!(read(b"<html>", "").is_err());
        assert!(read(b"hello", "").is_err());
    }
}
