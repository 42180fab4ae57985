//! Which workflows are there?
//!
//! A workflow becomes one more model: the routes of the one that it is based on, so that they share statistics, with settings of its own.
//!
//! # Invariants
//! - Workflows come after all models, so that the indexes of models are what they were.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::raw::{Json, RawLimits, RawWorkflow};
use super::super::report::Problem;
use super::super::routes::Model;
use super::super::shape::join;
use super::super::workflow::{Limits, Workflow};
use super::super::written::{At, Named};
use super::Resolver;
use super::models::{Index, recovery};

/// Parameters that are the workflow's or the client's to say in another way, and how.
const NOT_PARAMETERS: [(&str, &str); 6] = [
    ("model", "the workflow's `model` says it"),
    ("messages", "put instructions into `system`"),
    ("system", "put instructions into the workflow's `system`"),
    ("instructions", "put instructions into `system`"),
    ("input", "it is what the client asks"),
    ("prompt", "it is what the client asks"),
];

/// What a date or time is wrapped in when TOML is read as another format's value.
const DATETIME: &str = "$__toml_private_datetime";

impl Resolver<'_, '_> {
    /// Adds a model for each workflow.
    pub(super) fn workflows(
        &mut self,
        raw: &Named<RawWorkflow>,
        models: &mut Vec<Model>,
        index: &Index<'_>,
    ) {
        for (name, raw) in &raw.0 {
            let path = join("workflows", &name.value);
            self.name(&path, &name.value, &name.span);
            let base = raw
                .model
                .as_ref()
                .and_then(|at| self.model_named(at, &format!("{path}.model"), index));
            let workflow = self.workflow(raw, &path, index);
            let rules = self.rules(&raw.rules, &path, index);
            let Some(base) = base else {
                continue;
            };
            self.falls_back_to_itself(raw, &path);
            let base = models[base].clone();
            models.push(Model {
                name: format!("{}{}", Model::WORKFLOWS, name.value),
                fallbacks: workflow.fallbacks.clone().unwrap_or(base.fallbacks),
                larger_context: base.larger_context,
                stream_recovery: recovery(raw.stream_recovery.as_ref())
                    .unwrap_or(base.stream_recovery),
                cache: self.caching(&raw.cache, &format!("{path}.cache"), &base.cache),
                timeouts: self.timeouts(&raw.timeouts, &format!("{path}.timeouts"), base.timeouts),
                retry: self.model_retry(&raw.retry, &format!("{path}.retry"), base.retry),
                routes: base.routes,
                rules: if raw.rules.is_empty() {
                    base.rules
                } else {
                    rules
                },
                workflow: Some(workflow),
            });
        }
    }

    fn workflow(&mut self, raw: &RawWorkflow, path: &str, index: &Index<'_>) -> Workflow {
        let fallbacks = raw.fallbacks.as_ref();
        Workflow {
            parameters: self.parameters(&raw.parameters, path),
            system: raw.system.as_ref().map(|at| at.value.clone()),
            limits: limits(&raw.limits),
            fallbacks: fallbacks.map(|raw| self.fallbacks(raw, path, index)),
        }
    }

    fn parameters(&mut self, raw: &Named<Json>, workflow: &str) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::new();
        for (name, Json(value)) in &raw.0 {
            let known = NOT_PARAMETERS
                .iter()
                .find(|(known, _)| *known == name.value);
            if let Some((known, help)) = known {
                let path = format!("{workflow}.parameters.{known}");
                let message = format!("{known:?} is no parameter");
                self.source.report(
                    Problem::new(path, name.span.clone(), message)
                        .expected("expected a parameter such as temperature")
                        .help(*help),
                );
            }
            let value = with_dates_as_text(value.clone());
            parameters.insert(name.value.clone(), value.to_string());
        }
        parameters
    }

    fn falls_back_to_itself(&mut self, raw: &RawWorkflow, path: &str) {
        let Some(base) = &raw.model else {
            return;
        };
        let places = raw.fallbacks.iter().flatten().enumerate();
        for (place, at) in places.filter(|(_, at)| at.value == base.value) {
            let message = format!("{path} falls back to its own model, {:?}", at.value);
            self.source.report(
                Problem::new(
                    format!("{path}.fallbacks[{place}]"),
                    at.span.clone(),
                    message,
                )
                .expected("its model already")
                .help("remove it: each model is tried once"),
            );
        }
    }
}

fn limits(raw: &RawLimits) -> Limits {
    let number = |at: Option<&At<u32>>| at.map(|at| at.value);
    Limits {
        requests_per_minute: number(raw.requests_per_minute.as_ref()),
        concurrency: number(raw.concurrency.as_ref()),
    }
}

/// JSON has no dates: a date is its text.
fn with_dates_as_text(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => match fields.remove(DATETIME) {
            Some(date) if fields.is_empty() => date,
            Some(date) => {
                fields.insert(DATETIME.to_owned(), date);
                Value::Object(fields)
            }
            None => fields
                .into_iter()
                .map(|(name, value)| (name, with_dates_as_text(value)))
                .collect(),
        },
        Value::Array(items) => items.into_iter().map(with_dates_as_text).collect(),
        plain => plain,
    }
}
