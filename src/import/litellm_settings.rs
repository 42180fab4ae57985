//! What do LiteLLM's settings say about all models?
//!
//! What decides how requests are served is carried over; what has no counterpart is told with its reason, once a setting.
//!
//! # Invariants
//! - As of [`tree`](super::tree): every leaf is taken or told.

use super::plan::{Clocks, Link, Model, Plan, Retries};
use super::secret;
use super::tree::Node;

/// Why nothing about picking is carried over.
const SCORED: &str = "routes are picked by what each is expected to cost, learned from traffic; weights only express a preference";

/// Why nothing about cool-downs is carried over.
const CIRCUIT: &str =
    "failing routes are set aside and probed by evidence, not by a count and a fixed time";

/// Why no state is shared.
const OWN_STATE: &str = "the gateway keeps its state in the process";

/// Why nothing about keys of users is carried over.
const ONE_TOKEN: &str = "clients are known by the token of [server]";

/// Why no budget of the whole proxy is carried over.
const OF_TENANTS: &str = "budgets belong to keys, teams, customers and providers";

/// Where they are written.
const TENANTS: &str =
    "write `budgets` under [keys], [teams], [customers] or [providers], see docs/GOVERNANCE.md";

/// Settings of every section that are known to have no counterpart, with the reason and what to do.
const LOST: &[(&str, &str, &str)] = &[
    ("routing_strategy", SCORED, ""),
    ("routing_strategy_args", SCORED, ""),
    ("enable_weighted_failover", SCORED, ""),
    (
        "allowed_fails",
        CIRCUIT,
        "see [scoring.circuit] in docs/CONFIG.md",
    ),
    (
        "allowed_fails_policy",
        CIRCUIT,
        "see [scoring.circuit] in docs/CONFIG.md",
    ),
    (
        "cooldown_time",
        CIRCUIT,
        "see [scoring.circuit] in docs/CONFIG.md",
    ),
    ("disable_cooldowns", CIRCUIT, ""),
    (
        "retry_policy",
        "what is tried again follows from how an attempt failed",
        "",
    ),
    (
        "model_group_retry_policy",
        "what is tried again follows from how an attempt failed",
        "",
    ),
    (
        "retry_after",
        "back-off is jittered and obeys what the provider says",
        "see [retry] in docs/CONFIG.md",
    ),
    (
        "enable_pre_call_checks",
        "limits and contexts are always looked at",
        "",
    ),
    (
        "content_policy_fallbacks",
        "a refusal by content policy goes to the client as it is",
        "",
    ),
    ("redis_host", OWN_STATE, ""),
    ("redis_port", OWN_STATE, ""),
    ("redis_password", OWN_STATE, ""),
    ("redis_url", OWN_STATE, ""),
    (
        "cache",
        "caches are not carried over",
        "set the gateway's own cache up by hand, if you want one",
    ),
    (
        "cache_params",
        "caches are not carried over",
        "set the gateway's own cache up by hand, if you want one",
    ),
    (
        "drop_params",
        "what a provider's dialect cannot say is told in a response header, request by request",
        "",
    ),
    (
        "modify_params",
        "what a provider's dialect cannot say is told in a response header, request by request",
        "",
    ),
    (
        "additional_drop_params",
        "what a provider's dialect cannot say is told in a response header, request by request",
        "",
    ),
    (
        "success_callback",
        "there are no callbacks",
        "read /metrics of the admin plane, or write a [trace]",
    ),
    (
        "failure_callback",
        "there are no callbacks",
        "read /metrics of the admin plane, or write a [trace]",
    ),
    (
        "callbacks",
        "there are no callbacks",
        "read /metrics of the admin plane, or write a [trace]",
    ),
    (
        "service_callback",
        "there are no callbacks",
        "read /metrics of the admin plane, or write a [trace]",
    ),
    (
        "set_verbose",
        "logging is set under [log]",
        "set `level` of [log]",
    ),
    (
        "debug_level",
        "logging is set under [log]",
        "set `level` of [log]",
    ),
    (
        "json_logs",
        "logging is set under [log]",
        "set `format = \"json\"` under [log]",
    ),
    ("telemetry", "nothing is sent anywhere", ""),
    ("database_url", "there is no database", ""),
    ("database_connection_pool_limit", "there is no database", ""),
    (
        "store_model_in_db",
        "the file is the only source of configuration",
        "",
    ),
    (
        "alerting",
        "there are no alerts",
        "alert on /metrics of the admin plane",
    ),
    (
        "alerting_threshold",
        "there are no alerts",
        "alert on /metrics of the admin plane",
    ),
    ("custom_auth", ONE_TOKEN, ""),
    ("max_budget", OF_TENANTS, TENANTS),
    ("budget_duration", OF_TENANTS, TENANTS),
    ("default_team_settings", OF_TENANTS, TENANTS),
    ("ui_username", ONE_TOKEN, ""),
    ("ui_password", ONE_TOKEN, ""),
    ("salt_key", ONE_TOKEN, ""),
];

/// Parameters of a deployment that LiteLLM puts into requests.
const PARAMETERS: [&str; 14] = [
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "thinking",
    "extra_body",
    "response_format",
    "user",
];

/// Settings of a deployment that are known to have no counterpart, with the reason.
const OF_DEPLOYMENT: &[(&str, &str)] = &[
    ("api_version", "Azure's v1 endpoint needs no version"),
    ("organization", "it goes in a header"),
    ("order", SCORED),
    ("tags", "requests are not routed by tags"),
    ("cooldown_time", CIRCUIT),
    ("tier", SCORED),
    ("model_info", "a model is described by its routes"),
    (
        "drop_params",
        "what a provider's dialect cannot say is told in a response header, request by request",
    ),
    (
        "additional_drop_params",
        "what a provider's dialect cannot say is told in a response header, request by request",
    ),
    ("use_in_pass_through", "there is no pass-through"),
    ("mock_response", "stand-ins are set up under [mock]"),
];

/// Tells what a deployment says that cannot be carried over.
pub(super) fn of_deployment(params: &Node<'_>, info: Option<&Node<'_>>) {
    for key in PARAMETERS {
        if let Some(node) = params.get(key) {
            node.lose(
                "requests go out with the parameters that the client sent",
                "have clients send it",
            );
        }
    }
    for (key, why) in OF_DEPLOYMENT {
        if let Some(node) = params.get(key) {
            let advice = match *key {
                "organization" => "add `headers = { \"OpenAI-Organization\" = … }` to the provider",
                _ => "",
            };
            node.lose(why, advice);
        }
    }
    for (key, node) in info.map(Node::members).unwrap_or_default() {
        let is_price = matches!(key, "input_cost_per_token" | "output_cost_per_token");
        if !is_price {
            node.lose(
                "a model is described by its routes; its context and abilities are not written",
                "",
            );
        }
    }
}

/// Takes a deployment's clocks and retries into its model, where they are those of all deployments.
pub(super) fn clocks_of_deployment(params: &Node<'_>, model: &mut Model) {
    let seconds = |key: &str| params.get(key)?.number().filter(|it| *it > 0.0);
    longest(
        &mut model.timeouts.total,
        seconds("timeout"),
        params,
        "timeout",
    );
    longest(
        &mut model.timeouts.first_token,
        seconds("stream_timeout"),
        params,
        "stream_timeout",
    );
    let retries = params
        .any(&["max_retries", "num_retries"])
        .and_then(|it| it.number());
    if let Some(retries) = retries {
        let attempts = attempts(retries);
        model.retry.max_attempts = model.retry.max_attempts.max(Some(attempts));
    }
}

/// Keeps the longer of two clocks, and says so if they differ.
fn longest(kept: &mut Option<f64>, other: Option<f64>, params: &Node<'_>, key: &str) {
    let Some(other) = other else { return };
    let differs = kept.is_some_and(|kept| (kept - other).abs() > f64::EPSILON);
    if let (true, Some(node)) = (differs, params.get(key)) {
        node.change(
            "clocks are those of a model; the longest of its deployments' is kept",
            "",
        );
    }
    *kept = Some(kept.unwrap_or(0.0).max(other));
}

/// Attempts in all, out of further ones.
fn attempts(retries: f64) -> u32 {
    (retries.clamp(0.0, 15.0) as u32) + 1
}

/// Reads every section but the list of models.
pub(super) fn read(root: &Node<'_>, plan: &mut Plan) {
    let sections: Vec<Node<'_>> = ["litellm_settings", "router_settings", "general_settings"]
        .iter()
        .filter_map(|section| root.get(section))
        .collect();
    for section in &sections {
        aliases(section, plan);
    }
    for section in &sections {
        of_all_models(section, plan);
        references(section, plan);
        for (key, why, advice) in LOST {
            if let Some(node) = section.get(key) {
                node.lose(why, advice);
            }
        }
    }
    let master = sections.iter().find_map(|it| it.get("master_key"));
    plan.token = master.and_then(|it| secret::credential(&it, "TRIMTAB_TOKEN"));
    let variables = root.get("environment_variables").map(|it| it.members());
    for (_, node) in variables.unwrap_or_default() {
        node.lose(
            "a configuration sets no environment variables",
            "set it where the gateway is started",
        );
    }
}

fn of_all_models(section: &Node<'_>, plan: &mut Plan) {
    let seconds = |keys: &[&str]| section.any(keys)?.number().filter(|it| *it > 0.0);
    let Clocks {
        total, first_token, ..
    } = &mut plan.timeouts;
    *total = seconds(&["request_timeout", "timeout"]).or(*total);
    *first_token = seconds(&["stream_timeout"]).or(*first_token);
    let Retries { max_attempts, .. } = &mut plan.retry;
    let retries = section
        .any(&["num_retries", "max_retries"])
        .and_then(|it| it.number());
    *max_attempts = retries.map(attempts).or(*max_attempts);
}

/// Makes an alias a model of its own with the same routes.
fn aliases(section: &Node<'_>, plan: &mut Plan) {
    let members = section
        .any(&["model_group_alias", "model_alias_map"])
        .map(|it| it.members());
    for (alias, node) in members.unwrap_or_default() {
        let target = match node.get("model") {
            Some(inner) => inner.text(),
            None => node.text(),
        };
        let known = plan
            .models
            .iter()
            .find(|model| Some(model.name.as_str()) == target);
        match known.cloned() {
            Some(model) if !plan.has_model(alias) => {
                if let Some(hidden) = node.get("hidden") {
                    hidden.lose("every model is listed", "");
                }
                let name = alias.to_owned();
                // Why: routes that leave the name out would ask for the alias.
                plan.models.push(Model { name, ..model });
            }
            Some(_) => node.lose("a model of this name has routes of its own", ""),
            None => node.lose("it names a model that is not in the file", ""),
        }
    }
}

/// Reads fallbacks and larger contexts.
fn references(section: &Node<'_>, plan: &mut Plan) {
    for (key, link) in [
        ("fallbacks", Link::Fallback),
        ("context_window_fallbacks", Link::LargerContext),
    ] {
        for entry in section.get(key).map(|it| it.items()).unwrap_or_default() {
            for (from, targets) in entry.members() {
                connect(plan, from, &targets, link);
            }
        }
    }
    let Some(everywhere) = section.get("default_fallbacks") else {
        return;
    };
    let names: Vec<String> = plan.models.iter().map(|model| model.name.clone()).collect();
    for target in everywhere.texts() {
        if !names.iter().any(|name| name == target) {
            everywhere.lose("it names a model that is not in the file", "");
            continue;
        }
        for name in names.iter().filter(|name| *name != target) {
            if plan.link(name, target, Link::Fallback).is_err() {
                everywhere.change(
                    "where it would lead back to where it began it is left out",
                    "",
                );
            }
        }
    }
}

fn connect(plan: &mut Plan, from: &str, targets: &Node<'_>, link: Link) {
    let nodes = if targets.is_list() {
        targets.items()
    } else {
        vec![targets.clone()]
    };
    for (index, node) in nodes.iter().enumerate() {
        let Some(to) = node.text() else {
            node.lose(
                "a fallback is the name of a model",
                "make it a model of its own, and name that",
            );
            continue;
        };
        if link == Link::LargerContext && index > 0 {
            node.lose(
                "a model has one model of larger context",
                "set `larger_context` of that model",
            );
            continue;
        }
        let from = if from == "*" { "" } else { from };
        if let Err(why) = plan.link(from, to, link) {
            node.lose(why, "");
        }
    }
}
