//! How is what a program writes checked like the file?
//!
//! A tenant that is made over the admin API is written as JSON with the keys of its table in the file.
//! It becomes that table and goes the way of the file, so rules and messages are the same and cannot drift apart.
//!
//! # Invariants
//! - Any document gives a tenant or a report, never a panic.
//! - Nothing of the environment is read: `${NAME}` is a text like any other.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::de::{DeTable, Deserializer};

use super::raw::RawConfig;
use super::report::Report;
use super::resolve::{Surroundings, resolve_made};
use super::schema;
use super::settings::Config;
use super::shape::Shape;
use super::source::Source;
use super::tenants::{Kind, Tenant, Tenants};

/// What stands for the secret of a key while the rest is checked; secrets of such keys are made, not written.
const NO_SECRET: &str = "made-and-never-written";

/// What the report calls the document.
const DOCUMENT: &str = "request";

/// A tenant as a program writes it.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// The keys of its table and their values; one that is null is as good as left out.
    pub document: &'a Map<String, Value>,
}

/// Among whom a tenant is to live.
#[derive(Clone, Copy, Debug)]
pub struct Among<'a> {
    /// Models, and providers with their budgets.
    pub config: &'a Config,
    /// Everybody else.
    pub tenants: &'a Tenants,
}

/// Checks a draft; a key has a secret that stands for none.
///
/// Without anybody to live among, its references are not looked at: so is read what was checked before.
///
/// # Errors
/// Everything that is wrong with it.
pub fn made(draft: &Draft<'_>, among: Option<Among<'_>>) -> Result<Tenant, Report> {
    let text = table(draft);
    let mut source = Source::new(Path::new(DOCUMENT), &text);
    let (mut document, errors) = DeTable::parse_recoverable(&text);
    if let Some(error) = errors.first() {
        return Err(source.into_syntax_report(super::load::syntax(error)));
    }
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let mut shape = Shape {
        root: SCHEMA.get_or_init(schema::value),
        env: around.env,
        source: &mut source,
    };
    shape.document(document.get_mut());
    let resolved = match RawConfig::deserialize(Deserializer::from(document)) {
        Ok(raw) => resolve_made(&raw, among, &around, &mut source),
        Err(error) => {
            source.report(super::load::unforeseen(&error));
            Tenants::default()
        }
    };
    if let Some(report) = source.into_report() {
        return Err(report);
    }
    let Tenants {
        customers,
        teams,
        keys,
    } = resolved;
    let customers = customers.into_iter().map(Tenant::Customer);
    let teams = teams.into_iter().map(Tenant::Team);
    let keys = keys.into_iter().map(|key| Tenant::Key(Box::new(key)));
    let mut all = customers.chain(teams).chain(keys);
    all.next().ok_or_else(|| {
        let problem = super::report::Problem::of_file("holds nothing");
        Report::of_file(Path::new(DOCUMENT), problem)
    })
}

/// The draft as a table of the file.
fn table(draft: &Draft<'_>) -> String {
    let mut text = format!("[{}.", draft.kind.table());
    string(draft.name, &mut text);
    text.push_str("]\n");
    if draft.kind == Kind::Key {
        text.push_str("secret = \"");
        text.push_str(NO_SECRET);
        text.push_str("\"\n");
    }
    for (key, value) in written(draft.document) {
        string(key, &mut text);
        text.push_str(" = ");
        inline(value, &mut text);
        text.push('\n');
    }
    text
}

/// What is not null: TOML has none.
fn written(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(_, value)| !value.is_null())
}

/// Writes a value on one line.
fn inline(value: &Value, to: &mut String) {
    match value {
        // Why: a null in a list is a mistake, which the type of the text beside its neighbours tells.
        Value::Null => to.push_str("\"null\""),
        Value::Bool(_) | Value::Number(_) => to.push_str(&value.to_string()),
        // Why: `$` would be read as the beginning of a reference.
        Value::String(text) => string(&text.replace('$', "$$"), to),
        Value::Array(items) => {
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push_str(", ");
                }
                inline(item, to);
            }
            to.push(']');
        }
        Value::Object(object) => {
            to.push_str("{ ");
            for (index, (key, value)) in written(object).enumerate() {
                if index > 0 {
                    to.push_str(", ");
                }
                string(key, to);
                to.push_str(" = ");
                inline(value, to);
            }
            to.push_str(" }");
        }
    }
}

/// Writes a basic string of TOML: JSON's, but that it escapes the last control character too.
fn string(text: &str, to: &mut String) {
    to.push_str(&Value::from(text).to_string().replace('\u{7f}', "\\u007f"));
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use serde_json::json;

    use super::super::tests::valid;
    use super::*;

    /// What is wrong with a document, as path and message.
    fn wrong(kind: Kind, document: &Value) -> Vec<(String, String)> {
        let config = valid(
            "[providers.p]\nbase_url = \"http://localhost:1/v1\"\n[models.main]\nroutes = [{ provider = \"p\" }]\n[teams.search]\n",
        );
        let among = Among {
            config: &config,
            tenants: &config.tenants,
        };
        let draft = Draft {
            kind,
            name: "x",
            document: document.as_object().unwrap(),
        };
        match made(&draft, Some(among)) {
            Ok(_) => Vec::new(),
            Err(report) => {
                let problems = report.problems().iter();
                problems
                    .map(|it| (it.path.clone(), it.message.clone()))
                    .collect()
            }
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
    fn mistakes_are_those_of_the_file() {
        for (kind, document, path, message) in [
            (
                Kind::Key,
                json!({"team": "serch"}),
                "keys.x.team",
                "no team is named \"serch\", did you mean \"search\"?",
            ),
            (
                Kind::Key,
                json!({"bugdets": []}),
                "keys.x.bugdets",
                "unknown key \"bugdets\", did you mean \"budgets\"?",
            ),
            (
                Kind::Key,
                json!({"models": ["mian"]}),
                "keys.x.models[0]",
                "no model is named \"mian\", did you mean \"main\"?",
            ),
            (
                Kind::Key,
                json!({"providers": {"q": {}}}),
                "keys.x.providers.q",
                "no provider is named \"q\"",
            ),
            (
                Kind::Key,
                json!({"expires": "soon"}),
                "keys.x.expires",
                "\"soon\" is not a valid expires",
            ),
            (
                Kind::Team,
                json!({"budgets": [{"limit": 1}]}),
                "teams.x.budgets[0].period",
                "teams.x.budgets[0] lacks the key \"period\"",
            ),
            (
                Kind::Team,
                json!({"budgets": [{"limit": -1, "period": "1d"}]}),
                "teams.x.budgets[0].limit",
                "limit is out of range: -1",
            ),
            (
                Kind::Team,
                json!({"budgets": [{"limit": 1e300, "period": "1d"}]}),
                "teams.x.budgets[0].limit",
                "limit is out of range: 1e+300",
            ),
            (
                Kind::Team,
                json!({"rate_limits": {"concurrency": u64::MAX}}),
                "teams.x.rate_limits.concurrency",
                "concurrency is out of range: 18446744073709551615",
            ),
            (
                Kind::Team,
                json!({"models": [null]}),
                "teams.x.models[0]",
                "no model is named \"null\"",
            ),
            (
                Kind::Customer,
                json!({"models": "m"}),
                "customers.x.models",
                "\"models\" is a string",
            ),
            (
                Kind::Customer,
                json!({"budgets": [{"limit": 1, "period": "1d", "zone": "Mars"}]}),
                "customers.x.budgets[0].zone",
                "no time zone is named \"Mars\"",
            ),
        ] {
            let expected = (path.to_owned(), message.to_owned());
            assert_eq!(wrong(kind, &document), [expected], "{document}");
        }
    }

    #[test]
    fn texts_stay_what_they_are() {
        let document = json!({"tags": {"a\u{7f}b": "${HOME} $$ \"q\" \\"}, "team": null});
        let wrong = wrong(Kind::Key, &document);
        assert_eq!(wrong.len(), 1, "a control character: {wrong:?}");
        let document = json!({"tags": {"a.b": "${HOME} $$ \"q\" \\ é"}, "team": null});
        let draft = Draft {
            kind: Kind::Key,
            name: "x",
            document: document.as_object().unwrap(),
        };
        let Ok(Tenant::Key(key)) = made(&draft, None) else {
            panic!("refused");
        };
        assert_eq!(key.tags["a.b"], "${HOME} $$ \"q\" \\ é");
        assert_eq!(key.team, None);
    }

    #[test]
    fn a_name_is_no_way_out_of_its_table() {
        for name in [
            "",
            "a b",
            "x]\n[admin]\ntoken = \"t\"\n[keys.y",
            "é",
            "\u{7f}",
        ] {
            let draft = Draft {
                kind: Kind::Key,
                name,
                document: &Map::new(),
            };
            let report = made(&draft, None).unwrap_err();
            assert!(
                report.problems()[0]
                    .message
                    .ends_with("cannot be a name here"),
                "{name:?}: {report}"
            );
        }
    }

    #[test]
    fn depth_is_no_way_to_the_end_of_the_stack() {
        let mut deep = json!("x");
        for _ in 0..120 {
            deep = json!([deep]);
        }
        assert_eq!(wrong(Kind::Key, &json!({"models": deep})).len(), 1);
    }
}
