//! How does a plan become a `config.toml`?
//!
//! The one place that knows what a configuration may say: the table of providers, and the words that are written for each.
//!
//! # Invariants
//! - Every text is quoted by the TOML library, so none can end its string.
//! - Nothing is written that says what the default says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use scoring::retry::RetryPolicy;
use scoring::time::Span;

use super::plan::{Clocks, Key, Model, Place, Plan, Provider, Retries, Route};

/// The widest weight written: more says nothing and would not be a weight any more.
const MOST_WEIGHT: f64 = 1e6;

/// Longest clock written, seconds: a day.
const LONGEST_CLOCK: f64 = 86_400.0;

/// What is written for a provider that sources know by name.
#[derive(Debug, PartialEq)]
pub(super) struct Preset {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Its names in the sources.
    pub(super) known_as: &'static [&'static str],
    /// The wire format.
    pub(super) dialect: &'static str,
    /// Where it is; `{region}` and `{project}` are filled in. Empty if only the source can say.
    pub(super) base_url: &'static str,
    /// What the base URL ends with, appended where a source leaves it out.
    pub(super) ends_with: &'static str,
    /// How it tells its rate limits.
    pub(super) limits: &'static str,
    /// The variable that its own library reads; empty if it asks for no key.
    pub(super) variable: &'static str,
}

/// A provider of OpenAI's dialect that tells its limits as OpenAI does.
const fn compatible(
    name: &'static str,
    known_as: &'static [&'static str],
    base_url: &'static str,
    variable: &'static str,
) -> Preset {
    Preset {
        name,
        known_as,
        dialect: "openai",
        base_url,
        ends_with: "",
        limits: "openai",
        variable,
    }
}

/// A server of one's own: no public place, no limits and no key.
const fn own(
    name: &'static str,
    known_as: &'static [&'static str],
    base_url: &'static str,
) -> Preset {
    Preset {
        ends_with: "/v1",
        limits: "none",
        ..compatible(name, known_as, base_url, "")
    }
}

/// Every provider that can be written, the first of them for any other that speaks OpenAI's dialect.
///
/// Azure is written by its v1 endpoint, which speaks OpenAI's dialect and needs no API version.
pub(super) const PRESETS: &[Preset] = &[
    compatible(
        "openai",
        &[
            "openai",
            "text-completion-openai",
            "custom_openai",
            "openai_like",
        ],
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
    ),
    Preset {
        ends_with: "/openai/v1",
        limits: "azure",
        ..compatible(
            "azure",
            &["azure", "azure-openai", "azure_text"],
            "",
            "AZURE_API_KEY",
        )
    },
    Preset {
        dialect: "anthropic",
        ends_with: "/v1",
        limits: "anthropic",
        ..compatible(
            "anthropic",
            &["anthropic"],
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
        )
    },
    Preset {
        dialect: "gemini",
        limits: "gemini",
        ..compatible(
            "gemini",
            &["gemini", "google", "google-ai-studio"],
            "https://generativelanguage.googleapis.com/v1beta",
            "GEMINI_API_KEY",
        )
    },
    Preset {
        dialect: "vertex",
        limits: "gemini",
        ..compatible(
            "vertex",
            &["vertex_ai", "vertex", "vertex-ai", "vertex_ai_beta"],
            "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
            "VERTEX_CREDENTIALS",
        )
    },
    Preset {
        dialect: "bedrock",
        limits: "none",
        ..compatible(
            "bedrock",
            &["bedrock", "bedrock_converse", "aws-bedrock"],
            "https://bedrock-runtime.{region}.amazonaws.com",
            "AWS_BEARER_TOKEN_BEDROCK",
        )
    },
    Preset {
        dialect: "cohere",
        limits: "none",
        ..compatible(
            "cohere",
            &["cohere", "cohere_chat"],
            "https://api.cohere.com/v2",
            "COHERE_API_KEY",
        )
    },
    Preset {
        limits: "groq",
        ..compatible(
            "groq",
            &["groq"],
            "https://api.groq.com/openai/v1",
            "GROQ_API_KEY",
        )
    },
    compatible(
        "mistral",
        &["mistral", "mistral-ai", "codestral"],
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
    ),
    compatible(
        "together",
        &["together_ai", "together-ai", "together"],
        "https://api.together.xyz/v1",
        "TOGETHERAI_API_KEY",
    ),
    compatible(
        "fireworks",
        &["fireworks_ai", "fireworks-ai", "fireworks"],
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
    ),
    compatible(
        "deepseek",
        &["deepseek"],
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
    ),
    compatible(
        "openrouter",
        &["openrouter"],
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
    ),
    compatible(
        "xai",
        &["xai", "x-ai"],
        "https://api.x.ai/v1",
        "XAI_API_KEY",
    ),
    compatible(
        "cerebras",
        &["cerebras"],
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
    ),
    compatible(
        "perplexity",
        &["perplexity", "perplexity-ai"],
        "https://api.perplexity.ai",
        "PERPLEXITYAI_API_KEY",
    ),
    compatible(
        "nvidia",
        &["nvidia_nim", "nvidia", "nvidia-nim"],
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_NIM_API_KEY",
    ),
    compatible(
        "nebius",
        &["nebius"],
        "https://api.studio.nebius.com/v1",
        "NEBIUS_API_KEY",
    ),
    compatible(
        "deepinfra",
        &["deepinfra"],
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
    ),
    compatible(
        "sambanova",
        &["sambanova"],
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
    ),
    own(
        "ollama",
        &["ollama", "ollama_chat"],
        "http://127.0.0.1:11434/v1",
    ),
    own("vllm", &["hosted_vllm", "vllm"], ""),
    own("sglang", &["sgl", "sglang"], ""),
    own(
        "lm-studio",
        &["lm_studio", "lm-studio", "lmstudio"],
        "http://127.0.0.1:1234/v1",
    ),
];

/// The provider that sources know by this name.
pub(super) fn preset(known_as: &str) -> Option<&'static Preset> {
    PRESETS
        .iter()
        .find(|preset| preset.known_as.contains(&known_as))
}

/// The provider for a place that speaks OpenAI's dialect under a name of its own.
pub(super) fn any_compatible() -> &'static Preset {
    const ANY: &Preset = &Preset {
        limits: "none",
        ..compatible("compatible", &[], "", "")
    };
    ANY
}

/// The credential of Bedrock that consists of parts, each as written in the file.
pub(super) fn aws_credential(parts: &[String]) -> String {
    parts.join(":")
}

/// Writes the file.
pub(super) fn write(plan: &Plan, source: &str) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "# Made by `trimtab import` from a configuration of {source}.\n\
         # `trimtab check` says whether it is valid; docs/CONFIG.md lists every key."
    );
    variables(&mut out, plan);
    if let Some(token) = &plan.token {
        let _ = writeln!(
            out,
            "\n# Where clients connect, and the credential that each presents.\n\n[server]\ntoken = {}",
            quoted(token)
        );
    }
    if plan.timeouts != Clocks::default() {
        let _ = writeln!(out, "\n# The clocks of a request.\n\n[timeouts]");
        lines(&mut out, &clocks(plan.timeouts));
    }
    if plan.retry != Retries::default() {
        let _ = writeln!(out, "\n# How failures are retried.\n\n[retry]");
        lines(&mut out, &retries(plan.retry));
    }
    let _ = writeln!(
        out,
        "\n# Whom the gateway calls. Each key is a route of its own."
    );
    for provider in &plan.providers {
        write_provider(&mut out, provider);
    }
    let _ = writeln!(
        out,
        "\n# What clients may ask for. Weights are relative; prices are dollars per million tokens."
    );
    for model in &plan.models {
        write_model(&mut out, model);
    }
    out
}

/// Lists the environment variables that the file refers to.
fn variables(out: &mut String, plan: &Plan) {
    let of_places = plan.providers.iter().flat_map(|it| {
        let keys = it.keys.iter().filter_map(|key| key.secret.as_deref());
        let place = [Some(it.place.base_url.as_str()), it.place.region.as_deref()];
        let headers = it.place.headers.values().map(String::as_str);
        keys.chain(place.into_iter().flatten()).chain(headers)
    });
    let names: BTreeSet<&str> = of_places
        .chain(plan.token.as_deref())
        .flat_map(references)
        .collect();
    if names.is_empty() {
        return;
    }
    let _ = writeln!(out, "# It needs these environment variables:");
    for name in names {
        let _ = writeln!(out, "#   {name}");
    }
}

/// The variables that a text of the file refers to.
pub(super) fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let escaped = before
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'$')
            .count()
            % 2
            == 1;
        rest = after;
        if let (false, Some((name, after))) = (escaped, after.split_once('}')) {
            names.push(name);
            rest = after;
        }
    }
    names
}

fn write_provider(out: &mut String, provider: &Provider) {
    let Place {
        name: _,
        preset,
        base_url,
        region,
        headers,
    } = &provider.place;
    let mut head = Vec::new();
    if preset.dialect != "openai" {
        head.push(("dialect", quoted(preset.dialect)));
    }
    head.push(("base_url", quoted(base_url)));
    if preset.limits != "openai" {
        head.push(("limits", quoted(preset.limits)));
    }
    if let Some(region) = region {
        head.push(("region", quoted(region)));
    }
    if !headers.is_empty() {
        let pairs = headers.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
            .collect();
        head.push(("headers", format!("{{ {} }}", pairs.join(", "))));
    }
    let _ = writeln!(out, "\n[providers.{}]", bare(&provider.name));
    lines(out, &head);
    let keys: Vec<&Key> = provider
        .keys
        .iter()
        .filter(|key| key.secret.is_some())
        .collect();
    if keys.is_empty() {
        return;
    }
    let _ = writeln!(out, "keys = [");
    for key in keys {
        let mut parts = vec![
            ("name", quoted(&key.name)),
            ("secret", quoted(key.secret.as_deref().unwrap_or_default())),
        ];
        let whole = |value: u32| value.to_string();
        parts.extend(key.weight.map(|it| ("weight", weight(it))));
        parts.extend(
            key.requests_per_minute
                .map(|it| ("requests_per_minute", whole(it))),
        );
        parts.extend(
            key.tokens_per_minute
                .map(|it| ("tokens_per_minute", whole(it))),
        );
        parts.extend(key.concurrency.map(|it| ("concurrency", whole(it))));
        let _ = writeln!(out, "    {},", table(&parts));
    }
    let _ = writeln!(out, "]");
}

fn write_model(out: &mut String, model: &Model) {
    let _ = writeln!(out, "\n[models.{}]\nroutes = [", bare(&model.name));
    let alone = model.routes.len() == 1;
    for route in &model.routes {
        let _ = writeln!(
            out,
            "    {},",
            table(&route_parts(route, &model.name, alone))
        );
    }
    let _ = writeln!(out, "]");
    let mut rest = Vec::new();
    if !model.fallbacks.is_empty() {
        let names: Vec<String> = model.fallbacks.iter().map(|name| literal(name)).collect();
        rest.push(("fallbacks", format!("[{}]", names.join(", "))));
    }
    rest.extend(
        model
            .larger_context
            .as_ref()
            .map(|name| ("larger_context", literal(name))),
    );
    if model.timeouts != Clocks::default() {
        rest.push(("timeouts", table(&clocks(model.timeouts))));
    }
    if model.retry != Retries::default() {
        rest.push(("retry", table(&retries(model.retry))));
    }
    lines(out, &rest);
}

fn route_parts(route: &Route, model: &str, alone: bool) -> Vec<(&'static str, String)> {
    let mut parts = vec![("provider", quoted(&route.provider))];
    if route.model != model {
        parts.push(("model", literal(&route.model)));
    }
    if !alone {
        parts.push(("weight", weight(route.weight)));
    }
    let price = |price: f64| decimal(price.clamp(0.0, 1e6));
    parts.extend(route.price_input.map(|it| ("price_input", price(it))));
    parts.extend(route.price_output.map(|it| ("price_output", price(it))));
    parts
}

fn clocks(clocks: Clocks) -> Vec<(&'static str, String)> {
    let all = [
        ("connect", clocks.connect),
        ("head", clocks.head),
        ("first_token", clocks.first_token),
        ("between_tokens", clocks.between_tokens),
        ("total", clocks.total),
    ];
    all.into_iter()
        .filter_map(|(key, seconds)| Some((key, duration(seconds?))))
        .collect()
}

/// Attempts and back-off; where only one end of the back-off is told, the other follows so that they do not cross.
fn retries(retries: Retries) -> Vec<(&'static str, String)> {
    let default = RetryPolicy::default();
    let seconds = |span: Span| span.as_micros() as f64 / 1e6;
    let (least, most) = (seconds(default.base), seconds(default.cap));
    let (base, cap) = match (retries.base, retries.cap) {
        (Some(base), Some(cap)) => (Some(base), Some(cap.max(base))),
        (Some(base), None) => (Some(base), (base > most).then_some(base)),
        (None, Some(cap)) => ((cap < least).then_some(cap), Some(cap)),
        (None, None) => (None, None),
    };
    let mut parts = Vec::new();
    parts.extend(
        retries
            .max_attempts
            .map(|it| ("max_attempts", it.clamp(1, 16).to_string())),
    );
    parts.extend(base.map(|it| ("base", duration(it))));
    parts.extend(cap.map(|it| ("cap", duration(it))));
    parts
}

fn lines(out: &mut String, pairs: &[(&str, String)]) {
    for (key, value) in pairs {
        let _ = writeln!(out, "{key} = {value}");
    }
}

fn table(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A text that refers to no variable.
fn literal(text: &str) -> String {
    quoted(&text.replace('$', "$$"))
}

/// A key, in quotation marks where it needs them.
fn bare(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(plain) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

fn weight(value: f64) -> String {
    decimal(value.clamp(super::plan::LEAST_WEIGHT, MOST_WEIGHT))
}

/// A number with at most nine places, so that products of decimal fractions look as they were meant.
fn decimal(value: f64) -> String {
    let rounded = (value * 1e9).round() / 1e9;
    format!("{rounded:?}")
}

/// A duration, from a millisecond to a day.
fn duration(seconds: f64) -> String {
    let millis = (seconds.clamp(0.001, LONGEST_CLOCK) * 1_000.0).round() as u64;
    if millis.is_multiple_of(1_000) {
        format!("\"{}s\"", millis / 1_000)
    } else {
        format!("\"{millis}ms\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_known_by_one_name_only() {
        let names: Vec<&str> = PRESETS.iter().flat_map(|it| it.known_as).copied().collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), unique.len());
        assert_eq!(preset("together_ai").map(|it| it.name), Some("together"));
        assert_eq!(preset("unheard-of"), None);
    }

    #[test]
    fn values_are_written_as_the_configuration_reads_them() {
        for (seconds, text) in [(30.0, "30s"), (0.5, "500ms"), (0.0, "1ms"), (1e9, "86400s")] {
            assert_eq!(duration(seconds), format!("{text:?}"));
        }
        assert_eq!(decimal(1.5e-7 * 1e6), "0.15");
        assert_eq!(weight(0.0), "0.001");
        assert_eq!(bare("gpt-4.1"), "\"gpt-4.1\"");
    }

    #[test]
    fn references_are_found_and_escaped_ones_are_not() {
        assert_eq!(references("${A}:${B}/x"), ["A", "B"]);
        assert!(references("$${A} $x ${").is_empty());
    }
}
