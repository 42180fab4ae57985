//! What does a configuration of LiteLLM's proxy say?
//!
//! `model_list` is a list of deployments; those of one `model_name` are the routes of one model, and each has its own key.
//! Sections and keys are those of LiteLLM's "Config.yaml" and "All settings" pages (docs.litellm.ai/docs/proxy/configs, October 2026).
//!
//! # Invariants
//! - As of [`tree`](super::tree): every leaf is taken or told.

use super::litellm_settings as settings;
use super::place::{self, Clues};
use super::plan::{Key, Plan, Route, model_name};
use super::secret;
use super::tree::{Fate, Node, Tree};
use super::{vendor, write};
use crate::config::Vendor;

/// Dollars per million tokens in one dollar per token.
const PER_MILLION: f64 = 1e6;

/// One entry of `model_list`.
struct Deployment {
    place: super::plan::Place,
    key: Key,
    /// The model's name at the provider.
    model: String,
    price_input: Option<f64>,
    price_output: Option<f64>,
    weight: Option<f64>,
}

/// Reads a whole configuration.
pub(super) fn read(tree: &Tree, asked: &[String]) -> Plan {
    let root = tree.root();
    let mut plan = Plan::default();
    let mut groups: Vec<(String, Vec<Deployment>)> = Vec::new();
    for entry in root
        .get("model_list")
        .map(|it| it.items())
        .unwrap_or_default()
    {
        for (name, deployment) in deployments(tree, &entry, asked, &mut plan) {
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, group)) => group.push(deployment),
                None => groups.push((name, vec![deployment])),
            }
        }
    }
    for (name, group) in groups {
        add_model(&mut plan, &name, group);
    }
    // Why: a model may have been named for its clocks before its deployments turned out to be unusable.
    plan.models.retain(|model| !model.routes.is_empty());
    settings::read(&root, &mut plan);
    plan
}

/// Reads one entry: one deployment, or with a wildcard one for each name asked for; nothing if it cannot be served.
fn deployments(
    tree: &Tree,
    entry: &Node<'_>,
    asked: &[String],
    plan: &mut Plan,
) -> Vec<(String, Deployment)> {
    let Some(params) = entry.get("litellm_params").filter(Node::is_table) else {
        return Vec::new();
    };
    let (Some(name), Some(model)) = (entry.get("model_name"), params.get("model")) else {
        return Vec::new();
    };
    let (Some(asked_for), Some(full)) = (name.text(), model.text()) else {
        return Vec::new();
    };
    let (provider, at_provider) = provider_and_model(&params, full, &model);
    let mut names = vec![(asked_for.to_owned(), at_provider.clone())];
    if asked_for.contains('*') || at_provider.contains('*') {
        names = by_wildcard(asked_for, &at_provider, asked);
        if names.is_empty() {
            entry.lose(
                "a wildcard names no model",
                "give each model that it stands for with --model NAME",
            );
            return Vec::new();
        }
    }
    let clues = Clues {
        provider: provider.clone(),
        name: None,
        base: params.any(&["api_base", "base_url"]),
        version: "",
        region: params.any(&["aws_region_name", "vertex_location", "region_name"]),
        project: params.any(&["vertex_project"]),
        headers: params.any(&["extra_headers", "headers"]),
    };
    let Some(place) = place::find(&clues, entry) else {
        return Vec::new();
    };
    let key = key(&params, place.vendor, &provider);
    let info = entry.get("model_info");
    let price = |what: &str| {
        let written = params.get(what).and_then(|it| it.number());
        let told = info
            .as_ref()
            .and_then(|it| it.get(what))
            .and_then(|it| it.number());
        written.or(told).map(|it| it * PER_MILLION)
    };
    let (price_input, price_output) = (
        price("input_cost_per_token"),
        price("output_cost_per_token"),
    );
    let weight = params
        .get("weight")
        .and_then(|it| it.number())
        .or(key.requests_per_minute.map(f64::from))
        .or(key.tokens_per_minute.map(f64::from));
    settings::of_deployment(&params, info.as_ref());
    let mut made = Vec::new();
    for (name, model) in names {
        let name = model_name(&name, entry.path(), tree);
        settings::clocks_of_deployment(&params, plan.model(&name));
        let deployment = Deployment {
            place: place.clone(),
            key: key.clone(),
            model,
            price_input,
            price_output,
            weight,
        };
        made.push((name, deployment));
    }
    made
}

/// The provider and the model's name there, out of `provider/model`.
fn provider_and_model(params: &Node<'_>, full: &str, node: &Node<'_>) -> (String, String) {
    if let Some(provider) = params.get("custom_llm_provider").and_then(|it| it.text()) {
        let rest = full
            .strip_prefix(provider)
            .and_then(|it| it.strip_prefix('/'));
        return (provider.to_owned(), rest.unwrap_or(full).to_owned());
    }
    match full.split_once('/') {
        Some((provider, model)) => {
            // Why: LiteLLM has words between the provider and the model that say how to call it, such as `bedrock/converse/…`.
            let model = ["converse/", "invoke/", "responses/", "chat/"]
                .iter()
                .find_map(|word| model.strip_prefix(word))
                .unwrap_or(model);
            (provider.to_owned(), model.to_owned())
        }
        None => {
            let provider = if full.starts_with("claude") {
                "anthropic"
            } else {
                "openai"
            };
            if provider == "openai"
                && !["gpt", "o1", "o3", "o4", "text-", "chatgpt"]
                    .iter()
                    .any(|it| full.starts_with(it))
            {
                node.say(
                    Fate::Changed,
                    "the model names no provider; it is taken to be OpenAI's",
                    "check the route's provider",
                );
            }
            (provider.to_owned(), full.to_owned())
        }
    }
}

/// The names asked for that a wildcard matches, with what the star stands for put into the model's name.
fn by_wildcard(pattern: &str, model: &str, asked: &[String]) -> Vec<(String, String)> {
    let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
    let matched = asked.iter().filter_map(|name| {
        let star = name.strip_prefix(before)?.strip_suffix(after)?;
        let (_, bare) = star.rsplit_once('/').unwrap_or(("", star));
        Some((name.clone(), model.replacen('*', bare, 1)))
    });
    matched.collect()
}

fn key(params: &Node<'_>, vendor: Option<&Vendor>, provider: &str) -> Key {
    let limit = |keys: &[&str]| {
        let number = params.any(keys)?.number()?;
        (number >= 1.0).then_some(number.min(f64::from(u32::MAX)) as u32)
    };
    let limits = Key {
        requests_per_minute: limit(&["rpm"]),
        tokens_per_minute: limit(&["tpm"]),
        concurrency: limit(&["max_parallel_requests"]),
        ..Key::default()
    };
    let instead = vendor::instead(vendor, provider);
    let written = |what: &str| secret::credential(&params.get(what)?, &instead);
    let secret = written("api_key")
        .or_else(|| aws(params))
        .or_else(|| written("vertex_credentials"));
    let secret = secret.or_else(|| {
        let variable = vendor::key_variable(vendor)?;
        params.say(
            Fate::Changed,
            "no key is written; LiteLLM would look for one in the environment",
            &format!("set the environment variable {variable}"),
        );
        Some(format!("${{{variable}}}"))
    });
    let named = Key::of(secret);
    Key {
        name: named.name,
        secret: named.secret,
        ..limits
    }
}

/// Bedrock's credential in parts.
fn aws(params: &Node<'_>) -> Option<String> {
    let part = |key: &str, instead: &str| secret::credential(&params.get(key)?, instead);
    let id = part("aws_access_key_id", "AWS_ACCESS_KEY_ID");
    let secret = part("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
    let session = part("aws_session_token", "AWS_SESSION_TOKEN");
    let mut parts = vec![id?, secret?];
    parts.extend(session);
    Some(write::aws_credential(&parts))
}

/// Makes one model of its deployments: those at one place and of one model there become one route over their keys.
fn add_model(plan: &mut Plan, name: &str, group: Vec<Deployment>) {
    let mut routes: Vec<(Deployment, Vec<Key>, f64)> = Vec::new();
    for deployment in group {
        let weight = deployment
            .weight
            .unwrap_or(1.0)
            .max(super::plan::LEAST_WEIGHT);
        let key = Key {
            weight: deployment
                .weight
                .map(|it| it.max(super::plan::LEAST_WEIGHT)),
            ..deployment.key.clone()
        };
        let same = |(other, ..): &&mut (Deployment, Vec<Key>, f64)| {
            other.place == deployment.place && other.model == deployment.model
        };
        match routes.iter_mut().find(same) {
            Some((_, keys, sum)) => {
                *sum += weight;
                match keys.iter_mut().find(|it| it.secret == key.secret) {
                    Some(known) => known.weight = known.weight.zip(key.weight).map(|(a, b)| a + b),
                    None => keys.push(key),
                }
            }
            None => routes.push((deployment, vec![key], weight)),
        }
    }
    for (deployment, mut keys, weight) in routes {
        if let [only] = keys.as_mut_slice() {
            only.weight = None;
        }
        let provider = plan.provider(deployment.place, keys);
        plan.model(name).add(Route {
            provider,
            model: deployment.model,
            weight,
            price_input: deployment.price_input,
            price_output: deployment.price_output,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_takes_the_names_asked_for() {
        let asked = ["openai/gpt-4o".to_owned(), "other".to_owned()];
        let found = by_wildcard("openai/*", "*", &asked);
        assert_eq!(found, [("openai/gpt-4o".to_owned(), "gpt-4o".to_owned())]);
        assert_eq!(by_wildcard("*", "*", &asked).len(), 2);
        assert!(by_wildcard("azure/*", "*", &asked).is_empty());
    }
}
