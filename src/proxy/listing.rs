//! Which models are there, in the words of whoever asks?
//!
//! # Invariants
//! - A key sees what it may ask for, and nothing else exists for it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::serving::Serving;
use crate::dialects::format::Surface;
use crate::dialects::{anthropic, gemini};
use crate::governance::Member;
use crate::routing::Snapshot;

/// The whole list, in OpenAI's, Anthropic's and Gemini's words.
#[derive(Debug)]
pub(super) struct Listing([Bytes; 3]);

impl Listing {
    pub(super) fn of(routing: &Snapshot) -> Self {
        let names: Vec<&str> = routing.models.iter().map(|model| &*model.name).collect();
        let surfaces = [Surface::OpenAi, Surface::Anthropic, Surface::Gemini];
        Self(surfaces.map(|surface| list(surface, &names)))
    }
}

impl Serving {
    /// The answer to `GET /v1/models` in these words, for who asks.
    #[must_use]
    pub fn models_json(&self, surface: Surface, payer: Option<&Member>) -> Bytes {
        if let Some(payer) = payer {
            let models = self.routing.models.iter().map(|model| &*model.name);
            let allowed: Vec<&str> = models.filter(|name| payer.may_ask(name).is_ok()).collect();
            if allowed.len() < self.routing.models.len() {
                return list(surface, &allowed);
            }
        }
        let Listing([openai, anthropic, gemini]) = &self.listing;
        match surface {
            Surface::OpenAi => openai.clone(),
            Surface::Anthropic => anthropic.clone(),
            Surface::Gemini => gemini.clone(),
        }
    }

    /// The answer to `GET /v1/models/{id}` in these words, if there is such a model for who asks.
    #[must_use]
    pub fn model_json(
        &self,
        surface: Surface,
        name: &str,
        payer: Option<&Member>,
    ) -> Option<Bytes> {
        self.routing.find(name)?;
        if payer.is_some_and(|payer| payer.may_ask(name).is_err()) {
            return None;
        }
        Some(match surface {
            Surface::OpenAi => Bytes::from(object(name).to_string()),
            Surface::Anthropic => anthropic::models::one(name),
            Surface::Gemini => gemini::models::one(name),
        })
    }
}

fn list(surface: Surface, names: &[&str]) -> Bytes {
    let names = names.iter().copied();
    match surface {
        Surface::OpenAi => {
            let data: Vec<Value> = names.map(object).collect();
            Bytes::from(json!({"object": "list", "data": data}).to_string())
        }
        Surface::Anthropic => anthropic::models::list(names),
        Surface::Gemini => gemini::models::list(names),
    }
}

fn object(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "trimtab"})
}
