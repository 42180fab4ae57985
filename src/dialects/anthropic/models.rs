//! Models, as Anthropic lists them.
//!
//! # Invariants
//! - A list has one page.

use bytes::Bytes;
use serde_json::{Value, json};

/// Unix time zero: when a name that the operator made up was created is nobody's affair.
const CREATED: &str = "1970-01-01T00:00:00Z";

fn object(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": CREATED})
}

/// The list of models.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data: Vec<Value> = names.into_iter().map(object).collect();
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let (first, last) = (id(data.first()), id(data.last()));
    let list = json!({"data": data, "has_more": false, "first_id": first, "last_id": last});
    Bytes::from(list.to_string())
}

/// One model.
#[must_use]
pub fn one(name: &str) -> Bytes {
    Bytes::from(object(name).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_one_page() {
        let list: Value = serde_json::from_slice(&list(["a", "b"])).unwrap();
        assert_eq!(
            (&list["first_id"], &list["last_id"]),
            (&"a".into(), &"b".into())
        );
        assert_eq!(list["data"][1]["type"], "model");
        assert_eq!(
            serde_json::from_slice::<Value>(&super::list([])).unwrap()["first_id"],
            Value::Null
        );
    }
}
