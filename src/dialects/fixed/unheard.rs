//! Which parameters of a workflow does none of its routes understand?
//!
//! A parameter is understood by a route if it reaches the provider from clients of the provider's own words, or from those of OpenAI's chat completions, whose names parameters have.
//!
//! # Invariants
//! - A route that serves no conversations is taken to understand everything: what it takes is its vendor's business.

use std::collections::BTreeMap;

use super::omitted::{Omitted, meant};
use super::seat::{Seat, seat};
use crate::config::{Config, Model, RouteSpec};
use crate::dialects::convert;
use crate::dialects::format::{Endpoint, Format, Speaker};
use crate::dialects::meeting::Target;

/// The most output tokens that are asked for where nobody says how many.
const MAX_TOKENS: u32 = 4_096;

/// A parameter that every route of a workflow leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// The workflow's name.
    pub workflow: String,
    /// The parameter's name.
    pub parameter: String,
}

impl Unheard {
    /// What is to be said of it.
    pub const MESSAGE: &str = "no route of the workflow has a place for it in chat completions or in its provider's own words; requests go without it, as x-trimtab-dropped says";

    /// The key in the configuration.
    #[must_use]
    pub fn path(&self) -> String {
        format!("workflows.{}.parameters.{}", self.workflow, self.parameter)
    }
}

/// Every parameter of a workflow that none of its routes understands, in the order of the file.
#[must_use]
pub fn unheard(config: &Config) -> Vec<Unheard> {
    let mut found = Vec::new();
    for model in &config.models {
        let Some(workflow) = &model.workflow else {
            continue;
        };
        for (name, value) in &workflow.parameters {
            let mut routes = model.routes.iter();
            if !routes.any(|route| is_heard(config, route, (name, value))) {
                found.push(Unheard {
                    workflow: workflow_name(model).to_owned(),
                    parameter: name.clone(),
                });
            }
        }
    }
    found
}

fn workflow_name(model: &Model) -> &str {
    let name = model.name.strip_prefix(Model::WORKFLOWS);
    name.unwrap_or(&model.name)
}

/// Whether a route understands a parameter.
fn is_heard(config: &Config, route: &RouteSpec, (name, value): (&str, &str)) -> bool {
    let provider = &config.providers[route.provider];
    let speaker = Speaker {
        dialect: provider.dialect,
        serves: provider.serves,
        model: &route.model,
    };
    let Some(format) = speaker.format(Endpoint::Chat) else {
        return true;
    };
    let spoken_by_clients = format.surface().is_some();
    if spoken_by_clients && !matches!(seat(format, name), Seat::Nowhere) {
        return true;
    }
    let alone = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    if Omitted::of(Format::Chat, &alone)
        .names(format)
        .next()
        .is_some()
    {
        return false;
    }
    // Why: a value that is refused is told to whoever calls the workflow.
    let Some(meant) = meant(Format::Chat, &alone) else {
        return true;
    };
    let target = Target {
        model: &route.model,
        default_max_tokens: MAX_TOKENS,
        most_max_tokens: None,
    };
    let (_, losses) = convert::write(format, &meant, &target);
    !losses.names().any(|lost| lost == name)
}
