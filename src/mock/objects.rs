//! What is done with remembered objects: to read, to list, to cancel and to delete them.
//!
//! # Invariants
//! - An unknown id is found to be one before anything is done; [`missing`] says so in the vendor's words.

use hyper::header::HeaderValue;
use scoring::time::Span;
use serde_json::{Value, json};

use super::ask::{Ask, Extra};
use super::endpoint::{Deed, Endpoint, Object};
use super::narration::Whole;
use super::plan::Plan;
use super::refusals::{JSON, Reply};
use super::shelf::Kept;
use super::state::Provider;
use crate::clock;

/// How long a batch is in progress: a minute, since no test waits for a day.
const BATCH: Span = Span::from_secs(60);

/// Reads a request about a remembered object.
pub(super) fn ask(endpoint: Endpoint, id: &str) -> Ask {
    Ask {
        endpoint,
        extra: Extra::Id(id.to_owned()),
        ..Ask::default()
    }
}

/// The refusal of an id that is not known, or of a deed that comes too late.
pub(super) fn objection(
    provider: &Provider,
    object: Object,
    deed: Deed,
    id: &str,
) -> Option<Reply> {
    let shelf = provider.shelf.borrow();
    let Some(kept) = shelf.get(id) else {
        return Some(missing(object, id));
    };
    if deed == Deed::Cancel && object == Object::Response && !kept.background {
        return Some(Reply::invalid("Cannot cancel a synchronous response."));
    }
    None
}

fn missing(object: Object, id: &str) -> Reply {
    let message = match object {
        Object::Response => format!("Response with id '{id}' not found."),
        Object::File => format!("No such File object: {id}"),
        Object::Batch => format!("No batch found with id '{id}'."),
    };
    Reply::new(404, "invalid_request_error", "", message)
}

/// Does what is asked for and tells the outcome.
pub(super) fn whole(provider: &Provider, plan: &Plan, object: Object, deed: Deed) -> Whole {
    let mut kind = JSON;
    let body = match (&plan.ask.extra, deed) {
        (Extra::Body(body), Deed::Create) => create(provider, plan, object, body).to_string(),
        (Extra::Id(id), Deed::Content) => {
            kind = HeaderValue::from_static("application/octet-stream");
            let shelf = provider.shelf.borrow();
            let text = shelf.get(id).and_then(|it| it.source["text"].as_str());
            text.unwrap_or_default().to_owned()
        }
        (Extra::Id(id), _) => body(provider, id, deed).to_string(),
        _ => list(provider, object).to_string(),
    };
    Whole {
        kind,
        body: body.into(),
    }
}

/// Makes an object and remembers it.
fn create(provider: &Provider, plan: &Plan, object: Object, body: &Value) -> Value {
    let created = plan.created;
    let (id, made) = if object == Object::File {
        let id = format!("file-mock{:016x}", plan.id);
        let file = json!({
            "id": id,
            "object": "file",
            "bytes": body["file"]["bytes"],
            "created_at": created,
            "filename": body["file"]["filename"],
            "purpose": body["purpose"],
            "status": "processed",
        });
        (id, file)
    } else {
        let id = format!("batch_mock{:016x}", plan.id);
        let batch = json!({
            "id": id,
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": null,
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "status": "completed",
            "output_file_id": null,
            "error_file_id": null,
            "created_at": created,
            "completed_at": created,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body["metadata"],
        });
        (id, batch)
    };
    let source = body["file"].clone();
    provider.shelf.borrow_mut().put(Kept {
        weight: made.to_string().len() + source["text"].as_str().map_or(0, str::len),
        id,
        object: made.clone(),
        source,
        ready: clock::now().plus(if object == Object::Batch {
            BATCH
        } else {
            Span::ZERO
        }),
        background: object == Object::Batch,
        cancelled: false,
    });
    let mut told = made;
    if object == Object::Batch {
        told["status"] = "validating".into();
        told["completed_at"] = Value::Null;
    }
    told
}

fn list(provider: &Provider, object: Object) -> Value {
    let prefix = match object {
        Object::Response => "resp_",
        Object::File => "file-",
        Object::Batch => "batch_",
    };
    let shelf = provider.shelf.borrow();
    let data: Vec<Value> = shelf.list(prefix).into_iter().map(as_it_is).collect();
    json!({
        "object": "list",
        "first_id": data.first().map(|it| it["id"].clone()),
        "last_id": data.last().map(|it| it["id"].clone()),
        "data": data,
        "has_more": false,
    })
}

fn body(provider: &Provider, id: &str, deed: Deed) -> Value {
    let mut shelf = provider.shelf.borrow_mut();
    if deed == Deed::Delete {
        let object = shelf.get(id).map(|it| it.object["object"].clone());
        shelf.remove(id);
        return json!({"id": id, "object": object, "deleted": true});
    }
    let Some(kept) = shelf.get_mut(id) else {
        return Value::Null;
    };
    match deed {
        Deed::Items => items(kept),
        Deed::Cancel => {
            kept.cancelled |= clock::now() < kept.ready;
            as_it_is(kept)
        }
        _ => as_it_is(kept),
    }
}

/// An object as it is now: not all of it before it is ready.
fn as_it_is(kept: &Kept) -> Value {
    let status = if kept.cancelled {
        "cancelled"
    } else if clock::now() < kept.ready {
        "in_progress"
    } else {
        return kept.object.clone();
    };
    let mut object = kept.object.clone();
    object["status"] = status.into();
    if object["object"] == "batch" {
        object["completed_at"] = Value::Null;
    } else {
        object["output"] = json!([]);
        object["usage"] = Value::Null;
    }
    object
}

/// The items that a response was made from.
fn items(kept: &Kept) -> Value {
    let items = match &kept.source {
        Value::Array(items) => items.clone(),
        text => {
            vec![
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}),
            ]
        }
    };
    let suffix = kept.id.trim_start_matches("resp_");
    let data: Vec<Value> = items
        .into_iter()
        .enumerate()
        .map(|(index, mut item)| {
            if item.is_object() && item["id"].is_null() {
                item["id"] = format!("msg_{suffix}{index}").into();
            }
            item
        })
        .collect();
    json!({
        "object": "list",
        "first_id": data.first().map(|it| it["id"].clone()),
        "last_id": data.last().map(|it| it["id"].clone()),
        "data": data,
        "has_more": false,
    })
}
