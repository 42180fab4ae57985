//! Whole sources: what becomes of them, and that nothing is dropped, shown or made up.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Paint};

const LITELLM: &str = r#"
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 500
      weight: 3
      timeout: 120
      temperature: 0.2
    model_info:
      input_cost_per_token: 2.5e-06
      output_cost_per_token: 1.0e-05
      mode: chat
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: sk-live-literal-1
      weight: 1
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-deployment
      api_base: https://res.openai.azure.com/
      api_key: os.environ/AZURE_KEY
      api_version: "2024-10-21"
      weight: 2
  - model_name: small
    litellm_params:
      model: groq/llama-3.1-8b-instant
      api_key: sk-live-literal-2
      max_retries: 2
      stream_timeout: 5
  - model_name: local
    litellm_params:
      model: hosted_vllm/qwen
      api_base: http://10.0.0.5:8000
  - model_name: nowhere
    litellm_params:
      model: unheard-of/model
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 3
  allowed_fails: 3
  cooldown_time: 30
  model_group_alias: {"gpt-4": "gpt-4o"}
  fallbacks: [{"gpt-4o": ["small", "missing"]}, {"small": ["gpt-4o"]}]
  redis_password: sk-live-redis
litellm_settings:
  request_timeout: 300
  drop_params: true
  context_window_fallbacks: [{"small": ["gpt-4o"]}]
  made_up: {deep: [1, 2]}
general_settings:
  master_key: sk-live-master
environment_variables:
  REDIS_PASSWORD: sk-live-environment
"#;

const BIFROST: &str = r#"{
  "$schema": "https://www.getbifrost.ai/schema",
  "client": {"drop_excess_requests": false},
  "providers": {
    "openai": {
      "keys": [
        {"name": "k1", "value": "env.OPENAI_KEY_1", "models": ["gpt-4o", "gpt-4o-mini"], "weight": 0.7, "aliases": {"fast": "gpt-4o-mini"}},
        {"name": "k2", "value": "sk-live-literal", "models": ["gpt-4o"], "weight": 0.3}
      ],
      "network_config": {"default_request_timeout_in_seconds": 30, "max_retries": 2, "retry_backoff_initial": 500,
        "retry_backoff_max": 5000, "stream_idle_timeout_in_seconds": 60, "extra_headers": {"X-Team": "a", "X-Api-Key": "sk-live-header"}}
    },
    "mine": {
      "keys": [{"value": "env.MINE", "models": ["*"]}],
      "network_config": {"base_url": "https://mine.example"},
      "custom_provider_config": {"base_provider_type": "openai"}
    }
  }
}"#;

const PORTKEY: &str = r#"{
  "strategy": {"mode": "fallback", "on_status_codes": [429, 503]},
  "retry": {"attempts": 3, "on_status_codes": [429]},
  "cache": {"mode": "simple"},
  "targets": [
    {"strategy": {"mode": "loadbalance"}, "request_timeout": 20000, "targets": [
      {"provider": "openai", "api_key": "sk-live-literal", "weight": 0.7, "override_params": {"model": "gpt-4o", "temperature": 1}},
      {"provider": "azure-openai", "virtual_key": "azure-test-4110dd", "azure_resource_name": "res", "azure_deployment_id": "dep", "weight": 0.3}
    ]},
    {"provider": "groq", "apiKey": "sk-live-other", "overrideParams": {"model": "llama-3.1-8b-instant"}}
  ]
}"#;

/// Loads a text that must be valid, with every variable set.
fn load(text: &str) -> Config {
    let around = Surroundings {
        env: &|name| Some(stand_in(text, name)),
        read: &|_| Err(io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    config::parse(Path::new("config.toml"), text, &around)
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(Paint::Plain)))
}

fn imported(source: &str, models: &[&str]) -> Imported {
    let models: Vec<String> = models.iter().map(|&name| name.to_owned()).collect();
    convert(source.as_bytes(), None, &models).unwrap()
}

fn model<'c>(config: &'c Config, name: &str) -> &'c config::Model {
    config
        .models
        .iter()
        .find(|model| model.name == name)
        .unwrap_or_else(|| panic!("no model {name}"))
}

/// The provider's name, the model there and the weight of every route.
fn routes(config: &Config, name: &str) -> Vec<(String, String, f32)> {
    let of = |route: &config::RouteSpec| {
        let provider = config.providers[route.provider].name.clone();
        (provider, route.model.clone(), route.weight)
    };
    model(config, name).routes.iter().map(of).collect()
}

fn route(provider: &str, model: &str, weight: f32) -> (String, String, f32) {
    (provider.to_owned(), model.to_owned(), weight)
}

fn remarked<'i>(imported: &'i Imported, path: &str) -> &'i Remark {
    let found = imported.remarks.iter().find(|remark| remark.path == path);
    found.unwrap_or_else(|| panic!("nothing about {path}: {}", told(&imported.remarks)))
}

#[test]
fn litellm_deployments_become_routes_and_keys() {
    let made = imported(LITELLM, &[]);
    assert_eq!(made.from, Origin::Litellm);
    let config = load(&made.text);
    assert_eq!(
        routes(&config, "gpt-4o"),
        [
            route("openai", "gpt-4o", 4.0),
            route("azure", "my-deployment", 2.0)
        ]
    );
    let keys = &config.providers[0].keys;
    assert_eq!((keys[0].weight, keys[1].weight), (3.0, 1.0));
    assert_eq!(keys[0].limits.requests_per_minute, Some(500));
    assert_eq!(
        routes(&config, "gpt-4"),
        routes(&config, "gpt-4o"),
        "an alias"
    );
    let gpt = model(&config, "gpt-4o");
    assert!((gpt.routes[0].price_input - 2_500.0).abs() < 1e-6);
    assert_eq!(gpt.timeouts.total.as_secs(), 120);
    assert_eq!(config.timeouts.total.as_secs(), 300);
    assert_eq!(config.retry.max_attempts, 4);
    assert_eq!(model(&config, "small").retry.max_attempts, 3);
    assert_eq!(gpt.fallbacks.len(), 1);
    assert!(
        model(&config, "small").fallbacks.is_empty(),
        "it would lead back"
    );
    assert!(model(&config, "small").larger_context.is_some());
    assert!(config.server.token.is_some());
    let places: Vec<String> = config
        .providers
        .iter()
        .map(|it| format!("{:?}", it.endpoint))
        .collect();
    assert!(
        places
            .iter()
            .any(|it| it.contains("10.0.0.5") && it.contains("/v1")),
        "{places:?}"
    );
}

#[test]
fn what_litellm_says_beyond_that_is_told() {
    let made = imported(LITELLM, &[]);
    for (path, fate) in [
        ("model_list[0].litellm_params.temperature", Fate::Lost),
        ("model_list[0].model_info.mode", Fate::Lost),
        ("model_list[1].litellm_params.api_key", Fate::Secret),
        ("model_list[2].litellm_params.api_version", Fate::Lost),
        ("model_list[5]", Fate::Lost),
        ("router_settings.routing_strategy", Fate::Lost),
        ("router_settings.cooldown_time", Fate::Lost),
        ("router_settings.fallbacks[0].gpt-4o[1]", Fate::Lost),
        ("router_settings.fallbacks[1].small[0]", Fate::Lost),
        ("litellm_settings.drop_params", Fate::Lost),
        ("litellm_settings.made_up.deep[0]", Fate::Lost),
        ("litellm_settings.made_up.deep[1]", Fate::Lost),
        ("general_settings.master_key", Fate::Secret),
        ("environment_variables.REDIS_PASSWORD", Fate::Lost),
    ] {
        assert_eq!(remarked(&made, path).fate, fate, "{path}");
    }
}

#[test]
fn no_secret_is_written_or_shown() {
    for (source, models) in [
        (LITELLM, vec![]),
        (BIFROST, vec!["mine/x"]),
        (PORTKEY, vec![]),
    ] {
        let made = imported(source, &models);
        let shown = format!("{}{}", made.text, told(&made.remarks));
        assert!(!shown.contains("sk-live"), "{shown}");
    }
}

#[test]
fn two_literal_secrets_are_two_variables() {
    let made = imported(LITELLM, &[]);
    let advice = &remarked(&made, "model_list[1].litellm_params.api_key").advice;
    assert!(advice.contains("OPENAI_API_KEY_2"), "{advice}");
    assert!(made.text.contains("${OPENAI_API_KEY}") && made.text.contains("${OPENAI_API_KEY_2}"));
}

#[test]
fn bifrost_keys_serve_the_models_that_they_name() {
    let made = imported(BIFROST, &["mine/x"]);
    assert_eq!(made.from, Origin::Bifrost);
    let config = load(&made.text);
    let both = &routes(&config, "openai/gpt-4o")[0];
    let one = &routes(&config, "openai/gpt-4o-mini")[0];
    assert_ne!(both.0, one.0, "one key only serves the smaller model");
    let provider = |name: &str| config.providers.iter().find(|it| it.name == name).unwrap();
    assert_eq!(provider(&both.0).keys.len(), 2);
    assert_eq!(provider(&one.0).keys.len(), 1);
    assert_eq!(provider(&one.0).headers.len(), 2);
    assert_eq!(routes(&config, "openai/fast")[0].1, "gpt-4o-mini");
    assert_eq!(routes(&config, "mine/x"), [route("mine", "x", 1.0)]);
    let gpt = model(&config, "openai/gpt-4o");
    assert_eq!(
        (
            gpt.timeouts.head.as_secs(),
            gpt.timeouts.between_tokens.as_secs()
        ),
        (30, 60)
    );
    assert_eq!(gpt.retry.max_attempts, 3);
    assert_eq!(remarked(&made, "client").fate, Fate::Lost);
    assert_eq!(
        remarked(&made, "providers.mine.keys[0]").fate,
        Fate::Changed
    );
}

#[test]
fn portkey_strategies_become_tiers() {
    let made = imported(PORTKEY, &[]);
    assert_eq!(made.from, Origin::Portkey);
    let config = load(&made.text);
    assert_eq!(
        routes(&config, "gpt-4o"),
        [route("openai", "gpt-4o", 0.7), route("azure", "dep", 0.3)]
    );
    let gpt = model(&config, "gpt-4o");
    assert_eq!(gpt.fallbacks.len(), 1);
    assert_eq!(config.models[gpt.fallbacks[0]].name, "gpt-4o-fallback-1");
    assert_eq!(gpt.timeouts.total.as_secs(), 20);
    assert_eq!(gpt.retry.max_attempts, 4);
    for path in ["cache", "strategy.on_status_codes", "retry.on_status_codes"] {
        assert_eq!(remarked(&made, path).fate, Fate::Lost, "{path}");
    }
    assert_eq!(
        remarked(&made, "targets[0].targets[1].virtual_key").fate,
        Fate::Secret
    );
}

#[test]
fn a_resource_that_makes_no_address_is_told() {
    for (resource, fits) in [
        ("res", true),
        ("env.RES", true),
        ("<", false),
        ("https://a/v1", false),
    ] {
        let target = json!({"provider": "azure-openai", "api_key": "env.K", "azure_resource_name": resource});
        let bytes = serde_json::to_vec(&target).unwrap();
        let made = convert(&bytes, Some(Origin::Portkey), &["m".to_owned()]);
        assert_eq!(made.is_ok(), fits, "{resource}");
    }
}

#[test]
fn vendors_are_written_by_name_and_nothing_twice() {
    let source = "model_list:\n- model_name: c\n  litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/K}\n\
                  - model_name: b\n  litellm_params: {model: bedrock/x, aws_region_name: eu-west-1, aws_access_key_id: os.environ/I, aws_secret_access_key: os.environ/S}\n";
    let text = imported(source, &[]).text;
    for line in [
        "vendor = \"anthropic\"",
        "vendor = \"bedrock\"",
        "region = \"eu-west-1\"",
        "secret = \"${I}:${S}\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for said_by_the_vendor in ["base_url", "dialect", "limits"] {
        assert!(!text.contains(said_by_the_vendor), "{text}");
    }
    let dialects = load(&text).providers.into_iter().map(|it| it.dialect);
    let expected = [config::Dialect::Anthropic, config::Dialect::Bedrock];
    assert!(dialects.eq(expected), "{text}");
}

#[test]
fn what_is_written_passes_the_check() {
    for (source, models) in [
        (LITELLM, vec![]),
        (BIFROST, vec!["mine/x"]),
        (PORTKEY, vec![]),
    ] {
        let text = imported(source, &models).text;
        let checked = check(Path::new("config.toml"), &text);
        let shown = checked.map_err(|report| report.render(Paint::Plain));
        assert_eq!(shown, Ok(()), "{text}");
    }
}

#[test]
fn whoever_only_speaks_like_a_vendor_is_not_called_it() {
    let source = "model_list:\n- model_name: m\n  litellm_params: {model: openai/m, api_base: \"https://o.example/v1\", api_key: os.environ/K}\n\
                  - model_name: own\n  litellm_params: {model: vllm/own, api_base: \"http://10.0.0.5:8000\"}\n";
    let text = imported(source, &[]).text;
    assert!(!text.contains("vendor = \"openai\""), "{text}");
    assert!(text.contains("vendor = \"vllm\""), "{text}");
    let config = load(&text);
    assert!(!config.providers[0].serves.responses, "only OpenAI's own");
    assert!(config.providers[1].serves.responses);
}

#[test]
fn a_vendor_that_is_not_known_is_told_with_what_to_fill_in() {
    let made = imported(LITELLM, &[]);
    let Remark { fate, advice, .. } = remarked(&made, "model_list[5]");
    assert_eq!(*fate, Fate::Lost);
    assert!(
        advice.contains("[providers.unheard-of] with base_url = \"https://…\""),
        "{advice}"
    );
}

#[test]
fn a_source_that_cannot_be_used_is_refused_without_quoting_it() {
    let no_models = convert(
        b"{\"providers\": {\"openai\": {\"keys\": [{\"value\": \"sk-live\"}]}}}",
        None,
        &[],
    );
    for (case, refused) in [
        ("no model", no_models),
        ("unknown", convert(b"{\"a\": 1}", None, &[])),
        ("json", convert(b"{\"key\": sk-live", None, &[])),
        ("yaml", convert(b"key: [sk-live\nb: }", None, &[])),
        ("bytes", convert(b"\xff\xfe", None, &[])),
    ] {
        let error = refused.map(|made| made.text).unwrap_err().to_string();
        assert!(!error.contains("sk-live"), "{case}: {error}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    assert!(matches!(
        convert(bomb.as_bytes(), None, &[]),
        Err(ImportError::Syntax { .. })
    ));
}

/// Words that mean something to a reader.
const WORDS: [&str; 30] = [
    "model_list",
    "model_name",
    "litellm_params",
    "model",
    "api_base",
    "api_key",
    "weight",
    "model_info",
    "router_settings",
    "fallbacks",
    "default_fallbacks",
    "model_group_alias",
    "timeout",
    "extra_headers",
    "openai",
    "keys",
    "value",
    "models",
    "aliases",
    "network_config",
    "azure_key_config",
    "endpoint",
    "strategy",
    "mode",
    "targets",
    "provider",
    "virtual_key",
    "override_params",
    "retry",
    "*",
];

/// Texts that stand where names, addresses, keys and numbers are expected.
fn text() -> impl Strategy<Value = String> {
    let known = [
        "a",
        "b",
        "c",
        "a$$b",
        "x y",
        "openai/a",
        "azure/a",
        "ollama/a",
        "anthropic",
        "openai",
        "groq",
        "@openai-prod",
        "os.environ/NAME",
        "env.NAME",
        "${NAME}",
        "https://a.example/v1",
        "http://u:p@a",
        "ftp://a",
        "loadbalance",
        "fallback",
        "single",
        "conditional",
        "*",
        "0.5",
        "-1",
        "1e300",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "[ -~\u{e9}\\n]{0,12}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => text().prop_map(Value::String),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => (0_u32..100).prop_map(|number| json!(number)),
        1 => Just(Value::Null),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((prop::sample::select(WORDS.to_vec()), inner), 0..6).prop_map(
                |pairs| pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            ),
        ]
    })
}

/// A table of some of these keys.
fn table(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let value = prop_oneof![6 => leaf(), 1 => any_value()];
    prop::collection::vec(prop::option::weighted(0.7, value), keys.len()).prop_map(|values| {
        let pairs = keys.iter().zip(values);
        pairs
            .filter_map(|(key, value)| Some(((*key).to_owned(), value?)))
            .collect()
    })
}

fn litellm() -> impl Strategy<Value = Value> {
    let params = table(&[
        "model",
        "api_base",
        "api_key",
        "weight",
        "rpm",
        "tpm",
        "timeout",
        "max_retries",
        "input_cost_per_token",
    ]);
    let deployment = (text(), params)
        .prop_map(|(name, params)| json!({"model_name": name, "litellm_params": params}));
    let fallback =
        || (text(), prop::collection::vec(text(), 0..3)).prop_map(|(from, to)| json!({from: to}));
    let fallbacks = || prop::collection::vec(fallback(), 0..5);
    let parts = (
        prop::collection::vec(deployment, 1..6),
        fallbacks(),
        fallbacks(),
        prop::collection::vec(text(), 0..2),
        text(),
    );
    parts.prop_map(|(list, fallbacks, larger, default, alias)| {
        json!({
            "model_list": list,
            "router_settings": {"fallbacks": fallbacks, "context_window_fallbacks": larger, "default_fallbacks": default,
                "model_group_alias": {"alias": alias}},
        })
    })
}

fn bifrost() -> impl Strategy<Value = Value> {
    let fields = table(&["name", "value", "weight", "id"]);
    let key = (fields, prop::collection::vec(text(), 0..3)).prop_map(|(mut key, models)| {
        key["models"] = json!(models);
        key
    });
    let network = table(&[
        "base_url",
        "max_retries",
        "retry_backoff_initial",
        "retry_backoff_max",
        "extra_headers",
    ]);
    let provider = (prop::collection::vec(key, 0..4), network)
        .prop_map(|(keys, network)| json!({"keys": keys, "network_config": network}));
    prop::collection::vec((text(), provider), 1..3).prop_map(
        |providers| json!({"providers": providers.into_iter().collect::<serde_json::Map<_, _>>()}),
    )
}

fn portkey() -> impl Strategy<Value = Value> {
    let target = table(&[
        "provider",
        "api_key",
        "virtual_key",
        "weight",
        "custom_host",
        "request_timeout",
        "override_params",
    ]);
    target.prop_recursive(3, 12, 4, |inner| {
        (text(), prop::collection::vec(inner, 1..4), leaf())
            .prop_map(|(mode, targets, weight)| json!({"strategy": {"mode": mode}, "targets": targets, "weight": weight}))
    })
}

/// Reads it as each gateway's; what comes out must load.
fn read_as_any(value: &Value) -> usize {
    let bytes = serde_json::to_vec(value).unwrap();
    let models = ["a".to_owned(), "openai/a".to_owned()];
    let origins = [Origin::Litellm, Origin::Bifrost, Origin::Portkey];
    let made = origins
        .iter()
        .filter_map(|from| convert(&bytes, Some(*from), &models).ok());
    made.inspect(|made| drop(load(&made.text))).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_read_without_a_panic(value in any_value()) {
        read_as_any(&json!({"model_list": value.clone(), "providers": value.clone(), "targets": value}));
    }

    #[test]
    fn whatever_is_made_of_a_likely_source_loads(value in prop_oneof![litellm(), bifrost(), portkey()]) {
        read_as_any(&value);
    }
}

#[test]
fn likely_sources_are_made_into_something_often_enough_to_mean_it() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let sources = prop_oneof![litellm(), bifrost(), portkey()];
    let made: usize = (0..200)
        .map(|_| read_as_any(&sources.new_tree(&mut runner).unwrap().current()))
        .sum();
    assert!(made > 30, "{made} of 200");
}
