//! What does a config of Portkey say?
//!
//! A config is a tree of targets under strategies, and names no model: its clients do.
//! Here it becomes tiers: the first is the model that clients ask for, each further one a model that it falls back to.
//! Keys are those of Portkey's "Configs" page (portkey.ai/docs/product/ai-gateway/configs, 2026), in either spelling of names.
//!
//! # Invariants
//! - As of [`tree`](super::tree): every leaf is taken or told.

use super::place::{self, Clues};
use super::plan::{Clocks, Key, LEAST_WEIGHT, Link, Place, Plan, Retries, Route, model_name};
use super::secret;
use super::tree::{Fate, Node, Tree};
use super::{vendor, write};

/// Deepest nesting of targets: more is no configuration.
const DEEPEST: usize = 16;

/// Members that have no counterpart at any level, in both spellings, with the reason and what to do.
const LOST: &[(&[&str], &str, &str)] = &[
    (
        &["cache"],
        "caches are not carried over",
        "set the gateway's own cache up by hand, if you want one",
    ),
    (
        &["forward_headers", "forwardHeaders"],
        "headers of clients are not forwarded",
        "",
    ),
    (
        &[
            "input_guardrails",
            "inputGuardrails",
            "before_request_hooks",
        ],
        "requests are not inspected",
        "",
    ),
    (
        &[
            "output_guardrails",
            "outputGuardrails",
            "after_request_hooks",
        ],
        "answers are not inspected",
        "",
    ),
    (
        &["azure_api_version", "azureApiVersion"],
        "Azure's v1 endpoint needs no version",
        "",
    ),
    (
        &["metadata"],
        "requests carry no metadata of the configuration",
        "",
    ),
    (&["name"], "tiers are named after the model", ""),
    (
        &["strict_open_ai_compliance", "strictOpenAiCompliance"],
        "answers follow the client's dialect",
        "",
    ),
];

/// A target that is called.
#[derive(Clone)]
struct Leaf {
    place: Place,
    key: Key,
    /// The model's name there, if the config overrides it.
    model: Option<String>,
    weight: f64,
}

/// What is tried together.
#[derive(Clone, Default)]
struct Tier {
    leaves: Vec<Leaf>,
    timeouts: Clocks,
    retry: Retries,
}

/// What a target takes over from those above it.
#[derive(Clone, Copy, Default)]
struct Inherited {
    timeouts: Clocks,
    retry: Retries,
}

/// Reads a whole config.
pub(super) fn read(tree: &Tree, asked: &[String]) -> Plan {
    let root = tree.root();
    // Why: the API that tells a config wraps it.
    let config = root
        .get("data")
        .and_then(|it| it.get("config"))
        .unwrap_or(root);
    let tiers = tiers(&config, Inherited::default(), 0);
    let overridden = || {
        let mut leaves = tiers.iter().flat_map(|tier| &tier.leaves);
        leaves.find_map(|leaf| leaf.model.clone())
    };
    let names: Vec<String> = if asked.is_empty() {
        overridden().into_iter().collect()
    } else {
        asked.to_vec()
    };
    let mut plan = Plan::default();
    for name in names {
        let name = model_name(&name, config.path(), tree);
        for (index, tier) in tiers.iter().enumerate() {
            let tier_name = match index {
                0 => name.clone(),
                _ => format!("{name}-fallback-{index}"),
            };
            add_tier(&mut plan, &tier_name, &name, tier);
            if index > 0 {
                // Why: only the first is asked for by clients, and it names all others in order.
                let _ = plan.link(&name, &tier_name, Link::Fallback);
            }
        }
    }
    plan
}

fn add_tier(plan: &mut Plan, tier_name: &str, asked_for: &str, tier: &Tier) {
    let mut served: Vec<(&Leaf, Vec<Key>, f64)> = Vec::new();
    for leaf in &tier.leaves {
        let key = Key {
            weight: Some(leaf.weight),
            ..leaf.key.clone()
        };
        let same = |(other, ..): &&mut (&Leaf, Vec<Key>, f64)| {
            other.place == leaf.place && other.model == leaf.model
        };
        match served.iter_mut().find(same) {
            Some((_, keys, sum)) => {
                *sum += leaf.weight;
                match keys.iter_mut().find(|it| it.secret == key.secret) {
                    Some(known) => known.weight = known.weight.map(|it| it + leaf.weight),
                    None => keys.push(key),
                }
            }
            None => served.push((leaf, vec![key], leaf.weight)),
        }
    }
    for (leaf, mut keys, weight) in served {
        if let [only] = keys.as_mut_slice() {
            only.weight = None;
        }
        let provider = plan.provider(leaf.place.clone(), keys);
        let model = plan.model(tier_name);
        model.timeouts = tier.timeouts;
        model.retry = tier.retry;
        model.add(Route {
            provider,
            model: leaf.model.clone().unwrap_or_else(|| asked_for.to_owned()),
            weight,
            price_input: None,
            price_output: None,
        });
    }
}

/// Reads a target or a strategy over targets: what is tried together, in the order in which it is tried.
fn tiers(node: &Node<'_>, above: Inherited, depth: usize) -> Vec<Tier> {
    if depth > DEEPEST {
        node.lose("targets are nested too deeply", "");
        return Vec::new();
    }
    for (keys, why, advice) in LOST {
        for lost in keys.iter().filter_map(|key| node.get(key)) {
            lost.lose(why, advice);
        }
    }
    let inherited = inherit(node, above);
    let strategy = node.get("strategy");
    let Some(targets) = node.get("targets").filter(Node::is_list) else {
        if let Some(strategy) = strategy {
            strategy.lose("it has no targets", "");
        }
        return leaf(node).map_or_else(Vec::new, |leaf| {
            vec![Tier {
                leaves: vec![leaf],
                timeouts: inherited.timeouts,
                retry: inherited.retry,
            }]
        });
    };
    let mode = strategy
        .as_ref()
        .and_then(|it| it.get("mode"))
        .and_then(|it| it.text());
    if let Some(codes) = strategy
        .as_ref()
        .and_then(|it| it.any(&["on_status_codes", "onStatusCodes"]))
    {
        codes.lose(
            "what is tried elsewhere follows from how an attempt failed, not from a list",
            "",
        );
    }
    let children: Vec<(Node<'_>, Vec<Tier>)> = targets
        .items()
        .into_iter()
        .map(|target| {
            let tiers = tiers(&target, inherited, depth + 1);
            (target, tiers)
        })
        .collect();
    match mode {
        Some("loadbalance") => balanced(&targets, children),
        Some("conditional") => conditional(strategy.as_ref(), children),
        Some("single") => children
            .into_iter()
            .next()
            .map(|(_, tiers)| tiers)
            .unwrap_or_default(),
        _ => children.into_iter().flat_map(|(_, tiers)| tiers).collect(),
    }
}

/// Puts the first tiers of all children together by their weights; what lies behind them follows.
fn balanced(targets: &Node<'_>, children: Vec<(Node<'_>, Vec<Tier>)>) -> Vec<Tier> {
    let mut merged: Vec<Tier> = Vec::new();
    for (target, tiers) in children {
        let share = weight(&target);
        for (index, tier) in tiers.into_iter().enumerate() {
            let sum: f64 = tier.leaves.iter().map(|leaf| leaf.weight).sum();
            let leaves = tier.leaves.into_iter().map(|leaf| Leaf {
                weight: (share * leaf.weight / sum).max(LEAST_WEIGHT),
                ..leaf
            });
            if merged.len() <= index {
                merged.resize_with(index + 1, Tier::default);
            }
            if let Some(place) = merged.get_mut(index) {
                place.leaves.extend(leaves);
                place.timeouts = longer(place.timeouts, tier.timeouts);
                place.retry.max_attempts = place.retry.max_attempts.max(tier.retry.max_attempts);
            }
        }
    }
    if merged.len() > 1 {
        targets.say(
            Fate::Changed,
            "fallbacks inside a load balancer are shared by all its targets",
            "check the `fallbacks` of the models",
        );
    }
    merged
}

/// Takes the default of a condition; the conditions themselves have no counterpart.
fn conditional(strategy: Option<&Node<'_>>, children: Vec<(Node<'_>, Vec<Tier>)>) -> Vec<Tier> {
    let default = strategy
        .and_then(|it| it.get("default"))
        .and_then(|it| it.text());
    if let Some(conditions) = strategy.and_then(|it| it.get("conditions")) {
        conditions.lose(
            "requests are not routed by conditions; the default target serves all",
            "make each target a model of its own",
        );
    }
    let is_default = |target: &Node<'_>| {
        let name = target.get("name").and_then(|it| it.text());
        default.is_some() && name == default
    };
    let mut chosen = None;
    for (target, tiers) in children {
        if chosen.is_none() && (default.is_none() || is_default(&target)) {
            chosen = Some(tiers);
        } else {
            target.lose(
                "only the default target of a condition is carried over",
                "make it a model of its own",
            );
        }
    }
    chosen.unwrap_or_default()
}

fn longer(one: Clocks, other: Clocks) -> Clocks {
    let later = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    Clocks {
        total: later(one.total, other.total),
        ..one
    }
}

fn inherit(node: &Node<'_>, above: Inherited) -> Inherited {
    let mut made = above;
    let millis = node
        .any(&["request_timeout", "requestTimeout"])
        .and_then(|it| it.number());
    made.timeouts.total = millis
        .filter(|it| *it > 0.0)
        .map(|it| it / 1_000.0)
        .or(made.timeouts.total);
    let Some(retry) = node.get("retry").filter(Node::is_table) else {
        return made;
    };
    let attempts = retry.get("attempts").and_then(|it| it.number());
    made.retry.max_attempts = attempts
        .map(|it| it.clamp(0.0, 15.0) as u32 + 1)
        .or(made.retry.max_attempts);
    for (key, node) in retry.members() {
        match key {
            "attempts" => {}
            "on_status_codes" | "onStatusCodes" => {
                node.lose(
                    "what is tried again follows from how an attempt failed, not from a list",
                    "",
                );
            }
            "use_retry_after_header" | "useRetryAfterHeader" => {
                node.lose("what a provider says about retrying is always obeyed", "");
            }
            _ => {}
        }
    }
    made
}

fn weight(node: &Node<'_>) -> f64 {
    let Some(written) = node.get("weight") else {
        return 1.0;
    };
    let weight = written.number().unwrap_or(1.0);
    if weight < LEAST_WEIGHT {
        written.change(
            "a weight is above 0; this one serves about one request in a thousand",
            "remove the route if it is to serve nothing",
        );
    }
    weight.max(LEAST_WEIGHT)
}

/// Reads a target that is called.
fn leaf(node: &Node<'_>) -> Option<Leaf> {
    let parameters = node.any(&["override_params", "overrideParams"]);
    let mut model = None;
    for (key, value) in parameters.map(|it| it.members()).unwrap_or_default() {
        match key {
            "model" => model = value.text(),
            _ => value.lose(
                "requests go out with the parameters that the client sent",
                "have clients send it",
            ),
        }
    }
    let mut provider = provider(node)?;
    // Why: a model may name its provider as `@slug/model`.
    if let Some((slug, bare)) = model.and_then(|it| it.strip_prefix('@')?.split_once('/')) {
        model = Some(bare);
        provider = vendor::in_slug(slug)
            .unwrap_or(provider.as_str())
            .to_owned();
    }
    let resource = node.any(&["azure_resource_name", "azureResourceName"]);
    let deployment = node
        .any(&["azure_deployment_id", "azureDeploymentId"])
        .and_then(|it| it.text());
    let clues = Clues {
        base: node.any(&["custom_host", "customHost"]),
        version: "",
        region: node.any(&["aws_region", "awsRegion", "vertex_region", "vertexRegion"]),
        project: node.any(&["vertex_project_id", "vertexProjectId"]),
        provider,
        name: None,
        headers: None,
    };
    let place = match resource
        .as_ref()
        .filter(|_| clues.base.is_none())
        .and_then(Node::text)
    {
        Some(name) => azure(name, node)?,
        None => place::find(&clues, node)?,
    };
    Some(Leaf {
        key: key(node, &place),
        place,
        model: deployment.or(model).map(str::to_owned),
        weight: weight(node),
    })
}

/// The place of a resource of Azure.
fn azure(resource: &str, node: &Node<'_>) -> Option<Place> {
    let resource = secret::plain(resource);
    let base_url = format!("https://{resource}.openai.azure.com/openai/v1");
    if !place::is_usable(&base_url) {
        node.lose(
            "the resource's name makes no address",
            "add a [providers.NAME] by hand",
        );
        return None;
    }
    Some(Place {
        name: "azure".to_owned(),
        vendor: vendor::known_as("azure"),
        base_url,
        region: None,
        headers: std::collections::BTreeMap::new(),
    })
}

/// The provider's name; guessed from that of a virtual key where none is written.
fn provider(node: &Node<'_>) -> Option<String> {
    if let Some(written) = node.get("provider").and_then(|it| it.text()) {
        let Some(slug) = written.strip_prefix('@') else {
            return Some(written.to_owned());
        };
        let guessed = vendor::in_slug(slug);
        if guessed.is_none() {
            node.lose(
                "which provider this is only Portkey knows",
                "add a [providers.NAME] by hand",
            );
        }
        return guessed.map(str::to_owned);
    }
    let virtual_key = node
        .any(&["virtual_key", "virtualKey"])
        .and_then(|it| it.text());
    let guessed = virtual_key.and_then(vendor::in_slug);
    match guessed {
        Some(known) => {
            node.say(
                Fate::Changed,
                "the provider is guessed from the name of its virtual key",
                "check the provider",
            );
            Some(known.to_owned())
        }
        None => {
            node.lose("it names no provider", "add a [providers.NAME] by hand");
            None
        }
    }
}

fn key(node: &Node<'_>, place: &Place) -> Key {
    let written = node.any(&["api_key", "apiKey"]).and_then(|it| {
        let instead = vendor::instead(place.vendor, &place.name);
        secret::credential(&it, &instead)
    });
    let virtual_key = || {
        let held = node.any(&["virtual_key", "virtualKey"])?;
        let name = held.text()?;
        let variable = secret::variable_name(&format!("{name}_KEY"));
        held.say(
            Fate::Secret,
            "Portkey holds the key that this stands for",
            &format!("set the environment variable {variable} to the provider's own key"),
        );
        Some(format!("${{{variable}}}"))
    };
    let aws = || {
        let part = |keys: &[&str], instead: &str| secret::credential(&node.any(keys)?, instead);
        let id = part(
            &["aws_access_key_id", "awsAccessKeyId"],
            "AWS_ACCESS_KEY_ID",
        )?;
        let secret = part(
            &["aws_secret_access_key", "awsSecretAccessKey"],
            "AWS_SECRET_ACCESS_KEY",
        )?;
        let session = part(
            &["aws_session_token", "awsSessionToken"],
            "AWS_SESSION_TOKEN",
        );
        let parts: Vec<String> = [id, secret].into_iter().chain(session).collect();
        Some(write::aws_credential(&parts))
    };
    let default = || {
        let variable = vendor::key_variable(place.vendor)?;
        node.say(
            Fate::Changed,
            "no key is written",
            &format!("set the environment variable {variable}"),
        );
        Some(format!("${{{variable}}}"))
    };
    Key::of(written.or_else(virtual_key).or_else(aws).or_else(default))
}
