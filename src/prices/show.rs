//! What does a model cost, in words?
//!
//! # Invariants
//! - Every price of a tariff is shown, in the unit in which vendors publish it.

use std::fmt::Write as _;
use std::path::Path;

use super::{PricesError, Said, Show};
use crate::config::{self, Config};
use crate::governance::prices::{Book, Catalogue, Rates, Tariff, Tier};

/// Read when no other file is named.
const CONFIG: &str = "config.toml";

/// Pico-dollars in a dollar.
const PICO: f64 = 1e12;

/// The unit in which tokens are priced.
const A_MILLION_TOKENS: (f64, &str) = (1e6, "million tokens");

pub(super) fn show(show: &Show) -> Result<Said, PricesError> {
    let usual = Path::new(CONFIG);
    let file = show.config.as_deref();
    let file = file.or_else(|| usual.exists().then_some(usual));
    let config = file.map(config::load).transpose();
    let config = config.map_err(PricesError::Config)?;
    let (catalogue, why) = match &config {
        Some(config) => Book::catalogue_of(&config.governance.data),
        None => (Catalogue::embedded(), None),
    };
    let remarks = why.map_or_else(String::new, |why| {
        format!("warning: {why}; the prices inside the program hold instead\n")
    });
    let text = config
        .as_ref()
        .and_then(|config| configured(config, &catalogue, &show.model))
        .unwrap_or_else(|| listed(&catalogue, &show.model));
    let holds = !text.is_empty();
    let text = if holds {
        text
    } else {
        format!(
            "nobody knows what {} costs: it is no model of the configuration, and no VENDOR/MODEL of the catalogue\n",
            show.model
        )
    };
    Ok(Said {
        text,
        remarks,
        holds,
    })
}

/// What the routes of a configured model cost.
fn configured(config: &Config, catalogue: &Catalogue, name: &str) -> Option<String> {
    let model = config.models.iter().find(|model| model.name == name)?;
    let book = Book::of(catalogue.clone(), config);
    let mut text = String::new();
    for route in &model.routes {
        let provider = config.providers.get(route.provider)?;
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}/{}", provider.name, route.model);
        match book.of_route(provider, route) {
            Some(tariff) => text.push_str(&told(&tariff)),
            None => text.push_str("  nobody knows its price\n"),
        }
        for source in book.sources(provider, route) {
            let _ = writeln!(text, "  known from {source}");
        }
    }
    Some(text)
}

/// What the catalogue says of a model, of one vendor or of all.
fn listed(catalogue: &Catalogue, name: &str) -> String {
    let mut text = String::new();
    let mut tell = |name: &str, tariff: &Tariff| {
        let _ = writeln!(text, "{name}\n{}  known from the catalogue", told(tariff));
    };
    let of_vendor = name
        .split_once('/')
        .and_then(|(vendor, model)| catalogue.find(vendor, model));
    if let Some(tariff) = of_vendor {
        tell(name, &tariff);
        return text;
    }
    for (full, _) in catalogue.iter() {
        let Some((vendor, model)) = full.split_once('/') else {
            continue;
        };
        if let Some(tariff) = (model == name)
            .then(|| catalogue.find(vendor, model))
            .flatten()
        {
            tell(full, &tariff);
        }
    }
    text
}

/// A tariff in words, a price a line.
fn told(tariff: &Tariff) -> String {
    let mut text = String::new();
    of_text(&mut text, &tariff.standard, "");
    for (tier, rates) in &tariff.tiers {
        of_text(&mut text, rates, &class(*tier));
    }
    for above in &tariff.above {
        let class = class(above.tier);
        let when = format!(", inputs above {} tokens{class}", above.tokens);
        of_text(&mut text, &above.rates, &when);
    }
    for (what, rate) in [
        ("input of sound", tariff.audio[0]),
        ("output of sound", tariff.audio[1]),
        ("input of pictures", tariff.image_tokens[0]),
        ("output of pictures", tariff.image_tokens[1]),
    ] {
        line(&mut text, what, rate, A_MILLION_TOKENS);
    }
    for picture in &tariff.pictures {
        let what = format!("a picture, {} {}", picture.quality, picture.size);
        line(
            &mut text,
            what.trim_end(),
            Some(picture.rate),
            (1.0, "picture"),
        );
    }
    for (what, rate, unit) in [
        ("a picture", tariff.image, (1.0, "picture")),
        ("pixels", tariff.pixel, (1e6, "million")),
        ("sound or film", tariff.second, (60.0, "minute")),
        ("speech", tariff.character, (1e6, "million characters")),
        ("searches", tariff.query, (1e3, "thousand")),
        ("requests", tariff.request, (1e3, "thousand")),
    ] {
        line(&mut text, what, rate, unit);
    }
    if let Some(most) = tariff.max_output {
        let _ = writeln!(text, "  writes {most} tokens at most");
    }
    text
}

fn of_text(text: &mut String, rates: &Rates, when: &str) {
    for (what, rate) in [
        ("input", rates.input),
        ("input from the cache", rates.cache_read),
        ("input into the cache for 5 minutes", rates.cache_write),
        ("input into the cache for an hour", rates.cache_write_1h),
        ("output", rates.output),
        ("reasoning", rates.reasoning),
    ] {
        line(text, &format!("{what}{when}"), rate, A_MILLION_TOKENS);
    }
}

fn class(tier: Tier) -> String {
    match tier.name() {
        "" => String::new(),
        name => format!(", {name}"),
    }
}

/// A line for a rate in pico-dollars, if there is one, in dollars for so many units.
fn line(text: &mut String, what: &str, rate: Option<u64>, (units, unit): (f64, &str)) {
    let Some(rate) = rate else {
        return;
    };
    let dollars = rate as f64 / PICO * units;
    // Six digits behind the point are a millionth of a dollar for a million; more are the rounding of a list.
    let shown = format!("{dollars:.6}");
    let shown = shown.trim_end_matches('0');
    let digits = shown.len() - shown.find('.').map_or(shown.len(), |at| at + 1);
    let padding = "0".repeat(2_usize.saturating_sub(digits));
    let _ = writeln!(text, "  {what}: ${shown}{padding} a {unit}");
}
