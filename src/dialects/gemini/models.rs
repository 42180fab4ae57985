//! Which models are there, in Gemini's shape?
//!
//! # Invariants
//! - A model's name is written as `models/NAME`, which Google's clients take as it is.

use bytes::Bytes;
use serde::Serialize;

/// What every model is said to be able to; whether a route can is found out when it is asked.
const METHODS: &[&str] = &[
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Model<'a> {
    name: String,
    display_name: &'a str,
    supported_generation_methods: &'static [&'static str],
}

#[derive(Serialize)]
struct List<'a> {
    models: Vec<Model<'a>>,
}

fn model(name: &str) -> Model<'_> {
    Model {
        name: format!("models/{name}"),
        display_name: name,
        supported_generation_methods: METHODS,
    }
}

/// All models of these names, on one page.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let models = names.into_iter().map(model).collect();
    Bytes::from(serde_json::to_vec(&List { models }).unwrap_or_default())
}

/// The model of this name.
#[must_use]
pub fn one(name: &str) -> Bytes {
    Bytes::from(serde_json::to_vec(&model(name)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_their_prefix() {
        let value: serde_json::Value = serde_json::from_slice(&list(["a", "b/c"])).unwrap();
        assert_eq!(value["models"][1]["name"], "models/b/c");
        let alone: serde_json::Value = serde_json::from_slice(&one("a")).unwrap();
        assert_eq!(alone, value["models"][0]);
        assert_eq!(alone["supportedGenerationMethods"][0], "generateContent");
    }
}
