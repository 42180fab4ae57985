//! How long are a client's prompts and answers?
//!
//! `{"0": {"input_tokens": "{12: 0.5, 90: 0.5}", "output_tokens": …}, "21600": …}`: histograms by the start of a window.
//! A histogram is the text of a Python dictionary, and is also accepted as a JSON object or a list whose positions are the tokens.
//! Multimodal clients have `text_tokens`, and `image_count` with `image_tokens` each, likewise for audio and video.
//!
//! # Invariants
//! - Weights need not sum to 1: they are shares of their sum, which is finite and above 0.

use rand::{Rng, RngExt};
use serde_json::{Map, Value};

use crate::trace::read::gather::Flaw;
use crate::trace::read::json;
use crate::trace::read::table::whole;

/// What a prompt may hold besides text.
const MEDIA: [&str; 3] = ["image", "audio", "video"];

/// Most pieces of one medium in one prompt.
const MOST_PIECES: u32 = 1_000;

/// Values with the shares of those up to them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Histogram {
    /// Sums of weights; the last is that of all.
    sums: Vec<f64>,
    values: Vec<u32>,
}

impl Histogram {
    fn new(pairs: impl Iterator<Item = Result<(u32, f64), String>>) -> Result<Self, String> {
        let (mut found, mut sum) = (Self::default(), 0.0);
        for pair in pairs {
            let (value, weight) = pair?;
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(format!("has the weight {weight}"));
            }
            if weight > 0.0 {
                sum += weight;
                found.sums.push(sum);
                found.values.push(value);
            }
        }
        if !f64::is_finite(sum) {
            return Err("has weights without a finite sum".to_owned());
        }
        Ok(found)
    }

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::new(python(text)),
            Value::Object(pairs) => Self::new(pairs.iter().map(|(key, weight)| {
                let weight = weight.as_f64().ok_or_else(not_pairs)?;
                Ok((bin(key)?, weight))
            })),
            Value::Array(weights) => {
                Self::new(weights.iter().zip(0_u32..).map(|(weight, value)| {
                    let weight = weight.as_f64().ok_or_else(not_pairs)?;
                    Ok((value, weight))
                }))
            }
            _ => Err(not_pairs()),
        }
    }

    fn draw(&self, rng: &mut impl Rng) -> Option<u32> {
        let all = self.sums.last()?;
        let wanted = rng.random::<f64>() * all;
        let place = self.sums.partition_point(|&sum| sum <= wanted);
        self.values.get(place.min(self.values.len() - 1)).copied()
    }
}

fn not_pairs() -> String {
    "is no histogram: pairs of tokens and a weight".to_owned()
}

/// The pairs of a dictionary's text.
fn python(text: &str) -> impl Iterator<Item = Result<(u32, f64), String>> {
    let inside = text.trim().strip_prefix('{');
    let inside = inside.and_then(|it| it.strip_suffix('}'));
    let broken = inside.is_none().then(|| Err(not_pairs()));
    let pairs = inside.unwrap_or_default().split(',');
    let pairs = pairs.map(str::trim).filter(|it| !it.is_empty());
    let pairs = pairs.map(|pair| {
        let (key, weight) = pair.split_once(':').ok_or_else(not_pairs)?;
        let weight = weight.trim().parse::<f64>().map_err(|_| not_pairs())?;
        Ok((bin(key)?, weight))
    });
    broken.into_iter().chain(pairs)
}

fn bin(key: &str) -> Result<u32, String> {
    let key = key.trim().trim_matches(['"', '\'']);
    let number = key.parse::<f64>().map_err(|_| not_pairs())?;
    if number.is_nan() {
        return Err(not_pairs());
    }
    whole(number)
}

/// The histograms from one start on.
#[derive(Clone, Debug, Default)]
struct Window {
    from_s: f64,
    input: Histogram,
    output: Histogram,
    /// For each of [`MEDIA`]: how many pieces, and the tokens of each.
    media: [(Histogram, Histogram); 3],
}

/// A client's histograms over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    windows: Vec<Window>,
}

impl Lengths {
    /// Reads a client's file; with nothing in it, it is refused.
    ///
    /// # Errors
    /// The line and what is wrong in it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, (u64, Flaw)> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err((1, untold()));
        }
        let parsed: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| (error.line() as u64, json::flaw(&error)))?;
        let mut windows = Vec::new();
        for (start, fields) in &parsed {
            let window = window(start, fields);
            let window =
                window.map_err(|reason| (1, Flaw::line(format!("window {start}: {reason}"))));
            windows.extend(window?);
        }
        if windows.is_empty() {
            return Err((1, untold()));
        }
        windows.sort_by(|one: &Window, other| one.from_s.total_cmp(&other.from_s));
        Ok(Self { windows })
    }

    /// Input and output tokens of a request of the window that begins at `at_s`; of the first histograms, if that is before them.
    pub(super) fn draw(&self, at_s: f64, rng: &mut impl Rng) -> Option<(u32, u32)> {
        let later = self.windows.partition_point(|it| it.from_s <= at_s);
        let window = self.windows.get(later.saturating_sub(1))?;
        let mut input = window.input.draw(rng)?;
        for (count, tokens) in &window.media {
            let pieces = count.draw(rng).unwrap_or(0).min(MOST_PIECES);
            for _ in 0..pieces {
                input = input.saturating_add(tokens.draw(rng).unwrap_or(0));
            }
        }
        Some((input, window.output.draw(rng)?))
    }
}

fn untold() -> Flaw {
    Flaw::line("tells no lengths: the client's requests are left out")
}

/// The histograms of one window; `None` where one that is needed is empty, as in a window without requests.
fn window(start: &str, fields: &Value) -> Result<Option<Window>, String> {
    let from_s = start.trim().parse::<f64>();
    let from_s = from_s.map_err(|_| "has a start that is no number".to_owned())?;
    let field = |name: &str| match fields.get(name) {
        Some(value) => Histogram::read(value).map_err(|reason| format!("`{name}` {reason}")),
        None => Ok(Histogram::default()),
    };
    let mut input = field("input_tokens")?;
    if input.values.is_empty() {
        input = field("text_tokens")?;
    }
    let output = field("output_tokens")?;
    let mut media: [(Histogram, Histogram); 3] = Default::default();
    for (name, slot) in MEDIA.into_iter().zip(&mut media) {
        *slot = (
            field(&format!("{name}_count"))?,
            field(&format!("{name}_tokens"))?,
        );
    }
    let told = !input.values.is_empty() && !output.values.is_empty();
    Ok(told.then_some(Window {
        from_s,
        input,
        output,
        media,
    }))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn a_dictionary_an_object_and_a_list_are_one_histogram() {
        let texts = [
            r#""{2: 0.25, 3: 0.75}""#,
            r#"{"2": 0.25, "3": 0.75}"#,
            "[0, 0, 0.25, 0.75]",
        ];
        for text in texts {
            let value: Value = serde_json::from_str(text).unwrap();
            let read = Histogram::read(&value).unwrap();
            assert_eq!(read.values, [2, 3], "{text}");
            assert_eq!(read.sums, [0.25, 1.0], "{text}");
        }
        for text in [
            "\"12\"",
            "\"{1}\"",
            "\"{1: x}\"",
            "\"{-1: 1}\"",
            "\"{1: -1}\"",
            "\"{1: inf}\"",
            "7",
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert!(Histogram::read(&value).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_latest_window_begun() {
        let text = br#"{"0": {"input_tokens": "{10: 1}", "output_tokens": "{1: 1}"},
            "100": {"input_tokens": "{}", "output_tokens": "{}"},
            "21600": {"text_tokens": "{20: 1}", "output_tokens": "{2: 1}", "image_count": "{3: 1}", "image_tokens": "{1000: 1}"}}"#;
        let lengths = Lengths::read(text).unwrap();
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(lengths.draw(0.0, &mut rng), Some((10, 1)));
        assert_eq!(lengths.draw(21_599.0, &mut rng), Some((10, 1)));
        assert_eq!(lengths.draw(21_600.0, &mut rng), Some((3_020, 2)));
        assert_eq!(Lengths::default().draw(0.0, &mut rng), None);
        for text in [
            "",
            "{}",
            "{\"0\": {}}",
            "[]",
            "{\"x\": {\"input_tokens\": []}}",
        ] {
            assert!(Lengths::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
