//! How does a plan become a `config.toml`?
//!
//! The one place that knows the words of a configuration.
//! What is known about a vendor is not written again: its name says it.
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
        base_url,
        region,
        headers,
        ..
    } = &provider.place;
    let vendor = provider.place.named();
    let mut head = Vec::new();
    if let Some(vendor) = vendor {
        head.push(("vendor", quoted(vendor.name)));
    }
    let region_of = region.as_deref().unwrap_or_default();
    let usual = vendor.map(|vendor| vendor.base_url.replace("{region}", region_of));
    if usual.as_ref() != Some(base_url) {
        head.push(("base_url", quoted(base_url)));
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
pub(super) fn bare(key: &str) -> String {
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
