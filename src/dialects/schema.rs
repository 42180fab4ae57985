//! To which JSON Schemas does a vendor hold its models?
//!
//! OpenAI and Anthropic write what follows a schema exactly, and each refuses a request whose schema it cannot follow.
//! What the two refuse differs, so a schema that one takes may have to be loosened for the other.
//!
//! Sources: OpenAI, "Structured Outputs", supported schemas; Anthropic, "Structured outputs", JSON Schema limitations.
//!
//! # Invariants
//! - A name of a property is never taken for a keyword.
//! - What is taken out of a schema is told to the model in the description.

use serde_json::{Map, Value};

use crate::chat::{Loss, Losses};

/// Deepest nesting that is looked into; JSON that arrives is not nested deeper.
const DEEPEST: usize = 128;

/// Keywords whose value is a map of schemas by names.
const MAPS: [&str; 3] = ["properties", "$defs", "definitions"];

/// Keywords whose value is a schema or a list of them.
const INNER: [&str; 5] = ["items", "anyOf", "allOf", "oneOf", "prefixItems"];

/// Keywords that Anthropic refuses.
const REFUSED_BY_ANTHROPIC: [&str; 16] = [
    "contains",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "patternProperties",
    "uniqueItems",
];

/// Keywords that OpenAI refuses where a schema must be followed exactly.
const REFUSED_BY_OPENAI: [&str; 9] = [
    "allOf",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "then",
];

/// Formats of texts that Anthropic knows.
const FORMATS: [&str; 10] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uri",
    "uuid",
];

/// What a model is told that cannot be held to a schema.
pub(super) fn in_words(schema: &Value) -> String {
    format!(
        "Answer with a single valid JSON object that follows this JSON Schema, and nothing else:\n{schema}"
    )
}

/// Whether Anthropic takes a keyword with this value.
fn anthropic_takes(keyword: &str, value: &Value) -> bool {
    match keyword {
        "minItems" => value.as_u64().is_some_and(|least| least < 2),
        "format" => value.as_str().is_some_and(|name| FORMATS.contains(&name)),
        _ => !REFUSED_BY_ANTHROPIC.contains(&keyword),
    }
}

/// Whether a schema describes an object.
fn is_object(fields: &Map<String, Value>) -> bool {
    match fields.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => fields.contains_key("properties"),
    }
}

/// The schemas within a schema, each with the keyword that holds it.
fn within(fields: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let maps = MAPS
        .iter()
        .filter_map(|name| fields.get(*name)?.as_object());
    let named = maps.flat_map(|map| map.values());
    let inner = INNER.iter().filter_map(|name| fields.get(*name));
    let inner = inner.flat_map(|value| match value {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    });
    named.chain(inner)
}

/// Whether OpenAI follows a schema exactly: every object is closed, and every property of it required.
fn openai_follows(schema: &Value) -> bool {
    schema.is_null() || follows(schema, DEEPEST)
}

/// Whether OpenAI is told to follow a schema exactly: as the client asks, but where it would refuse the request for it.
pub(super) fn openai_strict(
    asked: Option<bool>,
    schema: &Value,
    losses: &mut Losses,
) -> Option<bool> {
    let refused = asked == Some(true) && !openai_follows(schema);
    losses.add_if(refused, "strict", Loss::Hint);
    asked.filter(|_| !refused)
}

fn follows(schema: &Value, deeper: usize) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    if deeper == 0
        || REFUSED_BY_OPENAI
            .iter()
            .any(|name| fields.contains_key(*name))
    {
        return false;
    }
    if is_object(fields) {
        let required = fields.get("required").and_then(Value::as_array);
        let required = |name: &String| required.is_some_and(|all| all.iter().any(|it| it == name));
        let properties = fields.get("properties").and_then(Value::as_object);
        let all = properties.is_none_or(|properties| properties.keys().all(required));
        if !all || fields.get("additionalProperties") != Some(&Value::Bool(false)) {
            return false;
        }
    }
    within(fields).all(|inner| follows(inner, deeper - 1))
}

/// Whether Anthropic follows a schema exactly.
pub(super) fn anthropic_follows(schema: &Value) -> bool {
    holds(schema, DEEPEST)
}

fn holds(schema: &Value, deeper: usize) -> bool {
    let Value::Object(fields) = schema else {
        return !schema.is_boolean();
    };
    let open = is_object(fields) && fields.get("additionalProperties") != Some(&Value::Bool(false));
    deeper > 0
        && !open
        && !fields.contains_key("oneOf")
        && fields
            .iter()
            .all(|(name, value)| anthropic_takes(name, value))
        && within(fields).all(|inner| holds(inner, deeper - 1))
}

/// A schema as Anthropic takes it for an answer: objects take no other fields than they name, unless it says otherwise,
/// and what cannot be enforced is said in the description.
pub(super) fn for_anthropic(schema: &Value) -> Value {
    loosened(schema, DEEPEST)
}

fn loosened(schema: &Value, deeper: usize) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    if deeper == 0 {
        return schema.clone();
    }
    let mut kept = Map::new();
    let mut told = Vec::new();
    for (name, value) in fields {
        if !anthropic_takes(name, value) {
            told.push(format!("{name}: {value}"));
            continue;
        }
        let value = match value {
            Value::Object(map) if MAPS.contains(&name.as_str()) => {
                let inner = map.iter();
                let inner = inner.map(|(name, inner)| (name.clone(), loosened(inner, deeper - 1)));
                Value::Object(inner.collect())
            }
            Value::Array(all) if INNER.contains(&name.as_str()) => all
                .iter()
                .map(|inner| loosened(inner, deeper - 1))
                .collect(),
            one if INNER.contains(&name.as_str()) => loosened(one, deeper - 1),
            other => other.clone(),
        };
        let name = if name == "oneOf" { "anyOf" } else { name };
        kept.insert(name.to_owned(), value);
    }
    if is_object(fields) {
        let closed = kept.entry("additionalProperties");
        closed.or_insert(Value::Bool(false));
    }
    if !told.is_empty() {
        let told = format!("({})", told.join(", "));
        let said = kept.get("description").and_then(Value::as_str);
        let words = said.map_or_else(|| told.clone(), |said| format!("{said} {told}"));
        kept.insert("description".to_owned(), Value::String(words));
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_openai_follows_is_closed_and_required() {
        let closed = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        let text = || json!({"type": "string", "minLength": 1});
        for (schema, follows) in [
            (Value::Null, true),
            (closed(json!({"a": text()}), json!(["a"])), true),
            (closed(json!({"not": text()}), json!(["not"])), true),
            (closed(json!({"a": text()}), json!([])), false),
            (json!({"type": "object", "properties": {}}), false),
            (
                closed(json!({"a": {"type": "object"}}), json!(["a"])),
                false,
            ),
            (
                closed(json!({"a": {"oneOf": [text()]}}), json!(["a"])),
                false,
            ),
            (
                closed(json!({"a": {"anyOf": [text()]}}), json!(["a"])),
                true,
            ),
            (json!({"type": "array", "items": {"type": "object"}}), false),
            (json!(true), false),
        ] {
            assert_eq!(openai_follows(&schema), follows, "{schema}");
        }
    }

    #[test]
    fn what_anthropic_refuses_is_told_in_words() {
        let schema = json!({
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many."},
                "tags": {"type": "array", "minItems": 2, "items": {"oneOf": [{"type": "string", "format": "x"}]}},
                "open": {"type": "object", "additionalProperties": true},
            },
            "enum": [{"minimum": 1}],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "description": "How many. (maximum: 9, minimum: 0)"},
                "tags": {"type": "array", "description": "(minItems: 2)",
                    "items": {"anyOf": [{"type": "string", "description": "(format: \"x\")"}]}},
                "open": {"type": "object", "additionalProperties": true},
            },
            "enum": [{"minimum": 1}],
            "additionalProperties": false,
        });
        assert_eq!(for_anthropic(&schema), expected);
        assert!(!anthropic_follows(&schema));
        let closed = json!({"type": "object", "properties": {"minimum": {"type": "integer"}}, "additionalProperties": false});
        assert!(anthropic_follows(&closed));
        assert_eq!(for_anthropic(&closed), closed);
        assert!(!anthropic_follows(
            &json!({"type": "integer", "minimum": 1})
        ));
    }

    #[test]
    fn deep_schemas_end() {
        let mut deep = json!({"type": "string"});
        for _ in 0..1_000 {
            deep = json!({"type": "array", "items": deep});
        }
        assert!(!openai_follows(&deep) && !anthropic_follows(&deep));
        assert!(for_anthropic(&deep).is_object());
        // Dropped piece by piece: its depth would overflow a small stack.
        while let Some(inner) = deep.get_mut("items").map(Value::take) {
            deep = inner;
        }
    }
}
