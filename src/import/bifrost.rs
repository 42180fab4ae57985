//! What does a `config.json` of Bifrost say?
//!
//! Its clients ask for `provider/model`; its keys say which models they may serve, often all of them.
//! A model that a key or an alias names becomes a model here; where a key serves whatever is asked for, the names must be given.
//! Keys are those of Bifrost's `config.json` guides (docs.getbifrost.ai/deployment-guides/config-json, 2026).
//!
//! # Invariants
//! - As of [`tree`](super::tree): every leaf is taken or told.

use super::place::{self, Clues};
use super::plan::{Clocks, Key, Plan, Retries, Route, model_name};
use super::secret;
use super::tree::{Fate, Node, Tree};
use super::{vendor, write};
use crate::config::{Dialect, Vendor};

/// Sections that have no counterpart, with the reason and what to do.
const LOST: &[(&str, &str, &str)] = &[
    (
        "client",
        "settings of Bifrost's own process have no counterpart",
        "see [server] in docs/CONFIG.md",
    ),
    (
        "config_store",
        "the file is the only source of configuration",
        "",
    ),
    (
        "logs_store",
        "requests are not stored",
        "write a [trace], or read /metrics of the admin plane",
    ),
    (
        "vector_store",
        "caches are not carried over",
        "set the gateway's own cache up by hand, if you want one",
    ),
    ("plugins", "there are no plug-ins", ""),
    ("mcp", "the gateway runs no tools", ""),
    (
        "governance",
        "virtual keys, budgets and their limits are not carried over",
        "write them under [keys], [teams] and [customers], see docs/GOVERNANCE.md",
    ),
    (
        "auth_config",
        "the dashboard has no log-in",
        "set a `token` under [admin]",
    ),
    (
        "encryption_key",
        "nothing is stored that would be encrypted",
        "",
    ),
    (
        "framework",
        "prices stand at the routes",
        "set `price_input` and `price_output` of routes",
    ),
    ("cluster_config", "each gateway decides for itself", ""),
    (
        "load_balancer_config",
        "routes are picked by what each is expected to cost, learned from traffic",
        "",
    ),
    (
        "guardrails_config",
        "requests and answers are not inspected",
        "",
    ),
    ("$schema", "it names the schema of the source", ""),
];

/// Settings of a provider that have no counterpart, with the reason and what to do.
const OF_PROVIDER: &[(&str, &str, &str)] = &[
    (
        "concurrency_and_buffer_size",
        "there are no queues before a provider",
        "set `concurrency` of a key to bound it",
    ),
    ("proxy_config", "providers are reached directly", ""),
    (
        "prompt_cache",
        "requests go out as the client sent them",
        "",
    ),
    (
        "send_back_raw_request",
        "answers are the provider's own",
        "",
    ),
    (
        "send_back_raw_response",
        "answers are the provider's own",
        "",
    ),
    ("store_raw_request_response", "requests are not stored", ""),
    (
        "openai_config",
        "requests go out as the client sent them",
        "",
    ),
    (
        "pricing_overrides",
        "prices stand at the routes",
        "set `price_input` and `price_output` of routes",
    ),
];

/// One key of a provider.
struct Credential<'t> {
    node: Node<'t>,
    place: super::plan::Place,
    key: Key,
    /// The models that it serves; none for all.
    models: Option<Vec<&'t str>>,
    refused: Vec<&'t str>,
    /// Names that stand for others.
    aliases: Vec<(&'t str, String)>,
}

/// Settings of one provider that its models take over.
#[derive(Default)]
struct Network {
    timeouts: Clocks,
    retry: Retries,
}

/// Reads a whole configuration.
pub(super) fn read(tree: &Tree, asked: &[String]) -> Plan {
    let root = tree.root();
    let mut plan = Plan::default();
    for (name, provider) in root
        .get("providers")
        .map(|it| it.members())
        .unwrap_or_default()
    {
        read_provider(tree, (name, &provider), asked, &mut plan);
    }
    for (key, why, advice) in LOST {
        if let Some(node) = root.get(key) {
            node.lose(why, advice);
        }
    }
    plan
}

fn read_provider<'t>(
    tree: &'t Tree,
    (name, provider): (&'t str, &Node<'t>),
    asked: &[String],
    plan: &mut Plan,
) {
    for (key, why, advice) in OF_PROVIDER {
        if let Some(node) = provider.get(key) {
            node.lose(why, advice);
        }
    }
    let network = network(provider);
    let credentials: Vec<Credential<'_>> = provider
        .get("keys")
        .map(|it| it.items())
        .unwrap_or_default()
        .iter()
        .filter_map(|node| credential(name, provider, node))
        .collect();
    for model in names(name, &credentials, asked) {
        let full = model_name(&format!("{name}/{model}"), provider.path(), tree);
        let mut served: Vec<(super::plan::Place, String, Vec<Key>, f64)> = Vec::new();
        for it in credentials.iter().filter(|it| it.serves(model)) {
            let at_provider = it.at_provider(model);
            let weight = it.key.weight.unwrap_or(1.0);
            let same = |known: &&mut (super::plan::Place, String, Vec<Key>, f64)| {
                known.0 == it.place && known.1 == at_provider
            };
            match served.iter_mut().find(same) {
                Some(known) => {
                    known.2.push(it.key.clone());
                    known.3 += weight;
                }
                None => served.push((it.place.clone(), at_provider, vec![it.key.clone()], weight)),
            }
        }
        for (place, model, mut keys, weight) in served {
            if let [only] = keys.as_mut_slice() {
                only.weight = None;
            }
            let provider = plan.provider(place, keys);
            let made = plan.model(&full);
            made.timeouts = network.timeouts;
            made.retry = network.retry;
            made.add(Route {
                provider,
                model,
                weight,
                price_input: None,
                price_output: None,
            });
        }
    }
    for it in credentials.iter().filter(|it| it.models.is_none()) {
        it.node.say(
            Fate::Changed,
            "this key serves whatever model is asked for; here each model has a name",
            "give each with --model PROVIDER/MODEL, or add [models.NAME] by hand",
        );
    }
}

/// The models of a provider: those that keys and aliases name, and those asked for.
fn names<'a>(
    provider: &str,
    credentials: &'a [Credential<'_>],
    asked: &'a [String],
) -> Vec<&'a str> {
    let written = credentials.iter().flat_map(|it| {
        let models = it.models.iter().flatten().copied();
        models.chain(it.aliases.iter().map(|(alias, _)| *alias))
    });
    let asked = asked
        .iter()
        .filter_map(|name| name.strip_prefix(provider)?.strip_prefix('/'));
    let mut names: Vec<&str> = Vec::new();
    for name in written.chain(asked) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Credential<'_> {
    fn serves(&self, model: &str) -> bool {
        let allowed = self
            .models
            .as_ref()
            .is_none_or(|models| models.contains(&model));
        let aliased = self.aliases.iter().any(|(alias, _)| *alias == model);
        (allowed || aliased) && !self.refused.contains(&model)
    }

    fn at_provider(&self, model: &str) -> String {
        let alias = self.aliases.iter().find(|(alias, _)| *alias == model);
        alias.map_or_else(|| model.to_owned(), |(_, name)| name.clone())
    }
}

fn credential<'t>(name: &'t str, provider: &Node<'t>, node: &Node<'t>) -> Option<Credential<'t>> {
    let custom = provider.get("custom_provider_config");
    let base_type = custom
        .as_ref()
        .and_then(|it| it.get("base_provider_type"))
        .and_then(|it| it.text());
    let network = provider.get("network_config");
    let azure = node.get("azure_key_config");
    let bedrock = node.get("bedrock_key_config");
    let vertex = node.get("vertex_key_config");
    let own = ["ollama_key_config", "vllm_key_config", "sgl_key_config"]
        .iter()
        .find_map(|key| node.get(key));
    let base_url = || network.as_ref().and_then(|it| it.get("base_url"));
    let known_as = base_type.unwrap_or(name).to_owned();
    // Why: Bifrost appends the version itself, except where the address of the dialect holds it.
    let version = match vendor::known_as(&known_as) {
        Some(vendor) if !matches!(vendor.speaks, Dialect::OpenAi | Dialect::Azure) => "",
        _ => "/v1",
    };
    let clues = Clues {
        provider: known_as.clone(),
        name: Some(name),
        base: azure
            .as_ref()
            .and_then(|it| it.get("endpoint"))
            .or_else(|| own.as_ref().and_then(|it| it.get("url")))
            .or_else(base_url)
            .filter(|it| it.text() != Some("")),
        version,
        region: [&bedrock, &vertex]
            .into_iter()
            .flatten()
            .find_map(|it| it.get("region")),
        project: vertex.as_ref().and_then(|it| it.get("project_id")),
        headers: network.as_ref().and_then(|it| it.get("extra_headers")),
    };
    let place = place::find(&clues, node)?;
    if let Some(version) = azure.as_ref().and_then(|it| it.get("api_version")) {
        version.lose("Azure's v1 endpoint needs no version", "");
    }
    let models = node
        .get("models")
        .map(|it| it.texts())
        .filter(|it| !it.is_empty());
    let all = models.as_ref().is_none_or(|models| models.contains(&"*"));
    Some(Credential {
        key: key(
            node,
            place.vendor,
            &known_as,
            (bedrock.as_ref(), vertex.as_ref()),
        ),
        place,
        models: models.filter(|_| !all),
        refused: node
            .get("blacklisted_models")
            .map(|it| it.texts())
            .unwrap_or_default(),
        aliases: aliases(node, &[azure, bedrock, vertex]),
        node: node.clone(),
    })
}

/// A key's aliases, and the deployments of its cloud, which mean the same.
fn aliases<'t>(node: &Node<'t>, clouds: &[Option<Node<'t>>; 3]) -> Vec<(&'t str, String)> {
    let deployments = clouds
        .iter()
        .flatten()
        .filter_map(|it| it.get("deployments"));
    let tables = node.get("aliases").into_iter().chain(deployments);
    let mut found = Vec::new();
    for (alias, target) in tables.flat_map(|it| it.members()) {
        let name = match target.get("model_name") {
            Some(inner) => inner.text(),
            None => target.text(),
        };
        found.extend(name.map(|name| (alias, name.to_owned())));
    }
    found
}

fn key(
    node: &Node<'_>,
    vendor: Option<&Vendor>,
    provider: &str,
    (bedrock, vertex): (Option<&Node<'_>>, Option<&Node<'_>>),
) -> Key {
    let instead = vendor::instead(vendor, provider);
    let value = node
        .get("value")
        .and_then(|it| secret::credential(&it, &instead));
    let secret = value
        .or_else(|| bedrock.and_then(aws))
        .or_else(|| secret::credential(&vertex?.get("auth_credentials")?, &instead))
        .or_else(|| {
            let variable = vendor::key_variable(vendor)?;
            node.say(
                Fate::Changed,
                "no key is written",
                &format!("set the environment variable {variable}"),
            );
            Some(format!("${{{variable}}}"))
        });
    let named = node
        .get("name")
        .and_then(|it| it.text())
        .map(super::plan::name);
    for (key, why) in [
        ("id", "a key is known by its name"),
        ("use_for_batch_api", "there is no batch API"),
    ] {
        if let Some(node) = node.get(key) {
            node.lose(why, "");
        }
    }
    if let Some(enabled) = node.get("enabled") {
        enabled.lose(
            "every key that is written is used",
            "remove the key if it was switched off",
        );
    }
    let weight = node.get("weight").and_then(|it| it.number());
    let made = Key::of(secret);
    Key {
        name: named.unwrap_or(made.name),
        weight: weight.map(|it| it.max(super::plan::LEAST_WEIGHT)),
        secret: made.secret,
        ..Key::default()
    }
}

/// Bedrock's credential in parts.
fn aws(config: &Node<'_>) -> Option<String> {
    if let Some(role) = config.any(&["arn", "role_arn"]) {
        role.lose("roles are not assumed", "give an access key");
    }
    let part = |key: &str, instead: &str| secret::credential(&config.get(key)?, instead);
    let id = part("access_key", "AWS_ACCESS_KEY_ID");
    let secret = part("secret_key", "AWS_SECRET_ACCESS_KEY");
    let session = part("session_token", "AWS_SESSION_TOKEN");
    let mut parts = vec![id?, secret?];
    parts.extend(session);
    Some(write::aws_credential(&parts))
}

/// The clocks and retries of a provider.
fn network(provider: &Node<'_>) -> Network {
    let Some(config) = provider.get("network_config") else {
        return Network::default();
    };
    let number = |key: &str| config.get(key)?.number().filter(|it| *it > 0.0);
    let millis = |key: &str| number(key).map(|it| it / 1_000.0);
    for (key, why, advice) in [
        (
            "max_conns_per_host",
            "connections are opened as they are needed",
            "set `concurrency` of a key to bound it",
        ),
        (
            "insecure_skip_verify",
            "certificates are always checked",
            "name the authority's file with `ca_file`",
        ),
        (
            "ca_cert_pem",
            "certificates are read from a file",
            "save it as a file and name that with `ca_file`",
        ),
        (
            "stream_throughput_guard",
            "slow routes are left by evidence",
            "",
        ),
        (
            "enforce_http2",
            "the version is set at the provider",
            "add `http = \"2\"`",
        ),
    ] {
        if let Some(node) = config.get(key) {
            node.lose(why, advice);
        }
    }
    Network {
        timeouts: Clocks {
            head: number("default_request_timeout_in_seconds"),
            between_tokens: number("stream_idle_timeout_in_seconds"),
            ..Clocks::default()
        },
        retry: Retries {
            max_attempts: config
                .get("max_retries")
                .and_then(|it| it.number())
                .map(|it| it.clamp(0.0, 15.0) as u32 + 1),
            base: millis("retry_backoff_initial"),
            cap: millis("retry_backoff_max"),
        },
    }
}
