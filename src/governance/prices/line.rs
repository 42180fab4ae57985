//! One line of a catalogue: a model and what it costs.
//!
//! `vendor/model`, a tabulator, and prices as `code=pico-dollars`, separated by spaces.
//! A code is a unit, then `@N` where it holds for inputs of more than N tokens, then `/class` where it holds for one class of service.
//! A picture's price may name what it is for: `im:high:1024x1024`.
//!
//! # Invariants
//! - What is printed is read again as the same.

use std::fmt;

use super::tariff::{Above, Picture, Rates, Tariff, Tier};

/// The units of tokens of text, in the order of their columns.
const TOKENS: [&str; 6] = ["i", "r", "w", "w1h", "o", "t"];

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It has no name or no tabulator after it.
    #[error("a line is a model's name, a tabulator and prices")]
    Shape,
    /// A price is no code and number.
    #[error("`{0}` is no price: a code, = and pico-dollars are expected")]
    Price(String),
}

/// Splits a line into the model's name and its prices.
///
/// # Errors
/// [`BadLine::Shape`].
pub(super) fn split(line: &str) -> Result<(&str, &str), BadLine> {
    let parts = line.split_once('\t');
    parts
        .filter(|(name, _)| !name.is_empty())
        .ok_or(BadLine::Shape)
}

/// Reads prices.
///
/// # Errors
/// [`BadLine::Price`] names the first that is wrong.
pub(super) fn read(prices: &str) -> Result<Tariff, BadLine> {
    let mut tariff = Tariff::default();
    for price in prices.split_ascii_whitespace() {
        put(&mut tariff, price).ok_or_else(|| BadLine::Price(price.to_owned()))?;
    }
    tariff.above.sort_by_key(|above| above.tokens);
    Ok(tariff)
}

fn put(tariff: &mut Tariff, price: &str) -> Option<()> {
    let (code, value) = price.split_once('=')?;
    let value: u64 = value.parse().ok()?;
    let (code, tier) = match code.split_once('/') {
        Some((code, tier)) => (code, Tier::named(tier)?),
        None => (code, Tier::Standard),
    };
    let (code, above) = match code.split_once('@') {
        Some((code, above)) => (code, Some(above.parse().ok()?)),
        None => (code, None),
    };
    if let Some(column) = TOKENS.iter().position(|unit| *unit == code) {
        let rates = rates(tariff, above, tier);
        *column_of(rates, column) = Some(value);
        return Some(());
    }
    if above.is_some() || tier != Tier::Standard {
        return None;
    }
    if let Some(picture) = code.strip_prefix("im:") {
        let (quality, size) = picture.split_once(':')?;
        tariff.pictures.push(Picture {
            quality: quality.into(),
            size: size.into(),
            rate: value,
        });
        return Some(());
    }
    let slot = match code {
        "ai" => &mut tariff.audio[0],
        "ao" => &mut tariff.audio[1],
        "pi" => &mut tariff.image_tokens[0],
        "po" => &mut tariff.image_tokens[1],
        "im" => &mut tariff.image,
        "px" => &mut tariff.pixel,
        "s" => &mut tariff.second,
        "ch" => &mut tariff.character,
        "q" => &mut tariff.query,
        "rq" => &mut tariff.request,
        "max" => {
            tariff.max_output = u32::try_from(value).ok();
            return Some(());
        }
        _ => return None,
    };
    *slot = Some(value);
    Some(())
}

fn rates(tariff: &mut Tariff, above: Option<u64>, tier: Tier) -> &mut Rates {
    let Some(tokens) = above else {
        if tier == Tier::Standard {
            return &mut tariff.standard;
        }
        let at = tariff.tiers.iter().position(|(it, _)| *it == tier);
        let at = at.unwrap_or_else(|| {
            tariff.tiers.push((tier, Rates::default()));
            tariff.tiers.len() - 1
        });
        return &mut tariff.tiers[at].1;
    };
    let is_it = |above: &Above| above.tokens == tokens && above.tier == tier;
    let at = tariff.above.iter().position(is_it);
    let at = at.unwrap_or_else(|| {
        tariff.above.push(Above {
            tokens,
            tier,
            rates: Rates::default(),
        });
        tariff.above.len() - 1
    });
    &mut tariff.above[at].rates
}

fn column_of(rates: &mut Rates, column: usize) -> &mut Option<u64> {
    match column {
        0 => &mut rates.input,
        1 => &mut rates.cache_read,
        2 => &mut rates.cache_write,
        3 => &mut rates.cache_write_1h,
        4 => &mut rates.output,
        _ => &mut rates.reasoning,
    }
}

impl fmt::Display for Tariff {
    /// As in a catalogue.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = Vec::new();
        let mut tokens = |mut rates: Rates, suffix: &str| {
            for (column, unit) in TOKENS.iter().enumerate() {
                if let Some(value) = column_of(&mut rates, column) {
                    list.push(format!("{unit}{suffix}={value}"));
                }
            }
        };
        tokens(self.standard, "");
        for (tier, rates) in &self.tiers {
            tokens(*rates, tier.suffix());
        }
        for above in &self.above {
            tokens(
                above.rates,
                &format!("@{}{}", above.tokens, above.tier.suffix()),
            );
        }
        let others = [
            ("ai", self.audio[0]),
            ("ao", self.audio[1]),
            ("pi", self.image_tokens[0]),
            ("po", self.image_tokens[1]),
            ("im", self.image),
            ("px", self.pixel),
            ("s", self.second),
            ("ch", self.character),
            ("q", self.query),
            ("rq", self.request),
            ("max", self.max_output.map(u64::from)),
        ];
        let others = others
            .into_iter()
            .filter_map(|(code, value)| Some((code, value?)));
        list.extend(others.map(|(code, value)| format!("{code}={value}")));
        for Picture {
            quality,
            size,
            rate,
        } in &self.pictures
        {
            list.push(format!("im:{quality}:{size}={rate}"));
        }
        f.write_str(&list.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_printed() {
        for line in [
            "i=150000 r=75000 o=600000 i/batch=75000 o/batch=300000 max=16384",
            "i=1250000 o=10000000 i@200000=2500000 o@200000=15000000 o@200000/flex=7500000",
            "i=3000000 r=300000 w=3750000 w1h=6000000 o=15000000 t=9",
            "ai=1 ao=2 pi=3 po=4 im=5 px=6 s=7 ch=8 q=9 rq=10",
            "im:high:1024x1024=167000000000 im::512x512=18000000000",
            "",
        ] {
            let tariff = read(line).unwrap();
            assert_eq!(tariff.to_string(), line);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in [
            "i",
            "i=",
            "i=x",
            "x=1",
            "i/none=1",
            "i@x=1",
            "im@5=1",
            "ai/batch=1",
            "i=-1",
        ] {
            assert_eq!(read(wrong), Err(BadLine::Price(wrong.to_owned())));
        }
        assert_eq!(split("gpt-4o"), Err(BadLine::Shape));
        assert_eq!(split("\ti=1"), Err(BadLine::Shape));
        assert_eq!(split("openai/gpt-4o\ti=1"), Ok(("openai/gpt-4o", "i=1")));
    }
}
