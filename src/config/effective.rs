//! What holds, key by key, and where does it come from?
//!
//! The file's values as they are written, and the schema's defaults for the keys that it leaves out; for people who look at a running gateway.
//!
//! # Invariants
//! - No secret is in it: a credential is shown as `***`, or by the name of its variable.
//! - The same text gives the same settings, in the order of the schema.

use serde_json::{Map, Value};
use toml::Table;

use super::schema::{self, definition};

/// What stands for a credential.
const HIDDEN: &str = "***";

/// One key.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its path, such as `server.max_body` or `providers.alpha.keys[0].weight`.
    pub path: String,
    /// Its value as it is written.
    pub value: Value,
    /// Whether the file says so; otherwise it is the default.
    pub is_written: bool,
}

/// A difference between two files.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The path of the key.
    pub path: String,
    /// What held before; none where nothing did.
    pub before: Option<Value>,
    /// What holds then; none where nothing does.
    pub after: Option<Value>,
}

/// Everything that a file's text says or leaves to its default; nothing where it is no TOML.
#[must_use]
pub fn settings(text: &str) -> Vec<Setting> {
    let Ok(document) = text.parse::<Table>() else {
        return Vec::new();
    };
    let root = schema::value();
    let mut walk = Walk {
        root: &root,
        found: Vec::new(),
    };
    walk.table("", &root, Some(&document));
    walk.found
}

/// What another file says otherwise.
#[must_use]
pub fn changes(before: &[Setting], after: &[Setting]) -> Vec<Change> {
    let of = |settings: &[Setting], path: &str| {
        let found = settings.iter().find(|it| it.path == path);
        found.map(|it| it.value.clone())
    };
    let gone = before.iter().filter_map(|was| {
        let is = of(after, &was.path);
        (is.as_ref() != Some(&was.value)).then(|| Change {
            path: was.path.clone(),
            before: Some(was.value.clone()),
            after: is,
        })
    });
    let new = after.iter().filter(|is| of(before, &is.path).is_none());
    let new = new.map(|is| Change {
        path: is.path.clone(),
        before: None,
        after: Some(is.value.clone()),
    });
    gone.chain(new).collect()
}

struct Walk<'r> {
    root: &'r Value,
    found: Vec<Setting>,
}

impl Walk<'_> {
    /// A table, or what would be one if it were written.
    fn table(&mut self, path: &str, schema: &Value, written: Option<&Table>) {
        let table = definition(self.root, schema);
        let Some(properties) = table.get("properties").and_then(Value::as_object) else {
            return;
        };
        for (key, schema) in properties {
            let path = joined(path, key);
            match written.and_then(|table| table.get(key)) {
                Some(value) => self.written(&path, schema, value),
                None => self.left_out(&path, schema),
            }
        }
    }

    fn written(&mut self, path: &str, schema: &Value, value: &toml::Value) {
        let known = definition(self.root, schema);
        match value {
            toml::Value::Table(table) if known.get("properties").is_some() => {
                self.table(path, known, Some(table));
            }
            toml::Value::Table(table) => {
                let of = known.get("additionalProperties");
                for (name, value) in table {
                    let path = joined(path, name);
                    match of {
                        Some(of) if of.is_object() => self.written(&path, of, value),
                        _ => self.push(path, json(value), known),
                    }
                }
            }
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                let of = known.get("items").unwrap_or(known);
                for (index, item) in items.iter().enumerate() {
                    self.written(&format!("{path}[{index}]"), of, item);
                }
            }
            value => self.push(path.to_owned(), json(value), known),
        }
    }

    fn push(&mut self, path: String, value: Value, schema: &Value) {
        // A stand-in takes what is no secret, and might be given one by mistake.
        let is_stand_in = path.starts_with("mock.") && path.ends_with(".keys");
        let value = if is_secret(schema) || is_stand_in {
            hidden(&value)
        } else {
            value
        };
        self.found.push(Setting {
            path,
            value,
            is_written: true,
        });
    }

    fn left_out(&mut self, path: &str, schema: &Value) {
        if let Some(default) = schema.get("default") {
            self.found.push(Setting {
                path: path.to_owned(),
                value: default.clone(),
                is_written: false,
            });
        } else if definition(self.root, schema).get("required").is_none() {
            self.table(path, schema, None);
        }
    }
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").and_then(Value::as_bool) == Some(true)
}

/// A credential: by the name of its variable, if it is nothing else.
fn hidden(value: &Value) -> Value {
    let name = value.as_str().and_then(|text| {
        let inside = text.strip_prefix("${")?.strip_suffix('}')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        inside.bytes().all(plain).then_some(text)
    });
    name.unwrap_or(HIDDEN).into()
}

fn joined(path: &str, key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let key = if !key.is_empty() && key.bytes().all(plain) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(is) => (*is).into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| (key.clone(), json(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FILE: &str = r#"
        [server]
        listen = "127.0.0.1:1"
        token = "secret-of-all"
        [providers.a]
        base_url = "http://h/v1"
        headers = { "X-A" = "secret-header" }
        keys = [{ name = "k", secret = "secret-key" }, { name = "l", secret = "${KEY}" }]
        [models."odd name"]
        routes = [{ provider = "a", model = "m" }]
    "#;

    fn value<'s>(settings: &'s [Setting], path: &str) -> (&'s Value, bool) {
        let found = settings.iter().find(|it| it.path == path);
        let found = found.unwrap_or_else(|| panic!("{path} is not in {settings:#?}"));
        (&found.value, found.is_written)
    }

    #[test]
    fn what_is_written_and_what_is_not_are_there_and_no_secret() {
        let all = settings(FILE);
        assert_eq!(value(&all, "server.listen"), (&"127.0.0.1:1".into(), true));
        assert_eq!(value(&all, "server.max_body"), (&"32MiB".into(), false));
        assert_eq!(value(&all, "server.token"), (&HIDDEN.into(), true));
        assert_eq!(value(&all, "providers.a.keys[0].secret").0, HIDDEN);
        assert_eq!(value(&all, "providers.a.keys[1].secret").0, "${KEY}");
        assert_eq!(value(&all, "providers.a.headers.X-A").0, HIDDEN);
        assert_eq!(value(&all, "models.\"odd name\".routes[0].model").0, "m");
        assert_eq!(value(&all, "requests.keep"), (&"memory".into(), false));
        assert!(!format!("{all:?}").contains("secret-"), "{all:#?}");
    }

    #[test]
    fn differences_are_told_both_ways() {
        let was = settings(FILE);
        let text = FILE.replace("127.0.0.1:1", "127.0.0.1:2").replace(
            "[models.\"odd name\"]",
            "[retry]\nmax_attempts = 2\n[models.\"odd name\"]\nfallbacks = [\"x\"]",
        );
        let is = settings(&text);
        assert!(changes(&was, &was).is_empty());
        let told: Vec<_> = changes(&was, &is);
        let paths: Vec<&str> = told.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "retry.max_attempts",
                "server.listen",
                "models.\"odd name\".fallbacks"
            ],
            "{told:#?}"
        );
        assert_eq!(told[2].before, None);
    }
}
