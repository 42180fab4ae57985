//! What does an SDK make of the pieces of a stream?
//!
//! # Invariants
//! - Pieces are added up as the vendors' own SDKs do, with nothing put right.

use serde_json::{Map, Value, json};

/// Adds a delta to a message as OpenAI's SDKs do: texts are joined, lists by their index.
pub(crate) fn add(sum: &mut Value, delta: &Value) {
    match (sum, delta) {
        (Value::String(sum), Value::String(more)) => sum.push_str(more),
        (Value::Object(sum), Value::Object(more)) => {
            for (name, value) in more {
                match sum.get_mut(name) {
                    Some(known) if name != "index" && name != "type" => add(known, value),
                    Some(_) => {}
                    None => drop(sum.insert(name.clone(), value.clone())),
                }
            }
        }
        (Value::Array(sum), Value::Array(more)) => {
            for item in more {
                match sum.iter_mut().find(|known| known["index"] == item["index"]) {
                    Some(known) => add(known, item),
                    None => sum.push(item.clone()),
                }
            }
        }
        (sum, more) if sum.is_null() => *sum = more.clone(),
        _ => {}
    }
}

/// The blocks of a stream, added up as Anthropic's SDKs do.
pub(crate) fn blocks(events: &[Value]) -> Value {
    let mut blocks: Vec<Map<String, Value>> = Vec::new();
    let mut json = String::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                blocks.push(event["content_block"].as_object().unwrap().clone());
                json.clear();
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                for (name, more) in event["delta"].as_object().unwrap() {
                    match name.as_str() {
                        "type" => {}
                        "partial_json" => json.push_str(more.as_str().unwrap()),
                        "signature" => drop(block.insert(name.clone(), more.clone())),
                        _ => add(block.get_mut(name).unwrap(), more),
                    }
                }
            }
            "content_block_stop" if !json.is_empty() => {
                let input = serde_json::from_str(&json).unwrap();
                blocks.last_mut().unwrap().insert("input".to_owned(), input);
            }
            _ => {}
        }
    }
    json!(blocks)
}
