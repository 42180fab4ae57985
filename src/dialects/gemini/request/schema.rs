//! What is the JSON Schema of a type that is written in Google's subset of OpenAPI?
//!
//! Google's clients write `parameters` and `responseSchema` in it: types in capitals, `nullable` beside the type, counts in quotes.
//!
//! # Invariants
//! - What already is JSON Schema stays what it is.
//! - The depth of recursion is that of the JSON, which its parser bounds.

use serde_json::{Map, Value};

/// The same schema as JSON Schema.
pub(super) fn from_open_api(schema: Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema;
    };
    let mut out = Map::new();
    let mut nullable = false;
    for (key, value) in schema {
        let key = camel(&key);
        match key.as_str() {
            "type" => {
                if let Some(kind) = kind(value) {
                    out.insert(key, kind);
                }
            }
            "nullable" => nullable = value == Value::Bool(true),
            "propertyOrdering" | "example" => {}
            "properties" | "$defs" | "definitions" => {
                out.insert(key, named(value));
            }
            "items" | "additionalProperties" => {
                out.insert(key, from_open_api(value));
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                out.insert(key, listed(value));
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties" => {
                out.insert(key, count(value));
            }
            _ => {
                out.insert(key, value);
            }
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    Value::Object(out)
}

/// The keyword in camelCase: Python's dictionaries come in snake_case.
fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut raise = false;
    for letter in key.chars() {
        if letter == '_' && !out.is_empty() {
            raise = true;
        } else if raise {
            out.extend(letter.to_uppercase());
            raise = false;
        } else {
            out.push(letter);
        }
    }
    out
}

/// The type in lower case; none where it says nothing.
fn kind(value: Value) -> Option<Value> {
    match value {
        Value::String(name) if name == "TYPE_UNSPECIFIED" => None,
        Value::String(name) => Some(Value::String(name.to_ascii_lowercase())),
        Value::Array(names) => Some(Value::Array(names.into_iter().filter_map(kind).collect())),
        other => Some(other),
    }
}

fn named(value: Value) -> Value {
    let Value::Object(all) = value else {
        return value;
    };
    let converted = all
        .into_iter()
        .map(|(name, schema)| (name, from_open_api(schema)));
    Value::Object(converted.collect())
}

fn listed(value: Value) -> Value {
    let Value::Array(all) = value else {
        return value;
    };
    Value::Array(all.into_iter().map(from_open_api).collect())
}

fn count(value: Value) -> Value {
    let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
    number.map_or(value, Value::from)
}

fn allow_null(schema: &mut Map<String, Value>) {
    let null = || Value::String("null".to_owned());
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => *kind = Value::Array(vec![kind.take(), null()]),
        Some(Value::Array(kinds)) if !kinds.contains(&null()) => kinds.push(null()),
        Some(_) => {}
        None => {
            if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
                choices.push(serde_json::json!({"type": "null"}));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn open_api_becomes_json_schema() {
        for (from, to) in [
            (
                json!({"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": true},
                    "max_items": {"type": "ARRAY", "max_items": "3", "items": {"type": "INTEGER"}}},
                    "required": ["type"], "propertyOrdering": ["type"]}),
                json!({"type": "object", "properties": {"type": {"type": ["string", "null"]},
                    "max_items": {"type": "array", "maxItems": 3, "items": {"type": "integer"}}},
                    "required": ["type"]}),
            ),
            (
                json!({"any_of": [{"type": "NUMBER"}, {"type": "TYPE_UNSPECIFIED"}], "nullable": true}),
                json!({"anyOf": [{"type": "number"}, {}, {"type": "null"}]}),
            ),
            (
                json!({"type": "STRING", "enum": ["A", "B"], "nullable": true, "format": "enum"}),
                json!({"type": ["string", "null"], "enum": ["A", "B", null], "format": "enum"}),
            ),
        ] {
            assert_eq!(from_open_api(from), to);
        }
    }

    #[test]
    fn json_schema_stays() {
        let schema = json!({"type": ["object", "null"], "properties": {"a_b": {"$ref": "#/$defs/x"}},
            "$defs": {"x": {"type": "string", "const": "A_B"}}, "additionalProperties": false});
        assert_eq!(from_open_api(schema.clone()), schema);
        assert_eq!(from_open_api(Value::Null), Value::Null);
    }
}
