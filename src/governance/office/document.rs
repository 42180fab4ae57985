//! How is a tenant written as a document?
//!
//! With the keys of its table in the file; what is the default is left out, so that equal tenants have equal documents.
//!
//! # Invariants
//! - Read again, a document gives the tenant that it was written from.
//! - No secret and no hash is in it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::{
    Allowance, Budget, Customer, Pattern, RateLimits, Style, Team, Tenant, VirtualKey,
};

/// A document: the keys of a table.
pub(super) type Document = Map<String, Value>;

/// The document of a tenant.
pub(super) fn tenant(it: &Tenant) -> Document {
    match it {
        Tenant::Customer(it) => customer(it),
        Tenant::Team(it) => team(it),
        Tenant::Key(it) => key(it),
    }
}

pub(super) fn customer(it: &Customer) -> Document {
    allowance(&it.allowance)
}

pub(super) fn team(it: &Team) -> Document {
    let mut document = Document::new();
    put(&mut document, "customer", it.customer.as_deref());
    document.extend(allowance(&it.allowance));
    document
}

pub(super) fn key(it: &VirtualKey) -> Document {
    let mut document = Document::new();
    put(&mut document, "team", it.team.as_deref());
    put(&mut document, "customer", it.customer.as_deref());
    put(&mut document, "expires", it.expires.map(instant));
    put(&mut document, "disabled", it.disabled.then_some(true));
    put(
        &mut document,
        "log_content",
        (!it.log_content).then_some(false),
    );
    put(
        &mut document,
        "tags",
        (!it.tags.is_empty()).then_some(json!(it.tags)),
    );
    document.extend(allowance(&it.allowance));
    if !it.providers.is_empty() {
        let each = it.providers.iter();
        let each = each.map(|(name, at)| (name.clone(), Value::from(allowance(at))));
        document.insert("providers".to_owned(), each.collect());
    }
    document
}

/// What an allowance's keys say, as in the file.
#[must_use]
pub fn allowance(it: &Allowance) -> Map<String, Value> {
    let mut document = Document::new();
    if !it.budgets.is_empty() {
        let budgets: Vec<Value> = it.budgets.iter().map(budget).collect();
        document.insert("budgets".to_owned(), budgets.into());
    }
    let limits = rate_limits(&it.limits);
    if !limits.is_empty() {
        document.insert("rate_limits".to_owned(), limits.into());
    }
    put(&mut document, "models", it.models.as_deref().map(patterns));
    put(
        &mut document,
        "providers",
        it.providers.as_deref().map(patterns),
    );
    document
}

fn budget(it: &Budget) -> Value {
    let mut document = Document::new();
    put(&mut document, "limit", Some(it.limit.dollars()));
    put(
        &mut document,
        "period",
        Some(it.schedule.length.to_string()),
    );
    match &it.schedule.style {
        Style::Rolling => put(&mut document, "style", Some("rolling")),
        Style::Aligned(zone) => {
            let zone = zone.iana_name().filter(|zone| *zone != "UTC");
            put(&mut document, "zone", zone);
        }
    }
    put(&mut document, "hard", (!it.hard).then_some(false));
    document.into()
}

fn rate_limits(it: &RateLimits) -> Document {
    let mut document = Document::new();
    for (key, value) in [
        ("requests_per_minute", it.requests_per_minute),
        ("input_tokens_per_minute", it.input_tokens_per_minute),
        ("output_tokens_per_minute", it.output_tokens_per_minute),
        ("concurrency", it.concurrency),
    ] {
        put(&mut document, key, value);
    }
    document
}

fn patterns(all: &[Pattern]) -> Value {
    all.iter().map(Pattern::text).collect()
}

/// An instant as documents have it, of a second since 1970.
#[must_use]
pub fn instant(unix_seconds: i64) -> String {
    // Why: what lies beyond the calendar's years is at its end, which says as much.
    let fits = unix_seconds.clamp(
        Timestamp::MIN.as_second() + 1,
        Timestamp::MAX.as_second() - 1,
    );
    Timestamp::from_second(fits)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

fn put(document: &mut Document, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        document.insert(key.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Draft, Kind, made};

    use super::*;

    #[test]
    fn read_again_a_document_is_the_same() {
        for (kind, document) in [
            (Kind::Customer, json!({})),
            (
                Kind::Customer,
                json!({"budgets": [{"limit": 0.1, "period": "1M", "zone": "Europe/Berlin"}], "models": []}),
            ),
            (
                Kind::Team,
                json!({"customer": "acme", "budgets": [{"limit": 4_499_999.123_456_789, "period": "24h", "style": "rolling", "hard": false}]}),
            ),
            (
                Kind::Key,
                json!({
                    "team": "search", "expires": "2027-01-01T00:00:00Z", "disabled": true, "log_content": false,
                    "tags": {"a": "b"}, "models": ["gpt-*"], "providers": ["open*", "x"],
                    "rate_limits": {"requests_per_minute": 1, "input_tokens_per_minute": 2, "output_tokens_per_minute": 3, "concurrency": 4},
                }),
            ),
            (
                Kind::Key,
                json!({"customer": "acme", "providers": {"openai": {"budgets": [{"limit": 5.0, "period": "1d"}], "models": ["m"]}, "p": {}}}),
            ),
        ] {
            let draft = Draft {
                kind,
                name: "x",
                document: document.as_object().unwrap(),
            };
            let read = made(&draft, None).unwrap();
            assert_eq!(Value::from(tenant(&read)), document);
        }
    }

    #[test]
    fn any_second_is_an_instant() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert!(instant(i64::MAX).starts_with("9999-"));
        assert!(instant(i64::MIN).starts_with("-009999-"));
    }
}
