//! How are keys listed, made and ended?
//!
//! # Invariants
//! - A secret goes to the output and the words about it beside it, so that a script gets the secret alone.

use std::path::Path;

use http::Method;
use serde_json::{Map, Value, json};

use crate::clock;

use super::money::rows;
use super::options::{Create, Diff, Key, Keys};
use super::remote::{Plane, encoded};
use super::table::{Side, clean, dollars, instant, table};
use super::{ConsoleError, Said, printed};

/// What stands for nothing.
const NONE: &str = "-";

pub(super) async fn run(plane: &Plane, options: &Keys) -> Result<Said, ConsoleError> {
    let json = options.remote.json;
    let at = |name: &str| format!("/api/keys/{}", encoded(name));
    match &options.key {
        Key::List => {
            let whole = plane.all("/api/keys").await?;
            Ok(if json { printed(&whole) } else { list(&whole) }.into())
        }
        Key::Show { name } => {
            let key = plane.get(&at(name)).await?;
            Ok(if json { printed(&key) } else { shown(&key) }.into())
        }
        Key::Create(create) => {
            let body = document(create)?;
            let made = plane.send(Method::POST, "/api/keys", &body).await?;
            Ok(secret(&made, json, "is made"))
        }
        Key::Rotate { name, grace } => {
            let body = json!({ "grace_seconds": seconds(grace)? });
            let path = format!("{}/rotate", at(name));
            let made = plane.send(Method::POST, &path, &body).await?;
            let until = made["former_until"].as_str().map(instant);
            let words = match until {
                Some(until) => format!("has another secret; the one before is taken until {until}"),
                None => "has another secret; the one before is refused from now on".to_owned(),
            };
            Ok(secret(&made, json, &words))
        }
        Key::Disable { name } => amend(plane, &at(name), Value::Bool(true), json).await,
        Key::Enable { name } => amend(plane, &at(name), Value::Null, json).await,
        Key::Revoke { name } => {
            let path = format!("{}/revoke", at(name));
            let key = plane.send(Method::POST, &path, &json!({})).await?;
            let words = format!("key {name} is revoked\n");
            Ok(if json { printed(&key) } else { words }.into())
        }
        Key::Delete { name, hidden } => {
            let query = if *hidden { "?hidden=true" } else { "" };
            let path = format!("{}{query}", at(name));
            plane.send(Method::DELETE, &path, &Value::Null).await?;
            let words = format!("key {name} is deleted\n");
            Ok(if json { String::new() } else { words }.into())
        }
    }
}

/// Switches a key off or on.
async fn amend(
    plane: &Plane,
    path: &str,
    disabled: Value,
    json: bool,
) -> Result<Said, ConsoleError> {
    let words = if disabled.is_null() {
        "enabled"
    } else {
        "disabled"
    };
    let body = json!({ "disabled": disabled });
    let key = plane.send(Method::PATCH, path, &body).await?;
    let name = key["name"].as_str().unwrap_or_default();
    let words = format!("key {} is {words}\n", clean(name));
    Ok(if json { printed(&key) } else { words }.into())
}

/// A secret alone, and what is to be said of it beside it.
fn secret(made: &Value, json: bool, words: &str) -> Said {
    if json {
        return printed(made).into();
    }
    let text = |key: &str| clean(made[key].as_str().unwrap_or_default());
    Said {
        text: format!("{}\n", text("secret")),
        remarks: format!(
            "key {} {words}; its secret is shown this once, keep it now:\n",
            text("name")
        ),
    }
}

fn list(whole: &Value) -> String {
    let now = instant_now();
    let lines: Vec<Vec<String>> = rows(whole)
        .map(|key| {
            let text = |name: &str| key[name].as_str().unwrap_or(NONE).to_owned();
            vec![
                text("name"),
                text("team"),
                text("customer"),
                state(key, now).to_owned(),
                instant(&text("expires")),
                text("declared_at"),
                budgets(key),
            ]
        })
        .collect();
    if lines.is_empty() {
        return "no keys\n".to_owned();
    }
    let heads = [
        "NAME", "TEAM", "CUSTOMER", "STATE", "EXPIRES", "FROM", "BUDGETS",
    ];
    table(&heads.map(|head| (head, Side::Left)), &lines)
}

/// One word for how a key stands.
fn state(key: &Value, now: jiff::Timestamp) -> &'static str {
    let expires = key["expires"].as_str().and_then(|it| it.parse().ok());
    let is_over = expires.is_some_and(|at: jiff::Timestamp| at <= now);
    if key.get("revoked_at").is_some() {
        "revoked"
    } else if key.get("problem").is_some() {
        "broken"
    } else if key["disabled"] == true {
        "disabled"
    } else if is_over {
        "expired"
    } else {
        "live"
    }
}

fn instant_now() -> jiff::Timestamp {
    let seconds = clock::unix_seconds();
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn budgets(key: &Value) -> String {
    let all = key["budgets"].as_array().into_iter().flatten();
    let all: Vec<String> = all
        .map(|it| {
            let limit = dollars(it["limit"].as_f64().unwrap_or_default());
            format!("{limit}/{}", it["period"].as_str().unwrap_or(NONE))
        })
        .collect();
    if all.is_empty() {
        NONE.to_owned()
    } else {
        all.join(" ")
    }
}

/// All that is said of a key, a line each.
fn shown(key: &Value) -> String {
    let lines: Vec<Vec<String>> = key
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("budgets", _) => budgets(key),
                (_, Value::String(text)) => text.clone(),
                (_, value) => value.to_string(),
            };
            vec![name.clone(), value]
        })
        .collect();
    let text = table(&[("", Side::Left), ("", Side::Left)], &lines);
    text.trim_start_matches('\n').to_owned()
}

/// What is said of a key to be made.
fn document(create: &Create) -> Result<Value, ConsoleError> {
    let mut document = create
        .from
        .as_deref()
        .map_or_else(|| Ok(Map::new()), read)?;
    let mut put = |key: &str, value: Option<Value>| {
        document.extend(value.map(|value| (key.to_owned(), value)));
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let list = |list: &[String]| (!list.is_empty()).then(|| json!(list));
    put("name", Some(create.name.clone().into()));
    put("team", text(&create.team));
    put("customer", text(&create.customer));
    put("expires", text(&create.expires));
    put("models", list(&create.models));
    put("providers", list(&create.providers));
    let budgets: Result<Vec<Value>, _> = create.budgets.iter().map(|it| budget(it)).collect();
    let budgets = budgets?;
    put("budgets", (!budgets.is_empty()).then(|| budgets.into()));
    let tags: Result<Map<String, Value>, _> = create.tags.iter().map(|it| tag(it)).collect();
    let tags = tags?;
    put("tags", (!tags.is_empty()).then(|| tags.into()));
    let mut limits = Map::new();
    for (key, limit) in [
        ("requests_per_minute", create.requests_per_minute),
        ("concurrency", create.concurrency),
    ] {
        limits.extend(limit.map(|limit| (key.to_owned(), limit.into())));
    }
    put("rate_limits", (!limits.is_empty()).then(|| limits.into()));
    Ok(document.into())
}

/// The document in a file.
fn read(path: &Path) -> Result<Map<String, Value>, ConsoleError> {
    let failed =
        |why: &dyn std::fmt::Display| ConsoleError::Senseless(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|why| failed(&why))?;
    serde_json::from_str(&text).map_err(|why| failed(&why))
}

/// A budget as it is written on the command line, such as `10/1d`.
fn budget(text: &str) -> Result<Value, ConsoleError> {
    let parts = text.trim_start_matches('$').split_once('/');
    let read = parts.and_then(|(limit, period)| Some((limit.parse::<f64>().ok()?, period)));
    let (limit, period) = read.ok_or_else(|| {
        ConsoleError::Senseless(format!(
            "{text:?} is no budget: dollars and a period, such as 10/1d or 250/1M"
        ))
    })?;
    Ok(json!({ "limit": limit, "period": period }))
}

/// A tag as it is written on the command line, such as `project=nightly`.
fn tag(text: &str) -> Result<(String, Value), ConsoleError> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| ConsoleError::Senseless(format!("{text:?} is no tag: NAME=VALUE is one")))?;
    Ok((name.to_owned(), value.into()))
}

/// The seconds of a duration as it is written on the command line.
pub(super) fn seconds(text: &str) -> Result<i64, ConsoleError> {
    let split = text.find(|letter: char| !letter.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = digits.parse::<i64>().ok().zip(unit);
    seconds
        .and_then(|(count, unit)| count.checked_mul(unit))
        .ok_or_else(|| {
            ConsoleError::Senseless(format!(
                "{text:?} is no duration: a number and one of s, m, h, d, such as 24h"
            ))
        })
}

pub(super) async fn diff(plane: &Plane, options: &Diff) -> Result<Said, ConsoleError> {
    let whole = plane.all("/api/config/diff").await?;
    if options.remote.json {
        return Ok(printed(&whole).into());
    }
    let lines: Vec<Vec<String>> = rows(&whole)
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or(NONE).to_owned();
            let differs: Vec<&str> = row["differs_in"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let note = match (row["problem"].as_str(), row["state"].as_str()) {
                (Some(problem), _) => problem.to_owned(),
                (None, Some("hidden")) if differs.is_empty() => {
                    "the file's says the same".to_owned()
                }
                (None, Some("hidden")) => format!("the file's differs in {}", differs.join(", ")),
                _ => String::new(),
            };
            vec![
                text("kind"),
                text("name"),
                text("declared_at"),
                text("state"),
                note,
            ]
        })
        .collect();
    if lines.is_empty() {
        return Ok("nobody is declared or made\n".to_owned().into());
    }
    let heads = ["KIND", "NAME", "FROM", "STATE", "NOTE"];
    Ok(table(&heads.map(|head| (head, Side::Left)), &lines).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_the_command_line_is_read() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("90", Some(90)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("1w", None),
            ("", None),
            ("h", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
        assert_eq!(
            budget("10.5/1d").unwrap(),
            json!({"limit": 10.5, "period": "1d"})
        );
        assert_eq!(budget("$3/1M").unwrap()["limit"], 3.0);
        assert!(budget("10").is_err() && budget("x/1d").is_err());
        assert_eq!(tag("a=b=c").unwrap(), ("a".to_owned(), "b=c".into()));
        assert!(tag("a").is_err());
    }

    #[test]
    fn a_key_has_one_state() {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        for (key, expected) in [
            (json!({}), "live"),
            (json!({"expires": "2026-06-01T00:00:01Z"}), "live"),
            (json!({"expires": "2026-06-01T00:00:00Z"}), "expired"),
            (
                json!({"disabled": true, "expires": "2026-01-01T00:00:00Z"}),
                "disabled",
            ),
            (json!({"disabled": true, "problem": "x"}), "broken"),
            (json!({"revoked_at": "x", "problem": "x"}), "revoked"),
        ] {
            assert_eq!(state(&key, now), expected, "{key}");
        }
    }
}
