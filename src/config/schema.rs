//! What may be written, for editors and for our own checks?
//!
//! The JSON Schema of the raw configuration: printed by `trimtab schema`, walked by [`shape`](super::shape) to find every mistake at once, and printed as tables by [`reference`](super::reference()).
//! One schema for the three, so that they cannot disagree.
//!
//! # Invariants
//! - `null` occurs nowhere: TOML has none, a key is left out instead.
//! - Every property has a description.

use serde_json::{Map, Value};

use super::raw::RawConfig;

/// The JSON Schema (draft 2020-12) of the configuration file, as indented text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", value())
}

/// The schema as a value.
pub(super) fn value() -> Value {
    let mut schema = schemars::schema_for!(RawConfig).to_value();
    without_null(&mut schema);
    schema
}

/// Makes every optional value's schema that of the value.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            unwrap_optional(object);
            if object.get("default").is_some_and(|default| {
                default.is_null() || default.is_array() || default.is_object()
            }) {
                object.remove("default");
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

fn unwrap_optional(object: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            object.insert("type".to_owned(), kind);
        }
    }
    let Some(Value::Array(mut choices)) = object.remove("anyOf") else {
        return;
    };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_mut_slice() {
        for (key, value) in std::mem::take(only) {
            // Why: what the field says of itself goes before what its type says.
            object.entry(key).or_insert(value);
        }
    } else {
        object.insert("anyOf".to_owned(), Value::Array(choices));
    }
}

/// Follows `$ref` to the definition; anything else is itself.
pub(super) fn definition<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    name.and_then(|name| root.pointer(name.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// The words that a string of this schema may be, in order; none if any string may be.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let described = described.into_iter().flatten().flat_map(choices);
    let one = schema.get("const").and_then(Value::as_str);
    one.into_iter().chain(listed).chain(described).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties<'s>(schema: &'s Value, path: &str, found: &mut Vec<(String, &'s Value)>) {
        match schema {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = format!("{path}/{key}");
                    if key == "properties" {
                        for (name, property) in value.as_object().into_iter().flatten() {
                            found.push((format!("{path}/{name}"), property));
                        }
                    }
                    properties(value, &path, found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    properties(item, path, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_property_is_described_and_nothing_is_null() {
        let schema = value();
        let mut found = Vec::new();
        properties(&schema, "", &mut found);
        assert!(found.len() > 60, "only {} properties", found.len());
        for (path, property) in found {
            assert!(property.get("description").is_some(), "{path}: {property}");
        }
        assert!(!schema.to_string().contains("null"));
    }

    #[test]
    fn choices_are_listed() {
        let root = value();
        let log = definition(&root, &root["properties"]["log"]);
        let level = definition(&root, &log["properties"]["level"]);
        let expected = ["off", "error", "warn", "info", "debug", "trace"];
        assert_eq!(choices(level), expected, "{level}");
    }
}
