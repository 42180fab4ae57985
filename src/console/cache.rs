//! What does a running gateway keep of answers, and what is it to forget?

use http::Method;
use serde_json::Value;

use super::options::{Forget, Kept};
use super::remote::{Plane, encoded};
use super::table::{Side, table};
use super::{ConsoleError, Said, printed};

/// Shows what is kept.
pub(super) async fn show(plane: &Plane, options: &Kept) -> Result<Said, ConsoleError> {
    let kept = plane.get("/api/cache").await?;
    let audit = plane.get("/api/cache/audit").await?;
    let text = if options.remote.json {
        printed(&serde_json::json!({ "kept": kept, "audit": audit["data"] }))
    } else {
        let number = |name: &str| kept[name].as_u64().unwrap_or(0);
        format!(
            "{} answers, {} of {} bytes, {} questions in the semantic layer; {}\n\n{}",
            number("entries"),
            number("bytes"),
            number("room_bytes"),
            number("questions"),
            if kept["on_disk"] == true {
                "kept over a restart"
            } else {
                "in memory only"
            },
            standings(&audit["data"])
        )
    };
    Ok(Said {
        text,
        remarks: String::new(),
    })
}

fn standings(data: &Value) -> String {
    let heads = [
        ("workflow", Side::Left),
        ("hits", Side::Right),
        ("checked", Side::Right),
        ("wrong", Side::Right),
        ("unsure", Side::Right),
        ("threshold", Side::Right),
        ("state", Side::Left),
    ];
    let rows: Vec<Vec<String>> = data
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let audit = |name: &str| audit_cell(&row["audit"][name]);
            let policy = &row["policy"];
            vec![
                audit("workflow"),
                audit("hits"),
                audit("audited"),
                audit("different"),
                audit("unsure"),
                policy["threshold"]
                    .as_f64()
                    .map_or("-".to_owned(), |it| format!("{it:.2}")),
                audit_cell(&policy["state"]),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no semantic hits yet\n".to_owned();
    }
    table(&heads, &rows)
}

fn audit_cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    }
}

/// Has answers forgotten.
pub(super) async fn forget(plane: &Plane, options: &Forget) -> Result<Said, ConsoleError> {
    let what = &options.what;
    let by = |name: &str, value: &Option<String>| {
        value
            .as_ref()
            .map(|value| format!("/api/cache/entries?{name}={}", encoded(value)))
    };
    let entry = what
        .entry
        .as_ref()
        .map(|id| format!("/api/cache/entries/{}", encoded(id)));
    let path = entry
        .or_else(|| by("request", &what.request))
        .or_else(|| by("key", &what.key))
        .or_else(|| by("tag", &what.tag))
        .or_else(|| by("model", &what.model))
        .unwrap_or_else(|| "/api/cache/entries?all=true".to_owned());
    let told = plane.send(Method::DELETE, &path, &Value::Null).await?;
    if options.remote.json {
        return Ok(Said {
            text: printed(&told),
            remarks: String::new(),
        });
    }
    let count = told["forgotten"].as_u64().unwrap_or(0);
    Ok(Said {
        text: format!("{count} forgotten\n"),
        remarks: String::new(),
    })
}
