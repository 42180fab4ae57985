//! Reads the price map that LiteLLM publishes, and writes it as a catalogue.
//!
//! The map is JSON: `vendor/model` to fields such as `input_cost_per_token`, in dollars a unit, with the suffixes `_above_200k_tokens`, `_batches`, `_flex` and `_priority`.
//! Fields that nothing here can charge, such as the minute of a code interpreter, are left out and counted.
//!
//! # Invariants
//! - A price is taken over to the nearest pico-dollar; one that is negative, not a number or beyond [`DEAREST`] is refused with its name.
//! - Of two entries for one model, the one with more prices stays.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::line;
use super::tariff::Tariff;

/// Dollars that one unit costs at most: a second of the dearest film is below ten.
const DEAREST: f64 = 1_000.0;

/// Pico-dollars in a dollar.
const PICO: f64 = 1e12;

/// How the map's vendors are called here, where they are called otherwise.
const VENDORS: [(&str, &str); 12] = [
    ("azure_ai", "azure"),
    ("azure_text", "azure"),
    ("bedrock_converse", "bedrock"),
    ("bedrock_mantle", "bedrock"),
    ("cohere_chat", "cohere"),
    ("fal_ai", "fal"),
    ("fireworks_ai", "fireworks"),
    ("nvidia_nim", "nvidia"),
    ("text-completion-openai", "openai"),
    ("together_ai", "together"),
    ("black_forest_labs", "bfl"),
    ("hosted_vllm", "vllm"),
];

/// What a field prices, and its code.
const UNITS: [(&str, &str); 18] = [
    ("input_cost_per_token", "i"),
    ("output_cost_per_token", "o"),
    ("cache_read_input_token_cost", "r"),
    ("cache_creation_input_token_cost", "w"),
    ("cache_creation_input_token_cost_above_1hr", "w1h"),
    ("output_cost_per_reasoning_token", "t"),
    ("input_cost_per_audio_token", "ai"),
    ("output_cost_per_audio_token", "ao"),
    ("input_cost_per_image_token", "pi"),
    ("output_cost_per_image_token", "po"),
    ("output_cost_per_image", "im"),
    ("output_cost_per_pixel", "px"),
    ("input_cost_per_pixel", "px"),
    ("input_cost_per_second", "s"),
    ("output_cost_per_second", "s"),
    ("input_cost_per_character", "ch"),
    ("input_cost_per_query", "q"),
    ("input_cost_per_request", "rq"),
];

/// Why a map is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSheet {
    /// It is not the JSON that is expected.
    #[error("this is not LiteLLM's price map: {0}")]
    NotJson(String),
    /// A price is impossible.
    #[error("`{model}`: `{field}` is {value}; a price is 0 to {DEAREST} dollars")]
    Price {
        /// The model.
        model: String,
        /// The field.
        field: String,
        /// What it says.
        value: String,
    },
    /// It holds no price.
    #[error("there is no price in it")]
    Empty,
}

/// A map, taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    /// Tariffs by `vendor/model`.
    pub(super) tariffs: BTreeMap<String, Tariff>,
    /// Prices that nothing here can charge.
    pub(super) left_out: usize,
}

/// Takes a map over.
///
/// # Errors
/// [`BadSheet`]; nothing is taken over then.
pub(super) fn read(json: &[u8]) -> Result<Sheet, BadSheet> {
    let map: Map<String, Value> =
        serde_json::from_slice(json).map_err(|error| BadSheet::NotJson(error.to_string()))?;
    let mut sheet = Sheet::default();
    for (key, entry) in &map {
        let (Some(entry), false) = (entry.as_object(), key == "sample_spec") else {
            continue;
        };
        let Some(vendor) = entry.get("litellm_provider").and_then(Value::as_str) else {
            continue;
        };
        let (name, picture) = name(vendor, key);
        let (tariff, left_out) = tariff(key, entry)?;
        sheet.left_out += left_out;
        put(&mut sheet.tariffs, name, tariff, picture);
    }
    if sheet.tariffs.is_empty() {
        return Err(BadSheet::Empty);
    }
    Ok(sheet)
}

fn put(
    tariffs: &mut BTreeMap<String, Tariff>,
    name: String,
    tariff: Tariff,
    picture: Option<(String, String)>,
) {
    if tariff == Tariff::default() {
        return;
    }
    let Some((quality, size)) = picture else {
        let richness = |tariff: &Tariff| tariff.to_string().len();
        let held = tariffs.entry(name).or_default();
        let pictures = std::mem::take(&mut held.pictures);
        if richness(held) < richness(&tariff) {
            *held = tariff;
        }
        held.pictures = pictures;
        return;
    };
    // What a pixel costs at one size is what a picture of that size costs.
    let pixels = size
        .split_once('x')
        .and_then(|(width, height)| Some(width.parse::<u64>().ok()? * height.parse::<u64>().ok()?));
    let by_pixel = tariff.pixel.zip(pixels).map(|(rate, pixels)| rate * pixels);
    if let Some(rate) = tariff.image.or(by_pixel) {
        let (quality, size) = (quality.into(), size.into());
        let held = tariffs.entry(name).or_default();
        held.pictures.push(super::tariff::Picture {
            quality,
            size,
            rate,
        });
    }
}

/// `vendor/model` as it is called here, and for which quality and size the entry is, if for any.
fn name(vendor: &str, key: &str) -> (String, Option<(String, String)>) {
    let own = match VENDORS.iter().find(|(theirs, _)| *theirs == vendor) {
        Some((_, ours)) => ours,
        None if vendor.starts_with("vertex_ai") => "vertex",
        None => vendor,
    };
    let parts: Vec<&str> = key.split('/').collect();
    let is_size = |part: &&str| {
        let mut sides = part.split("-x-");
        let both = [sides.next(), sides.next()];
        both.iter().all(|side| {
            side.is_some_and(|side| !side.is_empty() && side.bytes().all(|it| it.is_ascii_digit()))
        })
    };
    let size = parts.iter().position(is_size);
    let theirs = [vendor, own, "vertex_ai", "bedrock"];
    let skip = usize::from(theirs.contains(&parts[0]) && parts.len() > 1);
    let Some(size) = size else {
        return (format!("{own}/{}", parts[skip..].join("/")), None);
    };
    let quality = parts[skip..size].join("/");
    let mut rest = &parts[size + 1..];
    let mut steps = String::new();
    if let [first, after @ ..] = rest
        && first.ends_with("-steps")
    {
        (*first).clone_into(&mut steps);
        rest = after;
    }
    if let [first, after @ ..] = rest
        && theirs.contains(first)
        && !after.is_empty()
    {
        rest = after;
    }
    let quality = if quality.is_empty() { steps } else { quality };
    let size = parts[size].replace("-x-", "x");
    (format!("{own}/{}", rest.join("/")), Some((quality, size)))
}

fn tariff(key: &str, entry: &Map<String, Value>) -> Result<(Tariff, usize), BadSheet> {
    let mut codes = String::new();
    let mut left_out = 0;
    for (field, value) in entry {
        if !field.contains("cost") {
            continue;
        }
        let dollars = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let (Some(dollars), Some(code)) = (dollars, code(field)) else {
            left_out += 1;
            continue;
        };
        if !(0.0..=DEAREST).contains(&dollars) {
            return Err(BadSheet::Price {
                model: key.to_owned(),
                field: field.clone(),
                value: value.to_string(),
            });
        }
        let held = codes.contains(&format!("{code}="));
        // A unit may be priced on the way in and on the way out; one of them is zero.
        if !held || dollars > 0.0 {
            codes.push_str(&format!("{code}={} ", (dollars * PICO).round() as u64));
        }
    }
    let mut tariff = line::read(&codes).unwrap_or_default();
    let most = entry.get("max_output_tokens").and_then(Value::as_u64);
    tariff.max_output = most.and_then(|most| u32::try_from(most).ok());
    if codes.is_empty() {
        tariff = Tariff::default();
    }
    Ok((tariff, left_out))
}

/// The code of a field; none where nothing here can charge it.
fn code(field: &str) -> Option<String> {
    let (rest, tier) = [
        ("_batches", "/batch"),
        ("_flex", "/flex"),
        ("_priority", "/priority"),
    ]
    .iter()
    .find_map(|(suffix, tier)| Some((field.strip_suffix(suffix)?, *tier)))
    .unwrap_or((field, ""));
    let (unit, above) = match rest
        .split_once("_above_")
        .filter(|_| rest.ends_with("k_tokens"))
    {
        Some((unit, above)) => {
            // "above_1hr_above_200k_tokens"
            let (unit, above) = match above.split_once("_above_") {
                Some((time, above)) => (format!("{unit}_above_{time}"), above),
                None => (unit.to_owned(), above),
            };
            let thousands: u64 = above.strip_suffix("k_tokens")?.parse().ok()?;
            (unit, format!("@{}", thousands * 1_000))
        }
        None => (rest.to_owned(), String::new()),
    };
    let (_, code) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let of_tokens = matches!(*code, "i" | "o" | "r" | "w" | "w1h" | "t");
    let plain = tier.is_empty() && above.is_empty();
    (of_tokens || plain).then(|| format!("{code}{above}{tier}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(json: &str) -> Vec<String> {
        let sheet = read(json.as_bytes()).unwrap();
        let line = |(name, tariff): (&String, &Tariff)| format!("{name}\t{tariff}");
        sheet.tariffs.iter().map(line).collect()
    }

    #[test]
    fn entries_become_lines() {
        for (json, lines) in [
            (
                r#"{"gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "cache_read_input_token_cost": 7.5e-08, "input_cost_per_token_batches": 7.5e-08, "max_output_tokens": 16384, "mode": "chat", "search_context_cost_per_query": {}}}"#,
                vec!["openai/gpt-4o-mini\ti=150000 r=75000 o=600000 i/batch=75000 max=16384"],
            ),
            (
                r#"{"gemini/gemini-2.5-pro": {"litellm_provider": "gemini", "input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens_flex": 7.5e-06}}"#,
                vec!["gemini/gemini-2.5-pro\ti=1250000 i@200000=2500000 o@200000/flex=7500000"],
            ),
            (
                r#"{"claude-x": {"litellm_provider": "anthropic", "cache_creation_input_token_cost_above_1hr": 6e-06, "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05}}"#,
                vec!["anthropic/claude-x\tw1h=6000000 w1h@200000=12000000"],
            ),
            (
                r#"{"low/1024-x-1024/gpt-image-1": {"litellm_provider": "openai", "input_cost_per_pixel": 1.0490417e-08, "output_cost_per_pixel": 0.0}, "gpt-image-1": {"litellm_provider": "openai", "input_cost_per_token": 5e-06}}"#,
                vec!["openai/gpt-image-1\ti=5000000 im:low:1024x1024=10999562240"],
            ),
            (
                r#"{"1024-x-1024/50-steps/bedrock/amazon.nova-canvas-v1:0": {"litellm_provider": "bedrock", "output_cost_per_image": 0.06}}"#,
                vec!["bedrock/amazon.nova-canvas-v1:0\tim:50-steps:1024x1024=60000000000"],
            ),
            (
                r#"{"vertex_ai/claude-3-5-haiku": {"litellm_provider": "vertex_ai-anthropic_models", "input_cost_per_token": "1e-06"}, "us.amazon.nova-lite-v1:0": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 6e-08}}"#,
                vec![
                    "bedrock/us.amazon.nova-lite-v1:0\ti=60000",
                    "vertex/claude-3-5-haiku\ti=1000000",
                ],
            ),
        ] {
            assert_eq!(one(json), lines);
        }
    }

    #[test]
    fn impossible_prices_are_refused() {
        for value in ["-1e-06", "1001", "1e300"] {
            let json = format!(
                r#"{{"m": {{"litellm_provider": "openai", "input_cost_per_token": {value}}}}}"#
            );
            let error = read(json.as_bytes()).unwrap_err();
            assert!(matches!(error, BadSheet::Price { .. }), "{value}: {error}");
        }
        assert_eq!(read(b"{}"), Err(BadSheet::Empty));
        assert!(matches!(read(b"[]"), Err(BadSheet::NotJson(_))));
        assert!(matches!(read(b"<html>"), Err(BadSheet::NotJson(_))));
    }
}
