//! Is a value what its schema says? As much of JSON Schema as the documentation uses.

use serde_json::Value;

/// Everything about a value that its schema does not say, with where it stands.
pub(super) fn misfits(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return misfits(root, target, value, at);
    }
    if let Some(several) = schema["anyOf"].as_array() {
        let fits = several
            .iter()
            .any(|one| misfits(root, one, value, at).is_empty());
        return if fits {
            Vec::new()
        } else {
            vec![format!("{at}: no alternative takes {value}")]
        };
    }
    let mut found = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|one| is(one, value)) {
        return vec![format!("{at}: {value} is not {types:?}")];
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        found.push(format!("{at}: {value} is not one of {choices:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(items) = schema.get("items") {
            found.extend(misfits(root, items, item, &format!("{at}[]")));
        }
    }
    let Some(object) = value.as_object() else {
        return found;
    };
    for needed in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(needed.as_str().unwrap()) {
            found.push(format!("{at}: lacks {needed}"));
        }
    }
    for (key, value) in object {
        let at = format!("{at}.{key}");
        match (
            schema["properties"].get(key),
            schema.get("additionalProperties"),
        ) {
            (Some(property), _) => found.extend(misfits(root, property, value, &at)),
            (None, Some(Value::Bool(false))) => found.push(format!("{at}: is not documented")),
            (None, Some(other)) if other.is_object() => {
                found.extend(misfits(root, other, value, &at))
            }
            (None, None) if schema.get("properties").is_some() => {
                found.push(format!("{at}: is not documented"))
            }
            _ => {}
        }
    }
    found
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[test]
fn misfits_are_found() {
    use serde_json::json;
    let schema = json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"$ref": "#/x"}}},
    });
    let root = json!({"x": {"enum": ["y"]}});
    for (value, count) in [
        (json!({"a": 1}), 0),
        (json!({"a": null, "b": ["y"]}), 0),
        (json!({"a": "1"}), 1),
        (json!({"b": ["z", "y"]}), 2),
        (json!({"a": 1, "c": 1}), 1),
        (json!([]), 1),
    ] {
        assert_eq!(misfits(&root, &schema, &value, "").len(), count, "{value}");
    }
}
