//! What is the table of every key?
//!
//! `docs/CONFIG.md`, printed from the schema: a heading for each table and a row for each key with its type, its default and its meaning.
//! A test compares the committed file, so that the page cannot fall behind the code.
//!
//! # Invariants
//! - The same schema gives the same bytes.
//! - Every table of the schema is printed once, where it is first used.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::schema::{self, choices, definition};

/// The order of the top-level tables: as an operator meets them.
const ORDER: [&str; 20] = [
    "server",
    "admin",
    "timeouts",
    "retry",
    "providers",
    "models",
    "workflows",
    "cache",
    "governance",
    "customers",
    "teams",
    "keys",
    "prices",
    "log",
    "requests",
    "request_log",
    "otlp",
    "trace",
    "scoring",
    "mock",
];

/// What stands above the tables.
const PREFACE: &str = "\
# Configuration

Every key of `config.toml`, printed from its schema; `config.toml` at the top of the repository shows them in use.
To print this page anew, run `UPDATE=1 cargo test -p trimtab --lib config::reference`.

- A duration is a number and one of `us`, `ms`, `s`, `m`, `h`: `\"250ms\"`, `\"1.5s\"`.
- A period, of budgets and of history, is a number and one of `m`, `h`, `d`, `w`, `M` (months), `Q` (quarters), `Y`: `\"1d\"`, `\"1M\"`.
- A size is a number and one of `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`: `\"32MiB\"`.
- `\"${NAME}\"` in any string is replaced by the environment variable `NAME`, which must be set; `$$` is a dollar sign.
- Unknown keys are refused.
- `trimtab check FILE` reports every mistake with its line and the fix; `trimtab schema` prints the JSON Schema.
- The file is read again when it changes; a file with a mistake changes nothing.
";

/// Prints the page.
#[must_use]
pub fn reference() -> String {
    let root = schema::value();
    let mut page = Page {
        root: &root,
        text: PREFACE.to_owned(),
        printed: BTreeSet::new(),
    };
    for name in ORDER {
        page.table(name, &root["properties"][name]);
    }
    page.text
}

struct Page<'r> {
    root: &'r Value,
    text: String,
    printed: BTreeSet<&'r str>,
}

impl<'r> Page<'r> {
    /// Prints the table at `name`, then the tables inside of it.
    fn table(&mut self, name: &str, schema: &'r Value) {
        let table = definition(self.root, schema);
        if let Some(named) = named(table) {
            // Why: a table of any values holds tables of any values.
            if named == schema {
                return;
            }
            return self.table(&format!("{name}.NAME"), named);
        }
        let Some(keys) = table["properties"].as_object() else {
            return;
        };
        if schema["$ref"]
            .as_str()
            .is_some_and(|name| !self.printed.insert(name))
        {
            return;
        }
        let about = table["description"].as_str().unwrap_or_default();
        // Why: writing to a string cannot fail.
        let _ = write!(self.text, "\n## `[{name}]`\n\n{about}\n");
        let required: Vec<&str> = table["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let rows: Vec<_> = keys.iter().filter(|(_, key)| !self.is_group(key)).collect();
        if !rows.is_empty() {
            self.text
                .push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
        }
        for (key, value) in rows {
            let default = default(value, required.contains(&key.as_str()));
            let kind = self.kind(definition(self.root, value), value);
            let meaning = cell(value["description"].as_str().unwrap_or_default());
            let _ = writeln!(self.text, "| `{key}` | {kind} | {default} | {meaning} |");
        }
        for (key, value) in keys {
            let inside = format!("{name}.{key}");
            let items = value.get("items").unwrap_or(value);
            self.table(&inside, items);
            for choice in value["anyOf"].as_array().into_iter().flatten() {
                self.table(&inside, choice);
            }
        }
    }

    /// Says whether a key is a group of keys that has a heading of its own and needs no row.
    fn is_group(&self, key: &Value) -> bool {
        let key = key["anyOf"].get(0).unwrap_or(key);
        let table = definition(self.root, key);
        self.root["properties"]["scoring"] == *key
            || key["$ref"].as_str().is_some_and(|name| {
                name.starts_with("#/$defs/Scoring") && table["properties"].is_object()
            })
    }

    /// Says in words what a key's value is.
    fn kind(&self, schema: &Value, written: &Value) -> String {
        let words: Vec<String> = choices(schema)
            .iter()
            .map(|word| format!("`\"{word}\"`"))
            .collect();
        if !words.is_empty() {
            return words.join(", ");
        }
        if let Some(several) = schema["anyOf"].as_array() {
            let kinds: Vec<String> = several
                .iter()
                .map(|one| self.kind(definition(self.root, one), one))
                .collect();
            return kinds.join(" or ");
        }
        let format = schema["format"].as_str().unwrap_or_default();
        let kind = match schema["type"].as_str().unwrap_or_default() {
            "array" => {
                let item = definition(self.root, &written["items"]);
                return format!("list of {}s", self.kind(item, &written["items"]));
            }
            "object" if named(schema).is_some_and(|of| of["$ref"] == "#/$defs/Json") => "table",
            "object" if named(schema).is_some() => "table of names",
            "object" => "table",
            "string" => format.strip_prefix("trimtab-").unwrap_or("string"),
            kind => kind,
        };
        let kind = kind.replace("base_url", "URL");
        let bound = |key: &str| schema[key].as_f64();
        match (
            bound("minimum"),
            bound("exclusiveMinimum"),
            bound("maximum"),
        ) {
            (Some(least), _, Some(most)) => format!("{kind}, {least} to {most}"),
            (Some(least), _, None) if least > 0.0 || kind == "number" => {
                format!("{kind}, from {least}")
            }
            (None, Some(above), _) => format!("{kind} above {above}"),
            _ => kind,
        }
    }
}

/// The schema of every value of a table whose keys are names.
fn named(table: &Value) -> Option<&Value> {
    table
        .get("additionalProperties")
        .filter(|others| others.is_object())
}

fn default(schema: &Value, required: bool) -> String {
    match schema.get("default") {
        _ if required => "required".to_owned(),
        Some(Value::String(text)) => format!("`{text:?}`"),
        Some(value) => format!("`{value}`"),
        None => String::new(),
    }
}

/// Keeps a text on one line and inside its cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFIG.md");
        let page = reference();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &page).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == page,
            "docs/CONFIG.md is not what the schema says; run: UPDATE=1 cargo test -p trimtab --lib config::reference"
        );
    }

    #[test]
    fn every_top_level_table_has_a_place() {
        let root = schema::value();
        let mut tables: Vec<&str> = root["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut ordered = ORDER;
        tables.sort_unstable();
        ordered.sort_unstable();
        assert_eq!(tables, ordered);
    }
}
