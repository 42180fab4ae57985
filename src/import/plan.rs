//! What will be written, before it is text?
//!
//! Sources say per deployment which key it uses; in a configuration each key of a provider serves every route to it.
//! So deployments become one provider only where they share the place and all the keys, and the meaning stays exact.
//!
//! # Invariants
//! - Names are unique and may stand in a configuration.
//! - Two routes of one model differ in provider or model.
//! - No fallback leads back to where it began.

use std::collections::BTreeMap;

use super::tree::{Fate, Remark, Tree};
use super::vendor;
use crate::config::Vendor;

/// Longest provider, key and region name, characters.
const LONGEST_NAME: usize = 64;

/// Longest model name, bytes.
const LONGEST_MODEL: usize = 128;

/// What a weight of 0 becomes: weights are above 0, and this serves one request in a thousand.
pub(super) const LEAST_WEIGHT: f64 = 0.001;

/// Everything that a configuration will say.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The credential of clients, as written in the file.
    pub(super) token: Option<String>,
    pub(super) timeouts: Clocks,
    pub(super) retry: Retries,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<Model>,
}

/// Clocks, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clocks {
    pub(super) connect: Option<f64>,
    pub(super) head: Option<f64>,
    pub(super) first_token: Option<f64>,
    pub(super) between_tokens: Option<f64>,
    pub(super) total: Option<f64>,
}

/// Attempts and back-off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Retries {
    /// Attempts in all, 1 to 16.
    pub(super) max_attempts: Option<u32>,
    /// First back-off, seconds.
    pub(super) base: Option<f64>,
    /// Longest back-off, seconds.
    pub(super) cap: Option<f64>,
}

/// A provider and its keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) keys: Vec<Key>,
}

/// Where a provider is and how it is spoken to; texts are as written in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// The provider's name, if it is free.
    pub(super) name: String,
    /// Who is there; none for one that is not known.
    pub(super) vendor: Option<&'static Vendor>,
    pub(super) base_url: String,
    pub(super) region: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
}

/// One credential.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Key {
    pub(super) name: String,
    /// As written in the file; none for a provider that asks for none.
    pub(super) secret: Option<String>,
    pub(super) weight: Option<f64>,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) tokens_per_minute: Option<u32>,
    pub(super) concurrency: Option<u32>,
}

/// A name that clients ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) routes: Vec<Route>,
    pub(super) fallbacks: Vec<String>,
    pub(super) larger_context: Option<String>,
    pub(super) timeouts: Clocks,
    pub(super) retry: Retries,
}

/// One way to serve a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    /// Name of the provider.
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) weight: f64,
    /// Dollars per million tokens.
    pub(super) price_input: Option<f64>,
    /// Dollars per million tokens.
    pub(super) price_output: Option<f64>,
}

/// Which reference between models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Fallback,
    LargerContext,
}

impl Plan {
    /// The name of the provider at this place with these keys: the one there is, else a new one.
    pub(super) fn provider(&mut self, place: Place, keys: Vec<Key>) -> String {
        let keys = with_unique_names(keys);
        let known = |it: &&Provider| it.place == place && it.keys == keys;
        if let Some(known) = self.providers.iter().find(known) {
            return known.name.clone();
        }
        let taken: Vec<&str> = self.providers.iter().map(|it| it.name.as_str()).collect();
        let name = unique(&place.name, &taken);
        self.providers.push(Provider {
            name: name.clone(),
            place,
            keys,
        });
        name
    }

    /// The model of this name, made if need be.
    pub(super) fn model(&mut self, name: &str) -> &mut Model {
        let at = match self.models.iter().position(|model| model.name == name) {
            Some(at) => at,
            None => {
                self.models.push(Model {
                    name: name.to_owned(),
                    ..Model::default()
                });
                self.models.len() - 1
            }
        };
        &mut self.models[at]
    }

    pub(super) fn has_model(&self, name: &str) -> bool {
        self.models.iter().any(|model| model.name == name)
    }

    /// Makes one model refer to another; says why if it cannot.
    pub(super) fn link(&mut self, from: &str, to: &str, link: Link) -> Result<(), &'static str> {
        if !self.has_model(from) || !self.has_model(to) {
            return Err("it names a model that is not in the file");
        }
        if from == to || self.leads(to, from, link) {
            return Err("it leads back to where it began");
        }
        let model = self.model(from);
        match link {
            Link::Fallback if !model.fallbacks.iter().any(|name| name == to) => {
                model.fallbacks.push(to.to_owned());
            }
            Link::Fallback => {}
            Link::LargerContext => model.larger_context = Some(to.to_owned()),
        }
        Ok(())
    }

    /// Whether following `link` from one model comes to another.
    fn leads(&self, from: &str, to: &str, link: Link) -> bool {
        let mut open = vec![from];
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let Some(model) = self.models.iter().find(|model| model.name == name) else {
                continue;
            };
            match link {
                Link::Fallback => open.extend(model.fallbacks.iter().map(String::as_str)),
                Link::LargerContext => open.extend(model.larger_context.as_deref()),
            }
        }
        false
    }
}

impl Place {
    /// The vendor that the file names: another place that speaks like OpenAI is not OpenAI.
    pub(super) fn named(&self) -> Option<&'static Vendor> {
        self.vendor
            .filter(|it| it.name != vendor::OPENAI || it.base_url == self.base_url)
    }
}

impl Model {
    /// Adds a route; one to the same model of the same provider only adds its weight.
    pub(super) fn add(&mut self, route: Route) {
        let same = |it: &&mut Route| it.provider == route.provider && it.model == route.model;
        match self.routes.iter_mut().find(same) {
            Some(known) => known.weight += route.weight,
            None => self.routes.push(route),
        }
    }
}

impl Key {
    /// A key named after where its secret comes from.
    pub(super) fn of(secret: Option<String>) -> Self {
        let variable = secret
            .as_deref()
            .and_then(|it| it.strip_prefix("${"))
            .and_then(|it| it.split('}').next())
            .unwrap_or("main");
        Self {
            name: name(&variable.to_ascii_lowercase().replace('_', "-")),
            secret,
            ..Self::default()
        }
    }
}

/// Makes a text a name of a provider, a key or a region.
pub(super) fn name(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let made: String = text
        .chars()
        .take(LONGEST_NAME)
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    if made.is_empty() {
        "unnamed".to_owned()
    } else {
        made
    }
}

/// Makes a text the name of a model, and remarks on it if it had to be changed.
pub(super) fn model_name(text: &str, path: &str, tree: &Tree) -> String {
    let allowed = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    let made: String = text
        .chars()
        .take(LONGEST_MODEL)
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let made = if made.is_empty() {
        "unnamed".to_owned()
    } else {
        made
    };
    if made != text {
        tree.remark(Remark {
            path: path.to_owned(),
            fate: Fate::Changed,
            why: "a model's name has at most 128 visible ASCII characters".to_owned(),
            advice: format!("have clients ask for {made:?}"),
        });
    }
    made
}

/// The name itself or, if it is taken, with a number behind it.
fn unique(wanted: &str, taken: &[&str]) -> String {
    let mut made = wanted.to_owned();
    let mut number = 1_u32;
    while taken.contains(&made.as_str()) {
        number += 1;
        let room = LONGEST_NAME.saturating_sub(11);
        let short: String = wanted.chars().take(room).collect();
        made = format!("{short}-{number}");
    }
    made
}

fn with_unique_names(keys: Vec<Key>) -> Vec<Key> {
    let mut done: Vec<Key> = Vec::with_capacity(keys.len());
    for key in keys {
        let taken: Vec<&str> = done.iter().map(|it| it.name.as_str()).collect();
        let name = unique(&key.name, &taken);
        done.push(Key { name, ..key });
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reference_leads_back() {
        let mut plan = Plan::default();
        for name in ["a", "b", "c"] {
            plan.model(name);
        }
        let fallback = Link::Fallback;
        assert_eq!(plan.link("a", "b", fallback), Ok(()));
        assert_eq!(plan.link("b", "c", fallback), Ok(()));
        assert!(plan.link("c", "a", fallback).is_err());
        assert!(plan.link("a", "a", fallback).is_err());
        assert!(plan.link("a", "nowhere", fallback).is_err());
        assert_eq!(plan.link("c", "a", Link::LargerContext), Ok(()));
    }

    #[test]
    fn names_are_made_usable_and_unique() {
        assert_eq!(name("a b/c"), "a-b-c");
        assert_eq!(name(""), "unnamed");
        assert_eq!(name(&"x".repeat(99)).len(), LONGEST_NAME);
        assert_eq!(unique("a", &["a", "a-2"]), "a-3");
        let keys = with_unique_names(vec![Key::of(None), Key::of(None)]);
        assert_eq!(keys[1].name, "main-2");
        assert_eq!(Key::of(Some("${OPENAI_KEY}".to_owned())).name, "openai-key");
    }
}
